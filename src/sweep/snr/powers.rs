//! Powers of signals and errors, and their ratios in decibels.

use serde::Serialize;

use crate::sweep::statistics::Moments;

/// Power of an error, as a share of the signal's, below which it is rounding of single precision: -120 dB.
pub const ROUNDING: f64 = 1e-12;

/// What a ratio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Is {
    /// A number.
    Measured,
    /// There is no error, or none above the rounding of single precision.
    Infinite,
    /// Outputs do not depend on the inputs, so there is nothing to be in proportion to.
    NoSignal,
}

/// A ratio of powers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// `10 log10(signal / mean power)`, dB; not finite (`null`) where it is no number.
    pub db: f64,
    /// Lower end of its 95 % interval over the chips (that of the mean power, Student's t); not finite where chips do not say.
    pub lo95: f64,
    /// Upper end; not finite where the interval has none.
    pub hi95: f64,
    /// What it is.
    pub is: Is,
}

/// Decibels of a ratio of powers.
pub fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

impl Ratio {
    /// Of a signal and the powers of an error on chips.
    pub fn over(signal: f64, powers: &Moments) -> Self {
        let mut ratio = Self::of(signal, powers.mean());
        if ratio.is == Is::Measured && powers.n() > 1 {
            let interval = powers.mean_interval();
            ratio.lo95 = decibels(signal / interval.hi);
            if interval.lo > signal * ROUNDING {
                ratio.hi95 = decibels(signal / interval.lo);
            }
        }
        ratio
    }

    /// Of a signal and the power of an error that no chip has a say in.
    pub fn of(signal: f64, power: f64) -> Self {
        let (db, is) = match signal > 0.0 {
            false => (f64::NAN, Is::NoSignal),
            true if power <= signal * ROUNDING => (f64::INFINITY, Is::Infinite),
            true => (decibels(signal / power), Is::Measured),
        };
        Self {
            db,
            lo95: f64::NAN,
            hi95: f64::NAN,
            is,
        }
    }

    /// Whether it reaches a number of decibels; a ratio without a signal does not.
    pub fn reaches(&self, db: f64) -> bool {
        match self.is {
            Is::Infinite => true,
            Is::Measured => self.db >= db,
            Is::NoSignal => false,
        }
    }
}

/// Outputs of a layer that nothing disturbs, and the unit of every output.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// `[vector][output]`, in units of the output.
    pub ideal: Vec<f64>,
    /// Units, by output.
    pub unit: Vec<f64>,
}

impl Outputs {
    /// Variance over the vectors, mean over the outputs.
    pub fn signal(&self) -> f64 {
        let outputs = self.unit.len();
        let vectors = self.ideal.len() / outputs.max(1);
        let of = |o: usize| {
            let values = || self.ideal.iter().skip(o).step_by(outputs);
            let mean = values().sum::<f64>() / vectors as f64;
            let square = values().map(|y| (y - mean).powi(2)).sum::<f64>();
            square / vectors as f64 * self.unit[o].powi(2)
        };
        (0..outputs).map(of).sum::<f64>() / outputs as f64
    }

    /// Mean of `error(vector * outputs + output)` times the square of the output's unit.
    pub fn mean(&self, error: impl Fn(usize) -> f64) -> f64 {
        let outputs = self.unit.len();
        let square = |i: usize| error(i) * self.unit[i % outputs].powi(2);
        (0..self.ideal.len()).map(square).sum::<f64>() / self.ideal.len() as f64
    }
}

/// Powers of the error of a part on chips.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Powers {
    /// Of what the part changes.
    pub own: Moments,
    /// Twice the mean product of what it changes and of the error before it.
    pub cross: Moments,
    /// Of the error with it.
    pub total: Moments,
}

impl Powers {
    /// Takes a chip in: outputs with the part, and those before it (`None`: ideal ones).
    pub fn push(&mut self, of: &Outputs, with: &[f32], before: Option<&[f32]>) {
        let value = |i: usize| f64::from(with[i]);
        let was = |i: usize| before.map_or(of.ideal[i], |values| f64::from(values[i]));
        let change = |i: usize| value(i) - was(i);
        let total = of.mean(|i| (value(i) - of.ideal[i]).powi(2));
        let own = of.mean(|i| change(i).powi(2));
        let cross = of.mean(|i| 2.0 * change(i) * (was(i) - of.ideal[i]));
        self.own.push(own);
        self.cross.push(cross);
        self.total.push(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_say_what_they_are() {
        let powers: Moments = [0.9, 1.1, 1.0].into_iter().collect();
        let ratio = Ratio::over(100.0, &powers);
        assert!((ratio.db - 20.0).abs() < 1e-12 && ratio.is == Is::Measured);
        assert!(ratio.lo95 < 20.0 && ratio.hi95 > 20.0);
        let half = 4.302_652_729_911_275 * 0.1 / 3f64.sqrt();
        assert!((ratio.lo95 - decibels(100.0 / (1.0 + half))).abs() < 1e-9);
        assert!((ratio.hi95 - decibels(100.0 / (1.0 - half))).abs() < 1e-9);
        // Chips that differ by more than their mean have no upper end.
        let wide: Moments = [0.0, 2.0].into_iter().collect();
        assert!(Ratio::over(100.0, &wide).hi95.is_nan());
        let none: Moments = [0.0, 0.0].into_iter().collect();
        let infinite = Ratio::over(3.0, &none);
        assert!(infinite.is == Is::Infinite && infinite.reaches(300.0));
        assert_eq!(Ratio::of(3.0, 3e-13).is, Is::Infinite);
        let silent = Ratio::of(0.0, 1.0);
        assert!(silent.is == Is::NoSignal && !silent.reaches(-300.0));
        let json = serde_json::to_string(&infinite).unwrap();
        let want = r#"{"db":null,"lo95":null,"hi95":null,"is":"infinite"}"#;
        assert_eq!(json, want);
        assert!(Ratio::of(10.0, 1.0).reaches(10.0) && !Ratio::of(10.0, 1.0).reaches(10.1));
    }

    /// Two outputs, three vectors; the parts of an error add up to it, product by product.
    #[test]
    fn parts_add_up_to_the_total() {
        let outputs = Outputs {
            ideal: vec![1.0, -2.0, 3.0, 0.0, 5.0, 2.0],
            unit: vec![2.0, 0.5],
        };
        // Variances 8/3 and 8/3.
        let want = (8.0 / 3.0 * 4.0 + 8.0 / 3.0 * 0.25) / 2.0;
        assert!((outputs.signal() - want).abs() < 1e-12);
        let first = [1.5f32, -2.0, 2.0, 0.25, 5.0, 2.0];
        let second = [1.0f32, -2.5, 2.5, 0.25, 4.0, 1.0];
        let (mut a, mut b) = (Powers::default(), Powers::default());
        a.push(&outputs, &first, None);
        b.push(&outputs, &second, Some(&first));
        assert_eq!(a.cross.mean(), 0.0);
        assert_eq!(a.own.mean(), a.total.mean());
        let want = (0.25 * 4.0 + 1.0 * 4.0 + 0.0625 * 0.25) / 6.0;
        assert!((a.total.mean() - want).abs() < 1e-12);
        let sum = a.own.mean() + b.own.mean() + b.cross.mean();
        assert!((sum - b.total.mean()).abs() < 1e-12);
        let want = (0.25 * 4.0 + 1.0 * 4.0 + (0.25 + 0.0625 + 1.0) * 0.25) / 6.0;
        assert!((b.total.mean() - want).abs() < 1e-12);
    }
}
