//! Quantiles of any numbers in bounded memory.
//!
//! The values are counted in bins. A bin holds all numbers whose sign, exponent and first `k` bits of the
//! mantissa are the same: within a power of two bins are equally wide, from one power to the next twice as wide,
//! so a bin is at most `2^-k` as wide as its numbers are large. A sketch begins with all 52 bits (every
//! different number has a bin of its own, quantiles are exact) and drops a bit whenever there are more than
//! [`MOST`] bins: neighbours become one, as in the uniform collapse of UDDSketch (Epicoco, Melle, Cafaro,
//! Pulimeno and Morleo, IEEE Access 8, 2020, 147604-147617). Without any bit of the mantissa there are fewer
//! bins than that for whatever numbers.
//!
//! # The error
//! A value read back is the middle of its bin, so it is off by at most [`Sketch::error`] `= 2^-(k+1)` times its
//! size, 0 while no bit was dropped. (Numbers below `2^-1022`, of which the exponent says nothing, are off by at most
//! `2^-1023` besides.) A quantile interpolates between two of these.
//!
//! # The order does not matter
//! More values never fill fewer bins of one width. So the bits that are left are the most with which all values
//! taken in fill at most [`MOST`] bins, whatever the order they came in: waves, shards and adapters give the same
//! sketch to the last bit.

use std::collections::BTreeMap;

/// Most bins: about 200 KiB.
pub const MOST: usize = 4096;

/// Bits of the mantissa of an `f64`.
const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;

/// Finite numbers, counted in at most [`MOST`] bins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    /// Bits of the mantissa that were dropped.
    dropped: u32,
    /// Numbers by bin.
    bins: BTreeMap<u64, u64>,
}

impl Sketch {
    /// Takes in a number; one that is not finite is left out.
    pub fn push(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        *self.bins.entry(rank(x) >> self.dropped).or_default() += 1;
        while self.bins.len() > MOST {
            self.dropped += 1;
            let mut wider = BTreeMap::new();
            for (bin, n) in std::mem::take(&mut self.bins) {
                *wider.entry(bin >> 1).or_default() += n;
            }
            self.bins = wider;
        }
    }

    /// How far a value that is read back may be off, relative to its size; 0 where all are exact.
    pub fn error(&self) -> f64 {
        match self.dropped {
            0 => 0.0,
            dropped => f64::from(dropped).exp2() * f64::EPSILON / 2.0,
        }
    }

    /// The values in ascending order, each with its number: the middles of the bins.
    pub fn values(&self) -> impl Iterator<Item = (f64, u64)> + Clone + '_ {
        self.bins.iter().map(|(&bin, &n)| {
            let low = bin << self.dropped;
            let high = low | ((1 << self.dropped) - 1);
            let (low, high) = (number(low), number(high));
            (low + (high - low) / 2.0, n)
        })
    }
}

const SIGN: u64 = 1 << (u64::BITS - 1);

/// The bits of a number, so that they are ordered as the numbers are; 0 and -0 are one number.
fn rank(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    match bits & SIGN {
        0 => bits | SIGN,
        _ => !bits,
    }
}

/// The number of a [`rank`].
fn number(rank: u64) -> f64 {
    f64::from_bits(match rank & SIGN {
        0 => !rank,
        _ => rank & !SIGN,
    })
}

