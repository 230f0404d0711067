//! Programming of cells: `shaders/program_cells_reference.wgsl`, `shaders/program_cells.wgsl`.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, View, Work};
use crate::error::Result;
use crate::program::{
    Arrays, CellReadNoise, Curve, Deviate, Encoding, Law, ProgramCells, Programming,
};
use crate::random;

/// Twin of `Programming` in `shaders/shared/programming.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct CellParams {
    pub rows: u32,
    pub cols: u32,
    pub col_tiles: u32,
    pub slices: u32,
    pub offset_code: i32,
    pub layer: u32,
    pub col_tile_at: u32,
    pub slice_at: u32,
    pub levels_at: u32,
    pub sigma_at: u32,
    pub sigma_len: u32,
    pub drift_mean_at: u32,
    pub drift_mean_len: u32,
    pub drift_sigma_at: u32,
    pub drift_sigma_len: u32,
    pub noise_at: u32,
    pub noise_len: u32,
    pub g_min: f32,
    pub sigma: f32,
    pub shape_x: f32,
    pub shape_y: f32,
    pub off: f32,
    pub on: f32,
    pub open_row: f32,
    pub open_col: f32,
    pub log_time: f32,
    pub clip_low: f32,
    pub clip_high: f32,
    pub noise_proportional: f32,
    pub noise_fixed: f32,
    pub code_low: f32,
    pub code_high: f32,
    pub one_over_f_at: u32,
    pub one_over_f_len: u32,
    pub one_over_f_least: f32,
    pub pad0: u32,
}

/// Twin of `Params` in `shaders/program_cells.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub cells: CellParams,
    pub out: View,
    pub variance: View,
    pub array: View,
    pub per_column: u32,
    pub pad0: u32,
    pub pad1: u32,
    pub pad2: u32,
}

/// Twin of `Params` in `shaders/program_cells_reference.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct ReferenceParams {
    pub cells: CellParams,
    pub array: View,
    pub count: u32,
    pub row_quads: u32,
    pub pad0: u32,
    pub pad1: u32,
}

/// Row tile of every row and column tile of every column.
pub(super) fn tile_indices(arrays: &Arrays) -> Vec<u32> {
    let rows = (0..arrays.rows).map(|k| arrays.row_tile(k) as u32);
    let cols = (0..arrays.cols).map(|o| arrays.col_tile(o) as u32);
    rows.chain(cols).collect()
}

/// Appends values; where they start and how many there are.
fn append(table: &mut Vec<u32>, values: Option<&Curve>) -> [u32; 2] {
    let at = table.len() as u32;
    let values = values.map_or(&[][..], |v| v);
    table.extend(values.iter().map(|v| v.to_bits()));
    [at, values.len() as u32]
}

fn cells(spec: &Programming) -> (CellParams, Arc<[u32]>) {
    let arrays = &spec.arrays;
    let mut table = tile_indices(arrays);
    let slice_at = table.len() as u32;
    for s in 0..arrays.slices() {
        let units = arrays.level_units(s).to_bits();
        table.extend([arrays.shift(s), arrays.top_digit(s), units, 0]);
    }
    let drift = spec.drift.as_ref();
    let [levels_at, _] = append(&mut table, arrays.levels.as_ref());
    let [sigma_at, sigma_len] = append(&mut table, spec.sigma_curve.as_ref());
    let [drift_mean_at, drift_mean_len] = append(&mut table, drift.map(|d| &d.mean));
    let [drift_sigma_at, drift_sigma_len] = append(&mut table, drift.map(|d| &d.sigma));
    let [noise_at, noise_len] = append(&mut table, spec.read_noise.curve.as_ref());
    let [one_over_f_at, one_over_f_len] = append(&mut table, spec.read_noise.one_over_f.as_ref());
    let [shape_x, shape_y] = match spec.deviate {
        // A standard deviation by conductance is that of a gaussian.
        _ if spec.sigma_curve.is_some() => [0.0; 2],
        Deviate::Gaussian => [0.0; 2],
        Deviate::Truncated { at } => [random::squeeze(at), 0.0],
        Deviate::Lognormal => random::lognormal_shape(spec.sigma),
    };
    let most = ((1u32 << arrays.shift(arrays.slices())) - 1) as f32;
    let zero = arrays.offset_code() as f32;
    let [code_low, code_high] = match arrays.encoding {
        Encoding::Offset { .. } => [-zero, most - zero],
        Encoding::Differential { .. } => [-most, most],
    };
    let params = CellParams {
        rows: arrays.rows as u32,
        cols: arrays.cols as u32,
        col_tiles: arrays.col_tiles() as u32,
        slices: arrays.slices() as u32,
        offset_code: arrays.offset_code() as i32,
        layer: spec.layer,
        col_tile_at: arrays.rows as u32,
        slice_at,
        levels_at,
        sigma_at,
        sigma_len,
        drift_mean_at,
        drift_mean_len,
        drift_sigma_at,
        drift_sigma_len,
        noise_at,
        noise_len,
        g_min: arrays.g_min,
        sigma: spec.sigma,
        shape_x,
        shape_y,
        off: spec.stuck.off,
        on: spec.stuck.on,
        open_row: spec.stuck.row,
        open_col: spec.stuck.col,
        log_time: drift.map_or(0.0, |d| d.log_time),
        clip_low: if spec.clip_low { 0.0 } else { f32::MIN },
        clip_high: spec.clip.min(f32::MAX),
        noise_proportional: spec.read_noise.proportional,
        noise_fixed: spec.read_noise.fixed * (1.0 - arrays.g_min),
        code_low,
        code_high,
        one_over_f_at,
        one_over_f_len,
        one_over_f_least: CellReadNoise::LEAST,
        pad0: 0,
    };
    (params, table.into())
}

