//! What drives the rows of arrays: input codes, step by step.

use std::sync::Arc;

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
    pub table: Option<Arc<[f32]>>,
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

    /// Largest magnitude of what one conversion's sum sees per unit of conductance.
    pub fn most(&self) -> f32 {
        let top = |t: usize| {
            let digit = (1u32 << self.step_bits(t)) - 1;
            match &self.table {
                Some(table) => table[digit as usize],
                None => digit as f32,
            }
        };
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
