//! Which weights a mask removes: those of the groups with the smallest norms of every layer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::LayerSettings;
use crate::config::parts::{MaskGroups, MaskWeights};
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::network::graph::{Graph, Layer, NodeId};
use crate::network::parameters::Tensor;
use crate::network::state::Part;
use crate::program::ConvGeometry;

/// Which groups of weights go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pruning<'a> {
    /// The part.
    pub mask: &'a MaskWeights,
    /// Length of a segment.
    pub segment: usize,
    /// Settings of the crossbar layers, in order: digital ones keep their weights.
    pub layers: &'a [LayerSettings],
    /// Factor on the shares.
    pub grown: f64,
}

impl Pruning<'_> {
    /// The share of a layer's groups that are removed.
    fn share(&self, own: &LayerSettings) -> Result<f64> {
        if own.digital {
            return Ok(0.0);
        }
        let share = self.mask.sparsity_of(&own.name);
        let share = share.map_err(|mistake| Error::Input(vec![*mistake]))?;
        Ok(self.grown * share)
    }
}

/// Masks of all crossbar layers by their names: 1 where a weight stays. Weights that are 0 in masks `before` count as
/// 0, so that they stay removed as long as shares do not fall.
///
/// # Errors
/// The network lacks a weight.
pub(super) fn masks(
    graph: &Graph,
    parameters: &Parameters,
    pruning: Pruning,
    before: Option<&Parameters>,
) -> Result<BTreeMap<String, Tensor>> {
    let groups = pruning.mask.groups;
    let mut masks = BTreeMap::new();
    let layers = graph.crossbars();
    let last = layers.last().map(|layer| layer.0);
    for ((id, geo, _), own) in layers.into_iter().zip(pruning.layers) {
        let name = &graph.nodes[id].name;
        let w = left(parameters.need(name, Part::Weight)?, name, before);
        let keeps_all = groups == MaskGroups::Filters && Some(id) == last;
        let removed = match keeps_all {
            true => vec![],
            false => smallest(
                &w,
                geo.rows(),
                tile(&geo, groups, pruning.segment),
                pruning.share(own)?,
            ),
        };
        let mut data = vec![1.0; w.len()];
        for i in removed {
            data[i] = 0.0;
        }
        let shape = parameters.get(name, Part::Weight).map(|t| t.shape.clone());
        let shape = shape.unwrap_or_default();
        masks.insert(name.clone(), Tensor { shape, data });
    }
    if groups == MaskGroups::Filters {
        remove_readers(graph, pruning.layers, &mut masks);
    }
    Ok(masks)
}

/// A weight with what masks of layers, by their names, leave of it.
fn left<'w>(w: &'w [f32], layer: &str, before: Option<&Parameters>) -> Cow<'w, [f32]> {
    match before.and_then(|masks| masks.tensors.get(layer)) {
        None => w.into(),
        Some(mask) => w.iter().zip(&mask.data).map(|(w, m)| w * m).collect(),
    }
}

/// Outputs of the last layer, the classes, that a mask leaves no weight, with the name of the layer.
pub(super) fn lost_classes<'g>(
    graph: &'g Graph,
    masks: &BTreeMap<String, Tensor>,
) -> Option<(&'g str, Vec<usize>)> {
    let &(id, geo, _) = graph.crossbars().last()?;
    let name = graph.nodes[id].name.as_str();
    let columns = masks.get(name)?.data.chunks(geo.rows()).enumerate();
    let lost = columns.filter(|(_, column)| column.iter().all(|m| *m == 0.0));
    let lost: Vec<usize> = lost.map(|(class, _)| class).collect();
    (!lost.is_empty()).then_some((name, lost))
}

/// Columns and rows of a group.
fn tile(geo: &ConvGeometry, groups: MaskGroups, segment: usize) -> (usize, usize) {
    match groups {
        MaskGroups::Weights => (1, 1),
        MaskGroups::Filters => (1, geo.rows()),
        MaskGroups::ColumnSegments => (1, segment),
        MaskGroups::RowSegments => (segment, 1),
    }
}

/// Places of the weights of the groups with the smallest norms, of two equal ones the first.
fn smallest(w: &[f32], rows: usize, tile: (usize, usize), share: f64) -> Vec<usize> {
    let along = rows.div_ceil(tile.1);
    let group = |i: usize| i / rows / tile.0 * along + i % rows / tile.1;
    let n = w.len().checked_sub(1).map_or(0, |last| group(last) + 1);
    let mut norms: Vec<(f64, usize)> = (0..n).map(|g| (0.0, g)).collect();
    for (i, &w) in w.iter().enumerate() {
        norms[group(i)].0 += f64::from(w).powi(2);
    }
    norms.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut gone = vec![false; n];
    // The share is below 1, so that a group stays.
    for &(_, g) in &norms[..(share * n as f64).floor() as usize] {
        gone[g] = true;
    }
    (0..w.len()).filter(|&i| gone[group(i)]).collect()
}