/// Whether a read is the difference of two cells, and what comes out is a read.
fn pairs(spec: &Programming) -> bool {
    let subtracted = matches!(
        spec.arrays.encoding,
        Encoding::Differential { digital: false, .. }
    );
    subtracted && !spec.raw
}

/// A call with the constants of `shaders/shared/programming.wgsl`; `flags` of the purpose.
fn call(shader: &'static str, work: Work, spec: &Programming, flags: u32) -> Dispatch {
    let law: u32 = match spec.law {
        Law::WeightProportional => 0,
        Law::LayerFixed => 1,
    };
    let (two_sided, offset, real) = match spec.arrays.encoding {
        Encoding::Differential { two_sided, .. } => (two_sided, false, false),
        Encoding::Offset { reference } => (false, true, reference > 0),
    };
    let stuck = spec.stuck;
    let curved = spec.sigma_curve.is_some();
    Dispatch::new(shader, work)
        .constant("LAW", law)
        .constant("LOGNORMAL", spec.deviate == Deviate::Lognormal && !curved)
        .constant("TWO_SIDED", two_sided)
        .constant("OFFSET", offset)
        .constant("REAL", real)
        .constant("PAIRS", pairs(spec))
        .constant("HAS_LEVELS", spec.arrays.levels.is_some())
        .constant("HAS_SIGMA_CURVE", curved)
        .constant("HAS_STUCK", stuck.off > 0.0 || stuck.on > 0.0)
        .constant("HAS_OPEN", stuck.row > 0.0 || stuck.col > 0.0)
        .constant("HAS_DRIFT", spec.drift.is_some())
        .constant("HAS_NOISE_CURVE", spec.read_noise.curve.is_some())
        .constant("HAS_ONE_OVER_F", spec.read_noise.one_over_f.is_some())
        .constant("FLAGS", flags)
}

/// The columns that are subtracted from all others of their array, and their bits of the purpose.
/// The offset's own reference column is in both reads where there are others, and cancels.
fn columns(spec: &Programming) -> Option<(u32, u32)> {
    match (spec.reference_columns, spec.arrays.encoding) {
        _ if spec.raw => None,
        (0, Encoding::Offset { reference }) if reference > 0 => {
            Some((reference, random::OFFSET_REFERENCE))
        }
        (0, _) => None,
        (count, _) => Some((count, random::REFERENCE)),
    }
}

impl OnGpu for ProgramCells {
    /// One thread four values, after one thread four rows of an array for the reference columns.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            step,
            array,
            out,
            variance,
            spec,
        } = self;
        let arrays = &spec.arrays;
        let (params, table) = cells(spec);
        let per_chip = cx.per_chip(*out);
        let mut calls = Vec::new();
        let mut reference = Operand::Unused;
        let columns = columns(spec);
        if let Some((count, flags)) = columns {
            let row_quads = arrays.rows.div_ceil(4);
            let reads = arrays.read_planes() * arrays.col_tiles();
            reference = Operand::Scratch {
                index: 0,
                floats: (2 * reads * arrays.rows * cx.slabs(*out)) as u64,
            };
            let params = ReferenceParams {
                cells: params,
                array: cx.view(*array),
                count,
                row_quads: row_quads as u32,
                pad0: 0,
                pad1: 0,
            };
            let work = Work::flat(reads * row_quads).per_chip(per_chip);
            calls.push(
                call("program_cells_reference", work, spec, flags)
                    .rounds(2 * u64::from(count))
                    .params(&params)
                    .read(*array)
                    .table(&table)
                    .write(reference),
            );
        }
        let params = Params {
            cells: params,
            out: cx.view(*out),
            variance: cx.view_opt(*variance),
            array: cx.view(*array),
            per_column: u32::from(cx.shape(*step).len() > 1),
            pad0: 0,
            pad1: 0,
            pad2: 0,
        };
        // A kernel may not read and write what stands for nothing.
        let variance_or_nothing = match variance {
            Some(t) => Operand::Tensor(*t),
            None => Operand::Scratch {
                index: 1,
                floats: 4,
            },
        };
        let work = Work::flat(cx.shape(*out).len().div_ceil(4)).per_chip(per_chip);
        calls.push(
            call("program_cells", work, spec, 0)
                .constant("RAW", spec.raw)
                .constant("HAS_REFERENCE", columns.is_some())
                .constant("HAS_VARIANCE", variance.is_some())
                .constant("HALF", cx.halves(*out))
                .params(&params)
                .read(*w)
                .read(*step)
                .read(*array)
                .table(&table)
                .read(reference)
                .write(*out)
                .write(variance_or_nothing),
        );
        Ok(calls)
    }
}
