//! Forward pass of a layer on arrays of cells, with what its gradient needs.

use super::*;

impl Trainer<'_> {
    /// A crossbar layer at cell level.
    pub(super) fn cell_conv(
        &mut self,
        ops: &mut Vec<Op>,
        at: Layered,
        cells: &CellTraining,
        x: TensorId,
    ) -> (TensorId, Saved) {
        let layer = &cells.layers[at.index];
        let name = self.b.graph.nodes[at.id].name.clone();
        let place = Place {
            name: &name,
            index: at.index,
            geo: at.geo,
            states: at.states,
        };
        let programmed = program_quantized(&mut self.b, ops, &place, at.q, layer, Life::Step);
        let w = self
            .b
            .temp("effective", Shape::Flat(at.geo.weights()), Scope::PerChip);
        ops.push(Op::CollapsePlanes {
            g: programmed.g,
            w_step: at.states.weight_step,
            correct: None,
            out: w,
            spec: layer.reading.without_converter(),
        });
        let y = self.b.map(at.id, Scope::PerChip);
        let post = Post {
            shift: at.states.bias,
            ..Post::NONE
        };
        let (tensors, product) = converted(&mut self.b, ops, &place, layer, programmed, w);
        self.cells.push(tensors);
        let x_step = match at.states.input {
            InputQuantizer::Uniform(quant) => Some(quant.scale),
            _ => None,
        };
        let maps = Maps {
            x,
            x_step,
            y,
            clipped: None,
        };
        ops.push(read_layer(product, &cells.layers, maps, *at.geo, post));
        let converts = matches!(product, Product::Arrays(_));
        let gain = (cells.rescale && converts).then(|| {
            let exact = self.b.map(at.id, Scope::PerChip);
            ops.push(Op::Conv2d {
                x,
                w,
                y: exact,
                geo: *at.geo,
                post: Post::NONE,
            });
            let c = Shape::Flat(at.geo.c_out);
            let mut variance = |map| {
                let mean = self.b.temp("mean", c, Scope::Shared);
                let var = self.b.temp("var", c, Scope::Shared);
                ops.push(Op::BatchNormStats { x: map, mean, var });
                var
            };
            let (a, b) = (variance(y), variance(exact));
            let out = self.b.temp("gain", c, Scope::Shared);
            ops.push(Op::VarianceRatio { a, b, out });
            out
        });
        let saved = Saved::Conv {
            states: at.states,
            index: at.index,
            x,
            w,
            gain,
        };
        (y, saved)
    }
}
