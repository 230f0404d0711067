//! Number formats of networks, from the words of an experiment file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::parts::Composition;
use crate::config::{self, Experiment, LayerSettings, Quantize};
use crate::network::lower::{ActStep, Numerics};
use crate::program::Step;

/// Number formats while training sees quantizers, and of the trained network, whose crossbar layers are
/// `layers`; `signed_images`: whether an image can have a negative value.
pub fn numerics(
    experiment: &Experiment,
    layers: &[LayerSettings],
    signed_images: bool,
) -> Numerics {
    let usual = of(&experiment.quantize, signed_images);
    let own = layers
        .iter()
        .filter(|layer| layer.quantize != experiment.quantize);
    let own = own.map(|layer| (layer.name.clone(), of(&layer.quantize, signed_images)));
    let own: BTreeMap<String, Numerics> = own.collect();
    Numerics {
        own: (!own.is_empty()).then(|| Arc::new(own)),
        ..usual
    }
}

fn of(q: &Quantize, signed_images: bool) -> Numerics {
    let learned = q.weight_step == config::WeightStep::Lsq;
    Numerics {
        weight_bits: q.weight_bits,
        weight_step: match q.weight_step {
            config::WeightStep::MaxAbs => Some(Step::MaxAbs),
            config::WeightStep::Percentile => Some(Step::Percentile(q.weight_percentile as f32)),
            config::WeightStep::LineSearch => Some(Step::LineSearch),
            config::WeightStep::Mse => Some(Step::Mse),
            config::WeightStep::Lsq if q.weight_bits > 1 => None,
            // One bit has nothing to learn: its step is the mean magnitude.
            config::WeightStep::Lsq => Some(Step::MaxAbs),
        },
        weight_step_learned: learned,
        per_channel: q.per_channel,
        binary_per_input: q.binary_weight_group == config::BinaryWeightGroup::InputChannel,
        act_bits: q.activation_bits,
        act_step: match q.activation_step {
            config::ActivationStep::MaxAbs => ActStep::MovingMax,
            config::ActivationStep::Percentile | config::ActivationStep::Mse => ActStep::Fixed,
            config::ActivationStep::Lsq => ActStep::Learned,
        },
        act_rounding: q.activation_rounding,
        act_signed: q.activation_range == config::ActivationRange::Signed,
        straight_through: q.straight_through,
        linear_inputs: q.linear_inputs == config::LinearInputs::Quantized,
        input_bits: q.input_bits,
        signed_images,
        binary_group: q.binary_group,
        own: None,
    }
}

/// Number formats that the steps of a training see, of those that `[quantize]` says.
pub fn trained(parts: &Composition, quantized: &Numerics) -> Numerics {
    let (weights, activations) = (parts.quantizes_weights(), parts.quantizes_activations());
    let learned;
    let quantized = match parts.learned_range() {
        Some(_) => {
            learned = only(quantized, |n| Numerics {
                act_step: ActStep::Range,
                ..n.clone()
            });
            &learned
        }
        None => quantized,
    };
    match (weights, activations) {
        (true, true) => quantized.clone(),
        (false, false) => Numerics::FLOAT,
        (true, false) => only(quantized, |n| Numerics {
            act_bits: 0,
            input_bits: 0,
            act_step: ActStep::MovingMax,
            ..n.clone()
        }),
        (false, true) => only(quantized, |n| Numerics {
            weight_bits: 0,
            weight_step: Some(Step::MaxAbs),
            weight_step_learned: false,
            ..n.clone()
        }),
    }
}

/// Formats of which every layer keeps a part.
fn only(numerics: &Numerics, part: impl Fn(&Numerics) -> Numerics) -> Numerics {
    let own = numerics.own.as_ref().map(|own| {
        let own = own.iter().map(|(name, n)| (name.clone(), part(n)));
        Arc::new(own.collect())
    });
    Numerics {
        own,
        ..part(numerics)
    }
}

/// Number formats of the trained network on chips: those of its last steps, or those that it is quantized to.
pub(super) fn deployed(parts: &Composition, quantized: &Numerics) -> Numerics {
    match parts.quantizes_afterwards() {
        Some(_) => quantized.clone(),
        None => trained(parts, quantized),
    }
}
