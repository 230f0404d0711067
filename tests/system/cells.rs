//! Networks on arrays of cells: what must be exact is, what must cancel does, and a chip is the same
//! chip in any wave.

use pimento::backend::cpu::CpuBackend;
use pimento::config::chip::AdcBits;
use pimento::config::{Experiment, Fidelity};
use pimento::setup::{self, Images};
use pimento::sweep::cells::CellLevel;
use pimento::sweep::result::ChipRow;
use pimento::sweep::wave::Simulator;
use pimento::train::Model;

use crate::{digits, experiment};

const CHIPS: u32 = 6;

/// A perceptron on the digits at cell level; its training does not depend on the chip.
fn on(chip: &str, variation: &str, tuning: &str) -> Experiment {
    experiment(&format!(
        "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n\
         [network]\nkind = \"mlp\"\nhidden = [48, 32]\nbatch_norm = true\nbias = false\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 5\n\
         [train]\nrecipe = \"qat\"\nepochs = 4\nbatch = 64\nlearning_rate = 3e-3\n\
         [variation]\n{variation}\n[tuning]\n{tuning}\n[sweep]\nchips = {CHIPS}\n{chip}"
    ))
}

fn trained(e: &Experiment) -> Model {
    crate::trained(e, &digits())
}

fn rows(e: &Experiment, m: &Model, chips: std::ops::Range<u32>) -> Vec<ChipRow> {
    crate::rows(e, m, &digits(), chips)
}

fn ideal(e: &Experiment, m: &Model) -> ChipRow {
    crate::ideal(e, m, &digits())
}

/// Integer products are exact; what follows them rounds: two images may lie on a threshold.
const ROUNDED: u32 = 2;

#[test]
fn nominal_cells_and_exact_converters_are_the_digital_network() {
    let nominal = "[chip.array]\nrows = 24\ncols = 20\n[chip.cells]\nslice_bits = 2\n";
    let m = trained(&on(nominal, "", ""));
    let digital = ideal(&on(nominal, "", ""), &m);
    assert!(
        digital.accuracy > 0.8,
        "the network has learned: {digital:?}"
    );
    let chips = [
        "[chip.adc]\nbits = 0\n",
        "[chip.adc]\nbits = 10\n",
        "[chip.adc]\nbits = 12\ncodes = \"uniform\"\n",
        "[chip.dac]\nbits = 2\n[chip.adc]\nbits = 10\n",
        "encoding = \"offset\"\n[chip.adc]\nbits = 10\ncodes = \"uniform\"\n",
        "subtraction = \"digital\"\n[chip.adc]\nbits = 10\ncodes = \"uniform\"\n",
        "on_off_ratio = 20.0\n[chip.adc]\nbits = 10\n",
        "[chip.dac]\naccumulate = \"analog\"\n[chip.adc]\nbits = 14\n",
        "fill = \"equal-fill\"\n[chip.adc]\nbits = 0\n",
        "fill = \"max-fill-ec\"\n[chip.adc]\nbits = 0\n",
        "equal_slices = 3\n[chip.adc]\nbits = 0\n",
        "equal_slices = 2\n[chip.adc]\nbits = 10\n",
        "equal_slices = 2\nfill = \"max-fill\"\n[chip.adc]\nbits = 0\n",
        "equal_slices = 2\nencoding = \"offset\"\n[chip.adc]\nbits = 10\ncodes = \"uniform\"\n",
    ];
    for chip in chips {
        let e = on(&format!("{nominal}{chip}"), "", "");
        let row = rows(&e, &m, 0..1).swap_remove(0);
        assert!(
            row.correct.abs_diff(digital.correct) <= ROUNDED,
            "{chip}: {row:?} against {digital:?}"
        );
        assert!(
            (row.loss - digital.loss).abs() < 1e-3 * digital.loss,
            "{chip}"
        );
    }
}

