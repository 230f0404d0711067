//! The laws of docs/MODEL.md 6 on a real network and real images.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::result::ChipRow;
use pimento::train::Model;

use crate::{digits, experiment};

const CHIPS: u32 = 24;

fn model(e: &Experiment) -> Model {
    crate::trained(e, &digits())
}

fn rows(e: &Experiment, m: &Model) -> Vec<ChipRow> {
    crate::rows(e, m, &digits(), 0..CHIPS)
}

fn ideal(e: &Experiment, m: &Model) -> ChipRow {
    crate::ideal(e, m, &digits())
}

/// A perceptron on the digits; `extra` goes into the TOML.
fn mlp(batch_norm: bool, activation_bits: u32, variation: &str, tuning: &str) -> Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n\
         [network]\nkind = \"mlp\"\nhidden = [64, 48]\nbatch_norm = {batch_norm}\nbias = false\n\
         [quantize]\nweight_bits = 4\nactivation_bits = {activation_bits}\n\
         [train]\nrecipe = \"qat\"\nepochs = 6\nbatch = 64\nlearning_rate = 3e-3\n\
         [variation]\n{variation}\n[tuning]\n{tuning}\n[sweep]\nchips = {CHIPS}\n"
    ))
}

#[test]
fn proportional_common_deviation_leaves_a_homogeneous_network_alone() {
    let e = mlp(false, 0, "sigma_b = 0.3", "");
    let m = model(&e);
    let nominal = ideal(&e, &m);
    assert!(
        nominal.accuracy > 0.85,
        "the network has learned: {nominal:?}"
    );
    for row in rows(&e, &m) {
        assert!(
            row.eps_b > -1.0,
            "seed 1 has no chip beyond the law's range"
        );
        // Every layer's output is scaled by 1 + e: the order of the logits cannot change but by
        // rounding of near ties.
        let changed = row.correct.abs_diff(nominal.correct);
        assert!(changed <= 1, "{row:?} against {nominal:?}");
    }
}

#[test]
fn proportional_common_deviation_hurts_with_batch_norm_and_the_oracle_removes_it() {
    let plain = mlp(true, 8, "sigma_b = 0.25", "");
    let m = model(&plain);
    let nominal = ideal(&plain, &m);
    let untuned = rows(&plain, &m);
    let worst = untuned.iter().map(|r| r.correct).min().unwrap();
    assert!(
        worst + 20 < nominal.correct,
        "worst chip {worst}, ideal {nominal:?}"
    );
    let tuned = mlp(true, 8, "sigma_b = 0.25", "method = \"oracle\"");
    for row in rows(&tuned, &m) {
        // Without within-chip variation the oracle restores the nominal weights up to rounding.
        assert!(
            row.correct.abs_diff(nominal.correct) <= 2,
            "{row:?} against {nominal:?}"
        );
    }
}

#[test]
fn differential_cells_cancel_a_fixed_common_deviation_exactly() {
    let text =
        "law = \"layer-fixed\"\nmapping = \"differential\"\non_off_ratio = 20.0\nsigma_b = 0.2";
    let e = mlp(true, 8, text, "");
    let m = model(&e);
    let nominal = ideal(&e, &m);
    for row in rows(&e, &m) {
        assert_eq!(row.correct, nominal.correct);
        assert_eq!(row.loss, nominal.loss);
    }
}

#[test]
fn fixed_law_oracle_and_reference_columns_return_within_chip_accuracy() {
    let law = "law = \"layer-fixed\"\nsigma_w = 0.03\n";
    let within = mlp(true, 8, &format!("{law}sigma_b = 0.0"), "");
    let m = model(&within);
    let reference = rows(&within, &m);
    let both = format!("{law}sigma_b = 0.15");
    let untuned = rows(&mlp(true, 8, &both, ""), &m);
    let sum = |rows: &[ChipRow]| rows.iter().map(|r| f64::from(r.correct)).sum::<f64>();
    let images = f64::from(CHIPS) * 450.0;
    let hurt = (sum(&reference) - sum(&untuned)) / images;
    assert!(
        hurt > 0.04,
        "eps_B costs {hurt} of {}",
        sum(&reference) / images
    );
    for (a, b) in rows(&mlp(true, 8, &both, "method = \"oracle\""), &m)
        .iter()
        .zip(&reference)
    {
        // The same cells: chip by chip the same but for rounding.
        assert!(a.correct.abs_diff(b.correct) <= 2, "{a:?} against {b:?}");
    }
    // A column's mean adds within-chip noise of variance sigma_W^2/K: 32 columns, a few images.
    let columns = rows(
        &mlp(
            true,
            8,
            &both,
            "method = \"reference-columns\"\nreference_columns = 32",
        ),
        &m,
    );
    let lost = (sum(&reference) - sum(&columns)) / images;
    assert!(lost.abs() < 0.02, "reference columns lose {lost}");
}

