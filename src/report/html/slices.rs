//! The page of `pimento slices`.

use std::fmt::Write;

use super::frame;
use crate::report::plot::{self, Figure};
use crate::report::slices::{accuracy_cells, converters, definitions, factor, rate, share, title};
use crate::report::text::{NONE, compact, count, escape, html, percent, rounded, thousands};
use crate::sweep::slices::{LayerRow, Report};

/// Most rows of the tables of cells and converters that are open at once.
const OPEN_ROWS: usize = 24;

/// The whole page: one file without network or scripts, well-formed XML too.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let name = title(report);
    head(&mut out, report, &name);
    layers(&mut out, report);
    let (shares, bits) = (plot::slices::shares(report), plot::slices::bits(report));
    pair(&mut out, [Some(shares), Some(bits)]);
    let (beyond, factors) = (plot::slices::beyond(report), plot::slices::factors(report));
    pair(&mut out, [beyond, factors]);
    accuracy(&mut out, report);
    cells(&mut out, report);
    reads(&mut out, report);
    provenance(&mut out, report);
    frame::document(&report.pimento, &format!("Digits and sums: {name}"), &out)
}

/// Two plots side by side.
fn pair(out: &mut String, figures: [Option<Figure>; 2]) {
    out.push_str("<div class=\"pair\">\n");
    for figure in figures.into_iter().flatten() {
        frame::beside(out, &figure);
    }
    out.push_str("</div>\n");
}

/// What was analysed, and what came out.
fn head(out: &mut String, report: &Report, name: &str) {
    let _ = write!(
        out,
        "<h1>Digits and column sums: {}</h1>\n<p class=\"meta\"><code>{}</code>: {} on arrays{}. Pimento {} on {}.</p>\n",
        html(name),
        escape(&report.source),
        count(report.layers.len() as u64, "layer"),
        match report.digital_layers.len() {
            0 => String::new(),
            n => format!(
                ", {} digital ({})",
                count(n as u64, "layer"),
                escape(&report.digital_layers.join(", "))
            ),
        },
        escape(&report.pimento),
        escape(&report.adapter),
    );
    let total = &report.total;
    let of = report
        .slices
        .iter()
        .rev()
        .map(|s| format!("<b>{}\u{a0}%</b>", share(s.share)));
    let _ = writeln!(
        out,
        "<p class=\"finding\">Non-zero digits: <b>{}\u{a0}%</b> of {} cells{}.</p>",
        share(total.share),
        thousands(total.cells),
        match report.slices.len() {
            1 => String::new(),
            _ => format!(
                "; from the highest slice to the lowest {}",
                of.collect::<Vec<_>>().join(", ")
            ),
        }
    );
    let bits = |of: fn(&crate::sweep::slices::SliceRow) -> usize| {
        let bits: Vec<String> = report
            .slices
            .iter()
            .rev()
            .map(|s| of(s).to_string())
            .collect();
        format!("<b>{}</b>", bits.join(", "))
    };
    let _ = writeln!(
        out,
        "<p class=\"finding\">Converters without clipping: {} bits{}; with at most 0.1\u{a0}% of any layer\u{2019}s sums clipped: {} bits.</p>",
        bits(|s| s.bits_max),
        if report.slices.len() > 1 {
            ", highest slice first"
        } else {
            ""
        },
        bits(|s| s.bits_q999)
    );
    let nf = match report.chips {
        0 => String::new(),
        _ => format!(
            " Non-ideality factor of the currents: <b>{}\u{a0}%</b>.",
            factor(total.nf, total.nf_std)
        ),
    };
    let _ = writeln!(
        out,
        "<p class=\"finding\">Arrays: <b>{}</b>, without zero segments <b>{}</b> (compression rate {}).{nf}</p>",
        thousands(total.arrays as u64),
        thousands(total.arrays_after as u64),
        rate(total.compression)
    );
    let _ = writeln!(out, "<p>{}</p>", html(&definitions(report).join(" ")));
}

