//! What every page of Pimento has around its contents: the head, the list of sections, the script.

use std::fmt::Write;

use crate::report::plot::{self, Figure};
use crate::report::text::{csv_uri, escape, html};
use crate::sweep::outdir::GENERATOR;

const STYLE: &str = include_str!("../page.css");
const SCRIPT: &str = include_str!("../page.js");

/// Fewest sections that are listed beside the page.
const FEWEST: usize = 3;

/// A whole page: one file that asks no network, and well-formed XML too. `body` is what stands in it, in sections that
/// begin with `<h2>`.
pub(super) fn document(pimento: &str, title: &str, body: &str) -> String {
    let (contents, body) = sections(body);
    let paper = plot::paper_style("Helvetica, Arial, sans-serif");
    let paper = serde_json::to_string(&paper).unwrap_or_else(|_| "\"\"".into());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         {GENERATOR}{}\"/>\n<title>{}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n\
         {contents}<main>\n{body}</main>\n<script>\nvar PAPER = {paper};\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(pimento),
        escape(title),
        plot::STYLE,
    )
}

/// Puts every part that begins with `<h2>` into a section with a name, and lists them.
fn sections(body: &str) -> (String, String) {
    let mut parts = body.split("<h2>");
    let mut out = parts.next().unwrap_or_default().to_string();
    let mut names: Vec<(String, String)> = vec![];
    for part in parts {
        let (title, rest) = part.split_once("</h2>").unwrap_or((part, ""));
        let id = slug(title, names.len());
        let _ = write!(
            out,
            "<section id=\"{id}\">\n<h2>{title}</h2>{rest}</section>\n"
        );
        names.push((id, title.to_string()));
    }
    if names.len() < FEWEST {
        return (String::new(), out);
    }
    let mut contents = String::from(
        "<nav aria-label=\"Contents\"><details open=\"\"><summary>Contents</summary>\n<ol>\n",
    );
    for (id, title) in names {
        let _ = writeln!(contents, "<li><a href=\"#{id}\">{title}</a></li>");
    }
    contents.push_str("</ol>\n</details></nav>\n");
    (contents, out)
}

/// A name for a section: its title's letters, or its number.
fn slug(title: &str, n: usize) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in title.chars() {
        match c {
            '<' | '&' => inside = true,
            '>' | ';' => inside = false,
            _ if inside => {}
            c if c.is_ascii_alphanumeric() => plain.push(c.to_ascii_lowercase()),
            _ if plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    format!("{}-{n}", plain.trim_matches('-'))
}

/// A section with a plot.
pub(super) fn section(out: &mut String, figure: &Figure) {
    let _ = writeln!(out, "<h2>{}</h2>", html(&figure.title));
    plot(out, figure);
}

/// A plot beside another one, in the section around them.
pub(super) fn beside(out: &mut String, figure: &Figure) {
    let _ = writeln!(
        out,
        "<div>\n<h2 class=\"beside\">{}</h2>",
        html(&figure.title)
    );
    plot(out, figure);
    out.push_str("</div>\n");
}

/// A plot with its caption and downloads.
fn plot(out: &mut String, figure: &Figure) {
    let narrow = match &figure.narrow {
        Some(picture) => picture
            .inline()
            .replacen("class=\"plot\"", "class=\"plot narrow\"", 1),
        None => String::new(),
    };
    let tall = match figure.picture.is_tall() {
        true => " class=\"tall\"",
        false => "",
    };
    let class = match narrow.is_empty() {
        true => "picture",
        false => "picture both",
    };
    let _ = write!(
        out,
        "<figure{tall}>\n<div class=\"{class}\">{}{narrow}</div><figcaption>{} <span class=\"files\">\
         <a class=\"data\" download=\"{}\" href=\"{}\">Download the numbers (CSV)</a></span></figcaption>\n</figure>\n",
        figure.picture.inline(),
        html(&figure.caption),
        figure.file,
        csv_uri(&figure.csv)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_listed_under_names_of_their_own() {
        let (contents, body) = sections(
            "<h1>A</h1><h2>One &amp; two</h2>x<h2>\u{3c3}<sub>W</sub></h2>y<h2>One &amp; two</h2>",
        );
        assert!(body.starts_with("<h1>A</h1><section id=\"one-two-0\">"));
        for id in ["one-two-0", "w-1", "one-two-2"] {
            assert!(contents.contains(&format!("href=\"#{id}\"")), "{contents}");
            assert!(body.contains(&format!("id=\"{id}\"")), "{body}");
        }
        assert_eq!(body.matches("</section>").count(), 3);
        assert_eq!(sections("<h2>A</h2><h2>B</h2>").0, "");
    }

    /// Markup in the script would end it, or the page as XML.
    #[test]
    fn the_script_has_no_markup() {
        assert!(!SCRIPT.contains(['<', '&']));
        assert!(!plot::paper_style("x").contains(['<', '&']));
    }
}
