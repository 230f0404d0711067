//! Convolutions of a quantizer's codes, which cooperative matrices may multiply, within the error bound that
//! is stated for these (`src/backend/wgpu/conv2d_coop.rs`) and holds for sums in `f32` too.

use pimento::program::*;

use super::case::*;
use super::conv2d::{geometries, geometry, input, output, wide_geometries};
use super::reference::{self, ACTIVATIONS};

/// `2^-27`: what the two halves of a weight lose at most of the largest weight of its channel.
const LOST: f64 = EPS / 8.0;

/// A quantizer of so many bits, unsigned or signed, and how it rounds.
#[derive(Clone, Copy)]
struct Format {
    bits: u32,
    signed: bool,
}

impl Format {
    fn range(self) -> [i32; 2] {
        match self.signed {
            true => [1 - (1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1],
            false => [0, (1 << self.bits) - 1],
        }
    }
}

/// Weights whose channels differ by powers of two, one in eight of them without any.
fn uneven(case: &mut Case, geo: &ConvGeometry, scope: Scope) -> TensorId {
    let rows = geo.rows();
    let mut i = 0;
    let mut size = 0.0;
    case.drawn(geo.weights(), scope, |rng| {
        if i % rows == 0 {
            size = match rng.pick(0, 7) {
                0 => 0.0,
                _ => 2f32.powi(rng.pick(0, 60) as i32 - 40),
            };
        }
        i += 1;
        // Some far below the channel's largest.
        size * rng.signed() * 2f32.powi(-(rng.pick(0, 1) as i32 * rng.pick(0, 30) as i32))
    })
}

/// A convolution of a map of codes by `w`, against plain loops.
fn forward(case: &mut Case, geo: ConvGeometry, format: Format, [x, w]: [Scope; 2], post: Post) {
    let [lo, hi] = format.range();
    let d = 0.017 * (1.0 + case.rng.signed().abs());
    let step = case.shared(&[d]);
    let quant = ActQuant {
        scale: step,
        lo,
        hi,
        rounding: Rounding::Nearest,
    };
    let given = case.drawn(input(&geo), x, |rng| {
        rng.pick(0, (hi - lo) as usize) as f32 * d + lo as f32 * d
    });
    let codes = case.temp(input(&geo), x);
    let w = uneven(case, &geo, w);
    let y = case.result(output(&geo), Scope::PerChip);
    case.section(vec![
        Op::from(QuantizeAct {
            x: given,
            y: codes,
            quant,
        }),
        Op::from(Conv2d {
            x: codes,
            w,
            y,
            geo,
            post,
            codes: Some(quant),
        }),
    ]);
    let (rows, pixels) = (geo.rows(), geo.h_out() * geo.w_out());
    let mut limit = Vec::new();
    let want = case.each(Scope::PerChip, |chip, image| {
        let x = case.at(given, chip, image).into_iter();
        let d = f64::from(d);
        let x: Vec<f64> = x
            .map(|v| d * (v / d).round().clamp(lo.into(), hi.into()))
            .collect();
        let w = case.at(w, chip, 0);
        let largest = w
            .chunks(rows)
            .map(|row| row.iter().fold(0.0f64, |m, v| m.max(v.abs())));
        let largest: Vec<f64> = largest.collect();
        let sums = reference::conv2d(&x, &w, &geo, |w, x| w * x);
        let sizes = reference::conv2d(&x, &w, &geo, |w, x| (w * x).abs());
        let inputs = reference::conv2d(&x, &w, &geo, |_, x| x.abs());
        let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
        let (scale, shift, residual) = (of(post.scale), of(post.shift), of(post.residual));
        let values = sums.into_iter().enumerate().map(|(i, sum)| {
            let c = i / pixels;
            let bound = (2 * rows + 6) as f64 * EPS * sizes[i] + LOST * largest[c] * inputs[i];
            let factor = scale.as_ref().map_or(1.0, |s| s[c]);
            let added = [
                shift.as_ref().map_or(0.0, |s| s[c]),
                residual.as_ref().map_or(0.0, |r| r[i]),
            ];
            let v = factor * sum + added[0] + added[1];
            // The epilogue's own roundings, and those of its non-linearity.
            let parts = (factor * sum).abs() + added[0].abs() + added[1].abs();
            limit.push(1.5 * factor.abs() * bound + 16.0 * EPS * (1.0 + parts));
            reference::activation(post.act, v)
        });
        values.collect()
    });
    case.want_within(y, want, |i| limit[i]);
    // Backends differ by the errors of both: they are held against what is wanted.
    case.sides = true;
}

/// Random geometries, formats and epilogues.
pub fn maps() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..40 {
        let mut rng = Rng(seed + 7000);
        let geo = geometry(&mut rng);
        let mut case = Case::new(seed + 8000, rng.pick(1, 3), rng.pick(1, 40));
        let format = Format {
            bits: rng.pick(2, 11) as u32,
            signed: rng.coin(),
        };
        let post = Post {
            scale: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
            shift: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
            residual: rng.coin().then(|| case.random(output(&geo), rng.scope())),
            act: ACTIVATIONS[rng.pick(0, 8)],
            quant: None,
        };
        forward(&mut case, geo, format, [rng.scope(), rng.scope()], post);
        cases.push(case);
    }
    cases
}

/// Every geometry, several blocks of images and chips, and matrices that channels fill and do not.
pub fn every_geometry() -> Vec<Case> {
    let format = Format {
        bits: 8,
        signed: true,
    };
    let mut cases = Vec::new();
    for (i, geo) in geometries()
        .into_iter()
        .chain(wide_geometries())
        .enumerate()
    {
        for (x, w) in SCOPES {
            let mut case = wave(9000 + i as u64);
            forward(&mut case, geo, format, [x, w], Post::NONE);
            cases.push(case);
        }
    }
    cases
}

/// More steps than a part of a sum has, in layers of several matrices of channels.
pub fn long_sums() -> Vec<Case> {
    let wide = ConvGeometry {
        h_in: 4,
        w_in: 5,
        kh: 3,
        kw: 3,
        pad: [1; 4],
        ..ConvGeometry::linear(70, 40)
    };
    let geometries = [ConvGeometry::linear(1300, 130), wide];
    let mut cases = Vec::new();
    for (geo, bits) in geometries.into_iter().flat_map(|geo| [(geo, 4), (geo, 11)]) {
        let mut case = Case::new(bits, 2, 37);
        let format = Format {
            bits: bits as u32,
            signed: false,
        };
        let scopes = [Scope::Shared, Scope::PerChip];
        forward(&mut case, geo, format, scopes, Post::NONE);
        cases.push(case);
    }
    cases
}
