//! The forward pass of an inference program that normalises with each batch's own statistics on a chip: to
//! measure them, or to train batch norm ([`super::adapted`]).

use super::fused::{Prepared, Walk};
use super::*;
use crate::network::graph::Layer;

/// What a pass leaves, by node.
pub(super) struct Passage {
    /// Values.
    pub values: Vec<Option<TensorId>>,
    /// Quantized inputs of crossbar layers.
    pub inputs: Vec<Option<TensorId>>,
    /// Mean and variance of the batch.
    pub statistics: Vec<Option<(TensorId, TensorId)>>,
}

impl Walk<'_, '_> {
    /// Forward pass on calibration images that normalises with each batch's own statistics and
    /// averages them per chip. Layers behind the last batch norm are not needed.
    pub(super) fn measuring(&mut self, images: TensorId) {
        let mut nodes = self.b.graph.nodes.iter();
        if let Some(stop) = nodes.rposition(|n| matches!(n.layer, Layer::BatchNorm { .. })) {
            self.passage(images, stop, true);
        }
    }

    /// Forward pass on calibration images up to a node, every layer by itself; running statistics are averaged
    /// where that is asked for.
    pub(super) fn passage(&mut self, images: TensorId, stop: NodeId, averages: bool) -> Passage {
        let graph = self.b.graph;
        let n = graph.nodes.len();
        let mut pass = Passage {
            values: vec![None; n],
            inputs: vec![None; n],
            statistics: vec![None; n],
        };
        pass.values[0] = Some(images);
        for id in 1..=stop {
            let node = &graph.nodes[id];
            let x = pass.values[node.inputs[0]].expect("nodes are in topological order");
            pass.values[id] = Some(match (&node.layer, self.layers[id]) {
                (
                    Layer::Conv { geo, .. },
                    Some(Prepared::Conv {
                        at,
                        product,
                        bias,
                        input,
                    }),
                ) => {
                    let x = self.quantized(x, input);
                    pass.inputs[id] = Some(x);
                    let y = self.b.map(id, Scope::PerChip);
                    let post = Post {
                        shift: bias,
                        ..Post::NONE
                    };
                    self.product((at, product, input), x, y, *geo, post);
                    y
                }
                (
                    Layer::BatchNorm { .. },
                    Some(Prepared::Norm {
                        states,
                        eps,
                        measured: Some(running),
                        ..
                    }),
                ) => {
                    let c = Shape::Flat(node.shape.0);
                    let mut t = |what: &str| self.b.temp(what, c, Scope::PerChip);
                    let (mean, var) = (t("mean"), t("var"));
                    let (scale, shift) = (t("scale"), t("shift"));
                    pass.statistics[id] = Some((mean, var));
                    self.ops.push(Op::from(BatchNormStats { x, mean, var }));
                    if averages {
                        self.average(running, (mean, var));
                    }
                    self.ops.push(Op::from(BatchNormFold {
                        mean,
                        var,
                        gamma: states.gamma,
                        beta: states.beta,
                        scale,
                        shift,
                        eps,
                    }));
                    let post = Post {
                        scale: Some(scale),
                        shift: Some(shift),
                        ..Post::NONE
                    };
                    self.pointwise(id, x, post, Scope::PerChip, false)
                }
                _ => self.plain(id, &pass.values, false),
            });
        }
        pass
    }

    /// Moves running statistics to the mean over the batches so far.
    fn average(&mut self, running: (TensorId, TensorId), of: (TensorId, TensorId)) {
        for (state, value) in [(running.0, of.0), (running.1, of.1)] {
            self.ops.push(Op::from(Lerp {
                state,
                value,
                rate: Rate::Cumulative,
                times: 1.0,
            }));
        }
    }
}
