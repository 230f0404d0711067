//! How long files and functions are.

use super::none;
use super::source::{Function, files, read, rust};

/// Longest Rust file.
const RUST_LINES: usize = 500;
/// Longest shader.
const WGSL_LINES: usize = 250;
/// Longest function, from its `fn` to its closing brace. A table is no function:
/// [`Function::is_table`].
const FUNCTION_LINES: usize = 80;

/// Longer files, and the lines that they may have at most: the numbers only go down.
const LONG_FILES: &[(&str, usize)] = &[];

/// Longer functions likewise.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

#[test]
fn files_are_short() {
    let mut breaches = Vec::new();
    let rust = ["src", "tests", "benches", "tools", "python"].map(|d| files(d, "rs"));
    let rust = rust.into_iter().flatten().map(|p| (p, RUST_LINES));
    let shaders = files("shaders", "wgsl").into_iter();
    let mut listed: Vec<&str> = LONG_FILES.iter().map(|(path, _)| *path).collect();
    for (path, most) in rust.chain(shaders.map(|p| (p, WGSL_LINES))) {
        let lines = read(&path).lines().count();
        let exception = LONG_FILES.iter().find(|(file, _)| *file == path);
        if lines > most {
            listed.retain(|file| *file != path);
        }
        let most = exception.map_or(most, |(_, most)| *most);
        if lines > most {
            breaches.push(format!("{path}:{most}: goes on to line {lines}"));
        }
    }
    breaches.extend(listed.into_iter().map(not_needed));
    none("length of files", &breaches);
}

#[test]
fn functions_are_short() {
    let mut breaches = Vec::new();
    let mut listed: Vec<(&str, &str)> = LONG_FUNCTIONS.iter().map(|(p, f, _)| (*p, *f)).collect();
    for source in ["src", "tests", "benches", "tools", "python"]
        .into_iter()
        .flat_map(rust)
    {
        let functions = source.functions();
        let long = |f: &&Function| f.lines > FUNCTION_LINES && !f.is_table();
        for function in functions.iter().filter(long) {
            let this = (source.path.as_str(), function.name.as_str());
            listed.retain(|other| *other != this);
            let exception = LONG_FUNCTIONS.iter().find(|(p, f, _)| (*p, *f) == this);
            let most = exception.map_or(FUNCTION_LINES, |(_, _, most)| *most);
            if function.lines > most {
                breaches.push(format!(
                    "{}: `{}` has {} lines; allowed: {most}",
                    source.at(function.line),
                    function.name,
                    function.lines
                ));
            }
        }
    }
    let listed = listed
        .into_iter()
        .map(|(path, f)| not_needed(&format!("{path}, `{f}`")));
    breaches.extend(listed);
    none("length of functions", &breaches);
}

fn not_needed(entry: &str) -> String {
    format!("tests/house/lengths.rs: the exception of {entry} is not needed")
}
