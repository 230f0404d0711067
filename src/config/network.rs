//! The network whose weights become conductances.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use toml::de::DeValue;

use super::heads::{Heads, InOrder};
use super::reader::Section;
use super::rule::{Allowed, Any, List, Maybe, Read, Relative, Rule};
use super::section::section;
use crate::choice::choices;
use crate::error::{Error, Result};

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
        /// VGG-11 for 32 x 32: 64 M 128 M 256 256 M 512 512 M 512 512 M, one linear layer.
        Vgg11 = "vgg11",
        /// ResNet-18 with a 3x3 stem of stride 1 (64, 128, 256, 512, two blocks each).
        Resnet18 = "resnet18",
        /// ResNet-20 for 32 x 32 (16, 32, 64, three blocks each).
        Resnet20 = "resnet20",
        /// ResNet-32 for 32 x 32 (five blocks each).
        Resnet32 = "resnet32",
        /// ResNet-56 for 32 x 32 (nine blocks each).
        Resnet56 = "resnet56",
        /// MobileNetV2 with the strides for 32 x 32: depthwise convolutions.
        Mobilenetv2 = "mobilenetv2",
        /// A network of yours: [`Network::file`].
        File = "file",
    }
}

impl NetworkKind {
    /// The non-linearity of the architecture.
    pub(super) fn activation(self) -> Activation {
        match self {
            NetworkKind::Lenet5 => Activation::Tanh,
            NetworkKind::Mobilenetv2 => Activation::Relu6,
            NetworkKind::Mlp
            | NetworkKind::Cnn
            | NetworkKind::Vgg11
            | NetworkKind::Resnet18
            | NetworkKind::Resnet20
            | NetworkKind::Resnet32
            | NetworkKind::Resnet56
            | NetworkKind::File => Activation::Relu,
        }
    }

    /// Whether the architecture has batch norm unless told otherwise.
    fn has_batch_norm(self) -> bool {
        !matches!(
            self,
            NetworkKind::Lenet5 | NetworkKind::Mlp | NetworkKind::File
        )
    }
}

