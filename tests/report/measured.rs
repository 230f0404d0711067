//! Small sweeps that are really run: their files are what pages are made of.

use std::sync::LazyLock;

use pimento::backend::cpu::CpuBackend;
use pimento::choice::Choice;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::energy::{Interval, Part};
use pimento::report;
use pimento::sweep::breakdown::LayerEnergy;
use pimento::sweep::result::{ChipRow, PointSummary, SweepResult};
use pimento::sweep::{self, SweepOptions};

/// Arrays with converters of two resolutions, their energies and the metrics.
pub fn energy() -> (SweepResult, Vec<ChipRow>) {
    static RUN: LazyLock<(SweepResult, Vec<ChipRow>)> = LazyLock::new(swept);
    RUN.clone()
}

fn swept() -> (SweepResult, Vec<ChipRow>) {
    run(
        "name = \"energy\"\nfidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 200\n[network]\nkind = \"mlp\"\n\
         hidden = [8]\n[train]\nepochs = 2\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n[chip]\npreset = \"pcm\"\n[chip.array]\n\
         rows = 32\ncols = 8\n[chip.adc]\nbits = 6\nsharing = 4\n[energy]\n[sweep]\nchips = 12\nimages = 64\n\
         metrics = [\"brier\"]\n[sweep.axes]\n\"chip.adc.bits\" = [5, 6, 8]\n\"chip.adc.sharing\" = [4, 8]\n",
    )
}

/// The result of an experiment and its chips, read from the files that the sweep left.
fn run(experiment: &str) -> (SweepResult, Vec<ChipRow>) {
    let experiment = Experiment::parse(experiment, "test").expect("the experiment is valid");
    let data = Embedded::Digits8x8.load().expect("embedded");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let options = SweepOptions::new(out.clone(), "test", report::write);
    sweep::run(&[&CpuBackend::new()], &experiment, &data, &options, &()).expect("it runs");
    (
        report::summary::read(&out.join("summary.json")).unwrap(),
        report::chips::read(&out.join("chips.csv")).unwrap(),
    )
}

/// Energies by layer and part add up to the energies of the sweep, and figures and tables have all of them.
#[test]
fn energies_by_layer_and_part_add_up() {
    let (result, rows) = energy();
    for point in &result.points {
        let energy = point.energy.as_ref().expect("the experiment has [energy]");
        let others = Part::ALL.iter().filter(|part| **part != Part::Arrays);
        let sum: Interval = others.map(|part| energy.part(*part)).sum();
        for (name, sum) in [
            ("periphery_low_pj", sum.low),
            ("periphery_high_pj", sum.high),
        ] {
            let cost = point.costs[name];
            assert!((sum - cost).abs() < 1e-9 * cost, "{name}: {sum}, {cost}");
        }
        // What was measured of the arrays lies between what codes and drives can be.
        let (bounds, arrays) = (energy.part(Part::Arrays), &point.columns["energy_array_pj"]);
        assert!(bounds.low <= arrays.min && arrays.max <= bounds.high);
        let counted =
            |of: fn(&LayerEnergy) -> u64| energy.layers.iter().map(of).sum::<u64>() as f64;
        assert_eq!(counted(|l| l.arrays), point.costs["arrays"]);
        assert_eq!(
            counted(|l| l.conversions),
            point.costs["conversions_per_image"]
        );
        // 64 inputs, 8 hidden units, 10 classes.
        assert_eq!(energy.operations(), 2.0 * (64.0 * 8.0 + 8.0 * 10.0));
    }
    let figures = report::figures::of_page(&result, &rows);
    let figure = |name: &str| figures.iter().find(|f| f.name() == name).unwrap();
    let (parts, layers) = (figure("energy_parts"), figure("energy_layers"));
    // 6 points: every layer and part that takes energy, and the arrays as measured.
    let taken = |p: &PointSummary| {
        let layers = p.energy.as_ref().unwrap().layers.iter();
        layers.map(|layer| layer.parts.len()).sum::<usize>() + 1
    };
    let lines = result.points.iter().map(taken).sum::<usize>();
    assert_eq!(parts.csv().lines().count(), 1 + lines);
    assert!(
        layers
            .csv()
            .contains(",measured mean and its 95 % interval,12")
    );
    assert_eq!(parts.svg(180.0).matches("class=\"area s0\"").count(), 6 + 1);
    assert_eq!(
        layers.svg(180.0).matches("class=\"area s0\"").count(),
        2 + 1
    );
    let page = report::html::page(&result, &rows);
    for said in [
        "Energy of an image by layer and part",
        "a multiply-accumulate counts as two operations",
        "<td class=\"t\">all layers</td>",
        "sample and hold",
        "front: nothing is cheaper and better",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // Runs without energies have none of this.
    let (result, rows) = crate::synthetic::demo();
    assert!(!report::html::page(&result, &rows).contains("Energy of an image"));
}

/// A summary whose energies cannot be is refused with its place.
#[test]
fn impossible_energies_are_refused() {
    let (mut result, _) = energy();
    let energy = result.points[1].energy.as_mut().unwrap();
    energy.layers[0].parts.insert(
        "drivers".into(),
        Interval {
            low: 3.0,
            high: 2.0,
        },
    );
    let name = energy.layers[0].name.clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary.json");
    std::fs::write(&path, report::summary::to_json(&result).unwrap()).unwrap();
    let message = report::summary::read(&path).unwrap_err().to_string();
    let place = format!("point 1: energy.layers.{name}.parts.drivers is from 3 to 2");
    assert!(message.contains(&place), "{message}");
}
