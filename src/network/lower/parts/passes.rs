//! Forward passes of a step besides its own: on the same chips with other within-chip deviations.

use std::sync::Arc;

use super::super::training::Saved;
use super::*;
use crate::chip::layer::CellLayer;
use crate::network::graph::Node;

/// A forward pass on the chips of the step with within-chip deviations of its own, drawn anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// As [`TrainSpec::noise`](super::super::training::TrainSpec::noise).
    pub noise: Vec<Option<CellNoise>>,
    /// As [`CellTraining::layers`](super::super::training::CellTraining::layers), where there are cells.
    pub layers: Arc<[CellLayer]>,
}

/// What the forward half of a pass left for its backward half.
#[derive(Debug, Default)]
pub(in crate::network::lower) struct Passed {
    pub values: Vec<TensorId>,
    pub saved: Vec<Saved>,
}

/// Passes while a step is written.
#[derive(Debug, Default)]
pub(in crate::network::lower) struct Passes {
    /// Number of the present one; 0 is the step's own.
    pub number: usize,
    /// Quantized weights with their full scales, by trained weight.
    pub quantized: HashMap<TensorId, (TensorId, TensorId)>,
    /// What chips have in common, by node.
    pub chips: HashMap<NodeId, TensorId>,
    /// Gradients of quantized weights that wait for that of the step's own pass.
    pub waiting: HashMap<TensorId, Vec<TensorId>>,
}

impl<'a> Trainer<'a> {
    /// Whether the present pass is the step's own, which moves what training moves.
    pub(in crate::network::lower) fn is_own(&self) -> bool {
        self.passes.number == 0
    }

    /// The present pass, where it is not the step's own.
    pub(in crate::network::lower) fn pass(&self) -> Option<&'a Pass> {
        let before = self.passes.number.checked_sub(1)?;
        self.spec.passes.get(before)
    }

    /// The nodes of the present pass: heads are outputs of the step's own.
    pub(in crate::network::lower) fn nodes_of_pass<'g>(&self, graph: &'g Graph) -> &'g [Node] {
        match self.is_own() {
            true => &graph.nodes,
            false => &graph.nodes[..=graph.output()],
        }
    }

    /// Name of a node's tensors in the present pass.
    pub(in crate::network::lower) fn name_in_pass(&self, id: NodeId) -> String {
        let name = &self.b.graph.nodes[id].name;
        match self.passes.number {
            0 => name.clone(),
            number => format!("{name}.pass{number}"),
        }
    }

    /// Address word of a crossbar layer in the present pass.
    pub(in crate::network::lower) fn address(&self, index: usize) -> u32 {
        let layers = self.b.graph.crossbars().len();
        layer_address(index + self.passes.number * layers)
    }

    /// A layer on arrays in the present pass. Its converters are those of the chip.
    pub(in crate::network::lower) fn layer_of_pass(
        &self,
        own: &[CellLayer],
        at: usize,
    ) -> CellLayer {
        let Some(pass) = self.pass() else {
            return own[at].clone();
        };
        let mut layer = pass.layers[at].clone();
        let address = self.address(own[at].index());
        (layer.programming.layer, layer.reading.layer) = (address, address);
        layer
    }

    /// Adds all passes but the step's own.
    pub(super) fn more_passes(&mut self, images: TensorId, ops: &mut Vec<Op>) -> Vec<Passed> {
        let all = 1..=self.spec.passes.len();
        let mut pass = |number| {
            let mut made = Passed::default();
            self.inside(number, Passed::default(), |t| {
                let maps = t.forward(images);
                ops.append(&mut t.weights);
                ops.extend(maps);
                made.values.clone_from(&t.values);
                made.saved.clone_from(&t.saved);
            });
            made
        };
        all.map(&mut pass).collect()
    }

    /// Does something in a pass, of which this is there already.
    pub(super) fn inside(&mut self, number: usize, pass: Passed, then: impl FnOnce(&mut Self)) {
        let own = Passed {
            values: std::mem::replace(&mut self.values, pass.values),
            saved: std::mem::replace(&mut self.saved, pass.saved),
        };
        let fused = std::mem::take(&mut self.fused);
        self.passes.number = number;
        then(self);
        self.passes.number = 0;
        self.fused = fused;
        (self.values, self.saved) = (own.values, own.saved);
    }

    /// The gradient of a quantized weight over all passes, once that of the step's own is there.
    pub(in crate::network::lower) fn over_passes(
        &mut self,
        ops: &mut Vec<Op>,
        weight: TensorId,
        dq: TensorId,
    ) -> Option<TensorId> {
        if !self.is_own() {
            self.passes.waiting.entry(weight).or_default().push(dq);
            return None;
        }
        let mut all = self.passes.waiting.remove(&weight).unwrap_or_default();
        all.push(dq);
        Some(self.sum_of(ops, &all))
    }

    /// The sum of shared values of one shape.
    fn sum_of(&mut self, ops: &mut Vec<Op>, all: &[TensorId]) -> TensorId {
        if let [only] = all {
            return *only;
        }
        let shape = self.b.program.desc(all[0]).shape;
        let sum = self.b.temp("sum", shape, Scope::Shared);
        ops.push(Op::from(Zero { t: sum }));
        ops.extend(all.iter().map(|&value| {
            Op::from(Lerp {
                state: sum,
                value,
                rate: Rate::Sum,
                times: 1.0,
            })
        }));
        sum
    }

    /// Adds up gradients of one parameter from several passes, or layers.
    pub(super) fn merge(&mut self, ops: &mut Vec<Op>, updates: &mut Vec<(TensorId, TensorId)>) {
        let cells = self.spec.cells.as_ref();
        let alone = !cells.is_some_and(|cells| cells.reference);
        if self.spec.passes.is_empty() && alone {
            return;
        }
        let mut merged: Vec<(TensorId, Vec<TensorId>)> = vec![];
        for (parameter, gradient) in updates.drain(..) {
            match merged.iter_mut().find(|(known, _)| *known == parameter) {
                Some((_, all)) => all.push(gradient),
                None => merged.push((parameter, vec![gradient])),
            }
        }
        for (parameter, all) in merged {
            let sum = self.sum_of(ops, &all);
            updates.push((parameter, sum));
        }
    }
}
