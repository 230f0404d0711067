//! Steps and learning rates of a training, from the words of an experiment file.

use crate::config::parts::{
    ClipGroup, Gradient, GroupLasso, LassoGroups, LossPart, MappingRange, WeightPart,
};
use crate::config::{self, Experiment};
use crate::data::Augment;
use crate::error::{Error, Result};
use crate::network::lower::CellNoise;
use crate::network::lower::parts::{
    Bound, Clip, Groups, Penalty, RangeRule, SlicePenalty, Subtracted, Teaching, Transform,
};
use crate::network::lower::training::{Optimizer, StepParts, TrainSpec};

/// What is done to training images at random, if anything.
pub fn augment(t: &config::Train) -> Option<Augment> {
    let augment = Augment {
        pad: t.augment.pad,
        flip: t.augment.flip,
        rotate_degrees: t.augment.rotate,
    };
    (!augment.is_none()).then_some(augment)
}

/// The steps of an experiment's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Images per step, on all chips and in all parts.
    pub batch: usize,
    /// Steps of an epoch.
    pub per_epoch: usize,
    /// Epochs.
    pub epochs: usize,
}

impl Steps {
    /// A network that is taken as it is.
    pub const NONE: Self = Self {
        batch: 0,
        per_epoch: 0,
        epochs: 0,
    };

    /// Steps of a training on `images` images.
    ///
    /// # Errors
    /// A step without an image on one of its chips.
    pub fn new(t: &config::Train, images: usize) -> Result<Self> {
        let (chips, parts) = (t.chips_per_batch, t.accumulate);
        let batch = t.batch.min(images / (chips * parts) * chips * parts);
        if batch == 0 || !batch.is_multiple_of(chips * parts) {
            return Err(Error::input(format!(
                "train.batch = {} over train.chips_per_batch = {chips} chips and \
                 train.accumulate = {parts} parts with {images} training images: a step needs the \
                 same whole number of images, at least 1, on every chip of every part",
                t.batch
            )));
        }
        Ok(Self {
            batch,
            per_epoch: images / batch,
            epochs: t.epochs,
        })
    }

    /// Steps of all epochs.
    pub fn total(&self) -> usize {
        self.epochs * self.per_epoch
    }
}

/// The steps of every stage of a training, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Stages, at least one.
    pub stages: Vec<Steps>,
}

impl Course {
    /// Of the training of an experiment on `images` images. A network that is taken as it is has no steps.
    ///
    /// # Errors
    /// A step without an image on one of its chips.
    pub fn new(experiment: &Experiment, images: usize) -> Result<Self> {
        let stages = experiment.stages()?.into_iter();
        let steps = stages.map(|stage| match stage.experiment.train.epochs {
            0 => Ok(Steps::NONE),
            _ => Steps::new(&stage.experiment.train, images),
        });
        Ok(Self {
            stages: steps.collect::<Result<_>>()?,
        })
    }

    /// Steps of all stages.
    pub fn total(&self) -> usize {
        self.stages.iter().map(Steps::total).sum()
    }

    /// Epochs of all stages.
    pub fn epochs(&self) -> usize {
        self.stages.iter().map(|steps| steps.epochs).sum()
    }

    /// Epochs before a stage.
    pub fn epochs_before(&self, stage: usize) -> usize {
        self.stages[..stage].iter().map(|steps| steps.epochs).sum()
    }

    /// Steps before a stage.
    pub fn steps_before(&self, stage: usize) -> usize {
        self.stages[..stage].iter().map(Steps::total).sum()
    }
}

/// What the training program needs. `batch` images per step.
pub fn train_spec(
    experiment: &Experiment,
    noise: Vec<Option<CellNoise>>,
    batch: usize,
) -> TrainSpec {
    let t = &experiment.train;
    TrainSpec {
        chips: t.chips_per_batch,
        batch,
        noise,
        cells: None,
        passes: vec![],
        variants: vec![],
        parts: step_parts(experiment),
        optimizer: match t.optimizer {
            config::Optimizer::Sgd => Optimizer::Sgd {
                momentum: t.momentum as f32,
                nesterov: t.nesterov,
            },
            config::Optimizer::Adam => Optimizer::Adam { decoupled: false },
            config::Optimizer::Adamw => Optimizer::Adam { decoupled: true },
        },
        weight_decay: t.weight_decay as f32,
        smoothing: t.label_smoothing as f32,
        norm_rate: 0.1,
        frozen_norm: false,
        forward_only: false,
        accumulate: t.accumulate * draws(t),
        average_rate: if t.average > 0.0 {
            (1.0 - t.average) as f32
        } else {
            0.0
        },
    }
}

/// Passes of every part of a batch, each on fresh chips.
pub fn draws(t: &config::Train) -> usize {
    let parts = t.composition();
    parts.chips().map_or(1, |chips| chips.draws.factors().len())
}

/// Factor on the deviations of chips in an epoch of a stage.
pub fn noise_factor(t: &config::Train, epoch: usize) -> f64 {
    let parts = t.composition();
    parts.chips().map_or(1.0, |chips| chips.factor(epoch))
}

