//! Cell level: a layer's weights as conductances of many cells in crossbar arrays, read digit by
//! digit through converters (docs/MODEL.md 3 and 4).
//!
//! # From a weight to what a converter sees
//! A quantized weight is `w = q d` with an integer code `q`. Its *digits* are stored in slices:
//! slice `s` holds `slice_bits[s]` bits of the code, least significant first, so its place value is
//! `2^(bits of the slices below)`. A cell with digit `v` of a slice of `B` bits has the nominal
//! conductance, relative to `G_max`,
//!
//! ```text
//! g(v) = g_min + (1 - g_min) v / (2^B - 1)                                              (C1)
//! ```
//!
//! All conductances that operators exchange are in *level units* `u = g (2^B - 1)/(1 - g_min)`, in
//! which neighbouring levels differ by one and a difference of two ideal cells is the difference
//! of their digits, exactly.
//!
//! Where every place value has `m` slices ([`Arrays::equal_slices`]), what the slices together hold of a weight of
//! code `q` is `m q`: that is the code which operators work with, and the step beside it is `d/m`.
//!
//! A *cell plane* is all cells of one slice and polarity (differential: `2 s + p`, `p = 0` the
//! positive cell; offset: `s`). A *read plane* is what one set of converters sees: with analog
//! subtraction the difference of the two polarities of a slice, else a cell plane. Planes are
//! stored `[plane][column][row]`, `rows` and `columns` of the layer's whole matrix.
//!
//! # Arrays
//! Rows are cut at [`Arrays::tile_rows`], columns at [`Arrays::tile_cols`]; every row tile, column
//! tile and plane is an array of its own, with index `(r * column tiles + c) * planes + plane`. The
//! sum over rows is cut at row tiles: each has its own conversion, and the results are added
//! digitally. Every number that belongs to a converter is stored `[row tile][read plane][column]`.

use std::sync::Arc;

use super::{Adc, ConvGeometry, Dac};
#[cfg(doc)]
use super::{Crossbar, IrDrop, ProgramCells, RunArgs};
use crate::choice::choices;
use crate::effects::{CellReadNoise, Effects, Lines, Slice, Target, levels};

/// How signed codes become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Two cells: magnitude digits on the side of the sign, the other cell at digit 0. With
    /// `two_sided` both cells move: digits `(L + v)/2` and `(L - v)/2`, `L = 2^B - 1`, `v` the signed
    /// digit (half levels are conductances like any other).
    Differential {
        /// Both cells move around mid-range.
        two_sided: bool,
        /// The difference is taken of two converter results instead of two currents.
        digital: bool,
    },
    /// One cell: digits of `q + 2^(b-1)`, `b` the weight bits.
    Offset {
        /// Cells per row that are averaged in a real reference column of every array, which holds
        /// the digits of `2^(b-1)` and is subtracted in the analog domain; 0: what such a column
        /// nominally conducts is subtracted digitally, times the sum of the inputs. Address of cell
        /// `j`: `((plane * column tiles + c) * reference + j) * rows + row`, purpose or-ed with
        /// [`crate::random::OFFSET_REFERENCE`].
        reference: u32,
    },
}

/// Arrays that hold one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrays {
    /// Columns (output channels of all groups).
    pub cols: usize,
    /// Rows (inputs of a column).
    pub rows: usize,
    /// First row of every row tile, then `rows`.
    pub tile_rows: Arc<[u32]>,
    /// First column of every column tile, then `cols`.
    pub tile_cols: Arc<[u32]>,
    /// Bits of every slice, least significant first, 1 to 8 each.
    pub slice_bits: Arc<[u8]>,
    /// Slices of every place value, `m`: neighbours with as many bits. A weight of code `q` is held as `m q`,
    /// by digits `m` times.
    pub equal_slices: usize,
    /// Weight bits `b` of the code, 1 to 8. The slices of different place value hold at least `b - 1` bits
    /// (differential; 1 where `b = 1`) or `b` bits (offset; 2 where `b = 1`).
    pub weight_bits: u32,
    /// Signs.
    pub encoding: Encoding,
    /// `G_min / G_max`, 0 for an infinite on/off ratio; below 1.
    pub g_min: f32,
    /// Relative conductance of every digit instead of (C1), for slices whose highest digit is
    /// `len - 1`; all slices must have as many bits. Half digits lie half-way.
    pub levels: Option<Arc<[f32]>>,
}

