//! Two runs against each other, point by point.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::combine::Run;
use super::pairing::{Pairing, Setting};
use super::text::{percent, probability, rounded, signed};
use crate::error::Result;
use crate::sweep::compare::pair;
use crate::sweep::result::{ChipRow, PointSummary};
use crate::sweep::spread::ColumnDifference;
use crate::sweep::statistics::Interval;
use crate::sweep::statistics::replicates::REPLICATES;

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
    /// Columns that only some experiments have and both runs do, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnChange>,
}

/// How a column differs between the two runs at a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ColumnChange {
    /// Mean in the first run.
    pub mean_a: f64,
    /// Mean in the second run.
    pub mean_b: f64,
    /// Chips compared.
    pub chips: u64,
    /// Mean of `b - a`.
    pub mean: f64,
    /// Its 95 % interval: of paired chips, or Welch's.
    pub mean_ci95: Interval,
    /// Two-sided p of a mean difference this large where there is none.
    pub p: f64,
    /// Whether the second run is the better one, where the column has a good direction and the interval leaves
    /// out 0.
    pub improves: Option<bool>,
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
        let columns = self.points.iter().flat_map(|p| p.columns.values());
        let all = self.points.iter().map(|p| p.p).chain(columns.map(|c| c.p));
        let smallest = all.clone().fold(1.0, f64::min);
        let alone = !self.only_a.is_empty() || !self.only_b.is_empty();
        alone || smallest * (all.count() as f64) < ALPHA
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
            for (name, change) in &p.columns {
                out += &change.line(name);
            }
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

impl ColumnChange {
    /// For the terminal, under the line of its point.
    fn line(&self, name: &str) -> String {
        // One digit more than the interval leaves of interest, as of accuracies.
        let width = self.mean_ci95.half() / 10.0;
        let means = [self.mean_a, self.mean_b].map(|mean| rounded(mean, width));
        let means = means.join(" -> ");
        if self.mean == 0.0 && width == 0.0 {
            return format!("    {name} {means}: identical\n");
        }
        let verdict = match self.improves {
            Some(true) => ", better",
            Some(false) => ", worse",
            None => "",
        };
        format!(
            "    {name} {means}: {} [{}, {}], p {}{verdict}\n",
            signed(self.mean, width),
            rounded(self.mean_ci95.lo, width),
            rounded(self.mean_ci95.hi, width),
            equals(&probability(self.p)),
        )
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
            .cloned()
            .collect();
        own.sort_by_key(|r| r.chip);
        own.into_iter().map(Ok).collect()
    };
    let same_chips =
        a.result.seed == b.result.seed && p.stratified == q.stratified && p.images == q.images;
    let stratified = p.stratified;
    let pairs = match same_chips {
        false => None,
        true => {
            let limits = [p.yield_limit, q.yield_limit];
            let rows = [rows(a, i), rows(b, j)].map(Vec::into_iter);
            let [a, b] = rows;
            Some(pair(a, b, limits)?)
        }
    };
    let accuracy = pairs
        .as_ref()
        .map(|pairs| pairs.accuracy.summary(p.images, stratified));
    let test = match &accuracy {
        Some(s) => Test::paired(s.mean, s.se, s.chips, stratified),
        None => Test::welch([p, q].map(|p| Sample {
            mean: p.mean,
            se: p.se,
            n: p.chips as u64,
        })),
    };
    let identical = accuracy.is_some_and(|s| s.better + s.worse == 0.0 && p.chips == q.chips);
    Ok(PointDifference {
        point: words,
        a: i,
        b: j,
        mean_a: p.mean,
        mean_b: q.mean,
        paired: same_chips,
        chips: accuracy.map_or(p.chips.min(q.chips) as u64, |s| s.chips),
        identical,
        mean: test.mean,
        mean_ci95: match &accuracy {
            Some(s) => s.mean_ci95,
            None => test.interval().within(-1.0, 1.0),
        },
        p: if identical { 1.0 } else { test.p() },
        columns: columns(p, q, pairs.map(|pairs| pairs.columns(stratified))),
    })
}

/// The columns that both points have; `paired` are the differences on the same chips, where they are.
fn columns(
    p: &PointSummary,
    q: &PointSummary,
    paired: Option<BTreeMap<String, ColumnDifference>>,
) -> BTreeMap<String, ColumnChange> {
    let mut found = BTreeMap::new();
    for (name, a) in &p.columns {
        let Some(b) = q.columns.get(name) else {
            continue;
        };
        let of_pairs = paired.as_ref().and_then(|paired| paired.get(name));
        let test = match of_pairs {
            Some(d) => Test::paired(d.mean, d.se, d.n, p.stratified),
            None => Test::welch([a, b].map(|c| Sample {
                mean: c.mean,
                se: c.se,
                n: c.n,
            })),
        };
        let mean_ci95 = of_pairs.map_or_else(|| test.interval(), |d| d.ci95);
        let improves = a
            .better
            .filter(|_| mean_ci95.lo > 0.0 || mean_ci95.hi < 0.0);
        let change = ColumnChange {
            mean_a: a.mean,
            mean_b: b.mean,
            chips: of_pairs.map_or(a.n.min(b.n), |d| d.n),
            mean: test.mean,
            mean_ci95,
            p: test.p(),
            improves: improves.map(|better| better.prefers(test.mean, 0.0)),
        };
        found.insert(name.clone(), change);
    }
    found
}

/// A mean over independent chips.
#[derive(Debug, Clone, Copy)]
struct Sample {
    mean: f64,
    se: f64,
    n: u64,
}

/// Student's t of a difference of means.
#[derive(Debug, Clone, Copy)]
struct Test {
    mean: f64,
    se: f64,
    freedom: f64,
}

impl Test {
    /// Of a mean of differences over chips, or over replicates where they are stratified.
    fn paired(mean: f64, se: f64, chips: u64, stratified: bool) -> Self {
        let freedom = match stratified {
            true => f64::from(REPLICATES - 1),
            false => chips as f64 - 1.0,
        };
        Self { mean, se, freedom }
    }

    /// Of two means over chips of their own (Welch, Biometrika 34, 1947, 28-35).
    fn welch([a, b]: [Sample; 2]) -> Self {
        let (u, v) = (a.se * a.se, b.se * b.se);
        let freedom = (u + v).powi(2) / (u * u / (a.n as f64 - 1.0) + v * v / (b.n as f64 - 1.0));
        Self {
            mean: b.mean - a.mean,
            se: (u + v).sqrt(),
            freedom,
        }
    }

    /// 95 % interval of the difference; unknown from too few chips.
    fn interval(&self) -> Interval {
        match StudentsT::new(0.0, 1.0, self.freedom) {
            Ok(t) => Interval::around(self.mean, t.inverse_cdf(0.975) * self.se),
            Err(_) => Interval::UNKNOWN,
        }
    }

    /// Two-sided p of a difference this large where there is none; 1 from too few chips.
    fn p(&self) -> f64 {
        match StudentsT::new(0.0, 1.0, self.freedom) {
            Ok(t) if self.se > 0.0 => 2.0 * t.sf((self.mean / self.se).abs()),
            Ok(_) => f64::from(self.mean == 0.0),
            Err(_) => 1.0,
        }
    }
}
