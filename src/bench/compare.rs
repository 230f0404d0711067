//! Reports of two programs, or of one program on two machines, held against each other row by row.
//!
//! # Theory
//! Two measurements a minute apart differ by what else the machine did. Reports that were made in
//! alternation (A, B, A, B, ...) are therefore compared pair by pair: the logarithms of the ratios of a
//! row's rates are independent of what both of a pair suffered, and their mean has Student's interval. One
//! pair has no interval, and its ratio is no verdict.

use std::collections::BTreeSet;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::report::{BenchReport, Row};
use super::table;
use crate::choice::choices;
use crate::error::{Error, Result};

choices! {
    /// What the interval of a ratio says.
    pub enum Verdict {
        /// The whole interval lies above 1 + tolerance.
        Faster = "faster",
        /// The whole interval lies below 1 - tolerance.
        Slower = "slower",
        /// The whole interval lies within the tolerance of 1.
        Same = "same",
        /// The interval reaches over an end of the tolerance, or there is none (a single pair).
        Unresolved = "unresolved",
    }
}

/// One row in both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The row.
    pub name: String,
    /// `cpu` or `gpu`.
    pub backend: String,
    /// Adapter or processor in A.
    pub adapter_a: String,
    /// Adapter or processor in B.
    pub adapter_b: String,
    /// The unit of the rates.
    pub unit: String,
    /// Units per second in A, the geometric mean over the pairs.
    pub rate_a: f64,
    /// Units per second in B, likewise.
    pub rate_b: f64,
    /// Rate of B over the rate of A, the geometric mean over the pairs.
    pub ratio: f64,
    /// 95 % interval of the ratio; none for a single pair.
    pub ratio_ci95: Option<[f64; 2]>,
    /// What the interval says.
    pub verdict: Verdict,
}

/// All rows that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of pairs of reports.
    pub pairs: usize,
    /// Relative difference that does not matter.
    pub tolerance: f64,
    /// Rows in the order of the first report.
    pub rows: Vec<Change>,
    /// Rows, by name and backend, that one report or more lacks.
    pub missing: Vec<String>,
}

impl Comparison {
    /// Compares reports in alternation: `reports` is A, B, A, B, ...
    ///
    /// Rows are paired by their names, backends and adapters. Where A measured one adapter of a backend and
    /// B another one, these two are compared: two cards.
    ///
    /// ```
    /// use pimento::backend::cpu::CpuBackend;
    /// use pimento::bench::{BenchOptions, Comparison, Target, run};
    ///
    /// let cpu = [Target { backend: Box::new(CpuBackend::new()) }];
    /// let options = BenchOptions { quick: true, filter: Some("gemm/256".into()) };
    /// let reports = [run(&cpu, &options, &())?, run(&cpu, &options, &())?];
    /// let comparison = Comparison::of(&reports, 0.03)?;
    /// assert_eq!(comparison.rows[0].name, "gemm/256");
    /// assert!(comparison.rows[0].ratio_ci95.is_none());
    /// # Ok::<(), pimento::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] unless there are as many B as A, at least one of each, all of `--quick` or none, with
    /// a row in common, no report has a row twice, and every rate is a positive number.
    pub fn of(reports: &[BenchReport], tolerance: f64) -> Result<Self> {
        check(reports)?;
        let pairs: Vec<_> = reports.chunks_exact(2).collect();
        let mut rows = vec![];
        let mut missing = BTreeSet::new();
        for row in &reports[0].rows {
            let found: Option<Vec<_>> = pairs
                .iter()
                .map(|pair| Some((find(&pair[0], row, true)?, find(&pair[1], row, false)?)))
                .collect();
            match found {
                Some(found) => rows.push(Change::of(&found, tolerance)),
                None => drop(missing.insert(words(row))),
            }
        }
        for report in &reports[1..] {
            let known = |r: &&Row| !rows.iter().any(|c| c.is(r));
            missing.extend(report.rows.iter().filter(known).map(words));
        }
        match rows.is_empty() {
            true => Err(Error::input("the reports have no row in common")),
            false => Ok(Self {
                pairs: pairs.len(),
                tolerance,
                rows,
                missing: missing.into_iter().collect(),
            }),
        }
    }

    /// Whether a row is slower in B beyond the tolerance, by its whole interval.
    pub fn is_slower(&self) -> bool {
        self.rows.iter().any(|r| r.verdict == Verdict::Slower)
    }

    /// The rows as aligned text, with a line that explains the columns.
    pub fn table(&self) -> String {
        let head = ["row", "on", "A", "B", "B/A", "95 %", ""].map(String::from);
        let rows: Vec<_> = self.rows.iter().map(Change::cells).collect();
        let width = table::widths(&head, &rows);
        let mut text = table::line(&head, &width, 2);
        for cells in &rows {
            text += &table::line(cells, &width, 2);
        }
        if !self.missing.is_empty() {
            text += &format!("not in all reports: {}\n", self.missing.join(", "));
        }
        text + &match self.pairs {
            1 => "One pair: no interval, no verdict. Reports made in alternation (A B A B ...) have one.\n".into(),
            n => format!(
                "{n} pairs; geometric means, 95 % interval of Student's t. slower, faster: the interval lies \
                 beyond {:.1} %.\n",
                100.0 * self.tolerance
            ),
        }
    }
}

