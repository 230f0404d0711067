//! Given conductances: they stand where programming would have put its own.

use super::Net;
use crate::backend::Session;
use crate::chip::layer::CellLayer;
use crate::error::Result;
use crate::program::{Arrays, CellReadNoise, Encoding, Programming};

impl Net {
    /// Puts given conductances where programming would have put its own, on every chip.
    pub(super) fn place(
        &self,
        s: &mut dyn Session,
        layer: &CellLayer,
        g: &[f32],
        chips: usize,
    ) -> Result<()> {
        let p = &layer.programming;
        match self.cells {
            Some(cells) => s.write(cells, &g.repeat(chips))?,
            None => s.write(self.planes, &read(p, g).repeat(chips))?,
        }
        match self.variance {
            Some(variance) => s.write(variance, &variances(p, g).repeat(chips)),
            None => Ok(()),
        }
    }
}

/// Read planes in level units.
fn read(p: &Programming, g: &[f32]) -> Vec<f32> {
    let nominal = |_, reference: f32| reference;
    read_planes(p, g, |g, unit| unit * g, -1.0, nominal)
}

/// Variances of their noise, in level units squared: of the cells of a read, and of the mean of the
/// reference cells that are subtracted. Nobody knows what drift has taken from given conductances, so
/// they stand for those programmed where noise goes by these.
fn variances(p: &Programming, g: &[f32]) -> Vec<f32> {
    let n = &p.read_noise;
    let fixed = n.fixed * (1.0 - p.arrays.g_min);
    let of_cell = |g: f32, unit: f32| {
        let curve = n.curve.as_ref().map_or(0.0, |c| at(c, g));
        let spectral = n.one_over_f.as_ref().map_or(0.0, |c| {
            let programmed = g.clamp(CellReadNoise::LEAST, 1.0);
            g * at(c, programmed) / programmed
        });
        let sigma2 =
            (n.proportional * g).powi(2) + fixed.powi(2) + curve.powi(2) + spectral.powi(2);
        unit * unit * sigma2
    };
    read_planes(p, g, of_cell, 1.0, |count, reference| {
        reference / count as f32
    })
}

/// A curve at a conductance, see [`crate::program::Curve`].
fn at(curve: &[f32], g: f32) -> f32 {
    let x = g.clamp(0.0, 1.0) * (curve.len() - 1) as f32;
    let i = (x as usize).min(curve.len() - 2);
    curve[i] + (x - i as f32) * (curve[i + 1] - curve[i])
}

/// Read planes of cells: `one(conductance, level units)` of every cell, plus `sign` times that of the
/// cell that is subtracted before its converter: the other one of a pair, or what
/// `mean(count, one of a reference cell)` says of a reference column.
fn read_planes(
    p: &Programming,
    g: &[f32],
    one: impl Fn(f32, f32) -> f32,
    sign: f32,
    mean: impl Fn(u32, f32) -> f32,
) -> Vec<f32> {
    let a: &Arrays = &p.arrays;
    let n = a.plane_len();
    let cells = |plane: usize| &g[plane * n..(plane + 1) * n];
    let mut out = Vec::with_capacity(a.read_planes() * n);
    for plane in 0..a.read_planes() {
        let slice = a.slice_of(plane);
        let unit = a.level_units(slice);
        match a.encoding {
            Encoding::Differential { digital: false, .. } => {
                let pairs = cells(2 * plane).iter().zip(cells(2 * plane + 1));
                out.extend(pairs.map(|(&x, &y)| one(x, unit) + sign * one(y, unit)));
            }
            Encoding::Offset {
                reference: count @ 1..,
            } => {
                let reference = sign * mean(count, one(a.offset_conductance(slice), unit));
                out.extend(cells(plane).iter().map(|&x| one(x, unit) + reference));
            }
            _ => out.extend(cells(plane).iter().map(|&x| one(x, unit))),
        }
    }
    out
}