choices! {
    /// Non-linearity after every layer but the last.
    pub enum Activation {
        /// `max(v, 0)`.
        Relu = "relu",
        /// `min(max(v, 0), 6)`.
        Relu6 = "relu6",
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

section! {
    /// Section `[network]`: the graph.
    ///
    /// Weights are analog; biases, batch norm and activations are digital and free of variation. That
    /// is why they decide what a common deviation does: a bias-free ReLU network without batch norm
    /// only scales its logits under weight-proportional eps_B and loses nothing, while a frozen batch
    /// norm, a bias or a saturating activation does not scale along.
    pub struct Network {
        /// Family.
        kind: NetworkKind = NetworkKind::Cnn;
        /// The network of kind "file": ONNX, a safetensors file of a training here, or the JSON description
        /// that goes with a safetensors file (docs/networks.md).
        file: Option<PathBuf> = None, Relative;
        /// SHA-256 of the file; a file with another one is refused. Absent: that of the file as it is now,
        /// which is then part of the run's configuration.
        file_sha256: Option<String> = None, Maybe(Sha);
        /// With kind "file": multiply batch norm into the weights before it, so that it lives on the
        /// crossbars.
        [quiet] fold_batch_norm: bool = false;
        /// With kind "file": sizes of one input, for an ONNX model that leaves them free: `[3, 224, 224]`.
        /// Where the file has sizes they must be the same. Empty: the sizes of the file.
        [quiet] input: Vec<usize> = Vec::new(), List { each: 1..=1 << 24, length: 0..=4 };
        /// Factor on every number of channels and hidden units but the classes.
        width: f64 = 1.0, 0.0625..=4.0;
        /// Units of the hidden layers of kind "mlp"; empty for none. By default `[256, 128]` there.
        hidden: Vec<usize> = Vec::new(), List { each: 1..=65_536, length: 0..=16 };
        /// Output channels of the blocks of kind "cnn".
        channels: Vec<usize> = vec![16, 32], List { each: 1..=4_096, length: 0..=8 };
        /// Hidden units before the classifier of kind "cnn"; 0 for none.
        features: usize = 0, 0..=65_536;
        /// Non-linearity. By default tanh for LeNet-5, ReLU6 for MobileNetV2, else ReLU.
        activation: Activation = Activation::Relu;
        /// Pooling. By default average for LeNet-5, else maximum.
        pool: Pool = Pool::Max;
        /// Batch norm after every layer but the last. By default for all but "lenet5", "mlp" and "file".
        batch_norm: bool = true;
        /// Digital biases; the reference code has none.
        bias: bool = false;
        /// Auxiliary outputs for training.
        [quiet] head: Heads => InOrder;
    }
}

impl Network {
    /// The defaults of a family.
    pub fn of(kind: NetworkKind) -> Self {
        let usual = Self::default();
        Self {
            kind,
            hidden: match kind == NetworkKind::Mlp {
                true => vec![256, 128],
                false => Vec::new(),
            },
            channels: match kind == NetworkKind::Cnn {
                true => usual.channels,
                false => Vec::new(),
            },
            activation: kind.activation(),
            pool: match kind == NetworkKind::Lenet5 {
                true => Pool::Avg,
                false => Pool::Max,
            },
            batch_norm: kind.has_batch_norm(),
            ..usual
        }
    }

    /// The defaults of the section, which its kind decides.
    pub(super) fn defaults(s: &Section) -> Self {
        s.peek("kind", &Any).map_or_else(Self::default, Self::of)
    }

    /// Fields that have no meaning for the kind, with the reason.
    pub(super) fn misplaced(&self) -> Vec<(&'static str, String)> {
        let kind = self.kind;
        let mut found = Vec::new();
        let mut refuse = |fields: &[(&'static str, bool)], text: String| {
            let set = fields.iter().filter(|(_, set)| *set);
            found.extend(set.map(|(field, _)| (*field, text.clone())));
        };
        let only = |of: NetworkKind| {
            format!("has no meaning for kind \"{kind}\"; allowed: kind = \"{of}\"")
        };
        if kind == NetworkKind::File {
            let d = Self::of(kind);
            refuse(
                &[
                    ("network.width", self.width != d.width),
                    ("network.activation", self.activation != d.activation),
                    ("network.pool", self.pool != d.pool),
                    ("network.batch_norm", self.batch_norm != d.batch_norm),
                    ("network.bias", self.bias != d.bias),
                ],
                "the network's file decides that; allowed: a kind of the zoo".into(),
            );
            refuse(
                &[("network.kind", self.file.is_none())],
                "\"file\" needs the key `file`, the path of a network".into(),
            );
        } else {
            let fields = [
                ("network.file", self.file.is_some()),
                ("network.file_sha256", self.file_sha256.is_some()),
                ("network.fold_batch_norm", self.fold_batch_norm),
                ("network.input", !self.input.is_empty()),
            ];
            refuse(&fields, only(NetworkKind::File));
        }
        if kind != NetworkKind::Mlp {
            let fields = [("network.hidden", !self.hidden.is_empty())];
            refuse(&fields, only(NetworkKind::Mlp));
        }
        if kind != NetworkKind::Cnn {
            let fields = [
                ("network.channels", !self.channels.is_empty()),
                ("network.features", self.features > 0),
            ];
            refuse(&fields, only(NetworkKind::Cnn));
        }
        found
    }
}

/// Writes down which file `path` is now, or refuses it if `sha256` says that it should be another. Messages call it
/// `field`.
pub(super) fn pin(path: &Path, sha256: &mut Option<String>, field: &str) -> Result<()> {
    let about = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if !about.is_file() {
        // A pipe would be waited for, and a device may never end.
        return Err(Error::input(format!(
            "{}: a directory, pipe or device; allowed for {field}: a file",
            path.display()
        )));
    }
    let mut file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(|e| Error::io(path, e))?;
    let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    match sha256.replace(found.clone()) {
        Some(wanted) if wanted != found => Err(Error::input(format!(
            "{}: its SHA-256 is {found}; {field}_sha256 wants {wanted}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// The SHA-256 of a file.
pub(super) struct Sha;

impl Rule<String> for Sha {
    fn read(&self, value: &DeValue) -> Read<String> {
        let text = value.as_str().unwrap_or_default();
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(text.to_ascii_lowercase());
        }
        Err("is not a SHA-256; allowed: 64 hexadecimal digits".into())
    }

    fn allowed(&self) -> Allowed {
        let schema = json!({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"});
        Allowed::new("text", "64 hexadecimal digits", schema)
    }
}
