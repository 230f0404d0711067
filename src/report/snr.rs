//! Signal-to-noise ratios of layers, for the terminal and as rows of a page.

use super::table::{Column, aligned};
use super::text::{NONE, compact, count, thousands};
use crate::choice::Choice;
use crate::sweep::snr::{ConverterRow, Has, Is, LayerRow, Part, PartRow, Ratio, Report};

/// A table: heads with whether they are of numbers, and rows.
pub(super) struct Table {
    /// What it shows.
    pub title: &'static str,
    /// Heads.
    pub heads: Vec<(String, bool)>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

/// The tables of a point with what their numbers mean, for the terminal. Ends with a newline.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::data::Embedded;
/// use pimento::sweep::snr::{self, Options};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\nepochs = 1\n\
///      [variation]\nsigma_w = 0.1\n",
///     "example",
/// )?;
/// let data = Embedded::Digits8x8.load()?;
/// let options = Options { chips: 2, ..Options::default() };
/// let report = snr::run(&CpuBackend::new(), &experiment, &data, 0, None, &options, &())?;
/// assert!(pimento::report::snr::table(&report).contains("programming"));
/// # Ok(())
/// # }
/// ```
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    for table in tables(report) {
        let column = |(i, (head, numeric)): (usize, &(String, bool))| {
            let cells = table.rows.iter().map(|row| row[i].clone()).collect();
            Column::new(head, *numeric, cells)
        };
        let columns: Vec<Column> = table.heads.iter().enumerate().map(column).collect();
        out += &format!("{}\n{}\n", table.title, aligned(&columns));
    }
    for name in &report.digital_layers {
        out += &format!("{name}: digital, no chips\n");
    }
    out + &notes(report)
}

/// Decibels of a ratio whose error has a closed form.
fn by_closed_form(layer: &LayerRow, part: Part) -> [String; 2] {
    let none = [NONE.to_string(), NONE.to_string()];
    let row = layer.parts.iter().find(|row| row.part == part);
    row.map_or(none, |row| {
        let closed = match row.closed_form_db.is_finite() {
            true => compact(row.closed_form_db, 1),
            false => NONE.into(),
        };
        let measured = match row.has {
            Has::Absent => NONE.into(),
            Has::Off | Has::Measured => with_interval(&row.snr),
        };
        [measured, closed]
    })
}

/// What was looked at, in words.
pub(super) fn notes(report: &Report) -> String {
    format!(
        "{} of {} test images, {} (the first of a sweep of seed {}), every layer by itself. In brackets: 95 % intervals over the \
         chips, for these inputs. docs/snr.md has the definitions.\n",
        thousands(report.images as u64),
        thousands(report.images_of as u64),
        count(report.chips as u64, "chip"),
        report.seed
    )
}

/// All tables of a point.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![ratios(report), parts(report)];
    if report.layers.iter().any(|layer| layer.converters.is_some()) {
        tables.push(converters(report));
    }
    tables
}

fn heads(all: &[&str]) -> Vec<(String, bool)> {
    let one = |(i, head): (usize, &&str)| (head.to_string(), i > 0);
    all.iter().enumerate().map(one).collect()
}

/// Decibels, or the word for what is none.
fn shown(ratio: &Ratio) -> String {
    match ratio.is {
        Is::Infinite => "infinite".into(),
        Is::NoSignal => "no signal".into(),
        Is::Measured => compact(ratio.db, 1),
    }
}

/// The same with the interval.
fn with_interval(ratio: &Ratio) -> String {
    let text = shown(ratio);
    if ratio.is != Is::Measured || ratio.lo95.is_nan() {
        return text;
    }
    let hi = match ratio.hi95.is_nan() {
        true => "no end".into(),
        false => compact(ratio.hi95, 1),
    };
    format!("{text} [{}, {hi}]", compact(ratio.lo95, 1))
}

