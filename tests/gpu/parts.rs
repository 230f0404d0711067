//! Trainings composed of pairs of parts on both backends.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::{Embedded, Split};
use pimento::network::parameters::Tensor;
use pimento::setup;
use pimento::train::{self, Job, Model};

use crate::all_parts::{PARTS, text};
use crate::harness::{self, Rng};

/// Pairs at each level.
const PAIRS: usize = 8;

/// Pairs that are among them at any rate: outputs besides the network's own, steps with several sections.
const ALWAYS: [[&str; 2]; 4] = [
    ["ovf", "chips"],
    ["irs", "several chips"],
    ["heads", "distill"],
    ["draws by factors", "filters"],
];

/// The same where there are converters.
const WITH_CONVERTERS: [[&str; 2]; 4] = [
    ["gain", "ranges"],
    ["gain", "several chips"],
    ["converter bits", "segments"],
    ["converter bits", "draws by factors"],
];

/// Bound on the distance of a tensor on both backends, as a share of the way that it moved in three steps.
/// Rounding alone leaves 1e-5. Sums of quantized weights that are equal but for rounding may take another place in a max
/// pool, whose gradient goes to the largest, and an activation within rounding of a threshold the next code: such images, of
/// 32 a step, move a gradient by some hundredths.
const TOLERANCE: f64 = 0.1;

/// For tensors that hardly move: distance as a share of their length.
const LEAST: f64 = 1e-4;

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

/// Distance of two tensors.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    length(&a.data, &b.data)
}

fn length(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn pairs_of_parts_train_to_the_same_network_on_both_backends() {
    let test = "pairs_of_parts_train_to_the_same_network_on_both_backends";
    let Some(gpu) = harness::gpu_or_skip(test) else {
        return;
    };
    // With these pairs no weight of a step is within rounding of the next code, which would move a whole channel's statistics.
    let (cpu, mut rng) = (CpuBackend::new(), Rng(1802));
    let all = Embedded::Digits8x8.load().expect("embedded");
    let data = Split {
        train: all.train.limit(32),
        ..all
    };
    for level in ["weight", "cell"] {
        let mut always = ALWAYS.to_vec();
        if level == "cell" {
            always.extend(WITH_CONVERTERS);
        }
        let mut seen = 0;
        while seen < PAIRS + always.len() {
            let known = |name: &str| PARTS.iter().find(|part| part.name == name);
            let [a, b] = match always.get(seen) {
                Some(names) => names.map(|name| known(name).expect("a part")),
                None => [(); 2].map(|()| &PARTS[rng.pick(0, PARTS.len() - 1)]),
            };
            // Those that are refused are known to `tests/system/parts.rs`.
            let Ok(e) = Experiment::parse(&text(&[a, b], level), "x") else {
                continue;
            };
            seen += 1;
            let (want, got) = (trained(&cpu, &e, &data), trained(gpu, &e, &data));
            let mut still = e.clone();
            still.train.learning_rate = 1e-9;
            let start = trained(&cpu, &still, &data);
            for (name, want) in &want.parameters.tensors {
                let apart = distance(want, &got.parameters.tensors[name]);
                let moved = distance(want, &start.parameters.tensors[name]);
                let zeros = vec![0.0; want.data.len()];
                let length = length(&want.data, &zeros);
                assert!(
                    apart <= TOLERANCE * moved + LEAST * length,
                    "{} and {} at level {level}: `{name}` moved by {moved} and is {apart} apart",
                    a.name,
                    b.name
                );
            }
        }
    }
}
