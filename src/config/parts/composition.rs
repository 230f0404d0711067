//! What a training is composed of, and the recipes as compositions.

use super::{
    ActivationPart, ControllerPart, ConverterBits, Distill, FreshChips, HeadsLoss, Irs,
    LearnedRange, LossPart, MaskGrowth, NoisePart, NormAfter, Ovf, Plateau, QuantizeActivations,
    QuantizeAfter, QuantizeWeights, WeightPart, clip, controllers, converter_bits, feedback,
    group_lasso, learned_range, mask, mask_growth, noise, quantize, shared_gain, slice_l1,
};
use crate::choice::choices;
use crate::config::check::Problem;
use crate::config::{Experiment, Fidelity, Recipe, Train};

choices! {
    /// How gradients go through what has none, or a noisy one.
    pub enum Gradient {
        /// Straight through quantizers and converters, through the noise as it is.
        StraightThrough = "straight-through",
        /// With level "cell": a layer's gradient times the ratio of the spreads of its outputs with and without
        /// converters (PIM-QAT, arXiv 2209.08617).
        Rescale = "rescale",
        /// Noise, cells and converters in the forward pass only: the backward pass is that of the quantized
        /// network without them.
        Clean = "clean",
    }
}

/// The parts of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Composition {
    /// Transforms of weights, in order.
    pub weights: Vec<WeightPart>,
    /// Transforms of activations, in order.
    pub activations: Vec<ActivationPart>,
    /// What deviates.
    pub noise: Vec<NoisePart>,
    /// Terms of the loss besides the cross-entropy.
    pub loss: Vec<LossPart>,
    /// How gradients go.
    pub gradient: Gradient,
    /// What happens beside the steps.
    pub controllers: Vec<ControllerPart>,
}

impl Composition {
    /// The parts of a recipe; none of "parts", which is what its lists say.
    fn of(recipe: Recipe, level: Fidelity, rescale: bool) -> Self {
        let quantizes = matches!(recipe, Recipe::Qat | Recipe::Qavat);
        let noisy = matches!(recipe, Recipe::PtqVat | Recipe::Qavat);
        let after = match recipe {
            Recipe::Ptq => Some(NormAfter::Keep),
            Recipe::PtqVat => Some(NormAfter::Measure),
            Recipe::Float | Recipe::Qat | Recipe::Qavat | Recipe::Parts => None,
        };
        let after = after.map(|batch_norm| ControllerPart::Quantize(QuantizeAfter { batch_norm }));
        let rescales = quantizes && level == Fidelity::Cell && rescale;
        let quantize = WeightPart::Quantize(QuantizeWeights {});
        let activations = ActivationPart::Quantize(QuantizeActivations {});
        Self {
            weights: quantizes.then_some(quantize).into_iter().collect(),
            activations: quantizes.then_some(activations).into_iter().collect(),
            noise: noisy
                .then_some(NoisePart::Chip(FreshChips::default()))
                .into_iter()
                .collect(),
            loss: Vec::new(),
            gradient: match rescales {
                true => Gradient::Rescale,
                false => Gradient::StraightThrough,
            },
            controllers: after.into_iter().collect(),
        }
    }

    /// Whether steps run on chips that deviate.
    pub fn sees_variation(&self) -> bool {
        self.chips().is_some()
    }

    /// Whether steps see quantized weights.
    pub fn quantizes_weights(&self) -> bool {
        self.weights.iter().any(|part| match part {
            WeightPart::Quantize(_) => true,
            WeightPart::Clip(_) | WeightPart::Mask(_) => false,
        })
    }

    /// Whether steps see quantized activations.
    pub fn quantizes_activations(&self) -> bool {
        self.activations.iter().any(|part| match part {
            ActivationPart::Quantize(_) | ActivationPart::LearnedRange(_) => true,
            ActivationPart::SharedGain(_) => false,
        })
    }

    /// How the ranges of inputs are learned, where they are.
    pub fn learned_range(&self) -> Option<&LearnedRange> {
        self.activations.iter().find_map(|part| match part {
            ActivationPart::LearnedRange(range) => Some(range),
            ActivationPart::Quantize(_) | ActivationPart::SharedGain(_) => None,
        })
    }

    /// Whether the gain that all converters share is learned.
    pub fn learns_gain(&self) -> bool {
        self.activations.iter().any(|part| match part {
            ActivationPart::SharedGain(_) => true,
            ActivationPart::Quantize(_) | ActivationPart::LearnedRange(_) => false,
        })
    }

