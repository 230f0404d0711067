//! Every product of the golden file by the closed form and by the operators of both backends.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::chip::cell_form::{self, Key, Place, Reader};
use pimento::mapping::digits;

use crate::golden::{self, Product};
use crate::operators::{self, Chips, Layer};

/// Demanded distance, relative to the largest output. CrossSim works in `f32`.
const TOLERANCE: f64 = 1e-5;

const KEY: Key = Key {
    seed: 1,
    flags: 0,
    chip: 0,
};

fn compare(product: &Product, who: &str, y: &[f64]) {
    let full = product.y.iter().fold(0.0f64, |m, y| m.max(y.abs()));
    assert_eq!(y.len(), product.y.len());
    for (o, (found, want)) in y.iter().zip(&product.y).enumerate() {
        assert!(
            (found - want).abs() <= TOLERANCE * full,
            "{}, {who}, output {o}: {found} for {want}",
            product.name
        );
    }
}

fn by_closed_form(p: &Product) -> cell_form::Pixel {
    let array = vec![0.0; p.reading.arrays.cell_arrays()];
    let made = cell_form::program(&p.weights, &array, &p.programming, KEY);
    let converters = cell_form::converters(&p.ranges, None, &p.errors, KEY);
    let reader = Reader {
        spec: &p.reading,
        g: &made.g,
        variance: None,
        converters: &converters,
        ranges: &p.ranges,
        correct: None,
        key: KEY,
        near: 0.0,
    };
    let place = Place {
        image: 0,
        pixel: 0,
        pixels: 1,
    };
    reader.pixel(|_, row| p.inputs[row], place)
}

#[test]
fn the_closed_form_reproduces_every_product() {
    let products = golden::products();
    assert_eq!(products.len(), 9);
    for p in &products {
        let y: Vec<f64> = by_closed_form(p)
            .u
            .iter()
            .map(|u| u * p.w_step * p.x_step)
            .collect();
        compare(p, "closed form", &y);
        // The mapping: what CrossSim reads back from its cells is our code.
        let planes = digits::planes(&p.reading.arrays, &p.weights);
        let codes = digits::codes(&p.reading.arrays, &planes);
        let slope = if p.reading.arrays.offset_code() > 0 {
            255.0 / 254.0
        } else {
            1.0
        };
        for (code, held) in codes.iter().zip(&p.read_back) {
            assert!(
                (f64::from(*code) * p.w_step * slope - held).abs() < 1e-6,
                "{}",
                p.name
            );
        }
    }
}

/// Output of the operators on one chip.
fn by_operators(backend: &dyn Backend, p: &Product) -> Vec<f64> {
    let (w_step, x_step) = (p.w_step as f32, p.x_step as f32);
    let layer = Layer {
        programming: &p.programming,
        errors: &p.errors,
        reading: &p.reading,
        ranges: &p.ranges,
        weights: p.weights.iter().map(|c| *c as f32 * w_step).collect(),
        w_step,
        inputs: p.inputs.iter().map(|c| *c as f32 * x_step).collect(),
        x_step,
        array: vec![0.0; p.reading.arrays.cell_arrays()],
        correct: None,
    };
    let chips = Chips {
        seed: KEY.seed,
        first: KEY.chip,
    };
    let y = operators::run(backend, &layer, chips).y;
    y.into_iter().map(f64::from).collect()
}

/// A sum in `f32` may fall on the other side of a threshold that it is closer to than this, codes.
const NEAR: f64 = 1e-4;

fn check(backend: &dyn Backend, who: &str) {
    for p in golden::products() {
        let closed = by_closed_form(&p);
        let near = closed
            .conversions
            .iter()
            .filter(|c| p.reading.adc.is_some() && (c.scaled.fract().abs() - 0.5).abs() < NEAR);
        // None of the file's sums is that close: every code must be the same.
        assert_eq!(near.count(), 0, "{}", p.name);
        compare(&p, who, &by_operators(backend, &p));
    }
}

#[test]
fn the_cpu_operators_reproduce_every_product() {
    check(&CpuBackend::new(), "cpu");
}

#[cfg(feature = "gpu")]
#[test]
fn the_shaders_reproduce_every_product() {
    if let Some(gpu) = crate::wires::adapter("the_shaders_reproduce_every_product") {
        check(&gpu, "shaders");
    }
}