/// Most slices of a weight.
pub const MOST_SLICES: usize = 16;

impl Arrays {
    /// Row tiles.
    pub fn row_tiles(&self) -> usize {
        self.tile_rows.len() - 1
    }

    /// Column tiles.
    pub fn col_tiles(&self) -> usize {
        self.tile_cols.len() - 1
    }

    /// Slices.
    pub fn slices(&self) -> usize {
        self.slice_bits.len()
    }

    /// Polarities: cells per slice.
    pub fn polarities(&self) -> usize {
        match self.encoding {
            Encoding::Differential { .. } => 2,
            Encoding::Offset { .. } => 1,
        }
    }

    /// Cell planes.
    pub fn cell_planes(&self) -> usize {
        self.slices() * self.polarities()
    }

    /// Read planes.
    pub fn read_planes(&self) -> usize {
        match self.encoding {
            Encoding::Differential { digital: true, .. } => 2 * self.slices(),
            Encoding::Differential { digital: false, .. } | Encoding::Offset { .. } => {
                self.slices()
            }
        }
    }

    /// Arrays of cells: row tiles x column tiles x cell planes.
    pub fn cell_arrays(&self) -> usize {
        self.row_tiles() * self.col_tiles() * self.cell_planes()
    }

    /// Converter values: row tiles x read planes x columns.
    pub fn converters(&self) -> usize {
        self.row_tiles() * self.read_planes() * self.cols
    }

    /// Weights of a plane.
    pub fn plane_len(&self) -> usize {
        self.cols * self.rows
    }

    /// Cells of a layer, without reference columns.
    pub fn cells(&self) -> usize {
        self.cell_planes() * self.plane_len()
    }

    /// Bits below slice `s`: its place value is `2^shift`.
    pub fn shift(&self, s: usize) -> u32 {
        let m = self.equal_slices.max(1);
        let below = self.slice_bits[..s / m * m].iter().step_by(m);
        below.map(|&b| u32::from(b)).sum()
    }

    /// Digit that slice `s` has of a magnitude in codes of the arrays, `m` times the weight's.
    pub fn digit(&self, magnitude: u32, s: usize) -> u32 {
        (magnitude / self.equal_slices as u32) >> self.shift(s) & self.top_digit(s)
    }

    /// Largest magnitude that all slices together hold, in codes of the arrays: `sum_s 2^shift(s) (2^B_s - 1)`.
    pub fn most_code(&self) -> u32 {
        self.equal_slices as u32 * ((1u32 << self.shift(self.slices())) - 1)
    }

    /// Highest digit of slice `s`, `2^B - 1`.
    pub fn top_digit(&self, s: usize) -> u32 {
        (1 << self.slice_bits[s]) - 1
    }

    /// The slices, least significant first.
    pub fn slice_ranges(&self) -> Vec<Slice> {
        let most = self.most_code() as f32;
        let slice = |s| Slice {
            place: (1u32 << self.shift(s)) as f32,
            top: self.top_digit(s) as f32,
            most,
        };
        (0..self.slices()).map(slice).collect()
    }

    /// Level units of a conductance of `G_max` in slice `s`: `(2^B - 1)/(1 - g_min)`.
    pub fn level_units(&self, s: usize) -> f32 {
        self.top_digit(s) as f32 / (1.0 - self.g_min)
    }

