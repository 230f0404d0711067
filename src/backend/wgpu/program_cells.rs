//! Programming of cells: `shaders/program_cells_reference.wgsl`, `shaders/program_cells.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, View, Work};
use super::uniform::{Bytes, Uniform, uniform};
use crate::effects::Numbers;
use crate::error::Result;
use crate::program::{Arrays, Encoding, ProgramCells, Programming};
use crate::random;

uniform! {
    /// First fields of `Programming` in `shaders/shared/programming.wgsl`; the structs of read noise and of
    /// the effects follow ([`Cells`]).
    struct CellParams {
        rows: u32,
        cols: u32,
        col_tiles: u32,
        slices: u32,
        offset_code: i32,
        layer: u32,
        col_tile_at: u32,
        slice_at: u32,
        levels_at: u32,
        g_min: f32,
        code_low: f32,
        code_high: f32,
    }
}

uniform! {
    /// Last fields of `Params` in `shaders/program_cells.wgsl`, after `cells`.
    struct Params {
        out: View,
        variance: View,
        array: View,
        per_column: u32,
    }
}

uniform! {
    /// Last fields of `Params` in `shaders/program_cells_reference.wgsl`, after `cells`.
    struct ReferenceParams {
        array: View,
        count: u32,
        row_quads: u32,
    }
}

/// `Programming` of the shaders.
pub(super) struct Cells {
    first: CellParams,
    /// Constants of all effects, the table so far, and the structs of read noise and the effects.
    pub numbers: Numbers,
}

impl Uniform for Cells {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        self.first.write(name, bytes);
        self.numbers.write(name, bytes);
    }
}

/// Row tile of every row and column tile of every column.
pub(super) fn tile_indices(arrays: &Arrays) -> Vec<u32> {
    let rows = (0..arrays.rows).map(|k| arrays.row_tile(k) as u32);
    let cols = (0..arrays.cols).map(|o| arrays.col_tile(o) as u32);
    rows.chain(cols).collect()
}

/// The numbers of a layer's cells, and the table.
pub(super) fn cells(spec: &Programming) -> Cells {
    let arrays = &spec.arrays;
    let mut numbers = Numbers::default();
    let table = &mut numbers.table;
    table.0 = tile_indices(arrays);
    let slice_at = table.0.len() as u32;
    for s in 0..arrays.slices() {
        let units = arrays.level_units(s).to_bits();
        table
            .0
            .extend([arrays.shift(s), arrays.top_digit(s), units, 0]);
    }
    let [levels_at, _] = table.append(arrays.levels.as_ref());
    let most = arrays.most_code() as f32;
    let zero = arrays.offset_code() as f32;
    let [code_low, code_high] = match arrays.encoding {
        Encoding::Offset { .. } => [-zero, most - zero],
        Encoding::Differential { .. } => [-most, most],
    };
    let lines = arrays.lines();
    numbers.begin();
    spec.read_noise.in_shader(arrays.g_min, &mut numbers);
    spec.effects.fill.in_shader(&mut numbers);
    for effect in spec.effects.all() {
        numbers.begin();
        effect.in_shader(&lines, &mut numbers);
    }
    Cells {
        first: CellParams {
            rows: arrays.rows as u32,
            cols: arrays.cols as u32,
            col_tiles: arrays.col_tiles() as u32,
            slices: arrays.slices() as u32,
            offset_code: arrays.offset_code() as i32,
            layer: spec.layer,
            col_tile_at: arrays.rows as u32,
            slice_at,
            levels_at,
            g_min: arrays.g_min,
            code_low,
            code_high,
        },
        numbers,
    }
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
fn call(
    shader: &'static str,
    work: Work,
    spec: &Programming,
    cells: &Cells,
    flags: u32,
) -> Dispatch {
    let (two_sided, offset, real) = match spec.arrays.encoding {
        Encoding::Differential { two_sided, .. } => (two_sided, false, false),
        Encoding::Offset { reference } => (false, true, reference > 0),
    };
    Dispatch::new(shader, work)
        .constant("TWO_SIDED", two_sided)
        .constant("OFFSET", offset)
        .constant("REAL", real)
        .constant("PAIRS", pairs(spec))
        .constant("HAS_LEVELS", spec.arrays.levels.is_some())
        .constant("EQUAL_SLICES", spec.arrays.equal_slices as u32)
        .constant("FLAGS", flags)
        .effects(&cells.numbers)
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
        let cells = cells(spec);
        let table = cells.numbers.table.0.clone().into();
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
                array: cx.view(*array),
                count,
                row_quads: row_quads as u32,
            };
            let work = Work::flat(reads * row_quads).per_chip(per_chip);
            calls.push(
                call("program_cells_reference", work, spec, &cells, flags)
                    .rounds(2 * u64::from(count))
                    .params(&(&cells, params))
                    .read(*array)
                    .table(&table)
                    .write(reference),
            );
        }
        let params = Params {
            out: cx.view(*out),
            variance: cx.view_opt(*variance),
            array: cx.view(*array),
            per_column: u32::from(cx.shape(*step).len() > 1),
        };
        // Placeholder buffers must not be bound twice.
        let variance_or_nothing = match variance {
            Some(t) => Operand::Tensor(*t),
            None => Operand::Scratch {
                index: 1,
                floats: 4,
            },
        };
        let work = Work::flat(cx.shape(*out).len().div_ceil(4)).per_chip(per_chip);
        calls.push(
            call("program_cells", work, spec, &cells, 0)
                .rounds(2 * arrays.slices() as u64)
                .constant("RAW", spec.raw)
                .constant("HAS_REFERENCE", columns.is_some())
                .constant("HAS_VARIANCE", variance.is_some())
                .constant("HALF", cx.halves(*out))
                .params(&(&cells, params))
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
