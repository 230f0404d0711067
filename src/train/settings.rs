//! From the words of an experiment file to the numbers that networks and programs are built from.

use std::borrow::Cow;
use std::sync::Arc;

use crate::chip::cells::InputCodes;
use crate::chip::layer::CellLayer;
use crate::chip::{self, terms};
use crate::config::{self, Experiment};
use crate::data::{Augment, Dataset, Normalise, Pixels, shape};
use crate::error::{Error, Result};
use crate::network::file::{self, Loaded};
use crate::network::graph::{Graph, Layer};
use crate::network::lower::training::{Optimizer, TrainSpec, check_trainable};
use crate::network::lower::{ActStep, CellNoise, Numerics, layer_address};
use crate::network::state::Part;
use crate::network::zoo::{self, Style};
use crate::program::{Activation, Step};

/// Where a training begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The architecture, without what only a user's own program needs (a softmax at the end).
    pub graph: Graph,
    /// Parameters from a file; absent: fresh ones.
    pub parameters: Option<Arc<Loaded>>,
}

/// The network of an experiment for images like those of `data`.
///
/// # Errors
/// A network that does not fit the images, a file that is no network.
pub fn start(experiment: &Experiment, data: &Dataset) -> Result<Start> {
    let n = &experiment.network;
    let Some(path) = n
        .file
        .as_ref()
        .filter(|_| n.kind == config::NetworkKind::File)
    else {
        return Ok(Start {
            graph: graph(experiment, data)?,
            parameters: None,
        });
    };
    let input = Some(n.input.as_slice()).filter(|sizes| !sizes.is_empty());
    let loaded = file::load(path, n.fold_batch_norm, input)?;
    let graph = loaded.graph.simplified().without_final_softmax();
    let wrong = |what: String| Err(Error::input(format!("{}: {what}", path.display())));
    let mut graph = graph;
    let (wants, has) = (graph.nodes[0].shape, (data.c, data.h, data.w));
    if shape::entry(&[has.0, has.1, has.2], wants).is_some() {
        // The values are in the order in which the network takes them.
    } else if wants == (has.1, has.2, has.0) {
        graph.take_channels_first();
    } else {
        return wrong(format!(
            "the network wants images of {} x {} x {} (channels, rows, columns), `{}` has {} x {} x {}",
            wants.0, wants.1, wants.2, data.name, has.0, has.1, has.2
        ));
    }
    let (c, h, w) = graph.nodes[graph.last()].shape;
    let logits = shape::flat((c, h, w)).filter(|n| *n >= data.classes);
    if logits.is_none() {
        return wrong(format!(
            "the output is {c} x {h} x {w}; `{}` has {} classes and needs at least as many logits",
            data.name, data.classes
        ));
    }
    graph.flatten_output();
    if experiment.train.epochs > 0 {
        check_trainable(&graph)?;
        if let Some(group) = loaded.tied.first() {
            return wrong(format!(
                "{} share one tensor in the model and would be trained apart here; allowed: train.epochs = 0, or \
                 a model in which they are tensors of their own",
                group.join(", ")
            ));
        }
    }
    if experiment.train.epochs == 0 && experiment.train.recipe.sees_quantizers() {
        let steps = loaded.parameters.tensors.iter();
        for (name, tensor) in steps.filter(|(name, _)| Part::any(name, Part::is_chosen)) {
            if let Some(i) = tensor.data.iter().position(|d| d.is_nan() || *d < 0.0) {
                let step = tensor.data[i];
                return wrong(format!(
                    "the quantizer step `{name}` [{i}] is {step}; allowed: 0 and more"
                ));
            }
        }
        let (recipe, per_channel) = (experiment.train.recipe, experiment.quantize.per_channel);
        for (id, geo, _) in graph.crossbars() {
            let name = Part::WeightStep.of(&graph.nodes[id].name);
            let steps = loaded.parameters.tensors.get(&name).map(|t| t.data.len());
            let wanted = if per_channel { geo.c_out } else { 1 };
            let found = match steps {
                None => format!("no quantizer step `{name}`"),
                Some(n) if n != wanted => format!(
                    "{n} quantizer steps `{name}`, quantize.per_channel = {per_channel} takes {wanted}"
                ),
                Some(_) => continue,
            };
            return wrong(format!(
                "{found}, so recipe \"{recipe}\" with train.epochs = 0 has nothing to deploy; allowed: \
                 recipe \"ptq\" or \"float\", or more epochs"
            ));
        }
    }
    let has_norm = |l: &Layer| matches!(l, Layer::BatchNorm { .. });
    if experiment.tuning.method == config::TuningMethod::BnRecalibration
        && !graph.nodes.iter().any(|n| has_norm(&n.layer))
    {
        return wrong(
            "tuning.method = \"bn-recalibration\" needs batch norm, this network has none".into(),
        );
    }
    if graph.crossbars().is_empty() {
        return wrong(
            "no convolution and no fully connected layer: nothing to put on crossbars".into(),
        );
    }
    Ok(Start {
        graph,
        parameters: Some(loaded),
    })
}

