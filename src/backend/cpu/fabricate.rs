//! Fabrication of chips: from nominal weights to what a chip's cells make of them after digital
//! tuning. The equations are at [`Fabricate`] and
//! [`Mapping`]; the module `chip::closed_form` writes them down in `f64` for the tests.
//!
//! A layer is cut into parts of [`PART`] cells that are made independently: deviates first (a
//! vectorised stream), then one pass over the cells. So the result does not depend on how many
//! threads or chips share the work.

use rayon::prelude::*;

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::effects::Profile;
use crate::program::{
    Deviate, Fabricate, FabricateGrad, Fabrication, Law, Mapping, RunArgs, TensorId,
};
use crate::random::{Purpose, Stream, lognormal_shape, squeeze};
use crate::vector::wide;

scheduled!(Fabricate: whole);

impl WholeOp for Fabricate {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.out], |m, chip, [out]| {
            let cells = Chip::at(m, self.chip, chip, args);
            let (w, full_scale) = (m.flat(self.w, 0), m.flat(self.full_scale, 0));
            forward(w, full_scale, &self.spec, cells, out)
        });
    }
}

scheduled!(FabricateGrad: whole);

impl WholeOp for FabricateGrad {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.dw], |m, _, [dw]| {
            dw.fill(0.0);
            for chip in 0..m.chips() {
                let cells = Chip::at(m, self.chip, chip, args);
                let full_scale = self.full_scale.map(|t| m.flat(t, 0));
                let nominal = (m.flat(self.w, 0), full_scale);
                grad(nominal, m.flat(self.dout, chip), &self.spec, cells, dw);
            }
        });
    }
}

/// Cells of a part: their deviates fit the first-level cache.
const PART: usize = 2048;

/// The random numbers and constants of one chip.
#[derive(Debug, Clone, Copy)]
struct Chip {
    /// Key of all random numbers.
    pub seed: u64,
    /// Or-ed into the purpose word.
    pub flags: u32,
    /// Chip index.
    pub index: u32,
    /// Common deviation.
    pub e: f32,
    /// Factor on the result (digital tuning).
    pub gain: f32,
    /// Multiple of the full scale that is subtracted (digital tuning).
    pub offset: f32,
}

impl Chip {
    /// The chip at a position of the wave; its values in `tensor` are `[e, gain, offset, 0]`.
    fn at(memory: &Memory, tensor: TensorId, position: usize, args: &RunArgs) -> Self {
        let fields = memory.flat(tensor, position);
        Self {
            seed: args.seed,
            flags: args.purpose,
            index: args.first_chip.wrapping_add(position as u32),
            e: fields[0],
            gain: fields[1],
            offset: fields[2],
        }
    }
}

/// Makes `sigma_w z` of cells.
struct Cells<'a> {
    spec: &'a Fabrication,
    chip: Chip,
}