/// Without any bit of the mantissa a bin is a sign and an exponent of finite numbers.
const _: () = assert!(2 * ((1 << (u64::BITS - 1 - MANTISSA)) - 1) <= MOST);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};
    use crate::sweep::statistics::{Ranked, quantile};

    const QUANTILES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

    fn sketch(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|&x| sketch.push(x));
        sketch
    }

    fn normals(n: usize) -> Vec<f64> {
        let mut values = vec![0.0; n];
        Stream::new(7, Purpose::Init, 0, 0, 0).fill_normals(0, &mut values);
        values.into_iter().map(f64::from).collect()
    }

    /// Samples of any size, sign and spread.
    fn samples() -> Vec<(&'static str, Vec<f64>)> {
        let normals = normals(20_000);
        let of = |f: fn(f64) -> f64| -> Vec<f64> { normals.iter().map(|&z| f(z)).collect() };
        vec![
            ("normal", normals.clone()),
            ("narrow", of(|z| 0.9 + 1e-3 * z)),
            ("lognormal", of(|z| (3.0 * z).exp())),
            ("energies", of(|z| 1e-12 * (1.0 + 0.1 * z))),
            ("every size", of(|z| (700.0 * (z / 4.0)).exp())),
            ("both signs", of(|z| z.signum() * (170.0 * z).exp())),
            ("few values", of(|z| (4.0 * z).round() / 8.0)),
            (
                "two ends",
                of(|z| if z > 0.0 { f64::MAX } else { -f64::MAX }),
            ),
            ("no value", vec![]),
            ("one value", vec![-0.0]),
        ]
    }

    #[test]
    fn a_quantile_is_within_the_stated_error_of_the_exact_one() {
        for (name, values) in samples() {
            let sketch = sketch(&values);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let ranked: Ranked = sketch.values().collect();
            for p in QUANTILES {
                let (is, exact) = (quantile(&ranked, p), quantile(&sorted[..], p));
                // Of the two numbers that a quantile lies between, the larger one.
                let i = ((sorted.len().max(1) - 1) as f64 * p) as usize;
                let near = sorted.iter().skip(i).take(2).map(|x| x.abs());
                let size = near.fold(0.0, f64::max);
                let same = is == exact || (is.is_nan() && exact.is_nan());
                let rounding = 4.0 * f64::EPSILON;
                assert!(
                    same || (is - exact).abs() <= (sketch.error() + rounding) * size,
                    "{name}, p {p}: {is} for {exact}, error {:e}",
                    sketch.error()
                );
            }
        }
    }

    #[test]
    fn few_different_values_are_exact() {
        for (values, exact) in [
            (normals(MOST), true),
            (normals(2 * MOST), false),
            (vec![0.25; 100_000], true),
        ] {
            assert_eq!(sketch(&values).error() == 0.0, exact, "{}", values.len());
        }
        // 20,000 numbers of about one size, and around 0.
        let narrow: Vec<f64> = normals(20_000).iter().map(|z| 0.9 + 1e-3 * z).collect();
        assert!(sketch(&narrow).error() < 1e-5);
        assert!(sketch(&normals(20_000)).error() < 1e-2);
    }

    #[test]
    fn bins_are_bounded_whatever_comes() {
        for (name, values) in samples() {
            let sketch = sketch(&values);
            assert!(sketch.bins.len() <= MOST, "{name}");
            let n: u64 = sketch.values().map(|(_, n)| n).sum();
            assert_eq!(n, values.len() as u64, "{name}");
        }
        // Every exponent of both signs, and several numbers of each.
        let mut all = Sketch::default();
        for exponent in 0..0x7ff_u64 {
            for mantissa in [0, 1, 1 << 30, (1 << MANTISSA) - 1] {
                let x = f64::from_bits(exponent << MANTISSA | mantissa);
                [x, -x].into_iter().for_each(|x| all.push(x));
            }
        }
        assert!(all.bins.len() <= MOST, "{}", all.bins.len());
        assert!(all.error() <= 0.5, "{}", all.error());
        all.push(f64::NAN);
        all.push(f64::INFINITY);
        assert_eq!(all.values().map(|(_, n)| n).sum::<u64>(), 8 * 0x7ff);
    }

    #[test]
    fn the_order_of_the_values_does_not_matter() {
        for (name, values) in samples() {
            let whole = sketch(&values);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(sketch(&sorted), whole, "{name}, ascending");
            sorted.reverse();
            assert_eq!(sketch(&sorted), whole, "{name}, descending");
            let waves: Vec<f64> = values.chunks(64).rev().flatten().copied().collect();
            assert_eq!(sketch(&waves), whole, "{name}, in waves");
        }
    }

    #[test]
    fn ranks_are_ordered_as_their_numbers() {
        let numbers = [
            f64::MIN,
            -1.5,
            -1.0,
            -f64::MIN_POSITIVE,
            -f64::from_bits(1),
            0.0,
            f64::from_bits(1),
            1e-300,
            1.0,
            f64::MAX,
        ];
        assert!(numbers.is_sorted_by(|&a, &b| rank(a) < rank(b)));
        assert_eq!(rank(-0.0), rank(0.0));
        for x in numbers {
            assert_eq!(number(rank(x)).to_bits(), x.to_bits());
        }
    }
}
