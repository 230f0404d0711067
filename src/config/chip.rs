//! What the chip is made of, for `fidelity = "cell"`: arrays, cells, wires and converters.

mod converter;
mod curve;
pub(super) mod preset;
#[cfg(test)]
mod tests;

pub use converter::{Accumulate, Adc, AdcCodes, AdcGroup, AdcMethod, AdcRange, Dac};
pub use curve::Curve;
pub use preset::PRESETS;

use super::reader::{self, Section};
use crate::choice::choices;
use crate::program::{Storage, Topology};

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
        /// So many sweeps of an iteration, see [`Wires::sweeps`].
        Fast = "fast",
    }
}

/// Section `[chip]`: the hardware of `fidelity = "cell"`; at `fidelity = "weight"` it has no effect.
/// docs/cells.md has the equations.
///
/// Between-chip and within-chip variation, their law and their distribution come from
/// `[variation]` as at weight level, and act on conductances; `variation.mapping`, `on_off_ratio`,
/// `offset_reference` and `reference_copies` are of the weight level, [`Cells`] says it here.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Chip {
    /// Name of a file of assets/presets, whose values (of `[chip]` and `[variation]`) are the
    /// defaults; none: those of the sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<&'static str>,
    /// Size of the arrays.
    pub array: ArraySize,
    /// From codes to conductances.
    pub cells: Cells,
    /// What programming makes of them.
    pub programming: CellProgramming,
    /// What time makes of them.
    pub drift: CellDrift,
    /// What the wires make of them.
    pub wires: Wires,
    /// Noise of a read.
    pub read: ReadNoise,
    /// How inputs are driven.
    pub dac: Dac,
    /// How outputs are converted.
    pub adc: Adc,
}

/// Section `[chip.array]`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ArraySize {
    /// Most rows (inputs) of an array. 128.
    pub rows: usize,
    /// Most columns of an array. 128.
    pub cols: usize,
    /// How a larger matrix is cut.
    pub split: Split,
}

impl Default for ArraySize {
    fn default() -> Self {
        // Rows and columns of ISAAC (Shafiee et al., ISCA 2016), a common size since.
        Self {
            rows: 128,
            cols: 128,
            split: Split::Even,
        }
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

/// Section `[chip.cells]`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Cells {
    /// Bits of a cell: a number, or a list with one for every slice, least significant first; 1
    /// to 8. 8: one slice.
    pub slice_bits: SliceBits,
    /// How signed codes become cells. Differential.
    pub encoding: CellEncoding,
    /// Differential: both cells move around mid-range instead of one from the lowest conductance.
    pub two_sided: bool,
    /// Differential: where the difference is made. Analog.
    pub subtraction: Subtraction,
    /// Offset: cells per row averaged in a real reference column of every array that is subtracted
    /// before the converter; 0: the offset is subtracted digitally.
    pub reference: u32,
    /// `G_max/G_min`, above 1 by so much that neighbouring levels are different numbers. Infinite.
    #[serde(serialize_with = "super::serialize_infinite")]
    pub on_off_ratio: f64,
    /// Largest conductance, microsiemens: what wires are compared with. 100.
    pub g_max_us: f64,
    /// Conductance of every digit, relative to `G_max`, digit 0 first, instead of equal steps: a
    /// non-uniform level table, or what a selector makes of equal steps at the read voltage. All
    /// slices must have as many bits. Empty: equal steps.
    pub levels: Vec<f64>,
    /// How the simulation keeps what is read: conductances in level units (of a pair that is subtracted
    /// before its converter, the difference), after programming, drift and wires. Halves (IEEE 754
    /// binary16, to the nearest, ties to even; beyond 65504, 65504) are off by at most 2^-11 of a value,
    /// far below what programming does, and take half the memory and traffic: about twice as many
    /// chips fit a wave. Variances of read noise stay floats; digits that are counted are exact either
    /// way. f32.
    #[serde(skip_serializing_if = "is_f32")]
    pub storage: Storage,
}

// An option that came later is left out of results where it does nothing.
fn is_f32(storage: &Storage) -> bool {
    *storage == Storage::F32
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            slice_bits: SliceBits::Each(8),
            encoding: CellEncoding::Differential,
            two_sided: false,
            subtraction: Subtraction::Analog,
            reference: 0,
            on_off_ratio: f64::INFINITY,
            g_max_us: 100.0,
            levels: Vec::new(),
            storage: Storage::F32,
        }
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

    /// Bits of every slice.
    pub fn slices(&self, weight_bits: u32) -> Vec<u8> {
        self.slice_bits.of(self.needed(weight_bits))
    }

    /// Smallest conductance relative to the largest.
    pub fn g_min(&self) -> f64 {
        1.0 / self.on_off_ratio
    }
}

