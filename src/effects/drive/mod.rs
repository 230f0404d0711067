//! Drives: what rows see of input codes, step by step (docs/cells.md 5).
//!
//! # Theory
//! A code is cut into digits of `dac_bits` bits, the least significant first. In step `t` a row is driven
//! with `drive_t = sign table[digit_t]`, or the digit itself where there is no table. The digital side, or
//! the analog sum, weights steps by `place_t = 2^(t dac_bits)`, the top bit of a two's complement negative.

use std::ops::RangeInclusive;

use super::Curve;
use crate::choice::choices;

choices! {
    /// Digits of signed input codes.
    pub enum InputSigns {
        /// Digits of the magnitude, all driven with the sign of the code (positive and negative
        /// voltages).
        SignMagnitude = "sign-magnitude",
        /// Digits of the two's complement; the top step, of one bit, counts negative.
        TwosComplement = "twos-complement",
    }
}

/// How inputs are driven.
#[derive(Debug, Clone, PartialEq)]
pub struct Dac {
    /// Bits of a code without a separate sign (two's complement: with it), 1 to 8.
    pub input_bits: u32,
    /// Bits per step, 1 to `input_bits`; `ceil(input_bits / dac_bits)` steps, least significant
    /// first, the last with the bits that are left.
    pub dac_bits: u32,
    /// Digits of signed codes; `None`: no code is negative.
    pub signs: Option<InputSigns>,
    /// Drive of every digit of a step instead of the digit itself (`2^dac_bits` values), in units of
    /// one level.
    pub table: Option<Curve>,
    /// The steps' currents are added up in the analog domain, weighted by place, and converted
    /// once: one sum whose drive is the weighted sum of the steps' drives. Every step is a read of
    /// its own, with a cell's noise independent of the other steps': what the sum sees of it has the
    /// variance of a cell times `sum over t: place_t^2 drive_t^2`.
    pub analog_sum: bool,
}

impl Dac {
    /// Steps.
    pub fn steps(&self) -> usize {
        self.input_bits.div_ceil(self.dac_bits) as usize
    }

    /// Conversions of a column for one input: steps, or 1 with an analog sum.
    pub fn conversions(&self) -> usize {
        match self.analog_sum {
            true => 1,
            false => self.steps(),
        }
    }

    /// Whether several steps are added up before a conversion.
    pub fn adds_steps(&self) -> bool {
        self.analog_sum && self.steps() > 1
    }

    /// Bits of step `t`.
    pub fn step_bits(&self, t: usize) -> u32 {
        self.dac_bits
            .min(self.input_bits - t as u32 * self.dac_bits)
    }

    /// Place value of step `t`, with its sign.
    pub fn place(&self, t: usize) -> i32 {
        let value = 1 << (t as u32 * self.dac_bits);
        match self.signs {
            Some(InputSigns::TwosComplement) if t + 1 == self.steps() => {
                // The top digit of a two's complement counts `digit - 2^bits` when its top bit is
                // set; with one bit per step that is the place value with its sign turned.
                if self.step_bits(t) == 1 {
                    -value
                } else {
                    value
                }
            }
            _ => value,
        }
    }

    /// Codes that can be driven; others are limited to them.
    pub fn codes(&self) -> RangeInclusive<i32> {
        let top = (1 << self.input_bits) - 1;
        let half = 1 << (self.input_bits - 1);
        match self.signs {
            None => 0..=top,
            Some(InputSigns::SignMagnitude) => -top..=top,
            Some(InputSigns::TwosComplement) => -half..=half - 1,
        }
    }

    /// Digit of a code in step `t`, and its sign.
    fn digit(&self, code: i32, t: usize) -> (u32, f32) {
        let codes = self.codes();
        let code = code.clamp(*codes.start(), *codes.end());
        let (bits, sign) = match self.signs {
            Some(InputSigns::TwosComplement) => (code.cast_unsigned(), 1.0),
            _ if code < 0 => (code.unsigned_abs(), -1.0),
            _ => (code.unsigned_abs(), 1.0),
        };
        let shift = t as u32 * self.dac_bits;
        (bits >> shift & ((1 << self.step_bits(t)) - 1), sign)
    }

