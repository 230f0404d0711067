//! Crossbar layers of a training step on their chips: weights that deviate, or cells and converters.

use super::cells::{Life, Maps, Place, Product, converted, program_quantized, read_layer};
use super::parts::Slope;
use super::training::{CellTraining, Saved, SavedConv, Trainer};
use super::*;

/// A crossbar layer while its forward pass is written.
pub(super) struct Layered<'a> {
    pub id: NodeId,
    /// Position among the layers on arrays.
    pub at: usize,
    pub states: ConvStates,
    pub geo: &'a ConvGeometry,
    /// Quantized weight.
    pub q: TensorId,
}

/// The weight of a layer that deviates, for the backward pass.
#[derive(Debug, Clone)]
pub(super) struct Deviating {
    spec: Fabrication,
    chip: TensorId,
    /// Quantized weight.
    q: TensorId,
    full_scale: TensorId,
}

impl Deviating {
    /// Gradient `dw` of the trained weight `w` from that of the weight on chips.
    pub fn backward(&self, w: TensorId, dout: TensorId, dw: TensorId) -> Op {
        let by_profile = self.spec.profile.is_some();
        Op::from(FabricateGrad {
            // The sign of the quantized weight decides which cell of a pair carries it; the master weight has the
            // same sign wherever the quantized one is not zero. A profile is that of what the cells hold.
            w: if by_profile { self.q } else { w },
            full_scale: by_profile.then_some(self.full_scale),
            chip: self.chip,
            dout,
            dw,
            spec: self.spec.clone(),
        })
    }
}

impl Trainer<'_> {
    /// The weight of a layer on its chips, and what deviates; the quantized weight `q` itself where nothing
    /// does.
    pub(super) fn fabricated(
        &mut self,
        id: NodeId,
        index: usize,
        geo: &ConvGeometry,
        (q, full_scale): (TensorId, TensorId),
    ) -> (TensorId, Option<Deviating>) {
        let usual = &self.spec.noise;
        let noises = self.pass().map_or(usual, |pass| &pass.noise);
        let noise = noises.get(index).and_then(Option::as_ref);
        let Some(noise) = noise.filter(|_| self.spec.cells.is_none()) else {
            return (q, None);
        };
        let chip = self.chip_of(id);
        let weights = Shape::Flat(geo.weights());
        let out = self.b.temp("effective", weights, Scope::PerChip);
        let spec = Fabrication {
            layer: self.address(index),
            ..noise.fabrication(index, geo)
        };
        self.weights.push(Op::from(Fabricate {
            w: q,
            full_scale,
            chip,
            out,
            spec: spec.clone(),
        }));
        let deviating = Deviating {
            spec,
            chip,
            q,
            full_scale,
        };
        (out, Some(deviating))
    }

    /// What the chips of a layer have in common, in all passes.
    fn chip_of(&mut self, id: NodeId) -> TensorId {
        if let Some(&chip) = self.passes.chips.get(&id) {
            return chip;
        }
        let name = format!("{}.chip", self.b.graph.nodes[id].name);
        let fields = Shape::Flat(CHIP_FIELDS);
        let chip = self
            .b
            .program
            .tensor(name, fields, Scope::PerChip, Role::State);
        self.chips.push(chip);
        self.passes.chips.insert(id, chip);
        chip
    }

    /// A crossbar layer at cell level.
    pub(super) fn cell_conv(
        &mut self,
        ops: &mut Vec<Op>,
        at: Layered,
        cells: &CellTraining,
        x: TensorId,
    ) -> (TensorId, Saved) {
        let layer = &self.layer_of_pass(&cells.layers, at.at);
        let name = self.name_in_pass(at.id);
        let place = Place {
            name: &name,
            index: cells.layers[at.at].index(),
            geo: at.geo,
            states: at.states,
        };
        let programmed = program_quantized(&mut self.b, ops, &place, at.q, layer, Life::Step);
        let weights = Shape::Flat(at.geo.weights());
        let w = self.b.temp("effective", weights, Scope::PerChip);
        ops.push(Op::from(CollapsePlanes {
            g: programmed.g,
            w_step: programmed.step,
            correct: None,
            out: w,
            spec: layer.reading.linear(),
        }));
        let y = self.b.map(at.id, Scope::PerChip);
        let post = Post {
            shift: at.states.bias,
            ..Post::NONE
        };
        let converts = layer.reading.adc.is_some();
        let reference = (cells.reference && converts).then(|| self.reference());
        let of = (at.at, layer);
        let (tensors, product) =
            converted(&mut self.b, ops, &place, of, programmed, (w, reference));
        self.cells.push(tensors);
        let x_step = match at.states.input {
            InputQuantizer::Uniform(quant) => Some(quant.scale),
            _ => None,
        };
        let slope = reference.zip(x_step).map(|(reference, x_step)| Slope {
            map: self.b.map(at.id, Scope::PerChip),
            w_step: programmed.step,
            x_step,
            reference,
        });
        let maps = Maps {
            x,
            x_step,
            y,
            clipped: None,
            slope: slope.map(|slope| slope.map),
            codes: None,
        };
        ops.push(read_layer(product, |_| &layer.reading, maps, *at.geo, post));
        let converts = matches!(product, Product::Arrays(_));
        let gain = (cells.rescale && converts).then(|| self.gain(ops, (at.id, at.geo), [x, w, y]));
        let saved = SavedConv {
            states: at.states,
            noise: None,
            x,
            w: if self.spec.parts.clean_backward {
                at.q
            } else {
                w
            },
            gain,
            slope,
        };
        (y, Saved::Conv(saved))
    }
    /// Ratio of the spreads of a layer's outputs `y` and those without converters, by channel.
    fn gain(
        &mut self,
        ops: &mut Vec<Op>,
        (id, geo): (NodeId, &ConvGeometry),
        [x, w, y]: [TensorId; 3],
    ) -> TensorId {
        let exact = self.b.map(id, Scope::PerChip);
        ops.push(Op::from(Conv2d {
            x,
            w,
            y: exact,
            geo: *geo,
            post: Post::NONE,
            codes: None,
        }));
        let c = Shape::Flat(geo.c_out);
        let mut variance = |map| {
            let mean = self.b.temp("mean", c, Scope::Shared);
            let var = self.b.temp("var", c, Scope::Shared);
            ops.push(Op::from(BatchNormStats { x: map, mean, var }));
            var
        };
        let (a, b) = (variance(y), variance(exact));
        let out = self.b.temp("gain", c, Scope::Shared);
        ops.push(Op::from(VarianceRatio { a, b, out }));
        out
    }
}
