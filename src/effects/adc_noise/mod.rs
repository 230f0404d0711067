//! Thermal noise of a converter: every conversion adds a deviate of its own
//! ([`Purpose::AdcNoise`]) to the scaled sum,
//!
//! ```text
//! s' = s + sigma z
//! ```
//! Where the read noise of the sum is drawn once a conversion, both have one deviate: [`super::sum_noise`].

use super::{CodeRange, ConverterEffect, Numbers};
use crate::random::Purpose;
use crate::vector::wide;

/// Thermal noise; the default has none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AdcNoise {
    /// Standard deviation in codes.
    pub sigma: f32,
}

impl ConverterEffect for AdcNoise {
    fn name(&self) -> &'static str {
        "adc_noise"
    }

    fn is_off(&self) -> bool {
        self.sigma == 0.0
    }

    fn draws(&self) -> Option<Purpose> {
        Some(Purpose::AdcNoise)
    }

    fn adds(&self) -> Option<f32> {
        Some(self.sigma)
    }

    fn exact(&self, _: CodeRange, scaled: f64, z: f64) -> f64 {
        scaled + f64::from(self.sigma) * z
    }

    fn on_cpu(&self, _: CodeRange, scaled: &mut [f32], z: &[f32]) {
        let sigma = self.sigma;
        wide(|| {
            let sums = scaled.iter_mut().zip(z);
            sums.for_each(|(s, z)| *s += sigma * z);
        });
    }

    fn in_shader(&self, n: &mut Numbers) {
        n.flag("HAS_ADC_NOISE", !self.is_off());
        n.f32("sigma", self.sigma);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_sigma_times_the_deviate() {
        let noise = AdcNoise { sigma: 0.5 };
        let codes = CodeRange { lo: -3, hi: 3 };
        assert_eq!(noise.exact(codes, 1.25, -2.0), 0.25);
        let mut sums = [1.25, 2.0];
        noise.on_cpu(codes, &mut sums, &[-2.0, 1.0]);
        assert_eq!(sums, [0.25, 2.5]);
    }
}