impl Cells<'_> {
    /// `out[i] = sigma_w z` of cell `first + i`; zeros for `sigma_w = 0`.
    fn deviations(&self, purpose: Purpose, first: usize, out: &mut [f32]) {
        let sigma = self.spec.sigma_w;
        if sigma == 0.0 {
            return out.fill(0.0);
        }
        let stream = Stream::new(
            self.chip.seed,
            purpose,
            self.chip.flags,
            self.spec.layer,
            self.chip.index,
        );
        let first = first as u32;
        match self.spec.deviate {
            Deviate::Gaussian => stream.fill_normals(first, out),
            Deviate::Truncated { at } => stream.fill_truncated(first, squeeze(at), out),
            Deviate::Lognormal => return stream.fill_lognormal(first, lognormal_shape(sigma), out),
        }
        wide(|| out.iter_mut().for_each(|z| *z *= sigma));
    }

    /// Mean deviation, per row, of `copies` columns of cells at addresses `copy*rows + row`.
    fn column_mean(&self, purpose: Purpose, copies: u32) -> Vec<f32> {
        let rows = self.spec.rows;
        let mut sum = vec![0.0; rows];
        let mut one = vec![0.0; rows];
        for copy in 0..copies as usize {
            self.deviations(purpose, copy * rows, &mut one);
            for (s, z) in sum.iter_mut().zip(&one) {
                *s += z;
            }
        }
        let n = copies.max(1) as f32;
        sum.iter_mut().for_each(|s| *s /= n);
        sum
    }

    /// What the columns subtract from a weight, in units of the full scale, per row: the offset
    /// mapping's reference column and the self-tuning reference columns. `None` where there are
    /// none.
    fn columns(&self) -> Columns {
        let spec = self.spec;
        let offset = match spec.mapping {
            Mapping::Offset { copies, .. } if copies > 0 => {
                Some(self.column_mean(Purpose::OffsetReference, copies))
            }
            _ => None,
        };
        if spec.reference_columns == 0 {
            return Columns {
                offset,
                reference: None,
            };
        }
        let e = self.chip.e;
        let mut zero = self.column_mean(Purpose::ReferenceColumn, spec.reference_columns);
        if let Some(profile) = &spec.profile {
            let mut negative = vec![0.0; spec.rows];
            match spec.mapping {
                Mapping::Differential { .. } => {
                    let n = spec.reference_columns;
                    negative = self.column_mean(Purpose::ReferenceColumnNegative, n);
                }
                Mapping::Ideal | Mapping::Offset { .. } => {
                    if let Some(offset) = &offset {
                        negative.copy_from_slice(offset);
                    }
                }
            }
            for (z, other) in zero.iter_mut().zip(&negative) {
                *z = profiled(0.0, 1.0, [*z, *other], spec, profile, e);
            }
            return Columns {
                offset,
                reference: Some(zero),
            };
        }
        match (spec.mapping, spec.law) {
            (Mapping::Ideal, Law::LayerFixed) => zero.iter_mut().for_each(|z| *z += e),
            // A weight of zero without a cell's conductance has no deviation.
            (Mapping::Ideal, Law::WeightProportional) => zero.fill(0.0),
            (Mapping::Differential { g_min }, law) => {
                let negative =
                    self.column_mean(Purpose::ReferenceColumnNegative, spec.reference_columns);
                let k = match law {
                    Law::WeightProportional => g_min / (1.0 - g_min),
                    Law::LayerFixed => 1.0,
                };
                for (z, n) in zero.iter_mut().zip(negative) {
                    *z = k * (*z - n);
                }
            }
            (Mapping::Offset { g_min, .. }, law) => {
                let k = match law {
                    Law::WeightProportional => 2.0 / (1.0 - g_min) * (0.5 * (1.0 + g_min)),
                    Law::LayerFixed => 2.0,
                };
                for (row, z) in zero.iter_mut().enumerate() {
                    let own = offset.as_ref().map_or(0.0, |o| e + o[row]);
                    *z = k * ((e + *z) - own);
                }
            }
        }
        Columns {
            offset,
            reference: Some(zero),
        }
    }
}

/// Values per row that all columns of a layer share.
struct Columns {
    /// Mean deviation of the offset mapping's reference cells.
    offset: Option<Vec<f32>>,
    /// Deviation of the self-tuning reference columns, in units of the full scale.
    reference: Option<Vec<f32>>,
}

/// Buffers of a part.
struct Part {
    z: Vec<f32>,
    other: Vec<f32>,
    full: Vec<f32>,
}

impl Part {
    fn new() -> Self {
        Self {
            z: vec![0.0; PART],
            other: vec![0.0; PART],
            full: vec![0.0; PART],
        }
    }
}

/// Effective weights `out` of one chip from the nominal weights `w`; `full_scale` has one value or
/// one a column.
fn forward(w: &[f32], full_scale: &[f32], spec: &Fabrication, chip: Chip, out: &mut [f32]) {
    let cells = Cells { spec, chip };
    let columns = cells.columns();
    let parts = w.par_chunks(PART).zip(out.par_chunks_mut(PART)).enumerate();
    parts.for_each_init(Part::new, |part, (p, (w, out))| {
        let first = p * PART;
        let n = w.len();
        let (z, other, full) = (&mut part.z[..n], &mut part.other[..n], &mut part.full[..n]);
        cells.deviations(Purpose::Cell, first, z);
        match spec.mapping {
            Mapping::Differential { .. } => cells.deviations(Purpose::CellNegative, first, other),
            Mapping::Offset { copies, .. } if copies > 0 => {
                by_row(columns.offset.as_deref(), first, other)
            }
            _ => {}
        }
        by_column(full_scale, spec.rows, first, full);
        wide(|| vary(w, full, z, other, spec, chip.e, out));
        if let Some(reference) = &columns.reference {
            by_row(Some(reference), first, z);
            for ((o, r), f) in out.iter_mut().zip(&*z).zip(&*full) {
                *o -= f * r;
            }
        }
        if chip.gain != 1.0 || chip.offset != 0.0 {
            wide(|| {
                for (o, f) in out.iter_mut().zip(&*full) {
                    *o = chip.gain * (*o - chip.offset * f);
                }
            });
        }
    });
}