/// The parts of a step from those that the experiment lists.
fn step_parts(experiment: &Experiment) -> StepParts {
    let c = experiment.train.composition();
    let transform = |part: &WeightPart| match part {
        WeightPart::Mask(_) => Some(Transform::Mask),
        WeightPart::Clip(clip) => Some(Transform::Clip(Clip {
            bound: match (clip.sigma, clip.percentile) {
                (Some(sigma), _) => Bound::Deviations(sigma as f32),
                (None, percentile) => Bound::Percentile(percentile.unwrap_or(100.0) as f32),
            },
            per_channel: clip.per == ClipGroup::Channel,
            keeps_range: clip.mapping_range == MappingRange::Old,
        })),
        WeightPart::Quantize(_) => None,
    };
    let penalty = |part: &LossPart| match part {
        LossPart::L1(l1) => Some(Penalty {
            groups: Groups::Weights,
            factor: l1.weight as f32,
        }),
        LossPart::GroupLasso(lasso) => Some(Penalty {
            groups: groups(lasso, experiment),
            factor: lasso.weight as f32,
        }),
        LossPart::SliceL1(_)
        | LossPart::Distill(_)
        | LossPart::Ovf(_)
        | LossPart::Irs(_)
        | LossPart::Heads(_) => None,
    };
    let slices = |part: &LossPart| match part {
        LossPart::SliceL1(slices) => Some(SlicePenalty {
            factor: slices.weight as f32,
            slice_bits: slices.slice_bits,
        }),
        LossPart::L1(_)
        | LossPart::GroupLasso(_)
        | LossPart::Distill(_)
        | LossPart::Ovf(_)
        | LossPart::Irs(_)
        | LossPart::Heads(_) => None,
    };
    let single = |factors: Vec<f64>| factors.into_iter().map(|f| f as f32).collect();
    let heads = experiment.network.head.len();
    let (ovf, irs) = (c.ovf(), c.irs());
    StepParts {
        weights: c.weights.iter().filter_map(transform).collect(),
        penalties: c.loss.iter().filter_map(penalty).collect(),
        slices: c.loss.iter().filter_map(slices).collect(),
        teaching: c.distill().map(|distill| Teaching {
            share: distill.weight as f32,
            temperature: distill.temperature as f32,
        }),
        subtracted: (ovf.is_some() || irs.is_some()).then(|| Subtracted {
            passes: ovf.map_or(vec![], |ovf| single(ovf.factors())),
            heads: irs.map_or(vec![], |irs| single(irs.factors(heads))),
        }),
        heads: c.heads_loss().map(|loss| loss.weight as f32),
        range: c
            .learned_range()
            .map_or_else(RangeRule::default, |range| RangeRule {
                decay: range.decay as f32,
                inside: range.inside as f32,
            }),
        clean_backward: c.gradient == Gradient::Clean,
    }
}

fn groups(lasso: &GroupLasso, experiment: &Experiment) -> Groups {
    let n = lasso.segment_in(experiment);
    match lasso.groups {
        LassoGroups::Filters => Groups::Filters,
        LassoGroups::Channels => Groups::Channels,
        LassoGroups::Rows => Groups::Rows,
        LassoGroups::ColumnSegments => Groups::ColumnSegments(n),
        LassoGroups::RowSegments => Groups::RowSegments(n),
    }
}

/// Learning rate of a step: warm-up (linear, per step), then constant, step (per epoch) or cosine
/// (per step, to zero).
pub fn learning_rate(t: &config::Train, step: usize, steps_per_epoch: usize) -> f32 {
    let warmup = t.warmup_epochs * steps_per_epoch;
    if step < warmup {
        return (t.learning_rate * (step + 1) as f64 / warmup as f64) as f32;
    }
    let factor = match t.schedule {
        config::Schedule::Constant => 1.0,
        config::Schedule::Step => {
            let drops = step / steps_per_epoch / t.step_epochs;
            t.step_factor.powi(drops as i32)
        }
        config::Schedule::Cosine => {
            let total = (t.epochs * steps_per_epoch).saturating_sub(warmup).max(1);
            let x = (step - warmup) as f64 / total as f64;
            0.5 * (1.0 + (std::f64::consts::PI * x.min(1.0)).cos())
        }
    };
    (t.learning_rate * factor) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(schedule: config::Schedule) -> config::Train {
        config::Train {
            schedule,
            epochs: 10,
            step_epochs: 3,
            step_factor: 0.1,
            warmup_epochs: 1,
            learning_rate: 0.5,
            ..config::Train::default()
        }
    }

    #[test]
    fn schedules_follow_their_formulas() {
        let t = train(config::Schedule::Step);
        assert_eq!(learning_rate(&t, 0, 4), 0.125);
        assert_eq!(learning_rate(&t, 3, 4), 0.5);
        assert_eq!(learning_rate(&t, 11, 4), 0.5);
        assert_eq!(learning_rate(&t, 12, 4), 0.05);
        let t = train(config::Schedule::Cosine);
        assert_eq!(learning_rate(&t, 4, 4), 0.5);
        assert!((learning_rate(&t, 22, 4) - 0.25).abs() < 1e-7); // half way through 36 steps
        assert!(learning_rate(&t, 40, 4) < 1e-7);
    }
}
