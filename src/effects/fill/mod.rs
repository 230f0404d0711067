//! Fill: which part of a weight every slice is to hold, where programming begins (docs/cells.md 1).
//!
//! # Theory
//! The cells of slice `s` have the place value `p_s` and hold up to `T_s` levels; together a weight of
//! magnitude `C = sum_s p_s T_s` fits. With a pair of cells per slice, one of them at its lowest level, slice
//! `s` aims at `v_s`, and the weight is `sum_s p_s v_s`. From the highest slice `n - 1` down, with a residual
//! `r_(n-1) = q`, the code,
//!
//! ```text
//! digits         the digits of |q|, with the sign of q
//! equal-fill     v_s = q T_s / C                            the same share of the range of every slice
//! max-fill       v_s = limit(r_s/p_s, T_s)   r_(s-1) = r_s - p_s v_s
//! max-fill-ec    v_s = limit(r_s/p_s, T_s)   r_(s-1) = r_s - p_s w_s
//! ```
//!
//! where `w_s` is what the pair of slice `s` really holds after the effects of writing
//! ([`WRITE`](super::WRITE)): every slice corrects the errors of those above it. `limit(x, T)` is `x` limited
//! to `-T..T`. Of independent errors with the standard deviation `eta_s` of a slice, relative to its range,
//! a weight has, relative to `C`,
//!
//! ```text
//! eta = eta_s sqrt(sum_s (p_s T_s)^2) / C        max-fill-ec: eta_s p_0 T_0 / C, as long as nothing is limited
//! ```
//! With `n` slices of equal range and place values `b^s` the first is
//! `eta_s sqrt((b - 1)(1 + b^n) / ((1 + b)(b^n - 1)))`, with `n` slices of equal place value `eta_s/sqrt(n)`
//! (M. Le Gallo et al., Precision of bit slicing with in-memory computing based on analog phase-change memory
//! crossbars, Neuromorphic Computing and Engineering 2, 2022, doi 10.1088/2634-4386/ac4fb7, whose rules these are).

use super::Numbers;
use crate::choice::choices;
use crate::effects::Constant;

choices! {
    /// Which part of a weight every slice holds.
    #[derive(Default)]
    pub enum Fill {
        /// The digits of its code.
        #[default]
        Digits = "digits",
        /// The same share of the range of every slice.
        Equal = "equal-fill",
        /// The highest slice as much as fits, the next one the rest.
        Max = "max-fill",
        /// The highest slice as much as fits, every further one what is missing after those above it were
        /// programmed, whose errors it corrects.
        MaxCorrected = "max-fill-ec",
    }
}

/// A slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// Place value.
    pub place: f32,
    /// Highest level.
    pub top: f32,
    /// Largest magnitude of a weight that all slices hold.
    pub most: f32,
}

impl Fill {
    /// Whether slices aim at digits of codes.
    pub fn is_digits(self) -> bool {
        self == Fill::Digits
    }

    /// Whether a slice reads what was programmed before it.
    pub fn reads_programmed(self) -> bool {
        self == Fill::MaxCorrected
    }

    /// Closed form: what the pairs of cells of a code aim at, `[positive, negative]` a slice, least
    /// significant first. `written` programs a pair and tells the difference that it holds, in levels; it is
    /// asked from the highest slice down. Not for [`Fill::Digits`].
    pub fn exact(
        self,
        slices: &[Slice],
        code: i32,
        mut written: impl FnMut(usize, [f64; 2]) -> f64,
    ) -> Vec<[f64; 2]> {
        let mut aims = vec![[0.0; 2]; slices.len()];
        let mut residual = f64::from(code);
        for (s, slice) in slices.iter().enumerate().rev() {
            let [place, top, most] = [slice.place, slice.top, slice.most].map(f64::from);
            let wanted = match self {
                Fill::Equal => f64::from(code) * top / most,
                Fill::Digits | Fill::Max | Fill::MaxCorrected => residual / place,
            };
            aims[s] = [wanted, -wanted].map(|v| v.clamp(0.0, top));
            let held = match self.reads_programmed() {
                true => written(s, aims[s]),
                false => aims[s][0] - aims[s][1],
            };
            residual -= place * held;
        }
        aims
    }

