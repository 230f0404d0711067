//! One chip at cell level written down in `f64`, cell by cell and conversion by conversion: what the
//! operators at cell level of both backends are tested against.
//!
//! The numbers are those of [`crate::program`] (`Programming`, `Wires`, `Reading`,
//! `ConverterErrors`), the random words those of [`crate::random`]; the arithmetic is plain `f64`, with
//! normals from the error function. Thresholds of probabilities are compared in `f32`, as everywhere:
//! which cells are stuck does not depend on who asks. Formulas are in docs/cells.md.

mod reader;

use super::closed_form::deviation;
use super::ir_drop;
use crate::effects::{Cell, Deviate, Draw, Draws, Target};
use crate::mapping::digits;
use crate::program::{Arrays, ConverterErrors, Encoding, Programming, Wires};
use crate::random::{self, OFFSET_REFERENCE, Purpose, REFERENCE, Stream};

pub use reader::{Conversion, Pixel, Place, Reader};

/// Which random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Key of all random numbers.
    pub seed: u64,
    /// Or-ed into the purpose word: 0 or [`crate::random::TRAINING`].
    pub flags: u32,
    /// Chip index.
    pub chip: u32,
}

/// What programming gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Programmed {
    /// Read planes in level units, or raw cells relative to `G_max`; `[plane][column][row]`.
    pub g: Vec<f64>,
    /// Variance of a read of each, level units squared; empty for raw cells.
    pub variance: Vec<f64>,
}

/// Cell planes of a read plane with their signs.
fn poles(a: &Arrays, read_plane: usize) -> Vec<(usize, f64)> {
    match a.encoding {
        Encoding::Differential { digital: false, .. } => {
            vec![(2 * read_plane, 1.0), (2 * read_plane + 1, -1.0)]
        }
        _ => vec![(read_plane, 1.0)],
    }
}

fn level_units(a: &Arrays, slice: usize) -> f64 {
    f64::from(a.top_digit(slice)) / (1.0 - f64::from(a.g_min))
}

/// Column of an array: one of the layer's, or a reference cell's copy.
#[derive(Debug, Clone, Copy)]
enum Column {
    Own(usize),
    /// Column tile, copy, copies, flag of the purpose.
    Copy(usize, usize, usize, u32),
}

struct Cells<'a> {
    spec: &'a Programming,
    array: &'a [f32],
    key: Key,
}

