//! What a search of designs leaves: `designs.csv`, `design.json`, `design.html`, `front/*.toml`, and the table on the terminal.

use std::fmt::Write;
use std::path::Path;

use super::html;
use super::text::{
    NONE, count, csv_field, percent_with_interval, rounded, thousands, with_interval,
};
use crate::choice::Choice;
use crate::config::{Goal, Measure};
use crate::design::{DesignResult, Found, State};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::sweep::columns;
use crate::sweep::cost::COSTS;

/// All designs, a row each.
pub const DESIGNS: &str = "designs.csv";
/// The whole result; written last.
pub const FOUND: &str = "design.json";
/// For people.
pub const PAGE: &str = "design.html";
/// Folder of the experiment files of the designs on the front.
pub const FRONT: &str = "front";

/// Name of the experiment file of a design.
fn file_name(point: usize) -> String {
    format!("design-{point}.toml")
}

/// Writes everything into the directory; each file whole or not at all.
///
/// # Errors
/// The disk.
pub fn write(dir: &Path, found: &Found) -> Result<()> {
    write_front(&dir.join(FRONT), found)?;
    write_atomically(&dir.join(DESIGNS), csv(found).as_bytes())?;
    write_atomically(&dir.join(PAGE), html::designs::page(found).as_bytes())?;
    write_atomically(&dir.join(FOUND), json(found)?.as_bytes())
}

/// The files of the front; those of an earlier one go.
fn write_front(dir: &Path, found: &Found) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
    let designs = || {
        found
            .designs
            .iter()
            .filter_map(|d| Some((d.point, d.file.as_ref()?)))
    };
    let names: Vec<String> = designs().map(|(point, _)| file_name(point)).collect();
    let there = std::fs::read_dir(dir).map_err(|e| Error::io(dir, e))?;
    for entry in there.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let own = name.starts_with("design-") && name.ends_with(".toml");
        if own && !names.contains(&name) {
            crate::files::remove_if_there(&entry.path())?;
        }
    }
    for (point, file) in designs() {
        write_atomically(&dir.join(file_name(point)), file.as_bytes())?;
    }
    Ok(())
}

/// `design.json`.
///
/// # Errors
/// None but those of the program.
pub fn json(found: &Found) -> Result<String> {
    let text = serde_json::to_string_pretty(found);
    let text = text.map_err(|e| Error::Internal(format!("designs to JSON: {e}")))?;
    Ok(text + "\n")
}

/// Whether a measure is a share, shown in per cent.
pub(super) fn is_share(measure: Measure) -> bool {
    use crate::config::goal::ChipMean;
    matches!(
        measure,
        Measure::Yield { .. } | Measure::Mean(ChipMean::Accuracy | ChipMean::Top5)
    )
}

/// Unit of a measure, per cent of shares.
pub(super) fn unit(measure: Measure) -> &'static str {
    match measure {
        _ if is_share(measure) => "%",
        Measure::Yield { .. } => "%",
        Measure::Mean(mean) if mean.name() == "loss" => "nats",
        Measure::Mean(mean) => columns::find(mean.name()).map_or("", |c| c.unit),
        Measure::Cost(cost) => {
            let column = COSTS.iter().find(|c| c.name == cost.name());
            column.map_or("", |c| c.unit)
        }
    }
}

/// The value of a measure of a design with its 95 % interval, or with the bounds that are known where not all chips were
/// simulated; nothing where nothing was seen.
pub(super) fn value(found: &Found, design: &DesignResult, at: usize) -> String {
    let (measure, known) = (found.measures[at], design.known[at]);
    if !known.estimate.is_finite() {
        return NONE.into();
    }
    let interval = design.intervals.as_ref().map(|intervals| intervals[at]);
    match interval {
        Some(ci) if is_share(measure) => percent_with_interval(known.estimate, ci, 2),
        Some(ci) if ci.half() > 0.0 => with_interval(known.estimate, ci, ci.half() / 10.0),
        _ if is_share(measure) => format!("{:.2}", 100.0 * known.estimate),
        _ => rounded(known.estimate, known.estimate.abs() / 1000.0),
    }
}

