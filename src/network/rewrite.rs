//! Graphs made simpler without changing what they compute: what imports need before they look like
//! networks that were built here.

use crate::network::state::Part;
use std::sync::Arc;

use super::file::Loaded;
use super::graph::{Graph, Layer, NodeId};
use super::parameters::Tensor;
use crate::program::NO_SOURCE;

/// Keeps what `output` needs, which becomes the last node.
pub(super) fn prune(net: &mut Loaded, output: NodeId) {
    let n = net.graph.nodes.len();
    let mut needed = vec![false; n];
    needed[0] = true;
    needed[output] = true;
    for id in (0..n).rev() {
        if needed[id] {
            for &i in &net.graph.nodes[id].inputs {
                needed[i] = true;
            }
        }
    }
    let gone = |id: NodeId| (!needed[id]).then_some(0);
    drop_nodes(net, gone);
}

/// Removes the nodes for which `gone` names the node to read instead.
fn drop_nodes(net: &mut Loaded, gone: impl Fn(NodeId) -> Option<NodeId>) {
    let mut moved: Vec<NodeId> = vec![];
    let mut kept = vec![];
    for (id, mut node) in std::mem::take(&mut net.graph.nodes).into_iter().enumerate() {
        if let Some(instead) = gone(id) {
            moved.push(moved.get(instead).copied().unwrap_or(0));
            let prefix = format!("{}.", node.name);
            let is_own = |name: &str| {
                let part = name.strip_prefix(&prefix);
                part.is_some_and(|part| !part.contains('.'))
            };
            net.parameters.tensors.retain(|name, _| !is_own(name));
            continue;
        }
        for i in &mut node.inputs {
            *i = moved[*i];
        }
        moved.push(kept.len());
        kept.push(node);
    }
    net.graph.nodes = kept;
}

/// The node that reads `id`, where there is exactly one.
fn only_readers(graph: &Graph) -> Vec<Option<NodeId>> {
    let fan_out = graph.fan_out();
    let mut reader = vec![None; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        for &i in &node.inputs {
            if fan_out[i] == 1 {
                reader[i] = Some(id);
            }
        }
    }
    reader
}

fn take(net: &mut Loaded, id: NodeId, part: Part) -> Option<Vec<f32>> {
    let name = part.of(&net.graph.nodes[id].name);
    net.parameters.tensors.remove(&name).map(|t| t.data)
}

fn put(net: &mut Loaded, id: NodeId, part: Part, shape: Vec<usize>, data: Vec<f32>) {
    let name = part.of(&net.graph.nodes[id].name);
    net.parameters.tensors.insert(name, Tensor { shape, data });
}

/// Joins what exporters split: two factors per channel in a row, two rearrangements in a row, and a
/// sum with a constant after a crossbar layer without bias. The result of joined factors differs
/// from that of two by a rounding.
pub(super) fn merge(net: &mut Loaded) {
    let readers = only_readers(&net.graph);
    let n = net.graph.nodes.len();
    let mut instead: Vec<Option<NodeId>> = vec![None; n];
    for id in 1..n {
        let source = net.graph.nodes[id].inputs[0];
        let source = instead[source].unwrap_or(source);
        let alone = readers[net.graph.nodes[id].inputs[0]] == Some(id);
        if !alone || net.graph.nodes[id].inputs.len() != 1 {
            continue;
        }
        let (before, after) = (&net.graph.nodes[source], &net.graph.nodes[id]);
        let joined = match (&before.layer, &after.layer) {
            (Layer::Affine, Layer::Affine) if before.shape == after.shape => {
                join_factors(net, source, id)
            }
            (Layer::Conv { bias: false, .. }, Layer::Affine) if before.shape == after.shape => {
                make_bias(net, source, id)
            }
            (
                Layer::Rearrange { table, fill },
                Layer::Rearrange {
                    table: second,
                    fill: second_fill,
                },
            ) => {
                let compatible = fill == second_fill
                    || !second.contains(&NO_SOURCE)
                    || !table.contains(&NO_SOURCE);
                let fill = if table.contains(&NO_SOURCE) {
                    *fill
                } else {
                    *second_fill
                };
                let through = |&t: &u32| match t {
                    NO_SOURCE => NO_SOURCE,
                    t => table[t as usize],
                };
                let both: Arc<[u32]> = second.iter().map(through).collect();
                let shape = after.shape;
                if compatible {
                    let node = &mut net.graph.nodes[source];
                    node.layer = Layer::Rearrange { table: both, fill };
                    node.shape = shape;
                }
                compatible
            }
            _ => false,
        };
        if joined {
            instead[id] = Some(source);
        }
    }
    drop_nodes(net, |id| instead[id]);
}

