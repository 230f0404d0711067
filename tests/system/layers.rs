//! Settings of single layers: what they change, and what they leave alone.

use std::sync::Arc;

use pimento::Error;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::network::file::{self, Loaded};
use pimento::network::run::Runner;
use pimento::setup;
use pimento::sweep::{self, result::ChipRow, wave::Simulator};
use pimento::train::{self, Model};

use crate::{digits, experiment, ideal, rows, trained};

const CHIPS: u32 = 4;

/// Perceptrons of three layers on the digits, with a section `[layer]`.
fn with(fidelity: &str, sections: &str, layers: &str) -> Experiment {
    experiment(&format!(
        "fidelity = \"{fidelity}\"\n[data]\nset = \"digits-8x8\"\n\
         [network]\nkind = \"mlp\"\nhidden = [24, 16]\nbatch_norm = true\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 5\n\
         [sweep]\nchips = {CHIPS}\n{sections}\n{layers}"
    ))
}

const QAT: &str = "[train]\nrecipe = \"qat\"\nepochs = 2\nbatch = 64\n";

fn text(rows: &[ChipRow]) -> Vec<String> {
    // A chip without a wafer has no position, and NaN is not equal to itself.
    rows.iter().map(|r| format!("{r:?}")).collect()
}

fn chips(e: &Experiment, m: &Model) -> Vec<String> {
    text(&rows(e, m, &digits(), 0..CHIPS))
}

#[test]
fn what_all_layers_have_is_what_the_experiment_has() {
    let weight = [
        (
            "[variation]\nsigma_w = 0.3\nsigma_b = 0.1\n",
            "variation",
            "sigma_w = 0.3",
        ),
        (
            "[variation]\nsigma_w = 0.2\nmapping = \"differential\"\non_off_ratio = 5.0\n",
            "variation",
            "mapping = \"differential\"\non_off_ratio = 5.0\nsigma_w = 0.2",
        ),
    ];
    let cell = [
        ("[chip.adc]\nbits = 5\n", "chip.adc", "bits = 5"),
        (
            "[chip.cells]\nslice_bits = 2\n[chip.adc]\nbits = [5, 4]\nrange = \"calibrated\"\n",
            "chip",
            "cells = { slice_bits = 2 }\nadc = { bits = [5, 4], range = \"calibrated\" }",
        ),
        (
            "[chip.array]\nrows = 10\n[chip.programming]\nstuck_off = 0.05\n",
            "chip",
            "array = { rows = 10 }\nprogramming = { stuck_off = 0.05 }",
        ),
    ];
    let m = trained(&with("weight", QAT, ""), &digits());
    let cases = weight.map(|case| ("weight", case)).into_iter();
    for (fidelity, (all, table, own)) in cases.chain(cell.map(|case| ("cell", case))) {
        let sigma_b = if all.contains("sigma_b") {
            "[variation]\nsigma_b = 0.1\n"
        } else {
            ""
        };
        let whole = with(fidelity, &format!("{QAT}{all}"), "");
        let layers = format!("[layer.\"fc*\".{table}]\n{own}\n");
        let by_layer = with(fidelity, &format!("{QAT}{sigma_b}"), &layers);
        let found = chips(&by_layer, &m);
        assert_eq!(found, chips(&whole, &m), "{own}");
        let without = with(fidelity, &format!("{QAT}{sigma_b}"), "");
        assert_ne!(found, chips(&without, &m), "{own}");
    }
}

/// A digital layer is the layer of the network without variation; the numbers that other layers draw do not
/// change.
#[test]
fn digital_layers_are_exact_and_others_draw_what_they_drew() {
    let m = trained(&with("weight", QAT, ""), &digits());
    let varied = "[variation]\nsigma_w = 0.3\n";
    let two = "[layer.fc1]\ndigital = true\n[layer.fc3]\ndigital = true\n";
    let still = "[layer.fc1.variation]\nsigma_w = 0.0\n[layer.fc3.variation]\nsigma_w = 0.0\n";
    let digital = with("weight", &format!("{QAT}{varied}"), two);
    let nominal = with("weight", &format!("{QAT}{varied}"), still);
    assert_eq!(chips(&digital, &m), chips(&nominal, &m));
    // A common deviation reaches cells only.
    let common = "[variation]\nsigma_w = 0.3\nsigma_b = 0.2\nsigma_layer = 0.1\n";
    let digital = with("weight", &format!("{QAT}{common}"), two);
    assert_ne!(
        chips(&digital, &m),
        chips(&with("weight", &format!("{QAT}{common}"), still), &m)
    );
    // Cells that hold their digits, exact converters and digital layers are the digital network.
    let chip = "[chip.array]\nrows = 24\n[chip.cells]\nslice_bits = 2\n[chip.adc]\nbits = 10\n\
                [variation]\nsigma_w = 0.3\n";
    let exact = format!("{two}[layer.fc2.variation]\nsigma_w = 0.0\n");
    let e = with("cell", &format!("{QAT}{chip}"), &exact);
    let want = ideal(&e, &m, &digits());
    for row in rows(&e, &m, &digits(), 0..2) {
        // What follows integer products rounds: two images may lie on a threshold.
        assert!(row.correct.abs_diff(want.correct) <= 2, "{row:?} {want:?}");
    }
    let e = with("cell", &format!("{QAT}{chip}"), two);
    let found = rows(&e, &m, &digits(), 0..2);
    assert_ne!(found[0].loss, found[1].loss);
}