    /// Whether steps see any quantizer.
    pub fn sees_quantizers(&self) -> bool {
        self.quantizes_weights() || self.quantizes_activations()
    }

    /// Whether the trained network is quantized, and what becomes of batch norm then.
    pub fn quantizes_afterwards(&self) -> Option<NormAfter> {
        self.controllers.iter().find_map(|part| match part {
            ControllerPart::Quantize(after) => Some(after.batch_norm),
            ControllerPart::Plateau(_) | ControllerPart::MaskGrowth(_) => None,
        })
    }

    /// What lowers the learning rate where the loss no longer falls.
    pub fn plateau(&self) -> Option<&Plateau> {
        self.controllers.iter().find_map(|part| match part {
            ControllerPart::Plateau(plateau) => Some(plateau),
            ControllerPart::Quantize(_) | ControllerPart::MaskGrowth(_) => None,
        })
    }

    /// How the mask grows, where it does.
    pub fn mask_growth(&self) -> Option<&MaskGrowth> {
        self.controllers.iter().find_map(|part| match part {
            ControllerPart::MaskGrowth(growth) => Some(growth),
            ControllerPart::Quantize(_) | ControllerPart::Plateau(_) => None,
        })
    }

    /// What the network that the stage begins with teaches.
    pub fn distill(&self) -> Option<&Distill> {
        self.loss.iter().find_map(|part| match part {
            LossPart::Distill(distill) => Some(distill),
            LossPart::L1(_)
            | LossPart::GroupLasso(_)
            | LossPart::SliceL1(_)
            | LossPart::Ovf(_)
            | LossPart::Irs(_)
            | LossPart::Heads(_) => None,
        })
    }

    /// Passes under more noise whose logits are subtracted.
    pub fn ovf(&self) -> Option<&Ovf> {
        self.loss.iter().find_map(|part| match part {
            LossPart::Ovf(ovf) => Some(ovf),
            LossPart::L1(_)
            | LossPart::GroupLasso(_)
            | LossPart::SliceL1(_)
            | LossPart::Distill(_)
            | LossPart::Irs(_)
            | LossPart::Heads(_) => None,
        })
    }

    /// Heads whose logits are subtracted.
    pub fn irs(&self) -> Option<&Irs> {
        self.loss.iter().find_map(|part| match part {
            LossPart::Irs(irs) => Some(irs),
            LossPart::L1(_)
            | LossPart::GroupLasso(_)
            | LossPart::SliceL1(_)
            | LossPart::Distill(_)
            | LossPart::Ovf(_)
            | LossPart::Heads(_) => None,
        })
    }

    /// Losses of heads.
    pub fn heads_loss(&self) -> Option<&HeadsLoss> {
        self.loss.iter().find_map(|part| match part {
            LossPart::Heads(heads) => Some(heads),
            LossPart::L1(_)
            | LossPart::GroupLasso(_)
            | LossPart::SliceL1(_)
            | LossPart::Distill(_)
            | LossPart::Ovf(_)
            | LossPart::Irs(_) => None,
        })
    }

    /// The chips of the steps, where they deviate.
    pub fn chips(&self) -> Option<&FreshChips> {
        self.noise.iter().find_map(|part| match part {
            NoisePart::Chip(chips) => Some(chips),
            NoisePart::ConverterBits(_) => None,
        })
    }

    /// Bits of converters that are drawn, where they are.
    pub fn converter_bits(&self) -> Option<&ConverterBits> {
        self.noise.iter().find_map(|part| match part {
            NoisePart::ConverterBits(bits) => Some(bits),
            NoisePart::Chip(_) => None,
        })
    }

    /// Whether nothing is ever quantized.
    pub fn is_float(&self) -> bool {
        !self.sees_quantizers() && self.quantizes_afterwards().is_none()
    }
}

impl Train {
    /// What a training is composed of, recipe or not.
    pub fn composition(&self) -> Composition {
        match self.recipe {
            Recipe::Parts => Composition {
                weights: self.weights.clone(),
                activations: self.activations.clone(),
                noise: self.noise.clone(),
                loss: self.loss.clone(),
                gradient: self.gradient,
                controllers: self.controllers.clone(),
            },
            recipe => Composition::of(recipe, self.level, self.rescale),
        }
    }

    /// The same training with its parts written out.
    #[must_use]
    pub fn expanded(&self) -> Self {
        let c = self.composition();
        Self {
            recipe: Recipe::Parts,
            rescale: true,
            weights: c.weights,
            activations: c.activations,
            noise: c.noise,
            loss: c.loss,
            gradient: c.gradient,
            controllers: c.controllers,
            ..self.clone()
        }
    }