impl Cells<'_> {
    fn word(&self, purpose: Purpose, flags: u32, address: usize) -> u32 {
        let Key {
            seed,
            flags: own,
            chip,
        } = self.key;
        Stream::new(seed, purpose, own | flags, self.spec.layer, chip).word(address as u32)
    }

    /// Target conductance of a digit (C1).
    fn target(&self, plane: usize, digit: f64) -> f64 {
        let a = &self.spec.arrays;
        a.target(plane / a.polarities(), digit)
    }

    /// What the cells of a code aim at on every plane, in levels.
    fn aims(&self, col: usize, row: usize, code: i32) -> Vec<f64> {
        let a = &self.spec.arrays;
        let fill = self.spec.effects.fill;
        if fill.is_digits() {
            let digits = digits::of_code(a, code).into_iter();
            return digits.map(f64::from).collect();
        }
        let written = |s: usize, aims: [f64; 2]| {
            let held = [0, 1].map(|pole| {
                let (plane, column) = (2 * s + pole, Column::Own(col));
                let (target, words) = self.at(plane, column, row, aims[pole]);
                self.spec.effects.written(&target, &words).g
            });
            level_units(a, s) * (held[0] - held[1])
        };
        let pairs = fill.exact(&a.slice_ranges(), code, written);
        pairs.into_iter().flatten().collect()
    }

    /// Target of a cell of a column, and its random numbers.
    fn at(&self, plane: usize, column: Column, row: usize, digit: f64) -> (Target, Words<'_>) {
        let spec = self.spec;
        let a = &spec.arrays;
        let (tile, flags, address) = match column {
            Column::Own(c) => (a.col_tile(c), 0, (plane * a.cols + c) * a.rows + row),
            Column::Copy(tile, j, n, flags) => {
                let copy = (plane * a.col_tiles() + tile) * n + j;
                (tile, flags, copy * a.rows + row)
            }
        };
        let array = a.lines().array(plane, a.row_tile(row), tile);
        let words = Words {
            cells: self,
            flags,
            address,
            row: array * a.rows + row,
            column: match column {
                Column::Own(c) => Some(array * a.cols + c),
                Column::Copy(..) => None,
            },
        };
        let common = f64::from(self.array[array]);
        (spec.target(self.target(plane, digit), common), words)
    }

    /// A cell of a column.
    fn cell(&self, plane: usize, column: Column, row: usize, digit: f64) -> Cell {
        let (target, words) = self.at(plane, column, row, digit);
        self.spec.effects.exact(&target, &words)
    }

    /// Variance of a read of a cell, relative to `G_max`.
    fn variance(&self, cell: Cell) -> f64 {
        self.spec.read_noise.exact(self.spec.arrays.g_min, cell)
    }

    /// Mean and variance of the mean of a column tile's reference cells on a cell plane.
    fn copies(&self, plane: usize, tile: usize, row: usize, n: u32, flags: u32) -> (f64, f64) {
        let digit = digits::of_code(&self.spec.arrays, 0)[plane].into();
        let n = n as usize;
        let cells = (0..n).map(|j| self.cell(plane, Column::Copy(tile, j, n, flags), row, digit));
        let (mut mean, mut variance) = (0.0, 0.0);
        for cell in cells {
            mean += cell.g / n as f64;
            variance += self.variance(cell) / (n * n) as f64;
        }
        (mean, variance)
    }

    /// A cell of a read plane in level units with its variance.
    fn read(&self, read_plane: usize, col: usize, row: usize, code: i32) -> (f64, f64) {
        let a = &self.spec.arrays;
        let held = self.aims(col, row, code);
        let zero = digits::of_code(a, 0);
        let tile = a.col_tile(col);
        let (mut g, mut variance) = (0.0, 0.0);
        for (plane, sign) in poles(a, read_plane) {
            let own = self.cell(plane, Column::Own(col), row, held[plane]);
            g += sign * own.g;
            variance += self.variance(own);
            let offset = match a.encoding {
                Encoding::Offset { reference } => reference,
                Encoding::Differential { .. } => 0,
            };
            let (n, flags, nominal) = match (self.spec.reference_columns, offset) {
                (0, 0) => continue,
                (0, n) => (n, OFFSET_REFERENCE, 0.0),
                // A column of code 0 reads nothing nominally where a reference is subtracted.
                (n, 1..) => (n, REFERENCE, 0.0),
                (n, 0) => (n, REFERENCE, self.target(plane, zero[plane].into())),
            };
            let (mean, own) = self.copies(plane, tile, row, n, flags);
            g -= sign * (mean - nominal);
            variance += own;
        }
        let units = level_units(a, a.slice_of(read_plane));
        (g * units, variance * units * units)
    }
}

/// Random numbers of a cell.
struct Words<'a> {
    cells: &'a Cells<'a>,
    /// Bits of the purpose that reference cells have.
    flags: u32,
    address: usize,
    /// Address of its row in the array, and of its column, if that can be open.
    row: usize,
    column: Option<usize>,
}

impl Draws for Words<'_> {
    fn deviation(&self, purpose: Purpose, deviate: Deviate, sigma: f64) -> f64 {
        let word = self.cells.word(purpose, self.flags, self.address);
        deviation(word, deviate, sigma)
    }

    fn uniform(&self, purpose: Purpose) -> f32 {
        random::uniform(self.cells.word(purpose, self.flags, self.address))
    }

    fn line(&self, line: Draw, purpose: Purpose) -> Option<f32> {
        let address = match line {
            Draw::Rows => Some(self.row),
            Draw::Columns => self.column,
        };
        address.map(|at| random::uniform(self.cells.word(purpose, 0, at)))
    }
}

/// Codes `round(w / step)` of quantized weights `[column][row]`; `step` has one value or one a column.
pub fn codes(w: &[f32], step: &[f32], rows: usize) -> Vec<i32> {
    let one = |(i, w): (usize, &f32)| {
        let step = step[(i / rows) % step.len()];
        if step > 0.0 {
            (w / step).round_ties_even() as i32
        } else {
            0
        }
    };
    w.iter().enumerate().map(one).collect()
}

