//! How a cell's own deviation depends on what it holds.

use toml::de::DeValue;

use super::chip::{Curve, pieces};
use super::rule::{Allowed, Any, Read, Rule, either};
use crate::choice::{Choice, choices};
use crate::effects::Profile;

choices! {
    /// Profiles with a name.
    pub enum KnownProfile {
        /// The same for all.
        Flat = "flat",
        /// Phase-change memory, one device up to 52.5 uS and two in parallel above, of 180 uS together: the noise that
        /// the analog foundation models of IBM are evaluated with (their public code, `apply_noise_model.py`), as a
        /// share of 180 uS, so that sigma_w = 1 is that law. Below 0.6 uS nothing deviates. There, a full scale is the
        /// largest weight of an output channel: `quantize.per_channel`.
        PcmTwoDevices = "pcm-two-devices",
        /// RRAM1 of arXiv 2305.14561: weights of eight bits in four cells of two bits, whose deviations have a
        /// standard deviation of sigma_w each, so `sigma_w sqrt(1 + 4^2 + 4^4 + 4^6)/(1 + 4 + 16 + 64)` in all.
        NeftRram1 = "neft-rram1",
        /// FeFET2 of the same source: that of RRAM1 times `s/sqrt(0.4 s^2 + 0.6)`, s = 2, between a quarter and three
        /// quarters of the full scale, and times `1/sqrt(0.4 s^2 + 0.6)` elsewhere.
        NeftFefet2 = "neft-fefet2",
        /// RRAM4 of the same source: s = 4.
        NeftRram4 = "neft-rram4",
        /// FeFET6 of the same source: s = 6.
        NeftFefet6 = "neft-fefet6",
    }
}

/// Factor on sigma_w by the magnitude of a weight, or by the target of a cell, from 0 to 1.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum SigmaProfile {
    /// One with a name.
    Known(KnownProfile),
    /// Any.
    Curve(Curve),
}

impl SigmaProfile {
    /// The same for all.
    pub const FLAT: Self = Self::Known(KnownProfile::Flat);

    /// Factor at a relative conductance.
    pub fn at(&self, g: f64) -> f64 {
        match self {
            Self::Curve(curve) => curve.at(g),
            Self::Known(known) => known.at(g),
        }
    }

    /// For operators; none where it is the same for all.
    pub fn profile(&self) -> Option<Profile> {
        let pieces = match self {
            Self::Curve(curve) => curve.pieces(),
            Self::Known(KnownProfile::Flat) => return None,
            Self::Known(KnownProfile::PcmTwoDevices) => {
                pieces(two_devices, two_devices, &PCM_STEPS.map(|g| g / PCM_FULL))
            }
            Self::Known(known) => known.by_band().pieces(),
        };
        let single = |piece: &[f64; 2]| piece.map(|v| v as f32);
        Some(Profile::new(pieces.iter().map(single).collect()))
    }

    /// `sigma_w` times the factor, at equally spaced conductances.
    pub fn sampled(&self, sigma_w: f64) -> Vec<f64> {
        Curve::Constant(1.0).sampled_with(|g| sigma_w * self.at(g))
    }

    /// Whether it is of whole weights, however many cells hold one.
    pub(in crate::config) fn is_of_whole_weights(&self) -> bool {
        match self {
            Self::Known(
                KnownProfile::NeftRram1
                | KnownProfile::NeftFefet2
                | KnownProfile::NeftRram4
                | KnownProfile::NeftFefet6,
            ) => true,
            Self::Known(KnownProfile::Flat | KnownProfile::PcmTwoDevices) | Self::Curve(_) => false,
        }
    }
}

impl KnownProfile {
    fn at(self, g: f64) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::PcmTwoDevices => two_devices(g),
            Self::NeftRram1 | Self::NeftFefet2 | Self::NeftRram4 | Self::NeftFefet6 => {
                self.by_band().at(g)
            }
        }
    }

    /// The devices of arXiv 2305.14561.
    fn by_band(self) -> Curve {
        let s: f64 = match self {
            Self::Flat | Self::PcmTwoDevices | Self::NeftRram1 => 1.0,
            Self::NeftFefet2 => 2.0,
            Self::NeftRram4 => 4.0,
            Self::NeftFefet6 => 6.0,
        };
        // Cells of 1, 4, 16 and 64 times the value of the lowest.
        let cells = f64::sqrt(1.0 + 16.0 + 256.0 + 4096.0) / (1.0 + 4.0 + 16.0 + 64.0);
        let outside = cells / (0.4 * s * s + 0.6).sqrt();
        let inside = outside * s;
        Curve::Points(vec![
            [0.0, outside],
            [0.25, outside],
            [0.25, inside],
            [0.75, inside],
            [0.75, outside],
            [1.0, outside],
        ])
    }
}