/// Section `[chip.programming]`: effects on the cells in the order they are applied.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CellProgramming {
    /// Standard deviation of a cell by its target conductance, both relative to `G_max`, gaussian,
    /// instead of `variation.sigma_w`. None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<Curve>,
    /// Probability that a cell is stuck at `G_min`.
    pub stuck_off: f64,
    /// Probability that a cell is stuck at `G_max`.
    pub stuck_on: f64,
    /// Probability that a row of an array is open: its cells conduct nothing.
    pub open_rows: f64,
    /// Probability that a column of an array is open.
    pub open_cols: f64,
    /// Largest conductance a cell reaches, relative to `G_max`. Infinite.
    #[serde(serialize_with = "super::serialize_infinite")]
    pub clip: f64,
    /// A conductance is not below 0. With it, deviations of cells near 0 have a mean, and what
    /// cancels in a difference cancels only where no cell is limited. True.
    pub non_negative: bool,
}

impl Default for CellProgramming {
    fn default() -> Self {
        Self {
            sigma: None,
            stuck_off: 0.0,
            stuck_on: 0.0,
            open_rows: 0.0,
            open_cols: 0.0,
            clip: f64::INFINITY,
            non_negative: true,
        }
    }
}

/// Section `[chip.drift]`: `G(t) = G (t/t0)^-nu`, `nu = max(nu(g) + sigma_nu(g) z, 0)` drawn for
/// every cell from its conductance `g` at `t0`. Test cells drift like all others, so self-tuning
/// (`[tuning]`) is also the global drift compensation. Under the proportional law it divides by the
/// drift that they show, under the fixed one, where a reading does not tell a factor from an offset, by
/// the mean drift of cells at `G_max`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CellDrift {
    /// Time since programming, s; up to `t0_s` nothing has drifted. Also the age of 1/f noise.
    pub time_s: f64,
    /// When the conductances are what programming made them, s. 20.
    pub t0_s: f64,
    /// Mean exponent by conductance (relative to `G_max`).
    pub nu: Curve,
    /// Standard deviation of the exponent by conductance.
    pub sigma_nu: Curve,
}

impl Default for CellDrift {
    fn default() -> Self {
        Self {
            time_s: 0.0,
            t0_s: 20.0,
            nu: Curve::Constant(0.0),
            sigma_nu: Curve::Constant(0.0),
        }
    }
}

/// Section `[chip.wires]`: resistance between neighbouring cells.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Wires {
    /// A segment of an input or supply line, ohm.
    pub row_ohm: f64,
    /// A segment of an output line, ohm.
    pub col_ohm: f64,
    /// Added at the driver of every row, ohm.
    pub row_terminal_ohm: f64,
    /// Added at the sense end of every column, ohm.
    pub col_terminal_ohm: f64,
    /// Which line carries the cells' current.
    pub topology: Topology,
    /// How the currents are found. Exact.
    pub method: WireMethod,
    /// Sweeps of the fast method: each solves all output lines, then all input lines; each
    /// gains two digits and more where wires cost some percent (docs/cells.md). 2.
    pub sweeps: u32,
    /// Separate source: how many inputs are on, as a share, when the currents are found. The
    /// mesh is not linear in gates: other inputs see this approximation. 0.5.
    pub activity: f64,
}

