//! Effective weights of arrays without converters. That they are equivalent to the arrays is tested in
//! `partial_sums`.

use pimento::backend::program::*;

use crate::arrays::{SUM_TOLERANCE, arrays, dac, geometry};
use crate::case::{Case, Rng, backends, close};

#[test]
fn planes_add_up() {
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let mut a = arrays(&mut rng, &geo);
        a.g_min = 0.05;
        let spec = Reading {
            arrays: a.clone(),
            dac: dac(&mut rng, false),
            adc: None,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 2,
        };
        let mut case = Case::new(seed, 2, 1);
        let planes = Shape::Flat(a.read_planes() * a.plane_len());
        let g = case.random(planes, rng.scope());
        let w_step = case.random(Shape::Flat(a.cols), Scope::Shared);
        let correct = rng
            .coin()
            .then(|| case.random(Shape::Flat(2 * a.converters()), Scope::PerChip));
        let out = case.result(Shape::Flat(a.plane_len()), Scope::PerChip);
        let (mut want, mut limit) = (Vec::new(), Vec::new());
        for chip in 0..2 {
            let (g, step) = (case.at(g, chip, 0), case.at(w_step, 0, 0));
            let correct = correct.map(|t| case.at(t, chip, 0));
            for (o, step) in step.iter().enumerate() {
                for k in 0..a.rows {
                    let (mut sum, mut size) = (0.0, f64::from(a.digital_base()));
                    for p in 0..a.read_planes() {
                        let i = (a.row_tile(k) * a.read_planes() + p) * a.cols + o;
                        let pair = correct.as_ref().map(|c| (c[2 * i], c[2 * i + 1]));
                        let (gain, offset) = pair.unwrap_or((1.0, 0.0));
                        let v = gain * g[(p * a.cols + o) * a.rows + k] - offset;
                        sum += f64::from(a.place(p)) * v;
                        size += 2.0 * f64::from(a.place(p).abs());
                    }
                    want.push(step * (sum - f64::from(a.digital_base())));
                    limit.push(SUM_TOLERANCE * size);
                }
            }
        }
        let op = Op::CollapsePlanes {
            g,
            w_step,
            correct,
            out,
            spec,
        };
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [out]);
            close(isa, &got, &want, |i| limit[i]);
        }
    }
}
