//! What the book is made of: the pages of its summary, and every file that they link to, in the layout of the repository.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::gallery;

/// The place of a page's list of results in `SUMMARY.md`.
const RESULTS: &str = "<!-- results -->\n";

/// Fills `staging/src`; returns how many pages there are.
pub fn stage(root: &Path, here: &Path, staging: &Path) -> Result<usize> {
    let source = staging.join("src");
    std::fs::create_dir_all(&source)?;
    let summary = std::fs::read_to_string(here.join("SUMMARY.md"))?;
    ensure!(summary.contains(RESULTS), "SUMMARY.md: no line {RESULTS:?}");
    let summary = summary.replace(RESULTS, &results(root)?);
    std::fs::write(
        source.join("SUMMARY.md"),
        summary.replace("README.md)", "index.md)"),
    )?;

    let mut stage = Stage {
        root,
        source: &source,
        pages: BTreeSet::new(),
        files: BTreeSet::new(),
    };
    let listed: Vec<String> = destinations(&summary)
        .into_iter()
        .map(|(to, _)| to)
        .collect();
    for page in &listed {
        ensure!(
            stage.pages.insert(page.clone()),
            "SUMMARY.md: {page} is there twice"
        );
    }
    let mut open: VecDeque<String> = listed.into();
    while let Some(page) = open.pop_front() {
        stage.page(&page).with_context(|| page.clone())?;
    }
    stage.copy()?;
    Ok(stage.pages.len())
}

fn results(root: &Path) -> Result<String> {
    let mut lines = String::new();
    for name in gallery::results(root)? {
        let page = format!("experiments/results/{name}/README.md");
        let title = gallery::title_of(&std::fs::read_to_string(root.join(&page))?);
        let _ = writeln!(lines, "  - [{title}]({page})");
    }
    Ok(lines)
}

struct Stage<'a> {
    root: &'a Path,
    source: &'a Path,
    /// Pages of the summary, relative to the repository.
    pages: BTreeSet<String>,
    /// Other files that pages link to.
    files: BTreeSet<String>,
}

impl Stage<'_> {
    /// Copies a page; links to directories become links to pages.
    fn page(&mut self, page: &str) -> Result<()> {
        let mut text = if page == gallery::PAGE {
            gallery::page(self.root)?
        } else {
            std::fs::read_to_string(self.root.join(page))?
        };
        // From the back, so that earlier places stay where they are.
        for (to, place) in destinations(&text).into_iter().rev() {
            if to.contains(':') || to.starts_with('#') {
                continue;
            }
            let (path, anchor) = to
                .split_once('#')
                .map_or((to.as_str(), None), |(p, a)| (p, Some(a)));
            let line = 1 + text[..place.start].matches('\n').count();
            let target = self
                .target(page, path)
                .with_context(|| format!("line {line}: {to}"))?;
            let target = staged(&target);
            if target != resolved(page, path)? {
                let mut new = relative(page, &target);
                if let Some(anchor) = anchor {
                    let _ = write!(new, "#{anchor}");
                }
                let whole = &text[place.clone()];
                let at = place.start
                    + whole
                        .rfind(&format!("]({to})"))
                        .context("a link of an unusual form")?
                    + 2;
                text.replace_range(at..at + to.len(), &new);
            }
        }
        self.write(&staged(page), text.as_bytes())
    }

    /// The page or file that a link leads to.
    fn target(&mut self, page: &str, path: &str) -> Result<String> {
        let to = resolved(page, path)?;
        if to == gallery::PAGE || to == "experiments" || to == "experiments/results" {
            return Ok(gallery::PAGE.to_owned());
        }
        let there = self.root.join(&to);
        if there.is_dir() {
            let readme = format!("{to}/README.md");
            return if self.pages.contains(&readme) {
                Ok(readme)
            } else {
                self.listing(&to)
            };
        }
        ensure!(there.is_file(), "no such file");
        if to.ends_with(".md") {
            ensure!(
                self.pages.contains(&to),
                "a page that SUMMARY.md does not list"
            );
        } else {
            self.files.insert(to.clone());
        }
        Ok(to)
    }

    /// A plain page of a directory's files.
    fn listing(&mut self, directory: &str) -> Result<String> {
        let page = format!("{directory}/index.html");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.root.join(directory))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        ensure!(!names.is_empty(), "{directory}: a directory without files");
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <style>:root{{color-scheme:light dark}}body{{max-width:46rem;margin:3rem auto;padding:0 1.2rem;font:1rem/1.6 system-ui,sans-serif}}\
             h1{{font-size:1.5rem}}li{{padding:.15rem 0}}</style>\
             <title>{directory}</title><body><h1>{directory}</h1><ul>\n"
        );
        for name in names {
            let _ = writeln!(html, "<li><a href=\"{name}\">{name}</a></li>");
            self.files.insert(format!("{directory}/{name}"));
        }
        html.push_str("</ul></body></html>\n");
        self.write(&page, html.as_bytes())?;
        Ok(page)
    }

    fn copy(&self) -> Result<()> {
        for file in &self.files {
            let bytes = std::fs::read(self.root.join(file)).with_context(|| file.clone())?;
            self.write(file, &bytes)?;
        }
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.source.join(name);
        std::fs::create_dir_all(path.parent().context("a file has a directory")?)?;
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    }
}

/// The place in the book of a file of the repository: the page of a directory is its index.
fn staged(path: &str) -> String {
    path.strip_suffix("README.md").map_or_else(
        || path.to_owned(),
        |directory| format!("{directory}index.md"),
    )
}

/// Where links and pictures lead, and where they stand in the text.
fn destinations(text: &str) -> Vec<(String, Range<usize>)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(text, options).into_offset_iter();
    let links = events.filter_map(|(event, place)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some((dest_url.to_string(), place))
        }
        _ => None,
    });
    links.collect()
}

/// A path relative to the repository's root, of one relative to a page.
fn resolved(page: &str, path: &str) -> Result<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                ensure!(parts.pop().is_some(), "leads out of the repository");
            }
            Component::Normal(name) => parts.push(name.to_str().context("UTF-8")?),
            Component::RootDir | Component::Prefix(_) => bail!("an absolute path"),
        }
    }
    Ok(parts.join("/"))
}

/// A path from a page to a file, both relative to the root.
fn relative(page: &str, to: &str) -> String {
    let depth = page.matches('/').count();
    let path: PathBuf = std::iter::repeat_n("..", depth)
        .collect::<PathBuf>()
        .join(to);
    path.to_string_lossy().into_owned()
}
