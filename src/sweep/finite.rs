//! Which layer is the first whose output is not finite: asked only after a chip's loss was not.

use super::wave::Simulator;
use crate::error::{Error, Result};
use crate::network::graph::Layer;
use crate::program::LANES;
use crate::setup::Images;
use crate::train::Model;

/// Makes the simulator of a network, of the point in question.
pub(super) type Build<'f> = dyn Fn(&Model, &Images) -> Result<Simulator> + 'f;

/// Adds the layer to an error of a wave with such a chip; other errors stay as they are.
pub(super) fn explain(
    error: Error,
    chip: Option<u32>,
    model: &Model,
    images: &Images,
    build: &Build,
) -> Error {
    let Some(chip) = chip else {
        return error;
    };
    let few = images.first(LANES);
    match first(chip, model, &few, build) {
        Some(layer) => Error::input(format!(
            "{error}; the first layer whose output is not finite is {layer}"
        )),
        None => error,
    }
}

/// The first layer of a chip: the network is cut behind one node after the other, so that layers, and
/// with them the chip, keep their addresses.
fn first(chip: u32, model: &Model, images: &Images, build: &Build) -> Option<String> {
    for last in 1..model.graph.nodes.len() {
        let mut part = model.clone();
        part.graph.nodes.truncate(last + 1);
        if part.graph.crossbars().is_empty() {
            // Nothing of it is on a chip yet.
            continue;
        }
        let (c, h, w) = part.graph.nodes[last].shape;
        if h * w != 1 {
            let name = "outputs of the part";
            part.graph
                .push(name, Layer::Reshape, vec![last], (c * h * w, 1, 1));
        }
        let Ok(mut simulator) = build(&part, images) else {
            continue;
        };
        let done = simulator.run(0, chip..chip + 1, &());
        if done.is_err() && simulator.not_finite().is_some() {
            let node = &model.graph.nodes[last];
            return Some(format!("`{}` ({})", node.name, node.layer.kind()));
        }
    }
    None
}
