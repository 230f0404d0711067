//! Trainings composed of pairs of parts on both backends.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::{Embedded, Split};
use pimento::setup;
use pimento::train::{self, Job, Model};

use crate::all_parts::{PARTS, text};
use crate::harness::{self, Rng};

/// Pairs at each level.
const PAIRS: usize = 6;

/// Bound on the difference of a parameter after three steps, as in `training.rs`: an activation within rounding
/// of a quantizer's threshold may get the next code, which moves a gradient by a step of one of 32 images.
const TOLERANCE: f64 = 2e-3;

fn trained(backend: &dyn Backend, e: &Experiment, data: &Split) -> Model {
    train::train(&Job {
        backend,
        point: &setup::point(e, data, 0).expect("images"),
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
    .expect("trained")
}

#[test]
fn pairs_of_parts_train_to_the_same_network_on_both_backends() {
    let test = "pairs_of_parts_train_to_the_same_network_on_both_backends";
    let Some(gpu) = harness::gpu_or_skip(test) else {
        return;
    };
    let (cpu, mut rng) = (CpuBackend::new(), Rng(18));
    let all = Embedded::Digits8x8.load().expect("embedded");
    let data = Split {
        train: all.train.limit(96),
        ..all
    };
    for level in ["weight", "cell"] {
        let mut seen = 0;
        while seen < PAIRS {
            let [a, b] = [(); 2].map(|()| &PARTS[rng.pick(0, PARTS.len() - 1)]);
            // Those that are refused are known to `tests/system/parts.rs`.
            let Ok(e) = Experiment::parse(&text(&[a, b], level), "x") else {
                continue;
            };
            seen += 1;
            let (want, got) = (trained(&cpu, &e, &data), trained(gpu, &e, &data));
            for (name, tensor) in &want.parameters.tensors {
                let theirs = &got.parameters.tensors[name];
                for (x, y) in tensor.data.iter().zip(&theirs.data) {
                    let apart = f64::from((x - y).abs());
                    assert!(
                        apart <= TOLERANCE * f64::from(x.abs().max(1.0)),
                        "{} and {} at level {level}: `{name}` {x} against {y}",
                        a.name,
                        b.name
                    );
                }
            }
        }
    }
}
