//! Experiments that were built in code and cannot be: every entry of the library refuses them with the
//! field's name, and none panics.

use std::path::Path;

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::config::chip::AdcBits;
use pimento::setup;
use pimento::sweep::mvm::{self, Matrix, Problem};
use pimento::sweep::result::SweepResult;
use pimento::sweep::rows::Rows;
use pimento::sweep::{self, SweepOptions, worst};
use pimento::{Error, Result};

use crate::digits;

type Change = fn(&mut Experiment);

/// Changes after which an experiment cannot be, with the field that says so.
const WRONG: [(&str, Change); 4] = [
    ("variation.sigma_w", |e| e.variation.sigma_w = f64::NAN),
    ("chip.adc.bits", |e| e.chip.adc.bits = AdcBits::Same(40)),
    ("chip.array.rows", |e| e.chip.array.rows = 0),
    ("variation.on_off_ratio", |e| e.variation.on_off_ratio = 0.5),
];

fn nothing(_: &Path, _: &SweepResult, _: &dyn Rows) -> Result<()> {
    Ok(())
}

/// What every entry says about an experiment. Training and the rest take the points that `setup` makes.
fn entries(e: &Experiment) -> Vec<(&'static str, Result<()>)> {
    let cpu = CpuBackend::new();
    let backends: [&dyn Backend; 1] = [&cpu];
    let data = digits();
    let dir = tempfile::tempdir().unwrap();
    let options = SweepOptions::new(dir.path().join("out"), "test", nothing);
    let problem = Problem {
        matrix: Matrix::Weights(vec![0.5, -1.0]),
        size: (1, 2),
        inputs: vec![1.0, 0.25],
        weight_max: None,
        input_max: None,
        signed: None,
    };
    vec![
        ("check", e.check()),
        (
            "sweep",
            sweep::run(&backends, e, &data, &options, &()).map(drop),
        ),
        ("setup", setup::setup(e, &data).map(drop)),
        ("point", setup::point(e, &data, 0).map(drop)),
        (
            "plan",
            sweep::plan(&backends, e, &data, &options, &()).map(drop),
        ),
        (
            "chip",
            sweep::one_chip(&cpu, e, &data, (0, 0), None, &()).map(drop),
        ),
        ("mvm", mvm::solve(&cpu, e, &problem, 0).map(drop)),
        ("worst", worst::run(&cpu, e, &data, 0, None, &()).map(drop)),
    ]
}

#[test]
fn every_entry_refuses_values_that_no_file_may_have() {
    for (field, change) in WRONG {
        let mut e = Experiment::default();
        change(&mut e);
        for (entry, result) in entries(&e) {
            match result {
                Err(error @ Error::Input(_)) => assert!(
                    error.mistakes().len() == 1
                        && error.mistakes()[0].field.as_deref() == Some(field)
                        && error
                            .to_string()
                            .starts_with(&format!("field `{field}`: value ")),
                    "{entry}: {error:?}"
                ),
                other => panic!("{entry}, {field}: {other:?}"),
            }
        }
    }
}

#[test]
fn built_values_are_judged_like_those_of_files() {
    let says = |change: Change| {
        let mut e = Experiment::default();
        change(&mut e);
        match e.check() {
            Err(error @ Error::Input(_)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        says(|e| e.chip.adc.bits = AdcBits::Same(40)),
        "field `chip.adc.bits`: value 40 is not allowed; allowed: 0 to 14"
    );
    // What no TOML integer holds has its path, too.
    let message = says(|e| e.chip.array.rows = usize::MAX);
    assert!(
        message.starts_with("field `chip.array.rows`: "),
        "{message}"
    );
    assert!(says(|e| e.seed = u64::MAX).starts_with("field `seed`: "));
    // Contradictions, and fields of another kind.
    assert!(says(|e| e.train.chips_per_batch = 7).contains("7 chips do not divide"));
    assert!(says(|e| e.network.hidden = vec![3]).contains("`network.hidden`: has no meaning"));
    let message = says(|e| {
        e.name = "a/b".into();
        e.sweep.chips = 0;
    });
    assert_eq!(message.lines().count(), 2, "{message}");
}
