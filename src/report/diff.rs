//! Two runs against each other, point by point.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::combine::Run;
use super::text::percent;
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
        for p in &self.points {
            let how = if p.paired {
                "same chips"
            } else {
                "independent chips"
            };
            let verdict = match p.identical {
                true => "identical, chip by chip".to_string(),
                false => format!(
                    "{:>+7.3} points [{}, {}], p = {:.3}",
                    100.0 * p.mean,
                    percent(p.mean_ci95.lo, 3),
                    percent(p.mean_ci95.hi, 3),
                    p.p
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
                out += &format!("{point}\n    only in {run}\n");
            }
        }
        out += match self.is_real() {
            true => "the runs differ\n",
            false => "no difference beyond chance (5 %, all points together)\n",
        };
        out
    }
}

/// Compares the points whose axes are equal.
///
/// # Errors
/// None but those of the program.
pub fn diff(a: &Run, b: &Run) -> Result<Difference> {
    let mut out = Difference {
        a: a.name.clone(),
        b: b.name.clone(),
        points: vec![],
        only_a: vec![],
        only_b: vec![],
    };
    let mut taken = vec![false; b.result.points.len()];
    for (i, p) in a.result.points.iter().enumerate() {
        let others = b.result.points.iter().enumerate();
        let other = others
            .filter(|(j, _)| !taken[*j])
            .find(|(_, q)| same_axes(p, q));
        match other {
            Some((j, q)) => {
                taken[j] = true;
                out.points.push(point(a, b, (i, p), (j, q))?);
            }
            None => out.only_a.push(words(p)),
        }
    }
    let rest = b
        .result
        .points
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| !**taken);
    out.only_b.extend(rest.map(|(q, _)| words(q)));
    Ok(out)
}

fn same_axes(p: &PointSummary, q: &PointSummary) -> bool {
    // Through JSON: numbers of a file may be of another type than those in memory.
    serde_json::to_value(&p.axes).ok() == serde_json::to_value(&q.axes).ok()
}

fn words(p: &PointSummary) -> String {
    let a = &p.axes;
    let mut words = vec![
        a.recipe.clone(),
        a.tuning.clone(),
        format!("{} law", a.law),
        format!("sigma_W {}", a.sigma_w),
        format!("sigma_B {}", a.sigma_b),
        format!("{}/{} bits", a.weight_bits, a.activation_bits),
    ];
    if a.test_cells > 0 {
        words.push(format!("{} test cells", a.test_cells));
    }
    words.extend(
        a.extra
            .iter()
            .map(|(name, value)| format!("{name} {value}")),
    );
    words.join(", ")
}

fn point(
    a: &Run,
    b: &Run,
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
        point: words(p),
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
            out.mean_ci95 = Interval::around(out.mean, t.inverse_cdf(0.975) * se);
        }
        out.p = match se > 0.0 {
            true => 2.0 * t.sf((out.mean / se).abs()),
            false => f64::from(out.mean == 0.0),
        };
    }
    Ok(out)
}