/// A row in words.
fn words(row: &Row) -> String {
    format!("{} ({}, {})", row.name, row.backend, row.adapter)
}

fn check(reports: &[BenchReport]) -> Result<()> {
    if reports.is_empty() || !reports.len().is_multiple_of(2) {
        return Err(Error::input(format!(
            "{} reports; allowed: an even number, A B A B ...",
            reports.len()
        )));
    }
    if reports.iter().any(|r| r.quick != reports[0].quick) {
        return Err(Error::input(
            "reports with and without --quick have different sizes and are not compared",
        ));
    }
    for (i, report) in reports.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for row in &report.rows {
            if !seen.insert((&row.name, &row.backend, &row.adapter)) {
                let row = words(row);
                return Err(Error::input(format!(
                    "report {}: {row} is there twice",
                    i + 1
                )));
            }
            if !(row.rate.is_finite() && row.rate > 0.0) {
                let (row, rate) = (words(row), row.rate);
                return Err(Error::input(format!(
                    "report {}: {row} has the rate {rate}; allowed: a positive number",
                    i + 1
                )));
            }
        }
    }
    Ok(())
}

/// The row of `report` that is measured as `like`: on the same adapter, or, in B, on the only one of the
/// backend.
fn find<'a>(report: &'a BenchReport, like: &Row, same: bool) -> Option<&'a Row> {
    let named = |r: &&Row| r.name == like.name && r.backend == like.backend && r.unit == like.unit;
    let exact = report
        .rows
        .iter()
        .find(|r| named(r) && r.adapter == like.adapter);
    if exact.is_some() || same {
        return exact;
    }
    let adapters: BTreeSet<_> = report
        .rows
        .iter()
        .filter(|r| r.backend == like.backend)
        .map(|r| &r.adapter)
        .collect();
    match adapters.len() {
        1 => report.rows.iter().find(named),
        _ => None,
    }
}

impl Change {
    /// Of the same row in every pair.
    fn of(pairs: &[(&Row, &Row)], tolerance: f64) -> Self {
        let n = pairs.len() as f64;
        let mean = |f: &dyn Fn(&(&Row, &Row)) -> f64| pairs.iter().map(f).sum::<f64>() / n;
        let ratio = |(a, b): &(&Row, &Row)| (b.rate / a.rate).ln();
        let centre = mean(&ratio);
        let half = half_width(&pairs.iter().map(ratio).collect::<Vec<_>>(), centre);
        let ratio_ci95 = half.map(|h| [(centre - h).exp(), (centre + h).exp()]);
        let (a, b) = pairs[0];
        Self {
            name: a.name.clone(),
            backend: a.backend.clone(),
            adapter_a: a.adapter.clone(),
            adapter_b: b.adapter.clone(),
            unit: a.unit.clone(),
            rate_a: mean(&|(a, _)| a.rate.ln()).exp(),
            rate_b: mean(&|(_, b)| b.rate.ln()).exp(),
            ratio: centre.exp(),
            ratio_ci95,
            verdict: verdict(ratio_ci95, tolerance),
        }
    }

    /// Whether this is the change of `row`.
    fn is(&self, row: &Row) -> bool {
        let adapters = [&self.adapter_a, &self.adapter_b];
        self.name == row.name && self.backend == row.backend && adapters.contains(&&row.adapter)
    }

    fn cells(&self) -> [String; 7] {
        let adapters = match self.adapter_a == self.adapter_b {
            true => self.adapter_a.clone(),
            false => format!("{} | {}", self.adapter_a, self.adapter_b),
        };
        let interval = self
            .ratio_ci95
            .map(|[lo, hi]| format!("{lo:.3} to {hi:.3}"));
        [
            self.name.clone(),
            format!("{} {adapters}", self.backend),
            table::rate(self.rate_a, &self.unit),
            table::rate(self.rate_b, &self.unit),
            format!("{:.3}", self.ratio),
            interval.unwrap_or_default(),
            self.verdict.to_string(),
        ]
    }
}

/// Half of Student's 95 % interval of the mean; none from one value.
fn half_width(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len() as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some(t.inverse_cdf(0.975) * (squares / (n - 1.0) / n).sqrt())
}

fn verdict(interval: Option<[f64; 2]>, tolerance: f64) -> Verdict {
    match interval {
        Some([lo, _]) if lo > 1.0 + tolerance => Verdict::Faster,
        Some([_, hi]) if hi < 1.0 - tolerance => Verdict::Slower,
        Some([lo, hi]) if lo >= 1.0 - tolerance && hi <= 1.0 + tolerance => Verdict::Same,
        Some(_) | None => Verdict::Unresolved,
    }
}

#[cfg(test)]
mod tests;