fn ratios(report: &Report) -> Table {
    let row = |layer: &LayerRow| {
        vec![
            layer.name.clone(),
            format!("{} x {}", layer.rows, layer.columns),
            format!(
                "{} of {}",
                thousands(layer.vectors as u64),
                thousands(layer.vectors_of as u64)
            ),
            shown(&layer.sqnr_inputs),
            shown(&layer.sqnr_weights),
            with_interval(&layer.snr),
            match layer.worst_db.is_finite() {
                true => compact(layer.worst_db, 1),
                false => NONE.into(),
            },
            with_interval(&layer.snr_total),
        ]
    };
    Table {
        title: "Signal-to-noise ratio (dB)",
        heads: heads(&[
            "layer",
            "rows x columns",
            "vectors",
            "SQNR inputs",
            "SQNR weights",
            "SNR",
            "worst chip",
            "with quantization",
        ]),
        rows: report.layers.iter().map(row).collect(),
    }
}

/// A part of a layer: its own ratio, and what share of the error it is.
fn part(row: &PartRow, error: f64) -> String {
    match row.has {
        Has::Absent => NONE.into(),
        Has::Off => "off".into(),
        Has::Measured if error > 0.0 && row.snr.is == Is::Measured => {
            let share = 100.0 * (row.own + row.cross) / error;
            // Nothing has no sign.
            format!("{} ({:.0} %)", shown(&row.snr), share.round() + 0.0)
        }
        Has::Measured => shown(&row.snr),
    }
}

fn parts(report: &Report) -> Table {
    // A part that no layer has is no column.
    let has = |part: &&Part| {
        let mut rows = report.layers.iter().flat_map(|layer| &layer.parts);
        rows.any(|row| row.part == **part && row.has == Has::Measured)
    };
    let shown: Vec<Part> = Part::ALL.iter().filter(has).copied().collect();
    let row = |layer: &LayerRow| {
        let error: f64 = layer.parts.iter().map(|p| p.own + p.cross).sum();
        let cells = layer.parts.iter().filter(|p| shown.contains(&p.part));
        let cells = cells.map(|p| part(p, error));
        std::iter::once(layer.name.clone()).chain(cells).collect()
    };
    let mut names = vec!["layer"];
    names.extend(shown.iter().map(|part| part.as_str()));
    Table {
        title: "What the error comes from: SNR of a part by itself (dB), and its share of the error",
        heads: heads(&names),
        rows: report.layers.iter().map(row).collect(),
    }
}

fn converters(report: &Report) -> Table {
    let row = |(layer, c): (&LayerRow, &ConverterRow)| {
        let share = match layer.clipped.is_finite() {
            true => compact(100.0 * layer.clipped, 3),
            false => NONE.into(),
        };
        let [steps, closed] = by_closed_form(layer, Part::Steps);
        let (limit, best, gain) = match &c.range {
            None => (NONE.into(), NONE.into(), NONE.into()),
            Some(range) => {
                let limits = range.limit.iter().map(|limit| compact(*limit, 3));
                let gain = match range.gain_db.is_finite() {
                    true => format!("{:+.1}", (10.0 * range.gain_db).round() / 10.0 + 0.0),
                    false => NONE.into(),
                };
                let limits: Vec<String> = limits.collect();
                (limits.join(", "), with_interval(&range.snr), gain)
            }
        };
        vec![
            layer.name.clone(),
            steps,
            closed,
            share,
            c.without.as_ref().map_or(NONE.into(), with_interval),
            match c.goal_db {
                db if db.is_finite() => compact(db, 1),
                db if db == f64::INFINITY => "infinite".into(),
                _ => NONE.into(),
            },
            match (c.bits, c.tried.is_empty()) {
                (Some(bits), _) => bits.to_string(),
                (None, true) => NONE.into(),
                (None, false) => "more than 14".into(),
            },
            limit,
            best,
            gain,
        ]
    };
    let with = report.layers.iter();
    let with = with.filter_map(|layer| Some((layer, layer.converters.as_ref()?)));
    Table {
        title: "Converters",
        heads: heads(&[
            "layer",
            "steps (dB)",
            "lsb^2/12 (dB)",
            "clipped %",
            "SNR without (dB)",
            "goal (dB)",
            "bits for it",
            "best limit (cells)",
            "SNR with that (dB)",
            "gain (dB)",
        ]),
        rows: with.map(row).collect(),
    }
}
