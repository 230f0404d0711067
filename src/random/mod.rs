//! Counter-based random numbers, the host twin of `shaders/shared/random.wgsl` and
//! `shaders/shared/normal.wgsl`.
//!
//! Key = the experiment's seed; counter = `(address / 4, layer, chip, purpose)`; word
//! `address % 4` of the Philox4x32-10 block is the number. Nothing else enters, so a chip is a
//! pure function of (seed, chip index). What is drawn again and again (for every image; a second
//! time for the same cell) has a repeat in the upper bits of the layer word ([`repeated`]).
//!
//! * [`philox`]: the generator, pinned by the published known-answer vectors.
//! * [`normal()`], [`truncated`], [`lognormal`], [`uniform`]: one word to one deviate.
//! * [`Reach`]: how many of everything have addresses, and the refusal of more.
//! * [`Stream`]: the numbers of one purpose, layer and chip by address, one or many at a time, or of
//!   [`IMAGES`] images at once.
//!
//! # Examples
//! ```
//! use pimento::random::{Purpose, Stream};
//!
//! let stream = Stream::new(1, Purpose::Cell, 0, 2, 7);
//! let mut four = [0.0; 4];
//! stream.fill_normals(8, &mut four);
//! // Every number has an address of its own.
//! assert_eq!(four[1], stream.normal(9));
//! ```

mod images;
mod normal;
pub mod philox;
mod reach;
mod stream;

pub use images::IMAGES;
pub use normal::{
    NORMAL_TOLERANCE, lognormal, lognormal_shape, normal, squeeze, truncated, uniform,
};
pub use reach::{ABOVE, Reach, product, repeated};
pub use stream::{Stream, StreamRng};

/// What a random number is for: the last word of the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Between-chip deviation (address 0 of layer 0).
    ChipCommon = 1,
    /// The cell of a weight; the positive cell of a differential pair.
    Cell = 2,
    /// The negative cell of a differential pair.
    CellNegative = 3,
    /// Cells of an offset mapping's reference column, address `copy*rows + row`.
    OffsetReference = 4,
    /// Cells of self-tuning reference columns, address `j*rows + row`.
    ReferenceColumn = 5,
    /// The negative cells of differential self-tuning reference columns.
    ReferenceColumnNegative = 6,
    /// Test cells of the global tuning module, address = cell.
    TestCell = 7,
    /// Read noise of the test cells.
    TestRead = 8,
    /// Wafer common part (chip word = wafer index).
    Wafer = 9,
    /// Modes of the Gaussian random field over the wafer.
    Field = 10,
    /// Per-layer part of the deviation.
    Layer = 11,
    /// Weight initialisation (chip word = 0).
    Init = 12,
    /// Shuffling of the training set (chip word = epoch).
    Shuffle = 13,
    /// Data augmentation (chip word = epoch).
    Augment = 14,
    /// Programming error of a cell (cell level).
    CellProgram = 15,
    /// Whether a cell is stuck.
    CellStuck = 16,
    /// Drift exponent of a cell.
    CellDrift = 17,
    /// Whether a row of an array is open.
    OpenRow = 18,
    /// Whether a column of an array is open.
    OpenColumn = 19,
    /// An array's own part of the deviation (address = array).
    Array = 20,
    /// Gain of a converter.
    AdcGain = 21,
    /// Offset of a converter.
    AdcOffset = 22,
    /// Read noise of a whole conversion, with the converter's where there are both.
    ReadNoise = 23,
    /// Read noise of a cell at a conversion.
    ReadCell = 24,
    /// Thermal noise of a conversion without such read noise.
    AdcNoise = 25,
    /// Latin hypercube of a sweep (layer word = axis).
    Design = 26,
    /// Scrambling of stratified between-chip deviations (chip word = replicate).
    Scrambling = 27,
    /// Starts of a search for the worst chip (chip word = restart).
    Attack = 28,
    /// Chips with uniform deviations within a bound, to compare the worst with.
    BoundedChip = 29,
    /// Bits of the converters of a training pass (chip word = its first chip).
    ConverterBits = 30,
    /// Which inputs of a layer its signal-to-noise ratio is measured with (chip word = 0, address = vector).
    Vectors = 31,
    /// Which of the measured cells a cell is (cell level).
    CellSample = 32,
}

/// Or-ed into the purpose for the chips that training fabricates, so that they are never the
/// chips of the sweep.
pub const TRAINING: u32 = 0x100;

/// Or-ed into the purpose for the cells of self-tuning reference columns at cell level.
pub const REFERENCE: u32 = 0x200;

/// Or-ed into the purpose for the cells of the offset encoding's reference columns at cell level.
pub const OFFSET_REFERENCE: u32 = 0x400;

/// Or-ed into the purpose for what is read while batch norm is recalibrated, so that calibration images do
/// not share the noise of the test images.
pub const RECALIBRATION: u32 = 0x800;

#[cfg(test)]
mod tests;
