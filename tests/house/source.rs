//! Just enough of a Rust reader for the rules: code without comments and string contents, the
//! paths it names with `use` trees expanded, and its string literals.

use std::fs;
use std::path::PathBuf;

/// A file of the repository.
pub struct Source {
    /// Path from the repository root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text with comments and the contents of literals blanked, line breaks kept.
    pub code: String,
    /// [`Source::code`] without items behind `#[cfg(test)]`.
    pub product: String,
    /// String literals with the line they start on (from 1).
    pub strings: Vec<(usize, String)>,
}

/// A path such as `crate::backend::Op` and the line (from 1) it is named on.
#[derive(Debug, PartialEq)]
pub struct Named {
    pub line: usize,
    pub segments: Vec<String>,
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// Line (from 1) of its `fn`.
    pub line: usize,
    /// Lines from there to its closing brace.
    pub lines: usize,
    /// What stands between its braces, as in [`Source::code`].
    body: String,
}

impl Function {
    /// Whether the body is nothing but an array or a vector.
    pub fn is_table(&self) -> bool {
        let body = self.body.trim();
        let body = body.trim_start_matches('&');
        let body = body.strip_prefix("vec!").unwrap_or(body);
        body.starts_with('[') && closing(body) == Some(body.len() - 1)
    }
}

/// Where the bracket that the text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// The repository's root: where cargo says it is now, else where it was when this was built.
pub fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Files under `directory` (from the root) with this extension, sorted; none if it does not exist.
pub fn files(directory: &str, extension: &str) -> Vec<String> {
    fn walk(directory: &str, extension: &str, found: &mut Vec<String>) {
        let Ok(entries) = fs::read_dir(root().join(directory)) else {
            return;
        };
        for entry in entries {
            let entry = entry.expect("a readable directory");
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&path, extension, found);
            } else if entry.path().extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, extension, &mut found);
    found.sort();
    found
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All Rust files under `directory`.
pub fn rust(directory: &str) -> Vec<Source> {
    files(directory, "rs")
        .into_iter()
        .map(|path| {
            let text = read(&path);
            Source::new(path, text)
        })
        .collect()
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let (code, strings) = blank(&text);
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let product = if is_test {
            String::new()
        } else {
            without_tests(&code)
        };
        Self {
            path,
            text,
            code,
            product,
            strings,
        }
    }

    /// `path:line`.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// All functions that have a body, in order; those inside others too.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let rest = &self.code[at..];
            let length = rest[3..].find(|c| !is_ident(c)).unwrap_or(0);
            let outside = !self.code[..at].chars().next_back().is_some_and(is_ident);
            if let (true, 1.., Some(open)) = (outside, length, body(rest)) {
                let end = open + closing(&rest[open..]).expect("a closed body");
                found.push(Function {
                    name: rest[3..3 + length].into(),
                    line: self.code[..at].matches('\n').count() + 1,
                    lines: rest[..end].matches('\n').count() + 1,
                    body: rest[open + 1..end].into(),
                });
            }
        }
        found
    }

    /// Lines (from 1) on which `word` stands in the code as a whole word.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        let lines = self.code.lines().enumerate();
        lines
            .filter(|(_, line)| {
                line.match_indices(word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + word.len()..].chars().next();
                    !before.is_some_and(is_ident) && !after.is_some_and(is_ident)
                })
            })
            .map(|(i, _)| i + 1)
            .collect()
    }
}

