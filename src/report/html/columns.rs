//! The columns that only some experiments have: their statistics, and their distributions over chips.

use std::fmt::Write;

use super::frame::section;
use super::tables::{MAX_ROWS, cell, group, small_print};
use crate::column::{Better, Column};
use crate::report::label;
use crate::report::layout::Layout;
use crate::report::plot;
use crate::report::plot::distribution;
use crate::report::plot::quantity::{Quantity, width};
use crate::report::text::{NONE, escape, html, rounded};
use crate::sweep::result::{ChipRow, SweepResult};
use crate::sweep::spread::ColumnSummary;

/// Columns of the table.
const HEADS: [&str; 7] = [
    "mean",
    "sd",
    "median",
    "worst 5 %",
    "worst",
    "worst chip",
    "ideal",
];

/// A table of all columns, and a plot of each.
pub(super) fn write(out: &mut String, result: &SweepResult, rows: &[ChipRow], layout: &Layout) {
    let columns = result.columns();
    if columns.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Besides accuracy</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>point</th>",
    );
    for head in HEADS {
        let _ = write!(out, "<th class=\"n\">{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let shown = layout.representatives(result.points.len(), MAX_ROWS);
    for column in &columns {
        group(out, 1 + HEADS.len(), &title(column));
        for &p in &shown {
            if let Some(summary) = result.points[p].columns.get(column.name) {
                row(out, &layout.settings(p), summary, width(result, column));
            }
        }
    }
    out.push_str("</tbody></table></div>\n");
    note(out, result, &columns, shown.len());
    for column in columns {
        let quantity = Quantity::Value(result, column);
        if let Some(figure) = distribution::figure(&quantity, rows, layout) {
            section(out, &figure);
        }
    }
}

/// Name, unit and good direction.
fn title(column: &Column) -> String {
    let better = match column.better {
        Some(Better::Higher) => ", higher is better",
        Some(Better::Lower) => ", lower is better",
        None => "",
    };
    format!("{}{better}", plot::sentence(&label::column(column)))
}

/// The row of a point.
fn row(out: &mut String, name: &str, c: &ColumnSummary, width: f64) {
    let text = |x: f64| html(&rounded(x, width));
    let name = if name.is_empty() { "the point" } else { name };
    let _ = write!(out, "<tr><td class=\"t\">{}</td>", html(name));
    let interval = small_print(c.ci95, &text(c.ci95.lo), &text(c.ci95.hi));
    cell(out, &format!("<b>{}</b>{interval}", text(c.mean)));
    cell(out, &text(c.std));
    cell(out, &text(c.median));
    cell(out, &c.bad_quantile().map_or(NONE.into(), text));
    let worst = c.worst.first();
    cell(out, &worst.map_or(NONE.into(), |w| text(w.value)));
    cell(out, &worst.map_or(NONE.into(), |w| w.chip.to_string()));
    cell(out, &text(c.ideal));
    out.push_str("</tr>\n");
}

/// What the numbers are.
fn note(out: &mut String, result: &SweepResult, columns: &[&Column], shown: usize) {
    let meanings = columns.iter().map(|column| {
        let about: Vec<&str> = column.about.split_whitespace().collect();
        let (words, about) = (plot::sentence(&label::words(column)), about.join(" "));
        match about.starts_with(&words) {
            true => code(&about),
            false => format!("{}: {}", html(&words), code(&about)),
        }
    });
    let meanings = meanings.collect::<Vec<_>>().join(" ");
    let part = match result.points.len() {
        all if shown < all => format!(" {shown} of {all} points; summary.json has all."),
        _ => String::new(),
    };
    let summaries = result.points.iter().flat_map(|p| p.columns.values());
    let error = summaries.map(|c| c.error).fold(0.0, f64::max);
    let error = match error > 0.0 {
        true => format!(
            " Medians and quantiles are of bins, off by at most {} % of their size.",
            rounded(100.0 * error, 0.0)
        ),
        false => String::new(),
    };
    let gaps = result.points.iter().any(|p| {
        let mut columns = p.columns.values();
        columns.any(|c| c.n < p.chips as u64)
    });
    let gaps = match gaps {
        true => " Some chips have no value: summary.json has the numbers (n).",
        false => "",
    };
    let _ = writeln!(
        out,
        "<p class=\"note\">{} Worst 5 %: the quantile that 95 % of \
         the chips are better than. Ideal: without variation. The small print is 95 % intervals over chips, for these images.\
         {part}{error}{gaps}</p>",
        meanings
    );
}

/// Text whose names between backticks are set as code.
fn code(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate();
    let set = parts.map(|(i, part)| match i % 2 {
        0 => html(part),
        _ => format!("<code>{}</code>", escape(part)),
    });
    set.collect()
}
