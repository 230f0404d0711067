//! Energy of simulated chips: what closed forms say of its mean and spread, what scales it, and that nothing else changes.

use pimento::config::Experiment;
use pimento::mapping::digits;
use pimento::network::state::Part;
use pimento::program::Arrays;
use pimento::setup::{self, Images};
use pimento::sweep::result::ChipRow;
use pimento::train::Model;

use crate::{digits as data, experiment, rows, trained};

/// Standard errors that a mean may be off by.
const BAR: f64 = 6.0;
/// Sums of positive terms in `f32`, rounded a few times each.
const ROUNDED: f64 = 1e-5;

/// A classifier of one layer, whose drives are those of the images.
fn linear(variation: &str, chip: &str, energy: &str) -> Experiment {
    network("hidden = []", variation, chip, energy)
}

fn network(layers: &str, variation: &str, chip: &str, energy: &str) -> Experiment {
    experiment(&format!(
        "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\n{layers}\n\
         [quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 5\n\
         [train]\nrecipe = \"qat\"\nepochs = 2\nbatch = 64\n\
         [variation]\n{variation}\n[chip.array]\nrows = 24\ncols = 8\n\
         [chip.cells]\nslice_bits = 2\non_off_ratio = 20\ng_max_us = 50\n{chip}\n{energy}"
    ))
}

const ENERGY: &str = "[energy]\nread_v = 0.3\npulse_ns = 20";

fn energies(e: &Experiment, m: &Model, chips: std::ops::Range<u32>) -> Vec<f64> {
    let rows = rows(e, m, &data(), chips);
    let value = |row: &ChipRow| row.values.get("energy_array_pj").expect("a column");
    rows.iter().map(value).collect()
}

/// Energy of nominal cells for an image in pJ, and its variance where every cell deviates by itself in proportion.
fn closed_form(e: &Experiment, m: &Model, sigma: f64, steps: impl Fn(i32) -> f64) -> (f64, f64) {
    let (id, geo, _) = m.graph.crossbars()[0];
    let name = &m.graph.nodes[id].name;
    let weights = m.parameters.need(name, Part::Weight).unwrap();
    let step = m.parameters.need(name, Part::WeightStep).unwrap()[0];
    let input_step = m.parameters.need(name, Part::InputStep).unwrap()[0];
    let arrays: Arrays = pimento::mapping::arrays(&geo, &e.chip.array, &e.chip.cells, 5).unwrap();
    let data = data();
    let point = setup::point(e, &data, 0).unwrap();
    let images = Images::new(&data.test, &point.inputs.normalise).unwrap();
    let (pixels, _) = images.range(&(0..images.len()));
    // Mean over the images of the squared drives of every row, over its steps.
    let mut drives = vec![0.0; arrays.rows];
    for image in pixels.chunks(arrays.rows) {
        for (drive, x) in drives.iter_mut().zip(image) {
            *drive += steps((x / input_step).round_ties_even() as i32) / images.len() as f64;
        }
    }
    let unit = 20e-9 * 0.3f64.powi(2) * 50e-6 * 1e12;
    let (mut mean, mut variance) = (0.0, 0.0);
    for (i, w) in weights.iter().enumerate() {
        let code = (w / step).round_ties_even().clamp(-15.0, 15.0) as i32;
        for (plane, digit) in digits::of_code(&arrays, code).into_iter().enumerate() {
            let slice = plane / arrays.polarities();
            let top = f64::from(arrays.top_digit(slice));
            let g = 0.05 + 0.95 * f64::from(digit) / top;
            let energy = unit * drives[i % arrays.rows] * g;
            mean += energy;
            variance += (energy * sigma).powi(2);
        }
    }
    (mean, variance)
}

fn ones(code: i32) -> f64 {
    f64::from(code.unsigned_abs().count_ones())
}

/// Two bits a step: 0 to 3, relative to 3.
fn digits_of_two(code: i32) -> f64 {
    let code = code.unsigned_abs();
    (0..3)
        .map(|t| (f64::from(code >> (2 * t) & 3) / 3.0).powi(2))
        .sum()
}

#[test]
fn nominal_chips_take_what_their_cells_and_drives_say() {
    let plain = linear("", "", ENERGY);
    let m = trained(&plain, &data());
    for (chip, steps) in [
        ("", ones as fn(i32) -> f64),
        (
            "encoding = \"offset\"\n[chip.adc]\ncodes = \"uniform\"",
            ones,
        ),
        (
            "subtraction = \"digital\"\n[chip.adc]\ncodes = \"uniform\"\n[chip.dac]\nbits = 2",
            digits_of_two,
        ),
        (
            "[chip.dac]\naccumulate = \"analog\"\n[chip.adc]\nbits = 12",
            ones,
        ),
        ("storage = \"f16\"", ones),
    ] {
        let e = linear("", chip, ENERGY);
        let (want, _) = closed_form(&e, &m, 0.0, steps);
        for found in energies(&e, &m, 0..2) {
            assert!(
                (found / want - 1.0).abs() < ROUNDED,
                "{chip}: {found}, not {want}"
            );
        }
    }
}

