//! Partial sums, and what is equivalent to them.

use pimento::program::*;

use crate::arrays::{self, SUM_TOLERANCE, geometry, input, output};
use crate::case::{Case, Rng, backends, close};

/// Sums of all conversions, and the layer made of them without converters, against plain loops and
/// against [`CollapsePlanes`] with [`Conv2d`].
#[test]
fn sums_match_plain_loops() {
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays::arrays(&mut rng, &geo);
        let table = rng.pick(0, 3) == 0;
        let dac = arrays::dac(&mut rng, table);
        let spec = Reading {
            arrays: a.clone(),
            dac: dac.clone(),
            adc: None,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 2,
        };
        let mut case = Case::new(seed, rng.pick(1, 2), rng.pick(1, 18));
        let n = input(&geo).len() * case.images;
        let values = arrays::inputs(&mut rng, &dac, n);
        let x = case.given(input(&geo), Scope::Shared, values);
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let planes = Shape::Flat(a.read_planes() * a.plane_len());
        let g = case.random(planes, rng.scope());
        let cols = if rng.coin() { a.cols } else { 1 };
        let w_step = case.random(Shape::Flat(cols), Scope::Shared);
        let correct = rng
            .coin()
            .then(|| case.random(Shape::Flat(2 * a.converters()), Scope::PerChip));
        let channels = a.converters() * dac.conversions();
        let (h, w) = (geo.h_out(), geo.w_out());
        let map = Shape::Image { c: channels, h, w };
        let sums = case.result(map, Scope::PerChip);
        let layer = case.result(output(&geo), Scope::PerChip);
        let collapsed = case.temp(Shape::Flat(a.plane_len()), Scope::PerChip);
        let short = case.result(output(&geo), Scope::PerChip);
        let mut ops = vec![
            Op::from(PartialSums {
                x,
                x_step: one,
                g,
                variance: None,
                y: sums,
                geo,
                spec: spec.clone(),
            }),
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
                geo,
                post: Post::NONE,
                spec: spec.clone(),
            }),
        ];
        if !table {
            ops.push(Op::from(CollapsePlanes {
                g,
                w_step,
                correct,
                out: collapsed,
                spec: spec.clone(),
            }));
            ops.push(Op::from(Conv2d {
                x,
                w: collapsed,
                y: short,
                geo,
                post: Post::NONE,
            }));
        }
        let pixels = h * w;
        let (mut want, mut limit) = (Vec::new(), Vec::new());
        for chip in 0..case.chips {
            let g = case.at(g, chip, 0);
            for image in 0..case.images {
                let x = case.at(x, 0, image);
                for p in 0..a.read_planes() {
                    for o in 0..a.cols {
                        let cells = &g[(p * a.cols + o) * a.rows..][..a.rows];
                        for r in 0..a.row_tiles() {
                            for t in 0..dac.conversions() {
                                for pixel in 0..pixels {
                                    let codes = arrays::window(&geo, &x, o, pixel);
                                    let (v, size) = arrays::sum(&spec, cells, &codes, r, t);
                                    want.push(v);
                                    limit.push(SUM_TOLERANCE * size);
                                }
                            }
                        }
                    }
                }
            }
        }
        for (isa, backend) in backends() {
            let results = [sums, layer, if table { layer } else { short }];
            let [got, layer, short] = case.run(&backend, ops.clone(), results);
            close(&format!("{isa} seed {seed} {spec:?}"), &got, &want, |i| {
                limit[i]
            });
            let short: Vec<f64> = short.iter().map(|&v| v.into()).collect();
            // Every cell is at most 1, every input at most 255, every place at most the last one's.
            let top: f64 = (0..a.read_planes())
                .map(|p| f64::from(a.place(p).abs()))
                .sum();
            let size = (2.0 * a.rows as f64 * 255.0) * top + f64::from(a.digital_base()) * 255.0;
            close(
                &format!("{isa} seed {seed}: collapsed"),
                &layer,
                &short,
                |_| SUM_TOLERANCE * size,
            );
        }
    }
}
