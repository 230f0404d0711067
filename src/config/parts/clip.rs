//! `{ kind = "clip" }` of `train.weights`.

use super::composition::Problems;
use super::{Composition, WeightPart};
use crate::choice::choices;
use crate::config::Experiment;
use crate::config::rule::Maybe;
use crate::config::section::section;

choices! {
    /// Weights that are clipped to the same magnitude.
    pub enum ClipGroup {
        /// All of a layer.
        Layer = "layer",
        /// Those of an output channel.
        Channel = "channel",
    }
}

choices! {
    /// Weights whose range the conductances of a layer cover.
    pub enum MappingRange {
        /// The clipped ones: the largest of them takes the largest conductance.
        Clipped = "clipped",
        /// The ones before clipping (weight-constrained training, arXiv 2201.05229): quantizer steps are
        /// chosen from them, so clipped weights keep to small conductances. Needs a quantizer after it.
        Old = "old",
    }
}

section! {
    /// Part `{ kind = "clip" }` of `train.weights`: every step sees `clamp(w, -c, c)`, and so does the network
    /// that is deployed.
    ///
    /// Either `sigma`: c is so many standard deviations of the weights of the layer or channel, and the gradient
    /// knows that c depends on all of them; or `percentile`: c is the percentile of their magnitudes, and the
    /// gradient takes it for a constant. Weights that a mask before it removed do not count for a percentile.
    pub struct ClipWeights {
        /// Standard deviations that weights are clipped to; absent: `percentile` says it.
        sigma: Option<f64> = None, Maybe(0.1..=100.0);
        /// Percentile of the magnitudes that weights are clipped to.
        percentile: Option<f64> = None, Maybe(1.0..=100.0), "%";
        /// Weights with a magnitude of their own.
        per: ClipGroup = ClipGroup::Layer;
        /// Range that conductances cover.
        mapping_range: MappingRange = MappingRange::Clipped;
    }
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let Some((at, clip)) = c
        .weights
        .iter()
        .enumerate()
        .find_map(|(i, part)| match part {
            WeightPart::Clip(clip) => Some((i, clip)),
            WeightPart::Mask(_) | WeightPart::Quantize(_) => None,
        })
    else {
        return;
    };
    if clip.sigma.is_some() == clip.percentile.is_some() {
        let both = if clip.sigma.is_some() {
            "both"
        } else {
            "neither"
        };
        found.add(
            &["train.weights.clip", "train.weights"],
            format!("says {both} of sigma and percentile; allowed: one of them"),
        );
    }
    if clip.mapping_range == MappingRange::Clipped {
        return;
    }
    let quantized = c.weights[at..]
        .iter()
        .any(|p| matches!(p, WeightPart::Quantize(_)));
    if !quantized || e.quantize.weight_bits < 2 {
        let why = match quantized {
            true => "weights of one bit and unquantized ones have no range but their own",
            false => "no quantizer after it keeps the range",
        };
        found.add(
            &[
                "train.weights.clip.mapping_range",
                "train.weights.clip",
                "train.weights",
            ],
            format!(
                "\"old\": {why}; allowed: \"clipped\", or {{ kind = \"quantize\" }} after it and \
                 quantize.weight_bits from 2 to 8"
            ),
        );
    }
}