/// Columns in another order conduct the same for every row.
#[test]
fn rearranged_columns_take_as_much() {
    let mut e = linear("", "", ENERGY);
    let m = trained(&e, &data());
    let (want, _) = closed_form(&e, &m, 0.0, ones);
    e.chip.array.rearrange = pimento::config::chip::Rearrange::HeavyFirst;
    let found = energies(&e, &m, 0..1)[0];
    assert!((found / want - 1.0).abs() < ROUNDED, "{found}, not {want}");
}

#[test]
fn mean_and_spread_over_chips_are_those_of_their_cells() {
    let (n, sigma) = (600, 0.1);
    let e = linear("sigma_w = 0.1", "", ENERGY);
    let m = trained(&e, &data());
    let (mean, variance) = closed_form(&e, &m, sigma, ones);
    let found = energies(&e, &m, 0..n);
    let n = f64::from(n);
    let own = found.iter().sum::<f64>() / n;
    let spread = found.iter().map(|v| (v - own).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    assert!(
        (own - mean).abs() < BAR * error,
        "{own}, not {mean} within {error}"
    );
    // Of a variance of normal values.
    let error = variance * (2.0 / (n - 1.0)).sqrt();
    assert!(
        (spread - variance).abs() < BAR * error,
        "{spread}, not {variance} within {error}"
    );
}

#[test]
fn a_common_deviation_scales_it_and_its_wave_does_not_matter() {
    let e = linear("sigma_b = 0.2", "", ENERGY);
    let m = trained(&e, &data());
    let (nominal, _) = closed_form(&e, &m, 0.0, ones);
    let all = rows(&e, &m, &data(), 0..20);
    for row in &all {
        let found = row.values.get("energy_array_pj").unwrap() / nominal;
        assert!((found - (1.0 + row.eps_b)).abs() < ROUNDED, "{row:?}");
    }
    let alone = energies(&e, &m, 7..8);
    assert_eq!(alone[0], all[7].values.get("energy_array_pj").unwrap());
}

/// A network of three layers on any chip: the same decisions with energies as without, and the other parts on top.
#[test]
fn nothing_else_changes() {
    let chips = [
        ("", ""),
        ("[chip.wires]\nrow_ohm = 2\ncol_ohm = 2", "sigma_w = 0.05"),
        (
            "[chip.read]\nproportional = 0.02",
            "sigma_w = 0.05\nsigma_b = 0.02",
        ),
        (
            "[chip.wires]\nrow_ohm = 2\n[chip.read]\nproportional = 0.02",
            "",
        ),
        ("[tuning]\nmethod = \"reference-columns\"", "sigma_w = 0.05"),
        (
            "[tuning]\nmethod = \"bn-recalibration\"\nrecalibration_batches = 1",
            "sigma_w = 0.05",
        ),
        ("[layer.\"fc1\"]\ndigital = true", "sigma_w = 0.05"),
    ];
    let with = |chip: &str, variation: &str, energy: &str| {
        network(
            "hidden = [24, 16]\nbatch_norm = true",
            variation,
            chip,
            energy,
        )
    };
    let m = trained(&with("", "", ""), &data());
    for (chip, variation) in chips {
        let plain = rows(&with(chip, variation, ""), &m, &data(), 0..3);
        let measured = with(chip, variation, ENERGY);
        let found = rows(&measured, &m, &data(), 0..3);
        let data = data();
        let point = setup::point(&measured, &data, 0).unwrap();
        let estimate = point.energy().unwrap().unwrap();
        for (plain, row) in plain.iter().zip(&found) {
            assert_eq!(
                (plain.correct, plain.loss),
                (row.correct, row.loss),
                "{chip}"
            );
            assert!(plain.values.get("energy_array_pj").is_none());
            let value = |name: &str| row.values.get(name).unwrap();
            let arrays = value("energy_array_pj");
            let others = estimate.periphery_pj();
            assert_eq!(value("energy_low_pj"), arrays + others.low);
            assert_eq!(value("energy_high_pj"), arrays + others.high);
            // Without deviations it is what `inspect` says it can be.
            let bounds = estimate.energy_pj_of(pimento::energy::Part::Arrays);
            assert!(
                arrays > 0.0 && arrays < 1.3 * bounds.high,
                "{arrays} of {bounds:?}"
            );
        }
    }
}
