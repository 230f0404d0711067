//! Several runs as one, to be shown on one page.

use crate::error::Result;
use crate::sweep::compare::{Comparison, compare, groups};
use crate::sweep::result::{ChipRow, PointSummary, Provenance, SweepResult, TrainingHistory};

/// A run with its name and the rows to be shown.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it is called: the name of its directory.
    pub name: String,
    /// Its results.
    pub result: SweepResult,
    /// Rows of its chips.
    pub rows: Vec<ChipRow>,
}

/// Name of the axis that tells runs apart.
pub(super) const AXIS: &str = "run";

/// All points of all runs, with the run as one more axis. Chips of runs with the same seed are the
/// same chips: every point is compared with that of the first run that has the same axes, and with
/// others of its run as in a sweep.
///
/// # Errors
/// None but those of the program.
pub fn combine(mut runs: Vec<Run>) -> Result<(SweepResult, Vec<ChipRow>)> {
    if runs.len() == 1 {
        let run = runs.remove(0);
        return Ok((run.result, run.rows));
    }
    let same_seed = runs.iter().all(|r| r.result.seed == runs[0].result.seed);
    let mut whole = heading(&runs);
    let mut rows = vec![];
    for run in runs {
        append(&mut whole, &mut rows, run);
    }
    if same_seed {
        let rows_of = |point| {
            let own = rows.iter().filter(move |r: &&ChipRow| r.point == point);
            Ok(own.cloned().map(Ok))
        };
        for pair in across(&whole.points) {
            let compared = compare(&whole.points, pair, &rows_of)?;
            whole.comparisons.push(compared);
        }
    }
    Ok((whole, rows))
}

/// What is said of all runs together, without a point.
fn heading(runs: &[Run]) -> SweepResult {
    let distinct = |of: &dyn Fn(&Run) -> String| {
        let mut all: Vec<String> = runs.iter().map(of).collect();
        all.dedup();
        all
    };
    let mut more = serde_json::Map::new();
    for run in runs {
        let r = &run.result;
        let text = format!(
            "{}, seed {}, configuration {}, Pimento {} on {}, {}",
            r.experiment,
            r.seed,
            r.provenance.config_sha256,
            r.pimento,
            r.adapter,
            r.provenance.started
        );
        more.insert(format!("run {}", run.name), text.into());
    }
    let names = distinct(&|r| r.name.clone());
    SweepResult {
        pimento: env!("CARGO_PKG_VERSION").into(),
        experiment: distinct(&|r| r.result.experiment.clone()).join(", "),
        title: format!("Comparison of {}", names.join(", ")),
        seed: runs[0].result.seed,
        backend: distinct(&|r| r.result.backend.clone()).join(" + "),
        adapter: distinct(&|r| r.result.adapter.clone()).join(" + "),
        elapsed_s: runs.iter().map(|r| r.result.elapsed_s).sum(),
        config: serde_json::Value::Null,
        directory: None,
        axes: vec![],
        points: vec![],
        comparisons: vec![],
        trainings: vec![],
        provenance: Provenance {
            more,
            ..Provenance::default()
        },
    }
}

/// Adds a run's trainings, points, comparisons and rows.
fn append(whole: &mut SweepResult, rows: &mut Vec<ChipRow>, run: Run) {
    let first = whole.points.len();
    let of_run = run.result.trainings.into_iter();
    whole.trainings.extend(of_run.map(|t| TrainingHistory {
        label: format!("{}: {}", run.name, t.label),
        ..t
    }));
    let own = run.result.comparisons.into_iter().map(|c| Comparison {
        a: c.a + first,
        b: c.b + first,
        ..c
    });
    whole.comparisons.extend(own);
    for mut point in run.result.points {
        // Their numbers are those of their own run.
        point.worst.clear();
        point.columns.values_mut().for_each(|c| c.worst.clear());
        let name = run.name.clone().into();
        point.axes.extra.insert(AXIS.into(), name);
        whole.points.push(point);
    }
    rows.extend(run.rows.into_iter().map(|r| ChipRow {
        point: r.point + first,
        ..r
    }));
}

/// Which point of the first run is compared with which of a later one: that of the same axes, or
/// else the first whose chips deviate alike.
fn across(points: &[PointSummary]) -> Vec<(usize, usize)> {
    let run = |p: usize| points[p].axes.extra.get(AXIS);
    let same = |a: usize, b: usize| {
        let mut axes = points[a].axes.clone();
        axes.extra
            .insert(AXIS.into(), run(b).cloned().unwrap_or_default());
        axes == points[b].axes
    };
    let mut pairs = vec![];
    for group in groups(points) {
        let first: Vec<usize> = group
            .iter()
            .copied()
            .filter(|&a| run(a) == run(0))
            .collect();
        for &b in group.iter().filter(|&&b| run(b) != run(0)) {
            let twin = first.iter().copied().find(|&a| same(a, b));
            pairs.extend(twin.or(first.first().copied()).map(|a| (a, b)));
        }
    }
    pairs.sort_by_key(|&(a, b)| (b, a));
    pairs
}
