//! From a quantized map to what drives the rows: codes, then one map per conversion.

use crate::backend::cpu::simd::{Isa, Kernel, Simd};
use crate::program::{Dac, InputSigns};

/// Largest magnitude of a code.
const MOST: i32 = 255;

/// How codes become drives.
#[derive(Debug, Clone)]
pub(super) struct Drive {
    dac: Dac,
    /// Lowest and highest code.
    limits: (i32, i32),
    /// With a table: the drive of every code from `-MOST` on, one table per conversion.
    tables: Vec<Vec<f32>>,
    /// Where steps are added up before the conversion: by code, the sum of the squares of their weighted
    /// drives, each of which meets noise of its own.
    squares: Option<Vec<f32>>,
}

impl Drive {
    pub fn new(dac: &Dac) -> Self {
        let top = (1 << dac.input_bits) - 1;
        let limits = match dac.signs {
            None => (0, top),
            Some(InputSigns::SignMagnitude) => (-top, top),
            Some(InputSigns::TwosComplement) => {
                let half = 1 << (dac.input_bits - 1);
                (-half, half - 1)
            }
        };
        let mut drive = Self {
            dac: dac.clone(),
            limits,
            tables: Vec::new(),
            squares: None,
        };
        let codes = || -MOST..=MOST;
        if dac.table.is_some() {
            let tables =
                (0..dac.conversions()).map(|t| codes().map(|code| drive.of(code, t)).collect());
            drive.tables = tables.collect();
        }
        if dac.adds_steps() {
            drive.squares = Some(codes().map(|code| drive.square(code)).collect());
        }
        drive
    }

    /// Digit of step `t` and its sign.
    fn digit(&self, code: i32, t: usize) -> (u32, f32) {
        let code = code.clamp(self.limits.0, self.limits.1);
        let (magnitude, sign) = match self.dac.signs {
            Some(InputSigns::TwosComplement) => (code as u32, 1.0),
            _ if code < 0 => (code.unsigned_abs(), -1.0),
            _ => (code.unsigned_abs(), 1.0),
        };
        let shift = t as u32 * self.dac.dac_bits;
        let digit = magnitude >> shift & ((1 << self.dac.step_bits(t)) - 1);
        (digit, sign)
    }

    /// Drive of step `t`.
    fn of_step(&self, code: i32, t: usize) -> f32 {
        let (digit, sign) = self.digit(code, t);
        let drive = match &self.dac.table {
            Some(table) => table[digit as usize],
            None => digit as f32,
        };
        sign * drive
    }

    /// Drive of conversion `t`.
    fn of(&self, code: i32, t: usize) -> f32 {
        match self.dac.analog_sum {
            true => {
                let steps = 0..self.dac.steps();
                let part = |t| f64::from(self.dac.place(t)) * f64::from(self.of_step(code, t));
                steps.map(part).sum::<f64>() as f32
            }
            false => self.of_step(code, t),
        }
    }

    /// Squares of the weighted drives of all steps, added up.
    fn square(&self, code: i32) -> f32 {
        let steps = 0..self.dac.steps();
        let part = |t| f64::from(self.dac.place(t)) * f64::from(self.of_step(code, t));
        steps.map(|t| part(t).powi(2)).sum::<f64>() as f32
    }

    /// What the variances of cells are multiplied by in a conversion with these codes and drives.
    pub fn squares(&self, codes: &[f32], drives: &[f32], out: &mut [f32]) {
        match &self.squares {
            Some(table) => look_up(table, codes, out),
            None => out.iter_mut().zip(drives).for_each(|(o, d)| *o = d * d),
        }
    }

    /// What the deviates of cells are multiplied by: the drives, or where steps are added up the roots of
    /// [`Drive::squares`].
    pub fn amplitudes(&self, codes: &[f32], drives: &[f32], out: &mut [f32]) {
        match &self.squares {
            Some(table) => {
                look_up(table, codes, out);
                out.iter_mut().for_each(|o| *o = o.sqrt());
            }
            None => out.copy_from_slice(drives),
        }
    }

    /// Codes of a map that holds multiples of `step`.
    pub fn codes(&self, isa: Isa, step: f32, x: &[f32], out: &mut [f32]) {
        if step <= 0.0 {
            return out.fill(0.0);
        }
        let (lo, hi) = (self.limits.0 as f32, self.limits.1 as f32);
        isa.run(Codes {
            step,
            lo,
            hi,
            x,
            out,
        });
    }

    /// Drives of conversion `t`.
    pub fn drives(&self, isa: Isa, t: usize, codes: &[f32], out: &mut [f32]) {
        match self.tables.get(t) {
            Some(table) => look_up(table, codes, out),
            // The weighted sum of the digits is the code.
            None if self.dac.analog_sum => out.copy_from_slice(codes),
            None => isa.run(Digits {
                shift: t as u32 * self.dac.dac_bits,
                mask: (1 << self.dac.step_bits(t)) - 1,
                magnitude: self.dac.signs == Some(InputSigns::SignMagnitude),
                codes,
                out,
            }),
        }
    }
}

/// Values of codes in a table that begins at `-MOST`.
fn look_up(table: &[f32], codes: &[f32], out: &mut [f32]) {
    for (o, &c) in out.iter_mut().zip(codes) {
        *o = table[(c as i32 + MOST) as usize];
    }
}

struct Codes<'a> {
    step: f32,
    lo: f32,
    hi: f32,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Codes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (o, &x) in self.out.iter_mut().zip(self.x) {
            *o = (x / self.step).round_ties_even().max(self.lo).min(self.hi);
        }
    }
}

struct Digits<'a> {
    shift: u32,
    mask: i32,
    /// Digits of the magnitude with the code's sign, else of the two's complement (which a code
    /// that is not negative is too).
    magnitude: bool,
    codes: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Digits<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (o, &c) in self.out.iter_mut().zip(self.codes) {
            let code = c as i32;
            let bits = if self.magnitude { code.abs() } else { code };
            let digit = (bits >> self.shift & self.mask) as f32;
            *o = if self.magnitude && code < 0 {
                -digit
            } else {
                digit
            };
        }
    }
}
