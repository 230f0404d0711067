//! The stages of a training: what each trains, and what was before it.

use super::settings::{self, Course, Steps};
use crate::error::Result;
use crate::random::{Reach, product};
use crate::setup::Point;

/// A stage of a training.
pub(super) struct Stage<'a> {
    /// Its name; empty for the one stage of a training without stages.
    pub name: String,
    /// The point whose `[train]` is that of the stage.
    pub point: Point<'a>,
    /// Its place among the stages.
    pub index: usize,
    /// Epochs before it.
    pub epochs_before: usize,
    /// Steps before it.
    pub steps_before: usize,
    /// Chips that the steps before it were run on: each stage has others.
    pub chips_before: u32,
}

/// All stages of a training, and their steps.
pub(super) struct Stages<'a> {
    pub stages: Vec<Stage<'a>>,
    pub course: Course,
}

impl<'a> Stages<'a> {
    /// The stages of a point's training.
    ///
    /// # Errors
    /// Batches that cannot be; more chips than there are.
    pub fn new(point: &Point<'a>) -> Result<Self> {
        let course = Course::new(point.experiment(), point.inputs.n_trained_on())?;
        let mut chips = 0u128;
        let mut stages = vec![];
        for (index, (name, point)) in point.stages()?.into_iter().enumerate() {
            let Steps {
                per_epoch, epochs, ..
            } = course.stages[index];
            let t = &point.experiment().train;
            let passes = t.accumulate * settings::draws(t);
            let own = product(&[epochs, per_epoch, passes, t.chips_per_batch]);
            let chips_before = chips as u32;
            chips += own;
            Reach::TrainingChips.check(
                chips,
                "chips of training steps (epochs x steps x passes x chips)",
            )?;
            stages.push(Stage {
                name,
                index,
                epochs_before: course.epochs_before(index),
                steps_before: course.steps_before(index),
                chips_before,
                point,
            });
        }
        Ok(Self { stages, course })
    }
}
