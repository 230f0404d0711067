//! Layers on arrays of cells at random, and the addresses and noise of their conversions.

use pimento::program::*;

pub use crate::cases::arrays::*;

pub fn output(g: &ConvGeometry) -> Shape {
    Shape::Image {
        c: g.c_out,
        h: g.h_out(),
        w: g.w_out(),
    }
}

/// What a cell's deviate is multiplied by in conversion `t`; its square, the cell's variance. Steps that
/// are added up before the conversion have noise each.
pub fn amplitude(dac: &Dac, code: i32, t: usize) -> f64 {
    match dac.analog_sum && dac.steps() > 1 {
        false => drive(dac, code, t),
        true => (0..dac.steps())
            .map(|t| (place(dac, t) * step(dac, code, t)).powi(2))
            .sum::<f64>()
            .sqrt(),
    }
}

/// Place of every conversion.
pub fn places(dac: &Dac) -> Vec<f64> {
    match dac.analog_sum {
        true => vec![1.0],
        false => (0..dac.steps()).map(|t| place(dac, t)).collect(),
    }
}

/// Address of a conversion's deviate: generator block and word.
pub fn event(spec: &Reading, pixels: usize, [p, r, t, o, pixel]: [usize; 5]) -> (u32, usize) {
    let a = &spec.arrays;
    let conversion = (p * a.row_tiles() + r) * spec.dac.conversions() + t;
    let block = (conversion * pixels + pixel) * a.cols.div_ceil(4) + o / 4;
    (block as u32, o % 4)
}
