//! Steps of several draws, each with its own deviations, and of converters whose bits are drawn.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, RunArgs};
use pimento::config::Experiment;
use pimento::network::lower::training::{self, Variant};
use pimento::network::{Parameters, zoo};
use pimento::program::{Capacity, Law, Mapping};
use pimento::random::TRAINING;
use pimento::train::Model;

use crate::differences::{IMAGES, Network, noise, style};
use crate::parts::{STAGED, digits};
use crate::{experiment, train_until};

/// Factors on the deviations of three draws.
const FACTORS: [f32; 3] = [1.0, 0.5, 0.0];

/// A network on chips whose deviations have a factor.
fn deviating(factor: f32) -> Network {
    let graph = zoo::cnn((2, 8, 8), &[3], 6, 4, style(false));
    let mut law = noise(Law::WeightProportional, Mapping::Ideal);
    law.sigma_w *= factor;
    let mut n = Network::new(graph, Some(law), 2);
    n.common *= factor;
    n
}

/// The gradient of a step of all draws, by its sections.
fn of_all_draws(start: &Parameters) -> Parameters {
    let mut n = deviating(1.0);
    n.spec.accumulate = FACTORS.len();
    let variant = |factor: f32| Variant {
        noise: deviating(factor).spec.noise,
        cells: None,
        passes: vec![],
    };
    n.spec.variants = FACTORS.map(variant).into();
    let t = training::lower(&n.graph, &n.numerics, &n.spec);
    assert_eq!(t.variants.len(), FACTORS.len());
    assert_eq!(t.variants[0], t.step);
    let capacity = Capacity {
        chips: 2,
        images: IMAGES,
        chunk: IMAGES,
    };
    let mut s = CpuBackend::new().prepare(&t.program, capacity).unwrap();
    start.load_into(s.as_mut(), &t.states).unwrap();
    s.write(t.images, &n.images).unwrap();
    s.write(t.labels, &n.labels).unwrap();
    let args = RunArgs {
        purpose: TRAINING,
        lr: 1.0,
        // The chips of `Network::step`.
        ..RunArgs::wave(9, 4, 2, 0..IMAGES)
    };
    for (section, factor) in t.variants.iter().zip(FACTORS) {
        for &chip in &t.chips {
            let one = [0.25 * factor, 1.0, 0.0, 0.0];
            s.write(chip, &one.repeat(2)).unwrap();
        }
        s.run(*section, &args).unwrap();
    }
    s.run(t.update.unwrap(), &args).unwrap();
    let mut after = Parameters::default();
    after.read_from(s.as_mut(), &t.states).unwrap();
    after
}

/// The gradient of a step is the mean of the gradients of its passes, each on chips that deviate as its factor says; and
/// that of the mean of their losses, by central differences.
#[test]
fn the_gradient_of_draws_is_the_mean_of_their_gradients() {
    let n = deviating(1.0);
    let t = training::lower(&n.graph, &n.numerics, &n.spec);
    let start = Parameters::initial(&n.graph, &t.states, 3);
    let after = of_all_draws(&start);
    let alone = FACTORS.map(|factor| deviating(factor).step(&start).1);
    let loss = |p: &Parameters| {
        let each = FACTORS.map(|factor| deviating(factor).step(p).0);
        each.iter().sum::<f64>() / FACTORS.len() as f64
    };
    for name in ["conv1.weight", "fc2.weight", "fc3.weight", "fc3.bias"] {
        let before = &start.tensors[name].data;
        let way = |p: &Parameters, i: usize| f64::from(before[i] - p.tensors[name].data[i]);
        let scale = (0..before.len()).map(|i| way(&after, i).abs());
        let scale = scale.fold(0.0, f64::max);
        assert!(scale > 1e-4, "{name}: {scale}");
        for i in 0..before.len() {
            let mean = alone.iter().map(|p| way(p, i)).sum::<f64>() / alone.len() as f64;
            // Parameters below 1 are rounded after each step.
            let error = (way(&after, i) - mean).abs();
            assert!(
                error < 8.0 * f64::from(f32::EPSILON),
                "{name}[{i}]: {error}"
            );
        }
        for i in (0..before.len()).step_by((before.len() / 5).max(1)) {
            let h = 4e-3f32;
            let at = |d: f32| {
                let mut p = start.clone();
                p.tensors.get_mut(name).unwrap().data[i] += d;
                loss(&p)
            };
            let numeric = (at(h) - at(-h)) / f64::from(2.0 * h);
            // As in `differences.rs`.
            let error = (numeric - way(&after, i)).abs();
            assert!(error < 0.02 * scale + 1e-4, "{name}[{i}]: {error}");
        }
    }
}

