//! What it costs a chip to measure or to train its batch norms.

use super::cost::TuningCost;
use crate::config::{BackwardWeights, Tuning, TuningMethod};
use crate::network::Graph;
use crate::network::graph::Layer;

/// Work on one image, by the shapes of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NormWork {
    /// Values that batch norms normalise.
    values: u64,
    /// Those of batch norms with another one in front of them, whose input has a gradient.
    inner: u64,
    /// By crossbar layer: whether the gradient of its input is needed.
    pub back: Vec<bool>,
    /// Multiply-accumulates of these layers.
    macs: u64,
}

/// Conversions of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conversions {
    /// Of all layers on crossbars.
    pub forward: u64,
    /// Of those whose input has a gradient, read in the other direction: one a row of an array and output pixel.
    pub back: u64,
}

/// Statistics of a value: two additions and a square.
const STATISTICS: u64 = 3;
/// Gradients of gain and offset of a value: normalised once more, a product and two additions.
const SUMS: u64 = 5;
/// Gradient of a normalised input: two products and additions of the sums' shares, a factor.
const INPUT: u64 = 5;

impl NormWork {
    /// Of a network.
    pub fn of(graph: &Graph) -> Self {
        let behind = graph.behind_norms();
        let mut work = Self::default();
        for node in &graph.nodes {
            let (c, h, w) = node.shape;
            if matches!(node.layer, Layer::BatchNorm { .. }) {
                work.values += (c * h * w) as u64;
                if behind[node.inputs[0]] {
                    work.inner += (c * h * w) as u64;
                }
            }
        }
        for (id, geo, _) in graph.crossbars() {
            let back = behind[graph.nodes[id].inputs[0]];
            work.back.push(back);
            work.macs += if back { geo.macs() as u64 } else { 0 };
        }
        work
    }

    /// What a tuning costs; nothing where batch norm is everywhere the same.
    pub fn cost(&self, tuning: &Tuning, conversions: Conversions) -> TuningCost {
        let batch = tuning.recalibration_batch as u64;
        let steps = match tuning.method {
            TuningMethod::BnTraining => tuning.training_steps as u64,
            TuningMethod::BnRecalibration => 0,
            TuningMethod::None
            | TuningMethod::SelfTuning
            | TuningMethod::ReferenceColumns
            | TuningMethod::LevelColumns
            | TuningMethod::Oracle => return TuningCost::default(),
        };
        let (measured, trained) = (tuning.recalibration_batches as u64 * batch, steps * batch);
        let [back, products] = match tuning.training_backward {
            BackwardWeights::Chip => [conversions.back, 0],
            BackwardWeights::Nominal => [0, 2 * self.macs],
        };
        let step = (STATISTICS + SUMS) * self.values + INPUT * self.inner + products;
        TuningCost {
            images_once: measured + trained,
            conversions_once: (measured + trained) * conversions.forward + trained * back,
            operations_once: measured * STATISTICS * self.values + trained * step,
            ..TuningCost::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::zoo;
    use crate::program::Activation;

    /// A small convolutional network, by hand.
    #[test]
    fn costs_are_those_of_shapes() {
        let style = zoo::Style {
            act: Activation::Relu,
            max_pool: true,
            batch_norm: true,
            bias: false,
            width: 1.0,
        };
        let work = NormWork::of(&zoo::cnn((1, 8, 8), &[4, 6], 0, 10, style));
        // Maps of 8 x 8 and, pooled, 4 x 4; gradients of the second convolution's and the last layer's input.
        assert_eq!((work.values, work.inner), (4 * 64 + 6 * 16, 6 * 16));
        assert_eq!(work.back, [false, true, true]);
        assert_eq!(work.macs, 16 * 6 * 4 * 9 + 10 * 24);
        let cost = |method, training_backward| {
            let tuning = Tuning {
                method,
                recalibration_batches: 2,
                recalibration_batch: 16,
                training_steps: 10,
                training_backward,
                ..Tuning::default()
            };
            let conversions = Conversions {
                forward: 100,
                back: 7,
            };
            work.cost(&tuning, conversions)
        };
        let (measured, trained) = (32, 160);
        let (method, weights) = (TuningMethod::BnTraining, BackwardWeights::Chip);
        let chip = cost(method, weights);
        assert_eq!(chip.images_once, measured + trained);
        assert_eq!(chip.conversions_once, 192 * 100 + 160 * 7);
        let step = 8 * work.values + 5 * work.inner;
        let measuring = 3 * measured * work.values;
        assert_eq!(chip.operations_once, measuring + trained * step);
        let nominal = cost(method, BackwardWeights::Nominal);
        assert_eq!(nominal.conversions_once, 192 * 100);
        let products = trained * 2 * work.macs;
        assert_eq!(nominal.operations_once, chip.operations_once + products);
        let still = cost(TuningMethod::BnRecalibration, weights);
        assert_eq!((still.images_once, still.conversions_once), (32, 3_200));
        assert_eq!(still.operations_once, measuring);
        assert_eq!(
            cost(TuningMethod::SelfTuning, weights),
            TuningCost::default()
        );
    }
}