/// `w'` of cells with deviations `z` and, by mapping, those of the negative cells or of the
/// reference cells in `other`.
#[inline(always)]
fn vary(
    w: &[f32],
    full: &[f32],
    z: &[f32],
    other: &[f32],
    spec: &Fabrication,
    e: f32,
    out: &mut [f32],
) {
    if let Some(profile) = &spec.profile {
        let cells = out.iter_mut().zip(w).zip(full).zip(z).zip(other);
        return cells.for_each(|((((o, &w), &full), &z), &other)| {
            *o = profiled(w, full, [z, other], spec, profile, e);
        });
    }
    let proportional = spec.law == Law::WeightProportional;
    let cells = out.iter_mut().zip(w).zip(full).zip(z).zip(other);
    let cells = cells.map(|((((o, &w), &full), &z), &other)| (o, w, full, z, other));
    match spec.mapping {
        Mapping::Ideal if proportional => {
            cells.for_each(|(o, w, _, z, _)| *o = w * (1.0 + (e + z)))
        }
        Mapping::Ideal => cells.for_each(|(o, w, full, z, _)| *o = w + full * (e + z)),
        Mapping::Differential { g_min } if proportional => {
            let span = 1.0 - g_min;
            cells.for_each(|(o, w, full, z, negative)| {
                // An all-zero layer has no full scale: every cell is at g_min then, times 0.
                let v = if full > 0.0 { w / full } else { 0.0 };
                let positive = g_min + span * v.max(0.0);
                let below = g_min + span * (-v).max(0.0);
                *o = w * (1.0 + e) + full / span * (positive * z - below * negative);
            });
        }
        Mapping::Differential { .. } => {
            cells.for_each(|(o, w, full, z, negative)| *o = w + full * (z - negative));
        }
        Mapping::Offset { g_min, copies } if proportional => {
            let span = 1.0 - g_min;
            let centre = if copies > 0 { 0.5 * (1.0 + g_min) } else { 0.0 };
            cells.for_each(|(o, w, full, z, reference)| {
                let v = if full > 0.0 { w / full } else { 0.0 };
                let g = g_min + span * ((v + 1.0) * 0.5);
                let k = 2.0 * full / span;
                *o = w + k * (g * (e + z) - centre * (e + reference));
            });
        }
        Mapping::Offset { copies, .. } => {
            let real = if copies > 0 { 1.0 } else { 0.0 };
            cells.for_each(|(o, w, full, z, reference)| {
                *o = w + 2.0 * full * ((e + z) - real * (e + reference));
            });
        }
    }
}

/// `w'` of a weight with a profile: the law with the common deviation `e`, and deviations `z` of the cell and of the
/// negative or reference cell times what the profile says.
#[inline(always)]
fn profiled(
    w: f32,
    full: f32,
    [z, other]: [f32; 2],
    spec: &Fabrication,
    profile: &Profile,
    e: f32,
) -> f32 {
    let proportional = spec.law == Law::WeightProportional;
    // An all-zero layer has no full scale: its cells are at their lowest then, times 0.
    let v = if full > 0.0 { w / full } else { 0.0 };
    let factor = |g: f32| profile.at(g)[0];
    match spec.mapping {
        Mapping::Ideal => {
            let common = if proportional { w * e } else { full * e };
            w + common + full * (factor(v.abs()) * z)
        }
        Mapping::Differential { g_min } => {
            let span = 1.0 - g_min;
            let positive = factor(g_min + span * v.max(0.0)) * z;
            let negative = factor(g_min + span * (-v).max(0.0)) * other;
            let common = if proportional { w * e } else { 0.0 };
            w + common + full / span * (positive - negative)
        }
        Mapping::Offset { g_min, copies } => {
            let (span, real) = (1.0 - g_min, copies > 0);
            let (g, centre) = (g_min + span * ((v + 1.0) * 0.5), 0.5 * (1.0 + g_min));
            let own = factor(g) * z - if real { factor(centre) * other } else { 0.0 };
            let common = match (proportional, real) {
                (true, true) => (g - centre) * e,
                (true, false) => g * e,
                (false, true) => 0.0,
                (false, false) => span * e,
            };
            w + 2.0 * full / span * (common + own)
        }
    }
}

