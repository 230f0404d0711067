//! The network whose weights become conductances.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::reader::Section;
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
    /// The network (`file`): ONNX, a safetensors file of a training here, or the JSON description
    /// that goes with a safetensors file (docs/networks.md). Relative to the experiment file.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "super::serialize_path"
    )]
    pub file: Option<PathBuf>,
    /// SHA-256 of the file, 64 hexadecimal digits; a file with another one is refused. Absent: that
    /// of the file as it is now, which is then part of the run's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_sha256: Option<String>,
    /// Multiply batch norm into the weights before it (`file`), so that it lives on the crossbars.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fold_batch_norm: bool,
    /// Sizes of one input (`file`), for an ONNX model that leaves them free: `[3, 224, 224]`. Empty:
    /// those of the file, with which they must agree else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<usize>,
    /// Factor on every number of channels and hidden units but the classes.
    pub width: f64,
    /// Units of the hidden layers (`mlp`); empty for none.
    pub hidden: Vec<usize>,
    /// Output channels of the blocks (`cnn`).
    pub channels: Vec<usize>,
    /// Hidden units before the classifier (`cnn`); 0 for none.
    pub features: usize,
    /// Non-linearity. Default tanh for LeNet-5, ReLU6 for MobileNetV2, else ReLU.
    pub activation: Activation,
    /// Pooling. Default average for LeNet-5, else maximum.
    pub pool: Pool,
    /// Batch norm after every layer but the last. Default for all but `lenet5` and `mlp`.
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
            file: None,
            file_sha256: None,
            fold_batch_norm: false,
            input: Vec::new(),
            width: 1.0,
            hidden: match kind {
                NetworkKind::Mlp => vec![256, 128],
                _ => Vec::new(),
            },
            channels: if cnn { vec![16, 32] } else { Vec::new() },
            features: 0,
            activation: match kind {
                NetworkKind::Lenet5 => Activation::Tanh,
                NetworkKind::Mobilenetv2 => Activation::Relu6,
                _ => Activation::Relu,
            },
            pool: if lenet { Pool::Avg } else { Pool::Max },
            batch_norm: kind.has_batch_norm(),
            bias: false,
        }
    }

    pub(super) fn read(mut s: Section) -> Self {
        let kind = s.choice("kind", NetworkKind::Cnn);
        let d = Self::of(kind);
        let file = s.text("file", "");
        let network = Self {
            kind,
            file: (!file.is_empty()).then(|| PathBuf::from(file)),
            file_sha256: s.optional("file_sha256", sha256),
            fold_batch_norm: s.bool("fold_batch_norm", false),
            input: s.counts("input", &[], 1..=1 << 24, 0..=4),
            width: s.real("width", d.width, WIDTH),
            hidden: s.counts("hidden", &d.hidden, 1..=65_536, 0..=16),
            channels: s.counts("channels", &d.channels, 1..=4_096, 0..=8),
            features: s.count("features", d.features, 0..=65_536),
            activation: s.choice("activation", d.activation),
            pool: s.choice("pool", d.pool),
            batch_norm: s.bool("batch_norm", d.batch_norm),
            bias: s.bool("bias", d.bias),
        };
        if kind == NetworkKind::File {
            network.refuse_zoo_keys(&s, &d);
            if network.file.is_none() {
                s.refuse(
                    "kind",
                    "\"file\" needs the key `file`, the path of a network",
                );
            }
        } else {
            let set = [
                ("file", network.file.is_some()),
                ("file_sha256", network.file_sha256.is_some()),
                ("fold_batch_norm", network.fold_batch_norm),
                ("input", !network.input.is_empty()),
            ];
            for (key, _) in set.iter().filter(|(_, set)| *set) {
                let text = format!("has no meaning for kind \"{kind}\"; allowed: kind = \"file\"");
                s.refuse(key, text);
            }
        }
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

    /// Writes down which file `path` is now, or refuses it if [`Network::file_sha256`] says that it
    /// should be another.
    pub(super) fn pin(&mut self, path: &Path) -> Result<()> {
        let about = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !about.is_file() {
            // A pipe would be waited for, and a device may never end.
            return Err(Error::input(format!(
                "{}: a directory, pipe or device; allowed for network.file: a file",
                path.display()
            )));
        }
        let mut file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut hash).map_err(|e| Error::io(path, e))?;
        let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        match self.file_sha256.replace(found.clone()) {
            Some(wanted) if wanted != found => Err(Error::input(format!(
                "{}: its SHA-256 is {found}; network.file_sha256 wants {wanted}",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// A file decides its network; the keys that shape the zoo's may not say otherwise.
    fn refuse_zoo_keys(&self, s: &Section, d: &Self) {
        let set = [
            ("width", self.width != d.width),
            ("activation", self.activation != d.activation),
            ("pool", self.pool != d.pool),
            ("batch_norm", self.batch_norm != d.batch_norm),
            ("bias", self.bias != d.bias),
        ];
        for (key, _) in set.iter().filter(|(_, set)| *set) {
            s.refuse(
                key,
                "the network's file decides that; allowed: a kind of the zoo",
            );
        }
    }
}

fn sha256(v: &toml::de::DeValue) -> std::result::Result<String, String> {
    let text = v.as_str().unwrap_or_default();
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("is not a SHA-256; allowed: 64 hexadecimal digits".into())
}

/// Allowed [`Network::width`].
pub(super) const WIDTH: std::ops::RangeInclusive<f64> = 0.0625..=4.0;

impl Default for Network {
    fn default() -> Self {
        Self::of(NetworkKind::Cnn)
    }
}
