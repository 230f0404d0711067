//! Read noise of a conversion: what the noise of the cells' reads ([`super::read_noise`]) adds to the sum
//! of a column (docs/cells.md 5).
//!
//! # Theory
//! Cell `k` with variance `V_k`, driven with `d`, adds noise of variance `V_k d^2`; where steps are added
//! up before the conversion, each is a read of its own, and `d^2` is the sum of the squares of their
//! weighted drives. Cells are independent, so that the same law has two forms:
//!
//! ```text
//! of the sum       v' = v + sqrt(sum over k: V_k d_k^2) z          one deviate a conversion
//! cell by cell     v' = v + sum over k: sqrt(V_k) d_k z_k          one a cell and conversion
//! ```
//! A converter scales the sum, `s = a v + b`, and adds thermal noise of `sigma` codes
//! ([`super::adc_noise`]). Nothing stands between the two noises but a factor, and the sum of independent
//! normal deviates is one, so that with both the first form has a single deviate:
//!
//! ```text
//! with the converter's     s = a v + b + sqrt(a^2 sum over k: V_k d_k^2 + sigma^2) z
//! ```

use crate::random::{ABOVE, Purpose};

/// Closed form of the noise of a sum: pairs `(V_k, d_k^2)`, and the deviate.
pub fn exact(cells: impl Iterator<Item = (f64, f64)>, z: f64) -> f64 {
    let variance: f64 = cells.map(|(variance, square)| variance * square).sum();
    variance.sqrt() * z
}

/// Closed form of the noise of one cell: `V`, the squares of its drives added up (with the sign of the
/// drive where there is only one), and the deviate.
pub fn exact_of_cell(variance: f64, drives: &[f64], z: f64) -> f64 {
    let amplitude = match drives {
        [drive] => *drive,
        _ => drives.iter().map(|d| d * d).sum::<f64>().sqrt(),
    };
    amplitude * variance.sqrt() * z
}

/// Closed form of the noise of a sum together with its converter's, in codes: the sum's standard deviation in
/// level units ([`exact`] with the deviate 1), the converter's factor and noise, and the deviate.
pub fn exact_with_converter(deviation: f64, a: f64, sigma: f64, z: f64) -> f64 {
    (a * deviation).hypot(sigma) * z
}

/// Purpose word of the deviates of a row's cells.
pub fn purpose_of_row(row: usize) -> u32 {
    Purpose::ReadCell as u32 | (row as u32 * ABOVE)
}

/// Vector form: adds the noise of the sum; `variances` are those of the sums and become their deviations.
#[inline(always)]
pub fn add<const N: usize>(sums: &mut [f32], variances: &[f32], z: &[f32; N]) {
    for ((sum, variance), z) in sums.iter_mut().zip(variances).zip(z) {
        *sum += variance.max(0.0).sqrt() * z;
    }
}

/// Vector form: adds the noise of the sum and of its converter to scaled sums.
#[inline(always)]
pub fn add_with_converter<const N: usize>(
    scaled: &mut [f32],
    variances: &[f32],
    [a, sigma]: [f32; 2],
    z: &[f32; N],
) {
    let [a, sigma] = [a * a, sigma * sigma];
    for ((scaled, variance), z) in scaled.iter_mut().zip(variances).zip(z) {
        *scaled += (a * variance.max(0.0) + sigma).sqrt() * z;
    }
}

/// Vector form: adds the noise of one cell with standard deviation `sigma` to sums.
#[inline(always)]
pub fn add_of_cell<const N: usize>(sums: &mut [f32], sigma: f32, drives: &[f32], z: &[f32; N]) {
    for ((sum, drive), z) in sums.iter_mut().zip(drives).zip(z) {
        *sum += sigma * z * drive;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cells, 4 and 9, driven with 1 and 2: variance 40; and cell by cell.
    #[test]
    fn noise_of_a_sum_and_of_its_cells() {
        let cells = [(4.0, 1.0), (9.0, 4.0)];
        assert_eq!(exact(cells.into_iter(), 2.0), 2.0 * 40f64.sqrt());
        assert_eq!(exact_of_cell(9.0, &[-2.0], 1.0), -6.0);
        // Steps that are added up are reads of their own.
        assert_eq!(exact_of_cell(9.0, &[3.0, 4.0], 1.0), 15.0);
        // A deviation of 4 codes and one of 3.
        assert_eq!(exact_with_converter(8.0, 0.5, 3.0, -2.0), -10.0);
        let mut sums = [1.0, 2.0];
        add_with_converter(&mut sums, &[64.0, 0.0], [0.5, 3.0], &[-2.0, 1.0]);
        assert_eq!(sums, [-9.0, 5.0]);
        let mut sums = [1.0, 2.0];
        add(&mut sums, &[4.0, 9.0], &[1.0, -1.0]);
        assert_eq!(sums, [3.0, -1.0]);
        add_of_cell(&mut sums, 3.0, &[-2.0, 1.0], &[1.0, 2.0]);
        assert_eq!(sums, [-3.0, 5.0]);
    }
}