/// Digits are halves: without errors nothing changes by how conductances are kept. With them hardly
/// anything does, on every route.
#[test]
fn halves_change_next_to_nothing() {
    let cells = "[chip.array]\nrows = 24\ncols = 20\n[chip.cells]\nslice_bits = 2\n";
    let m = trained(&on(cells, "", ""));
    for adc in ["[chip.adc]\nbits = 0\n", "[chip.adc]\nbits = 10\n"] {
        let run = |storage: &str, variation: &str| {
            let chip = format!("{cells}storage = \"{storage}\"\n{adc}");
            rows(&on(&chip, variation, ""), &m, 0..CHIPS)
        };
        let text = |rows: &[ChipRow]| format!("{rows:?}");
        assert_eq!(text(&run("f32", "")), text(&run("f16", "")), "{adc}");
        let variation = "sigma_w = 0.1\nsigma_b = 0.05";
        let (floats, halves) = (run("f32", variation), run("f16", variation));
        assert_ne!(text(&floats), text(&halves), "{adc}");
        for (a, b) in floats.iter().zip(&halves) {
            assert!(a.correct.abs_diff(b.correct) <= ROUNDED, "{a:?} {b:?}");
            assert!((a.loss - b.loss).abs() < 2e-3 * a.loss, "{a:?} {b:?}");
        }
    }
}

#[test]
fn few_converter_bits_cost_accuracy_and_calibrated_ranges_win_it_back() {
    let base = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 3\n";
    let m = trained(&on(base, "", ""));
    let correct = |adc: &str| {
        let e = on(&format!("{base}[chip.adc]\n{adc}"), "", "");
        rows(&e, &m, 0..1)[0].correct
    };
    let (full, calibrated) = (
        correct("bits = 3\n"),
        correct("bits = 3\nrange = \"calibrated\"\nmethod = \"mse\"\n"),
    );
    let enough = correct("bits = 10\n");
    assert!(full + 30 < enough, "3 bits {full}, 10 bits {enough}");
    assert!(
        calibrated > full + 15,
        "calibrated {calibrated}, full {full}"
    );
}

#[test]
fn a_chip_at_cell_level_is_the_same_alone_and_in_a_wave() {
    let chip = "[chip.array]\nrows = 40\n[chip.cells]\nslice_bits = 2\non_off_ratio = 50.0\n\
                [chip.programming]\nstuck_off = 0.01\n[chip.read]\nproportional = 0.02\n\
                [chip.adc]\nbits = 7\noffset_error = 0.3\ngain_error = 0.01\nnoise = 0.3\n";
    let e = on(
        chip,
        "sigma_w = 0.1\nsigma_b = 0.05\nsigma_array = 0.05",
        "",
    );
    let m = trained(&e);
    let text = |r: &ChipRow| format!("{r:?}");
    let all = rows(&e, &m, 0..CHIPS);
    for chip in [CHIPS - 1, 0, 3] {
        let alone = rows(&e, &m, chip..chip + 1);
        assert_eq!(text(&alone[0]), text(&all[chip as usize]));
    }
    assert!(
        all.iter().any(|r| r.correct != all[0].correct),
        "chips differ"
    );
}

#[test]
fn a_pair_cancels_what_both_cells_have_in_common_under_the_fixed_law() {
    let chip = "[chip.cells]\nslice_bits = 3\non_off_ratio = 20.0\n[chip.programming]\nnon_negative = false\n\
                [chip.adc]\nbits = 0\n";
    let variation = "law = \"layer-fixed\"\nsigma_b = 0.2";
    let m = trained(&on(chip, variation, ""));
    let nominal = rows(&on(chip, "", ""), &m, 0..1).swap_remove(0);
    for row in rows(&on(chip, variation, ""), &m, 0..CHIPS) {
        assert!(row.correct.abs_diff(nominal.correct) <= ROUNDED, "{row:?}");
    }
    // One cell has nothing to cancel with.
    let single = "[chip.cells]\nslice_bits = 4\nencoding = \"offset\"\n[chip.programming]\nnon_negative = false\n\
                  [chip.adc]\nbits = 0\n";
    let worst = |e: &Experiment| rows(e, &m, 0..CHIPS).iter().map(|r| r.correct).min();
    let untuned = worst(&on(single, variation, ""));
    assert!(untuned.unwrap() + 50 < nominal.correct, "{untuned:?}");
    // What is subtracted is a multiple of the input sum many times the signal: what it leaves is rounded
    // to about 1e-5 of a level, which moves an activation now and then.
    for row in rows(&on(single, variation, "method = \"oracle\""), &m, 0..CHIPS) {
        let changed = row.correct.abs_diff(nominal.correct);
        assert!(changed <= 2 * ROUNDED, "{row:?} against {nominal:?}");
    }
}

