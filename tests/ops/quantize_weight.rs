use pimento::program::*;

use crate::case::*;

/// `(w, d, q)` where the clip range and the ties matter.
fn quantized(w0: &[f32], d0: &[f32], bits: u32) -> Vec<f32> {
    let mut case = Case::new(1, 1, 0);
    let (w, scale) = (case.shared(w0), case.shared(d0));
    let q = case.result(w0.len(), Scope::Shared);
    let run = w0.len() / d0.len();
    let op = Op::from(QuantizeWeight {
        w,
        scale,
        run,
        q,
        bits,
    });
    case.run_one(op, [q])[0].clone()
}

fn grads(w0: &[f32], d0: &[f32], dq0: &[f32], bits: u32, ste: StraightThrough) -> [Vec<f32>; 2] {
    grads_in_runs(w0, d0, w0.len() / d0.len(), dq0, bits, ste)
}

fn grads_in_runs(
    w0: &[f32],
    d0: &[f32],
    run: usize,
    dq0: &[f32],
    bits: u32,
    ste: StraightThrough,
) -> [Vec<f32>; 2] {
    let mut case = Case::new(1, 1, 0);
    let (w, scale, dq) = (case.shared(w0), case.shared(d0), case.shared(dq0));
    let dw = case.result(w0.len(), Scope::Shared);
    let dscale = case.result(d0.len(), Scope::Shared);
    let op = Op::from(QuantizeWeightGrad {
        w,
        scale,
        run,
        dq,
        dw,
        dscale: Some(dscale),
        bits,
        ste,
    });
    case.run_one(op, [dw, dscale])
}

fn highest(bits: u32) -> f64 {
    if bits < 2 {
        1.0
    } else {
        f64::from((1 << (bits - 1)) - 1)
    }
}

#[test]
fn codes_are_those_of_the_definition() {
    let w = normals(1, 1003 * 3);
    for bits in 2..=8 {
        let d = [0.05f32, 0.3, 1.1];
        let q = quantized(&w, &d, bits);
        let top = highest(bits) as f32;
        for (i, (&w, &q)) in w.iter().zip(&q).enumerate() {
            let d = d[i / 1003];
            assert_eq!(
                q,
                d * (w / d).round_ties_even().clamp(-top, top),
                "{bits} {w}"
            );
        }
        // Quantizing again changes nothing.
        assert_eq!(quantized(&q, &d, bits), q);
    }
    assert_eq!(
        quantized(&[0.5, 1.5, -2.5, 9.0], &[1.0], 4),
        [0.0, 2.0, -2.0, 7.0]
    );
    assert_eq!(
        quantized(&[0.0, -0.1, 3.0], &[0.25], 1),
        [0.25, -0.25, 0.25]
    );
    assert_eq!(quantized(&w, &[1.0], 0), w);
    assert_eq!(quantized(&[0.0, -0.1, 3.0], &[0.0], 4), [0.0; 3]);
}

#[test]
fn the_straight_through_mask_is_the_clip_range() {
    let w = normals(1, 500);
    let dq = normals(2, 500);
    for bits in 0..=8 {
        let d = 0.4f32;
        let [identity, _] = grads(&w, &[d], &dq, bits, StraightThrough::Identity);
        assert_eq!(identity, dq);
        let [clipped, _] = grads(&w, &[d], &dq, bits, StraightThrough::Clip);
        let limit = match bits {
            0 => f32::INFINITY,
            1 => 1.0,
            _ => highest(bits) as f32 * d,
        };
        for ((&w, &dq), &got) in w.iter().zip(&dq).zip(&clipped) {
            // Values this near the limit may fall on either side of it.
            if (w.abs() - limit).abs() > 1e-6 {
                assert_eq!(got, if w.abs() < limit { dq } else { 0.0 }, "{bits} {w}");
            }
        }
    }
    // Without a step only zeros are inside: they have to be able to leave it.
    let zeros: Vec<f32> = w.iter().map(|&w| if w > 0.0 { 0.0 } else { w }).collect();
    for d in [0.0, -1.0] {
        let [got, step] = grads(&zeros, &[d], &dq, 4, StraightThrough::Clip);
        for ((&w, &dq), &got) in zeros.iter().zip(&dq).zip(&got) {
            assert_eq!(got, if w == 0.0 { dq } else { 0.0 }, "{w}");
        }
        assert!(step[0].is_finite());
        assert!(quantized(&w, &[d], 4).iter().all(|&q| q == 0.0));
    }
}

