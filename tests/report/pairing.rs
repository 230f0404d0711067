//! Which points of two runs are pairs.

use pimento::report::combine::{Run, combine};
use pimento::report::diff::diff;
use pimento::report::pairing::Pairing;
use pimento::report::{html, verify};
use serde_json::json;

use super::synthetic::{Spec, sweep};

/// A run over sigma_W of so many chips.
fn run(name: &str, sigmas: &[f64]) -> Run {
    let specs: Vec<Spec> = sigmas
        .iter()
        .map(|&sigma| Spec::new("qavat", "none", sigma, 0.1))
        .collect();
    let (mut result, rows) = sweep(name, &specs, 40, 1000);
    result.config = json!({"seed": 7, "variation": {"distribution": "gaussian"}});
    Run {
        name: name.into(),
        result,
        rows,
    }
}

/// Columns are compared chip by chip, or as independent samples, and say which run is better.
#[test]
fn columns_of_two_runs_are_compared() {
    let with_metrics = |sigma: f64| {
        let mut spec = Spec::new("qavat", "none", sigma, 0.1);
        spec.metrics = true;
        let (mut result, rows) = sweep("run", &[spec], 40, 1000);
        result.config = json!({"seed": 7});
        let name = "run".into();
        Run { name, result, rows }
    };
    let (a, mut b) = (with_metrics(0.1), with_metrics(0.2));
    // The same point, made worse.
    b.result.points[0].axes = a.result.points[0].axes.clone();
    let of = |b: &Run| diff(&a, b).unwrap().points.remove(0);
    let paired = of(&b);
    assert!(paired.paired);
    for (name, worse) in [("top5", -1.0), ("brier", 1.0)] {
        let change = paired.columns[name];
        assert_eq!(change.chips, 39);
        assert!(
            change.mean * worse > 0.0 && change.p < 0.01,
            "{name}: {change:?}"
        );
        assert!((change.mean - (change.mean_b - change.mean_a)).abs() < 1e-12);
        assert_eq!(change.improves, Some(false), "{name}");
        assert!(change.mean_ci95.lo < change.mean && change.mean < change.mean_ci95.hi);
    }
    let text = diff(&a, &b).unwrap().table();
    assert!(
        text.contains("    brier 0.") && text.contains(", worse\n"),
        "{text}"
    );
    b.result.seed = 8;
    let independent = of(&b);
    assert!(!independent.paired);
    let (one, other) = (paired.columns["brier"], independent.columns["brier"]);
    assert!(other.mean_ci95.half() > one.mean_ci95.half());
    // The same run is the same in every column.
    let same = of(&a);
    assert_eq!((same.identical, same.columns["top5"].p), (true, 1.0));
}

#[test]
fn runs_of_other_seeds_are_compared() {
    let (a, mut b) = (run("a", &[0.1, 0.2]), run("b", &[0.1, 0.2]));
    b.result.seed = 8;
    b.result.config["seed"] = json!(8);
    for run in [(&a.result, 7u64), (&b.result, 8)] {
        assert_eq!(run.0.seed, run.1);
    }
    let mut a = a;
    a.result
        .points
        .iter_mut()
        .for_each(|p| p.axes.train_seed = 7);
    b.result
        .points
        .iter_mut()
        .for_each(|p| p.axes.train_seed = 8);
    let difference = diff(&a, &b).unwrap();
    assert_eq!(difference.points.len(), 2);
    assert!(difference.only_a.is_empty() && difference.only_b.is_empty());
    assert!(!difference.points[0].paired);
    assert_eq!(difference.points[0].point, "variation.sigma_w = 0.1");
    // The seed is said, and that of the trainings, which follows it, is not said again.
    let names: Vec<&str> = difference
        .settings
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(names, ["seed"]);
    // Nor is it an axis of a page of both.
    let (result, rows) = combine(vec![a, b]).unwrap();
    let page = html::page(&result, &rows);
    assert!(!page.contains("training seed") && !page.contains("train.seed"));
}

#[test]
fn what_no_run_sweeps_does_not_keep_points_apart() {
    let (a, mut b) = (run("a", &[0.1, 0.2]), run("b", &[0.1, 0.2]));
    for p in &mut b.result.points {
        p.axes.distribution = "lognormal".into();
    }
    b.result.config["variation"]["distribution"] = json!("lognormal");
    let difference = diff(&a, &b).unwrap();
    assert_eq!((difference.points.len(), difference.only_a.len()), (2, 0));
    let table = difference.table();
    let said = "variation.distribution: gaussian in a, lognormal in b";
    assert!(table.contains(said), "{table}");
    assert!(!table.contains("p = 0.000"), "{table}");
}