impl Default for Wires {
    fn default() -> Self {
        Self {
            row_ohm: 0.0,
            col_ohm: 0.0,
            row_terminal_ohm: 0.0,
            col_terminal_ohm: 0.0,
            topology: Topology::InputSource,
            method: WireMethod::Exact,
            sweeps: 2,
            activity: 0.5,
        }
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

/// Section `[chip.read]`: noise of a cell at every read; the parts are independent. With wires that
/// resist it is the noise on ideal lines (docs/cells.md 5).
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ReadNoise {
    /// Standard deviation relative to the cell's own conductance.
    pub proportional: f64,
    /// Standard deviation relative to `G_max - G_min`.
    pub fixed: f64,
    /// Standard deviation by conductance at the read, both relative to `G_max`. None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<Curve>,
    /// 1/f noise: `Q(g)` by the conductance as programmed, before drift; the standard deviation
    /// relative to the cell's conductance at the read is `Q sqrt(ln((t + t_read)/(2 t_read)))`, `t =
    /// chip.drift.time_s`. None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_over_f: Option<Curve>,
    /// Duration of a read, s, of the 1/f noise. 250 ns (Nandakumar et al., ICECS 2019).
    pub t_read_s: f64,
    /// One number for every cell and conversion instead of one for every conversion: the same in
    /// law, slower by the number of rows; for checks.
    pub per_cell: bool,
}

impl Default for ReadNoise {
    fn default() -> Self {
        Self {
            proportional: 0.0,
            fixed: 0.0,
            sigma: None,
            one_over_f: None,
            t_read_s: 250e-9,
            per_cell: false,
        }
    }
}

/// Allowed sizes of an array.
const LINES: std::ops::RangeInclusive<usize> = 1..=65_536;
/// Allowed resistances, ohm.
const OHM: std::ops::RangeInclusive<f64> = 0.0..=1e9;
/// A probability.
const SHARE: std::ops::RangeInclusive<f64> = 0.0..=1.0;
/// Allowed relative standard deviations.
const SIGMA: std::ops::RangeInclusive<f64> = super::variation::SIGMA;
/// Allowed times, s: up to 300 years.
const SECONDS: std::ops::RangeInclusive<f64> = 0.0..=1e10;

impl Chip {
    /// Whether nothing was asked for.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the section; absent fields are those of `d`.
    pub(super) fn read(mut s: Section, d: Self) -> Self {
        let chip = Self {
            preset: d.preset,
            array: ArraySize::read(s.section("array"), d.array),
            cells: Cells::read(s.section("cells"), d.cells),
            programming: CellProgramming::read(s.section("programming"), d.programming),
            drift: CellDrift::read(s.section("drift"), d.drift),
            wires: Wires::read(s.section("wires"), d.wires),
            read: ReadNoise::read(s.section("read"), d.read),
            dac: Dac::read(s.section("dac"), d.dac),
            adc: Adc::read(s.section("adc"), d.adc),
        };
        s.finish();
        chip
    }
}

impl ArraySize {
    fn read(mut s: Section, d: Self) -> Self {
        let size = Self {
            rows: s.count("rows", d.rows, LINES),
            cols: s.count("cols", d.cols, LINES),
            split: s.choice("split", d.split),
        };
        s.finish();
        size
    }
}

impl Cells {
    fn read(mut s: Section, d: Self) -> Self {
        let cells = Self {
            slice_bits: s.field("slice_bits", d.slice_bits, |v| match v.as_array() {
                Some(_) => reader::counts(v, &(1..=8), &(1..=16))
                    .map(|list| SliceBits::List(list.into_iter().map(|b| b as u8).collect())),
                None => reader::integer(v, &(1..=8)).map(|b| SliceBits::Each(b as u32)),
            }),
            encoding: s.choice("encoding", d.encoding),
            two_sided: s.bool("two_sided", d.two_sided),
            subtraction: s.choice("subtraction", d.subtraction),
            reference: s.u32("reference", d.reference, 0..=1_024),
            on_off_ratio: s.real_above("on_off_ratio", d.on_off_ratio, 1.0),
            g_max_us: s.real("g_max_us", d.g_max_us, 1e-6..=1e6),
            storage: s.choice("storage", d.storage),
            levels: s.field("levels", d.levels, |v| reader::reals(v, &SHARE, &(0..=256))),
        };
        s.finish();
        cells
    }
}

impl CellProgramming {
    fn read(mut s: Section, d: Self) -> Self {
        let programming = Self {
            sigma: s.field("sigma", d.sigma, Curve::read_optional),
            stuck_off: s.real("stuck_off", d.stuck_off, SHARE),
            stuck_on: s.real("stuck_on", d.stuck_on, SHARE),
            open_rows: s.real("open_rows", d.open_rows, SHARE),
            open_cols: s.real("open_cols", d.open_cols, SHARE),
            clip: s.real_above("clip", d.clip, 0.0),
            non_negative: s.bool("non_negative", d.non_negative),
        };
        s.finish();
        programming
    }
}

impl CellDrift {
    fn read(mut s: Section, d: Self) -> Self {
        let drift = Self {
            time_s: s.real("time_s", d.time_s, SECONDS),
            t0_s: s.real("t0_s", d.t0_s, 1e-9..=1e10),
            nu: s.field("nu", d.nu, Curve::read),
            sigma_nu: s.field("sigma_nu", d.sigma_nu, Curve::read),
        };
        s.finish();
        drift
    }
}

impl Wires {
    fn read(mut s: Section, d: Self) -> Self {
        let wires = Self {
            row_ohm: s.real("row_ohm", d.row_ohm, OHM),
            col_ohm: s.real("col_ohm", d.col_ohm, OHM),
            row_terminal_ohm: s.real("row_terminal_ohm", d.row_terminal_ohm, OHM),
            col_terminal_ohm: s.real("col_terminal_ohm", d.col_terminal_ohm, OHM),
            topology: s.choice("topology", d.topology),
            method: s.choice("method", d.method),
            sweeps: s.u32("sweeps", d.sweeps, 1..=1_000),
            activity: s.real("activity", d.activity, SHARE),
        };
        s.finish();
        wires
    }
}

impl ReadNoise {
    fn read(mut s: Section, d: Self) -> Self {
        let noise = Self {
            proportional: s.real("proportional", d.proportional, SIGMA),
            fixed: s.real("fixed", d.fixed, SIGMA),
            sigma: s.field("sigma", d.sigma, Curve::read_optional),
            one_over_f: s.field("one_over_f", d.one_over_f, Curve::read_optional),
            t_read_s: s.real("t_read_s", d.t_read_s, 1e-12..=1e3),
            per_cell: s.bool("per_cell", d.per_cell),
        };
        s.finish();
        noise
    }
}