/// Conductance of the largest weight of the phase-change memory, uS.
const PCM_FULL: f64 = 180.0;
/// Where its law steps: below the first nothing deviates, above the second there are two devices, uS.
const PCM_STEPS: [f64; 2] = [0.6, 52.5];

/// The standard deviation of [`KnownProfile::PcmTwoDevices`] relative to [`PCM_FULL`].
fn two_devices(g: f64) -> f64 {
    let g = g * PCM_FULL;
    let [least, one] = PCM_STEPS;
    let by_power = match (g < least, g <= one) {
        (true, _) => return 0.0,
        (false, true) => [2.939751381e-5, -3.71581208e-3, 2.2419685954e-1, 2.579741066],
        (false, false) => [
            1.2329755395e-5,
            -3.0549934e-3,
            2.45348711989e-1,
            2.110295720,
        ],
    };
    by_power.iter().fold(0.0, |sum, c| sum * g + c) / PCM_FULL
}

impl Rule<SigmaProfile> for Any {
    fn read(&self, value: &DeValue) -> Read<SigmaProfile> {
        match value.as_str() {
            Some(_) => Rule::<KnownProfile>::read(&Any, value).map(SigmaProfile::Known),
            None => Rule::<Curve>::read(&Any, value).map(SigmaProfile::Curve),
        }
    }

    fn allowed(&self) -> Allowed {
        let known = Rule::<KnownProfile>::allowed(&Any);
        let names = known.names.clone();
        Allowed {
            kind: "profile".into(),
            names,
            ..either(&known, &Rule::<Curve>::allowed(&Any))
        }
    }
}

/// Names that there are, as in messages.
pub(in crate::config) fn for_single_cells() -> String {
    let names = KnownProfile::ALL.iter();
    let single = names.filter(|known| !SigmaProfile::Known(**known).is_of_whole_weights());
    let names: Vec<String> = single
        .map(|known| format!("{:?}", known.as_str()))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_change_memory_deviates_as_its_source_says() {
        let known = SigmaProfile::Known(KnownProfile::PcmTwoDevices);
        let profile = known.profile().unwrap();
        // uS: five digits of the source's polynomials.
        let values = [
            (0.5, 0.0),
            (1.0, 2.80025),
            (10.0, 4.47953),
            (50.0, 8.17474),
            (52.5, 8.36228),
            (53.0, 8.36792),
            (100.0, 8.42499),
            (180.0, 19.19841),
        ];
        for (g, sigma) in values {
            let at = PCM_FULL * known.at(g / PCM_FULL);
            assert!((at - sigma).abs() <= 0.5e-5 + 1e-9, "{g}: {at}");
            // The pieces are chords of 0.18 uS, of a second derivative below 0.01; where the law steps, within one.
            let bar = if g == 52.5 { 0.01 } else { 1e-4 };
            let at = PCM_FULL * profile.exact(g / PCM_FULL);
            assert!((at - sigma).abs() < bar, "{g}: {at}");
        }
    }

    #[test]
    fn devices_of_two_bits_deviate_as_their_source_says() {
        let flat = 66.098_411_478_643_27 / 85.0;
        for (known, s) in [
            (KnownProfile::NeftRram1, 1.0),
            (KnownProfile::NeftFefet2, 2.0),
            (KnownProfile::NeftRram4, 4.0),
            (KnownProfile::NeftFefet6, 6.0f64),
        ] {
            let known = SigmaProfile::Known(known);
            let profile = known.profile().unwrap();
            let usual = flat / (0.4 * s * s + 0.6).sqrt();
            for code in 0..=127 {
                let g = f64::from(code) / 127.0;
                let want = if g > 0.25 && g < 0.75 { s } else { 1.0 } * usual;
                assert!((known.at(g) - want).abs() < 1e-12, "{known:?} {code}");
                assert!((profile.exact(g) - want).abs() < 1e-6, "{known:?} {code}");
                assert_eq!(profile.at(g as f32)[1], 0.0);
            }
        }
        assert!(SigmaProfile::FLAT.profile().is_none());
    }
}