    /// The same training without any part of its own: with another recipe.
    #[must_use]
    pub(in crate::config) fn without_parts(&self, recipe: Recipe) -> Self {
        let usual = Self::default();
        Self {
            recipe,
            weights: usual.weights,
            activations: usual.activations,
            noise: usual.noise,
            loss: usual.loss,
            gradient: usual.gradient,
            controllers: usual.controllers,
            ..self.clone()
        }
    }

    /// The same training by the recipe that it is, where it is one: both train to the same network.
    #[must_use]
    pub(in crate::config) fn by_recipe(&self) -> Self {
        if self.recipe != Recipe::Parts {
            return self.clone();
        }
        let own = self.composition();
        let recipes = [
            Recipe::Float,
            Recipe::Qat,
            Recipe::Ptq,
            Recipe::PtqVat,
            Recipe::Qavat,
        ];
        for recipe in recipes {
            for rescale in [true, false] {
                if Composition::of(recipe, self.level, rescale) == own {
                    return Self {
                        rescale,
                        ..self.without_parts(recipe)
                    };
                }
            }
        }
        self.clone()
    }

    /// Whether a list has a part, or gradients go another way than usual.
    fn has_parts(&self) -> bool {
        *self != self.without_parts(self.recipe)
    }
}

/// Contradictions so far.
pub(super) struct Problems<'a>(&'a mut Vec<Problem>);

impl Problems<'_> {
    pub(super) fn add(&mut self, fields: &'static [&'static str], message: String) {
        self.0.push(Problem { fields, message });
    }
}

/// Parts that cannot be together, or not with the rest of the experiment.
pub(in crate::config) fn problems(e: &Experiment, found: &mut Vec<Problem>) {
    let (t, c) = (&e.train, e.train.composition());
    let mut found = Problems(found);
    if t.recipe != Recipe::Parts {
        if t.has_parts() {
            found.add(
                &["train.recipe", "train.weights", "train.loss", "train.noise"],
                format!(
                    "\"{}\" says which parts there are, and lists of parts do, too; allowed: one of both \
                     (`pimento check --expand` prints the parts of a recipe)",
                    t.recipe
                ),
            );
        }
        return;
    }
    mask::problems(e, &c, &mut found);
    mask_growth::problems(t, &c, &mut found);
    clip::problems(e, &c, &mut found);
    quantize::problems(e, &c, &mut found);
    learned_range::problems(e, &c, &mut found);
    shared_gain::problems(e, &c, &mut found);
    noise::problems(e, &c, &mut found);
    converter_bits::problems(e, &c, &mut found);
    group_lasso::problems(e, &c, &mut found);
    slice_l1::problems(e, &c, &mut found);
    controllers::problems(&c, &mut found);
    feedback::problems(e, &c, &mut found);
    if !t.rescale {
        found.add(
            &["train.rescale"],
            "false is a setting of recipes; allowed with parts: true, and train.gradient".into(),
        );
    }
    if t.level == Fidelity::Cell && !c.quantizes_weights() {
        found.add(
            &["train.level", "train.weights"],
            "\"cell\" without codes for the cells; allowed: \"weight\", or { kind = \"quantize\" } in \
             train.weights"
                .into(),
        );
    }
    gradient(t, &c, &mut found);
    let transforms = c.weights.len() > usize::from(c.quantizes_weights());
    if t.epochs == 0 && (transforms || !c.loss.is_empty() || c.plateau().is_some()) {
        found.add(
            &["train.epochs", "train.weights", "train.loss"],
            "0 epochs deploy the network as it is, without what masks, clips, losses and plateaus do to it; allowed: \
             1 to 100000, or lists without them"
                .into(),
        );
    }
}

fn gradient(t: &Train, c: &Composition, found: &mut Problems) {
    let on_cells = t.level == Fidelity::Cell;
    let problem = match c.gradient {
        Gradient::Rescale if !on_cells => {
            "\"rescale\" without converters; allowed: \"straight-through\", or level = \"cell\""
        }
        Gradient::Clean if !on_cells && !c.sees_variation() => {
            "\"clean\" of a forward pass without noise is \"straight-through\"; allowed: that, noise, \
             or level = \"cell\""
        }
        Gradient::StraightThrough | Gradient::Rescale | Gradient::Clean => return,
    };
    found.add(&["train.gradient"], problem.into());
}