/// Slope of `w'` in `w` with a profile, see [`profiled`]: `z` is that of the cell that carries the weight.
#[inline(always)]
fn profiled_slope(w: f32, full: f32, z: f32, spec: &Fabrication, profile: &Profile, e: f32) -> f32 {
    let v = if full > 0.0 { w / full } else { 0.0 };
    let (g, sign) = match spec.mapping {
        Mapping::Ideal => (v.abs(), if w < 0.0 { -1.0 } else { 1.0 }),
        Mapping::Differential { g_min } => (g_min + (1.0 - g_min) * v.abs(), 1.0),
        Mapping::Offset { g_min, .. } => (g_min + (1.0 - g_min) * ((v + 1.0) * 0.5), 1.0),
    };
    let common = match spec.law {
        Law::WeightProportional => 1.0 + e,
        Law::LayerFixed => 1.0,
    };
    common + sign * profile.at(g)[1] * z
}

/// `out[i] = values[(first + i) % rows]`; zeros for no values.
fn by_row(values: Option<&[f32]>, first: usize, out: &mut [f32]) {
    let Some(values) = values.filter(|v| !v.is_empty()) else {
        return out.fill(0.0);
    };
    let mut row = first % values.len();
    let mut rest = out;
    while !rest.is_empty() {
        let n = rest.len().min(values.len() - row);
        let (head, tail) = rest.split_at_mut(n);
        head.copy_from_slice(&values[row..row + n]);
        (rest, row) = (tail, 0);
    }
}

/// `out[i] = values[(first + i) / rows]`, or the only value.
fn by_column(values: &[f32], rows: usize, first: usize, out: &mut [f32]) {
    if let [only] = values {
        return out.fill(*only);
    }
    for (i, o) in out.iter_mut().enumerate() {
        *o = values[(first + i) / rows];
    }
}

/// Adds one chip's part of `dw`: `gain * dout * (1 + e + sigma_w z)` for the proportional law, `z`
/// of the cell that carries the weight, `gain * dout` for the fixed law; with a profile by [`profiled_slope`].
fn grad(
    (w, full_scale): (&[f32], Option<&[f32]>),
    dout: &[f32],
    spec: &Fabrication,
    chip: Chip,
    dw: &mut [f32],
) {
    let cells = Cells { spec, chip };
    let parts = w.par_chunks(PART).zip(dout.par_chunks(PART)).enumerate();
    let parts = parts.zip(dw.par_chunks_mut(PART));
    parts.for_each_init(Part::new, |part, ((p, (w, dout)), dw)| {
        if spec.law == Law::LayerFixed && spec.profile.is_none() {
            for (dw, dout) in dw.iter_mut().zip(dout) {
                *dw += chip.gain * dout;
            }
            return;
        }
        let n = w.len();
        let (z, negative) = (&mut part.z[..n], &mut part.other[..n]);
        let full = &mut part.full[..n];
        cells.deviations(Purpose::Cell, p * PART, z);
        if matches!(spec.mapping, Mapping::Differential { .. }) {
            cells.deviations(Purpose::CellNegative, p * PART, negative);
            for ((z, &n), &w) in z.iter_mut().zip(&*negative).zip(w) {
                *z = if w >= 0.0 { *z } else { n };
            }
        }
        if let (Some(profile), Some(full_scale)) = (&spec.profile, full_scale) {
            by_column(full_scale, spec.rows, p * PART, full);
            let all = dw.iter_mut().zip(dout).zip(&*z).zip(w).zip(&*full);
            return all.for_each(|((((dw, &dout), &z), &w), &full)| {
                *dw += chip.gain * dout * profiled_slope(w, full, z, spec, profile, chip.e);
            });
        }
        wide(|| {
            for ((dw, &dout), &z) in dw.iter_mut().zip(dout).zip(&*z) {
                *dw += chip.gain * dout * (1.0 + (chip.e + z));
            }
        });
    });
}
