//! The page of the experiments that ship, with their results.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::Table;

/// Where the page lies in the book.
pub const PAGE: &str = "docs/gallery.md";

/// The page: title, purpose, file and results of every experiment of `experiments/`.
pub fn page(root: &Path) -> Result<String> {
    let mut text = String::from(
        "# Gallery\n\nThe experiments that ship. Each is one file that `pimento sweep` runs; those with results say what was \
         measured, on how many chips, with intervals, and what differs from the publication.\n",
    );
    let mut files: Vec<_> = std::fs::read_dir(root.join("experiments"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    ensure!(!files.is_empty(), "experiments/: no experiment");
    let mut names = vec![];
    for path in files {
        let name = entry(root, &path, &mut text).with_context(|| path.display().to_string())?;
        names.push(name);
    }
    text.push_str("\n## Further results\n\n");
    for name in results(root)? {
        if names.contains(&name) {
            continue;
        }
        let readme = format!("experiments/results/{name}/README.md");
        let title = title_of(&std::fs::read_to_string(root.join(&readme))?);
        let _ = write!(text, "### [{title}](../{readme})\n\n");
        picture(root, &name, &title, &mut text);
    }
    Ok(text)
}

/// The figure of some results, where they have one.
fn picture(root: &Path, name: &str, title: &str, text: &mut String) {
    let file = format!("experiments/results/{name}/headline.svg");
    if root.join(&file).is_file() {
        let _ = write!(text, "![Results: {title}](../{file})\n\n");
    }
}

/// Directories of results in the order of their names.
pub fn results(root: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(root.join("experiments/results"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.retain(|name| {
        root.join("experiments/results")
            .join(name)
            .join("README.md")
            .is_file()
    });
    names.sort();
    Ok(names)
}

/// The first heading of a page.
pub fn title_of(page: &str) -> String {
    let heading = page.lines().find_map(|line| line.strip_prefix("# "));
    heading.unwrap_or("Untitled").trim().to_owned()
}

/// Writes the entry of an experiment; gives its name.
fn entry(root: &Path, path: &Path, text: &mut String) -> Result<String> {
    let experiment: Table = std::fs::read_to_string(path)?.parse()?;
    let word = |key: &str| {
        experiment
            .get(key)
            .and_then(toml::Value::as_str)
            .map(str::trim)
    };
    let file = path.file_stem().and_then(|s| s.to_str()).context("UTF-8")?;
    let name = word("name").unwrap_or(file);
    let title = word("title").unwrap_or(name);
    let about = word("about").unwrap_or_default().replace('\n', " ");
    let _ = write!(text, "\n## {title}\n\n{about}\n\n");
    picture(root, name, title, text);
    let _ = write!(text, "[{name}.toml](../experiments/{name}.toml)");
    if root
        .join(format!("experiments/results/{name}/README.md"))
        .is_file()
    {
        let _ = write!(
            text,
            " · [results](../experiments/results/{name}/README.md)"
        );
    }
    text.push('\n');
    Ok(name.to_string())
}
