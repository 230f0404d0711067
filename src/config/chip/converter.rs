//! Section `[chip.dac]` and `[chip.adc]`: from codes to drives and from currents to codes.

use super::SHARE;
use crate::choice::choices;
use crate::config::reader::{self, Section};
use crate::program::InputSigns;

choices! {
    /// Where the steps of an input are added up.
    pub enum Accumulate {
        /// After a conversion for every step.
        Digital = "digital",
        /// Before one conversion, weighted by place.
        Analog = "analog",
    }
}

/// Section `[chip.dac]`: how inputs are driven.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Dac {
    /// Input bits per step, at most those the input has: 1 is bit-serial, 8 one step. 1.
    pub bits: u32,
    /// Codes of signed inputs. Sign and magnitude.
    pub signs: InputSigns,
    /// Drive of every digit in units of one level, digit 0 first: the converter's non-linearity.
    /// `2^bits` values; empty: linear.
    pub table: Vec<f64>,
    /// Where the steps are added up. Digital.
    pub accumulate: Accumulate,
}

impl Default for Dac {
    fn default() -> Self {
        Self {
            bits: 1,
            signs: InputSigns::SignMagnitude,
            table: Vec::new(),
            accumulate: Accumulate::Digital,
        }
    }
}

choices! {
    /// Codes of the converter.
    pub enum AdcCodes {
        /// `-(2^(bits-1) - 1) ..= 2^(bits-1) - 1`, symmetric around zero.
        SignMagnitude = "sign-magnitude",
        /// `0 ..= 2^bits - 1` from one end of the range to the other.
        Uniform = "uniform",
    }
}

choices! {
    /// Where the range of the converter comes from.
    pub enum AdcRange {
        /// The largest sum that the array's nominal cells can give. One code is one level, or the
        /// smallest power of two of a level with which nothing clips; where the bits do not
        /// suffice for a level, the span over the codes.
        Full = "full",
        /// One code is one level, whatever clips.
        Granular = "granular",
        /// [`Adc::limit`].
        Fixed = "fixed",
        /// From the sums that training images give on a chip without deviations.
        Calibrated = "calibrated",
    }
}

choices! {
    /// How a calibrated range is chosen from the histogram of sums.
    pub enum AdcMethod {
        /// So that [`Adc::percentile`] percent of the sums lie inside.
        Percentile = "percentile",
        /// The percentile, then rounded up to a power of two fraction of what as many fully
        /// conducting cells as the layer has rows would give (the rule of CrossSim's bit-sliced
        /// example).
        PowerOfTwo = "power-of-two",
        /// Least squared error of the converted sums.
        Mse = "mse",
    }
}

choices! {
    /// What shares a calibrated range.
    pub enum AdcGroup {
        /// All converters of a layer.
        Layer = "layer",
        /// Those of a slice (and polarity, with digital subtraction).
        Slice = "slice",
        /// Those of a column of a slice.
        Column = "column",
    }
}

/// Section `[chip.adc]`: how the sum of a column is converted.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Adc {
    /// Bits, 1 to 14; 0: no converter, sums are exact. 8.
    pub bits: u32,
    /// Codes. Sign and magnitude.
    pub codes: AdcCodes,
    /// Where the range comes from. Full.
    pub range: AdcRange,
    /// [`AdcRange::Fixed`]: the largest sum that does not clip, in fully conducting cells
    /// (`G_max` at one level of drive); a number, or a list with one for every slice.
    pub limit: Vec<f64>,
    /// [`AdcRange::Calibrated`]: how it is chosen. Percentile.
    pub method: AdcMethod,
    /// Percentile of the magnitudes. 99.99 (CrossSim's).
    pub percentile: f64,
    /// What shares a range. Slice.
    pub per: AdcGroup,
    /// All layers have the largest of their ranges, in current: one reference for the whole chip.
    pub shared: bool,
    /// Training images that a calibration looks at. 100.
    pub calibration_images: usize,
    /// Standard deviation of a converter's relative gain error, which leaves code 0 where it is.
    pub gain_error: f64,
    /// Standard deviation of a converter's offset, codes.
    pub offset_error: f64,
    /// Standard deviation of the thermal noise of a conversion, codes.
    pub noise: f64,
    /// Integral non-linearity, codes, one value per code from the lowest on; empty: none.
    pub inl: Vec<f64>,
    /// Neighbouring columns of an array that share a converter, and so its errors; with what is left
    /// over an array's last converter has less. 1.
    pub sharing: usize,
    /// Count the conversions beyond the range.
    pub count_clips: bool,
}

impl Default for Adc {
    fn default() -> Self {
        Self {
            bits: 8,
            codes: AdcCodes::SignMagnitude,
            range: AdcRange::Full,
            limit: Vec::new(),
            method: AdcMethod::Percentile,
            percentile: 99.99,
            per: AdcGroup::Slice,
            shared: false,
            calibration_images: 100,
            gain_error: 0.0,
            offset_error: 0.0,
            noise: 0.0,
            inl: Vec::new(),
            sharing: 1,
            count_clips: false,
        }
    }
}

impl Adc {
    /// Lowest and highest code.
    pub fn code_range(&self) -> (i32, i32) {
        match self.codes {
            AdcCodes::Uniform => (0, (1 << self.bits) - 1),
            AdcCodes::SignMagnitude => {
                let top = (1 << self.bits.saturating_sub(1)) - 1;
                (-top, top)
            }
        }
    }
}

/// Limits of converters, in cells. The smallest one keeps the constants of a conversion finite.
const LIMIT: std::ops::RangeInclusive<f64> = 1e-6..=1e9;

impl Dac {
    pub(super) fn read(mut s: Section, d: Self) -> Self {
        let dac = Self {
            bits: s.u32("bits", d.bits, 1..=8),
            signs: s.choice("signs", d.signs),
            table: s.field("table", d.table, |v| {
                reader::reals(v, &(0.0..=1e4), &(0..=256))
            }),
            accumulate: s.choice("accumulate", d.accumulate),
        };
        s.finish();
        dac
    }
}

impl Adc {
    pub(super) fn read(mut s: Section, d: Self) -> Self {
        let adc = Self {
            bits: s.u32("bits", d.bits, 0..=14),
            codes: s.choice("codes", d.codes),
            range: s.choice("range", d.range),
            limit: s.field("limit", d.limit, |v| match v.as_array() {
                Some(_) => reader::reals(v, &LIMIT, &(0..=16)),
                None => reader::real(v, &LIMIT).map(|x| vec![x]),
            }),
            method: s.choice("method", d.method),
            percentile: s.real("percentile", d.percentile, 50.0..=100.0),
            per: s.choice("per", d.per),
            shared: s.bool("shared", d.shared),
            calibration_images: s.count("calibration_images", d.calibration_images, 1..=1_000_000),
            gain_error: s.real("gain_error", d.gain_error, SHARE),
            offset_error: s.real("offset_error", d.offset_error, 0.0..=16_384.0),
            noise: s.real("noise", d.noise, 0.0..=16_384.0),
            inl: s.field("inl", d.inl, |v| {
                reader::reals(v, &(-16_384.0..=16_384.0), &(0..=16_384))
            }),
            sharing: s.count("sharing", d.sharing, 1..=65_536),
            count_clips: s.bool("count_clips", d.count_clips),
        };
        s.finish();
        adc
    }
}
