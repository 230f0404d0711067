//! A check that a text is well-formed XML, as far as the report uses it: elements, attributes,
//! text and the predefined entities.

/// `Ok` if every element is closed in order, every attribute quoted and named once, and every `<`
/// and `&` is markup.
pub fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    let mut roots = 0;
    while let Some(at) = rest.find('<') {
        entities(&rest[..at])?;
        rest = &rest[at + 1..];
        let end = tag_end(rest).ok_or_else(|| format!("`<{}` does not end", head(rest)))?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected != Some(name.trim_end()) {
                return Err(format!("</{name}> closes {expected:?}"));
            }
            continue;
        }
        let (tag, empty) = match tag.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (tag, false),
        };
        let name = tag.split_whitespace().next().unwrap_or("");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("`<{}` is no element", head(tag)));
        }
        attributes(&tag[name.len()..])?;
        if open.is_empty() {
            roots += 1;
        }
        if !empty {
            open.push(name);
        }
    }
    entities(rest)?;
    match (open.last(), roots) {
        (Some(name), _) => Err(format!("<{name}> stays open")),
        (None, 1) => Ok(()),
        (None, n) => Err(format!("{n} root elements")),
    }
}

/// Where the tag ends: the first `>` outside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(i, c)| {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(i),
            _ => {}
        }
        None
    })
}

/// Checks ` name="value"` pairs.
fn attributes(mut text: &str) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    while !text.trim().is_empty() {
        let trimmed = text.trim_start();
        if trimmed.len() == text.len() {
            return Err(format!("no blank before `{}`", head(text)));
        }
        let (name, value) = trimmed
            .split_once("=\"")
            .ok_or_else(|| format!("`{}` is no attribute", head(trimmed)))?;
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(legal) || names.contains(&name) {
            return Err(format!("attribute `{name}`"));
        }
        names.push(name);
        let (value, rest) = value
            .split_once('"')
            .ok_or_else(|| format!("value of `{name}` does not end"))?;
        if value.contains('<') {
            return Err(format!("`<` in the value of `{name}`"));
        }
        entities(value)?;
        text = rest;
    }
    Ok(())
}

/// Checks that every `&` starts a predefined or numeric entity.
fn entities(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split(';').next().unwrap_or("");
        let numeric = name
            .strip_prefix('#')
            .is_some_and(|n| n.parse::<u32>().is_ok());
        if !numeric && !["amp", "lt", "gt", "quot", "apos"].contains(&name) {
            return Err(format!("`{}` is no entity", head(&text[at..])));
        }
    }
    if let Some(c) = text.chars().find(|c| c.is_control() && !c.is_whitespace()) {
        return Err(format!("control character {c:?}"));
    }
    Ok(())
}

/// The beginning of a text, for messages.
fn head(text: &str) -> String {
    text.chars().take(40).collect()
}

#[test]
fn broken_markup_is_found() {
    check("<a b=\"1\" c=\"&lt;\">x<d/>&#39;</a>").unwrap();
    for bad in [
        "<a>",
        "<a></b>",
        "<a b=1/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&</a>",
        "<a>&nbsp;</a>",
        "<a b=\"<\"/>",
        "<a/><b/>",
        "<a>\u{1}</a>",
        "",
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
