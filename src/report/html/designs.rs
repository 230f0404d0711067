//! The page of `pimento design`.

use std::fmt::Write;

use super::frame::{self, section};
use super::tables::cell;
use crate::design::Found;
use crate::report::designs::{cost, reasons, value};
use crate::report::text::{compact, count, escape, html, thousands};
use crate::report::{label, plot};

/// The whole page: one file that asks no network, well-formed XML too.
pub fn page(found: &Found) -> String {
    let mut out = String::new();
    let title = match found.title.is_empty() {
        true => &found.experiment,
        false => &found.title,
    };
    let _ = write!(
        out,
        "<h1>{}</h1>\n<p class=\"meta\">Search <code>{}</code>: {}, {} and {} each, seed {}. Pimento {}.</p>\n\
         <p class=\"finding\">{} on the front of <code>{}</code>.</p>\n",
        html(title),
        escape(&found.experiment),
        count(found.designs.len() as u64, "design"),
        count(found.chips.into(), "chip"),
        count(found.images as u64, "image"),
        found.seed,
        escape(&found.pimento),
        count(found.front.len() as u64, "design"),
        escape(&found.goal.to_string()),
    );
    front(&mut out, found);
    if let Some(figure) = plot::front::figure(found) {
        section(&mut out, &figure);
    }
    left(&mut out, found);
    rounds(&mut out, found);
    frame::document(&found.pimento, &format!("Designs: {title}"), &out)
}

/// The designs of the front.
fn front(out: &mut String, found: &Found) {
    if found.front.is_empty() {
        out.push_str("<p>No design keeps all constraints.</p>\n");
        return;
    }
    out.push_str("<h2>Front</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>design</th>");
    for axis in &found.axes {
        let _ = write!(out, "<th>{}</th>", html(&label::field(axis)));
    }
    for measure in &found.measures {
        let name = plot::front::name(*measure);
        let _ = write!(out, "<th>{}</th>", escape(&name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for &at in &found.front {
        let design = &found.designs[at];
        out.push_str("<tr>");
        cell(out, &design.point.to_string());
        for setting in design.settings.values() {
            let text = match setting {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            cell(out, &escape(&text));
        }
        for measure in 0..found.measures.len() {
            cell(out, &value(found, design, measure));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    let _ = writeln!(
        out,
        "<p>Intervals are 95 % intervals over chips, of each design alone. <code>front/</code> has the experiment file of each \
         of these designs; <code>designs.csv</code> has all designs, with how far each came and why it left.</p>"
    );
}

/// Why the others left.
fn left(out: &mut String, found: &Found) {
    out.push_str("<h2>Designs that left</h2>\n<ul>\n");
    for reason in reasons(found) {
        let of = match reason.constraint {
            Some(constraint) => format!(" <code>{}</code>", escape(&constraint)),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "<li>{} {}{of}</li>",
            thousands(reason.designs as u64),
            escape(reason.words)
        );
    }
    let _ = write!(
        out,
        "</ul>\n<p>Simulated were {}. A design left only when bounds of what the whole sweep would find said so; with a \
         probability of {} at least all of these bounds hold together (docs/design.md).</p>\n",
        escape(&cost(found)),
        compact(1.0 - found.risk, 9)
    );
}

/// What the rounds did.
fn rounds(out: &mut String, found: &Found) {
    out.push_str(
        "<h2>Rounds</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>round</th><th>designs that took a step</th>\
         <th>fail a constraint</th><th>beaten</th><th>still open</th><th>with all chips</th><th>chips times images</th></tr></thead>\n<tbody>\n",
    );
    for (i, round) in found.rounds.iter().enumerate() {
        out.push_str("<tr>");
        match i {
            0 => cell(out, "plans"),
            i => cell(out, &i.to_string()),
        }
        for n in [
            round.designs,
            round.failed,
            round.beaten,
            round.open,
            round.complete,
        ] {
            cell(out, &thousands(n as u64));
        }
        cell(out, &thousands(round.chip_images));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}
