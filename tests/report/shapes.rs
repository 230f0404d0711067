//! Made-up sweeps of other shapes: two numeric axes, ages, a Latin hypercube.

use pimento::sweep::result::{ChipRow, SweepResult};
use serde_json::json;

use crate::synthetic::{Spec, sweep};

/// Five sigma_W by five sigma_B, untuned and tuned.
pub fn grid() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = Vec::new();
    for tuning in ["none", "self-tuning"] {
        for w in 0..5 {
            for b in 0..5 {
                let [w, b] = [w, b].map(|step| f64::from(step) / 10.0);
                specs.push(Spec::new("qavat", tuning, w, b));
            }
        }
    }
    sweep("Which variation can a chip take?", &specs, 60, 1000)
}

/// Six sigma_W by three sigma_B, all too large for the limit: a map that is low, without a legend.
pub fn low() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = Vec::new();
    for w in 10..16 {
        for b in 0..3 {
            let [w, b] = [w, b].map(|step| f64::from(step) / 20.0);
            specs.push(Spec::new("qavat", "none", w, b));
        }
    }
    sweep("A map of three rows", &specs, 60, 1000)
}

/// Six series over sigma_W: small multiples.
pub fn multiples() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = Vec::new();
    for recipe in ["qat", "qavat"] {
        for tuning in ["none", "self-tuning", "oracle"] {
            specs.extend([0.1, 0.2, 0.3].map(|w| Spec::new(recipe, tuning, w, 0.1)));
        }
    }
    sweep("Two recipes and three tunings", &specs, 60, 1000)
}

/// Ages from 25 s to a year by converters of 5 to 10 bits, at cell level.
pub fn ageing() -> (SweepResult, Vec<ChipRow>) {
    let ages = [25.0, 3600.0, 86_400.0, 2_592_000.0, 31_536_000.0];
    let bits = [5, 6, 7, 8, 10];
    let mut specs = Vec::new();
    for age in ages {
        for bits in bits {
            let lost = 0.02 * f64::log10(age) + 0.8 * 0.5f64.powi(bits - 2);
            specs.push(Spec::new("qavat", "none", lost, 0.02));
        }
    }
    let (mut result, rows) = sweep("Phase-change memory that ages", &specs, 60, 1000);
    for (i, point) in result.points.iter_mut().enumerate() {
        let (age, bits) = (ages[i / bits.len()], bits[i % bits.len()]);
        point.axes.sigma_w = 0.0;
        point
            .axes
            .extra
            .insert("chip.drift.time_s".into(), json!(age));
        point.axes.extra.insert("chip.adc.bits".into(), json!(bits));
    }
    result.config = json!({
        "fidelity": "cell",
        "network": {"kind": "cnn", "channels": [8, 16], "width": 1.0},
        "data": {"kind": "embedded", "set": "fashion-10k"},
        "variation": {"law": "layer-fixed"},
        "chip": {
            "preset": "pcm",
            "array": {"rows": 256, "cols": 256, "split": "even"},
            "cells": {"slice_bits": 8, "encoding": "differential", "subtraction": "analog"},
            "drift": {"time_s": 25.0},
            "dac": {"bits": 8},
            "adc": {"bits": 8, "range": "calibrated"},
        },
    });
    (result, rows)
}

/// Forty points of a Latin hypercube over sigma_W, sigma_B and the number of test cells.
pub fn hypercube() -> (SweepResult, Vec<ChipRow>) {
    const POINTS: u32 = 40;
    let place = |i: u32, step: u32| (f64::from(i * step % POINTS) + 0.5) / f64::from(POINTS);
    let specs: Vec<Spec> = (0..POINTS)
        .map(|i| {
            let sigmas = [place(i, 1), place(i, 7)].map(|t| (0.02 + 0.38 * t, t));
            let mut spec = Spec::new("qavat", "self-tuning", sigmas[0].0, sigmas[1].0);
            spec.test_cells = (4.0 * 128f64.powf(place(i, 17))).round() as u32;
            spec
        })
        .collect();
    sweep("A Latin hypercube over three settings", &specs, 60, 1000)
}