/// A layer that is not tuned has the chips of an untuned one; where none is, nothing is corrected and next to
/// nothing is paid.
#[test]
fn layers_may_be_left_untuned() {
    let (data, backend) = (digits(), CpuBackend::new());
    let m = trained(&with("weight", QAT, ""), &data);
    let base = "[variation]\nsigma_w = 0.2\nsigma_b = 0.3\n[chip.cells]\nslice_bits = 2\n";
    let all = "[layer.\"*\"]\ntuned = false\n";
    let one = "[layer.fc2]\ntuned = false\n";
    for fidelity in ["weight", "cell"] {
        let hits = |method: &str, layers: &str| -> Vec<(u32, u64)> {
            let tuning = format!("{QAT}{base}[tuning]\nmethod = \"{method}\"\nscope = \"array\"\n");
            let tuning = match fidelity {
                "cell" => tuning,
                _ => tuning.replace("scope = \"array\"\n", ""),
            };
            let e = with(fidelity, &tuning, layers);
            let rows = rows(&e, &m, &data, 0..CHIPS);
            rows.iter()
                .map(|row| (row.correct, row.loss.to_bits()))
                .collect()
        };
        let untuned = hits("none", "");
        for method in [
            "self-tuning",
            "level-columns",
            "reference-columns",
            "oracle",
        ] {
            assert_eq!(hits(method, all), untuned, "{fidelity} {method}");
            let (some, tuned) = (hits(method, one), hits(method, ""));
            // Columns of weight 0 show nothing of a factor.
            if method != "reference-columns" {
                assert!(some != untuned && some != tuned, "{fidelity} {method}");
            }
        }
        let costs = |layers: &str| {
            let tuning = format!("{QAT}{base}[tuning]\nmethod = \"level-columns\"\n");
            let point = setup::point(&with(fidelity, &tuning, layers), &data, 0).unwrap();
            let images = point.test_images().unwrap();
            let mut simulator = Simulator::new(&backend, &point, &m, &images).unwrap();
            simulator.run(0, 0..2, &()).unwrap();
            sweep::cost::costs(&point, &mut simulator).unwrap()
        };
        let (tuned, less, none) = (costs(""), costs(one), costs(all));
        // Four columns of the 24 rows of fc2; of pairs of two slices at cell level.
        let of_column = if fidelity == "cell" { 4.0 } else { 1.0 };
        assert_eq!(tuned["cells"] - less["cells"], 4.0 * 24.0 * of_column);
        let rows = 64.0 + 24.0 + 16.0;
        assert_eq!(tuned["cells"] - none["cells"], 4.0 * rows * of_column);
    }
    let wrong = Experiment::parse(
        "[network]\nbatch_norm = true\n[tuning]\nmethod = \"bn-recalibration\"\n[layer.fc2]\ntuned = false\n",
        "x.toml",
    );
    let text = wrong.unwrap_err().to_string();
    assert!(
        text.contains("x.toml:6: field `layer.fc2.tuned`: \"bn-recalibration\" measures"),
        "{text}"
    );
}

/// Fewer layers on arrays cost less, and every way of tuning works with them.
#[test]
fn digital_layers_have_no_cells() {
    let (data, backend) = (digits(), CpuBackend::new());
    let m = trained(&with("weight", QAT, ""), &data);
    for fidelity in ["weight", "cell"] {
        for method in [
            "none",
            "self-tuning",
            "level-columns",
            "reference-columns",
            "oracle",
        ] {
            let sections = format!(
                "{QAT}[variation]\nsigma_w = 0.2\nsigma_b = 0.2\n[tuning]\nmethod = \"{method}\"\ntest_cells = 64\n"
            );
            let costs = |layers: &str| {
                let point = setup::point(&with(fidelity, &sections, layers), &data, 0).unwrap();
                let images = point.test_images().unwrap();
                let mut simulator = Simulator::new(&backend, &point, &m, &images).unwrap();
                simulator.run(0, 0..2, &()).unwrap();
                sweep::cost::costs(&point, &mut simulator).unwrap()
            };
            let (all, less) = (costs(""), costs("[layer.fc1]\ndigital = true\n"));
            for name in ["cells", "conversions_per_image"] {
                assert!(less[name] < all[name], "{fidelity} {method} {name}");
            }
            // 64 x 24 weights of fc1 are no cells: two or one a weight.
            let of_weight = if fidelity == "cell" { 2.0 } else { 1.0 };
            let columns = all["cells"] - less["cells"] - of_weight * 64.0 * 24.0;
            assert!((0.0..=4.0 * 2.0 * 64.0).contains(&columns), "{columns}");
        }
    }
}

