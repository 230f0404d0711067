//! What may not stand in a file: unfinished work, machine paths, WGSL in strings.

use super::none;
use super::source::{Source, files, read, rust};

/// Directories whose text is checked for machine paths.
const TEXT: &[(&str, &str)] = &[
    ("src", "rs"),
    ("tests", "rs"),
    ("tests", "md"),
    ("benches", "rs"),
    ("shaders", "wgsl"),
    ("experiments", "toml"),
    ("experiments", "md"),
    ("experiments", "json"),
    ("assets", "md"),
    ("assets", "toml"),
    ("docs", "md"),
    ("python", "rs"),
    ("python", "py"),
    ("python", "md"),
];

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"]
        .iter()
        .flat_map(|d| rust(d))
        .collect()
}

#[test]
fn nothing_is_left_to_do() {
    let mut breaches = Vec::new();
    for source in all_rust() {
        for word in ["todo!", "unimplemented!", "dbg!"] {
            // The `!` ends the word; a macro's name alone is fine.
            for (i, line) in source.code.lines().enumerate() {
                if line.contains(word) {
                    breaches.push(format!("{}: {word}", source.at(i + 1)));
                }
            }
        }
        for (i, line) in source.code.lines().enumerate() {
            if line.contains("#[ignore]") {
                breaches.push(format!("{}: ignored without a reason", source.at(i + 1)));
            }
        }
        // In comments too.
        for (i, line) in source.text.lines().enumerate() {
            for word in [
                concat!("TO", "DO"),
                concat!("FIX", "ME"),
                concat!("XX", "X"),
            ] {
                if line.contains(word) {
                    breaches.push(format!("{}: {word}", source.at(i + 1)));
                }
            }
        }
    }
    none("unfinished", &breaches);
}

#[test]
fn no_wgsl_in_rust_strings() {
    const MARKS: &[&str] = &[
        "@compute",
        "@group(",
        "@binding(",
        "@workgroup_size",
        "var<",
    ];
    let mut breaches = Vec::new();
    for source in rust("src") {
        for (line, string) in &source.strings {
            if let Some(mark) = MARKS.iter().find(|mark| string.contains(*mark)) {
                breaches.push(format!("{}: WGSL ({mark}) in a string", source.at(*line)));
            }
        }
    }
    none("kernels live in shaders/", &breaches);
}

#[test]
fn no_machine_paths() {
    let marks = ["work", "root", "home", "Users"].map(|d| format!("/{d}/"));
    let mut breaches = Vec::new();
    let listed = TEXT.iter().flat_map(|(d, e)| files(d, e));
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "BENCHMARKS.md",
    ]
    .into_iter()
    .chain(["Cargo.toml", "scripts/test", ".ci/run"])
    .filter(|f| super::source::root().join(f).exists())
    .map(str::to_owned);
    for path in listed.chain(top) {
        for (i, line) in read(&path).lines().enumerate() {
            for mark in &marks {
                // A URL or a longer path may contain the word; a machine path starts with it.
                let starts = line.match_indices(mark.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-$}".contains(c))
                });
                if starts {
                    breaches.push(format!("{path}:{}: path of one machine ({mark})", i + 1));
                }
            }
        }
    }
    none("paths", &breaches);
}

#[test]
fn code_and_comments_are_ascii() {
    let mut breaches = Vec::new();
    for source in all_rust() {
        // Strings may carry signs that a person reads (reports, units).
        let in_strings: Vec<usize> = source
            .strings
            .iter()
            .flat_map(|(line, s)| *line..=line + s.matches('\n').count())
            .collect();
        for (i, line) in source.text.lines().enumerate() {
            if !line.is_ascii() && !in_strings.contains(&(i + 1)) {
                breaches.push(format!("{}: not ASCII", source.at(i + 1)));
            }
        }
    }
    for path in files("shaders", "wgsl") {
        for (i, line) in read(&path).lines().enumerate() {
            if !line.is_ascii() {
                breaches.push(format!("{path}:{}: not ASCII", i + 1));
            }
        }
    }
    none("ASCII", &breaches);
}

/// Lines above `unsafe` in which its reason must begin.
const REASON_WITHIN: usize = 6;

#[test]
fn unsafe_stays_in_few_places_and_says_why() {
    const HOME: &[&str] = &[
        "src/backend/cpu/",
        "src/backend/wgpu/cooperative.rs",
        "src/backend/wgpu/driver.rs",
        "src/random/",
        "src/vector.rs",
        "src/cli/signals.rs",
        "python/src/data.rs",
    ];
    let mut breaches = Vec::new();
    for source in ["src", "python/src"].into_iter().flat_map(rust) {
        let lines: Vec<&str> = source.text.lines().collect();
        for line in source.lines_with("unsafe") {
            if !HOME.iter().any(|home| source.path.starts_with(home)) {
                breaches.push(format!(
                    "{}: unsafe outside {}",
                    source.at(line),
                    HOME.join(", ")
                ));
            }
            // A function says in its doc comment what its caller must grant.
            if source
                .code
                .lines()
                .nth(line - 1)
                .is_some_and(|l| l.contains("unsafe fn"))
            {
                continue;
            }
            let reason = lines[line.saturating_sub(REASON_WITHIN + 1)..line]
                .iter()
                .any(|l| l.contains("SAFETY"));
            if !reason {
                breaches.push(format!(
                    "{}: unsafe without a SAFETY comment",
                    source.at(line)
                ));
            }
        }
    }
    none("unsafe", &breaches);
}

#[test]
fn every_test_directory_is_described() {
    let readme = read("tests/README.md");
    let mut breaches = Vec::new();
    for path in files("tests", "rs") {
        let topic = path
            .split('/')
            .nth(1)
            .unwrap_or_default()
            .trim_end_matches(".rs");
        if !readme.contains(&format!("tests/{topic}/")) {
            breaches.push(format!(
                "{path}:1: tests/{topic}/ is not in tests/README.md"
            ));
        }
    }
    breaches.dedup();
    none("tests/README.md", &breaches);
}