    /// Vector form: what cells of one sign aim at, from the residuals of their slice.
    pub fn aims(self, slice: Slice, sign: f32, residuals: &[f32], out: &mut [f32]) {
        let factor = sign * self.factor(slice);
        for (v, r) in out.iter_mut().zip(residuals) {
            *v = (factor * r).max(0.0).min(slice.top);
        }
    }

    /// What a residual is multiplied by; with equal fill it is the code on all slices.
    fn factor(self, slice: Slice) -> f32 {
        match self {
            Fill::Equal => slice.top / slice.most,
            Fill::Digits | Fill::Max | Fill::MaxCorrected => 1.0 / slice.place,
        }
    }

    /// Vector form: residuals of the next slice down, from what the pairs of this one hold, `unit` times the
    /// difference of `cells`, in levels.
    pub fn step(self, slice: Slice, unit: f32, [plus, minus]: [&[f32]; 2], residuals: &mut [f32]) {
        if self == Fill::Equal {
            return;
        }
        let held = plus
            .iter()
            .zip(minus)
            .map(|(plus, minus)| unit * (plus - minus));
        for (r, held) in residuals.iter_mut().zip(held) {
            *r -= slice.place * held;
        }
    }

    /// Constants of its shader.
    pub fn in_shader(self, n: &mut Numbers) {
        let rule: u32 = match self {
            Fill::Digits => 0,
            Fill::Equal => 1,
            Fill::Max => 2,
            Fill::MaxCorrected => 3,
        };
        n.constant("FILL", Constant::U32(rule));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two slices of 2 bits: places 1 and 4, three levels each, 15 in all.
    fn slices() -> [Slice; 2] {
        [1.0, 4.0].map(|place| Slice {
            place,
            top: 3.0,
            most: 15.0,
        })
    }

    #[test]
    fn slices_are_filled_by_their_rules() {
        let aims = |fill: Fill, code| {
            let aims = fill.exact(&slices(), code, |_, [plus, minus]| plus - minus);
            let aims = aims.into_iter().map(|[plus, minus]| plus - minus);
            aims.collect::<Vec<f64>>()
        };
        assert_eq!(aims(Fill::Equal, 5), [1.0, 1.0]);
        assert_eq!(aims(Fill::Max, 5), [0.0, 1.25]);
        assert_eq!(aims(Fill::Max, -14), [-2.0, -3.0]);
        assert_eq!(aims(Fill::MaxCorrected, 15), [3.0, 3.0]);
    }

    /// The upper pair holds a fifth of a level too much: the lower one takes it away.
    #[test]
    fn a_slice_corrects_what_the_one_above_holds() {
        let aims = Fill::MaxCorrected.exact(&slices(), 5, |_, [plus, minus]| plus - minus + 0.2);
        assert_eq!(aims[1], [1.25, 0.0]);
        assert!(
            aims[0][0] == 0.0 && (aims[0][1] - 0.8).abs() < 1e-12,
            "{aims:?}"
        );
    }

    #[test]
    fn the_vector_form_is_the_closed_form() {
        for fill in [Fill::Equal, Fill::Max, Fill::MaxCorrected] {
            for code in -15..=15 {
                let want = fill.exact(&slices(), code, |_, [plus, minus]| 1.1 * (plus - minus));
                let mut residual = [code as f32];
                for (s, slice) in slices().into_iter().enumerate().rev() {
                    let [mut plus, mut minus] = [[0.0]; 2];
                    fill.aims(slice, 1.0, &residual, &mut plus);
                    fill.aims(slice, -1.0, &residual, &mut minus);
                    for (found, want) in [plus[0], minus[0]].into_iter().zip(want[s]) {
                        assert!((f64::from(found) - want).abs() < 1e-5, "{fill} {code}");
                    }
                    let unit = if fill.reads_programmed() { 1.1 } else { 1.0 };
                    fill.step(slice, unit, [&plus, &minus], &mut residual);
                }
            }
        }
    }
}