/// A network of the zoo.
fn graph(experiment: &Experiment, data: &Dataset) -> Result<Graph> {
    let n = &experiment.network;
    let style = Style {
        act: match n.activation {
            config::Activation::Relu => Activation::Relu,
            config::Activation::Relu6 => Activation::Clip { lo: 0.0, hi: 6.0 },
            config::Activation::Tanh => Activation::Tanh,
        },
        max_pool: n.pool == config::Pool::Max,
        batch_norm: n.batch_norm,
        bias: n.bias,
        width: n.width,
    };
    let input = (data.c, data.h, data.w);
    let classes = data.classes;
    match n.kind {
        config::NetworkKind::Mlp => Ok(zoo::mlp(input, &n.hidden, classes, style)),
        config::NetworkKind::Lenet5 => {
            if (data.h, data.w) != (28, 28) {
                return Err(Error::input(format!(
                    "network.kind = \"lenet5\" needs images of 28x28; `{}` has {}x{}",
                    data.name, data.h, data.w
                )));
            }
            Ok(zoo::lenet5(input, classes, style))
        }
        config::NetworkKind::Cnn => {
            let depth = n.channels.len() as u32;
            let side = data.h.min(data.w);
            if side >> depth == 0 {
                return Err(Error::input(format!(
                    "network.channels has {depth} entries; each halves the image, and {}x{} pixels \
                     allow at most {}",
                    data.h,
                    data.w,
                    side.ilog2()
                )));
            }
            Ok(zoo::cnn(input, &n.channels, n.features, classes, style))
        }
        kind => {
            if data.h != data.w || !data.h.is_multiple_of(32) || data.h == 0 {
                return Err(Error::input(format!(
                    "network.kind = \"{kind}\" needs square images of a multiple of 32 pixels; `{}` \
                     has {}x{}",
                    data.name, data.h, data.w
                )));
            }
            Ok(match kind {
                config::NetworkKind::Vgg11 => zoo::vgg11(input, classes, style),
                config::NetworkKind::Resnet18 => zoo::resnet18(input, classes, style),
                config::NetworkKind::Resnet20 => zoo::resnet_cifar(20, input, classes, style),
                config::NetworkKind::Resnet32 => zoo::resnet_cifar(32, input, classes, style),
                config::NetworkKind::Resnet56 => zoo::resnet_cifar(56, input, classes, style),
                _ => zoo::mobilenetv2(input, classes, style),
            })
        }
    }
}

/// How pixels become inputs; what the experiment leaves to be measured is measured on the images of
/// `train` (the whole set) that are not held out.
///
/// # Errors
/// See [`Normalise::with`] and [`kept`].
pub fn normalise(experiment: &Experiment, train: &Dataset) -> Result<Normalise> {
    let (mean, std) = (experiment.data.mean.given(), experiment.data.std.given());
    match kept(experiment, train)? {
        Some(kept) if mean.is_none() || std.is_none() => {
            Normalise::with(&train.select(&kept), mean, std)
        }
        _ => Normalise::with(train, mean, std),
    }
}

