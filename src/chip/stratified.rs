//! eps_B of chips that are well spread by construction.
//!
//! # Theory
//! Chip `k` belongs to replicate `r = k mod R` and is its `j = k div R`-th chip. Its uniform number
//! is the `j`-th of van der Corput's sequence in base 2, scrambled for the replicate: the binary
//! digits of `j` in reverse, each flipped or not by a random bit that depends on all digits before
//! it (Owen's nested uniform scrambling, SIAM J. Numer. Anal. 34, 1997, 1884-1910). Then
//!
//! * every chip alone is uniform, so every chip is a fair sample and every mean is unbiased;
//! * any `2^m` chips of a replicate from a multiple of `2^m` on lie in different `2^m`-ths of the
//!   distribution, so any prefix is well spread; the variance of a mean of a smooth function falls
//!   as `n^-3` instead of `n^-1`;
//! * replicates are independent, so their means say how good the mean of all is.
//!
//! A chip stays a pure function of (seed, index).

use crate::random::{Purpose, Stream};

/// Independent scramblings: chip `k` belongs to that of `k mod REPLICATES`. With 16 the Student
/// factor of their interval is 2.13 (1.96 of infinitely many), and 160 chips already have ten
/// strata a replicate.
pub const REPLICATES: u32 = 16;

/// The word of a chip's eps_B, for [`crate::random::normal`] and its relatives.
pub fn word(seed: u64, chip: u32) -> u32 {
    ordered(uniform(seed, chip % REPLICATES, chip / REPLICATES))
}

/// The `j`-th number of a replicate, as a fraction of 2^32.
fn uniform(seed: u64, replicate: u32, j: u32) -> u32 {
    let stream = Stream::new(seed, Purpose::Scrambling, 0, 0, replicate);
    let digits = j.reverse_bits();
    let mut flips = 0;
    for level in 0..32 {
        // The node of the binary tree of digits: a leading one, then the digits before this one.
        let node = match level {
            0 => 1,
            _ => 1 << level | digits >> (32 - level),
        };
        flips = flips << 1 | (stream.word(node) & 1);
    }
    digits ^ flips
}

/// The word whose deviate is the quantile at `u`: words have the sign in the top bit and the tail
/// probability below it.
fn ordered(u: u32) -> u32 {
    match u >> 31 {
        0 => 1 << 31 | u,
        _ => !u,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::normal;

    #[test]
    fn a_word_is_the_quantile_of_its_fraction() {
        let mut before = f32::NEG_INFINITY;
        for i in 0..=1000u64 {
            let u = (i * u64::from(u32::MAX) / 1000) as u32;
            let z = normal(ordered(u));
            assert!(z > before, "{u}");
            before = z;
        }
        assert!(normal(ordered(1 << 31)).abs() < 1e-6);
        // Phi(-1) = 0.158655.
        let u = (0.158_655_253_9 * 2f64.powi(32)) as u32;
        assert!((normal(ordered(u)) + 1.0).abs() < 1e-5);
    }

    #[test]
    fn blocks_of_a_replicate_have_one_chip_in_every_stratum() {
        for (replicate, m, block) in [(0, 4, 0), (3, 4, 5), (15, 8, 2), (7, 1, 100)] {
            let n = 1u32 << m;
            let mut strata: Vec<u32> = (block * n..(block + 1) * n)
                .map(|j| uniform(9, replicate, j) >> (32 - m))
                .collect();
            strata.sort_unstable();
            assert_eq!(strata, (0..n).collect::<Vec<_>>());
        }
    }

    /// Over seeds, chip `k` alone is uniform and two replicates are independent. Bars: 6 standard
    /// errors of the mean, the variance and the correlation of uniform numbers.
    #[test]
    fn every_chip_is_a_fair_sample() {
        let seeds = 4000u64;
        let n = seeds as f64;
        let unit = |seed, chip: u32| {
            f64::from(uniform(seed, chip % REPLICATES, chip / REPLICATES)) / 2f64.powi(32)
        };
        for chip in [0, 1, 16, 17, 1000, 123_456] {
            let u: Vec<f64> = (0..seeds).map(|s| unit(s, chip) - 0.5).collect();
            let mean = u.iter().sum::<f64>() / n;
            assert!(mean.abs() < 6.0 * (1.0 / 12.0 / n).sqrt(), "{chip}: {mean}");
            let var = u.iter().map(|u| u * u).sum::<f64>() / n;
            // Var u^2 = 1/80 - 1/144.
            assert!(
                (var - 1.0 / 12.0).abs() < 6.0 * (1.0 / 180.0 / n).sqrt(),
                "{chip}: {var}"
            );
            let with_next = |s| (unit(s, chip) - 0.5) * (unit(s, chip + 1) - 0.5);
            let covariance = (0..seeds).map(with_next).sum::<f64>() / n;
            assert!(
                covariance.abs() < 6.0 / 12.0 / n.sqrt(),
                "{chip}: {covariance}"
            );
        }
    }
}