    /// Drive of a digit without sign, in units of one level.
    pub fn of_digit(&self, digit: u32) -> f32 {
        match &self.table {
            Some(table) => table[digit as usize],
            None => digit as f32,
        }
    }

    /// Drive of a code in step `t`.
    pub fn of_step(&self, code: i32, t: usize) -> f32 {
        let (digit, sign) = self.digit(code, t);
        sign * self.of_digit(digit)
    }

    /// Closed form: the drives that conversion `t` sees, that of its step, or those of all steps, weighted by
    /// place, that are added up before it.
    pub fn exact(&self, code: i32, t: usize) -> Vec<f64> {
        let weighted = |t| f64::from(self.place(t)) * f64::from(self.of_step(code, t));
        match self.analog_sum {
            true => (0..self.steps()).map(weighted).collect(),
            false => vec![self.of_step(code, t).into()],
        }
    }

    /// What a cell's conductance is multiplied by in conversion `t`.
    pub fn of_conversion(&self, code: i32, t: usize) -> f32 {
        match self.analog_sum {
            true => self.exact(code, t).iter().sum::<f64>() as f32,
            false => self.of_step(code, t),
        }
    }

    /// Sum of the squares of the drives that conversion `t` sees: what the variance of a cell's read is
    /// multiplied by.
    pub fn square(&self, code: i32, t: usize) -> f32 {
        let squares = self.exact(code, t).into_iter().map(|d| d.powi(2));
        squares.sum::<f64>() as f32
    }

    /// Largest magnitude of what one conversion's sum sees per unit of conductance.
    pub fn most(&self) -> f32 {
        let top = |t: usize| self.of_digit((1 << self.step_bits(t)) - 1);
        let steps = 0..self.steps();
        match self.analog_sum {
            true => steps
                .map(|t| self.place(t).unsigned_abs() as f32 * top(t))
                .sum(),
            false => steps.map(top).fold(0.0, f32::max),
        }
    }

    /// Whether the fields fit together. A two's complement needs one bit in its top step.
    pub fn is_possible(&self) -> bool {
        (1..=8).contains(&self.input_bits)
            && (1..=self.input_bits).contains(&self.dac_bits)
            && (self.signs != Some(InputSigns::TwosComplement)
                || self.step_bits(self.steps() - 1) == 1)
            && self
                .table
                .as_ref()
                .is_none_or(|t| t.len() == 1 << self.dac_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dac(signs: Option<InputSigns>, table: Option<Curve>, analog_sum: bool) -> Dac {
        Dac {
            input_bits: 4,
            dac_bits: 2,
            signs,
            table,
            analog_sum,
        }
    }

    /// 13 is 1 + 4 * 3; -13 too, with its sign; codes beyond the bits are limited.
    #[test]
    fn drives_of_steps_and_of_their_sum() {
        let signed = Some(InputSigns::SignMagnitude);
        let steps = |dac: &Dac, code| [dac.exact(code, 0), dac.exact(code, 1)].concat();
        assert_eq!(steps(&dac(None, None, false), 13), [1.0, 3.0]);
        assert_eq!(steps(&dac(signed, None, false), -13), [-1.0, -3.0]);
        assert_eq!(steps(&dac(None, None, false), 99), [3.0, 3.0]);
        let table: Curve = [0.0, 0.5, 2.0, 4.0].into();
        assert_eq!(
            steps(&dac(signed, Some(table.clone()), false), -13),
            [-0.5, -4.0]
        );
        let sum = dac(signed, Some(table), true);
        assert_eq!(sum.exact(-13, 0), [-0.5, -16.0]);
        assert_eq!(sum.of_conversion(-13, 0), -16.5);
        assert_eq!(sum.square(-13, 0), 0.25 + 256.0);
    }

    /// The top bit of a two's complement counts negative, in steps of one bit.
    #[test]
    fn twos_complements_add_up_to_their_codes() {
        let dac = Dac {
            dac_bits: 1,
            ..dac(Some(InputSigns::TwosComplement), None, true)
        };
        for code in -8..8 {
            assert_eq!(dac.exact(code, 0).iter().sum::<f64>(), f64::from(code));
        }
    }
}
