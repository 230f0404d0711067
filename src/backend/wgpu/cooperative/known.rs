//! The known numbers that cooperative matrices multiply before they are used.

use std::sync::Arc;

use crate::backend::Session;
use crate::backend::wgpu::context::Context;
use crate::backend::wgpu::session::WgpuSession;
use crate::error::Result;
use crate::program::{
    ActQuant, Capacity, Conv2d, ConvGeometry, Op, Post, Program, QuantizeAct, Role, Rounding,
    RunArgs, Scope, Shape,
};

/// A product of known numbers: `w [channel][term]`, codes `x [image][term]`.
pub(super) struct Known {
    pub terms: usize,
    pub weights: Vec<f32>,
    pub codes: Vec<f32>,
    /// Lowest and highest code.
    range: [i32; 2],
}

/// Output channels and images of the test.
const CHANNELS: usize = 32;
const IMAGES: usize = 32;

/// Numbers in `[0, 1)` without a pattern that matrices share.
fn scattered(n: usize, from: u32) -> impl Iterator<Item = f64> {
    let mix = |i: u32| {
        let mut v = i.wrapping_mul(0x9e37_79b9) ^ (i >> 15);
        v = (v ^ (v >> 16)).wrapping_mul(0x85eb_ca6b);
        v = (v ^ (v >> 13)).wrapping_mul(0xc2b2_ae35);
        v ^ (v >> 16)
    };
    (0..n as u32).map(move |i| f64::from(mix(i.wrapping_add(from))) / 4_294_967_296.0)
}

impl Known {
    /// Weights of 14 bits, codes of 4: all sums lie between `2^23` and `2^24`, so that each of an `f32`'s bits
    /// counts.
    pub fn whole() -> Self {
        let terms = 64;
        let within = |n, seed, low: f64, high: f64| -> Vec<f32> {
            let values = scattered(n, seed);
            let whole = values.map(|v| (low + v * (high + 1.0 - low)).floor() as f32);
            whole.collect()
        };
        Self {
            terms,
            weights: within(CHANNELS * terms, 0, 12288.0, 16383.0),
            codes: within(IMAGES * terms, 1 << 20, 12.0, 15.0),
            range: [0, 15],
        }
    }

    /// Long sums, of positive terms or of both signs.
    pub fn long(positive: bool) -> Self {
        let terms = 1024;
        let weight = |v: f64| match positive {
            true => 0.5 + 0.5 * v,
            false => 2.0 * v - 1.0,
        };
        let code = |v: f64| match positive {
            true => 1.0 + (254.0 * v).floor(),
            false => (255.0 * v).floor() - 127.0,
        };
        let weights = scattered(CHANNELS * terms, 2 << 20);
        let codes = scattered(IMAGES * terms, 3 << 20);
        Self {
            terms,
            weights: weights.map(|v| weight(v) as f32).collect(),
            codes: codes.map(|v| code(v) as f32).collect(),
            range: [-127, 255],
        }
    }

    /// All sums, added by `add` from `zero`.
    fn sums<T: Copy>(&self, zero: T, add: impl Fn(T, f32, f32) -> T) -> Vec<T> {
        let rows =
            |of: &[f32]| -> Vec<Vec<f32>> { of.chunks(self.terms).map(<[f32]>::to_vec).collect() };
        let (weights, codes) = (rows(&self.weights), rows(&self.codes));
        let sum = |x: &[f32], w: &[f32]| x.iter().zip(w).fold(zero, |s, (x, w)| add(s, *x, *w));
        codes
            .iter()
            .flat_map(|x| weights.iter().map(move |w| sum(x, w)))
            .collect()
    }

    pub fn exactly(&self) -> Vec<f64> {
        self.sums(0.0, |s, x, w| s + f64::from(x) * f64::from(w))
    }

    pub fn plainly(&self) -> Vec<f32> {
        self.sums(0.0, |s: f32, x, w| s + x * w)
    }

    /// The sums on a device, `[image][channel]`.
    pub fn on(&self, context: &Arc<Context>) -> Result<Vec<f32>> {
        let mut p = Program::default();
        let map = |c| Shape::Image { c, h: 1, w: 1 };
        let x = p.tensor("x", map(self.terms), Scope::Shared, Role::Input);
        let codes = p.tensor("codes", map(self.terms), Scope::Shared, Role::Temp);
        let scale = p.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
        let weights = Shape::Flat(self.weights.len());
        let w = p.tensor("w", weights, Scope::Shared, Role::State);
        let y = p.tensor("y", map(CHANNELS), Scope::Shared, Role::Output);
        let quant = ActQuant {
            scale,
            lo: self.range[0],
            hi: self.range[1],
            rounding: Rounding::Nearest,
        };
        let ops = vec![
            Op::from(QuantizeAct { x, y: codes, quant }),
            Op::from(Conv2d {
                x: codes,
                w,
                y,
                geo: ConvGeometry::linear(self.terms, CHANNELS),
                post: Post::NONE,
                codes: Some(quant),
            }),
        ];
        let section = p.section("multiply", ops);
        p.check()?;
        let capacity = Capacity {
            chips: 1,
            images: IMAGES,
            chunk: IMAGES,
        };
        let mut session = WgpuSession::new(context.clone(), &p, capacity)?;
        session.write(x, &self.codes)?;
        session.write(scale, &[1.0])?;
        session.write(w, &self.weights)?;
        session.run(section, &RunArgs::wave(0, 0, 1, 0..IMAGES))?;
        session.read(y)
    }
}
