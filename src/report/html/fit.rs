//! The page of `pimento fit`.

use std::fmt::Write;

use super::frame;
use crate::fit::{Estimate, Fit, Form, Spread};
use crate::report::plot::{self, Figure};
use crate::report::text::{NONE, compact, count, escape, html, probability, rounded};

/// What the page says beside the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// The measurements.
    pub source: &'a str,
    /// Version of the program.
    pub pimento: &'a str,
    /// The command line.
    pub command: &'a str,
    /// The experiment file that was made.
    pub device: &'a str,
}

/// The whole page: one file without network, well-formed XML too.
///
/// # Examples
/// ```
/// use pimento::fit::{Fit, Measurements, Options};
/// use pimento::report::html::fit::{About, page};
///
/// let table = "cell,target_us,value_us\n1,50,51\n2,50,48\n3,20,21\n4,20,19.5\n";
/// let found = Measurements::from_reader(table.as_bytes(), "cells.csv")?;
/// let fit = Fit::new(&found, &Options::default())?;
/// let about = About { source: "cells.csv", pimento: "0.1.0", command: "", device: &fit.device("cells.csv") };
/// assert!(page(&fit, &about).contains("Error of programming"));
/// # Ok::<(), pimento::Error>(())
/// ```
pub fn page(fit: &Fit, about: &About) -> String {
    let mut out = String::new();
    head(&mut out, fit, about);
    pair(
        &mut out,
        "The error of programming",
        [plot::fit::errors(fit), plot::fit::quantiles(fit)],
    );
    levels(&mut out, fit);
    pair(
        &mut out,
        "What it is made of",
        [plot::fit::parts(fit), plot::fit::map(fit)],
    );
    parts(&mut out, fit);
    if let Some(figure) = plot::fit::drift(fit) {
        pair(&mut out, "Time", [Some(figure), None]);
    }
    let _ = write!(
        out,
        "<h2>The experiment file</h2>\n<pre>{}</pre>\n",
        escape(about.device)
    );
    if !about.command.is_empty() {
        let _ = writeln!(
            out,
            "<h2>How to get this again</h2>\n<pre>{}</pre>",
            escape(about.command)
        );
    }
    frame::document(
        about.pimento,
        &format!("Measured cells: {}", about.source),
        &out,
    )
}

/// Plots side by side under a heading.
fn pair(out: &mut String, heading: &str, figures: [Option<Figure>; 2]) {
    let _ = writeln!(out, "<h2>{}</h2>\n<div class=\"pair\">", html(heading));
    let mut none = true;
    for figure in figures.iter().flatten() {
        frame::beside(out, figure);
        none = false;
    }
    if figures.iter().any(Option::is_none) && !none {
        // One alone keeps its size.
        out.push_str("<div></div>\n");
    }
    out.push_str("</div>\n");
}

fn head(out: &mut String, fit: &Fit, about: &About) {
    let [chips, arrays, cells, reads] = fit.counts.map(|n| n as u64);
    let _ = writeln!(
        out,
        "<h1>Measured cells: {}</h1>\n<p class=\"meta\">{} of {} in {} of {}. Pimento {}.</p>",
        html(about.source),
        count(reads, "read"),
        count(cells, "cell"),
        count(arrays, "array"),
        count(chips, "chip"),
        escape(about.pimento),
    );
    let own = fit
        .spread
        .as_ref()
        .map_or("the error of programming is not told".into(), |s| {
            format!("error of programming {}", spread(s))
        });
    let _ = writeln!(
        out,
        "<p class=\"finding\">{}.</p>",
        html(&plot::sentence(&own))
    );
    if let Some(common) = &fit.common {
        let part = |e: Option<Estimate>| e.map_or("not told".into(), |e| percent(&e));
        let text = format!(
            "Shared by the cells of a chip {}, of an array {} ({})",
            part(common.chip),
            part(common.array),
            common.law
        );
        let _ = writeln!(out, "<p class=\"finding\">{}.</p>", html(&text));
    }
    if !fit.notes.is_empty() {
        out.push_str("<ul class=\"note\">\n");
        for note in &fit.notes {
            let _ = writeln!(out, "<li>{}</li>", html(note));
        }
        out.push_str("</ul>\n");
    }
}

