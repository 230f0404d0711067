//! How the weights come about.

use super::Fidelity;
use super::reader::{self, Section};
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

/// Section `[train.augment]`: what is done at random to every training image before every step. All
/// off by default; nothing of it touches test images or calibration passes.
///
/// The order is that of the fields: an image of the old size is cut out of the padded one, then
/// perhaps mirrored, then rotated (bilinear). What comes from outside is the pixel 0 before
/// normalisation (black), as with torchvision's `RandomCrop(32, padding=4)`,
/// `RandomHorizontalFlip()` and `RandomRotation(degrees)` ahead of `ToTensor()` and `Normalize()`.
/// Each draw is a function of (training seed, epoch, index of the image) alone.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct TrainAugment {
    /// Pixels of padding on each side before the crop, 0 to 1024.
    pub pad: usize,
    /// Mirror left to right with probability 1/2.
    pub flip: bool,
    /// Largest angle of rotation either way, degrees.
    pub rotate: f64,
}

impl TrainAugment {
    fn read(mut s: Section) -> Self {
        let augment = Self {
            pad: s.count("pad", 0, 0..=1024),
            flip: s.bool("flip", false),
            rotate: s.real("rotate", 0.0, 0.0..=180.0),
        };
        s.finish();
        augment
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Section `[train]`: recipe, optimizer and schedule.
///
/// Variability-aware recipes draw [`Train::chips_per_batch`] fresh chips every step; the minibatch
/// is divided among them. Training chips are never chips of the sweep.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Train {
    /// What training knows of the chip.
    pub recipe: Recipe,
    /// Passes over the training images. A network from a file may have 0, its default: it is
    /// deployed as it is (recipes `float` and `ptq`; `qat` and `qavat` where the file holds the
    /// quantizer steps, as one of a training here does).
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Learning rate at its highest.
    pub learning_rate: f64,
    /// Momentum (`sgd`).
    pub momentum: f64,
    /// Nesterov momentum (`sgd`).
    pub nesterov: bool,
    /// Weight decay: L2 (`sgd`, `adam`) or decoupled (`adamw`).
    pub weight_decay: f64,
    /// Learning rate over the epochs.
    pub schedule: Schedule,
    /// For [`Schedule::Step`].
    pub step_epochs: usize,
    /// For [`Schedule::Step`].
    pub step_factor: f64,
    /// Epochs of linear warm-up from zero.
    pub warmup_epochs: usize,
    /// Label smoothing: target `(1-s) onehot + s/classes`.
    pub label_smoothing: f64,
    /// Fresh chips per step; divides the batch, which is cut to a multiple of it. Without variation in
    /// the recipe they are all nominal, and yet batch norm sees the images of each by themselves.
    pub chips_per_batch: usize,
    /// Parts of a batch that are computed one after the other, for batches that do not fit the
    /// adapter. The gradient is that of the whole batch; batch norm sees one part at a time, and
    /// every part has fresh chips.
    #[serde(skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Decay of the running average of the parameters (and batch norm statistics) that is deployed
    /// instead of their last values; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub average: f64,
    /// Classify the held-out images (`data.validation`) every so many epochs; 0 for never.
    #[serde(skip_serializing_if = "is_none")]
    pub evaluate_every: usize,
    /// Chips that classify them, beside the network without variation.
    #[serde(skip_serializing_if = "is_usual")]
    pub evaluate_chips: usize,
    /// What a training step goes through: one deviation per weight, or cells and converters
    /// (section `[chip]`; recipes `qat`, with nominal cells, and `qavat`). The gradient goes straight
    /// through the converters. Held-out images are classified at this level too.
    #[serde(skip_serializing_if = "is_weight")]
    pub level: Fidelity,
    /// With `level = "cell"`: a layer's gradient is multiplied by the ratio of the spreads of its
    /// outputs with and without converters (PIM-QAT, arXiv 2209.08617).
    #[serde(skip_serializing_if = "is_true")]
    pub rescale: bool,
    /// Which variation is in the training noise.
    pub variation: TrainVariation,
    /// sigma_W of the training noise; absent: that of the sweep point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_w: Option<f64>,
    /// Seed of initialisation, shuffling and training chips; absent: the experiment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Batches for activation steps that are calibrated.
    pub calibration_batches: usize,
    /// How training images are moved. Left out of results where nothing is done.
    #[serde(skip_serializing_if = "TrainAugment::is_none")]
    pub augment: TrainAugment,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            recipe: Recipe::Qavat,
            epochs: 10,
            batch: 128,
            optimizer: Optimizer::Adam,
            learning_rate: 1e-3,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            schedule: Schedule::Cosine,
            step_epochs: 30,
            step_factor: 0.1,
            warmup_epochs: 0,
            label_smoothing: 0.0,
            chips_per_batch: 1,
            accumulate: 1,
            average: 0.0,
            evaluate_every: 0,
            evaluate_chips: USUAL_CHIPS,
            level: Fidelity::Weight,
            rescale: true,
            variation: TrainVariation::Within,
            sigma_w: None,
            seed: None,
            calibration_batches: 8,
            augment: TrainAugment::default(),
        }
    }
}

