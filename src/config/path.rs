//! Paths of fields: `chip.adc.bits`. A part that is no bare TOML key stands in quotes:
//! `layer."conv*".weight_bits`.

use std::borrow::Cow;

use serde_json::Value as Json;

/// The part of a path that stands for a key.
pub(super) fn part(key: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !key.is_empty() && key.chars().all(bare) {
        true => key.into(),
        false => format!("\"{key}\"").into(),
    }
}

/// The keys of a path; `None` where a quotation mark has no partner or stands inside a key.
pub(super) fn split(path: &str) -> Option<Vec<&str>> {
    let mut keys = Vec::new();
    let mut rest = path;
    loop {
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if key.contains('"') {
            return None;
        }
        keys.push(key);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(keys),
            None => return None,
        }
    }
}

/// The path with quotation marks only where they are needed.
pub(super) fn canonical(path: &str) -> Option<String> {
    let keys = split(path)?;
    let parts: Vec<Cow<str>> = keys.into_iter().map(part).collect();
    Some(parts.join("."))
}

/// The fields by which a path calls a table in an array: stages have names, parts kinds.
pub(super) const NAMES: [&str; 2] = ["name", "kind"];

/// The value at a path of a document, if it is there.
pub(super) fn find<'v>(document: &'v Json, path: &str) -> Option<&'v Json> {
    split(path)?
        .into_iter()
        .try_fold(document, |value, key| match value {
            Json::Array(list) => list.iter().find(|item| {
                let mut names = NAMES.iter().filter_map(|name| item.get(name));
                names.any(|name| name == key)
            }),
            other => other.get(key),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_dots_and_stars_stand_in_quotes() {
        assert_eq!(split("chip.adc.bits").unwrap(), ["chip", "adc", "bits"]);
        let path = "layer.\"layer1.0.conv*\".chip.adc.bits";
        let keys = ["layer", "layer1.0.conv*", "chip", "adc", "bits"];
        assert_eq!(split(path).unwrap(), keys);
        assert_eq!(keys.map(part).join("."), path);
        let plain = canonical("layer.\"conv1\".weight_bits").unwrap();
        assert_eq!(plain, "layer.conv1.weight_bits");
        for wrong in ["layer.\"conv1.x", "layer.\"a\"b.x", "layer.a\"b.x", "\""] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