/// A number with its interval.
fn interval(e: &Estimate) -> String {
    let [lo, hi] = e.interval;
    let text = |x: f64| rounded(x, 0.5 * (hi - lo));
    format!("{} ({} to {})", text(e.value), text(lo), text(hi))
}

fn percent(e: &Estimate) -> String {
    format!("{} %", interval(&e.times(100.0)))
}

fn spread(s: &Spread) -> String {
    let p = |p: Option<f64>| p.map_or(NONE.into(), probability);
    let tests = format!(
        "p = {} if proportional, {} if the same",
        p(s.p_proportional),
        p(s.p_fixed)
    );
    match (s.form, s.proportional, s.fixed) {
        (Form::Proportional, Some(e), _) => format!("{} of the target ({tests})", percent(&e)),
        (Form::Fixed, _, Some(e)) => format!("{} of the range of targets ({tests})", percent(&e)),
        _ => format!("a value for every target ({tests})"),
    }
}

fn table(out: &mut String, heads: &[(&str, bool)], rows: &[Vec<String>]) {
    let class = |numeric: bool| if numeric { " class=\"n\"" } else { "" };
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (head, numeric) in heads {
        let _ = write!(out, "<th{}>{}</th>", class(*numeric), html(head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (cell, (_, numeric)) in row.iter().zip(heads) {
            let _ = write!(out, "<td{}>{}</td>", class(*numeric), html(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A row for every target.
fn levels(out: &mut String, fit: &Fit) {
    let heads = [
        ("target (uS)", true),
        ("cells", true),
        ("mean (uS)", true),
        ("programming (uS)", true),
        ("reads (uS)", true),
    ];
    let part = |s: &Option<Spread>, i: usize| {
        let e = s.as_ref().and_then(|s| s.by_level[i]);
        e.map_or(NONE.into(), |e| interval(&e))
    };
    let row = |(i, level): (usize, &crate::fit::LevelFit)| {
        vec![
            compact(level.target_us, 4),
            level.cells.to_string(),
            level.mean_us.map_or(NONE.into(), |e| interval(&e)),
            part(&fit.spread, i),
            part(&fit.read_noise, i),
        ]
    };
    let rows: Vec<_> = fit.levels.iter().enumerate().map(row).collect();
    table(out, &heads, &rows);
    out.push_str("<p class=\"note\">Standard deviations of cells within an array, and of reads of a cell; 95 % intervals in brackets.</p>\n");
}

/// Stuck cells, places, exponents.
fn parts(out: &mut String, fit: &Fit) {
    let mut rows: Vec<Vec<String>> = vec![];
    let mut add =
        |name: &str, value: String, of: &str| rows.push(vec![name.into(), value, of.into()]);
    if let Some(spatial) = &fit.spatial {
        for (name, e) in spatial.parts() {
            add(name, percent(&e), spatial.unit());
        }
        if let Some(e) = &spatial.cells {
            add("rest of a cell", percent(e), spatial.unit());
        }
    }
    for (name, e) in [("stuck off", &fit.stuck_off), ("stuck on", &fit.stuck_on)] {
        if let Some(e) = e {
            add(name, percent(e), "of the cells that can tell");
        }
    }
    for d in &fit.drift {
        let name = format!("drift at {} uS", compact(d.target_us, 4));
        add(&name, interval(&d.nu), "exponent");
        if let Some(e) = &d.sigma_nu {
            add(&format!("spread of {name}"), interval(e), "over cells");
        }
    }
    if !rows.is_empty() {
        table(out, &[("part", false), ("value", true), ("", false)], &rows);
    }
}
