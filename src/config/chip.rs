//! What the chip is made of, for `fidelity = "cell"`: arrays, cells, wires and converters.

mod converter;
mod curve;
pub(super) mod preset;
#[cfg(test)]
mod tests;

pub use converter::{Accumulate, Adc, AdcBits, AdcCodes, AdcGroup, AdcMethod, AdcRange, Dac};
pub use curve::Curve;
pub(super) use curve::pieces;
pub use preset::{PRESETS, Preset};

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

use super::network::Sha;
use super::rule::{Above, Allowed, Any, List, Maybe, Read, Relative, Rule, either};
use super::section::{Table, section};
use super::variation::SIGMA;
use crate::choice::choices;
use crate::effects::Fill;
use crate::program::{Storage, Topology};
use curve::OrNone;

choices! {
    /// How rows and columns are cut into arrays.
    pub enum Split {
        /// As few arrays as hold them, all (nearly) the same size.
        Even = "even",
        /// Every array full but the last.
        Filled = "filled",
    }
}

choices! {
    /// Order in which the columns of a layer lie in its arrays, by the sum of the nominal conductances of a column.
    pub enum Rearrange {
        /// As in the layer.
        No = "none",
        /// The largest sum first, next to the drivers of the rows (arXiv 2201.05229): columns of large sums share
        /// arrays, and others have arrays with little current.
        HeavyFirst = "heavy-first",
        /// The smallest sum first.
        LightFirst = "light-first",
    }
}

choices! {
    /// Which parts of arrays without a weight are left out.
    pub enum Compact {
        /// None.
        No = "none",
        /// Columns of a row tile: those that are left stand side by side in fewer arrays.
        Columns = "columns",
        /// Rows of a column tile: those that are left stand one above the other in fewer arrays. Without converters.
        Rows = "rows",
        /// One of both, whichever leaves a layer fewer arrays. Without converters.
        Smaller = "smaller",
    }
}

choices! {
    /// How signed codes become cells.
    pub enum CellEncoding {
        /// Two cells, whose difference counts.
        Differential = "differential",
        /// One cell holds the code plus `2^(bits - 1)`, which is subtracted afterwards.
        Offset = "offset",
    }
}

choices! {
    /// Where the difference of two differential cells is made.
    pub enum Subtraction {
        /// Before the converter, which sees the difference of the currents.
        Analog = "analog",
        /// After two converters.
        Digital = "digital",
    }
}

choices! {
    /// How the currents through the wires are found.
    pub enum WireMethod {
        /// Direct solution of the mesh.
        Exact = "exact",
        /// An iteration of [`Wires::sweeps`] sweeps.
        Fast = "fast",
    }
}

section! {
    /// Section `[chip]`: the hardware of `fidelity = "cell"`; at `fidelity = "weight"` it has no effect.
    /// docs/cells.md has the equations.
    ///
    /// Between-chip and within-chip variation, their law and their distribution come from
    /// `[variation]` as at weight level, and act on conductances; `variation.mapping`, `on_off_ratio`,
    /// `offset_reference` and `reference_copies` are of the weight level, `[chip.cells]` says it here.
    pub struct Chip {
        /// Chip from the literature (`pimento presets`), whose values of `[chip]` and `[variation]`
        /// are the defaults.
        preset: Option<&'static str> = None, preset::Name;
        /// Size of the arrays.
        array: ArraySize => Table;
        /// From codes to conductances.
        cells: Cells => Table;
        /// How cells deviate after programming.
        programming: CellProgramming => Table;
        /// How conductances change with time.
        drift: CellDrift => Table;
        /// Resistance of the wires.
        wires: Wires => Table;
        /// Noise of a read.
        read: ReadNoise => Table;
        /// How inputs are driven.
        dac: Dac => Table;
        /// How outputs are converted.
        adc: Adc => Table;
    }
}

section! {
    /// Section `[chip.array]`: how large the arrays are. The defaults are rows and columns of ISAAC
    /// (Shafiee et al., ISCA 2016), a common size since.
    pub struct ArraySize {
        /// Most rows (inputs) of an array.
        rows: usize = 128, LINES;
        /// Most columns of an array.
        cols: usize = 128, LINES;
        /// How a larger matrix is cut.
        split: Split = Split::Even;
        /// Order of the columns of a trained layer in its arrays (docs/cells.md 1). Training sees them in the layer's
        /// own order.
        [quiet] rearrange: Rearrange = Rearrange::No;
        /// What a trained layer leaves out of its arrays (docs/cells.md 1). Training sees all.
        [quiet] compact: Compact = Compact::No;
    }
}

impl ArraySize {
    /// Whether a trained layer lies in its arrays otherwise than its matrix.
    pub fn lays_out(&self) -> bool {
        (self.rearrange, self.compact) != (Rearrange::No, Compact::No)
    }
}

/// Bits of the slices of a weight.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum SliceBits {
    /// As many slices of so many bits as the code needs, the top one with what is left.
    Each(u32),
    /// These, least significant first; the top one may have more bits than the code needs.
    List(Vec<u8>),
}