/// The largest weight sets the step, so it is inside the range, also where the step was rounded down
/// and the quotient rounds above the highest code; per layer and per channel.
#[test]
fn what_sets_the_step_is_inside() {
    let most: Vec<f32> = normals(5, 3000).iter().map(|v| v.abs() + 1e-3).collect();
    let dq = normals(6, most.len() * 2);
    for bits in 2..=8 {
        let top = highest(bits) as f32;
        let d: Vec<f32> = most.iter().map(|m| m / top).collect();
        let above = most.iter().zip(&d).filter(|(m, d)| *m / *d > top).count();
        assert!(bits < 4 || above > 0, "no quotient rounds above {top}");
        // Channels of two: the largest magnitude, and what is a thousandth above it.
        let w: Vec<f32> = most.iter().flat_map(|&m| [-m, 1.001 * m]).collect();
        let [dw, _] = grads(&w, &d, &dq, bits, StraightThrough::Clip);
        for (i, (&got, &dq)) in dw.iter().zip(&dq).enumerate() {
            assert_eq!(
                got,
                if i % 2 == 0 { dq } else { 0.0 },
                "{bits} bits, {}",
                w[i]
            );
        }
    }
}

/// Runs that take the steps in turn are what one gets by putting the weights of a step together.
#[test]
fn runs_take_the_steps_in_turn() {
    let (outputs, inputs, pixels) = (7, 3, 5);
    let n = outputs * inputs * pixels;
    let (w, dq) = (normals(3, n), normals(4, n));
    let d = [0.11f32, 0.35, 0.9];
    // Place of every weight once the input channel is outermost.
    let place = |i: usize| {
        let (o, c, p) = (i / pixels / inputs, i / pixels % inputs, i % pixels);
        (c * outputs + o) * pixels + p
    };
    let together = |v: &[f32]| {
        let mut out = vec![0.0; n];
        (0..n).for_each(|i| out[place(i)] = v[i]);
        out
    };
    let (w_together, dq_together) = (together(&w), together(&dq));
    for bits in [1, 4] {
        let mut case = Case::new(1, 1, 0);
        let (t, scale) = (case.shared(&w), case.shared(&d));
        let q = case.result(n, Scope::Shared);
        let op = Op::from(QuantizeWeight {
            w: t,
            scale,
            run: pixels,
            q,
            bits,
        });
        let got = together(&case.run_one(op, [q])[0]);
        assert_eq!(got, quantized(&w_together, &d, bits));
        let ste = StraightThrough::Clip;
        let [dw, dscale] = grads_in_runs(&w, &d, pixels, &dq, bits, ste);
        let [want, want_scale] = grads(&w_together, &d, &dq_together, bits, ste);
        assert_eq!(together(&dw), want);
        // The same terms in the same order.
        assert_eq!(dscale, want_scale);
    }
}

/// Esser et al., equation 3, written out in `f64`.
#[test]
fn the_learned_step_has_the_lsq_gradient() {
    let (cols, rows) = (3, 400);
    let (w, dq) = (normals(1, cols * rows), normals(2, cols * rows));
    let d = [0.11f32, 0.35, 0.9];
    for bits in 1..=8 {
        let [_, got] = grads(&w, &d, &dq, bits, StraightThrough::Clip);
        let top = highest(bits);
        let want: Vec<f64> = (0..cols)
            .map(|c| {
                let d = f64::from(d[c]);
                let range = c * rows..(c + 1) * rows;
                let sum: f64 = w[range.clone()]
                    .iter()
                    .zip(&dq[range])
                    .map(|(&w, &dq)| {
                        let v = f64::from(w) / d;
                        let slope = if bits == 1 {
                            if w >= 0.0 { 1.0 } else { -1.0 }
                        } else if v.abs() <= top {
                            v.round_ties_even() - v
                        } else {
                            top * v.signum()
                        };
                        f64::from(dq) * slope
                    })
                    .sum();
                sum / (rows as f64 * top).sqrt()
            })
            .collect();
        // The division w/d rounds in f32: up to 40 codes times 400 terms of size 1, divided by g.
        close("step", &got, &want, |i| {
            1e-5 * want[i].abs() + 40.0 * EPS * 20.0
        });
    }
}

/// Outside the clip range the quantizer is `+-Q d`, smooth in `d`: finite differences apply.
#[test]
fn outside_the_range_the_step_gradient_is_the_derivative() {
    let w = [5.0f32, -7.0, 9.0];
    let dq = [1.0f32, 2.0, -3.0];
    let (bits, d, h) = (3, 0.5f32, 0.125f32);
    let loss = |d: f32| {
        let q = quantized(&w, &[d], bits);
        q.iter()
            .zip(&dq)
            .map(|(&q, &g)| f64::from(q * g))
            .sum::<f64>()
    };
    let derivative = (loss(d + h) - loss(d - h)) / f64::from(2.0 * h);
    let [_, got] = grads(&w, &[d], &dq, bits, StraightThrough::Clip);
    let g = 1.0 / (3.0 * highest(bits)).sqrt();
    let want = g * derivative;
    close("step", &got, &[want], |_| 4.0 * EPS * want.abs());
}