/// Removes the rows that read the map of a removed filter.
fn remove_readers(graph: &Graph, layers: &[LayerSettings], masks: &mut BTreeMap<String, Tensor>) {
    let crossbars = graph.crossbars().into_iter().zip(layers);
    for ((id, geo, _), _) in crossbars.filter(|(_, own)| !own.digital) {
        let Some(source) = filters_of(graph, graph.nodes[id].inputs[0]) else {
            continue;
        };
        let Some(filters) = masks.get(&graph.nodes[source].name) else {
            continue;
        };
        let n = filters.shape[0];
        let each = filters.data.len() / n.max(1);
        // A group of a grouped convolution reads a part of the channels.
        if geo.groups > 1 || !geo.rows().is_multiple_of(n) {
            continue;
        }
        let removed = |filter: usize| {
            filters.data[filter * each..][..each]
                .iter()
                .all(|&m| m == 0.0)
        };
        let removed: Vec<bool> = (0..n).map(removed).collect();
        let rows = geo.rows() / n;
        if let Some(own) = masks.get_mut(&graph.nodes[id].name) {
            for (i, m) in own.data.iter_mut().enumerate() {
                if removed[i % geo.rows() / rows] {
                    *m = 0.0;
                }
            }
        }
    }
}

/// The crossbar layer whose filters are the channels of a node, where there is one.
fn filters_of(graph: &Graph, mut id: NodeId) -> Option<NodeId> {
    loop {
        match &graph.nodes[id].layer {
            Layer::Conv { .. } => return Some(id),
            Layer::BatchNorm { .. }
            | Layer::Activation(_)
            | Layer::MaxPool(_)
            | Layer::AvgPool(_)
            | Layer::Affine
            | Layer::Quantize { .. }
            | Layer::Reshape => id = graph.nodes[id].inputs[0],
            Layer::Input
            | Layer::Add
            | Layer::Multiply
            | Layer::Softmax
            | Layer::Rearrange { .. }
            | Layer::Concat => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;

    /// The masks of a network with a part, and settings of its layers.
    fn masked(
        (g, p): &(Graph, Parameters),
        weights: &str,
        layers: &str,
    ) -> BTreeMap<String, Tensor> {
        let text = format!(
            "{layers}\n[train]\nepochs = 1\nweights = [{{ kind = \"mask\", {weights} }}]\n"
        );
        let e = Experiment::parse(&text, "test").unwrap();
        let own = g.crossbars().into_iter();
        let own = own.map(|(id, ..)| e.of_layer(&g.nodes[id].name).unwrap());
        let composition = e.train.composition();
        let mask = composition.mask().unwrap();
        let pruning = Pruning {
            mask,
            segment: mask.segment,
            layers: &own.collect::<Vec<_>>(),
            grown: 1.0,
        };
        masks(g, p, pruning, None).unwrap()
    }

    /// Share of the weights of a layer that go.
    fn removed(masks: &BTreeMap<String, Tensor>, name: &str) -> f64 {
        let data = &masks[name].data;
        data.iter().filter(|m| **m == 0.0).count() as f64 / data.len() as f64
    }

    /// Two convolutions with a norm and a pool between them, then a linear layer.
    fn network() -> (Graph, Parameters) {
        let mut g = Graph::new("test", 1, 4, 4);
        let x = g.conv("a", 0, 4, 3, 1, 1, 1, false);
        let x = g.batch_norm("norm", x, 1e-5);
        let x = g.conv("b", x, 6, 3, 1, 1, 1, false);
        g.linear("c", x, 3, false);
        let mut parameters = Parameters::default();
        for (i, (id, geo, _)) in g.crossbars().into_iter().enumerate() {
            let n = geo.weights();
            // Filters with norms in the order of a permutation.
            let value = |k: usize| ((k / geo.rows() * 5 + 3 + i) % geo.c_out + 1) as f32;
            let tensor = Tensor {
                shape: vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw],
                data: (0..n).map(value).collect(),
            };
            let name = Part::Weight.of(&g.nodes[id].name);
            parameters.tensors.insert(name, tensor);
        }
        (g, parameters)
    }

    #[test]
    fn the_rows_that_read_a_removed_filter_go_with_it() {
        let masks = masked(&network(), "groups = \"filters\"", "");
        let gone = |name: &str, rows: usize| -> Vec<usize> {
            let filters = masks[name].data.chunks(rows).enumerate();
            let filters = filters.filter(|(_, m)| m.iter().all(|m| *m == 0.0));
            filters.map(|(i, _)| i).collect()
        };
        // Values 3 + 5 o (+ 1) modulo 4 and 6: filters 1, 2 of 4, and 3 of 6.
        let (a, b) = (gone("a", 9), gone("b", 36));
        assert_eq!((a.len(), b.len()), (2, 3));
        assert!(gone("c", 96).is_empty());
        for (i, m) in masks["b"].data.iter().enumerate() {
            let (filter, channel) = (i / 36, i % 36 / 9);
            let stays = !b.contains(&filter) && !a.contains(&channel);
            assert_eq!(*m == 1.0, stays, "{i}");
        }
        for (i, m) in masks["c"].data.iter().enumerate() {
            assert_eq!(*m == 1.0, !b.contains(&(i % 96 / 16)), "{i}");
        }
    }

    #[test]
    fn layers_have_shares_of_their_own_and_digital_ones_keep_all() {
        let network = network();
        let shares = |weights: &str, layers: &str| {
            let masks = masked(&network, weights, layers);
            ["a", "b", "c"].map(|name| removed(&masks, name))
        };
        assert_eq!(shares("sparsity = 0.5", ""), [0.5; 3]);
        let own = "sparsity = 0.5, sparsities = { c = 0, \"?\" = 0.75 }";
        assert_eq!(shares(own, ""), [0.75, 0.75, 0.0]);
        let digital = "[layer.b]\ndigital = true\n";
        assert_eq!(shares("sparsity = 0.5", digital), [0.5, 0.0, 0.5]);
        // Rows that read filters of `a` stay in a digital `b`; rows of `c` have no removed filter to read.
        let filters = "groups = \"filters\"";
        assert_eq!(shares(filters, digital), [0.5, 0.0, 0.0]);
        // A spared layer has all its filters, but no rows that read what is gone.
        let spared = "groups = \"filters\", sparsities = { b = 0 }";
        assert_eq!(shares(spared, ""), [0.5, 0.5, 0.0]);
    }

    /// What is removed stays removed, however large it has become.
    #[test]
    fn masks_that_grow_keep_what_they_removed() {
        let (g, mut p) = network();
        let text = "[train]\nepochs = 1\nweights = [{ kind = \"mask\", sparsity = 0.8 }]\n";
        let e = Experiment::parse(text, "test").unwrap();
        let own = g.crossbars().into_iter();
        let own = own.map(|(id, ..)| e.of_layer(&g.nodes[id].name).unwrap());
        let own: Vec<_> = own.collect();
        let composition = e.train.composition();
        let of = |p: &Parameters, grown, before: Option<&Parameters>| {
            let pruning = Pruning {
                mask: composition.mask().unwrap(),
                segment: 0,
                layers: &own,
                grown,
            };
            masks(&g, p, pruning, before).unwrap()
        };
        let half = of(&p, 0.5, None);
        assert_eq!(removed(&half, "b"), (0.4f64 * 216.0).floor() / 216.0);
        let before = Parameters {
            tensors: half.clone(),
        };
        let w = &mut p.tensors.get_mut(&Part::Weight.of("b")).unwrap().data;
        for (w, m) in w.iter_mut().zip(&half["b"].data) {
            *w = if *m == 0.0 { 100.0 } else { 1.0 };
        }
        let whole = of(&p, 1.0, Some(&before));
        assert_eq!(removed(&whole, "b"), (0.8f64 * 216.0).floor() / 216.0);
        let kept = |(a, b): (&f32, &f32)| *a == 0.0 && *b != 0.0;
        assert!(!half["b"].data.iter().zip(&whole["b"].data).any(kept));
        let anew = of(&p, 1.0, None);
        assert!(half["b"].data.iter().zip(&anew["b"].data).any(kept));
    }

    #[test]
    fn classes_without_weights_are_found() {
        let network = network();
        let lost = |weights: &str| {
            let masks = masked(&network, weights, "");
            lost_classes(&network.0, &masks).map(|(name, lost)| (name.to_string(), lost))
        };
        let columns = "groups = \"column-segments\", segment = 96, sparsity =";
        let removed = removed(&masked(&network, &format!("{columns} 0.4"), ""), "c");
        assert_eq!(removed, 1.0 / 3.0);
        let (name, classes) = lost(&format!("{columns} 0.7")).unwrap();
        assert_eq!((name.as_str(), classes.len()), ("c", 2));
        assert_eq!(lost("sparsity = 0.2"), None);
        assert_eq!(lost("groups = \"filters\", sparsity = 0.9"), None);
    }

    #[test]
    fn the_smallest_groups_go_and_one_stays() {
        let w: Vec<f32> = (0..12).map(|i| [0.1, -3.0, 0.2, 5.0][i % 4]).collect();
        // Three columns of four rows.
        assert_eq!(smallest(&w, 4, (1, 1), 0.5), [0, 2, 4, 6, 8, 10]);
        assert_eq!(smallest(&w, 4, (1, 2), 0.5), [0, 1, 4, 5, 8, 9]);
        assert_eq!(smallest(&w, 4, (3, 1), 0.5), [0, 2, 4, 6, 8, 10]);
        // Pieces at the end are shorter; of equal norms the first.
        assert_eq!(smallest(&w, 4, (2, 3), 0.3), [8, 9, 10]);
        assert_eq!(smallest(&w, 4, (1, 4), 0.999), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(smallest(&w, 4, (1, 4), 0.0).is_empty());
    }
}