/// Where the body of a function begins, if it has one: at the first brace outside of brackets.
fn body(function: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in function.char_indices() {
        match c {
            '{' if depth == 0 => return Some(i),
            ';' if depth == 0 => return None,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks comments and literals; returns the string literals.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut strings = Vec::new();
    let mut line = 1;
    let mut i = 0;
    // Appends chars[i..end], everything but line breaks blanked.
    let skip = |code: &mut String, line: &mut usize, from: usize, end: usize| {
        for &c in &chars[from..end] {
            code.push(if c == '\n' { '\n' } else { ' ' });
            *line += usize::from(c == '\n');
        }
    };
    while i < chars.len() {
        let rest = &chars[i..];
        let previous_ident = i > 0 && is_ident(chars[i - 1]);
        let end = if rest.starts_with(&['/', '/']) {
            i + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())
        } else if rest.starts_with(&['/', '*']) {
            block_comment(&chars, i)
        } else if rest[0] == '"' {
            let end = string_end(&chars, i);
            strings.push((line, chars[i + 1..end - 1].iter().collect()));
            end
        } else if !previous_ident && raw_string(rest).is_some() {
            let (open, length) = raw_string(rest).expect("just seen");
            strings.push((line, rest[open..length - (open - 1)].iter().collect()));
            i + length
        } else if rest[0] == '\'' && char_length(rest).is_some() {
            i + char_length(rest).expect("just seen")
        } else {
            code.push(rest[0]);
            line += usize::from(rest[0] == '\n');
            i += 1;
            continue;
        };
        skip(&mut code, &mut line, i, end);
        i = end;
    }
    (code, strings)
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// For `r"..."`, `r#"..."#`, `br"..."`: characters of the opening and of the whole literal. The
/// closing is one shorter than the opening's quote and hashes without the prefix.
fn raw_string(rest: &[char]) -> Option<(usize, usize)> {
    let prefix = if rest.starts_with(&['b', 'r']) { 2 } else { 1 };
    if prefix == 1 && rest[0] != 'r' {
        return None;
    }
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let open = prefix + hashes + 1;
    let mut close = vec!['"'];
    close.extend(vec!['#'; hashes]);
    let end = rest[open..].windows(close.len()).position(|w| w == close)?;
    Some((open, open + end + close.len()))
}

/// Length of a character literal; none for a lifetime.
fn char_length(rest: &[char]) -> Option<usize> {
    match rest.get(1)? {
        '\\' => Some(3 + rest.get(3..)?.iter().position(|&c| c == '\'')? + 1),
        _ => (rest.get(2) == Some(&'\'')).then_some(3),
    }
}

/// Blanks every item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    const GATE: &str = "#[cfg(test)]";
    while let Some(start) = out.find(GATE) {
        let rest = &out[start..];
        let open = rest.find('{').unwrap_or(rest.len());
        let semicolon = rest.find(';').unwrap_or(rest.len());
        let length = if semicolon < open {
            semicolon + 1
        } else {
            let mut depth = 0;
            rest.char_indices()
                .find_map(|(i, c)| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    (c == '}' && depth == 0).then_some(i + 1)
                })
                .unwrap_or(rest.len())
        };
        let blanked: String = rest[..length]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..start + length, &blanked);
    }
    out
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Ident(String),
    /// `::`
    Path,
    Other(char),
}

fn tokens(code: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = code.chars().collect();
    let mut out = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let c = chars[i];
        let mut length = 1;
        if is_ident(c) {
            length = chars[i..].iter().take_while(|&&c| is_ident(c)).count();
            let word = chars[i..i + length].iter().collect();
            out.push((line, Token::Ident(word)));
        } else if c == ':' && chars.get(i + 1) == Some(&':') {
            length = 2;
            out.push((line, Token::Path));
        } else if c == '\n' {
            line += 1;
        } else if !c.is_whitespace() {
            out.push((line, Token::Other(c)));
        }
        i += length;
    }
    out
}

/// Every path of two or more segments in the code, and every one behind `use`, trees expanded.
pub fn paths(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let (line, Token::Ident(word)) = &tokens[i] else {
            i += 1;
            continue;
        };
        // `use<..>` says what a type captures.
        let captures = matches!(tokens.get(i + 1), Some((_, Token::Other('<'))));
        if word == "use" && !captures {
            i = use_tree(&tokens, i + 1, &[], &mut out);
            continue;
        }
        let mut segments = vec![word.clone()];
        i += 1;
        while let [(_, Token::Path), (_, Token::Ident(next)), ..] = &tokens[i..] {
            segments.push(next.clone());
            i += 2;
        }
        if segments.len() > 1 {
            out.push(Named {
                line: *line,
                segments,
            });
        }
    }
    out
}

/// Reads one branch of a `use` tree that starts at token `i`; returns the token after it.
fn use_tree(
    tokens: &[(usize, Token)],
    mut i: usize,
    prefix: &[String],
    out: &mut Vec<Named>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(i).map_or(0, |t| t.0);
    loop {
        match tokens.get(i).map(|t| &t.1) {
            Some(Token::Ident(word)) if word == "as" => i += 2,
            Some(Token::Ident(word)) => {
                segments.push(word.clone());
                i += 1;
            }
            Some(Token::Path | Token::Other('*')) => i += 1,
            Some(Token::Other('{')) => {
                i += 1;
                while !matches!(tokens.get(i).map(|t| &t.1), None | Some(Token::Other('}'))) {
                    i = use_tree(tokens, i, &segments, out);
                    if matches!(tokens.get(i).map(|t| &t.1), Some(Token::Other(','))) {
                        i += 1;
                    }
                }
                return i + 1;
            }
            _ => {
                // A macro's `use $file::X` names nothing yet.
                if !segments.is_empty() {
                    out.push(Named { line, segments });
                }
                return i;
            }
        }
    }
}