/// Default of [`Train::evaluate_chips`].
const USUAL_CHIPS: usize = 16;

// Options that came later are left out of results where they do nothing.
fn is_one(n: &usize) -> bool {
    *n == 1
}
fn is_none(n: &usize) -> bool {
    *n == 0
}
fn is_usual(n: &usize) -> bool {
    *n == USUAL_CHIPS
}
fn is_weight(level: &Fidelity) -> bool {
    *level == Fidelity::Weight
}
fn is_true(b: &bool) -> bool {
    *b
}
fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Recipe {
    /// Whether training steps see variation.
    pub fn sees_variation(self) -> bool {
        matches!(self, Recipe::PtqVat | Recipe::Qavat)
    }

    /// Whether training steps see quantizers.
    pub fn sees_quantizers(self) -> bool {
        matches!(self, Recipe::Qat | Recipe::Qavat)
    }

    /// Whether the trained network is quantized afterwards.
    pub fn quantizes_afterwards(self) -> bool {
        matches!(self, Recipe::Ptq | Recipe::PtqVat)
    }
}

/// Seeds fit a TOML integer.
pub(super) const SEED: std::ops::RangeInclusive<u64> = 0..=i64::MAX as u64;

impl Train {
    pub(super) fn read(mut s: Section, network_from_file: bool) -> Self {
        let mut d = Self::default();
        let mut fewest = 1;
        if network_from_file {
            (d.recipe, d.epochs, fewest) = (Recipe::Ptq, 0, 0);
        }
        let train = Self {
            recipe: s.choice("recipe", d.recipe),
            epochs: s.count("epochs", d.epochs, fewest..=100_000),
            batch: s.count("batch", d.batch, 1..=65_536),
            optimizer: s.choice("optimizer", d.optimizer),
            learning_rate: s.real("learning_rate", d.learning_rate, 1e-9..=10.0),
            momentum: s.real("momentum", d.momentum, 0.0..=0.9999),
            nesterov: s.bool("nesterov", d.nesterov),
            weight_decay: s.real("weight_decay", d.weight_decay, 0.0..=1.0),
            schedule: s.choice("schedule", d.schedule),
            step_epochs: s.count("step_epochs", d.step_epochs, 1..=100_000),
            step_factor: s.real("step_factor", d.step_factor, 1e-6..=1.0),
            warmup_epochs: s.count("warmup_epochs", d.warmup_epochs, 0..=100_000),
            label_smoothing: s.real("label_smoothing", d.label_smoothing, 0.0..=0.9),
            chips_per_batch: s.count("chips_per_batch", d.chips_per_batch, 1..=1_024),
            accumulate: s.count("accumulate", 1, 1..=1_024),
            average: s.real("average", 0.0, 0.0..=0.999_999),
            evaluate_every: s.count("evaluate_every", 0, 0..=100_000),
            evaluate_chips: s.count("evaluate_chips", USUAL_CHIPS, 1..=10_000),
            level: s.choice("level", d.level),
            rescale: s.bool("rescale", d.rescale),
            variation: s.choice("variation", d.variation),
            sigma_w: s.optional("sigma_w", |v| reader::real(v, &SIGMA)),
            seed: s.optional("seed", |v| reader::integer(v, &SEED)),
            calibration_batches: s.count("calibration_batches", d.calibration_batches, 1..=10_000),
            augment: TrainAugment::read(s.section("augment")),
        };
        s.finish();
        train
    }
}