/// `s2 (s1 x + b1) + b2` as one.
fn join_factors(net: &mut Loaded, first: NodeId, second: NodeId) -> bool {
    let mut of = |id: NodeId| Some((take(net, id, Part::Scale)?, take(net, id, Part::Shift)?));
    let (Some((s1, b1)), Some((s2, b2))) = (of(first), of(second)) else {
        return false;
    };
    let c = s1.len();
    let wide = |v: f32| f64::from(v);
    let scale = (0..c).map(|i| (wide(s1[i]) * wide(s2[i])) as f32).collect();
    let shift = (0..c)
        .map(|i| (wide(s2[i]) * wide(b1[i]) + wide(b2[i])) as f32)
        .collect();
    put(net, first, Part::Scale, vec![c], scale);
    put(net, first, Part::Shift, vec![c], shift);
    true
}

/// A sum with a constant per channel becomes the bias of the layer before it.
fn make_bias(net: &mut Loaded, conv: NodeId, affine: NodeId) -> bool {
    let one = net
        .parameters
        .get(&net.graph.nodes[affine].name, Part::Scale);
    if !one.is_some_and(|t| t.data.iter().all(|s| *s == 1.0)) {
        return false;
    }
    let Some(shift) = take(net, affine, Part::Shift) else {
        return false;
    };
    put(net, conv, Part::Bias, vec![shift.len()], shift);
    if let Layer::Conv { bias, .. } = &mut net.graph.nodes[conv].layer {
        *bias = true;
    }
    true
}

/// Multiplies batch norm and other factors per channel into the crossbar layer before them,
/// wherever nobody else reads that layer: `w' = s w`, `b' = s b + t` with
/// `s = gamma / sqrt(var + eps)`, `t = beta - s mean`.
pub(super) fn fold_factors(net: &mut Loaded) {
    let readers = only_readers(&net.graph);
    let n = net.graph.nodes.len();
    let mut instead: Vec<Option<NodeId>> = vec![None; n];
    for id in 1..n {
        let source = net.graph.nodes[id].inputs[0];
        let alone = readers[source] == Some(id);
        let source = instead[source].unwrap_or(source);
        let (before, after) = (&net.graph.nodes[source], &net.graph.nodes[id]);
        if !alone || before.shape != after.shape {
            continue;
        }
        if let Layer::Conv { geo, .. } = before.layer
            && let Some((scale, shift)) = factors(net, id)
        {
            scale_rows(net, source, geo.rows(), &scale, &shift);
            instead[id] = Some(source);
        }
    }
    drop_nodes(net, |id| instead[id]);
}

/// Factor and offset of a batch norm or affine map.
fn factors(net: &mut Loaded, id: NodeId) -> Option<(Vec<f64>, Vec<f64>)> {
    let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<f64>>();
    match net.graph.nodes[id].layer {
        Layer::Affine => Some((
            wide(take(net, id, Part::Scale)?),
            wide(take(net, id, Part::Shift)?),
        )),
        Layer::BatchNorm { eps, .. } => {
            let mut part = |part: Part| take(net, id, part).map(wide);
            let (gamma, beta) = (part(Part::Gamma)?, part(Part::Beta)?);
            let (mean, var) = (part(Part::Mean)?, part(Part::Var)?);
            let scale: Vec<f64> = gamma
                .iter()
                .zip(&var)
                .map(|(g, v)| g / (v + f64::from(eps)).sqrt())
                .collect();
            let shift = (0..scale.len())
                .map(|i| beta[i] - scale[i] * mean[i])
                .collect();
            Some((scale, shift))
        }
        _ => None,
    }
}

fn scale_rows(net: &mut Loaded, conv: NodeId, rows: usize, scale: &[f64], shift: &[f64]) {
    let name = Part::Weight.of(&net.graph.nodes[conv].name);
    if let Some(weight) = net.parameters.tensors.get_mut(&name) {
        for (row, s) in weight.data.chunks_mut(rows).zip(scale) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) * s) as f32);
        }
    }
    let old = take(net, conv, Part::Bias).unwrap_or_else(|| vec![0.0; scale.len()]);
    let bias = (0..scale.len())
        .map(|i| (scale[i] * f64::from(old[i]) + shift[i]) as f32)
        .collect();
    put(net, conv, Part::Bias, vec![scale.len()], bias);
    if let Layer::Conv { bias, .. } = &mut net.graph.nodes[conv].layer {
        *bias = true;
    }
}