#[test]
fn what_arrays_have_of_their_own_needs_tuning_of_every_array() {
    // Single cells under the fixed law: what an array adds is a multiple of its rows' inputs.
    let chip = "[chip.array]\nrows = 16\n[chip.cells]\nslice_bits = 4\nencoding = \"offset\"\n\
                [chip.programming]\nnon_negative = false\n[chip.adc]\nbits = 0\n";
    let variation = "law = \"layer-fixed\"\nsigma_w = 0.01\nsigma_array = 0.1";
    let m = trained(&on(chip, variation, ""));
    let mean = |tuning: &str| {
        let rows = rows(&on(chip, variation, tuning), &m, 0..CHIPS);
        rows.iter().map(|r| r.accuracy).sum::<f64>() / f64::from(CHIPS)
    };
    let untuned = mean("");
    let whole = mean("method = \"self-tuning\"\ntest_cells = 256");
    let each = mean("method = \"self-tuning\"\ntest_cells = 256\nscope = \"array\"");
    let oracle = mean("method = \"oracle\"");
    assert!(whole < untuned + 0.05, "chip {whole}, untuned {untuned}");
    assert!(each > untuned + 0.04, "array {each}, untuned {untuned}");
    assert!(each > oracle - 0.02, "array {each}, oracle {oracle}");
}

#[test]
fn a_reference_that_follows_the_chip_clips_no_more_than_a_nominal_chip() {
    // A range that nominal sums fill: a chip with larger currents clips, and no digital gain brings
    // back what is lost.
    let chip = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 3\n\
                [chip.adc]\nbits = 6\nrange = \"calibrated\"\npercentile = 97.0\n";
    let variation = "sigma_b = 0.4";
    let m = trained(&on(chip, variation, ""));
    let nominal = rows(&on(chip, "", ""), &m, 0..1).swap_remove(0);
    let tuned = |place: &str| {
        let t = format!("method = \"oracle\"\nplace = \"{place}\"");
        let rows = rows(&on(chip, variation, &t), &m, 0..CHIPS);
        assert!(
            rows.iter().all(|r| r.eps_b > -0.9),
            "within what a reference can follow"
        );
        rows.iter().map(|r| r.correct).sum::<u32>()
    };
    let (digital, reference) = (tuned("digital"), tuned("adc-reference"));
    // The reference restores every code but for rounding at thresholds.
    assert!(
        reference + CHIPS * 4 >= CHIPS * nominal.correct,
        "{reference} of {CHIPS} x {}",
        nominal.correct
    );
    assert!(
        digital < reference,
        "digital {digital}, reference {reference}"
    );
}

#[test]
fn training_goes_through_cells_and_converters() {
    let chip = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 2\n\
                [chip.adc]\nbits = 4\nrange = \"granular\"\n";
    let mut e = on(chip, "sigma_w = 0.1", "");
    e.train.recipe = pimento::config::Recipe::Qavat;
    e.train.level = Fidelity::Cell;
    let through = trained(&e);
    let mean = rows(&e, &through, 0..CHIPS)
        .iter()
        .map(|r| r.accuracy)
        .sum::<f64>()
        / f64::from(CHIPS);
    assert!(mean > 0.75, "has learned on its chips: {mean}");
    // The steps see the converters: another converter gives other weights.
    e.chip.adc.bits = AdcBits::Same(3);
    assert_ne!(trained(&e).parameters.tensors, through.parameters.tensors);
    // Without the rescaled gradient too.
    e.chip.adc.bits = AdcBits::Same(4);
    e.train.rescale = false;
    assert_ne!(trained(&e).parameters.tensors, through.parameters.tensors);
}

