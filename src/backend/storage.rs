//! Rounding of values that are kept in halves ([`Storage::F16`](crate::program::Storage)): the twin of
//! `shaders/shared/half.wgsl`.
//!
//! # Theory
//! IEEE 754 binary16 has 11 significant bits from `2^-14` on and steps of `2^-24` below. Rounding to
//! the nearest, ties to even, moves a value by at most `2^-11` of it, or `2^-25`. What is beyond the
//! largest half, infinity included, becomes the largest half: a conductance that cannot be kept must
//! not turn sums into infinities. What is no number stays none.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

/// Largest finite half.
pub const LARGEST: f32 = 65_504.0;

/// Values that are converted at once: they stay in the nearest cache.
const PART: usize = 256;

/// The nearest halves.
///
/// # Panics
/// When the slices differ in length.
pub fn round(values: &[f32], halves: &mut [u16]) {
    assert_eq!(values.len(), halves.len());
    let mut limited = [0.0f32; PART];
    for (values, halves) in values.chunks(PART).zip(halves.chunks_mut(PART)) {
        let limited = &mut limited[..values.len()];
        for (to, v) in limited.iter_mut().zip(values) {
            *to = v.clamp(-LARGEST, LARGEST);
        }
        let halves = halves.reinterpret_cast_mut::<f16>();
        halves.convert_from_f32_slice(limited);
    }
}

/// The values of halves, exactly.
///
/// # Panics
/// When the slices differ in length.
pub fn expand(halves: &[u16], values: &mut [f32]) {
    halves
        .reinterpret_cast::<f16>()
        .convert_to_f32_slice(values);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};

    fn rounded(v: f32) -> u16 {
        let mut out = [0];
        round(&[v], &mut out);
        out[0]
    }

    /// Value of a half by its definition.
    fn value(half: u16) -> f64 {
        let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
        let magnitude = match exponent {
            0 => fraction * (-24f64).exp2(),
            e => (1024.0 + fraction) * f64::from(e - 25).exp2(),
        };
        if half >> 15 == 1 {
            -magnitude
        } else {
            magnitude
        }
    }

    /// The nearest half of a finite value, in `f64`: steps of `2^(e - 10)`, `e` the exponent, at least -14.
    fn nearest(v: f64) -> f64 {
        let exponent = v.abs().log2().floor().clamp(-14.0, 15.0);
        let step = (exponent - 10.0).exp2();
        let limit = f64::from(LARGEST);
        ((v / step).round_ties_even() * step).clamp(-limit, limit)
    }

    /// Every finite half, and the middle between it and the next, and the neighbours of that middle.
    #[test]
    fn halves_and_the_ties_between_them() {
        for half in (0..0x7c00u16).flat_map(|h| [h, h | 0x8000]) {
            let v = value(half);
            let mut back = [0.0];
            expand(&[half], &mut back);
            assert_eq!(f64::from(back[0]), v);
            assert_eq!(rounded(v as f32), half, "{v}");
            if half & 0x7fff == 0x7bff {
                continue;
            }
            // 12 significant bits: exact in `f32`.
            let middle = (0.5 * (v + value(half + 1))) as f32;
            let even = half + (half & 1);
            assert_eq!(rounded(middle), even, "between {v} and the next");
            assert_eq!(rounded(f32::from_bits(middle.to_bits() - 1)), half);
            assert_eq!(rounded(f32::from_bits(middle.to_bits() + 1)), half + 1);
        }
    }

    #[test]
    fn beyond_the_largest_is_the_largest() {
        for v in [LARGEST, 65_519.0, 65_520.0, 1e9, f32::MAX, f32::INFINITY] {
            assert_eq!((rounded(v), rounded(-v)), (0x7bff, 0xfbff), "{v}");
        }
        let mut back = [0.0];
        expand(&[rounded(f32::NAN)], &mut back);
        assert!(back[0].is_nan());
        // Below half of the smallest step.
        for v in [0.0, 1e-45, f32::MIN_POSITIVE, 2.9e-8] {
            assert_eq!((rounded(v), rounded(-v)), (0, 0x8000), "{v}");
        }
    }

    /// Random values of all magnitudes, in slices that are no multiple of anything.
    #[test]
    fn random_values_are_those_of_the_definition() {
        let stream = Stream::new(3, Purpose::CellProgram, 0, 0, 0);
        for n in [1, 7, 255, 256, 257, 5_000] {
            let mut z = vec![0.0; n];
            stream.fill_normals(n as u32, &mut z);
            for (i, z) in z.iter_mut().enumerate() {
                *z *= ((i % 50) as f32 - 30.0).exp2();
            }
            let mut halves = vec![0; n];
            round(&z, &mut halves);
            let mut back = vec![0.0; n];
            expand(&halves, &mut back);
            for (v, back) in z.iter().zip(back) {
                assert_eq!(f64::from(back), nearest(f64::from(*v)), "{v}");
                let (v, back) = (f64::from(*v), f64::from(back));
                let limit = (v.abs() * (-11f64).exp2()).max((-25f64).exp2());
                assert!((v - back).abs() <= limit || v.abs() > f64::from(LARGEST));
            }
        }
    }
}