fn csv(found: &Found) -> String {
    let mut out = String::from("design");
    for axis in &found.axes {
        let _ = write!(out, ",{}", csv_field(axis));
    }
    out += ",state,why,chips,images";
    for measure in &found.measures {
        for part in ["", "_lo", "_hi", "_lo95", "_hi95"] {
            let _ = write!(out, ",{}", csv_field(&format!("{measure}{part}")));
        }
    }
    out.push('\n');
    for design in &found.designs {
        let _ = write!(out, "{}", design.point);
        for value in design.settings.values() {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => String::new(),
                other => other.to_string(),
            };
            let _ = write!(out, ",{}", csv_field(&text));
        }
        let (chips, images) = design.step.map_or((0, 0), |s| (s.chips, s.images));
        let _ = write!(
            out,
            ",{},{},{chips},{images}",
            state(&design.state),
            csv_field(&design.why)
        );
        for (at, known) in design.known.iter().enumerate() {
            let ci = design.intervals.as_ref().map(|own| own[at]);
            let ci = ci.map_or([f64::NAN; 2], |ci| [ci.lo, ci.hi]);
            for x in [known.estimate, known.lo, known.hi, ci[0], ci[1]] {
                let text = if x.is_finite() {
                    x.to_string()
                } else {
                    String::new()
                };
                let _ = write!(out, ",{text}");
            }
        }
        out.push('\n');
    }
    out
}

/// A state in a word.
pub(super) fn state(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Fails { .. } => "fails",
        State::NotShown { .. } => "not shown",
        State::Beaten { .. } => "beaten",
        State::Front => "front",
    }
}

/// Why designs left.
pub(super) struct Reason {
    /// In words, before the constraint where there is one.
    pub words: &'static str,
    /// The constraint, as the goal writes it.
    pub constraint: Option<String>,
    /// How many left for it.
    pub designs: usize,
}

/// Designs that left, by the reason.
pub(super) fn reasons(found: &Found) -> Vec<Reason> {
    let goal: &Goal = &found.goal;
    let number =
        |is: &dyn Fn(&State) -> bool| found.designs.iter().filter(|d| is(&d.state)).count();
    let mut all = Vec::new();
    for (at, constraint) in goal.constraints.iter().enumerate() {
        let fails = number(&|s| matches!(s, State::Fails { constraint } if *constraint == at));
        let unshown = number(&|s| matches!(s, State::NotShown { constraint } if *constraint == at));
        for (words, designs) in [("fail", fails), ("are not shown to keep", unshown)] {
            all.push(Reason {
                words,
                constraint: Some(constraint.to_string()),
                designs,
            });
        }
    }
    let beaten = number(&|s| matches!(s, State::Beaten { .. }));
    all.push(Reason {
        words: "are beaten by a design that keeps all constraints",
        constraint: None,
        designs: beaten,
    });
    all.retain(|reason| reason.designs > 0);
    all
}

/// What a search cost, in a sentence.
pub(super) fn cost(found: &Found) -> String {
    let share = found.chip_images as f64 / found.all_chip_images.max(1) as f64;
    format!(
        "{} of {} chips times images, {:.1} %",
        thousands(found.chip_images),
        thousands(found.all_chip_images),
        100.0 * share
    )
}

/// The front as a table for a terminal.
pub fn table(found: &Found) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let heads = found.measures.iter().map(|m| match unit(*m) {
        "" => m.to_string(),
        unit => format!("{m} ({unit})"),
    });
    rows.push(
        ["design".to_string(), "settings".into()]
            .into_iter()
            .chain(heads)
            .collect(),
    );
    for &at in &found.front {
        let design = &found.designs[at];
        let values = (0..found.measures.len()).map(|m| value(found, design, m));
        let first = [design.point.to_string(), design.label.clone()];
        rows.push(first.into_iter().chain(values).collect());
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut out = format!(
        "{}: {}\n{}; {} on the front\n\n",
        found.experiment,
        found.goal,
        count(found.designs.len() as u64, "design"),
        found.front.len()
    );
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &w)| format!("{cell:<w$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out += line.trim_end();
        out.push('\n');
    }
    out.push('\n');
    if found.front.is_empty() {
        out += "no design keeps all constraints\n";
    }
    for Reason {
        words,
        constraint,
        designs,
    } in reasons(found)
    {
        let of = constraint.map_or(String::new(), |c| format!(" {c}"));
        out += &format!("{designs} {words}{of}\n");
    }
    out + &format!(
        "simulated: {}\nintervals: 95 % over chips, of each design alone; risk of a design left out that the whole sweep would have: {}\n",
        cost(found),
        found.risk
    )
}
