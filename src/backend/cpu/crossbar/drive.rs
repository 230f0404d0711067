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
    limits: [f32; 2],
    /// With a table: the drive of every code from `-MOST` on, one table per conversion.
    tables: Vec<Vec<f32>>,
    /// Where steps are added up before the conversion: by code, the sum of the squares of their weighted
    /// drives, each of which meets noise of its own.
    squares: Option<Vec<f32>>,
}

impl Drive {
    pub fn new(dac: &Dac) -> Self {
        let codes = || -MOST..=MOST;
        let conversion = |t| codes().map(|code| dac.of_conversion(code, t)).collect();
        let tabulated = dac.table.as_ref().map(|_| 0..dac.conversions());
        let squares = || codes().map(|code| dac.square(code, 0)).collect();
        let (lo, hi) = dac.codes().into_inner();
        Self {
            limits: [lo, hi].map(|code| code as f32),
            tables: tabulated.into_iter().flatten().map(conversion).collect(),
            squares: dac.adds_steps().then(squares),
            dac: dac.clone(),
        }
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
        let [lo, hi] = self.limits;
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
