//! Layers without converters, and what is equivalent to them.

use pimento::program::*;

use crate::case::{Rng, backends, close, wide};
use crate::cases::arrays::{SUM_TOLERANCE, output};
use crate::cases::partial_sums::{Random, random};

/// The layer on arrays against its effective weights: [`CollapsePlanes`] with [`Conv2d`].
#[test]
fn layers_are_convolutions_by_their_effective_weights() {
    for seed in 0..40 {
        let Random {
            mut case,
            x,
            one,
            g,
            geo,
            spec,
        } = random(seed);
        let mut rng = Rng(seed + 100);
        if spec.dac.table.is_some() {
            continue;
        }
        let a = &spec.arrays;
        let cols = if rng.coin() { a.cols } else { 1 };
        let w_step = case.random(cols, Scope::Shared);
        let correct = rng
            .coin()
            .then(|| case.random(2 * a.converters(), Scope::PerChip));
        let layer = case.result(output(&geo), Scope::PerChip);
        let collapsed = case.temp(a.plane_len(), Scope::PerChip);
        let short = case.result(output(&geo), Scope::PerChip);
        let ops = vec![
            Op::from(Crossbar {
                x,
                x_step: one,
                g,
                variance: None,
                w_step,
                adc: None,
                range: None,
                correct,
                y: layer,
                clipped: None,
                slope: None,
                geo,
                post: Post::NONE,
                spec: spec.clone(),
            }),
            Op::from(CollapsePlanes {
                g,
                w_step,
                correct,
                out: collapsed,
                spec: spec.clone(),
            }),
            Op::from(Conv2d {
                x,
                w: collapsed,
                y: short,
                geo,
                post: Post::NONE,
                codes: None,
            }),
        ];
        // Every cell is at most 1, every input at most 255, every place at most the last plane's.
        let top: f64 = (0..a.read_planes())
            .map(|p| f64::from(a.place(p).abs()))
            .sum();
        let size = (2.0 * a.rows as f64 * 255.0) * top + f64::from(a.digital_base()) * 255.0;
        for (isa, backend) in backends() {
            let [layer, short] = case.run(&backend, ops.clone(), [layer, short]);
            let what = format!("{isa} seed {seed}: collapsed");
            close(&what, &layer, &wide(&short), |_| SUM_TOLERANCE * size);
        }
    }
}
