//! The pass of an inference program that measures batch norm on a chip.

use super::fused::{Prepared, Walk};
use super::*;
use crate::network::graph::Layer;

impl Walk<'_, '_> {
    /// Forward pass on calibration images that normalises with each batch's own statistics and
    /// averages them per chip. Layers behind the last batch norm are not needed.
    pub(super) fn measuring(&mut self, images: TensorId) {
        let graph = self.b.graph;
        let Some(stop) = graph
            .nodes
            .iter()
            .rposition(|n| matches!(n.layer, Layer::BatchNorm { .. }))
        else {
            return;
        };
        let mut value: Vec<Option<TensorId>> = vec![None; graph.nodes.len()];
        value[0] = Some(images);
        for id in 1..=stop {
            let node = &graph.nodes[id];
            let x = value[node.inputs[0]].expect("nodes are in topological order");
            value[id] = Some(match (&node.layer, self.layers[id]) {
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
                        measured: Some((run_mean, run_var)),
                        ..
                    }),
                ) => {
                    let c = Shape::Flat(node.shape.0);
                    let mut t = |what: &str| self.b.temp(what, c, Scope::PerChip);
                    let (mean, var) = (t("mean"), t("var"));
                    let (scale, shift) = (t("scale"), t("shift"));
                    self.ops.push(Op::from(BatchNormStats { x, mean, var }));
                    for (state, value) in [(run_mean, mean), (run_var, var)] {
                        self.ops.push(Op::from(Lerp {
                            state,
                            value,
                            rate: Rate::Cumulative,
                            times: 1.0,
                        }));
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
                _ => self.plain(id, &value, false),
            });
        }
    }
}
