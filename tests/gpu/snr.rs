//! Signal-to-noise ratios of layers on the adapter: the same laws, and the ratios of the CPU.

#[path = "../system/snr/laws.rs"]
mod laws;

use pimento::backend::cpu::CpuBackend;

use crate::harness;

/// Decibels by which rounding may change a ratio of powers: conversions on a threshold may take the other code.
const NEAR: f64 = 0.02;

macro_rules! holds {
    ($($law:ident),+) => {
        $(#[test]
        fn $law() {
            if let Some(gpu) = harness::gpu_or_skip(stringify!($law)) {
                laws::$law(gpu);
            }
        })+
    };
}

holds!(
    cells_deviate,
    weights_deviate,
    steps_are_noisy,
    steps_of_every_place_add_up,
    cells_are_noisy,
    steps_are_a_twelfth,
    clips_are_tails,
    parts_add_up,
    exact_chips_have_no_noise,
    converters_are_verified
);

#[test]
fn both_backends_have_the_same_ratios() {
    let Some(gpu) = harness::gpu_or_skip("both_backends_have_the_same_ratios") else {
        return;
    };
    for text in [
        laws::cell(
            "[variation]\nsigma_w = 0.1\nsigma_b = 0.05\n[chip.read]\nproportional = 0.02\n[chip.adc]\nbits = 7\n",
        ),
        "[variation]\nsigma_w = 0.1\nsigma_b = 0.05\n".to_string(),
    ] {
        let (a, b) = (
            laws::layer(&CpuBackend::new(), &text, &laws::on(5)),
            laws::layer(gpu, &text, &laws::on(5)),
        );
        assert!(
            (a.snr.db - b.snr.db).abs() < NEAR,
            "{:?} {:?}",
            a.snr,
            b.snr
        );
        for (a, b) in a.parts.iter().zip(&b.parts) {
            assert_eq!((a.part, a.has), (b.part, b.has));
            let same = a.own == b.own || (a.snr.db - b.snr.db).abs() < NEAR;
            assert!(same, "{a:?} {b:?}");
        }
    }
}