/// Whether an image can have a negative value once it is normalised: one of 8 bits where black has
/// one, one of floats where black has one or a training image does.
///
/// # Errors
/// See [`normalise`].
pub fn signed_images(experiment: &Experiment, train: &Dataset) -> Result<bool> {
    let normalise = normalise(experiment, train)?;
    let lowest = match &train.images {
        Pixels::Bytes(_) => vec![0.0; train.c],
        Pixels::Floats(values) => {
            let mut lowest = vec![0f32; train.c];
            let images: Vec<usize> = match kept(experiment, train)? {
                Some(kept) => kept,
                None => (0..train.len()).collect(),
            };
            for i in images {
                let planes = values[train.range(i)].chunks_exact(train.h * train.w);
                for (lowest, plane) in lowest.iter_mut().zip(planes) {
                    *lowest = plane.iter().copied().fold(*lowest, f32::min);
                }
            }
            lowest
        }
    };
    // Finite standard deviations above 0 change no sign.
    let constants = normalise.constants().iter().zip(&lowest);
    Ok(constants
        .into_iter()
        .any(|((mean, _), lowest)| f64::from(*lowest) < *mean))
}

/// What is done to training images at random, if anything.
pub fn augment(t: &config::Train) -> Option<Augment> {
    let augment = Augment {
        pad: t.augment.pad,
        flip: t.augment.flip,
        rotate_degrees: t.augment.rotate,
    };
    (!augment.is_none()).then_some(augment)
}

/// Training images, without those that are held out, and these.
#[derive(Debug)]
pub struct HeldOut<'a> {
    /// What training sees.
    pub train: Cow<'a, Dataset>,
    /// What it does not see; absent where nothing is held out.
    pub validation: Option<Dataset>,
}

/// Holds out `data.validation` training images: of every class the last ones, in proportion.
///
/// # Errors
/// Nothing would be left to train on.
pub fn hold_out<'a>(experiment: &Experiment, train: &'a Dataset) -> Result<HeldOut<'a>> {
    Ok(match parts(experiment, train)? {
        None => HeldOut {
            train: Cow::Borrowed(train),
            validation: None,
        },
        Some((kept, out)) => HeldOut {
            train: Cow::Owned(train.select(&kept)),
            validation: Some(train.select(&out)),
        },
    })
}

/// Indices of the training images that are not held out, in order: what everything that is measured
/// or calibrated before deployment may look at. `None`: all of them.
///
/// # Errors
/// See [`hold_out`].
pub fn kept(experiment: &Experiment, train: &Dataset) -> Result<Option<Vec<usize>>> {
    Ok(parts(experiment, train)?.map(|(kept, _)| kept))
}

/// How many training images are held out.
///
/// # Errors
/// See [`hold_out`].
pub fn n_held_out(experiment: &Experiment, train: &Dataset) -> Result<usize> {
    let wanted = experiment.data.validation;
    if wanted >= train.len() {
        return Err(Error::input(format!(
            "data.validation = {wanted} of `{}`, which has {} training images; allowed: 0 to {}",
            train.name,
            train.len(),
            train.len().saturating_sub(1)
        )));
    }
    Ok(wanted)
}

