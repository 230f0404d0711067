//! Every link of a built site, followed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use scraper::{Html, Selector};

/// What the links of a site are.
pub struct Found {
    /// How many lead to a place within the site.
    pub followed: usize,
    /// Those whose place does not exist: page, link, reason.
    pub dead: Vec<String>,
}

struct Page {
    path: PathBuf,
    links: Vec<String>,
}

/// Follows all links of all pages below `site` that stay in it; links to other sites are not followed.
pub fn check(site: &Path) -> Result<Found> {
    let mut anchors: HashMap<PathBuf, HashSet<String>> = HashMap::new();
    let mut pages = Vec::new();
    for entry in walkdir::WalkDir::new(site) {
        let path = entry?.into_path();
        // The page for wrong addresses is served at any of them.
        if path.extension().is_none_or(|e| e != "html") || path.ends_with("404.html") {
            continue;
        }
        let html = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (ids, links) = read(&html);
        anchors.insert(path.clone(), ids);
        pages.push(Page { path, links });
    }
    let mut found = Found {
        followed: 0,
        dead: Vec::new(),
    };
    for page in &pages {
        for link in &page.links {
            if link.contains(':') || link.starts_with("//") {
                continue;
            }
            found.followed += 1;
            if let Some(reason) = dead(&page.path, link, &anchors) {
                let place = page.path.strip_prefix(site).unwrap_or(&page.path);
                found
                    .dead
                    .push(format!("{}: {link}: {reason}", place.display()));
            }
        }
    }
    Ok(found)
}

fn dead(
    page: &Path,
    link: &str,
    anchors: &HashMap<PathBuf, HashSet<String>>,
) -> Option<&'static str> {
    let (path, anchor) = link
        .split_once('#')
        .map_or((link, None), |(p, a)| (p, Some(a)));
    let path = path.split('?').next().unwrap_or_default();
    let mut file = if path.is_empty() {
        page.to_path_buf()
    } else {
        page.parent()?.join(decoded(path))
    };
    if file.is_dir() {
        file.push("index.html");
    }
    let Ok(file) = file.canonicalize() else {
        return Some("no such file");
    };
    let ids = anchors.get(&file);
    match (anchor, ids) {
        (Some(anchor), Some(ids)) if !anchor.is_empty() && !ids.contains(&decoded(anchor)) => {
            Some("no such place in the page")
        }
        _ => None,
    }
}

/// The identifiers of a page, and where its links and pictures lead.
fn read(html: &str) -> (HashSet<String>, Vec<String>) {
    let page = Html::parse_document(html);
    let all = Selector::parse("[id], [href], [src]").expect("a selector");
    let mut ids = HashSet::new();
    let mut links = Vec::new();
    for element in page.select(&all) {
        let of = |name: &str| element.value().attr(name).map(str::to_owned);
        ids.extend(of("id"));
        links.extend(of("href"));
        links.extend(of("src"));
    }
    (ids, links)
}

/// A link without its percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%' && tail.len() >= 2)
            .then(|| {
                std::str::from_utf8(&tail[..2])
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
