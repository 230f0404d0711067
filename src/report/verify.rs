//! Whether what was read back from a run's files can be what a sweep wrote.
//!
//! Files are edited, cut and damaged; a number of any size in them must not decide how much memory
//! a plot takes, and one that contradicts another is no result.

use std::collections::{HashMap, HashSet};

use crate::config::{MAX_CHIPS, MAX_POINTS};
use crate::sweep::breakdown::Breakdown;
use crate::sweep::census::{Basis, Census};
use crate::sweep::columns;
use crate::sweep::result::{ChipRow, PointInputs, PointSummary, SweepResult};
use crate::sweep::spread::ColumnSummary;
use crate::sweep::statistics::Interval;

/// Accuracies are written as quotients with all digits: what may be lost is rounding.
const ROUNDING: f64 = 1e-9;

/// The first column of a row that cannot be what a sweep wrote, and what would be allowed.
pub(super) fn row(row: &ChipRow) -> Option<(&'static str, String)> {
    let finite_or_none = |x: f64| x.is_nan() || x.is_finite();
    let quotient = f64::from(row.correct) / f64::from(row.images);
    let bad = |column, allowed: String| Some((column, allowed));
    let (most_points, most_chips) = (MAX_POINTS, MAX_CHIPS);
    let fields = ChipRow::FIELDS.iter();
    let fields = fields.map(|f| (f.column.name, f64::from((f.get)(row))));
    let values = row.values.iter().map(|(column, x)| (column.name, x));
    match row {
        r if r.point >= most_points => bad("point", format!("a number below {most_points}")),
        r if r.chip as usize >= most_chips => bad("chip", format!("a number below {most_chips}")),
        r if r.images == 0 => bad("images", "at least 1".into()),
        r if r.correct > r.images => bad("correct", format!("at most {} images", r.images)),
        r if !(0.0..=1.0).contains(&r.accuracy) => bad("accuracy", "a number from 0 to 1".into()),
        r if (r.accuracy - quotient).abs() > ROUNDING => bad(
            "accuracy",
            format!("{} of {} images ({quotient})", r.correct, r.images),
        ),
        r if !(finite_or_none(r.loss) && (r.loss.is_nan() || r.loss >= 0.0)) => {
            bad("loss", "a finite number of at least 0".into())
        }
        _ => {
            let broken = fields.chain(values).find(|(_, x)| !finite_or_none(*x));
            broken.and_then(|(column, _)| bad(column, "a finite number".into()))
        }
    }
}

/// Whether rows and summary are of one run.
///
/// # Errors
/// A message without the file's name: a row of a point that there is not, twice the same chip, other
/// images, another number of chips than the summary has, or a statistic that is not the one of the
/// rows.
pub fn run(result: &SweepResult, rows: &[ChipRow]) -> Result<(), String> {
    let mut seen: HashMap<usize, (usize, HashSet<u32>)> = HashMap::new();
    for r in rows {
        let (point, chip) = (r.point, r.chip);
        let Some(summary) = result.points.get(point) else {
            return Err(format!(
                "a row is of point {point}; summary.json has {} points",
                result.points.len()
            ));
        };
        if r.images != summary.images {
            return Err(format!(
                "chip {chip} of point {point} has {} images, summary.json {}",
                r.images, summary.images
            ));
        }
        let (n, chips) = seen.entry(point).or_default();
        *n += 1;
        if !chips.insert(chip) {
            return Err(format!("chip {chip} of point {point} is there twice"));
        }
    }
    let mut sorted: Vec<&ChipRow> = rows.iter().collect();
    sorted.sort_by_key(|r| (r.point, r.chip));
    let mut sorted = sorted.into_iter().peekable();
    for (point, summary) in result.points.iter().enumerate() {
        let n = seen.get(&point).map_or(0, |(n, _)| *n);
        if n != summary.chips {
            return Err(format!(
                "point {point} has {n} chips, summary.json {}",
                summary.chips
            ));
        }
        let mut census = Census::default();
        while let Some(row) = sorted.next_if(|r| r.point == point) {
            census.push(row);
        }
        agrees(summary, &census).map_err(|what| format!("point {point}: {what}"))?;
    }
    Ok(())
}

