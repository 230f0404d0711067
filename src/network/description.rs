//! Networks described in JSON: an ordered list of operations with the names of their tensors, which
//! are in a safetensors file. docs/networks.md is the description for people.
//!
//! A file of that kind comes from outside (with the names that PyTorch gives to tensors), or from
//! here: the metadata of every network that is written holds the description of itself.

mod layer;
mod op;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::lower::{ActStep, Numerics};
use crate::error::{Error, Result};
use crate::program::{BinaryGroup, Rounding, StraightThrough};
use op::Op;

pub use read::read;

/// Largest size of anything in a description.
const LARGEST: usize = 1 << 24;

/// A description.
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    name: String,
    input: Input,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantizers: Option<Quantizers>,
    /// Tensors that are one in the model that the network comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tied: Vec<Vec<String>>,
    layers: Vec<Op>,
}

/// The images.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    name: String,
    /// `[N, c, h, w]`; N is text or a number, and is not looked at.
    shape: (serde_json::Value, usize, usize, usize),
}

/// Number formats of a network that was trained here, as in the experiment file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantizers {
    weight_bits: u32,
    per_channel: bool,
    /// Came later, so it may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    binary_per_input: bool,
    activation_bits: u32,
    floor: bool,
    signed: bool,
    linear_inputs: bool,
    input_bits: u32,
    /// Came later; images had signed codes before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsigned_images: bool,
    binary_per_image: bool,
    /// Crossbar layers with formats of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    layers: BTreeMap<String, Quantizers>,
}

impl Quantizers {
    fn of(n: &Numerics) -> Option<Self> {
        let quantizes = n.weight_bits > 0 || n.act_bits > 0 || n.input_bits > 0;
        (quantizes || n.own.is_some()).then(|| Self::new(n))
    }

    fn new(n: &Numerics) -> Self {
        let own = n.own.iter().flat_map(|own| own.iter());
        Self {
            weight_bits: n.weight_bits,
            per_channel: n.per_channel,
            binary_per_input: n.binary_per_input,
            activation_bits: n.act_bits,
            floor: n.act_rounding == Rounding::Floor,
            signed: n.act_signed,
            linear_inputs: n.linear_inputs,
            input_bits: n.input_bits,
            unsigned_images: !n.signed_images,
            binary_per_image: n.binary_group == BinaryGroup::Image,
            layers: own.map(|(name, n)| (name.clone(), Self::new(n))).collect(),
        }
    }

    /// Largest number of bits.
    fn most_bits(&self) -> u32 {
        let own = self.layers.values().map(Self::most_bits);
        let here = [self.weight_bits, self.activation_bits, self.input_bits];
        own.chain(here).max().unwrap_or(0)
    }

    fn numerics(&self) -> Numerics {
        Numerics {
            weight_bits: self.weight_bits,
            weight_step: None,
            weight_step_learned: false,
            per_channel: self.per_channel,
            binary_per_input: self.binary_per_input,
            act_bits: self.activation_bits,
            act_step: ActStep::Fixed,
            act_rounding: if self.floor {
                Rounding::Floor
            } else {
                Rounding::Nearest
            },
            act_signed: self.signed,
            straight_through: StraightThrough::Clip,
            linear_inputs: self.linear_inputs,
            input_bits: self.input_bits,
            signed_images: !self.unsigned_images,
            binary_group: if self.binary_per_image {
                BinaryGroup::Image
            } else {
                BinaryGroup::Channel
            },
            own: (!self.layers.is_empty()).then(|| {
                let own = self.layers.iter();
                Arc::new(own.map(|(name, q)| (name.clone(), q.numerics())).collect())
            }),
        }
    }
}

/// The description of a network whose tensors are called as [`super::parameters`] calls them; `tied`
/// as in [`Loaded`](super::file::Loaded).
pub fn describe(graph: &Graph, numerics: &Numerics, tied: &[Vec<String>]) -> Description {
    let (c, h, w) = graph.nodes[0].shape;
    let layers = graph.nodes[1..]
        .iter()
        .map(|node| {
            let input = |i: usize| graph.nodes[node.inputs[i]].name.clone();
            Op {
                kind: op::kind(node),
                name: None,
                input: (node.inputs.len() == 1).then(|| input(0)),
                inputs: match node.inputs.len() {
                    1 => None,
                    n => Some((0..n).map(input).collect()),
                },
                out: node.name.clone(),
            }
        })
        .collect();
    Description {
        name: graph.name.clone(),
        input: Input {
            name: graph.nodes[0].name.clone(),
            shape: ("N".into(), c, h, w),
        },
        quantizers: Quantizers::of(numerics),
        tied: tied.to_vec(),
        layers,
    }
}

/// A description as one line of JSON.
///
/// # Errors
/// None that a description can cause.
pub fn to_json(graph: &Graph, numerics: &Numerics) -> Result<String> {
    to_json_with_ties(graph, numerics, &[])
}

/// As [`to_json`], with the groups of tensors that were one ([`Loaded::tied`](super::file::Loaded::tied)).
///
/// # Errors
/// As [`to_json`].
pub fn to_json_with_ties(
    graph: &Graph,
    numerics: &Numerics,
    tied: &[Vec<String>],
) -> Result<String> {
    serde_json::to_string(&describe(graph, numerics, tied))
        .map_err(|e| Error::Internal(format!("network to JSON: {e}")))
}