impl SliceBits {
    /// The slices for a code that needs so many bits (at least 1).
    pub fn of(&self, needed: u32) -> Vec<u8> {
        match self {
            SliceBits::Each(bits) => {
                let starts = (0..needed).step_by(*bits as usize);
                starts.map(|s| (*bits).min(needed - s) as u8).collect()
            }
            SliceBits::List(list) => list.clone(),
        }
    }
}

impl Rule<SliceBits> for Any {
    fn read(&self, value: &DeValue) -> Read<SliceBits> {
        match value.as_array() {
            Some(_) => SLICES.read(value).map(SliceBits::List),
            None => SLICE.read(value).map(SliceBits::Each),
        }
    }

    fn allowed(&self) -> Allowed {
        let (each, list) = (
            Rule::<u32>::allowed(&SLICE),
            Rule::<Vec<u8>>::allowed(&SLICES),
        );
        either(&each, &list)
    }
}

section! {
    /// Section `[chip.cells]`: from codes to conductances.
    pub struct Cells {
        /// Bits of a cell: a number, or a list with one for every slice, least significant first.
        slice_bits: SliceBits = SliceBits::Each(8), Any, "bits";
        /// Slices of every place value: slices of equal significance, which share what one slice would hold. The
        /// weight is their mean. With `slice_bits` of all bits that a code needs all slices of a weight are equal. By digits they
        /// are copies, by `fill` "max-fill" one is full before the next holds anything (docs/cells.md 1).
        [quiet] equal_slices: u32 = 1, 1..=16;
        /// How signed codes become cells.
        encoding: CellEncoding = CellEncoding::Differential;
        /// With differential cells: both move around mid-range instead of one from the lowest conductance.
        two_sided: bool = false;
        /// Which part of a weight every slice holds. Other rules than "digits" are for differential cells that
        /// do not both move, with equal steps, without self-tuning (docs/cells.md 1).
        [quiet] fill: Fill = Fill::Digits;
        /// With differential cells: where the difference is made.
        subtraction: Subtraction = Subtraction::Analog;
        /// With an offset: cells per row averaged in a real reference column of every array that is
        /// subtracted before the converter; 0: the offset is subtracted digitally.
        reference: u32 = 0, 0..=1_024, "cells";
        /// `G_max/G_min`, above 1 by so much that neighbouring levels are different numbers.
        on_off_ratio: f64 = f64::INFINITY, Above(1.0);
        /// Largest conductance, with which wires are compared.
        g_max_us: f64 = 100.0, 1e-6..=1e6, "uS";
        /// Conductance of every digit, digit 0 first, instead of equal steps: a non-uniform level table,
        /// or the conductances that a selector leaves of equal steps at the read voltage. All slices must
        /// have as many bits. Empty: equal steps.
        levels: Vec<f64> = Vec::new(), List { each: SHARE, length: 0..=256 }, "G_max";
        /// A table of measured cells, as `pimento fit` reads it, from which cells are drawn instead of deviating by a law: at a
        /// measured target a cell is one of those that were measured, between two at the same quantile of both. A cell's value
        /// is the mean of its reads at its first time. Together with `variation.sigma_w` 0 and without
        /// `chip.programming.sigma`; what cells share is added as ever.
        [quiet] sampled: Option<PathBuf> = None, Relative;
        /// The file's SHA-256: noted when the experiment is read, or what it must be.
        [quiet] sampled_sha256: Option<String> = None, Maybe(Sha);
        /// How the simulation keeps what is read: conductances in level units (of a pair that is subtracted
        /// before its converter, the difference), after programming, drift and wires. Halves (IEEE 754
        /// binary16, to the nearest, ties to even; beyond 65504, 65504) are off by at most 2^-11 of a value,
        /// far below the deviations of programming, and take half the memory and traffic: about twice as many
        /// chips fit a wave. Variances of read noise stay floats; digits that are counted are exact either
        /// way.
        [quiet] storage: Storage = Storage::F32;
    }
}

impl Cells {
    /// Bits that the slices must hold for codes of `weight_bits` bits.
    pub fn needed(&self, weight_bits: u32) -> u32 {
        match self.encoding {
            CellEncoding::Differential => weight_bits.saturating_sub(1).max(1),
            CellEncoding::Offset => weight_bits.max(2),
        }
    }

    /// Bits of every slice; those of equal place value follow each other.
    pub fn slices(&self, weight_bits: u32) -> Vec<u8> {
        let places = self.slice_bits.of(self.needed(weight_bits)).into_iter();
        let equal = self.equal_slices as usize;
        places
            .flat_map(|bits| std::iter::repeat_n(bits, equal))
            .collect()
    }

    /// Bits that the slices hold, those of equal place value counted once.
    pub fn bits(&self, weight_bits: u32) -> u32 {
        let places = self.slice_bits.of(self.needed(weight_bits)).into_iter();
        places.map(u32::from).sum()
    }

    /// Smallest conductance relative to the largest.
    pub fn g_min(&self) -> f64 {
        1.0 / self.on_off_ratio
    }
}

