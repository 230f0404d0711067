//! How the weights come about.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::Fidelity;
use super::parts::{
    ActivationPart, ControllerPart, Gradient, LossPart, NoisePart, PARTS, Parts, WeightPart,
};
use super::reader::Section;
use super::rule::{Allowed, Maybe, Read, Rule};
use super::section::{Table, section};
use super::stages::{InOrder, Stages};
use super::variation::SIGMA;
use crate::choice::choices;

choices! {
    /// What training knows of the chip.
    pub enum Recipe {
        /// Neither quantization nor variation; deployed without quantization too, `[quantize]` is
        /// not used.
        Float = "float",
        /// Quantization-aware, oblivious of variation.
        Qat = "qat",
        /// Neither quantization nor variation in training, quantized afterwards. A network from a
        /// file is quantized as it is (unless `epochs` trains it further first).
        Ptq = "ptq",
        /// Variability-aware in float, quantized afterwards.
        PtqVat = "ptq-vat",
        /// Jointly quantization- and variability-aware (Deng and Orshansky, arXiv 2111.06457):
        /// every step sees quantized weights on freshly fabricated chips.
        Qavat = "qavat",
        /// What the lists of parts say; the default where there is one of them.
        Parts = "parts",
    }
}

choices! {
    /// Optimizer.
    pub enum Optimizer {
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
        /// Adam (arXiv 1412.6980).
        Adam = "adam",
        /// Adam with decoupled weight decay (arXiv 1711.05101).
        Adamw = "adamw",
    }
}

choices! {
    /// Learning rate over the epochs.
    pub enum Schedule {
        /// Constant.
        Constant = "constant",
        /// Times [`Train::step_factor`] every [`Train::step_epochs`].
        Step = "step",
        /// Half a cosine from the learning rate to zero.
        Cosine = "cosine",
    }
}

choices! {
    /// Which parts of the variation variability-aware training sees.
    pub enum TrainVariation {
        /// eps_W only: what is left when self-tuning removes eps_B.
        Within = "within",
        /// eps_B + eps_W, with the sigma_B of the sweep point.
        Both = "both",
    }
}

section! {
    /// Section `[train.augment]`: what is done at random to every training image before every step. All
    /// off by default; test images and calibration passes are left alone.
    ///
    /// The order is that of the fields: an image of the old size is cut out of the padded one, then
    /// perhaps mirrored, then rotated (bilinear). Pixels from outside are 0 before
    /// normalisation (black), as with torchvision's `RandomCrop(32, padding=4)`,
    /// `RandomHorizontalFlip()` and `RandomRotation(degrees)` ahead of `ToTensor()` and `Normalize()`.
    /// Each draw is a function of (training seed, epoch, index of the image) alone.
    pub struct TrainAugment {
        /// Padding on each side before the crop.
        pad: usize = 0, 0..=1024, "pixels";
        /// Mirror left to right with probability 1/2.
        flip: bool = false;
        /// Largest angle of rotation either way.
        rotate: f64 = 0.0, 0.0..=180.0, "degrees";
    }
}

