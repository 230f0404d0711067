//! Converters of a layer: their codes, and what differs from one to the next.

use std::sync::Arc;

use super::Arrays;

/// Codes of a converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRange {
    /// Lowest code: 0, or `-(2^(bits-1) - 1)` with sign and magnitude.
    pub lo: i32,
    /// Highest code.
    pub hi: i32,
}

impl CodeRange {
    /// Lowest and highest code as numbers.
    pub fn ends(self) -> [f64; 2] {
        [self.lo, self.hi].map(f64::from)
    }
}

/// Codes of the converters of a layer and what disturbs them.
#[derive(Debug, Clone, PartialEq)]
pub struct Adc {
    /// Codes of the converters of every slice, least significant first; a single entry: of all.
    pub codes: Arc<[CodeRange]>,
    /// Thermal noise of a conversion, standard deviation in codes
    /// ([`crate::random::Purpose::AdcNoise`]).
    pub noise: f32,
    /// Integral non-linearity in codes, one value per code from the lowest on: added to the scaled
    /// input whose nearest code it belongs to, before rounding. Only where all slices have the same codes.
    pub inl: Option<Arc<[f32]>>,
}

impl Adc {
    /// Converters of these codes for all slices, which nothing disturbs.
    pub fn with_codes(lo: i32, hi: i32) -> Self {
        Self {
            codes: [CodeRange { lo, hi }].into(),
            noise: 0.0,
            inl: None,
        }
    }

    /// Codes of the converters of a slice.
    pub fn codes_of(&self, slice: usize) -> CodeRange {
        self.codes[slice % self.codes.len()]
    }

    /// Whether the converters of some slices have other codes than those of others.
    pub fn differ(&self) -> bool {
        self.codes.iter().any(|c| *c != self.codes[0])
    }

    /// Largest magnitude of a code.
    pub fn most(&self) -> u32 {
        let most = |c: &CodeRange| c.lo.unsigned_abs().max(c.hi.unsigned_abs());
        self.codes.iter().map(most).max().unwrap_or(0)
    }

    /// Whether there are codes for `slices` slices, and a non-linearity fits them.
    pub fn is_possible(&self, slices: usize) -> bool {
        let wide = |c: &CodeRange| c.lo < c.hi && c.hi - c.lo < 1 << 14;
        let fits = |inl: &Arc<[f32]>| {
            let CodeRange { lo, hi } = self.codes[0];
            !self.differ() && inl.len() == (hi - lo + 1) as usize
        };
        (self.codes.len() == 1 || self.codes.len() == slices.max(1))
            && self.codes.iter().all(wide)
            && self.inl.as_ref().is_none_or(fits)
    }
}

/// Errors of the converters of a layer, drawn per chip. Neighbouring columns of an array share a
/// converter, no two arrays do: group `n` of a row of arrays, counted on from one column tile to the
/// next ([`ConverterErrors::group`]), has address `(r * planes + p) * groups + n`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConverterErrors {
    /// Where the cells are.
    pub arrays: Arrays,
    /// Neighbouring columns of an array that share a converter; the last group of an array has what
    /// is left.
    pub sharing: usize,
    /// Standard deviation of the relative gain ([`crate::random::Purpose::AdcGain`]).
    pub gain: f32,
    /// Standard deviation of the offset in codes ([`crate::random::Purpose::AdcOffset`]).
    pub offset: f32,
    /// Address of the layer.
    pub layer: u32,
}

impl ConverterErrors {
    /// Groups of columns that share a converter, those of all column tiles.
    pub fn groups(&self) -> usize {
        let tiles = self.arrays.tile_cols.windows(2);
        tiles
            .map(|t| ((t[1] - t[0]) as usize).div_ceil(self.sharing))
            .sum()
    }

    /// Group of every column.
    pub fn group(&self) -> Vec<u32> {
        let mut group = Vec::with_capacity(self.arrays.cols);
        let mut first = 0;
        for tile in self.arrays.tile_cols.windows(2) {
            let cols = tile[1] - tile[0];
            // More columns than fit 32 bits share as many as there are.
            let sharing = u32::try_from(self.sharing).unwrap_or(u32::MAX);
            group.extend((0..cols).map(|o| first + o / sharing));
            first += cols.div_ceil(sharing);
        }
        group
    }
}
