//! Whether the layers of a graph fit together.

use std::collections::HashSet;

use super::{Graph, Layer, Node, NodeId};
use crate::error::{Error, Result};
use crate::program::{ConvGeometry, NO_SOURCE, PoolGeometry};
use crate::random::{Reach, product};

/// A result, or the reason why a node is refused.
type Checked<T> = std::result::Result<T, String>;

impl Graph {
    /// Whether the layers fit together: inputs exist and come first, names differ, every output
    /// has the shape that the layer computes from its inputs.
    ///
    /// # Errors
    /// The first node that does not fit, by its name.
    pub fn check(&self) -> Result<()> {
        let mut names = HashSet::new();
        for (id, node) in self.nodes.iter().enumerate() {
            let fits = match names.insert(node.name.as_str()) {
                true => self.check_node(id),
                false => Err("a second node of that name".into()),
            };
            fits.map_err(|what| {
                let (name, kind) = (&node.name, node.layer.kind());
                Error::input(format!("node `{name}` ({kind}): {what}"))
            })?;
        }
        self.check_addresses()
    }

    fn check_node(&self, id: NodeId) -> Checked<()> {
        let node = &self.nodes[id];
        if let Some(&late) = node.inputs.iter().find(|&&i| i >= id) {
            return Err(format!("reads node {late}, which does not come before it"));
        }
        if !arity(&node.layer).contains(&node.inputs.len()) {
            return Err(format!("has {} inputs", node.inputs.len()));
        }
        let inputs: Vec<&Node> = node.inputs.iter().map(|&i| &self.nodes[i]).collect();
        let (c, h, w) = output_shape(node, &inputs)?;
        match (c, h, w) == node.shape {
            true => Ok(()),
            false => Err(format!("gives {c} x {h} x {w}, not {}", size(node))),
        }
    }

    /// Whether every layer and weight on arrays has random numbers of its own.
    fn check_addresses(&self) -> Result<()> {
        let layers = self.crossbars();
        Reach::Layers.check(layers.len() as u128, "layers on arrays")?;
        for (node, geo, _) in layers {
            // Weights, then biases from a multiple of four on.
            let parameters =
                product(&[geo.c_out, geo.rows()]).next_multiple_of(4) + geo.c_out as u128;
            let name = &self.nodes[node].name;
            Reach::Numbers.check(parameters, &format!("weights and biases of node `{name}`"))?;
        }
        Ok(())
    }
}

/// How many inputs a layer takes.
fn arity(layer: &Layer) -> std::ops::RangeInclusive<usize> {
    match layer {
        Layer::Input => 0..=0,
        Layer::Add | Layer::Multiply => 2..=2,
        Layer::Concat => 1..=usize::MAX,
        Layer::Conv { .. }
        | Layer::BatchNorm { .. }
        | Layer::Activation(_)
        | Layer::MaxPool(_)
        | Layer::AvgPool(_)
        | Layer::Affine
        | Layer::Quantize { .. }
        | Layer::Softmax
        | Layer::Reshape
        | Layer::Rearrange { .. } => 1..=1,
    }
}

/// The shape that the node's layer computes from its inputs; its own where the layer takes any.
fn output_shape(node: &Node, inputs: &[&Node]) -> Checked<(usize, usize, usize)> {
    match &node.layer {
        Layer::Input => return Ok(node.shape),
        Layer::Conv { geo, .. } => return conv(geo, inputs[0]),
        Layer::MaxPool(geo) | Layer::AvgPool(geo) => return pool(geo, inputs[0]),
        Layer::Add => add(inputs[0], inputs[1])?,
        Layer::Multiply => multiply(inputs[0], inputs[1])?,
        Layer::Reshape | Layer::Concat => {
            let read: usize = inputs.iter().map(|n| values(n)).sum();
            return match read == values(node) {
                true => Ok(node.shape),
                false => Err(format!("{read} values do not fill {}", size(node))),
            };
        }
        Layer::Rearrange { table, .. } => return rearrange(table, inputs[0], node),
        Layer::BatchNorm { .. }
        | Layer::Activation(_)
        | Layer::Affine
        | Layer::Quantize { .. }
        | Layer::Softmax => {}
    }
    Ok(inputs[0].shape)
}

fn conv(geo: &ConvGeometry, input: &Node) -> Checked<(usize, usize, usize)> {
    if !geo.is_possible() {
        return Err(format!(
            "a kernel of {} x {} (stride {:?}, dilation {:?}, padding {:?}, {} groups) from {} to {} \
             channels on {} is impossible",
            geo.kh,
            geo.kw,
            geo.stride,
            geo.dilation,
            geo.pad,
            geo.groups,
            geo.c_in,
            geo.c_out,
            size(input)
        ));
    }
    let flattens = geo.is_linear() && geo.c_in == values(input);
    if (geo.c_in, geo.h_in, geo.w_in) != input.shape && !flattens {
        return Err(format!(
            "expects an input of {} x {} x {}, gets {}",
            geo.c_in,
            geo.h_in,
            geo.w_in,
            size(input)
        ));
    }
    Ok((geo.c_out, geo.h_out(), geo.w_out()))
}

fn pool(geo: &PoolGeometry, input: &Node) -> Checked<(usize, usize, usize)> {
    let (c, h, w) = input.shape;
    if !geo.is_possible(h, w) {
        return Err(format!(
            "a window of {} x {} with stride {:?} and padding {:?} on {} is impossible",
            geo.kh,
            geo.kw,
            geo.stride,
            geo.pad,
            size(input)
        ));
    }
    let (h, w) = geo.out(h, w);
    Ok((c, h, w))
}

fn add(a: &Node, b: &Node) -> Checked<()> {
    match a.shape == b.shape {
        true => Ok(()),
        false => Err(format!("adds {} and {}", size(a), size(b))),
    }
}

fn multiply(a: &Node, b: &Node) -> Checked<()> {
    match b.shape == a.shape || b.shape == (a.shape.0, 1, 1) {
        true => Ok(()),
        false => Err(format!("multiplies {} by {}", size(a), size(b))),
    }
}

fn rearrange(table: &[u32], from: &Node, to: &Node) -> Checked<(usize, usize, usize)> {
    let exists = |&t: &u32| t == NO_SOURCE || (t as usize) < values(from);
    match table.len() == values(to) && table.iter().all(exists) {
        true => Ok(to.shape),
        false => Err(format!(
            "its table does not lead from {} to {}",
            size(from),
            size(to)
        )),
    }
}

/// Number of values of a node's output.
fn values(node: &Node) -> usize {
    let (c, h, w) = node.shape;
    c * h * w
}

/// A node's output shape for messages.
fn size(node: &Node) -> String {
    let (c, h, w) = node.shape;
    format!("{c} x {h} x {w}")
}
