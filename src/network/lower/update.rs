//! The end of a training step: where gradients wait, the optimizer, running averages.

use super::training::{Optimizer, Trainer};
use super::*;

/// What a trainable state is to the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trained {
    /// Decays.
    Weight,
    /// A quantizer step: stays positive.
    Step,
    /// Neither.
    Other,
}

impl Trainer<'_> {
    /// Where the optimizer finds the gradients `(parameter, gradient)`: where they are, or in sums
    /// over the parts of a batch.
    pub(super) fn accumulated(
        &mut self,
        step: &mut Vec<Op>,
        gradients: Vec<(TensorId, TensorId)>,
    ) -> Vec<(TensorId, TensorId)> {
        let parts = self.spec.accumulate;
        if parts <= 1 {
            return gradients;
        }
        let sum = |(parameter, gradient): (TensorId, TensorId)| {
            let desc = self.b.program.desc(parameter).clone();
            let name = format!("{}.gradient", desc.name);
            let sum = self
                .b
                .program
                .tensor(name, desc.shape, Scope::Shared, Role::State);
            step.push(Op::from(Lerp {
                state: sum,
                value: gradient,
                rate: Rate::Sum,
                times: 1.0 / parts as f32,
            }));
            (parameter, sum)
        };
        gradients.into_iter().map(sum).collect()
    }

    /// Moves the running averages; returns what is averaged and where.
    pub(super) fn averages(&mut self, ops: &mut Vec<Op>) -> (Vec<StateTensor>, Vec<StateTensor>) {
        let rate = self.spec.average_rate;
        if rate == 0.0 {
            return (vec![], vec![]);
        }
        let trained: Vec<TensorId> = self.params.iter().map(|p| p.0).collect();
        let averaged: Vec<StateTensor> = self
            .b
            .states
            .iter()
            .filter(|s| trained.contains(&s.tensor) || Part::any(&s.name, Part::is_statistic))
            .cloned()
            .collect();
        let average = |s: &StateTensor| {
            let desc = self.b.program.desc(s.tensor).clone();
            let name = format!("{}.average", s.name);
            let tensor =
                self.b
                    .program
                    .tensor(name.clone(), desc.shape, Scope::Shared, Role::State);
            ops.push(Op::from(Lerp {
                state: tensor,
                value: s.tensor,
                rate: Rate::FixedFromFirst(rate),
                times: 1.0,
            }));
            StateTensor {
                name,
                shape: s.shape.clone(),
                tensor,
            }
        };
        let averages = averaged.iter().map(average).collect();
        (averaged, averages)
    }

    /// Optimizer operators for all parameters that got a gradient; returns the moments.
    pub(super) fn updates(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &[(TensorId, TensorId)],
    ) -> Vec<StateTensor> {
        let mut moments = vec![];
        let mut moment = |b: &mut Builder, w: TensorId, tag: &str| {
            let desc = b.program.desc(w).clone();
            let name = format!("{}.{tag}", desc.name);
            let t = b
                .program
                .tensor(name.clone(), desc.shape, Scope::Shared, Role::State);
            moments.push(StateTensor {
                name,
                shape: vec![desc.shape.len()],
                tensor: t,
            });
            t
        };
        for &(w, kind) in &self.params {
            let Some(&(_, g)) = updates.iter().find(|(p, _)| *p == w) else {
                continue;
            };
            let positive = kind == Trained::Step;
            let weight_decay = match kind {
                Trained::Weight => self.spec.weight_decay,
                Trained::Other | Trained::Step => 0.0,
            };
            ops.push(match self.spec.optimizer {
                Optimizer::Sgd { momentum, nesterov } => Op::from(Sgd {
                    w,
                    g,
                    m: moment(&mut self.b, w, "momentum"),
                    momentum,
                    weight_decay,
                    nesterov,
                    positive,
                }),
                Optimizer::Adam { decoupled } => Op::from(Adam {
                    w,
                    g,
                    m: moment(&mut self.b, w, "adam_m"),
                    v: moment(&mut self.b, w, "adam_v"),
                    beta1: 0.9,
                    beta2: 0.999,
                    // The gradient of a step's logarithm is divided by sqrt(n Q): far below 1e-8
                    // in a large layer, where Adam would stand still.
                    eps: if positive { 1e-15 } else { 1e-8 },
                    weight_decay,
                    decoupled,
                    positive,
                }),
            });
        }
        moments
    }
}