/// Weights of a layer have the codes of its own bits, and a file of the network says so.
#[test]
fn weights_have_the_bits_of_their_layer_also_in_files() {
    let layers = "[layer.fc2]\nweight_bits = 2\nactivation_bits = 3\n[layer.fc1]\ninput_bits = 2\n";
    let e = with("weight", QAT, layers);
    let data = digits();
    let point = setup::point(&e, &data, 0).unwrap();
    let of = |name: &str| {
        let n = point.numerics.of(name);
        (n.weight_bits, n.act_bits, n.input_bits)
    };
    assert_eq!(
        [of("fc1"), of("fc2"), of("fc3")],
        [(4, 4, 2), (2, 3, 5), (4, 4, 5)]
    );
    let m = trained(&e, &data);
    assert_ne!(
        m.parameters,
        trained(&with("weight", QAT, ""), &data).parameters
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.safetensors");
    train::save_model(
        &path,
        &m,
        &train::training_key(&point, Default::default()).unwrap(),
    )
    .unwrap();
    let loaded = file::load(&path, false, None).unwrap();
    for name in ["fc1", "fc2", "fc3"] {
        let (own, there) = (m.numerics.of(name), loaded.numerics.of(name));
        assert_eq!(
            (own.weight_bits, own.act_bits, own.input_bits),
            (there.weight_bits, there.act_bits, there.input_bits)
        );
    }
    let images: Vec<f32> = (0..5 * 64).map(|i| (i * 37 % 17) as f32 / 16.0).collect();
    let outputs = |network: &Loaded| {
        let mut runner = Runner::new(&CpuBackend::new(), network).unwrap();
        runner.run(&images).unwrap()
    };
    let mut here = Loaded {
        graph: m.graph,
        parameters: m.parameters,
        numerics: m.numerics,
        tied: vec![],
    };
    assert_eq!(outputs(&loaded), outputs(&here));
    let own = here.numerics.own.as_mut().unwrap();
    Arc::make_mut(own).get_mut("fc2").unwrap().weight_bits = 0;
    assert_ne!(outputs(&loaded), outputs(&here));
}

/// Training sees each layer's own noise, at both levels, and none in digital layers.
#[test]
fn training_sees_the_layers_own_settings() {
    let qavat = "[train]\nrecipe = \"qavat\"\nepochs = 1\nbatch = 64\n";
    let data = digits();
    let of = |sections: &str, layers: &str| {
        trained(
            &with("weight", &format!("{qavat}{sections}"), layers),
            &data,
        )
        .parameters
    };
    let varied = "[variation]\nsigma_w = 0.2\n";
    let all = of(varied, "");
    assert_eq!(of("", "[layer.\"*\".variation]\nsigma_w = 0.2\n"), all);
    assert_ne!(of(varied, "[layer.fc2.variation]\nsigma_w = 0.0\n"), all);
    assert_ne!(of(varied, "[layer.fc2]\ndigital = true\n"), all);
    let same = of(varied, "[layer.fc2.chip.adc]\nbits = 4\n");
    assert_eq!(same, all, "weights see no converters");
    // train.sigma_w is that of all layers.
    let given = format!("sigma_w = 0.2\n{varied}");
    assert_eq!(of(&given, "[layer.fc2.variation]\nsigma_w = 0.0\n"), all);
    let level = "level = \"cell\"\n[chip.adc]\nbits = 6\n";
    let cells = of(level, "");
    assert_ne!(of(level, "[layer.fc2.chip.adc]\nbits = 3\n"), cells);
    assert_ne!(of(level, "[layer.fc2]\ndigital = true\n"), cells);
    assert_eq!(
        of("level = \"cell\"\n", "[layer.\"fc?\".chip.adc]\nbits = 6\n"),
        cells
    );
}

#[test]
fn sections_that_mean_nothing_are_refused() {
    let data = digits();
    let refused = |layers: &str| {
        let e = with("weight", QAT, layers);
        match setup::setup(&e, &data) {
            Err(e @ Error::Input(_)) => e.to_string(),
            other => panic!("{layers}: {:?}", other.map(drop)),
        }
    };
    let text = refused("[layer.fc4]\nweight_bits = 2\n");
    assert!(
        text.contains("`layer.fc4`") && text.contains("allowed: fc1, fc2, fc3"),
        "{text}"
    );
    let text = refused("[layer.\"*\"]\ndigital = true\n");
    assert!(text.contains("every layer is digital"), "{text}");
    let text = refused("[layer.fc2]\ninput_bits = 2\n");
    assert!(
        text.contains("no layer of that name reads the images"),
        "{text}"
    );
    let text = refused("[layer.fc1]\nactivation_bits = 2\n");
    assert!(
        text.contains(
            "field `layer.fc1.activation_bits`: no effect, no layer of that name reads activations"
        ) && text.contains("allowed: `input_bits`"),
        "{text}"
    );
    let e = with("weight", QAT, "[layer.fc1]\ndigital = true\n");
    let point = setup::point(&e, &data, 0).unwrap();
    let m = trained(&e, &data);
    let worst = sweep::worst::search(&CpuBackend::new(), &point, &m, &());
    let text = worst.unwrap_err().to_string();
    assert!(text.contains("layer `fc1` is digital"), "{text}");
}
