//! The crate that `cargo package` makes has every file that the library and the program are built from.

use std::collections::HashSet;
use std::process::Command;

use super::none;
use super::source::{Source, files, root, rust};

/// Macros whose first argument is a path.
const MACROS: [&str; 3] = ["include_str!(", "include_bytes!(", "include_dir!("];

/// A file or directory that a source takes in, from the root, and its line (from 1).
#[derive(Debug, PartialEq)]
struct Taken {
    line: usize,
    path: String,
}

/// `a/b/../c` as `a/c`.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// What a source takes in outside its tests. Where a macro puts the name into the path, each literal of the file that
/// makes a path that `exists` is one.
fn taken(source: &Source, exists: impl Fn(&str) -> bool) -> Vec<Taken> {
    let here = source.path.rsplit_once('/').map_or("", |(d, _)| d);
    let mut found = Vec::new();
    for (i, code) in source.product.lines().enumerate() {
        let Some(at) = MACROS.iter().find_map(|m| Some(code.find(m)? + m.len())) else {
            continue;
        };
        let line = i + 1;
        let pieces: Vec<&str> = source
            .strings
            .iter()
            .filter(|(n, _)| *n == line)
            .map(|(_, s)| s.as_str())
            .collect();
        let from_root = pieces.iter().any(|s| s.contains("CARGO_MANIFEST_DIR"));
        let pieces: Vec<&str> = pieces
            .into_iter()
            .filter(|s| *s != "CARGO_MANIFEST_DIR")
            .map(|s| s.trim_start_matches("$CARGO_MANIFEST_DIR"))
            .collect();
        let base = if from_root { "" } else { here };
        let whole = |name: &str| {
            let (first, rest) = pieces.split_first().expect("a path");
            plain(&format!("{base}/{first}{name}{}", rest.concat()))
        };
        let before = found.len();
        if code[at..].contains('$') {
            let names = source.strings.iter().map(|(_, name)| whole(name));
            found.extend(names.filter(|p| exists(p)).map(|path| Taken { line, path }));
        } else {
            found.push(Taken {
                line,
                path: whole(""),
            });
        }
        assert!(
            found.len() > before,
            "{}: takes nothing in",
            source.at(line)
        );
    }
    found
}

/// Files of the package, as cargo lists them.
fn packed() -> HashSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let listed = Command::new(cargo)
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).expect("paths");
    text.lines().map(|path| path.replace('\\', "/")).collect()
}

#[test]
fn what_sources_take_in_is_packed() {
    let packed = packed();
    let is_there = |path: &str| !path.ends_with('/') && root().join(path).is_file();
    let mut breaches = Vec::new();
    let mut seen = 0;
    for source in rust("src") {
        for Taken { line, path } in taken(&source, is_there) {
            let parts = match root().join(&path).is_dir() {
                true => files(&path, "wgsl"),
                false => vec![path],
            };
            seen += parts.len();
            let missing = parts.iter().filter(|path| !packed.contains(*path));
            breaches.extend(missing.map(|path| format!("{}: {path}", source.at(line))));
        }
        if !source.product.trim().is_empty() && !packed.contains(&source.path) {
            breaches.push(source.at(1));
        }
    }
    assert!(seen > 100, "{seen} files");
    none(
        "`exclude` of Cargo.toml leaves out what is needed",
        &breaches,
    );
}

#[test]
fn paths_of_files_that_are_taken_in_are_seen() {
    let text = r#"
const A: &str = include_str!("../a.css");
const B: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path));
const C: &str = include_str!(concat!("../../b/", $name, ".toml"));
static D: Dir = include_dir!("$CARGO_MANIFEST_DIR/shaders");
list! { "one" "two" "data.gz" }
#[cfg(test)]
mod tests {
    const E: &str = include_str!("e.json");
}
"#;
    let source = Source::new("src/room/file.rs".into(), text.into());
    let there = ["b/one.toml", "b/two.toml", "assets/data.gz"];
    let wanted = [
        (2, "src/a.css"),
        (3, "assets/data.gz"),
        (4, "b/one.toml"),
        (4, "b/two.toml"),
        (5, "shaders"),
    ];
    let wanted = wanted.map(|(line, path)| Taken {
        line,
        path: path.into(),
    });
    assert_eq!(taken(&source, |path| there.contains(&path)), wanted);
}
