//! The catalogue and its arithmetic; that rows run at all is a test of the program.

use super::*;
use crate::backend::cpu::CpuBackend;

fn cpu() -> Vec<Target> {
    vec![Target {
        backend: Box::new(CpuBackend::new()),
    }]
}

fn quick(filter: &str) -> BenchOptions {
    BenchOptions {
        quick: true,
        filter: Some(filter.into()),
    }
}

/// Results of different versions are compared by these: add, never rename.
#[test]
fn names_are_stable() {
    let names: Vec<_> = names().collect();
    assert_eq!(
        names,
        [
            "peak/fma",
            "peak/copy",
            "gemm/256",
            "gemm/512",
            "gemm/1024",
            "gemm/4096",
            "fabricate/ideal",
            "fabricate/differential",
            "fabricate/lognormal",
            "program/cells",
            "mvm/linear-512",
            "mvm/conv3x3-16x32x32",
            "mvm/conv3x3-32x16x16",
            "mvm/conv3x3-64x8x8",
            "cells/2slice-serial",
            "cells/2slice-serial-noise",
            "cells/2slice-serial-f16",
            "cells/1slice",
            "cells/exact",
            "cells/exact-1024x256",
            "lenet5/monte-carlo",
            "lenet5/monte-carlo-a1w1",
            "lenet5/training-step",
            "resnet20/monte-carlo",
            "resnet20/training-step",
            "resnet20/training-step-qavat",
            "resnet20/training-step-ovf",
            "resnet20/training-step-lasso",
            "resnet18/monte-carlo",
            "resnet18/training-step",
            "mobilenetv2/monte-carlo",
        ]
    );
}

#[test]
fn a_filter_that_matches_nothing_lists_the_names() {
    let error = run(&cpu(), &quick("nothing"), &()).unwrap_err();
    assert!(error.to_string().contains("lenet5/monte-carlo"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn every_case_prepares_and_runs_on_the_cpu() {
    let targets = cpu();
    let setup = Setup {
        backend: targets[0].backend.as_ref(),
        class: Class::Software,
        quick: true,
    };
    for case in CASES.iter().filter(|c| c.least <= setup.class) {
        let mut work = (case.prepare)(&setup).unwrap();
        work.repeat(2).unwrap();
        assert_eq!(work.done, 2, "{}", case.name);
        assert!(work.amount > 0.0, "{}", case.name);
    }
}

#[test]
fn a_row_is_complete_and_its_share_follows_from_its_rate() {
    let report = run(&cpu(), &quick("gemm/256"), &()).unwrap();
    assert_eq!(report.failures, []);
    let [row] = report.rows.as_slice() else {
        panic!("{:?}", report.rows);
    };
    assert_eq!(
        (row.name.as_str(), row.backend.as_str()),
        ("gemm/256", "cpu")
    );
    assert!(row.best_s <= row.median_s && row.repeats >= 3);
    let share = row.share.as_ref().unwrap();
    let expected = row.rate / (report.targets[0].peak.fma_gflops * 1e9);
    assert!((share.value - expected).abs() <= 1e-12 * expected);
    let table = report.table();
    assert!(
        table.contains("gemm/256") && table.contains("FLOP/s"),
        "{table}"
    );
}

struct Stop;

impl Observer for Stop {
    fn interrupted(&self) -> bool {
        true
    }
}

#[test]
fn an_interruption_ends_it() {
    let error = run(&cpu(), &quick("gemm/256"), &Stop).unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)));
}