/// Programs a layer, see [`crate::program::ProgramCells`].
pub fn program(codes: &[i32], array: &[f32], spec: &Programming, key: Key) -> Programmed {
    let a = &spec.arrays;
    let cells = Cells { spec, array, key };
    let n = a.plane_len();
    if spec.raw {
        let cell = |i: usize| {
            let (plane, at) = (i / n, i % n);
            let (col, row) = (at / a.rows, at % a.rows);
            let digit = cells.aims(col, row, codes[at])[plane];
            cells.cell(plane, Column::Own(col), row, digit).g
        };
        return Programmed {
            g: (0..a.cells()).map(cell).collect(),
            variance: Vec::new(),
        };
    }
    let one = |i: usize| {
        let (plane, at) = (i / n, i % n);
        cells.read(plane, at / a.rows, at % a.rows, codes[at])
    };
    let (g, variance) = (0..a.read_planes() * n).map(one).unzip();
    Programmed { g, variance }
}

/// What wires make of raw cells: read planes in level units, see
/// [`crate::program::IrDrop`].
pub fn wires(spec: &Wires, raw: &[f64]) -> Vec<f64> {
    let a = &spec.arrays;
    let n = a.plane_len();
    let mut real = raw.to_vec();
    for plane in real.chunks_exact_mut(n) {
        for cols in a.tile_cols.windows(2).map(|w| w[0] as usize..w[1] as usize) {
            for rows in a.tile_rows.windows(2).map(|w| w[0] as usize..w[1] as usize) {
                let places = || {
                    let rows = rows.clone();
                    cols.clone()
                        .flat_map(move |c| rows.clone().map(move |r| c * a.rows + r))
                };
                let mut cells: Vec<f64> = places().map(|i| plane[i]).collect();
                ir_drop::array(spec, cols.len(), rows.len(), &mut cells);
                places().zip(cells).for_each(|(i, g)| plane[i] = g);
            }
        }
    }
    let read = |i: usize| {
        let (plane, at) = (i / n, i % n);
        let sum: f64 = poles(a, plane)
            .iter()
            .map(|(p, sign)| sign * real[p * n + at])
            .sum();
        sum * level_units(a, a.slice_of(plane))
    };
    (0..a.read_planes() * n).map(read).collect()
}

/// Constants `(a, b)` of every converter, `[row tile][read plane][column]`, see
/// [`crate::program::ConverterFold`].
pub fn converters(
    ranges: &[[f32; 2]],
    scale: Option<&[f32]>,
    spec: &ConverterErrors,
    key: Key,
) -> Vec<[f64; 2]> {
    let a = &spec.arrays;
    let planes = a.read_planes();
    // Converters of the columns in front of a column tile.
    let before = |tile: usize| -> usize {
        let widths = a.tile_cols[..=tile].windows(2).map(|t| t[1] - t[0]);
        widths.map(|n| (n as usize).div_ceil(spec.sharing)).sum()
    };
    let all = before(a.col_tiles());
    let one = |i: usize| {
        let (r, p, col) = (i / a.cols / planes, i / a.cols % planes, i % a.cols);
        let Some(place) = spec.column(r, col) else {
            return [0.0, 0.0];
        };
        let tile = a.col_tile(place);
        let inside = (place - a.tile_cols[tile] as usize) / spec.sharing;
        let address = (r * planes + p) * all + before(tile) + inside;
        let error = |purpose, sigma: f32| {
            let stream = Stream::new(key.seed, purpose, key.flags, spec.layer, key.chip);
            deviation(
                stream.word(address as u32),
                Deviate::Gaussian,
                f64::from(sigma),
            )
        };
        let [lsb, lo] = ranges[p * a.cols + col].map(f64::from);
        let scale = scale.map_or(1.0, |s| {
            f64::from(s[(r * a.col_tiles() + tile) * planes + p])
        });
        let gain = 1.0 + error(Purpose::AdcGain, spec.gain);
        [
            gain / (lsb * scale),
            error(Purpose::AdcOffset, spec.offset) - gain * lo / lsb,
        ]
    };
    (0..a.converters()).map(one).collect()
}

#[cfg(test)]
mod tests;
