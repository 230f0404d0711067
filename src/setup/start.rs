//! The network of an experiment before it is trained: from the zoo, or from a file.

use std::path::Path;

use super::heads::with_heads;
use super::inputs::Inputs;
use crate::config::{self, Experiment, LayerSettings};
use crate::data::{Dataset, shape};
use crate::error::{Error, Result};
use crate::network::file::{self, Loaded};
use crate::network::graph::{Graph, Layer};
use crate::network::lower::training::check_trainable;
use crate::network::state::Part;
use crate::network::zoo::{self, Style};
use crate::program::Activation;

/// Where a training begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The architecture, without what only a user's own program needs (a softmax at the end).
    pub graph: Graph,
    /// The same network with the heads of its training behind it, where it has some.
    pub headed: Option<Graph>,
    /// What was read of a file; absent: fresh parameters.
    pub file: Option<Given>,
}

/// A network from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The network as it was read.
    pub loaded: Loaded,
    /// SHA-256 of its description and all its tensors, hexadecimal.
    pub sha256: String,
}

impl Start {
    /// The network with all its heads.
    pub fn whole(&self) -> &Graph {
        self.headed.as_ref().unwrap_or(&self.graph)
    }

    /// Content of the file that the network begins with; none for a network of the zoo.
    pub fn sha256(&self) -> Option<&str> {
        self.file.as_ref().map(|given| given.sha256.as_str())
    }

    /// The network of an experiment for images like those of the inputs.
    ///
    /// # Errors
    /// A network that does not fit the images, a file that is no network.
    pub(super) fn new(network: &config::Network, inputs: &Inputs) -> Result<Self> {
        let data = &inputs.data.train;
        let is_file = network.kind == config::NetworkKind::File;
        let (graph, file) = match network.file.as_ref().filter(|_| is_file) {
            Some(path) => {
                let input = Some(network.input.as_slice()).filter(|sizes| !sizes.is_empty());
                let (graph, given) = from_file(path, network.fold_batch_norm, input, data)?;
                (graph, Some(given))
            }
            None => (graph(network, data)?, None),
        };
        Ok(Self {
            headed: with_heads(&graph, network, activation(network))?,
            graph,
            file,
        })
    }
}

/// A network of a file for images like those of a set: what it computes of them, and what was read.
///
/// # Errors
/// A file that is no network, or one for other images.
pub(super) fn from_file(
    path: &Path,
    fold_batch_norm: bool,
    input: Option<&[usize]>,
    data: &Dataset,
) -> Result<(Graph, Given)> {
    let loaded = file::load(path, fold_batch_norm, input)?;
    let mut graph = loaded.graph.simplified().without_final_softmax();
    let (wants, has) = (graph.nodes[0].shape, (data.c, data.h, data.w));
    if shape::entry(&[has.0, has.1, has.2], wants).is_some() {
        // The values are in the order in which the network takes them.
    } else if wants == (has.1, has.2, has.0) {
        graph.take_channels_first();
    } else {
        return Err(wrong(
            path,
            format!(
                "the network wants images of {} x {} x {} (channels, rows, columns), `{}` has {} x {} x {}",
                wants.0, wants.1, wants.2, data.name, has.0, has.1, has.2
            ),
        ));
    }
    let (c, h, w) = graph.nodes[graph.last()].shape;
    let logits = shape::flat((c, h, w)).filter(|n| *n >= data.classes);
    if logits.is_none() {
        return Err(wrong(
            path,
            format!(
                "the output is {c} x {h} x {w}; `{}` has {} classes and needs at least as many logits",
                data.name, data.classes
            ),
        ));
    }
    graph.flatten_output();
    let sha256 = loaded.sha256()?;
    Ok((graph, Given { loaded, sha256 }))
}

pub(super) fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{}: {what}", path.display()))
}

/// Sees that a network can be trained and deployed as a point says; one of the zoo always can.
///
/// # Errors
/// What the network's file lacks or has too much.
pub(super) fn check(
    experiment: &Experiment,
    layers: &[LayerSettings],
    start: &Start,
) -> Result<()> {
    let (Some(given), Some(path)) = (&start.file, &experiment.network.file) else {
        return Ok(());
    };
    let (graph, loaded, train) = (&start.graph, &given.loaded, &experiment.train);
    if train.epochs > 0 {
        check_trainable(graph)?;
        if let Some(group) = loaded.tied.first() {
            return Err(wrong(
                path,
                format!(
                    "{} share one tensor in the model and would be trained apart here; allowed: train.epochs = 0, or \
                     a model in which they are tensors of their own",
                    group.join(", ")
                ),
            ));
        }
    } else if train.composition().quantizes_weights() {
        check_steps(experiment, layers, (graph, loaded)).map_err(|what| wrong(path, what))?;
    }
    let has_norm = |l: &Layer| matches!(l, Layer::BatchNorm { .. });
    let method = experiment.tuning.method;
    if method.adapts_norms() && !graph.nodes.iter().any(|n| has_norm(&n.layer)) {
        return Err(wrong(
            path,
            format!("tuning.method = \"{method}\" needs batch norm, this network has none"),
        ));
    }
    if method == config::TuningMethod::BnTraining {
        check_trainable(graph)?;
    }
    if graph.crossbars().is_empty() {
        return Err(wrong(
            path,
            "no convolution and no fully connected layer: nothing to put on crossbars",
        ));
    }
    Ok(())
}

/// Sees that a network which is deployed as it is has the quantizer steps that the recipe needs; else
/// says what is wrong.
fn check_steps(
    experiment: &Experiment,
    layers: &[LayerSettings],
    (graph, loaded): (&Graph, &Loaded),
) -> std::result::Result<(), String> {
    let steps = loaded.parameters.tensors.iter();
    for (name, tensor) in steps.filter(|(name, _)| Part::any(name, Part::is_chosen)) {
        if let Some(i) = tensor.data.iter().position(|d| d.is_nan() || *d < 0.0) {
            let step = tensor.data[i];
            return Err(format!(
                "the quantizer step `{name}` [{i}] is {step}; allowed: 0 and more"
            ));
        }
    }
    let recipe = experiment.train.recipe;
    for ((id, geo, _), own) in graph.crossbars().into_iter().zip(layers) {
        let per_channel = own.quantize.per_channel;
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
        return Err(format!(
            "{found}, so recipe \"{recipe}\" with train.epochs = 0 has nothing to deploy; allowed: \
             recipe \"ptq\" or \"float\", or more epochs"
        ));
    }
    Ok(())
}

/// The non-linearity of a network.
fn activation(n: &config::Network) -> Activation {
    match n.activation {
        config::Activation::Relu => Activation::Relu,
        config::Activation::Relu6 => Activation::Clip { lo: 0.0, hi: 6.0 },
        config::Activation::Tanh => Activation::Tanh,
    }
}

/// A network of the zoo.
fn graph(n: &config::Network, data: &Dataset) -> Result<Graph> {
    let style = Style {
        act: activation(n),
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
