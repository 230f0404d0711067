//! The analysis of a network's digits for the terminal.

use super::table::{Column, aligned};
use super::text::{NONE, compact, count, percent, rounded, thousands};
use crate::sweep::slices::{AccuracyRow, CellRow, LayerRow, ReadRow, Report};
use crate::sweep::statistics::Interval;

/// Tables of layers and slices, with what the numbers mean. Ends with a newline.
pub fn table(report: &Report) -> String {
    let mut out = format!("{}\n\n", title(report));
    out += &digits(&report.layers);
    out += &format!("\n{}", sums(&report.layers));
    out += &format!("\n{}", arrays(report));
    if let Some(rows) = &report.accuracy {
        out += &format!("\n{}", accuracy(rows));
    }
    for name in &report.digital_layers {
        out += &format!("{name}: digital, no arrays\n");
    }
    out + "\n" + &notes(report)
}

/// What was analysed.
pub(super) fn title(report: &Report) -> String {
    let name = match report.title.as_str() {
        "" => &report.experiment,
        title => title,
    };
    match report.point.as_str() {
        "" => name.to_string(),
        point => format!("{name} ({point})"),
    }
}

/// A share in percent with three digits.
pub(super) fn share(x: f64) -> String {
    rounded(100.0 * x, f64::NAN)
}

/// Factor with its spread, in percent.
pub(super) fn factor(mean: f64, std: f64) -> String {
    match std.is_finite() {
        true => format!("{} \u{b1} {}", share(mean), share(std)),
        false => share(mean),
    }
}

fn column<R>(head: &str, rows: &[R], of: impl Fn(&R) -> String) -> Column {
    Column::new(head, true, rows.iter().map(of).collect())
}

fn digits(layers: &[LayerRow]) -> String {
    let rows: Vec<(&LayerRow, &CellRow)> = layers
        .iter()
        .flat_map(|l| l.cells.iter().map(move |c| (l, c)))
        .collect();
    let names = rows.iter().map(|(l, _)| l.name.clone()).collect();
    let planes = rows.iter().map(|(_, c)| c.plane.clone()).collect();
    let level = |x: f64| compact(x, 1);
    aligned(&[
        Column::new("cells of", false, names),
        column("slice", &rows, |(_, c)| c.slice.to_string()),
        Column::new("polarity", false, planes),
        column("cells", &rows, |(_, c)| thousands(c.cells)),
        column("non-zero", &rows, |(_, c)| thousands(c.non_zero)),
        column("%", &rows, |(_, c)| share(c.share)),
        column("mean sum", &rows, |(_, c)| rounded(c.mean, f64::NAN)),
        column("median", &rows, |(_, c)| level(c.q50)),
        column("99 %", &rows, |(_, c)| level(c.q99)),
        column("99.9 %", &rows, |(_, c)| level(c.q999)),
        column("largest", &rows, |(_, c)| level(c.max)),
        column("arrays", &rows, |(_, c)| c.arrays.to_string()),
        column("left", &rows, |(_, c)| c.arrays_after.to_string()),
    ])
}

fn sums(layers: &[LayerRow]) -> String {
    let rows: Vec<(&LayerRow, &ReadRow)> = layers
        .iter()
        .flat_map(|l| l.reads.iter().map(move |r| (l, r)))
        .collect();
    let names = rows.iter().map(|(l, _)| l.name.clone()).collect();
    let planes = rows.iter().map(|(_, r)| r.plane.clone()).collect();
    aligned(&[
        Column::new("converters of", false, names),
        column("slice", &rows, |(_, r)| r.slice.to_string()),
        Column::new("see", false, planes),
        column("sums", &rows, |(_, r)| thousands(r.sums)),
        column("0 %", &rows, |(_, r)| {
            percent(r.zero_sums as f64 / r.sums as f64, 1)
        }),
        column("mean", &rows, |(_, r)| rounded(r.mean, f64::NAN)),
        column("largest", &rows, |(_, r)| thousands(r.max)),
        column("bits", &rows, |(_, r)| r.bits_max.to_string()),
        column("99.99 %", &rows, |(_, r)| r.bits_q9999.to_string()),
        column("99.9 %", &rows, |(_, r)| r.bits_q999.to_string()),
        column("99 %", &rows, |(_, r)| r.bits_q99.to_string()),
        column("possible", &rows, |(_, r)| r.bits_possible.to_string()),
    ])
}

