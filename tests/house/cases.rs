//! The list of cases that both suites walk is generated from the files of cases: an operator's file is
//! found, and each of its lists becomes a test of the CPU and of the adapter.

use super::generated::is_up_to_date;
use super::source::{files, read};

/// Files that serve others and hold no cases.
const SHARED: [&str; 4] = ["arrays", "case", "layers", "reference"];

const HEAD: &str = "\
//! Cases of every operator: a program, its data, and what it should compute. Both suites walk the same
//! lists, `tests/ops` on the CPU and `tests/gpu` on an adapter.
//!
//! A list is a function that returns cases; `lists!` names all of them, by file, and each suite makes a
//! test of each. `tests/house` writes this file.

";

/// The functions that return cases, in their order: first the file's own, then its folder's, which the
/// file passes on (the suites do not compile where it does not).
fn lists(name: &str) -> Vec<String> {
    let mut paths = vec![format!("tests/cases/{name}.rs")];
    paths.extend(files(&format!("tests/cases/{name}"), "rs"));
    let mut found = Vec::new();
    for path in paths {
        let text = read(&path);
        let public = text.lines().filter_map(|line| line.strip_prefix("pub fn "));
        for line in public.filter(|line| line.contains("Vec<Case>")) {
            let list = line.strip_suffix("() -> Vec<Case> {");
            let list =
                list.unwrap_or_else(|| panic!("{path}: a list of cases takes nothing: {line}"));
            found.push(list.to_string());
        }
    }
    found
}

/// The line of a file in `lists!`, wrapped.
fn entry(file: &str, lists: &[String]) -> String {
    let mut lines = vec![format!("            {file}:")];
    for list in lists {
        let last = lines.last_mut().expect("the first line");
        if last.len() + list.len() + 2 > 100 {
            lines.push(format!("                {list},"));
        } else {
            *last += &format!(" {list},");
        }
    }
    let all = lines.join("\n");
    all.trim_end_matches(',').to_string() + ";\n"
}

#[test]
fn the_list_of_cases_is_that_of_the_files() {
    let names = files("tests/cases", "rs").into_iter().filter_map(|path| {
        let name = path.strip_prefix("tests/cases/")?.strip_suffix(".rs")?;
        (!name.contains('/')).then(|| name.to_string())
    });
    let mut modules = String::new();
    let mut entries = String::new();
    for name in names {
        let lists = lists(&name);
        if !lists.is_empty() {
            modules += &format!("pub mod {name};\n");
            entries += &entry(&name, &lists);
        }
    }
    let shared: String = SHARED
        .iter()
        .map(|name| format!("pub mod {name};\n"))
        .collect();
    let text = format!(
        "{HEAD}{shared}\n{modules}\n\
         /// Calls a macro with all lists of cases, `file: list, list;` a line.\n\
         macro_rules! lists {{\n    ($each:ident) => {{\n        $each! {{\n\
         {entries}        }}\n    }};\n}}\n"
    );
    is_up_to_date("tests/cases/mod.rs", &text);
}
