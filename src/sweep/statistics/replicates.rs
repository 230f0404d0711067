//! Means over stratified chips, with an interval that holds for them.
//!
//! Chips whose eps_B is stratified (`variation.sampling = "stratified"`) are not independent: their
//! spread says nothing about the error of their mean, which is much smaller. But the chips with the
//! same index modulo [`REPLICATES`] have a scrambling of their own, so the means of these
//! replicates are independent estimates of the same mean, and their spread does (Owen, Monte Carlo
//! theory, methods and examples, 2013, chapter 17: randomised quasi-Monte Carlo).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, TAIL};
pub use crate::chip::stratified::REPLICATES;

/// Sums of counts by replicate: exact, and the same in whatever order chips come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replicates([(u64, i128); REPLICATES as usize]);

impl Replicates {
    /// Takes in the count of a chip.
    pub fn push(&mut self, chip: u32, count: i64) {
        let (n, sum) = &mut self.0[(chip % REPLICATES) as usize];
        *n += 1;
        *sum += i128::from(count);
    }

    /// Standard error and Student-t interval (one degree of freedom fewer than replicates) of the
    /// mean of `count / images` over all chips; unknown while a replicate has no chip.
    ///
    /// A replicate weighs as many chips as it has. They differ by one at most.
    pub fn interval(&self, images: u32) -> (f64, Interval) {
        let chips: u64 = self.0.iter().map(|(n, _)| n).sum();
        let total: i128 = self.0.iter().map(|(_, sum)| sum).sum();
        if self.0.iter().any(|(n, _)| *n == 0) {
            return (f64::NAN, Interval::UNKNOWN);
        }
        let mean = total as f64 / chips as f64;
        let spread = self.0.iter().map(|&(n, sum)| {
            let (n, of_replicate) = (n as f64, sum as f64 / n as f64);
            (n * (of_replicate - mean)).powi(2)
        });
        let r = f64::from(REPLICATES);
        let variance = spread.sum::<f64>() * r / (r - 1.0) / (chips as f64).powi(2);
        let se = variance.sqrt() / f64::from(images);
        let t = StudentsT::new(0.0, 1.0, r - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(1.0 - TAIL));
        (se, Interval::around(mean / f64::from(images), t * se))
    }
}
