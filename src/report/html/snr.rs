//! Signal-to-noise ratios as a section of a page.

use std::fmt::Write;

use crate::report::snr::{notes, tables};
use crate::report::text::{escape, html};
use crate::sweep::snr::Report;

/// The tables of some points.
pub(super) fn section(out: &mut String, reports: &[Report]) {
    for report in reports {
        out.push_str("<h2>Signal-to-noise ratios of the layers");
        if !report.point.is_empty() {
            let _ = write!(out, ": {}", html(&report.point));
        }
        out.push_str("</h2>\n");
        for table in tables(report) {
            let _ = write!(
                out,
                "<h3>{}</h3>\n<div class=\"scroll\"><table>\n<thead><tr>",
                escape(table.title)
            );
            for (head, numeric) in &table.heads {
                let class = if *numeric { " class=\"n\"" } else { "" };
                let _ = write!(out, "<th{class}>{}</th>", escape(head));
            }
            out.push_str("</tr></thead>\n<tbody>\n");
            for row in &table.rows {
                out.push_str("<tr>");
                for (cell, (_, numeric)) in row.iter().zip(&table.heads) {
                    let class = if *numeric { " class=\"n\"" } else { "" };
                    let _ = write!(out, "<td{class}>{}</td>", escape(cell));
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody></table></div>\n");
        }
        let mut note = notes(report);
        for name in &report.digital_layers {
            let _ = write!(note, " {name}: digital, no chips.");
        }
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note.trim_end()));
    }
}
