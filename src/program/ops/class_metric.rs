//! How well an image was classified, by other measures than hit and loss.

use crate::choice::choices;
use crate::column::Better;
use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

choices! {
    /// A measure of classification besides accuracy and loss. A chip's value is the mean over its images.
    pub enum Metric {
        /// Share of the images whose class has one of the five largest logits, the first of equal ones counting
        /// as larger; 0 to 1.
        Top5 = "top5",
        /// Brier score: mean over the images of the squared distance between the probabilities (softmax of the
        /// logits) and those of a sure right answer, 0 to 2. Unlike accuracy it sees how sure a chip is.
        Brier = "brier",
    }
}

impl Metric {
    /// Which values are good.
    pub const fn better(self) -> Better {
        match self {
            Metric::Top5 => Better::Higher,
            Metric::Brier => Better::Lower,
        }
    }

    /// What headings and axes call it.
    pub const fn title(self) -> &'static str {
        match self {
            Metric::Top5 => "top-5 accuracy",
            Metric::Brier => "Brier score",
        }
    }

    /// Fewest classes that it can tell anything of.
    pub const fn least_classes(self) -> usize {
        match self {
            Metric::Top5 => 6,
            Metric::Brier => 2,
        }
    }
}

/// A [`Metric`] of every image; 0 where the label is no class: no image. With the logits `z`, the label `l`
/// and `p = softmax(z)`:
/// * `Top5`: 1 where fewer than 5 logits are before `z_l` (larger, or equal with a smaller index), else 0;
/// * `Brier`: `sum_k (p_k - [k = l])^2`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMetric {
    /// Which one.
    pub metric: Metric,
    /// `Image {c: classes, 1, 1}`.
    pub logits: TensorId,
    /// Class index as `f32`, `Image {1,1,1}`, shared or per chip.
    pub labels: TensorId,
    /// The metric, `Image {1,1,1}`, written.
    pub score: TensorId,
}

impl Operator for ClassMetric {
    const NAME: &'static str = "class_metric";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.logits),
            Operand::read(self.labels),
            Operand::write(self.score),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (classes, ..) = at.any_image(self.logits)?;
        at.image(self.logits, classes, 1, 1)?;
        at.image(self.labels, 1, 1, 1)?;
        at.image(self.score, 1, 1, 1)
    }
}
