//! Integral non-linearity of a converter: the distance of its thresholds from a straight line, in codes.
//! The distance of the code nearest to the scaled sum is added to the sum before it is rounded,
//!
//! ```text
//! s' = s + inl[clamp(round(s), lo, hi) - lo]
//! ```

use super::{CodeRange, ConverterEffect, Curve, Numbers};

/// Integral non-linearity; the default has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inl {
    /// In codes, one value per code from the lowest on. Only where all slices have the same codes.
    pub by_code: Option<Curve>,
}

impl Inl {
    /// With these values, lowest code first.
    pub fn new(by_code: impl Into<Curve>) -> Self {
        Self {
            by_code: Some(by_code.into()),
        }
    }
}

impl ConverterEffect for Inl {
    fn name(&self) -> &'static str {
        "inl"
    }

    fn is_off(&self) -> bool {
        self.by_code.is_none()
    }

    fn fits(&self, codes: &[CodeRange]) -> bool {
        let fits = |inl: &Curve| {
            codes
                .iter()
                .all(|c| *c == codes[0] && c.count() == inl.len())
        };
        self.by_code.as_ref().is_none_or(fits)
    }

    fn exact(&self, codes: CodeRange, scaled: f64, _: f64) -> f64 {
        let bend = |inl: &Curve| f64::from(inl[codes.nearest(scaled)]);
        scaled + self.by_code.as_ref().map_or(0.0, bend)
    }

    fn on_cpu(&self, codes: CodeRange, scaled: &mut [f32], _: &[f32]) {
        let Some(inl) = &self.by_code else { return };
        let [lo, hi] = [codes.lo, codes.hi].map(|code| code as f32);
        for s in scaled {
            let nearest = s.round_ties_even().max(lo).min(hi);
            *s += inl[(nearest - lo) as usize];
        }
    }

    fn in_shader(&self, n: &mut Numbers) {
        n.flag("HAS_INL", !self.is_off());
        n.curve(["by_code_at", "by_code_len"], self.by_code.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest code bends the sum, ties to even, and codes beyond the ends are the ends.
    #[test]
    fn the_nearest_code_bends_the_sum() {
        let inl = Inl::new([0.5, 0.0, -0.25]);
        let codes = CodeRange { lo: -1, hi: 1 };
        let cases = [
            (-9.0, -8.5),
            (-0.5, -0.5),
            (0.25, 0.25),
            (0.75, 0.5),
            (3.0, 2.75),
        ];
        for (s, want) in cases {
            assert_eq!(inl.exact(codes, s, 0.0), want);
            let mut sums = [s as f32];
            inl.on_cpu(codes, &mut sums, &[]);
            assert_eq!(f64::from(sums[0]), want);
        }
        assert!(inl.fits(&[codes]) && !inl.fits(&[codes, CodeRange { lo: -1, hi: 0 }]));
    }
}
