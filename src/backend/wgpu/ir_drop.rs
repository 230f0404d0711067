//! What wires make of cells: `shaders/ir_drop.wgsl`, `shaders/ir_drop_separate.wgsl`, and for
//! planes kept in halves `shaders/ir_drop_halves.wgsl`.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, Operand, View, Work};
use crate::backend::program::{Arrays, Encoding, Op, TensorId, Topology, Wires};
use crate::error::Result;

/// Most sweeps where the direct solution is asked for: the iteration settles long before unless the
/// wires take nearly all of the voltage.
const MOST_SWEEPS: u32 = 1000;

/// Largest change of a voltage (of 1) in a sweep that ends the iteration then: half a unit in the
/// last place.
const SETTLED: f32 = f32::EPSILON * 0.5;

/// Segments of the kernels' state.
const SEGMENTS: usize = 5;

/// State of one chip that the kernel may use to work on several inputs of an array at once, values.
const CHIP_STATE: usize = 1 << 20;

/// Twin of `Params` in `shaders/ir_drop.wgsl` and `shaders/ir_drop_separate.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub g: View,
    pub out: View,
    pub rows: u32,
    pub cols: u32,
    pub row_tiles: u32,
    pub col_tiles: u32,
    pub planes: u32,
    pub poles: u32,
    pub slots: u32,
    pub segment: u32,
    pub row: f32,
    pub col: f32,
    pub driver: f32,
    pub end: f32,
    pub sweeps: u32,
    pub settled: f32,
    pub activity: f32,
    pub pad0: u32,
}

/// Longest tile.
fn longest(cuts: &[u32]) -> usize {
    let lengths = cuts.windows(2).map(|w| (w[1] - w[0]) as usize);
    lengths.max().unwrap_or(0)
}

/// Cells that one read takes the difference of.
fn poles(arrays: &Arrays) -> u32 {
    match arrays.encoding {
        Encoding::Differential { digital: false, .. } => 2,
        _ => 1,
    }
}

/// Row tiles, column tiles, level units of the read planes.
fn table(arrays: &Arrays) -> Arc<[u32]> {
    let units = (0..arrays.read_planes()).map(|p| arrays.level_units(arrays.slice_of(p)).to_bits());
    let cuts = [&arrays.tile_rows, &arrays.tile_cols];
    let cuts = cuts.into_iter().flat_map(|cuts| cuts.iter().copied());
    cuts.chain(units).collect()
}

/// Twin of `Params` in `shaders/ir_drop_halves.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct HalvesParams {
    pub x: View,
    pub out: View,
}

/// Read planes before they are rounded to halves.
struct FloatPlanes {
    view: View,
    operand: Operand,
}

impl FloatPlanes {
    fn new(out: TensorId, cx: &LowerContext<'_>) -> Self {
        let slab = cx.shape(out).len().next_multiple_of(4);
        let view = View {
            chip_stride: if cx.per_chip(out) { slab as u32 } else { 0 },
            ..cx.view(out)
        };
        let operand = Operand::Scratch {
            index: 1,
            floats: (slab * cx.slabs(out)) as u64,
        };
        Self { view, operand }
    }

    /// One thread four values.
    fn round(&self, out: TensorId, cx: &LowerContext<'_>) -> Dispatch {
        let params = HalvesParams {
            x: self.view,
            out: cx.view(out),
        };
        let work = Work::flat(cx.shape(out).len().div_ceil(4)).per_chip(cx.per_chip(out));
        Dispatch::new("ir_drop_halves", work)
            .params(&params)
            .read(self.operand)
            .write(out)
    }
}

/// One workgroup some inputs of an array, or one thread an output line.
pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    let Op::IrDrop { g, out, spec } = op else {
        return super::lower::mismatch("ir_drop", op);
    };
    let Wires {
        arrays, topology, ..
    } = spec;
    let reads = arrays.row_tiles() * arrays.col_tiles() * arrays.read_planes();
    let array = longest(&arrays.tile_rows) * longest(&arrays.tile_cols);
    let per_chip = cx.per_chip(*out);
    let (shader, slots, segment, parts, work) = match topology {
        Topology::InputSource => {
            let fit = CHIP_STATE / (SEGMENTS * array * reads).max(1);
            let slots = fit.clamp(1, longest(&arrays.tile_rows));
            let work = Work::groups(reads * slots);
            ("ir_drop", slots, array, reads * slots, work)
        }
        Topology::SeparateSource => {
            let lines = arrays.converters();
            let segment = arrays.read_planes() * arrays.plane_len();
            ("ir_drop_separate", 1, segment, 1, Work::flat(lines))
        }
    };
    let (sweeps, settled) = match spec.sweeps {
        0 => (MOST_SWEEPS, SETTLED),
        // Nothing settles below 0.
        sweeps => (sweeps, -1.0),
    };
    let params = Params {
        g: cx.view(*g),
        out: cx.view(*out),
        rows: arrays.rows as u32,
        cols: arrays.cols as u32,
        row_tiles: arrays.row_tiles() as u32,
        col_tiles: arrays.col_tiles() as u32,
        planes: arrays.read_planes() as u32,
        poles: poles(arrays),
        slots: slots as u32,
        segment: segment as u32,
        row: spec.row,
        col: spec.col,
        driver: spec.row + spec.row_terminal,
        end: spec.col + spec.col_terminal,
        sweeps,
        settled,
        activity: spec.activity,
        pad0: 0,
    };
    let state = Operand::Scratch {
        index: 0,
        floats: (SEGMENTS * segment * parts * cx.slabs(*out)) as u64,
    };
    // Neighbours of a word come from different threads, and the second of two cells is subtracted
    // from the first: floats first, then halves.
    let floats = cx.halves(*out).then(|| FloatPlanes::new(*out, cx));
    let params = Params {
        out: floats.as_ref().map_or(params.out, |f| f.view),
        ..params
    };
    let to = floats.as_ref().map_or((*out).into(), |f| f.operand);
    let solve = Dispatch::new(shader, work.per_chip(per_chip))
        .params(&params)
        .read(*g)
        .table(&table(arrays))
        .write(state)
        .write(to);
    let round = floats.map(|f| f.round(*out, cx));
    Ok([solve].into_iter().chain(round).collect())
}