/// What is trained on and what is held out, where anything is.
fn parts(experiment: &Experiment, train: &Dataset) -> Result<Option<(Vec<usize>, Vec<usize>)>> {
    let wanted = n_held_out(experiment, train)?;
    if wanted == 0 {
        return Ok(None);
    }
    // The j-th image from the end of its class (of n) is at (j + 1/2) / n of the way; the smallest
    // are held out.
    let counts = train.class_counts();
    let mut seen = vec![0usize; counts.len()];
    let mut places: Vec<(f64, usize)> = Vec::with_capacity(train.len());
    for i in (0..train.len()).rev() {
        let class = usize::from(train.labels[i]);
        places.push(((seen[class] as f64 + 0.5) / counts[class] as f64, i));
        seen[class] += 1;
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<usize> = places[..wanted].iter().map(|p| p.1).collect();
    let mut kept: Vec<usize> = places[wanted..].iter().map(|p| p.1).collect();
    out.sort_unstable();
    kept.sort_unstable();
    Ok(Some((kept, out)))
}

/// The steps of an experiment's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Images per step, on all chips and in all parts.
    pub batch: usize,
    /// Steps of an epoch.
    pub per_epoch: usize,
    /// Epochs.
    pub epochs: usize,
}

impl Steps {
    /// A network that is taken as it is.
    pub const NONE: Self = Self {
        batch: 0,
        per_epoch: 0,
        epochs: 0,
    };

    /// Steps of a training on `images` images.
    ///
    /// # Errors
    /// A step without an image on one of its chips.
    pub fn new(t: &config::Train, images: usize) -> Result<Self> {
        let (chips, parts) = (t.chips_per_batch, t.accumulate);
        let batch = t.batch.min(images / (chips * parts) * chips * parts);
        if batch == 0 || !batch.is_multiple_of(chips * parts) {
            return Err(Error::input(format!(
                "train.batch = {} over train.chips_per_batch = {chips} chips and \
                 train.accumulate = {parts} parts with {images} training images: a step needs the \
                 same whole number of images, at least 1, on every chip of every part",
                t.batch
            )));
        }
        Ok(Self {
            batch,
            per_epoch: images / batch,
            epochs: t.epochs,
        })
    }

    /// Steps of all epochs.
    pub fn total(&self) -> usize {
        self.epochs * self.per_epoch
    }
}

/// Number formats for training and inference with images like those of `train`.
///
/// # Errors
/// See [`signed_images`].
pub fn numerics(experiment: &Experiment, train: &Dataset) -> Result<Numerics> {
    Ok(numerics_of(experiment, signed_images(experiment, train)?))
}

/// The same, where it is known whether images can be negative.
pub fn numerics_of(experiment: &Experiment, signed_images: bool) -> Numerics {
    let q = &experiment.quantize;
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
    }
}

/// Within-chip noise with standard deviation `sigma_w`.
pub fn cell_noise(v: &config::Variation, sigma_w: f64, reference_columns: u32) -> CellNoise {
    CellNoise {
        law: v.law,
        mapping: terms::mapping(v),
        deviate: terms::deviate(v),
        sigma_w: sigma_w as f32,
        reference_columns,
    }
}

/// The constants of every crossbar layer at cell level.
///
/// # Errors
/// A layer without codes (weights or inputs that are not quantized, one-bit inputs whose magnitude
/// is the image's own); an impossible chip. The message names the node.
pub fn cell_layers(
    experiment: &Experiment,
    graph: &Graph,
    numerics: &Numerics,
) -> Result<Vec<CellLayer>> {
    let layers = graph.crossbars().into_iter().enumerate();
    let layers = layers.map(|(index, (id, geo, _))| {
        let node = &graph.nodes[id];
        let source = node.inputs[0];
        let bits = numerics.input_bits_of(graph, source, &geo);
        let at = |e: Error| e.context(format!("node `{}`", node.name));
        if !(2..=8).contains(&bits) {
            let field = match graph.is_image(source) {
                true => "quantize.input_bits",
                false => "quantize.activation_bits",
            };
            return Err(at(Error::input(format!(
                "inputs of {bits} bits (0: not quantized) have no codes that arrays could be driven with; \
                 allowed with fidelity = \"cell\": {field} from 2 to 8, and \
                 quantize.linear_inputs = \"quantized\""
            ))));
        }
        if numerics.weight_bits == 0 {
            return Err(at(Error::input(
                "weights that are not quantized have no codes that cells could hold; allowed with fidelity = \
                 \"cell\": quantize.weight_bits from 1 to 8 and a recipe that quantizes",
            )));
        }
        if numerics.weight_bits == 1 && numerics.binary_per_input && !geo.is_linear() {
            return Err(at(Error::input(
                "quantize.binary_weight_group = \"input-channel\" gives the rows of one array different steps; \
                 allowed with fidelity = \"cell\": \"layer\"",
            )));
        }
        let (lo, _) = numerics.code_range(graph, source, bits);
        let input = InputCodes {
            bits,
            signed: lo < 0,
        };
        let (chip, variation) = (&experiment.chip, &experiment.variation);
        let address = layer_address(index);
        chip::cells::layer(chip, variation, &geo, numerics.weight_bits, input, address).map_err(at)
    });
    layers.collect()
}

