//! The network whose weights become conductances.

use super::choice::choices;
use super::reader::Section;

choices! {
    /// Family of the network.
    pub enum NetworkKind {
        /// LeNet-5 of the reference code: conv5x5 6 - pool - conv5x5 16 - pool - conv5x5 120 -
        /// linear 84 - linear classes.
        Lenet5 = "lenet5",
        /// Fully connected layers of the sizes [`Network::hidden`].
        Mlp = "mlp",
        /// Blocks of conv3x3 - batch norm - activation - pool of [`Network::channels`], then
        /// optionally a hidden layer of [`Network::features`] units, then the classifier.
        Cnn = "cnn",
    }
}

choices! {
    /// Non-linearity after every layer but the last.
    pub enum Activation {
        /// `max(v, 0)`.
        Relu = "relu",
        /// Hyperbolic tangent.
        Tanh = "tanh",
    }
}

choices! {
    /// Pooling by 2 x 2 windows.
    pub enum Pool {
        /// Mean of the window.
        Avg = "avg",
        /// Largest value of the window.
        Max = "max",
    }
}

/// Section `[network]`: the graph.
///
/// Weights are analog; biases, batch norm and activations are digital and free of variation. That
/// is why they decide what a common deviation does: a bias-free ReLU network without batch norm
/// only scales its logits under weight-proportional eps_B and loses nothing, while a frozen batch
/// norm, a bias or a saturating activation does not scale along.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Network {
    /// Family.
    pub kind: NetworkKind,
    /// Factor on every number of channels and hidden units but the classes.
    pub width: f64,
    /// Units of the hidden layers (`mlp`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<usize>,
    /// Output channels of the blocks (`cnn`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<usize>,
    /// Hidden units before the classifier (`cnn`); 0 for none.
    pub features: usize,
    /// Non-linearity. Default tanh for LeNet-5, else ReLU.
    pub activation: Activation,
    /// Pooling. Default average for LeNet-5, else maximum.
    pub pool: Pool,
    /// Batch norm after every layer but the last. Default only for `cnn`.
    pub batch_norm: bool,
    /// Digital biases. Default none, as in the reference code.
    pub bias: bool,
}

impl Network {
    /// The defaults of a family.
    pub fn of(kind: NetworkKind) -> Self {
        let lenet = kind == NetworkKind::Lenet5;
        let cnn = kind == NetworkKind::Cnn;
        Self {
            kind,
            width: 1.0,
            hidden: match kind {
                NetworkKind::Mlp => vec![256, 128],
                _ => Vec::new(),
            },
            channels: if cnn { vec![16, 32] } else { Vec::new() },
            features: 0,
            activation: if lenet {
                Activation::Tanh
            } else {
                Activation::Relu
            },
            pool: if lenet { Pool::Avg } else { Pool::Max },
            batch_norm: cnn,
            bias: false,
        }
    }

    pub(super) fn read(mut s: Section) -> Self {
        let kind = s.choice("kind", NetworkKind::Cnn);
        let d = Self::of(kind);
        let network = Self {
            kind,
            width: s.real("width", d.width, WIDTH),
            hidden: s.counts("hidden", &d.hidden, 1..=65_536, 0..=16),
            channels: s.counts("channels", &d.channels, 1..=4_096, 0..=8),
            features: s.count("features", d.features, 0..=65_536),
            activation: s.choice("activation", d.activation),
            pool: s.choice("pool", d.pool),
            batch_norm: s.bool("batch_norm", d.batch_norm),
            bias: s.bool("bias", d.bias),
        };
        if kind != NetworkKind::Mlp && !network.hidden.is_empty() {
            s.refuse(
                "hidden",
                format!("has no meaning for kind \"{kind}\"; allowed: kind = \"mlp\""),
            );
        }
        if kind != NetworkKind::Cnn {
            for (key, set) in [
                ("channels", !network.channels.is_empty()),
                ("features", network.features > 0),
            ] {
                if set {
                    let text =
                        format!("has no meaning for kind \"{kind}\"; allowed: kind = \"cnn\"");
                    s.refuse(key, text);
                }
            }
        }
        s.finish();
        network
    }
}

/// Allowed [`Network::width`].
pub(super) const WIDTH: std::ops::RangeInclusive<f64> = 0.0625..=4.0;

impl Default for Network {
    fn default() -> Self {
        Self::of(NetworkKind::Cnn)
    }
}