    /// Slice of read plane `p`.
    pub fn slice_of(&self, p: usize) -> usize {
        match self.encoding {
            Encoding::Differential { digital: true, .. } => p / 2,
            Encoding::Differential { digital: false, .. } | Encoding::Offset { .. } => p,
        }
    }

    /// Place value of read plane `p` with its sign: `+-2^shift`.
    pub fn place(&self, p: usize) -> i32 {
        let value = 1 << self.shift(self.slice_of(p));
        match self.encoding {
            Encoding::Differential { digital: true, .. } if p % 2 == 1 => -value,
            Encoding::Differential { .. } | Encoding::Offset { .. } => value,
        }
    }

    /// Code that the offset encoding adds, `m 2^(b-1)` with `m` slices of every place value; 0 for others.
    pub fn offset_code(&self) -> u32 {
        match self.encoding {
            Encoding::Offset { .. } => (self.equal_slices as u32) << (self.weight_bits - 1),
            Encoding::Differential { .. } => 0,
        }
    }

    /// What is digitally subtracted for every unit of the input sum: what the cells of the offset
    /// code nominally conduct, so that a weight of 0 gives 0. With equal steps that is the code itself
    /// and what digit 0 conducts, with a table the table's conductances of the code's digits. 0 where
    /// a pair or a reference column removes it.
    pub fn digital_base(&self) -> f32 {
        let slices = 0..self.slices();
        match (self.encoding, &self.levels) {
            (Encoding::Offset { reference: 0 }, None) => {
                let zero = |s| self.place(s) as f32 * (self.g_min * self.level_units(s));
                self.offset_code() as f32 + slices.map(zero).sum::<f32>()
            }
            (Encoding::Offset { reference: 0 }, Some(_)) => {
                let held =
                    |s| self.place(s) as f32 * (self.offset_conductance(s) * self.level_units(s));
                slices.map(held).sum()
            }
            (Encoding::Offset { reference: 1.. } | Encoding::Differential { .. }, _) => 0.0,
        }
    }

    /// Target conductance of a digit of a slice in `f64`, relative to `G_max`.
    pub fn target(&self, slice: usize, digit: f64) -> f64 {
        levels::exact(
            self.levels.as_deref(),
            self.g_min,
            self.top_digit(slice),
            digit,
        )
    }

    /// Nominal conductance, relative to `G_max`, of a cell that holds the offset code's digit of a slice.
    pub fn offset_conductance(&self, slice: usize) -> f32 {
        let top = self.top_digit(slice);
        let digit = self.digit(self.offset_code(), slice);
        match &self.levels {
            Some(levels) => levels[digit as usize],
            None => self.g_min + (1.0 - self.g_min) * digit as f32 / top as f32,
        }
    }

    /// How the cells lie in arrays.
    pub fn lines(&self) -> Lines<'_> {
        Lines {
            rows: self.rows,
            cols: self.cols,
            tile_rows: &self.tile_rows,
            tile_cols: &self.tile_cols,
            planes: self.cell_planes(),
            g_min: self.g_min,
        }
    }

    /// Row tile of a row.
    pub fn row_tile(&self, row: usize) -> usize {
        self.lines().row_tile(row)
    }

    /// Column tile of a column.
    pub fn col_tile(&self, col: usize) -> usize {
        self.lines().col_tile(col)
    }

    /// Whether the fields fit together and no address leaves 32 bits.
    pub fn is_possible(&self) -> bool {
        let cuts = |cuts: &[u32], n: usize| {
            cuts.len() >= 2
                && cuts[0] == 0
                && cuts[cuts.len() - 1] as usize == n
                && cuts.windows(2).all(|w| w[0] < w[1])
        };
        let table = |l: &[f32]| self.slice_bits.iter().all(|&b| l.len() == 1 << b);
        let m = self.equal_slices;
        let alike = |m: usize| {
            let mut places = self.slice_bits.chunks(m);
            places.all(|place| place.len() == m && place.iter().all(|b| *b == place[0]))
        };
        let bits = || self.shift(self.slices());
        let needed = match (self.encoding, self.weight_bits) {
            (Encoding::Differential { .. }, b) => b.saturating_sub(1).max(1),
            (Encoding::Offset { .. }, b) => b.max(2),
        };
        cuts(&self.tile_rows, self.rows)
            && cuts(&self.tile_cols, self.cols)
            && (1..=MOST_SLICES).contains(&self.slices())
            && (1..=MOST_SLICES).contains(&m)
            && alike(m)
            && self.slice_bits.iter().all(|b| (1..=8).contains(b))
            && (1..=8).contains(&self.weight_bits)
            && (needed..=16).contains(&bits())
            && (0.0..1.0).contains(&self.g_min)
            && self.levels.as_deref().is_none_or(table)
            && u32::try_from(self.cells()).is_ok()
    }
}