section! {
    /// Section `[train]`: recipe, optimizer and schedule.
    ///
    /// Variability-aware recipes draw `chips_per_batch` fresh chips every step; the minibatch
    /// is divided among them. Training chips are never chips of the sweep.
    pub struct Train {
        /// What training knows of the chip. By default "ptq" for a network from a file.
        recipe: Recipe = Recipe::Qavat;
        /// Passes over the training images. A network from a file may have 0, its default: it is
        /// deployed as it is (recipes "float" and "ptq"; "qat" and "qavat" where the file holds the
        /// quantizer steps, as one of a training here does).
        epochs: usize = 10, Epochs;
        /// Images per step.
        batch: usize = 128, 1..=65_536, "images";
        /// Optimizer.
        optimizer: Optimizer = Optimizer::Adam;
        /// Learning rate at its highest.
        learning_rate: f64 = 1e-3, 1e-9..=10.0;
        /// Momentum of optimizer "sgd".
        momentum: f64 = 0.9, 0.0..=0.9999;
        /// Nesterov momentum of optimizer "sgd".
        nesterov: bool = false;
        /// Weight decay: L2 ("sgd", "adam") or decoupled ("adamw").
        weight_decay: f64 = 0.0, 0.0..=1.0;
        /// Learning rate over the epochs.
        schedule: Schedule = Schedule::Cosine;
        /// With schedule "step": epochs between two steps.
        step_epochs: usize = 30, 1..=100_000, "epochs";
        /// With schedule "step": factor of a step.
        step_factor: f64 = 0.1, 1e-6..=1.0;
        /// Linear warm-up from zero.
        warmup_epochs: usize = 0, 0..=100_000, "epochs";
        /// Label smoothing: target `(1-s) onehot + s/classes`.
        label_smoothing: f64 = 0.0, 0.0..=0.9;
        /// Fresh chips per step; divides the batch, which is cut to a multiple of it. Without variation in
        /// the recipe they are all nominal, and yet batch norm sees the images of each by themselves.
        chips_per_batch: usize = 1, 1..=1_024, "chips";
        /// Parts of a batch that are computed one after the other, for batches that do not fit the
        /// adapter. The gradient is that of the whole batch; batch norm sees one part at a time, and
        /// every part has fresh chips.
        [quiet] accumulate: usize = 1, 1..=1_024;
        /// Decay of the running average of the parameters (and batch norm statistics) that is deployed
        /// instead of their last values; 0 for none.
        [quiet] average: f64 = 0.0, 0.0..=0.999_999;
        /// Epochs from one classification of the held-out images (`data.validation`) to the next; 0 for
        /// never.
        [quiet] evaluate_every: usize = 0, 0..=100_000, "epochs";
        /// Chips that classify them, in addition to the network without variation.
        [quiet] evaluate_chips: usize = 16, 1..=10_000, "chips";
        /// What a training step goes through: one deviation per weight, or cells and converters
        /// (section `[chip]`; recipes "qat", with nominal cells, and "qavat"). The gradient goes straight
        /// through the converters. Held-out images are classified at this level too.
        [quiet] level: Fidelity = Fidelity::Weight;
        /// With level "cell": a layer's gradient is multiplied by the ratio of the spreads of its
        /// outputs with and without converters (PIM-QAT, arXiv 2209.08617).
        [quiet] rescale: bool = true;
        /// Which variation is in the training noise.
        variation: TrainVariation = TrainVariation::Within;
        /// sigma_W of the training noise; absent: that of the sweep point.
        sigma_w: Option<f64> = None, Maybe(SIGMA);
        /// Seed of initialisation, shuffling and training chips; absent: the experiment's.
        seed: Option<u64> = None, Maybe(SEED);
        /// Batches for activation steps that are calibrated.
        calibration_batches: usize = 8, 1..=10_000, "batches";
        /// With recipe "parts": how gradients go through quantizers, noise and converters.
        [quiet] gradient: Gradient = Gradient::StraightThrough;
        /// With recipe "parts": transforms from the trained weights to those of a step, in order.
        [quiet] weights: Vec<WeightPart> => Parts;
        /// With recipe "parts": transforms of what enters a layer, in order.
        [quiet] activations: Vec<ActivationPart> => Parts;
        /// With recipe "parts": what deviates in a step.
        [quiet] noise: Vec<NoisePart> => Parts;
        /// With recipe "parts": terms of the loss besides the cross-entropy. The losses that are told are the
        /// cross-entropy alone.
        [quiet] loss: Vec<LossPart> => Parts;
        /// With recipe "parts": what happens to the network beside its steps.
        [quiet] controllers: Vec<ControllerPart> => Parts;
        /// How training images are moved.
        [quiet] augment: TrainAugment => Table;
        /// Stages, one after the other.
        [quiet] stage: Stages => InOrder;
    }
}

/// Seeds fit a TOML integer.
pub(super) const SEED: RangeInclusive<u64> = 0..=i64::MAX as u64;

/// Number of epochs: any, 0 only where that is the default.
struct Epochs;

impl Rule<usize> for Epochs {
    fn read(&self, value: &DeValue) -> Read<usize> {
        self.read_instead(value, &0)
    }

    fn allowed(&self) -> Allowed {
        let values = "1 to 100000, and 0 for a network from a file".into();
        let any: Allowed = Rule::<usize>::allowed(&(0..=100_000));
        Allowed { values, ..any }
    }

    fn read_instead(&self, value: &DeValue, default: &usize) -> Read<usize> {
        (usize::from(*default > 0)..=100_000).read(value)
    }
}

impl Train {
    /// The defaults: a network from a file is deployed as it is, and lists of parts are no recipe.
    pub(super) fn defaults(network_from_file: bool, s: &Section) -> Self {
        let usual = Self::default();
        let usual = match network_from_file {
            true => Self {
                recipe: Recipe::Ptq,
                epochs: 0,
                ..usual
            },
            false => usual,
        };
        let mut parts = PARTS.iter().copied().chain(["gradient"]);
        match parts.any(|part| s.has(part)) {
            true => Self {
                recipe: Recipe::Parts,
                ..usual
            },
            false => usual,
        }
    }
}