#[test]
fn an_axis_that_keeps_points_apart_is_named() {
    let (a, b) = (run("a", &[0.1, 0.2]), run("b", &[0.1, 0.3]));
    let difference = diff(&a, &b).unwrap();
    assert_eq!(difference.points.len(), 1);
    assert_eq!(difference.only_a, ["variation.sigma_w = 0.2"]);
    assert_eq!(difference.only_b, ["variation.sigma_w = 0.3"]);
    let table = difference.table();
    let said = "variation.sigma_w keeps points apart: 0.1, 0.2 in a, 0.1, 0.3 in b";
    assert!(table.contains(said), "{table}");
}

#[test]
fn an_axis_of_one_run_meets_the_fixed_value_of_the_other() {
    let (mut a, mut b) = (run("a", &[0.1, 0.2]), run("b", &[0.1]));
    // Swept by path in the first run only; the second has it in its experiment.
    for (p, bits) in a.result.points.iter_mut().zip([4, 6]) {
        p.axes.sigma_w = 0.1;
        p.axes.extra.insert("chip.adc.bits".into(), json!(bits));
    }
    b.result.config["chip"] = json!({"adc": {"bits": 6.0}});
    let pairing = Pairing::new(&a.result, &b.result);
    assert_eq!(pairing.axes, ["chip.adc.bits"]);
    assert_eq!(pairing.pairs, [(1, 0)]);
    assert_eq!((pairing.only_a, pairing.only_b), (vec![0], vec![]));
}

#[test]
fn what_follows_from_another_axis_is_no_axis_of_its_own() {
    let (mut a, mut b) = (run("a", &[0.1, 0.2]), run("b", &[0.1, 0.2]));
    for run in [&mut a, &mut b] {
        run.result.points[1].axes.law = "layer-fixed".into();
    }
    // The mapping follows the law in the first run and is set in the second.
    a.result.points[1].axes.mapping = "offset".into();
    let pairing = Pairing::new(&a.result, &b.result);
    assert_eq!(pairing.pairs, [(0, 0), (1, 1)]);
    assert!(!pairing.axes.iter().any(|name| name == "variation.mapping"));
}

#[test]
fn rows_that_are_not_of_the_summary_are_refused() {
    let whole = run("a", &[0.1, 0.2]);
    assert_eq!(verify::run(&whole.result, &whole.rows), Ok(()));
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut damaged = whole.clone();
        change(&mut damaged);
        verify::run(&damaged.result, &damaged.rows).unwrap_err()
    };
    for (message, want) in [
        (refused(&|r| r.rows[0].point = 2), "point 2"),
        (
            refused(&|r| r.rows[0].chip = 1),
            "chip 1 of point 0 is there twice",
        ),
        (refused(&|r| r.rows[0].images = 999), "999 images"),
        (refused(&|r| r.rows.truncate(79)), "point 1 has 39 chips"),
        // Possible in itself, but of other statistics.
        (
            refused(&|r| {
                r.rows[0].correct -= 1;
                r.rows[0].accuracy = f64::from(r.rows[0].correct) / f64::from(r.rows[0].images);
            }),
            "point 0: mean is",
        ),
        (
            refused(&|r| r.result.points[1].std += 1e-6),
            "point 1: std is",
        ),
        (
            refused(&|r| r.result.points[1].worst[0].chip += 1),
            "point 1: worst.0 is chip",
        ),
    ] {
        assert!(message.contains(want), "{message}");
    }

    // A column is as good as the accuracy.
    let mut spec = Spec::new("qavat", "none", 0.2, 0.1);
    spec.metrics = true;
    let (result, rows) = sweep("metrics", &[spec], 40, 1000);
    assert_eq!(verify::run(&result, &rows), Ok(()));
    let mut other = rows.clone();
    other[1].values = rows[2].values.clone();
    let e = verify::run(&result, &other).unwrap_err();
    assert!(e.starts_with("point 0: columns."), "{e}");
    other.iter_mut().for_each(|r| r.values = Default::default());
    let e = verify::run(&result, &other).unwrap_err();
    assert!(e.ends_with("is in summary.json, in no row"), "{e}");
    let mut other = result.clone();
    other.points[0].columns.clear();
    let e = verify::run(&other, &rows).unwrap_err();
    assert!(e.ends_with("is not in summary.json"), "{e}");
}