/// The room (`src/<room>.rs` or `src/<room>/`) a path leads to from a file: `crate::room::..`, or
/// enough `super`s.
pub fn room_named<'a>(file: &str, segments: &'a [String]) -> Option<&'a str> {
    let rest = match segments[0].as_str() {
        "crate" => &segments[1..],
        "super" => {
            let supers = segments.iter().take_while(|s| *s == "super").count();
            (supers == depth(file)).then(|| &segments[supers..])?
        }
        _ => return None,
    };
    rest.first().map(String::as_str)
}

/// How many `super`s lead from a file to the crate root.
fn depth(file: &str) -> usize {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    match inner.strip_suffix("/mod.rs") {
        Some(directory) => directory.split('/').count(),
        None => inner.split('/').count(),
    }
}

/// The room a file belongs to.
pub fn room_of(file: &str) -> &str {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    let first = inner.split('/').next().unwrap_or(inner);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[test]
fn comments_strings_and_tests_are_blanked() {
    let text = "let a = \"x // \\\" y\"; // todo\nlet b = r#\"q\"w\"#; /* z /* n */ */ let c = '\\'';\n\
                fn f<'a>() {}\n#[cfg(test)]\nmod tests { use crate::z; }\nlet d = '\\u{1f}';";
    let source = Source::new("src/a/b.rs".into(), text.into());
    assert_eq!(
        source.strings,
        [(1, "x // \\\" y".to_owned()), (2, "q\"w".to_owned())]
    );
    assert!(!source.code.contains("todo") && !source.code.contains("z /*"));
    assert!(source.code.contains("fn f<'a>() {}") && source.code.contains("let d ="));
    assert!(source.code.contains("crate::z") && !source.product.contains("crate::z"));
    assert_eq!(source.code.lines().count(), text.lines().count());
    assert_eq!(source.lines_with("d"), [6]);
}

#[test]
fn functions_are_measured() {
    let text = "trait T {\n    fn none(&self) -> [u8; 2];\n}\nfn outer(f: fn(u8)) -> [u8; 2] {\n    \
                fn inner() {}\n    let s = \"}\";\n}\nfn table() -> Vec<[u8; 1]> {\n    vec![\n        \
                [1],\n    ]\n}\nfn sum() -> u8 {\n    [1][0] + [2][0]\n}\n";
    let source = Source::new("src/a.rs".into(), text.into());
    let functions = source.functions();
    let found: Vec<_> = functions
        .iter()
        .map(|f| (f.name.as_str(), f.line, f.lines, f.is_table()))
        .collect();
    let want = [
        ("outer", 4, 4, false),
        ("inner", 5, 1, false),
        ("table", 8, 5, true),
        ("sum", 13, 3, false),
    ];
    assert_eq!(found, want);
}

#[test]
fn use_trees_are_expanded() {
    let code = "use crate::{a::{self, B}, c as d};\npub use super::super::e::*;\nlet x = f::g::h(1);\nuse k;";
    let all: Vec<(usize, String)> = paths(code)
        .into_iter()
        .map(|n| (n.line, n.segments.join("::")))
        .collect();
    let expected = [
        (1, "crate::a::self"),
        (1, "crate::a::B"),
        (1, "crate::c"),
        (2, "super::super::e"),
        (3, "f::g::h"),
        (4, "k"),
    ];
    assert!(
        all.iter().map(|(l, p)| (*l, p.as_str())).eq(expected),
        "{all:?}"
    );
    let named = |file: &str, path: &str| {
        let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
        room_named(file, &segments).map(str::to_owned)
    };
    assert_eq!(named("src/a/b.rs", "super::super::e").as_deref(), Some("e"));
    assert_eq!(named("src/a/mod.rs", "super::e").as_deref(), Some("e"));
    assert_eq!(named("src/a.rs", "super::e").as_deref(), Some("e"));
    assert_eq!(named("src/a/b.rs", "super::e"), None);
    assert_eq!(named("src/a/b.rs", "crate::e::x").as_deref(), Some("e"));
    assert_eq!(room_of("src/backend/cpu/conv2d.rs"), "backend");
    assert_eq!(room_of("src/error.rs"), "error");
}
