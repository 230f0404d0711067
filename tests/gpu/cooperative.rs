//! Cooperative matrices: who gets them, and chips of a sweep on every kind of kernels.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::WgpuBackend;
use pimento::backend::{Backend, Kernels};
use pimento::config::Experiment;
use pimento::data::embedded::Embedded;
use pimento::program::*;
use pimento::setup::{self, Images};
use pimento::sweep::result::ChipRow;
use pimento::sweep::wave::Simulator;
use pimento::train::{self, Job, Model};

use super::harness;

/// A convolution of codes, and how the backend would compute it.
fn route(gpu: &WgpuBackend, bits: Option<i32>) -> Vec<String> {
    let mut p = Program::default();
    let geo = ConvGeometry {
        h_in: 6,
        w_in: 6,
        kh: 3,
        kw: 3,
        pad: [1; 4],
        ..ConvGeometry::linear(16, 16)
    };
    let map = Shape::Image { c: 16, h: 6, w: 6 };
    let x = p.tensor("x", map, Scope::Shared, Role::Input);
    let quantized = p.tensor("codes", map, Scope::Shared, Role::Temp);
    let y = p.tensor("y", map, Scope::PerChip, Role::Output);
    let scale = p.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
    let w = p.tensor("w", Shape::Flat(geo.weights()), Scope::PerChip, Role::State);
    let quant = ActQuant {
        scale,
        lo: 0,
        hi: (1 << bits.unwrap_or(8)) - 1,
        rounding: Rounding::Nearest,
    };
    let ops = vec![
        Op::from(QuantizeAct {
            x,
            y: quantized,
            quant,
        }),
        Op::from(Conv2d {
            x: quantized,
            w,
            y,
            geo,
            post: Post::NONE,
            codes: bits.map(|_| quant),
        }),
    ];
    let section = p.section("run", ops);
    let capacity = Capacity {
        chips: 2,
        images: 32,
        chunk: 32,
    };
    gpu.routes(&p, capacity, section).expect("planned")
}

/// Codes of at most 11 bits, and nothing else; on a software adapter only where they are asked for.
#[test]
fn matrices_are_for_codes_that_halves_hold() {
    let Some(gpu) = harness::gpu_or_skip("matrices_are_for_codes_that_halves_hold") else {
        return;
    };
    assert!(gpu.is_hardware() || !gpu.cooperative().expect("known"));
    for kernels in [Kernels::Portable, Kernels::Tiled] {
        let other = gpu.with_kernels(kernels);
        assert!(!other.cooperative().expect("known"));
        assert!(!route(&other, Some(8))[0].contains("cooperative"));
    }
    let asked = gpu.with_kernels(Kernels::Cooperative);
    let Some(side) = gpu.matrix_side() else {
        let why = asked.cooperative().expect_err("no matrices").to_string();
        assert!(why.contains("--kernels cooperative"), "{why}");
        println!("SKIPPED matrices_are_for_codes_that_halves_hold: {why}");
        return;
    };
    assert!(asked.cooperative().expect("they pass the test"));
    let name = format!("cooperative {side} x {side}");
    for bits in [1, 8, 11] {
        assert_eq!(route(&asked, Some(bits)), [name.as_str()], "{bits} bits");
    }
    for bits in [None, Some(12)] {
        assert!(!route(&asked, bits)[0].contains("cooperative"), "{bits:?}");
    }
}

