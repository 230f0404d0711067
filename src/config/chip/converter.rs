//! Section `[chip.dac]` and `[chip.adc]`: from codes to drives and from currents to codes.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::SHARE;
use crate::choice::choices;
use crate::config::rule::{Allowed, Any, List, OneOr, Read, Rule, either};
use crate::config::section::section;
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

section! {
    /// Section `[chip.dac]`: how inputs are driven.
    pub struct Dac {
        /// Input bits per step, at most those the input has: 1 is bit-serial, 8 one step.
        bits: u32 = 1, 1..=8, "bits";
        /// Codes of signed inputs.
        signs: InputSigns = InputSigns::SignMagnitude;
        /// Drive of every digit, digit 0 first: the converter's non-linearity. `2^bits` values; empty:
        /// linear.
        table: Vec<f64> = Vec::new(), List { each: 0.0..=1e4, length: 0..=256 }, "levels";
        /// Where the steps are added up.
        accumulate: Accumulate = Accumulate::Digital;
    }
}

/// Resolution of the converters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum AdcBits {
    /// All have so many bits; 0: there are no converters.
    Same(u32),
    /// The arrays of slice `s` have converters of `bits[s]` bits, least significant slice first.
    BySlice(Vec<u32>),
}

impl AdcBits {
    /// Bits of the converters of every slice that is told apart: one number, or one a slice.
    pub fn each(&self) -> &[u32] {
        match self {
            AdcBits::Same(bits) => std::slice::from_ref(bits),
            AdcBits::BySlice(bits) => bits,
        }
    }
}

impl Rule<AdcBits> for Any {
    fn read(&self, value: &DeValue) -> Read<AdcBits> {
        match value.as_array() {
            Some(_) => BITS_BY_SLICE.read(value).map(AdcBits::BySlice),
            None => BITS.read(value).map(AdcBits::Same),
        }
    }

    fn allowed(&self) -> Allowed {
        let same = Rule::<u32>::allowed(&BITS);
        either(&same, &Rule::<Vec<u32>>::allowed(&BITS_BY_SLICE))
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
        /// The converters of a slice (and polarity, with digital subtraction).
        Slice = "slice",
        /// The converters of a column of a slice.
        Column = "column",
    }
}

section! {
    /// Section `[chip.adc]`: how the sum of a column is converted.
    pub struct Adc {
        /// Resolution; 0: no converter, sums are exact. A list gives the converters of every slice their own,
        /// lowest slice first: `[3, 3, 3, 1]`.
        bits: AdcBits = AdcBits::Same(8), Any, "bits";
        /// Codes of the converter.
        codes: AdcCodes = AdcCodes::SignMagnitude;
        /// Where the range comes from.
        range: AdcRange = AdcRange::Full;
        /// With range "fixed": the largest sum that does not clip, in fully conducting cells
        /// (`G_max` at one level of drive); a number, or a list with one for every slice.
        limit: Vec<f64> = Vec::new(), OneOr(List { each: LIMIT, length: 0..=16 }), "cells";
        /// With range "calibrated": how it is chosen.
        method: AdcMethod = AdcMethod::Percentile;
        /// Percentile of the magnitudes; by default CrossSim's.
        percentile: f64 = 99.99, 50.0..=100.0, "%";
        /// Converters that share a calibrated range.
        per: AdcGroup = AdcGroup::Slice;
        /// All layers have the largest of their ranges, in current: one reference for the whole chip.
        shared: bool = false;
        /// Training images that a calibration looks at.
        calibration_images: usize = 100, 1..=1_000_000, "images";
        /// Standard deviation of a converter's relative gain error, which leaves code 0 where it is.
        gain_error: f64 = 0.0, SHARE;
        /// Standard deviation of a converter's offset.
        offset_error: f64 = 0.0, 0.0..=16_384.0, "codes";
        /// Standard deviation of the thermal noise of a conversion.
        noise: f64 = 0.0, 0.0..=16_384.0, "codes";
        /// Integral non-linearity, one value per code from the lowest on; empty: none.
        inl: Vec<f64> = Vec::new(), List { each: -16_384.0..=16_384.0, length: 0..=16_384 }, "codes";
        /// Neighbouring columns of an array that share a converter, and so its errors; an array's last
        /// converter has the columns that are left over.
        sharing: usize = 1, 1..=65_536, "columns";
        /// Count the conversions beyond the range.
        count_clips: bool = false;
    }
}

impl Adc {
    /// Whether there are converters at all.
    pub fn converts(&self) -> bool {
        self.bits != AdcBits::Same(0)
    }
}

impl AdcCodes {
    /// Lowest and highest code of a converter of so many bits.
    pub fn range(self, bits: u32) -> (i32, i32) {
        match self {
            AdcCodes::Uniform => (0, (1 << bits) - 1),
            AdcCodes::SignMagnitude => {
                let top = (1 << bits.saturating_sub(1)) - 1;
                (-top, top)
            }
        }
    }
}

/// Bits of all converters.
const BITS: RangeInclusive<u32> = 0..=14;
/// Bits of the converters of every slice.
const BITS_BY_SLICE: List<RangeInclusive<u32>> = List {
    each: 1..=14,
    length: 1..=16,
};

/// Limits of converters, in cells. The smallest one keeps the constants of a conversion finite.
const LIMIT: RangeInclusive<f64> = 1e-6..=1e9;