/// How the cells of a layer are programmed: everything of docs/MODEL.md 3 at cell level.
///
/// Cell `(plane, column, row)` has address `i = (plane * cols + column) * rows + row`; a draw for it
/// is word `i % 4` of the generator's block `(i / 4, layer, chip, purpose)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Programming {
    /// Where the cells are.
    pub arrays: Arrays,
    /// What happens to a cell between its target and a read, in the order of
    /// [`PIPELINE`](crate::effects::PIPELINE).
    pub effects: Effects,
    /// Read noise, for [`ProgramCells`]'s variances: of the cells of a read and, over the square
    /// of their number, of the reference cells that are subtracted.
    pub read_noise: CellReadNoise,
    /// Columns per array with code 0, programmed like all others (an open row is open for them too),
    /// whose mean read, less what it is nominally, is subtracted from every column of the array
    /// (self-tuning by reference columns): cell address
    /// `((plane * column tiles + c) * reference_columns + j) * rows + row`, purpose or-ed with
    /// [`crate::random::REFERENCE`]. With a reference column of the offset encoding that column is
    /// in both reads and cancels.
    pub reference_columns: u32,
    /// Address of the layer: second word of the counter.
    pub layer: u32,
    /// Output the cells themselves, `[cell plane][column][row]` relative to `G_max`, for
    /// [`IrDrop`], instead of read planes in level units. Without reference columns of either
    /// kind.
    pub raw: bool,
}

impl Programming {
    /// Cells that hold their digits exactly.
    pub fn ideal(arrays: Arrays, layer: u32) -> Self {
        Self {
            arrays,
            effects: Effects::default(),
            read_noise: CellReadNoise::default(),
            reference_columns: 0,
            layer,
            raw: false,
        }
    }

    /// The same with gaussian errors of this standard deviation, proportional to conductances.
    #[must_use]
    pub fn varied(mut self, sigma: f32) -> Self {
        self.effects.variation.sigma = sigma;
        self
    }

    /// Whether the slices can be filled as asked for: but for digits, by a pair of cells of which one is at its
    /// lowest level, with equal steps and without reference columns.
    pub fn fills(&self) -> bool {
        let pair = Encoding::Differential {
            two_sided: false,
            digital: matches!(
                self.arrays.encoding,
                Encoding::Differential { digital: true, .. }
            ),
        };
        let plain = self.reference_columns == 0 && self.arrays.levels.is_none();
        self.effects.fill.is_digits() || (plain && self.arrays.encoding == pair)
    }

    /// What the effects know of a target conductance, in an array with a common deviation.
    pub fn target(&self, g: f64, common: f64) -> Target {
        Target {
            g,
            common,
            g_min: self.arrays.g_min.into(),
        }
    }
}

choices! {
    /// Topology of the wires of an array (as in CrossSim, whose names these are).
    pub enum Topology {
        /// The cells' currents flow in the input lines (resistive cells between two lines): node
        /// `A[j][i]` on input line `i`, driven at `j = 0` through one segment; cell `g[j][i]` from
        /// `A[j][i]` to `B[j][i]` on output line `j`, whose end after the last input is at virtual
        /// ground through one segment.
        InputSource = "input-source",
        /// Input lines are gates and carry no current (flash): every output `j` has a supply line
        /// beside its output line, both along `i`; a cell conducts only where its input is on.
        SeparateSource = "separate-source",
    }
}