/// Networks at both levels and chips of each: 8-bit activations with noisy weights, arrays with converters
/// that hold conductances in floats and in halves.
const EXPERIMENTS: [(u32, &str); 3] = [
    (
        40,
        "[network]\nkind = \"cnn\"\nchannels = [8, 16]\nbatch_norm = true\n[quantize]\nweight_bits = 4\n\
     activation_bits = 8\ninput_bits = 8\n[variation]\nsigma_w = 0.2\nsigma_b = 0.2\n",
    ),
    (
        10,
        "fidelity = \"cell\"\n[network]\nkind = \"cnn\"\nchannels = [8, 8]\n[quantize]\nweight_bits = 4\n\
     activation_bits = 4\ninput_bits = 4\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[chip.array]\n\
     rows = 40\n[chip.cells]\nslice_bits = 2\non_off_ratio = 50.0\n[chip.adc]\nbits = 7\nnoise = 0.3\n",
    ),
    (
        10,
        "fidelity = \"cell\"\n[network]\nkind = \"mlp\"\nhidden = [24]\n[quantize]\nweight_bits = 4\n\
     activation_bits = 4\ninput_bits = 4\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[chip.array]\n\
     rows = 40\n[chip.cells]\nslice_bits = 2\non_off_ratio = 50.0\nstorage = \"f16\"\n[chip.adc]\nbits = 7\n",
    ),
];

fn chips(backend: &dyn Backend, e: &Experiment, m: &Model, n: u32) -> Vec<ChipRow> {
    let data = Embedded::Digits8x8.load().expect("embedded");
    let point = setup::point(e, &data, 0).expect("images");
    let images = Images::new(&data.test, &point.inputs.normalise).expect("images");
    let mut s = Simulator::new(backend, &point, m, &images).expect("prepared");
    let wave = s.wave_size() as u32;
    let mut rows = Vec::new();
    for first in (0..n).step_by(wave as usize) {
        let range = first..(first + wave).min(n);
        rows.extend(s.run(0, range, &()).expect("simulated"));
    }
    rows
}

/// Chips on cooperative matrices beside those of other kernels and of the CPU. An activation on a
/// quantizer's or converter's threshold may take the other code: of 450 images, one may be seen otherwise
/// (2 of 1,000) on 99 of 100 chips, two (5 of 1,000) on any.
#[test]
fn chips_are_the_same_on_all_kernels() {
    let test = "chips_are_the_same_on_all_kernels";
    let Some(gpu) = harness::gpu_or_skip(test) else {
        return;
    };
    let cooperative = match harness::cooperative(gpu) {
        Ok(cooperative) => cooperative,
        Err(reason) => return println!("SKIPPED {test}: {reason}"),
    };
    let cpu = CpuBackend::new();
    let data = Embedded::Digits8x8.load().expect("embedded");
    for (n, text) in EXPERIMENTS {
        let text = format!(
            "{text}[data]\nset = \"digits-8x8\"\ntrain_limit = 600\n[train]\nrecipe = \"qat\"\nepochs = 4\n\
             batch = 50\nlearning_rate = 5e-3\n[sweep]\nchips = {n}\n"
        );
        let e = Experiment::parse(&text, "test").expect("the experiment is valid");
        let m = train::train(&Job {
            backend: &cpu,
            point: &setup::point(&e, &data, 0).unwrap(),
            label: "test".into(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        let own = chips(cooperative, &e, &m, n);
        let others: [(&str, &dyn Backend); 3] = [
            ("portable", gpu),
            ("tiled", harness::tiled(gpu)),
            ("cpu", &cpu),
        ];
        for (name, other) in others {
            let other = chips(other, &e, &m, n);
            // Weights are summed in another order: the same sums to the last bit would be another kernel's.
            let rounded = own.iter().zip(&other).any(|(a, b)| a.loss != b.loss);
            assert!(
                rounded || text.starts_with("fidelity"),
                "{name}: no matrices"
            );
            let apart = own.iter().zip(&other);
            let apart = apart.map(|(a, b)| {
                assert_eq!((a.chip, a.eps_b), (b.chip, b.eps_b));
                a.correct.abs_diff(b.correct)
            });
            let apart: Vec<u32> = apart.collect();
            let beyond = |n| apart.iter().filter(|&&d| d > n).count();
            assert_eq!(beyond(2), 0, "{name}: {apart:?}\n{text}");
            assert!(
                beyond(1) <= (n as usize).div_ceil(100),
                "{name}: {apart:?}\n{text}"
            );
            println!("{name}: {} of {n} chips differ by an image", beyond(0));
        }
    }
}