/// A table: heads, with whether their column holds numbers, and the rows.
fn table(out: &mut String, heads: &[(&str, bool)], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (head, numeric) in heads {
        let class = if *numeric { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th{class}>{}</th>", html(head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (cell, (_, numeric)) in row.iter().zip(heads) {
            let class = if *numeric { " class=\"n\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", html(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A table that is folded where it is long.
fn folded(
    out: &mut String,
    (heading, note): (&str, &str),
    heads: &[(&str, bool)],
    rows: Vec<Vec<String>>,
) {
    let _ = writeln!(
        out,
        "<h2>{}</h2>\n<p class=\"note\">{}</p>",
        html(heading),
        html(note)
    );
    let long = rows.len() > OPEN_ROWS;
    if long {
        let _ = writeln!(
            out,
            "<details>\n<summary>{}</summary>",
            count(rows.len() as u64, "row")
        );
    }
    table(out, heads, rows.into_iter());
    if long {
        out.push_str("</details>\n");
    }
}

fn layers(out: &mut String, report: &Report) {
    let mut heads = vec![
        ("layer", false),
        ("rows \u{d7} columns", true),
        ("weights not 0 (%)", true),
        ("tiles", true),
        ("by columns", true),
        ("by rows", true),
        ("left", true),
        ("rate", true),
    ];
    if report.chips > 0 {
        heads.extend([("NF (%)", true), ("weighted (%)", true)]);
    }
    let row = |l: &LayerRow| {
        let mut row = vec![
            l.name.clone(),
            format!("{} \u{d7} {}", l.rows, l.columns),
            share(l.non_zero_weights as f64 / l.weights as f64),
            thousands(l.tiles as u64),
            thousands(l.tiles_by_columns as u64),
            thousands(l.tiles_by_rows as u64),
            thousands(l.tiles_after as u64),
            rate(l.compression),
        ];
        if report.chips > 0 {
            row.extend([factor(l.nf, l.nf_std), share(l.nf_weighted)]);
        }
        row
    };
    out.push_str("<h2>Layers and tiles</h2>\n");
    table(out, &heads, report.layers.iter().map(row));
    out.push_str(
        "<p class=\"note\">Tiles of the weight matrix, each an array for every slice and polarity; what is left of them without \
         column segments, or without row segments, that hold no weight, packed into as few tiles as hold them.</p>\n",
    );
}

fn accuracy(out: &mut String, report: &Report) {
    let Some(rows) = &report.accuracy else { return };
    let heads = [
        ("converters", false),
        ("accuracy (%)", true),
        ("against full (points)", true),
        ("lost", true),
        ("won", true),
        ("images", true),
    ];
    out.push_str("<h2>Accuracy with these converters</h2>\n");
    let row = |r: &crate::sweep::slices::AccuracyRow| {
        let [own, difference] = accuracy_cells(r);
        vec![
            converters(r).to_string(),
            own,
            difference,
            r.lost.to_string(),
            r.won.to_string(),
            thousands(r.images),
        ]
    };
    table(out, &heads, rows.iter().map(row));
    out.push_str(
        "<p class=\"note\">A nominal chip whose converters have, layer by layer and slice by slice, the bits that the sums demand. In \
         brackets: 95 % intervals, of the accuracy by Wilson, of the difference on the same images by Tango. Lost and won: images \
         that only full, or only these, converters classify rightly.</p>\n",
    );
}

fn cells(out: &mut String, report: &Report) {
    let heads = [
        ("layer", false),
        ("slice", true),
        ("polarity", false),
        ("cells", true),
        ("non-zero", true),
        ("%", true),
        ("mean sum", true),
        ("median", true),
        ("99 %", true),
        ("99.9 %", true),
        ("largest", true),
        ("arrays", true),
        ("left", true),
    ];
    let level = |x: f64| compact(x, 1);
    let of = |l: &LayerRow| {
        let name = l.name.clone();
        let row = move |c: &crate::sweep::slices::CellRow| {
            vec![
                name.clone(),
                c.slice.to_string(),
                c.plane.clone(),
                thousands(c.cells),
                thousands(c.non_zero),
                share(c.share),
                rounded(c.mean, f64::NAN),
                level(c.q50),
                level(c.q99),
                level(c.q999),
                level(c.max),
                c.arrays.to_string(),
                c.arrays_after.to_string(),
            ]
        };
        l.cells.iter().map(row).collect::<Vec<_>>()
    };
    let rows = report.layers.iter().flat_map(of).collect();
    let note = "Every slice and polarity by itself. Sums are of one column of one row tile in one input step, in levels; quantiles \
                are of magnitudes. Left: arrays without the zero segments of this slice and polarity.";
    folded(out, ("Cells and their column sums", note), &heads, rows);
}

fn reads(out: &mut String, report: &Report) {
    let heads = [
        ("layer", false),
        ("slice", true),
        ("see", false),
        ("sums", true),
        ("zeros (%)", true),
        ("mean", true),
        ("largest", true),
        ("bits", true),
        ("99.99 %", true),
        ("99.9 %", true),
        ("99 %", true),
        ("possible", true),
    ];
    let of = |l: &LayerRow| {
        let name = l.name.clone();
        let row = move |r: &crate::sweep::slices::ReadRow| {
            vec![
                name.clone(),
                r.slice.to_string(),
                r.plane.clone(),
                thousands(r.sums),
                match r.sums {
                    0 => NONE.to_string(),
                    n => percent(r.zero_sums as f64 / n as f64, 1),
                },
                rounded(r.mean, f64::NAN),
                thousands(r.max),
                r.bits_max.to_string(),
                r.bits_q9999.to_string(),
                r.bits_q999.to_string(),
                r.bits_q99.to_string(),
                r.bits_possible.to_string(),
            ]
        };
        l.reads.iter().map(row).collect::<Vec<_>>()
    };
    let rows = report.layers.iter().flat_map(of).collect();
    let note = "What the converters of a nominal chip see, in steps of one level, and their bits with the sign\u{2019}s.";
    folded(out, ("Converters", note), &heads, rows);
}

fn provenance(out: &mut String, report: &Report) {
    out.push_str("<h2>How to get this again</h2>\n");
    if !report.command.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", escape(&report.command));
    }
    let facts = [
        ("Pimento", report.pimento.clone()),
        ("seed", report.seed.to_string()),
        ("adapter", report.adapter.clone()),
    ];
    out.push_str("<dl>\n");
    for (name, value) in facts {
        let (name, value) = (escape(name), escape(&value));
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    let _ = write!(
        out,
        "</dl>\n<details>\n<summary>The configuration as TOML</summary>\n<pre>{}</pre>\n</details>\n",
        escape(&report.config_toml)
    );
}