/// A step by plain gradient descent from the start of all trainings: what weights become.
fn one_step(noise: &str, sigma_w: f64) -> Parameters {
    let text = STAGED
        .replace(
            "recipe = \"float\"",
            &format!("noise = [{noise}]\noptimizer = \"sgd\"\nvariation = \"both\""),
        )
        .replace("train_limit = 240", "train_limit = 80")
        .replace("epochs = 2", "epochs = 1");
    let mut e = experiment(&text);
    e.variation.sigma_b *= sigma_w / e.variation.sigma_w;
    e.variation.sigma_w = sigma_w;
    train_until(&e, &digits(80), None, usize::MAX)
        .unwrap()
        .parameters
}

fn chip(draws: &str) -> String {
    format!("{{ kind = \"chip\", draws = {draws} }}")
}

/// Equal factors are a number of draws and a sigma; the draws add up, each with its own.
#[test]
fn draws_deviate_as_their_factors_say() {
    let of = |draws: &str| one_step(&chip(draws), 0.2);
    assert!(of("[1.0, 1.0]") == of("2"));
    assert!(of("[0.5, 0.5]") == one_step(&chip("2"), 0.1));
    assert!(of("[0.5]") == one_step(&chip("1"), 0.1));
    assert!(of("[0, 0]") == one_step(&chip("1"), 0.0));
    let [ab, cd, ad, cb] = ["[1, 0.5]", "[0, 2]", "[1, 2]", "[0, 0.5]"].map(of);
    let mut differ = false;
    for (name, ab) in &ab.tensors {
        for (i, x) in ab.data.iter().enumerate() {
            let of = |p: &Parameters| f64::from(p.tensors[name].data[i]);
            let (sum, other) = (f64::from(*x) + of(&cd), of(&ad) + of(&cb));
            // Parameters below 1, each rounded once.
            assert!(
                (sum - other).abs() < 4.0 * f64::from(f32::EPSILON),
                "{name}[{i}]"
            );
            differ |= *x != ad.tensors[name].data[i];
        }
    }
    assert!(differ);
}

fn through_converters(noise: &str, adc: &str, seed: u64, epochs: usize) -> Experiment {
    let parts = "weights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\nlevel = \"cell\"\n";
    let text = STAGED
        .replace(
            "recipe = \"float\"",
            &format!("{parts}noise = [{noise}]\nseed = {seed}"),
        )
        .replace(
            "activation_bits = 4",
            "activation_bits = 4\ninput_bits = 4\nweight_step = \"max-abs\"",
        )
        .replace("train_limit = 240", "train_limit = 80")
        .replace("epochs = 2", &format!("epochs = {epochs}"));
    experiment(&format!(
        "fidelity = \"cell\"\n{text}[chip.array]\nrows = 32\n[chip.adc]\n{adc}\n"
    ))
}

fn trained(e: &Experiment) -> Model {
    train_until(e, &digits(80), None, usize::MAX).unwrap()
}

/// A list of one number trains as chips with such converters do, whatever the chip has, with every rule for ranges.
#[test]
fn one_number_of_bits_is_that_of_the_converters() {
    for range in [
        "",
        "range = \"granular\"",
        "range = \"fixed\"\nlimit = 20",
        "range = \"calibrated\"",
        "range = \"calibrated\"\nmethod = \"mse\"\nshared = true",
    ] {
        let of = |noise: &str, bits: u32| {
            let adc = format!("bits = {bits}\n{range}");
            trained(&through_converters(noise, &adc, 3, 2))
        };
        let chips = "{ kind = \"chip\" }";
        let drawn = of(
            &format!("{chips}, {{ kind = \"converter-bits\", bits = [4] }}"),
            8,
        );
        let (own, other) = (of(chips, 4), of(chips, 8));
        assert!(drawn.parameters == own.parameters, "{range}");
        assert_eq!(drawn.record.history, own.record.history, "{range}");
        assert!(own.parameters != other.parameters, "{range}");
    }
}

/// Every step goes through the converters of one entry; which, the seed says.
#[test]
fn a_step_goes_through_converters_of_one_of_the_numbers() {
    let of = |noise: &str, bits: u32, seed: u64| {
        trained(&through_converters(
            noise,
            &format!("bits = {bits}"),
            seed,
            1,
        ))
        .parameters
    };
    let mut coarse = 0;
    const SEEDS: u64 = 12;
    for seed in 0..SEEDS {
        let drawn = of("{ kind = \"converter-bits\", bits = [3, 8] }", 6, seed);
        let [a, b] = [3, 8].map(|bits| of("", bits, seed));
        assert!(a != b);
        assert!(drawn == a || drawn == b, "seed {seed}");
        coarse += u64::from(drawn == a);
    }
    assert!((1..SEEDS).contains(&coarse), "{coarse}");
}