/// A column of weight 0 cannot show a gain; columns at a known level show it as exactly as their cells allow.
#[test]
fn proportional_deviations_show_in_level_columns_alone() {
    let within = mlp(true, 8, "sigma_w = 0.05\nsigma_b = 0.0", "");
    let m = model(&within);
    let both = "sigma_w = 0.05\nsigma_b = 0.3";
    let tuned = |tuning: &str| rows(&mlp(true, 8, both, tuning), &m);
    let losses = |rows: &[ChipRow]| rows.iter().map(|r| r.loss).collect::<Vec<_>>();
    let untuned = losses(&tuned(""));
    assert_eq!(losses(&tuned("method = \"reference-columns\"")), untuned);
    let (oracle, level) = (
        tuned("method = \"oracle\""),
        tuned("method = \"level-columns\""),
    );
    for ((untuned, oracle), level) in untuned.iter().zip(&oracle).zip(&level) {
        // 4 columns of 64 rows and more: a gain within 0.05/16 of the truth, six standard errors.
        assert!(
            (level.loss - oracle.loss).abs() < 0.05 * (1.0 + oracle.loss),
            "{level:?} {oracle:?}"
        );
        assert!(
            (level.eps_hat - level.eps_common).abs() < 6.0 * 0.05 / 16.0,
            "{level:?}"
        );
        assert!(untuned.is_finite());
    }
    let sum = |rows: &[ChipRow]| rows.iter().map(|r| r.loss).sum::<f64>();
    assert!(untuned.iter().sum::<f64>() > 1.05 * sum(&level));
}

#[test]
fn a_fixed_common_deviation_of_the_last_layer_leaves_the_decision_alone() {
    use pimento::backend::{Backend, Capacity, RunArgs};
    use pimento::network::lower::CellNoise;
    use pimento::network::lower::inference::{self, Chips, NormMode};
    let e = mlp(true, 8, "law = \"layer-fixed\"", "");
    let m = model(&e);
    let data = digits();
    let noise = CellNoise {
        law: pimento::program::Law::LayerFixed,
        mapping: pimento::program::Mapping::Ideal,
        deviate: pimento::program::Deviate::Gaussian,
        sigma_w: 0.0,
        profile: None,
        reference_columns: 0,
    };
    let p = inference::lower(
        &m.graph,
        &m.numerics,
        Chips::Weight(&noise.everywhere(&m.graph)),
        NormMode::Frozen,
        true,
    );
    let backend = CpuBackend::new();
    let n = data.test.len();
    let capacity = Capacity {
        chips: 3,
        images: n.next_multiple_of(16),
        chunk: n.next_multiple_of(16),
    };
    let mut s = backend.prepare(&p.program, capacity).unwrap();
    m.parameters.load_into(s.as_mut(), &p.states).unwrap();
    let normalise = pimento::data::Normalise::new(&data.test, &[0.0], &[1.0]).unwrap();
    let (mut pixels, mut labels) = (vec![], vec![]);
    data.test.gather(0..n, &normalise, &mut pixels);
    data.test.gather_labels(0..n, &mut labels);
    s.write(p.images, &pixels).unwrap();
    s.write(p.labels, &labels).unwrap();
    for (l, &chip) in p.chips.iter().enumerate() {
        let e = if l + 1 == p.chips.len() {
            [0.0, 0.4, -0.7]
        } else {
            [0.0; 3]
        };
        let fields: Vec<f32> = e.iter().flat_map(|&e| [e, 1.0, 0.0, 0.0]).collect();
        s.write(chip, &fields).unwrap();
    }
    let args = RunArgs::wave(1, 0, 3, 0..n);
    for section in [p.fabricate, p.clear, p.evaluate] {
        s.run(section, &args).unwrap();
    }
    let logits = s.read(p.logits.unwrap()).unwrap();
    let decision = |v: &[f32]| {
        let best = v.iter().copied().fold(f32::MIN, f32::max);
        v.iter().position(|&x| x == best).unwrap()
    };
    let gap = |v: &[f32]| {
        let mut v = v.to_vec();
        v.sort_by(f32::total_cmp);
        v[9] - v[8]
    };
    let (nominal, others) = logits.split_at(n * 10);
    let mut moved = 0f32;
    for other in others.chunks_exact(n * 10) {
        for (a, b) in nominal.chunks_exact(10).zip(other.chunks_exact(10)) {
            moved = moved.max((a[0] - b[0]).abs());
            // All logits move together; only ties within rounding may change hands.
            assert!(decision(a) == decision(b) || gap(a) < 1e-4);
        }
    }
    assert!(moved > 0.5, "the deviation was there: {moved}");
}
