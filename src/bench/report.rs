//! What was measured: plain data, a table, JSON through serde.

use super::timing::Times;
use super::{Cost, Work};
use crate::backend::{DeviceInfo, Peak};

/// Everything one call of [`super::run`] measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BenchReport {
    /// Version of Pimento.
    pub pimento: String,
    /// Whether sizes and repeats were those of `--quick`.
    pub quick: bool,
    /// Where it ran.
    pub targets: Vec<TargetReport>,
    /// All rows, target by target.
    pub rows: Vec<Row>,
    /// Rows that could not be measured.
    pub failures: Vec<Failure>,
}

/// A target and its roofs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TargetReport {
    /// What it is.
    #[serde(flatten)]
    pub device: DeviceInfo,
    /// What it can do at most.
    pub peak: Peak,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// Stable name.
    pub name: String,
    /// Adapter or processor.
    pub adapter: String,
    /// `cpu` or `gpu`.
    pub backend: String,
    /// Sizes in words.
    pub sizes: String,
    /// Fastest repetition, s; none for a roof.
    pub best_s: Option<f64>,
    /// Median repetition, s; none for a roof.
    pub median_s: Option<f64>,
    /// Repeats that were timed (each of one or more repetitions).
    pub repeats: usize,
    /// Units per second in the fastest repetition.
    pub rate: f64,
    /// The unit.
    pub unit: String,
    /// Share of the measured peak in the fastest repetition; none for a roof.
    pub share: Option<PeakShare>,
}

/// How much of a roof a row reaches.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PeakShare {
    /// Name of the roof's row.
    pub of: &'static str,
    /// Fraction, 1 for all of it.
    pub value: f64,
}

/// A row that could not be measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Failure {
    /// The row.
    pub name: String,
    /// Adapter or processor.
    pub adapter: String,
    /// Why.
    pub error: String,
}

impl Row {
    pub(super) fn new(
        name: &str,
        info: &DeviceInfo,
        work: &Work,
        times: &Times,
        peak: &Peak,
    ) -> Self {
        let (of, cost, roof) = match work.cost {
            Cost::Flops(n) => ("peak/fma", n, peak.fma_gflops * 1e9),
            Cost::Bytes(n) => ("peak/copy", n, peak.copy_gbytes_per_s * 1e9),
        };
        Self {
            name: name.into(),
            adapter: info.name.clone(),
            backend: info.backend.clone(),
            sizes: work.sizes.clone(),
            best_s: Some(times.best),
            median_s: Some(times.median),
            repeats: times.repeats,
            rate: work.amount / times.best,
            unit: work.unit.into(),
            share: Some(PeakShare {
                of,
                value: cost / times.best / roof,
            }),
        }
    }

    pub(super) fn roof(name: &str, info: &DeviceInfo, what: &str, rate: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            adapter: info.name.clone(),
            backend: info.backend.clone(),
            sizes: what.into(),
            best_s: None,
            median_s: None,
            repeats: 0,
            rate,
            unit: unit.into(),
            share: None,
        }
    }
}

impl BenchReport {
    pub(super) fn new(quick: bool) -> Self {
        Self {
            pimento: env!("CARGO_PKG_VERSION").into(),
            quick,
            targets: vec![],
            rows: vec![],
            failures: vec![],
        }
    }

    pub(super) fn begin(&mut self, info: &DeviceInfo, peak: &Peak) {
        self.targets.push(TargetReport {
            device: info.clone(),
            peak: *peak,
        });
    }

    /// The rows as aligned text, one block a target, with a line that explains the columns.
    pub fn table(&self) -> String {
        let head = ["row", "sizes", "best", "median", "rate", "of peak"].map(String::from);
        let mut lines = vec![];
        for row in &self.rows {
            lines.push((row, cells(row)));
        }
        let mut width = head.each_ref().map(|s| s.chars().count());
        for (_, cells) in &lines {
            for (w, cell) in width.iter_mut().zip(cells) {
                *w = (*w).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        let mut rest = lines.as_slice();
        while let Some((first, _)) = rest.first() {
            let same = |r: &Row| (&r.adapter, &r.backend) == (&first.adapter, &first.backend);
            let n = rest.iter().take_while(|(r, _)| same(r)).count();
            text += &format!("{}\n", self.title(first));
            text += &line(&head, &width);
            for (_, cells) in &rest[..n] {
                text += &line(cells, &width);
            }
            text.push('\n');
            rest = &rest[n..];
        }
        for f in &self.failures {
            text += &format!("{} on {}: not measured: {}\n", f.name, f.adapter, f.error);
        }
        text + "best and median: one repetition. of peak: share of peak/fma, or of peak/copy (c).\n"
    }

    /// Backend, adapter, API and driver of a row's target.
    fn title(&self, row: &Row) -> String {
        let target = self
            .targets
            .iter()
            .find(|t| t.device.name == row.adapter && t.device.backend == row.backend);
        let mut text = format!("{}  {}", row.backend, row.adapter);
        if let Some(t) = target {
            text += &format!(" ({})", t.device.api);
            if !t.device.driver.is_empty() {
                text += &format!(", {}", t.device.driver);
            }
        }
        text
    }
}

fn cells(row: &Row) -> [String; 6] {
    let time = |t: Option<f64>| t.map_or(String::new(), seconds);
    let share = row.share.as_ref().map_or(String::new(), |s| {
        let mark = if s.of == "peak/copy" { " c" } else { "  " };
        format!("{:.1} %{mark}", 100.0 * s.value)
    });
    [
        row.name.clone(),
        row.sizes.clone(),
        time(row.best_s),
        time(row.median_s),
        rate(row.rate, &row.unit),
        share,
    ]
}

/// Names to the left, numbers to the right.
fn line(cells: &[String; 6], width: &[usize; 6]) -> String {
    let mut text = String::new();
    for (i, (cell, w)) in cells.iter().zip(width).enumerate() {
        if i < 2 {
            text += &format!("{cell:<w$}  ");
        } else {
            text += &format!("{cell:>w$}  ");
        }
    }
    format!("{}\n", text.trim_end())
}

/// A duration with four digits at most.
fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// A rate with an SI prefix.
fn rate(per_second: f64, unit: &str) -> String {
    let (factor, prefix) = match per_second {
        r if r >= 1e12 => (1e-12, "T"),
        r if r >= 1e9 => (1e-9, "G"),
        r if r >= 1e6 => (1e-6, "M"),
        r if r >= 1e3 => (1e-3, "k"),
        _ => (1.0, ""),
    };
    format!("{:.2} {prefix}{unit}/s", per_second * factor)
}
