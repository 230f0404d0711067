//! What was measured: plain data, a table, JSON through serde.

use super::timing::Times;
use super::{Cost, Work, table};
use crate::backend::{DeviceInfo, Peak};

/// Everything one call of [`super::run`] measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TargetReport {
    /// What it is.
    #[serde(flatten)]
    pub device: DeviceInfo,
    /// What it can do at most.
    pub peak: Peak,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// Floating-point operations of a repetition, in closed form (a multiply-add is two); none for a roof
    /// and for rows that are held against the copy.
    #[serde(default)]
    pub flop: Option<f64>,
    /// Bytes that the operators of a repetition move, each its own tensors once
    /// ([`crate::program::Program::traffic`]); none for a roof.
    #[serde(default)]
    pub bytes: Option<f64>,
    /// What moving these bytes takes of the fastest repetition at the rate of `peak/copy`; none for a roof.
    /// Above 1 where caches hold what one operator leaves to the next.
    #[serde(default)]
    pub copy: Option<f64>,
}

/// How much of a roof a row reaches.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PeakShare {
    /// Name of the roof's row.
    pub of: String,
    /// Fraction, 1 for all of it.
    pub value: f64,
}

/// A row that could not be measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
                of: of.into(),
                value: cost / times.best / roof,
            }),
            flop: match work.cost {
                Cost::Flops(n) => Some(n),
                Cost::Bytes(_) => None,
            },
            bytes: Some(work.traffic as f64),
            copy: Some(work.traffic as f64 / times.best / (peak.copy_gbytes_per_s * 1e9)),
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
            flop: None,
            bytes: None,
            copy: None,
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
        let head = HEAD.map(String::from);
        let rows: Vec<_> = self.rows.iter().map(cells).collect();
        let width = table::widths(&head, &rows);
        let mut text = String::new();
        let mut done = 0;
        while let Some(first) = self.rows.get(done) {
            let same = |r: &&Row| (&r.adapter, &r.backend) == (&first.adapter, &first.backend);
            let n = self.rows[done..].iter().take_while(same).count();
            text += &format!("{}\n", self.title(first));
            text += &table::line(&head, &width, WORDS);
            for cells in &rows[done..done + n] {
                text += &table::line(cells, &width, WORDS);
            }
            text.push('\n');
            done += n;
        }
        for f in &self.failures {
            text += &format!("{} on {}: not measured: {}\n", f.name, f.adapter, f.error);
        }
        text + LEGEND
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

const HEAD: [&str; 9] = [
    "row", "sizes", "best", "median", "rate", "of peak", "FLOP", "bytes", "of copy",
];
/// Columns of words, on the left.
const WORDS: usize = 2;
const LEGEND: &str = "\
best and median: one repetition. of peak: share of peak/fma, or of peak/copy (c). bytes: what the operators \
of a repetition move, each its own tensors once; of copy: what that takes of the time at the rate of \
peak/copy, above 100 % where caches hold it.\n";

fn cells(row: &Row) -> [String; HEAD.len()] {
    let text = |value: Option<f64>, show: fn(f64) -> String| value.map_or(String::new(), show);
    let share = row.share.as_ref().map_or(String::new(), |s| {
        let mark = if s.of == "peak/copy" { " c" } else { "  " };
        format!("{:.1} %{mark}", 100.0 * s.value)
    });
    [
        row.name.clone(),
        row.sizes.clone(),
        text(row.best_s, table::seconds),
        text(row.median_s, table::seconds),
        table::rate(row.rate, &row.unit),
        share,
        text(row.flop, table::amount),
        text(row.bytes, table::amount),
        text(row.copy, |v| format!("{:.1} %", 100.0 * v)),
    ]
}
