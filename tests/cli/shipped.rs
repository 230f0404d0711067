//! The experiments that ship.

use std::path::{Path, PathBuf};

use pimento::config::{BinaryWeightGroup, Experiment, Recipe, TuningMethod, n_trainings};
use pimento::program::Law;

use super::{pimento, pimento_in, text};

fn experiments() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")
}

#[test]
fn every_shipped_experiment_loads_and_says_what_it_should_show() {
    let mut n = 0;
    for entry in std::fs::read_dir(experiments()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let e = Experiment::load(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                Some(e.name.as_str()),
                path.file_stem().and_then(|s| s.to_str())
            );
            assert!(
                !e.title.is_empty() && !e.about.is_empty(),
                "{}",
                path.display()
            );
            n += 1;
        }
    }
    assert!(n >= 2);
}

#[test]
fn the_reference_table_has_its_points() {
    let e = Experiment::load(experiments().join("lenet5_mnist_a1w1.toml")).unwrap();
    let points = e.points().unwrap();
    assert_eq!(points.len(), 10);
    assert_eq!(e.sweep.chips, 1000);
    // QAT does not see sigma: one network. QAVAT trains for each.
    assert_eq!(n_trainings(&points), 6);
    assert_eq!(points[9].experiment.train.recipe, Recipe::Qavat);
    assert_eq!(points[9].experiment.variation.sigma_w, 1.0);
    // What was found in the reference code, see experiments/results/lenet5_mnist_a1w1.
    assert_eq!(e.quantize.input_bits, 1);
    assert_eq!(
        e.quantize.binary_weight_group,
        BinaryWeightGroup::InputChannel
    );
}

#[test]
fn the_self_tuning_experiment_covers_both_laws_and_every_method() {
    let e = Experiment::load(experiments().join("self_tuning_fashion.toml")).unwrap();
    let points = e.points().unwrap();
    let has = |law, method| {
        let mut found = points.iter().map(|p| &p.experiment);
        found.any(|e| e.variation.law == law && e.tuning.method == method)
    };
    for method in [
        TuningMethod::None,
        TuningMethod::SelfTuning,
        TuningMethod::Oracle,
        TuningMethod::BnRecalibration,
    ] {
        assert!(has(Law::WeightProportional, method) && has(Law::LayerFixed, method));
    }
    assert!(has(Law::LayerFixed, TuningMethod::ReferenceColumns));
}

#[test]
fn check_says_what_a_sweep_would_do() {
    let path = experiments().join("self_tuning_fashion.toml");
    let args = [
        "check",
        text(&path),
        "--chips",
        "7",
        "--images",
        "100",
        "--seed",
        "5",
        "--json",
        "--backend",
        "cpu",
    ];
    let run = pimento(&args);
    run.assert_ok();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["chips"], 7);
    assert_eq!(json["images"], 100);
    assert_eq!(json["config"]["seed"], 5);
    assert_eq!(json["points"][0]["variation.law"], "weight-proportional");
    assert_eq!(json["points"][0]["variation.sigma_w"], 0.2);
    let run = pimento(&["check", text(&path)]);
    run.assert_says(&["x 200 chips x 2000 images"]);
}

/// The figures of shipped results are what the commands of their pages draw, and small; each says how many chips it shows.
#[test]
fn figures_of_results_are_drawn_by_their_commands() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/results");
    let mut drawn = 0;
    for entry in std::fs::read_dir(&results).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(figure) = std::fs::read(folder.join("headline.svg")) else {
            continue;
        };
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(figure.len() < 60_000, "{name}: {} bytes", figure.len());
        let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let (_, below) = page.split_once("](headline.svg)").expect(&name);
        let (said, rest) = below.split_once("```sh\n").expect(&name);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("chip") && said.contains("95 % interval"),
            "{name}"
        );
        assert!(
            said.contains("images") || said.contains("spoken digits"),
            "{name}"
        );
        let command = rest.lines().next().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("again.svg");
        let command = command.replace("headline.svg", text(&out));
        let run = dir.path().join("run");
        let command = command.replace("runs/arrays", text(&run));
        if name == "cell_tuning" {
            std::fs::create_dir(&run).unwrap();
            for file in ["summary.json", "chips.csv"] {
                std::fs::copy(folder.join(format!("arrays_{file}")), run.join(file)).unwrap();
            }
        }
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let run = pimento_in(&folder, &words, &[]);
        assert_eq!(run.code, 0, "{name}: {command}: {}", run.stderr);
        assert!(
            std::fs::read(&out).unwrap() == figure,
            "{name}: {command}: another figure"
        );
        drawn += 1;
    }
    assert!(drawn >= 12, "{drawn} figures");
}