section! {
    /// Section `[chip.programming]`: effects on the cells in the order they are applied.
    pub struct CellProgramming {
        /// Standard deviation of a cell by its target conductance, gaussian, instead of
        /// `variation.sigma_w`.
        sigma: Option<Curve> = None, OrNone, "G_max";
        /// Probability that a cell is stuck at `G_min`.
        stuck_off: f64 = 0.0, SHARE;
        /// Probability that a cell is stuck at `G_max`.
        stuck_on: f64 = 0.0, SHARE;
        /// Probability that a row of an array is open: its cells conduct nothing.
        open_rows: f64 = 0.0, SHARE;
        /// Probability that a column of an array is open.
        open_cols: f64 = 0.0, SHARE;
        /// Largest conductance that a cell reaches.
        clip: f64 = f64::INFINITY, Above(0.0), "G_max";
        /// A conductance is not below 0. With it, deviations of cells near 0 have a mean, and deviations
        /// that cancel in a difference cancel only where no cell is limited.
        non_negative: bool = true;
    }
}

section! {
    /// Section `[chip.drift]`: `G(t) = G (t/t0)^-nu`, `nu = max(nu(g) + sigma_nu(g) z, 0)` drawn for
    /// every cell from its conductance `g` at `t0`. Test cells drift like all others, so self-tuning
    /// (`[tuning]`) is also the global drift compensation. Under the proportional law it divides by the
    /// drift that they show, under the fixed one, where a reading does not tell a factor from an offset, by
    /// the mean drift of cells at `G_max`.
    pub struct CellDrift {
        /// Time since programming; up to `t0_s` nothing has drifted. Also the age of 1/f noise.
        time_s: f64 = 0.0, SECONDS, "s";
        /// When the conductances are as programmed.
        t0_s: f64 = 20.0, 1e-9..=1e10, "s";
        /// Mean exponent by conductance.
        nu: Curve = Curve::Constant(0.0);
        /// Standard deviation of the exponent by conductance.
        sigma_nu: Curve = Curve::Constant(0.0);
    }
}

section! {
    /// Section `[chip.wires]`: resistance between neighbouring cells.
    pub struct Wires {
        /// A segment of an input or supply line.
        row_ohm: f64 = 0.0, OHM, "ohm";
        /// A segment of an output line.
        col_ohm: f64 = 0.0, OHM, "ohm";
        /// Added at the driver of every row.
        row_terminal_ohm: f64 = 0.0, OHM, "ohm";
        /// Added at the sense end of every column.
        col_terminal_ohm: f64 = 0.0, OHM, "ohm";
        /// Which line carries the cells' current.
        topology: Topology = Topology::InputSource;
        /// How the currents are found.
        method: WireMethod = WireMethod::Exact;
        /// Sweeps of the fast method: each solves all output lines, then all input lines; each
        /// gains two digits and more where wires cost some percent (docs/cells.md).
        sweeps: u32 = 2, 1..=1_000;
        /// Separate source: how many inputs are on, as a share, when the currents are found. The
        /// mesh is not linear in gates: other inputs see this approximation.
        activity: f64 = 0.5, SHARE;
    }
}

impl Wires {
    /// Whether any wire resists.
    pub fn resist(&self) -> bool {
        let all = [
            self.row_ohm,
            self.col_ohm,
            self.row_terminal_ohm,
            self.col_terminal_ohm,
        ];
        all.iter().any(|r| *r > 0.0)
    }
}

section! {
    /// Section `[chip.read]`: noise of a cell at every read; the parts are independent. With wires that
    /// resist it is the noise on ideal lines (docs/cells.md 5).
    pub struct ReadNoise {
        /// Standard deviation relative to the cell's own conductance.
        proportional: f64 = 0.0, SIGMA;
        /// Standard deviation relative to the range of conductances.
        fixed: f64 = 0.0, SIGMA, "G_max - G_min";
        /// Standard deviation by conductance at the read.
        sigma: Option<Curve> = None, OrNone, "G_max";
        /// 1/f noise: `Q(g)` by the conductance as programmed, before drift; the standard deviation
        /// relative to the cell's conductance at the read is `Q sqrt(ln((t + t_read)/(2 t_read)))`, `t =
        /// chip.drift.time_s`.
        one_over_f: Option<Curve> = None, OrNone;
        /// Duration of a read, of the 1/f noise; by default that of Nandakumar et al., ICECS 2019.
        t_read_s: f64 = 250e-9, 1e-12..=1e3, "s";
        /// One number for every cell and conversion instead of one for every conversion: the same in
        /// law, slower by the number of rows; for checks.
        per_cell: bool = false;
    }
}

/// Allowed sizes of an array.
const LINES: RangeInclusive<usize> = 1..=65_536;
/// Bits of a slice.
const SLICE: RangeInclusive<u32> = 1..=8;
/// Bits of the slices of a weight.
const SLICES: List<RangeInclusive<u8>> = List {
    each: 1..=8,
    length: 1..=16,
};
/// Allowed resistances, ohm.
const OHM: RangeInclusive<f64> = 0.0..=1e9;
/// A probability.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// Allowed times, s: up to 300 years.
const SECONDS: RangeInclusive<f64> = 0.0..=1e10;
