//! The documents' commands: all are understood, and those of the tutorials are run as they stand.

use std::path::{Path, PathBuf};

use super::pimento_in;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A block of code: the words behind its fence, its first line in the page, its text.
struct Block {
    kind: String,
    line: usize,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (i, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                let kind = kind.trim().to_owned();
                open = Some(Block {
                    kind,
                    line: i + 2,
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code without an end");
    found
}

/// The lines of a block for a shell, continued ones joined, with their numbers.
fn commands(block: &Block) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (i, line) in block.text.lines().enumerate() {
        let (text, more) = line
            .strip_suffix('\\')
            .map_or((line, false), |text| (text, true));
        match lines.last_mut() {
            Some((_, whole)) if open => whole.push_str(text),
            _ => lines.push((block.line + i, text.to_owned())),
        }
        open = more;
    }
    lines
}

/// The words of a shell's line that runs the program: behind variables, and up to `&&` or a redirection.
fn program_words(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_default();
    let parts = words.split(|word| matches!(word.as_str(), "&&" | "|" | "||" | ";"));
    let of_program = parts.filter_map(|part| {
        let part = part.split(|word| word.starts_with('>')).next()?;
        let first = part.iter().position(|word| !word.contains('='))?;
        let is_program = part[first] == "pimento" || part[first].ends_with("/pimento");
        is_program.then(|| part[first..].to_vec())
    });
    of_program.collect()
}

fn pages() -> Vec<PathBuf> {
    let mut found = vec![
        root().join("README.md"),
        root().join("BENCHMARKS.md"),
        root().join("CONTRIBUTING.md"),
    ];
    let mut open = vec![
        root().join("docs"),
        root().join("experiments"),
        root().join("examples"),
    ];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_command_of_every_page_is_understood() {
    let mut wrong = Vec::new();
    let mut n = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for block in blocks(&page)
            .iter()
            .filter(|b| matches!(b.kind.as_str(), "sh" | "bash"))
        {
            for (line, text) in commands(block) {
                for words in program_words(&text) {
                    n += 1;
                    if let Err(error) = pimento::cli::understands(&words) {
                        wrong.push(format!("{name}:{line}: {text}\n{error}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Far fewer would mean that they were not found.
    assert!(n > 80, "{n} commands");
}

/// Runs a tutorial from its first line to its last: files are written, commands done, in an empty directory.
fn follow(name: &str) {
    let page = std::fs::read_to_string(root().join("docs/tutorials").join(name)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut done = 0;
    for block in blocks(&page) {
        let mut words = block.kind.split_whitespace();
        match (words.next(), words.next()) {
            (Some("toml"), Some(file)) => {
                std::fs::write(dir.path().join(file), &block.text).unwrap()
            }
            (Some("sh"), None) => {
                for (line, text) in commands(&block) {
                    let all = program_words(&text);
                    let comment = text.trim_start();
                    assert!(
                        !all.is_empty() || comment.is_empty() || comment.starts_with('#'),
                        "{name}:{line}: {text}: only `pimento` can be tried"
                    );
                    for words in all {
                        let mut words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                        if matches!(words[0], "sweep" | "train" | "mvm" | "slices" | "infer") {
                            words.extend(["--backend", "cpu"]);
                        }
                        let run = pimento_in(dir.path(), &words, &[]);
                        let differ = words[0] == "diff" && run.code == 3;
                        assert!(
                            run.code == 0 || differ,
                            "{name}:{line}: {text}\n{}",
                            run.stderr
                        );
                        done += 1;
                    }
                }
            }
            (Some("text"), None) | (None, None) => {}
            other => panic!("{name}:{}: a block of {other:?}", block.line),
        }
    }
    assert!(done >= 3, "{name}: {done} commands");
}

#[test]
fn the_first_tutorial_runs() {
    follow("five-minutes.md");
}

#[test]
fn the_tutorial_of_own_networks_runs() {
    follow("own-network.md");
}

#[test]
fn the_tutorial_of_self_tuning_runs() {
    follow("self-tuning.md");
}

#[test]
fn the_tutorial_of_converters_runs() {
    follow("converters.md");
}

#[test]
fn every_tutorial_has_a_test() {
    let here = include_str!("pages.rs");
    for entry in std::fs::read_dir(root().join("docs/tutorials")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            assert!(here.contains(&format!("follow(\"{name}\")")), "{name}");
        }
    }
}