/// The gradient passes straight through drives that are not in proportion to their digits.
#[test]
fn training_goes_through_drives_of_a_table() {
    let chip =
        "[chip.array]\nrows = 64\n[chip.adc]\nbits = 6\nrange = \"granular\"\n[chip.dac]\ntable = ";
    let through = |table: &str| {
        let mut e = on(&format!("{chip}{table}\n"), "", "");
        e.train.level = Fidelity::Cell;
        let model = trained(&e);
        (rows(&e, &model, 0..1)[0].accuracy, model.parameters.tensors)
    };
    let (straight, bent) = (through("[0.0, 1.0]"), through("[0.0, 0.8]"));
    assert!(straight.0 > 0.75 && bent.0 > 0.75);
    assert_ne!(straight.1, bent.1, "the steps see the drives");
}

#[test]
fn training_sees_calibrated_ranges_that_follow_the_weights() {
    let chip = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 3\n[chip.adc]\nbits = 2\n\
                range = \"calibrated\"\nmethod = \"mse\"\n";
    let mut e = on(chip, "", "");
    e.train.epochs = 16;
    let correct = |e: &Experiment| rows(e, &trained(e), 0..1)[0].correct;
    let beside = correct(&e);
    let mut through = e.clone();
    through.train.level = Fidelity::Cell;
    let through = correct(&through);
    assert!(
        through > beside + 8,
        "trained through converters {through}, beside them {beside}"
    );
}

/// Running statistics that were moved by converters say nothing about sums without them: ranges of a network that was
/// trained through converters do not depend on them, ranges of another one do.
#[test]
fn ranges_follow_the_statistics_of_the_network_that_gives_the_sums() {
    let chip = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 3\n[chip.adc]\nbits = 3\n\
                range = \"calibrated\"\nmethod = \"mse\"\n";
    for (level, same) in [(Fidelity::Cell, true), (Fidelity::Weight, false)] {
        let mut e = on(chip, "", "");
        e.train.epochs = 1;
        e.train.level = level;
        let model = trained(&e);
        let mut moved = model.clone();
        for (name, tensor) in &mut moved.parameters.tensors {
            if name.ends_with(".var") {
                tensor.data.iter_mut().for_each(|v| *v *= 9.0);
            }
        }
        assert!(moved.parameters != model.parameters);
        let data = digits();
        let point = setup::point(&e, &data, 0).unwrap();
        let ranges = |model: &Model| {
            let cells = CellLevel::new(&point, model, &point.chips().unwrap()).unwrap();
            let layers = cells.layers.into_iter();
            layers.map(|l| l.ranges.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ranges(&moved) == ranges(&model), same, "{level:?}");
    }
}

/// Held-out images are classified at the level that training sees.
#[test]
fn held_out_images_go_through_the_converters_too() {
    let chip = "[chip.array]\nrows = 64\n[chip.cells]\nslice_bits = 3\n[chip.adc]\nbits = 3\n\
                range = \"granular\"\n";
    let mut e = on(chip, "", "");
    e.train.level = Fidelity::Cell;
    e.data.validation = 200;
    e.train.evaluate_every = 4;
    e.train.evaluate_chips = 2;
    let model = trained(&e);
    let held_out = model.record.history.last().unwrap().validation.unwrap();
    assert_eq!(
        held_out.std, 0.0,
        "chips without variation are all the same"
    );
    assert_eq!(held_out.mean, held_out.ideal);
    let data = digits();
    let point = setup::point(&e, &data, 0).unwrap();
    let images = point.inputs.held_out().validation.unwrap();
    let images = Images::new(&images, &point.inputs.normalise).unwrap();
    let backend = CpuBackend::new();
    let mut chip = Simulator::new(&backend, &point, &model, &images).unwrap();
    let chip = f64::from(chip.run(0, 0..1, &()).unwrap()[0].correct);
    let mut digital = Simulator::ideal(&backend, &point, &model, &images).unwrap();
    let digital = f64::from(digital.run(0, 0..1, &()).unwrap()[0].correct);
    let seen = 200.0 * held_out.ideal;
    // The steps of the last weights are chosen after the last look at held-out images.
    assert!(
        (seen - chip).abs() <= 3.0,
        "held out {seen}, on a chip {chip}"
    );
    assert!(
        (seen - digital).abs() > 6.0,
        "held out {seen}, without converters {digital}"
    );
}