/// Number formats of the trained network on chips.
///
/// # Errors
/// See [`signed_images`].
pub fn inference_numerics(experiment: &Experiment, train: &Dataset) -> Result<Numerics> {
    match experiment.train.recipe {
        config::Recipe::Float => Ok(Numerics::FLOAT),
        _ => numerics(experiment, train),
    }
}

/// What the training program needs. `batch` images per step.
pub fn train_spec(experiment: &Experiment, noise: Option<CellNoise>, batch: usize) -> TrainSpec {
    let t = &experiment.train;
    TrainSpec {
        chips: t.chips_per_batch,
        batch,
        noise,
        cells: None,
        optimizer: match t.optimizer {
            config::Optimizer::Sgd => Optimizer::Sgd {
                momentum: t.momentum as f32,
                nesterov: t.nesterov,
            },
            config::Optimizer::Adam => Optimizer::Adam { decoupled: false },
            config::Optimizer::Adamw => Optimizer::Adam { decoupled: true },
        },
        weight_decay: t.weight_decay as f32,
        smoothing: t.label_smoothing as f32,
        norm_rate: 0.1,
        frozen_norm: false,
        forward_only: false,
        accumulate: t.accumulate,
        average_rate: if t.average > 0.0 {
            (1.0 - t.average) as f32
        } else {
            0.0
        },
    }
}

/// Learning rate of a step: warm-up (linear, per step), then constant, step (per epoch) or cosine
/// (per step, to zero).
pub fn learning_rate(t: &config::Train, step: usize, steps_per_epoch: usize) -> f32 {
    let warmup = t.warmup_epochs * steps_per_epoch;
    if step < warmup {
        return (t.learning_rate * (step + 1) as f64 / warmup as f64) as f32;
    }
    let factor = match t.schedule {
        config::Schedule::Constant => 1.0,
        config::Schedule::Step => {
            let drops = step / steps_per_epoch / t.step_epochs;
            t.step_factor.powi(drops as i32)
        }
        config::Schedule::Cosine => {
            let total = (t.epochs * steps_per_epoch).saturating_sub(warmup).max(1);
            let x = (step - warmup) as f64 / total as f64;
            0.5 * (1.0 + (std::f64::consts::PI * x.min(1.0)).cos())
        }
    };
    (t.learning_rate * factor) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(schedule: config::Schedule) -> config::Train {
        config::Train {
            schedule,
            epochs: 10,
            step_epochs: 3,
            step_factor: 0.1,
            warmup_epochs: 1,
            learning_rate: 0.5,
            ..config::Train::default()
        }
    }

    #[test]
    fn schedules_follow_their_formulas() {
        let t = train(config::Schedule::Step);
        assert_eq!(learning_rate(&t, 0, 4), 0.125);
        assert_eq!(learning_rate(&t, 3, 4), 0.5);
        assert_eq!(learning_rate(&t, 11, 4), 0.5);
        assert_eq!(learning_rate(&t, 12, 4), 0.05);
        let t = train(config::Schedule::Cosine);
        assert_eq!(learning_rate(&t, 4, 4), 0.5);
        assert!((learning_rate(&t, 22, 4) - 0.25).abs() < 1e-7); // half way through 36 steps
        assert!(learning_rate(&t, 40, 4) < 1e-7);
    }
}
