//! Local tuning: what a layer does with an estimate of the common deviation.
//!
//! A correction of a layer's output `y' = W' x` is linear in its inputs, so it is exactly a
//! correction of the effective weights, `w_hat = gain (w' - offset full)` with `full` the largest
//! magnitude the code can represent: `gain` folds into an existing scale, `offset full S` is the
//! sum of the inputs `S` times a constant. The simulator applies it to the weights
//! ([`crate::program::Fabricate`]); [`operations_per_image`] says what the digital
//! hardware would pay.

use crate::program::{ConvGeometry, Law, Mapping};

/// A layer's digital correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// Factor on the output.
    pub gain: f64,
    /// Multiple of `full * S` subtracted before the gain.
    pub offset: f64,
}

/// No correction.
pub const NONE: Correction = Correction {
    gain: 1.0,
    offset: 0.0,
};

/// The correction that undoes a common deviation `e` (docs/MODEL.md 6), by law and mapping:
///
/// | | ideal | differential | offset, digital | offset, column |
/// |---|---|---|---|---|
/// | proportional | gain | gain | gain and offset `e (1+g)/(1-g)` | gain |
/// | fixed | offset `e` | nothing: it cancels | offset `2 e` | nothing: it cancels |
///
/// with gain `1 / max(1 + e, floor)` and `g = g_min`: under the proportional law a digitally
/// subtracted offset leaves the deviation of the mid-range conductance itself.
pub fn correction(law: Law, mapping: Mapping, e: f64, floor: f64) -> Correction {
    let gain = 1.0 / (1.0 + e).max(floor);
    match (law, mapping) {
        (Law::WeightProportional, Mapping::Offset { g_min, copies: 0 }) => {
            let g = f64::from(g_min);
            Correction {
                gain,
                offset: e * (1.0 + g) / (1.0 - g),
            }
        }
        (Law::WeightProportional, _) => Correction { gain, offset: 0.0 },
        (Law::LayerFixed, Mapping::Ideal) => Correction {
            gain: 1.0,
            offset: e,
        },
        (Law::LayerFixed, Mapping::Offset { copies: 0, .. }) => Correction {
            gain: 1.0,
            offset: 2.0 * e,
        },
        (Law::LayerFixed, Mapping::Differential { .. } | Mapping::Offset { .. }) => NONE,
    }
}

/// Digital additions and multiplications per image of a layer's correction. A gain folds into the
/// dequantization scale and costs nothing. An offset needs the sum `S` of every patch (a channel
/// sum map, then a `kh x kw` box filter) and one multiply-accumulate per output value.
pub fn operations_per_image(geo: &ConvGeometry, c: Correction) -> u64 {
    if c.offset == 0.0 {
        return 0;
    }
    let pixels = (geo.h_in * geo.w_in) as u64;
    let outputs = (geo.h_out() * geo.w_out()) as u64;
    let per_group = (geo.c_in / geo.groups) as u64;
    let sums = pixels * (per_group - 1) + outputs * ((geo.kh * geo.kw) as u64 - 1);
    sums * geo.groups as u64 + 2 * outputs * geo.c_out as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deviated weight without within-chip noise, written from the definition of the conductances.
    fn deviated(law: Law, mapping: Mapping, w: f64, full: f64, e: f64) -> f64 {
        let dev = |g: f64, span: f64| match law {
            Law::WeightProportional => g * (1.0 + e),
            Law::LayerFixed => g + span * e,
        };
        match mapping {
            Mapping::Ideal => match law {
                Law::WeightProportional => w * (1.0 + e),
                Law::LayerFixed => w + full * e,
            },
            Mapping::Differential { g_min } => {
                let g = f64::from(g_min);
                let k = full / (1.0 - g);
                let cell = |x: f64| g + (1.0 - g) * x.max(0.0);
                k * (dev(cell(w / full), 1.0 - g) - dev(cell(-w / full), 1.0 - g))
            }
            Mapping::Offset { g_min, copies } => {
                let g = f64::from(g_min);
                let k = 2.0 * full / (1.0 - g);
                let cell = g + (1.0 - g) * (w / full + 1.0) / 2.0;
                let mid = (1.0 + g) / 2.0;
                let reference = if copies > 0 { dev(mid, 1.0 - g) } else { mid };
                k * (dev(cell, 1.0 - g) - reference)
            }
        }
    }

    #[test]
    fn a_correction_with_the_true_deviation_restores_every_weight() {
        let mappings = [
            Mapping::Ideal,
            Mapping::Differential { g_min: 0.1 },
            Mapping::Offset {
                g_min: 0.05,
                copies: 0,
            },
            Mapping::Offset {
                g_min: 0.05,
                copies: 3,
            },
        ];
        for law in [Law::WeightProportional, Law::LayerFixed] {
            for mapping in mappings {
                for e in [-0.4, -0.01, 0.0, 0.3, 0.9] {
                    let c = correction(law, mapping, e, 0.1);
                    for w in [-0.5, -0.2, 0.0, 0.1, 0.5] {
                        let seen = deviated(law, mapping, w, 0.5, e);
                        let restored = c.gain * (seen - c.offset * 0.5);
                        // f32 g_min: relative 6e-8.
                        assert!(
                            (restored - w).abs() < 1e-6,
                            "{law:?} {mapping:?} e={e} w={w}: {restored}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_floor_bounds_the_gain() {
        let c = correction(Law::WeightProportional, Mapping::Ideal, -1.5, 0.2);
        assert_eq!(c.gain, 5.0);
    }

    #[test]
    fn offset_work_is_a_box_filter_and_one_mac_per_output() {
        let geo = ConvGeometry {
            c_in: 3,
            h_in: 8,
            w_in: 8,
            c_out: 5,
            kh: 3,
            kw: 3,
            stride: [1; 2],
            dilation: [1; 2],
            pad: [1; 4],
            groups: 1,
        };
        let c = Correction {
            gain: 1.0,
            offset: 0.1,
        };
        assert_eq!(operations_per_image(&geo, c), 64 * 2 + 64 * 8 + 2 * 64 * 5);
        assert_eq!(operations_per_image(&geo, NONE), 0);
    }
}