/// Whether a summary's numbers are those of the chips.
fn agrees(found: &PointSummary, chips: &Census) -> Result<(), String> {
    let inputs = PointInputs {
        ideal: found.ideal,
        ideal_metrics: Default::default(),
        yield_limit: found.yield_limit,
        tuning_cost: found.tuning_cost,
        costs: found.costs.clone(),
        energy: None,
        basis: Basis {
            stratified: found.stratified,
            chance: None,
        },
        predicted_variance: None,
        elapsed_s: found.elapsed_s,
    };
    let right = PointSummary::new(found.axes.clone(), chips, &inputs);
    let numbers = |p: &PointSummary| {
        let others = [
            ("mean_loss", p.mean_loss),
            ("loss_vs_ideal", p.loss_vs_ideal),
        ];
        accuracies(p).into_iter().chain(others)
    };
    for ((name, is), (_, of_rows)) in numbers(found).zip(numbers(&right)) {
        same(name, is, of_rows)?;
    }
    for (name, of_rows) in &right.columns {
        let Some(is) = found.columns.get(name) else {
            return Err(format!("columns.{name} is not in summary.json"));
        };
        for ((number, is), (_, of_rows)) in column(is).zip(column(of_rows)) {
            same(&format!("columns.{name}.{number}"), is, of_rows)?;
        }
    }
    // A column that this version does not know is in no row that it reads.
    let mut names = found.columns.keys();
    let is_lost = |name: &&String| !right.columns.contains_key(*name);
    if let Some(name) = names.find(|name| is_lost(name) && columns::find(name).is_some()) {
        return Err(format!("columns.{name} is in summary.json, in no row"));
    }
    // Runs that were put together on one page have none.
    for (i, (is, of_rows)) in found.worst.iter().zip(&right.worst).enumerate() {
        if is.chip != of_rows.chip || !close(is.accuracy, of_rows.accuracy) {
            return Err(format!(
                "worst.{i} is chip {} with {} in summary.json, chip {} with {} by the rows",
                is.chip, is.accuracy, of_rows.chip, of_rows.accuracy
            ));
        }
    }
    match found.worst.len() > right.worst.len() {
        true => Err(format!("{} worst chips in summary.json", found.worst.len())),
        false => Ok(()),
    }
}

/// Whether a statistic is that of the rows.
fn same(name: &str, is: f64, of_rows: f64) -> Result<(), String> {
    match close(is, of_rows) {
        true => Ok(()),
        false => Err(format!(
            "{name} is {is} in summary.json, {of_rows} by the rows"
        )),
    }
}

/// Statistics of a column over a point's chips.
fn column(c: &ColumnSummary) -> impl Iterator<Item = (&'static str, f64)> {
    let numbers = [
        ("n", c.n as f64),
        ("mean", c.mean),
        ("std", c.std),
        ("min", c.min),
        ("q05", c.q05),
        ("q25", c.q25),
        ("median", c.median),
        ("q75", c.q75),
        ("q95", c.q95),
        ("max", c.max),
        ("error", c.error),
    ];
    numbers.into_iter()
}

/// Statistics of the accuracies of a point's chips.
fn accuracies(p: &PointSummary) -> [(&'static str, f64); 10] {
    [
        ("mean", p.mean),
        ("std", p.std),
        ("min", p.min),
        ("q05", p.q05),
        ("q25", p.q25),
        ("median", p.median),
        ("q75", p.q75),
        ("q95", p.q95),
        ("max", p.max),
        ("yield", p.yield_fraction),
    ]
}

/// Equal up to rounding, or both no number.
fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= ROUNDING * a.abs().max(1.0)
}

/// Whether a summary's numbers are possible.
///
/// # Errors
/// A message that names the point, the field and what is allowed.
pub(super) fn summary(result: &SweepResult) -> Result<(), String> {
    let points = result.points.len();
    if points > MAX_POINTS {
        return Err(format!("{points} points; allowed: at most {MAX_POINTS}"));
    }
    duration("elapsed_s", result.elapsed_s)?;
    for (i, p) in result.points.iter().enumerate() {
        point(p).map_err(|what| format!("point {i}: {what}"))?;
    }
    for (i, c) in result.comparisons.iter().enumerate() {
        let at = |what: String| format!("comparison {i}: {what}");
        if c.a.max(c.b) >= points {
            let (a, b) = (c.a, c.b);
            return Err(at(format!("points {a} and {b}; allowed: below {points}")));
        }
        let d = &c.difference;
        within("mean", d.mean, -1.0, 1.0).map_err(at)?;
        interval("mean_ci95", d.mean_ci95, -1.0, 1.0).map_err(at)?;
        let shares = [
            ("std", d.std),
            ("better", d.better),
            ("worse", d.worse),
            ("sign_p", d.sign_p),
            ("wilcoxon_p", d.wilcoxon_p),
            ("mcnemar_p", d.mcnemar_p),
        ];
        for (name, x) in shares {
            // The sample standard deviation of -1 and 1.
            within(name, x, 0.0, 2.0).map_err(at)?;
        }
    }
    for t in &result.trainings {
        for e in &t.epochs {
            let at = |what| format!("training {:?}, epoch {}: {what}", t.label, e.epoch);
            within("accuracy", e.accuracy, 0.0, 1.0).map_err(at)?;
        }
    }
    Ok(())
}

