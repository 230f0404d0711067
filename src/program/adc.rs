//! Converters of a layer: their codes, and what differs from one to the next.

use std::sync::Arc;

use super::{Arrays, CodeRange, Curve};
use crate::effects::{ConverterEffects, Inl};

/// Codes of the converters of a layer and what happens inside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Adc {
    /// Codes of the converters of every slice, least significant first; a single entry: of all.
    pub codes: Arc<[CodeRange]>,
    /// Noise, non-linearities and the like.
    pub effects: ConverterEffects,
}

impl Adc {
    /// Converters of these codes for all slices, which nothing disturbs.
    pub fn with_codes(lo: i32, hi: i32) -> Self {
        Self {
            codes: [CodeRange { lo, hi }].into(),
            effects: ConverterEffects::default(),
        }
    }

    /// The same with thermal noise of this standard deviation, in codes.
    #[must_use]
    pub fn noisy(mut self, sigma: f32) -> Self {
        self.effects.adc_noise.sigma = sigma;
        self
    }

    /// The same with this non-linearity in codes, lowest code first.
    #[must_use]
    pub fn bent(mut self, inl: impl Into<Curve>) -> Self {
        self.effects.inl = Inl::new(inl);
        self
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

    /// Whether there are codes for `slices` slices, and the effects fit them.
    pub fn is_possible(&self, slices: usize) -> bool {
        let wide = |c: &CodeRange| c.lo < c.hi && c.hi - c.lo < 1 << 14;
        (self.codes.len() == 1 || self.codes.len() == slices.max(1))
            && self.codes.iter().all(wide)
            && self.effects.active().all(|e| e.fits(&self.codes))
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
    /// Column of the arrays that is read as a column of the layer, `[row tile][column]`, where it is another one;
    /// [`NO_SOURCE`](super::NO_SOURCE): there is none, and its constants are 0.
    pub columns: Option<Arc<[u32]>>,
}

impl ConverterErrors {
    /// A converter a column, without errors.
    pub fn none(arrays: Arrays, layer: u32) -> Self {
        Self {
            arrays,
            sharing: 1,
            gain: 0.0,
            offset: 0.0,
            layer,
            columns: None,
        }
    }

    /// Whether the fields fit together.
    pub fn is_possible(&self) -> bool {
        let a = &self.arrays;
        let columns = |c: &Arc<[u32]>| {
            let inside = |&col: &u32| col == super::NO_SOURCE || (col as usize) < a.cols;
            c.len() == a.row_tiles() * a.cols && c.iter().all(inside)
        };
        a.is_possible() && self.sharing > 0 && self.columns.as_ref().is_none_or(columns)
    }

    /// Column of the arrays that is read as a column of the layer in a row tile, if any is.
    pub fn column(&self, row_tile: usize, col: usize) -> Option<usize> {
        let Some(columns) = &self.columns else {
            return Some(col);
        };
        match columns[row_tile * self.arrays.cols + col] {
            super::NO_SOURCE => None,
            place => Some(place as usize),
        }
    }

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