fn arrays(report: &Report) -> String {
    let rows = &report.layers;
    let names = rows.iter().map(|l| l.name.clone()).collect();
    let mut columns = vec![
        Column::new("tiles of", false, names),
        column("rows x columns", rows, |l| {
            format!("{} x {}", l.rows, l.columns)
        }),
        column("weights not 0 %", rows, |l| {
            share(l.non_zero_weights as f64 / l.weights as f64)
        }),
        column("tiles", rows, |l| thousands(l.tiles as u64)),
        column("by columns", rows, |l| thousands(l.tiles_by_columns as u64)),
        column("by rows", rows, |l| thousands(l.tiles_by_rows as u64)),
        column("left", rows, |l| thousands(l.tiles_after as u64)),
        column("rate", rows, |l| rate(l.compression)),
    ];
    if rows.iter().any(|l| l.tiles_laid != l.tiles) {
        columns.push(column("as laid out", rows, |l| {
            thousands(l.tiles_laid as u64)
        }));
    }
    if report.chips > 0 {
        columns.push(column("NF %", rows, |l| factor(l.nf, l.nf_std)));
        columns.push(column("weighted %", rows, |l| share(l.nf_weighted)));
    }
    aligned(&columns)
}

/// A compression rate.
pub(super) fn rate(x: f64) -> String {
    match x.is_finite() {
        true => format!("{x:.2}"),
        false => NONE.to_string(),
    }
}

/// What converters are, in words.
pub(super) fn converters(row: &AccuracyRow) -> &'static str {
    match row.converters.as_str() {
        "full" => "full",
        "max" => "no sum counted clips",
        "q9999" => "99.99 % of the sums inside",
        "q999" => "99.9 % of the sums inside",
        _ => "99 % of the sums inside",
    }
}

/// An accuracy with its interval, and how it differs from that of full converters, in percent and points.
pub(super) fn accuracy_cells(row: &AccuracyRow) -> [String; 2] {
    let own = Interval {
        lo: row.accuracy_lo95,
        hi: row.accuracy_hi95,
    };
    let difference = match row.converters.as_str() {
        "full" => NONE.to_string(),
        _ => format!(
            "{:+.2} ({:+.2} to {:+.2})",
            100.0 * row.difference,
            100.0 * row.difference_lo95,
            100.0 * row.difference_hi95
        ),
    };
    [
        super::text::percent_with_interval(row.accuracy, own, 2),
        difference,
    ]
}

fn accuracy(rows: &[AccuracyRow]) -> String {
    let kinds = rows.iter().map(|r| converters(r).to_string()).collect();
    aligned(&[
        Column::new("converters", false, kinds),
        column("accuracy %", rows, |r| accuracy_cells(r)[0].clone()),
        column("against full, points", rows, |r| {
            accuracy_cells(r)[1].clone()
        }),
        column("lost", rows, |r| r.lost.to_string()),
        column("won", rows, |r| r.won.to_string()),
        column("images", rows, |r| thousands(r.images)),
    ])
}

/// What the numbers mean, and what they are of.
pub(super) fn definitions(report: &Report) -> Vec<String> {
    let mut all = vec![
        format!(
            "Sums are in levels, of {} of {} test images on a nominal chip with ideal wires; quantiles are of magnitudes, exact \
             over all sums that were counted.",
            thousands(report.sums.images as u64),
            thousands(report.sums.of as u64)
        ),
        "Bits are of converters with a step of one level, the sign's included: none of the sums clips, or all but the share \
         named; possible is what no weights and inputs exceed."
            .into(),
    ];
    if report.chips > 0 {
        all.push(format!(
            "NF is the mean of |I0 - I| / |I0| over all currents whose ideal value I0 is not 0: mean and standard deviation over \
             {}, {}.",
            count(report.chips as u64, "chip"),
            count(report.currents.images as u64, "image"),
        ));
    }
    if let Some(rows) = &report.accuracy {
        let images = rows.first().map_or(0, |r| r.images);
        all.push(format!(
            "Accuracy is that of a nominal chip with its wires and the bits of every layer and slice, {}; in brackets 95 % \
             intervals (Wilson; paired over images: Tango).",
            count(images, "test image")
        ));
    }
    all
}

fn notes(report: &Report) -> String {
    let total = &report.total;
    let mut all = format!(
        "Non-zero digits: {} of {} ({} %). Arrays: {}, {} without zero segments (rate {}). ",
        thousands(total.non_zero),
        thousands(total.cells),
        share(total.share),
        thousands(total.arrays as u64),
        thousands(total.arrays_after as u64),
        rate(total.compression)
    );
    if report.chips > 0 {
        let nf = factor(total.nf, total.nf_std);
        all += &format!("NF of all currents: {nf} %. ");
    }
    super::table::wrapped(&(all + &definitions(report).join(" ")))
}