/// Wires of the arrays of a layer. Resistances are relative: `ohm * G_max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Wires {
    /// Where the cells are.
    pub arrays: Arrays,
    /// Topology.
    pub topology: Topology,
    /// Segment of a row (input or supply line).
    pub row: f32,
    /// Segment of a column (output line).
    pub col: f32,
    /// Added to the first segment of a row.
    pub row_terminal: f32,
    /// Added to the last segment of a column.
    pub col_terminal: f32,
    /// Sweeps of the fixed-point iteration (alternating line solves); 0: the direct solution (CPU
    /// in f64; on an adapter as many sweeps as converge in f32).
    pub sweeps: u32,
    /// [`Topology::SeparateSource`] only: the matrix is that of inputs that are on with this
    /// probability (the mesh is not linear in gates; the error is measured in `chip::ir_drop`).
    pub activity: f32,
}

/// How a layer's arrays are read: the constants of [`Crossbar`] and its relatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Where the cells are.
    pub arrays: Arrays,
    /// How inputs are driven.
    pub dac: Dac,
    /// The converters; `None`: partial sums stay what they are.
    pub adc: Option<Adc>,
    /// Read noise is drawn cell by cell ([`crate::random::Purpose::ReadCell`]) instead of once per
    /// conversion with the sum's variance ([`crate::random::Purpose::ReadNoise`]). The same in law. A
    /// cell has one deviate a conversion, times its drive; with [`Dac::analog_sum`] of several steps,
    /// whose sum has the law of a single deviate, times the root of the sum of their squares.
    pub noise_per_cell: bool,
    /// All codes are added as integers: every converter of the layer has the range `[lsb, 0]` with the
    /// first one's `lsb`, and there is no correction.
    pub integer: bool,
    /// Conductances are exact integers and the same on every chip (no noise of any kind): a backend
    /// may count bits instead.
    pub exact: bool,
    /// Address of the layer.
    pub layer: u32,
}

impl Reading {
    /// Whether the fields fit together, and the integer sums 32 bits.
    pub fn is_possible(&self) -> bool {
        let codes = match &self.adc {
            None => true,
            Some(adc) => {
                let most = i64::from(adc.most());
                let steps: i64 = match self.dac.analog_sum {
                    true => 1,
                    false => (0..self.dac.steps())
                        .map(|t| i64::from(self.dac.place(t).unsigned_abs()))
                        .sum(),
                };
                let planes: i64 = match self.integer {
                    true => (0..self.arrays.read_planes())
                        .map(|p| i64::from(self.arrays.place(p).unsigned_abs()))
                        .sum::<i64>()
                        .saturating_mul(self.arrays.row_tiles() as i64),
                    false => 1,
                };
                let sum = most.saturating_mul(steps).saturating_mul(planes);
                adc.is_possible(self.arrays.slices())
                    && sum < i64::from(i32::MAX)
                    && (adc.effects.keep_codes() || !self.integer)
            }
        };
        self.arrays.is_possible() && self.dac.is_possible() && codes
    }

    /// The same arrays without converters.
    pub fn without_converter(&self) -> Reading {
        Reading {
            adc: None,
            integer: false,
            exact: false,
            ..self.clone()
        }
    }

    /// The same arrays without converters, driven in proportion to the digits: what a straight-through
    /// gradient passes.
    pub fn linear(&self) -> Reading {
        let mut linear = self.without_converter();
        linear.dac.table = None;
        linear
    }

    /// Whether the layer is that of a geometry.
    pub fn fits(&self, geo: &ConvGeometry) -> bool {
        (self.arrays.cols, self.arrays.rows) == (geo.c_out, geo.rows())
    }
}
