//! Two runs against each other, point by point.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::combine::Run;
use super::pairing::{Pairing, Setting};
use super::text::{percent, probability};
use crate::error::Result;
use crate::sweep::compare::pair;
use crate::sweep::result::{ChipRow, PointSummary};
use crate::sweep::statistics::Interval;

/// Family-wise error: differences are called real when even the smallest of so many p values is
/// unlikely (Bonferroni).
const ALPHA: f64 = 0.05;

/// A point that both runs have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointDifference {
    /// Its axes in words.
    pub point: String,
    /// Index in the first run.
    pub a: usize,
    /// Index in the second run.
    pub b: usize,
    /// Mean accuracy in the first run.
    pub mean_a: f64,
    /// Mean accuracy in the second run.
    pub mean_b: f64,
    /// Whether the chips are the same ones (same seed, images and deviations), so that they were
    /// compared one by one.
    pub paired: bool,
    /// Chips compared.
    pub chips: u64,
    /// Whether every chip has the same accuracy in both.
    pub identical: bool,
    /// Mean of `b - a`.
    pub mean: f64,
    /// Its 95 % interval: of paired chips, or Welch's.
    pub mean_ci95: Interval,
    /// Two-sided p of a mean difference this large where there is none.
    pub p: f64,
}

/// What two runs differ in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Name of the first run.
    pub a: String,
    /// Name of the second run.
    pub b: String,
    /// Points that both have.
    pub points: Vec<PointDifference>,
    /// Points of the first run only, in words.
    pub only_a: Vec<String>,
    /// Points of the second run only.
    pub only_b: Vec<String>,
    /// Settings in which all points of one run differ from all of the other.
    pub settings: Vec<Setting>,
    /// Axes that have values in one run only, so that points stay without a pair.
    pub prevents: Vec<Setting>,
}

impl Difference {
    /// Whether some point differs by more than chance, all points taken together (5 %, Bonferroni),
    /// or is in one run only.
    pub fn is_real(&self) -> bool {
        let smallest = self.points.iter().map(|p| p.p).fold(1.0, f64::min);
        let alone = !self.only_a.is_empty() || !self.only_b.is_empty();
        alone || smallest * (self.points.len() as f64) < ALPHA
    }

    /// For the terminal.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for s in &self.settings {
            let [a, b] = s.sides();
            out += &format!("{}: {a} in {}, {b} in {}\n", s.name, self.a, self.b);
        }
        for p in &self.points {
            let how = if p.paired {
                "chips that both have; the means are over all of each run"
            } else {
                "independent chips of the run that has fewer"
            };
            let verdict = match p.identical {
                true => "identical, chip by chip".to_string(),
                false => format!(
                    "{:>+7.3} points [{}, {}], p {}",
                    100.0 * p.mean,
                    percent(p.mean_ci95.lo, 3),
                    percent(p.mean_ci95.hi, 3),
                    equals(&probability(p.p))
                ),
            };
            out += &format!(
                "{}\n    {} % -> {} %: {verdict} ({} {how})\n",
                if p.point.is_empty() {
                    "the point"
                } else {
                    &p.point
                },
                percent(p.mean_a, 2),
                percent(p.mean_b, 2),
                p.chips
            );
        }
        for (run, points) in [(&self.a, &self.only_a), (&self.b, &self.only_b)] {
            for point in points {
                let point = if point.is_empty() { "the point" } else { point };
                out += &format!("{point}\n    only in {run}\n");
            }
        }
        if !(self.only_a.is_empty() && self.only_b.is_empty()) {
            for s in &self.prevents {
                let [a, b] = s.sides();
                let (x, y) = (&self.a, &self.b);
                out += &format!("{} keeps points apart: {a} in {x}, {b} in {y}\n", s.name);
            }
        }
        out += match self.is_real() {
            true => "the runs differ\n",
            false => "no difference beyond chance (5 %, all points together)\n",
        };
        out
    }
}

/// A p value behind its letter.
fn equals(p: &str) -> String {
    match p.starts_with('<') {
        true => p.to_string(),
        false => format!("= {p}"),
    }
}

/// Compares the points that agree in what the runs sweep.
///
/// # Errors
/// None but those of the program.
pub fn diff(a: &Run, b: &Run) -> Result<Difference> {
    let pairing = Pairing::new(&a.result, &b.result);
    let mut points = vec![];
    for &(i, j) in &pairing.pairs {
        let (p, q) = (&a.result.points[i], &b.result.points[j]);
        let words = pairing.words[0][i].clone();
        points.push(point((a, b), words, (i, p), (j, q))?);
    }
    let words = |run: usize, points: &[usize]| {
        let words = points.iter().map(|&p| pairing.words[run][p].clone());
        words.collect()
    };
    Ok(Difference {
        a: a.name.clone(),
        b: b.name.clone(),
        points,
        only_a: words(0, &pairing.only_a),
        only_b: words(1, &pairing.only_b),
        settings: pairing.settings,
        prevents: pairing.prevents,
    })
}

fn point(
    (a, b): (&Run, &Run),
    words: String,
    (i, p): (usize, &PointSummary),
    (j, q): (usize, &PointSummary),
) -> Result<PointDifference> {
    let rows = |run: &Run, point: usize| -> Vec<Result<ChipRow>> {
        let mut own: Vec<ChipRow> = run
            .rows
            .iter()
            .filter(|r| r.point == point)
            .copied()
            .collect();
        own.sort_by_key(|r| r.chip);
        own.into_iter().map(Ok).collect()
    };
    let same_chips =
        a.result.seed == b.result.seed && p.stratified == q.stratified && p.images == q.images;
    let mut out = PointDifference {
        point: words,
        a: i,
        b: j,
        mean_a: p.mean,
        mean_b: q.mean,
        paired: same_chips,
        chips: p.chips.min(q.chips) as u64,
        identical: false,
        mean: q.mean - p.mean,
        mean_ci95: Interval::UNKNOWN,
        p: 1.0,
    };
    let (se, freedom) = if same_chips {
        let limits = [p.yield_limit, q.yield_limit];
        let s = pair(rows(a, i).into_iter(), rows(b, j).into_iter(), limits)?
            .summary(p.images, p.stratified);
        out.chips = s.chips;
        out.mean = s.mean;
        out.mean_ci95 = s.mean_ci95;
        out.identical = s.better + s.worse == 0.0 && p.chips == q.chips;
        let freedom = if p.stratified {
            f64::from(crate::sweep::statistics::replicates::REPLICATES - 1)
        } else {
            s.chips as f64 - 1.0
        };
        (s.se, freedom)
    } else {
        // Welch (Biometrika 34, 1947, 28-35).
        let (u, v) = (p.se * p.se, q.se * q.se);
        let freedom =
            (u + v).powi(2) / (u * u / (p.chips as f64 - 1.0) + v * v / (q.chips as f64 - 1.0));
        ((u + v).sqrt(), freedom)
    };
    if let (false, Ok(t)) = (out.identical, StudentsT::new(0.0, 1.0, freedom)) {
        if !same_chips {
            let welch = Interval::around(out.mean, t.inverse_cdf(0.975) * se);
            out.mean_ci95 = welch.within(-1.0, 1.0);
        }
        out.p = match se > 0.0 {
            true => 2.0 * t.sf((out.mean / se).abs()),
            false => f64::from(out.mean == 0.0),
        };
    }
    Ok(out)
}
