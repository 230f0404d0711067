//! The loss of a step: what is told, and the gradient of the whole at the outputs.

use super::passes::Passed;
use super::*;

/// Logits that are subtracted before the cross-entropy: it is that of `(z - sum_i f_i o_i) / (n + 1)`, z the network's
/// logits and o_i those of n other outputs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subtracted {
    /// Factors f of the passes ([`TrainSpec::passes`](super::super::training::TrainSpec::passes)), in order.
    pub passes: Vec<f32>,
    /// Factors f of the heads, in order.
    pub heads: Vec<f32>,
}

/// An output and the gradient of the loss there.
type Seed = (NodeId, TensorId);

impl Trainer<'_> {
    /// Adds the loss that is told, and walks backwards from the gradient of the whole loss.
    pub(in crate::network::lower) fn learn(
        &mut self,
        (images, labels, tally): (TensorId, TensorId, TensorId),
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
    ) {
        let graph = self.b.graph;
        let own = graph.output();
        let (logits, smoothing) = (self.values[own], self.spec.smoothing);
        let passes = self.more_passes(images, ops);
        let others = self.subtracted(&passes);
        let (dz, rest) = match others.is_empty() {
            true => {
                let dz = self.b.map(own, Scope::PerChip);
                self.b
                    .score(ops, logits, labels, Some(dz), smoothing, tally);
                (dz, vec![])
            }
            false => {
                self.b.score(ops, logits, labels, None, smoothing, tally);
                self.difference(ops, (logits, labels), &others)
            }
        };
        let dz = self.taught(ops, logits, dz);
        let of_heads = rest[passes.len().min(rest.len())..].iter().copied();
        let mut seeds: Vec<Seed> = vec![(own, dz)];
        seeds.extend(graph.heads().iter().copied().zip(of_heads));
        self.losses_of_heads(ops, labels, &mut seeds);
        for (n, (pass, dz)) in (1..).zip(passes.into_iter().zip(rest)) {
            self.inside(n, pass, |t| t.backward(&[(own, dz)], ops, updates));
        }
        self.backward(&seeds, ops, updates);
        self.merge(ops, updates);
    }

    /// The outputs that are subtracted, each with its factor: passes, then heads.
    fn subtracted(&self, passes: &[Passed]) -> Vec<(TensorId, f32)> {
        let Some(subtracted) = &self.spec.parts.subtracted else {
            return vec![];
        };
        let own = self.b.graph.output();
        let passes = passes.iter().map(|pass| pass.values[own]);
        let heads = self.b.graph.heads().iter().map(|&id| self.values[id]);
        let of = passes.zip(subtracted.passes.iter().copied());
        of.chain(heads.zip(subtracted.heads.iter().copied()))
            .collect()
    }

    /// The cross-entropy of the logits without the others: its gradients at the logits and at the others.
    fn difference(
        &mut self,
        ops: &mut Vec<Op>,
        (logits, labels): (TensorId, TensorId),
        others: &[(TensorId, f32)],
    ) -> (TensorId, Vec<TensorId>) {
        let own = self.b.graph.output();
        let share = 1.0 / (others.len() + 1) as f32;
        let mut rest = (logits, share);
        for &(other, factor) in others {
            let y = self.b.map(own, Scope::PerChip);
            ops.push(Op::from(Blend {
                a: rest,
                b: Some((other, -factor * share)),
                y,
            }));
            rest = (y, 1.0);
        }
        let dy = self.entropy(ops, own, (rest.0, labels));
        // What a teacher says is of the network's own logits, and takes its share of the cross-entropy there.
        let kept = 1.0
            - self
                .spec
                .parts
                .teaching
                .map_or(0.0, |teaching| teaching.share);
        let mut times = |factor: f32| self.times(ops, own, (dy, factor));
        let dz = times(share);
        let of_others = others.iter().map(|(_, f)| times(-f * share * kept));
        (dz, of_others.collect())
    }

    /// The gradient of the cross-entropy of the logits of a node, which is told nobody.
    fn entropy(
        &mut self,
        ops: &mut Vec<Op>,
        node: NodeId,
        (logits, labels): (TensorId, TensorId),
    ) -> TensorId {
        let one = Shape::Image { c: 1, h: 1, w: 1 };
        let loss = self.b.temp("loss", one, Scope::PerChip);
        let hit = self.b.temp("hit", one, Scope::PerChip);
        let dy = self.b.map(node, Scope::PerChip);
        ops.push(Op::from(SoftmaxXent {
            logits,
            labels,
            loss,
            hit,
            dlogits: Some(dy),
            smoothing: self.spec.smoothing,
            apart: false,
        }));
        dy
    }

    fn times(&mut self, ops: &mut Vec<Op>, node: NodeId, a: (TensorId, f32)) -> TensorId {
        let y = self.b.map(node, Scope::PerChip);
        ops.push(Op::from(Blend { a, b: None, y }));
        y
    }

    /// Adds the gradients of the cross-entropies of all heads, where they are part of the loss.
    fn losses_of_heads(&mut self, ops: &mut Vec<Op>, labels: TensorId, seeds: &mut Vec<Seed>) {
        let Some(weight) = self.spec.parts.heads else {
            return;
        };
        for &head in self.b.graph.heads() {
            let dy = self.entropy(ops, head, (self.values[head], labels));
            let before = seeds.iter_mut().find(|(node, _)| *node == head);
            let y = self.b.map(head, Scope::PerChip);
            let b = before.as_ref().map(|(_, dy)| (*dy, 1.0));
            ops.push(Op::from(Blend {
                a: (dy, weight),
                b,
                y,
            }));
            match before {
                Some(seed) => seed.1 = y,
                None => seeds.push((head, y)),
            }
        }
    }
}