fn point(p: &PointSummary) -> Result<(), String> {
    if p.chips > MAX_CHIPS {
        return Err(format!("{} chips; allowed: at most {MAX_CHIPS}", p.chips));
    }
    let others = [
        ("ideal", p.ideal),
        ("se", p.se),
        ("mean_unseen", p.mean_unseen),
        ("chance", p.chance),
        ("image_se", p.image_se),
        ("yield_limit", p.yield_limit),
    ];
    for (name, x) in accuracies(p).into_iter().chain(others) {
        within(name, x, 0.0, 1.0)?;
    }
    let intervals = [
        ("mean_ci95", p.mean_ci95),
        ("q05_ci95", p.q05_ci95),
        ("q25_ci95", p.q25_ci95),
        ("median_ci95", p.median_ci95),
        ("q75_ci95", p.q75_ci95),
        ("q95_ci95", p.q95_ci95),
        ("yield_ci95", p.yield_ci95),
        ("yield_exact_ci95", p.yield_exact_ci95),
    ];
    for (name, i) in intervals {
        interval(name, i, 0.0, 1.0)?;
    }
    for (name, sigma) in [("sigma_w", p.axes.sigma_w), ("sigma_b", p.axes.sigma_b)] {
        within(name, sigma, 0.0, SIGMA)?;
    }
    for chip in &p.worst {
        within("worst.accuracy", chip.accuracy, 0.0, 1.0)?;
    }
    for (name, c) in &p.columns {
        for (number, x) in column(c).chain([("se", c.se), ("ideal", c.ideal)]) {
            within(&format!("columns.{name}.{number}"), x, f64::MIN, f64::MAX)?;
        }
        interval(&format!("columns.{name}.ci95"), c.ci95, f64::MIN, f64::MAX)?;
        within(
            &format!("columns.{name}.n"),
            c.n as f64,
            0.0,
            p.chips as f64,
        )?;
    }
    for (name, cost) in &p.costs {
        within(name, *cost, 0.0, f64::MAX)?;
    }
    if let Some(energy) = &p.energy {
        breakdown(energy)?;
    }
    if let Some(e) = &p.estimate {
        within("estimate.variance", e.variance, 0.0, f64::MAX)?;
        within(
            "estimate.predicted_variance",
            e.predicted_variance,
            0.0,
            f64::MAX,
        )?;
    }
    duration("elapsed_s", p.elapsed_s)
}

/// Whether energies by layer and part are possible.
fn breakdown(energy: &Breakdown) -> Result<(), String> {
    within("energy.node_nm", energy.node_nm, 0.0, f64::MAX)?;
    let parts = energy.layers.iter().flat_map(|layer| {
        let parts = layer.parts.iter();
        parts.map(|(part, pj)| (format!("energy.layers.{}.parts.{part}", layer.name), *pj))
    });
    let tuning = ("energy.tuning_pj".to_string(), energy.tuning_pj);
    for (name, pj) in parts.chain([tuning]) {
        if !(0.0..=pj.high).contains(&pj.low) || !pj.high.is_finite() {
            return Err(format!(
                "{name} is from {} to {}; allowed: 0 or more pJ, in this order",
                pj.low, pj.high
            ));
        }
    }
    Ok(())
}

/// No experiment has larger deviations.
const SIGMA: f64 = 1e6;

/// `NaN`, which stands for no number, or inside `lo..=hi`; what rounding may add is allowed.
fn within(name: &str, x: f64, lo: f64, hi: f64) -> Result<(), String> {
    match x.is_nan() || (lo - ROUNDING..=hi + ROUNDING).contains(&x) {
        true => Ok(()),
        false => Err(format!("{name} is {x}; allowed: {lo} to {hi}")),
    }
}

fn interval(name: &str, i: Interval, lo: f64, hi: f64) -> Result<(), String> {
    within(name, i.lo, lo, hi)?;
    within(name, i.hi, lo, hi)?;
    match i.lo > i.hi {
        true => Err(format!("{name} is from {} to {}", i.lo, i.hi)),
        false => Ok(()),
    }
}

fn duration(name: &str, seconds: f64) -> Result<(), String> {
    match seconds >= 0.0 && seconds.is_finite() {
        true => Ok(()),
        false => Err(format!("{name} is {seconds}; allowed: 0 or more seconds")),
    }
}
