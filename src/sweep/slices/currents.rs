//! Currents of real arrays against ideal ones: the non-ideality factor.
//!
//! Every array is read by itself, each slice and polarity, with what digit 0 conducts in its currents. `I_ideal` is the current
//! of nominal cells on ideal wires, `I` that of a chip: programming errors, drift, wires. Both see the same inputs, those of a
//! nominal chip. Read noise and converters are no part of it.

use super::feed::Patches;
use super::reads::Reads;
use crate::chip::layer::CellLayer;
use crate::error::Result;
use crate::sweep::statistics::Moments;

/// Ideal currents below this, in levels at one level of drive, are rounding and count as 0: nothing can be in
/// proportion to them.
const NO_CURRENT: f64 = 1.0 / 1024.0;

/// Currents of an array on one chip.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tally {
    /// Currents that are ideally not 0.
    pub n: u64,
    /// Others.
    pub zeros: u64,
    /// Sum of `|I_ideal - I| / |I_ideal|`.
    ratios: f64,
    /// Sum of `|I_ideal - I|`.
    error: f64,
    /// Sum of `|I_ideal|`.
    ideal: f64,
}

impl Tally {
    /// Compares a current.
    pub fn push(&mut self, ideal: f64, real: f64) {
        if ideal.abs() < NO_CURRENT {
            self.zeros += 1;
            return;
        }
        self.n += 1;
        let error = (ideal - real).abs();
        self.ratios += error / ideal.abs();
        self.error += error;
        self.ideal += ideal.abs();
    }

    /// Takes in another one.
    pub fn merge(&mut self, other: &Tally) {
        self.n += other.n;
        self.zeros += other.zeros;
        self.ratios += other.ratios;
        self.error += other.error;
        self.ideal += other.ideal;
    }

    /// The non-ideality factor; `NaN` without currents.
    pub fn factor(&self) -> f64 {
        self.ratios / self.n as f64
    }

    /// Error of all currents together.
    fn weighted(&self) -> f64 {
        self.error / self.ideal
    }
}

/// Factors over chips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Factors {
    pub mean: f64,
    pub std: f64,
    pub min: f64,
    pub max: f64,
    pub weighted: f64,
}

impl Factors {
    /// Of the same currents on several chips.
    pub fn over<'a>(chips: impl Iterator<Item = &'a Tally> + Clone) -> Self {
        let factors = chips.clone().map(Tally::factor).filter(|f| f.is_finite());
        let (mut moments, mut weighted) = (Moments::default(), Moments::default());
        factors.clone().for_each(|f| moments.push(f));
        let errors = chips.map(Tally::weighted).filter(|w| w.is_finite());
        errors.for_each(|w| weighted.push(w));
        Self {
            mean: moments.mean(),
            std: moments.std(),
            min: factors.clone().fold(f64::NAN, f64::min),
            max: factors.fold(f64::NAN, f64::max),
            weighted: weighted.mean(),
        }
    }
}

/// Compares the currents of the vectors of some images; one tally an array, `[row tile][column tile][plane]`.
pub(super) fn compare(
    (ideal, real): (&mut Reads, &mut Reads),
    layer: &CellLayer,
    patches: &Patches,
    maps: &[i16],
    images: usize,
) -> Result<Vec<Tally>> {
    let arrays = &layer.reading.arrays;
    let planes = arrays.read_planes();
    let mut tallies = vec![Tally::default(); arrays.row_tiles() * arrays.col_tiles() * planes];
    // Array of every converter, in the order of sums; none where a column is dropped.
    let mut array = Vec::with_capacity(arrays.converters());
    for plane in 0..planes {
        for column in 0..arrays.cols {
            for r in 0..arrays.row_tiles() {
                let place = layer.errors.column(r, column);
                let of = |place| (r * arrays.col_tiles() + arrays.col_tile(place)) * planes + plane;
                array.push(place.map(of));
            }
        }
    }
    let all = patches.count(images);
    let at_once = ideal.vectors.min(real.vectors);
    for start in (0..all).step_by(at_once) {
        let range = start..(start + at_once).min(all);
        let count = range.len();
        let vectors = patches.vectors(maps, range);
        let (wanted, found) = (ideal.sums(&vectors, count)?, real.sums(&vectors, count)?);
        let conversions = wanted.len() / count / array.len();
        for (i, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
            if let Some(at) = array[i / conversions % array.len()] {
                tallies[at].push(f64::from(*wanted), f64::from(*found));
            }
        }
    }
    Ok(tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_a_mean_of_ratios_and_leaves_out_what_has_none() {
        let mut tally = Tally::default();
        assert!(tally.factor().is_nan());
        for (ideal, real) in [(2.0, 1.0), (-4.0, -5.0), (0.0, 3.0), (1e-4, 1.0)] {
            tally.push(ideal, real);
        }
        assert_eq!((tally.n, tally.zeros), (2, 2));
        assert_eq!(tally.factor(), (0.5 + 0.25) / 2.0);
        assert_eq!(tally.weighted(), 2.0 / 6.0);
        let mut other = Tally::default();
        other.push(1.0, 1.0);
        let f = Factors::over([tally, other].iter());
        assert_eq!((f.mean, f.min, f.max), (0.1875, 0.0, 0.375));
        assert!((f.std - 0.375 / 2f64.sqrt()).abs() < 1e-12);
        let none = Factors::over([Tally::default()].iter());
        assert!(none.mean.is_nan() && none.min.is_nan() && none.std.is_nan());
        other.merge(&tally);
        assert_eq!((other.n, other.factor()), (3, 0.25));
    }
}
