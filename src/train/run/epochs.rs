//! The epochs of a training: steps, what is told of them, when they are saved.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::error::{Error, Result};
use crate::network::lower::ActStep;
use crate::network::lower::cells::write_ranges;
use crate::program::CHIP_FIELDS;
use crate::progress::{EpochProgress, HeldOutProgress, Moment, TrainProgress};
use crate::random::TRAINING;
use crate::train::batches::{Ahead, Batch};
use crate::train::checkpoint::EpochSums;
use crate::train::trainer::EpochRecord;
use crate::train::validate;

/// How often a running training saves itself.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// Mean loss and accuracy over the latest steps.
struct Latest {
    loss: f64,
    accuracy: f64,
}

impl Run<'_> {
    /// All remaining epochs; where there are threads, one makes the batches ahead of the steps.
    pub(in crate::train) fn epochs(&mut self) -> Result<()> {
        let steps = self.stage.point.experiment().train.epochs * self.steps_per_epoch;
        std::thread::scope(|scope| {
            let batches = Arc::clone(&self.batches);
            let mut ahead = Ahead::start(scope, batches, self.step..steps);
            self.remaining_steps(steps, &mut ahead)
        })
    }

    fn remaining_steps(&mut self, steps: usize, ahead: &mut Ahead) -> Result<()> {
        let mut saved = Moment::now();
        let mut latest = Latest {
            loss: f64::NAN,
            accuracy: f64::NAN,
        };
        self.run(self.training.clear, 0)?;
        if !self.tally.is_empty() {
            let tally = std::mem::take(&mut self.tally);
            self.session.write(self.training.tally, &tally)?;
        }
        while self.step < steps {
            let epoch = self.step / self.steps_per_epoch;
            if self.step.is_multiple_of(self.steps_per_epoch) {
                self.begin_epoch()?;
            }
            self.train_step(ahead)?;
            let ends = self.step.is_multiple_of(self.steps_per_epoch);
            if ends || self.epoch.untold == (self.steps_per_epoch / 20).max(1) {
                latest = self.add_tally()?;
            }
            if ends {
                let EpochSums { hits, loss, .. } = self.epoch;
                let images = self.epoch.images as f64;
                self.end_epoch(epoch + 1, loss / images, hits / images)?;
            }
            self.report(epoch, &latest);
            let interrupted = self.job.observer.interrupted();
            if interrupted || saved.elapsed() > SAVE_EVERY {
                self.save()?;
                saved = Moment::now();
            }
            if interrupted {
                return Err(self.interruption());
            }
        }
        Ok(())
    }

    /// Empties the sums and calibrates what follows the weights.
    fn begin_epoch(&mut self) -> Result<()> {
        self.epoch = EpochSums::default();
        self.use_own_converters()?;
        self.use_noise_of(self.step / self.steps_per_epoch)?;
        self.grow_mask()?;
        self.calibrate_converters()?;
        if self.numerics.act_step == ActStep::Fixed {
            self.calibrate_activations()?;
            // Their sums are those of the new steps.
            self.calibrate_converters()?;
        }
        Ok(())
    }

    /// One step on the next batch.
    fn train_step(&mut self, ahead: &mut Ahead) -> Result<()> {
        let batch = ahead.next()?;
        for part in 0..self.parts {
            self.teach(&batch, part)?;
            for draw in 0..self.draws {
                let word = self.word(part, draw);
                let factor = self.kinds.factor(draw);
                self.write_part(&batch, (part, self.parts), word, factor)?;
                self.run_part(word, draw)?;
            }
        }
        ahead.recycle(batch);
        if let Some(update) = self.training.update {
            self.run(update, self.step)?;
        }
        self.step += 1;
        self.epoch.untold += 1;
        Ok(())
    }

    /// Adds the steps since the last call to the sums of the epoch.
    ///
    /// # Errors
    /// A loss that is no number: the training diverged.
    fn add_tally(&mut self) -> Result<Latest> {
        let (hits, loss) = self.take_tally()?;
        let draws = self.draws as f64;
        let (hits, loss) = (hits / draws, loss / draws);
        let images = self.epoch.untold * self.batch;
        self.epoch.hits += hits;
        self.epoch.loss += loss;
        self.epoch.images += images;
        self.epoch.untold = 0;
        if !loss.is_finite() {
            return Err(Error::input(format!(
                "training diverged at step {}: the loss is {loss}; lower train.learning_rate (now {})",
                self.stage.steps_before + self.step,
                self.stage.point.experiment().train.learning_rate
            )));
        }
        Ok(Latest {
            loss: loss / images as f64,
            accuracy: hits / images as f64,
        })
    }

    fn report(&self, epoch: usize, latest: &Latest) {
        self.job.observer.training(&TrainProgress {
            label: self.label(),
            epoch: self.stage.epochs_before + epoch,
            epochs: self.course.epochs(),
            step: self.stage.steps_before + self.step,
            steps: self.course.total(),
            loss: latest.loss,
            accuracy: latest.accuracy,
            batch: self.batch,
        });
    }

    /// Name of the training, and of the stage where there are several.
    pub(super) fn label(&self) -> String {
        match self.stage.name.as_str() {
            "" => self.job.label.clone(),
            stage => format!("{}, stage {stage}", self.job.label),
        }
    }

    fn interruption(&self) -> Error {
        let place = match &self.job.checkpoint {
            Some(path) => format!("; saved {}", path.display()),
            None => String::new(),
        };
        Error::Interrupted(format!(
            "training interrupted at step {} of {}{place}",
            self.stage.steps_before + self.step,
            self.course.total()
        ))
    }

    /// Notes how an epoch went and, where one is due, the evaluation on held-out images.
    fn end_epoch(&mut self, epoch: usize, loss: f64, accuracy: f64) -> Result<()> {
        let t = &self.stage.point.experiment().train;
        let asked =
            t.evaluate_every > 0 && (epoch.is_multiple_of(t.evaluate_every) || epoch == t.epochs);
        let epoch = self.stage.epochs_before + epoch;
        let validation = match &self.held_out.validation {
            Some(images) if asked => {
                let parameters = self.deployed_now()?;
                let network = validate::Network {
                    backend: self.job.backend,
                    point: &self.stage.point,
                    graph: self.graph,
                    numerics: &self.numerics,
                    parameters: &parameters,
                    train: &self.held_out.train,
                };
                let v = validate::accuracy(&network, images)?;
                self.job.observer.message(&format!(
                    "{}: epoch {epoch}: {:.2} % of {} held-out images without variation, \
                     {:.2} % (sd {:.2}) over {} chips",
                    self.label(),
                    100.0 * v.ideal,
                    v.images,
                    100.0 * v.mean,
                    100.0 * v.std,
                    v.chips
                ));
                Some(v)
            }
            _ => None,
        };
        let rate = self.learning_rate(self.step.saturating_sub(1));
        self.job.observer.epoch(&EpochProgress {
            label: self.job.label.clone(),
            stage: self.stage.name.clone(),
            epoch,
            epochs: self.course.epochs(),
            step: self.stage.steps_before + self.step,
            learning_rate: rate.into(),
            loss,
            accuracy,
            held_out: validation.map(|v| HeldOutProgress {
                images: v.images,
                ideal: v.ideal,
                mean: v.mean,
                std: v.std,
                chips: v.chips,
            }),
        });
        self.history.push(EpochRecord {
            epoch,
            loss,
            accuracy,
            validation,
        });
        Ok(())
    }

    /// Writes a part of a batch (which, of how many), and the deviations of its chips, which are `factor` times the usual.
    /// `word / chips` is its first chip word.
    pub(super) fn write_part(
        &mut self,
        batch: &Batch,
        (part, parts): (usize, usize),
        word: u32,
        factor: f64,
    ) -> Result<()> {
        let of = |values: &[f32]| {
            let n = values.len() / parts;
            part * n..(part + 1) * n
        };
        let images = &batch.images[of(&batch.images)];
        self.session.write(self.training.images, images)?;
        let labels = &batch.labels[of(&batch.labels)];
        self.session.write(self.training.labels, labels)?;
        let first = self.first_chip(word);
        let common: Vec<f32> = (0..self.chips as u32)
            .map(|chip| match &self.common {
                Some(v) => {
                    let eps = v.eps_b(self.seed, TRAINING, first.wrapping_add(chip));
                    (factor * self.noise * eps) as f32
                }
                None => 0.0,
            })
            .collect();
        if let Some(cells) = &self.cells {
            return cells.write_chips(self.session.as_mut(), &self.training.cells, &common);
        }
        let mut fields = Vec::with_capacity(self.chips * CHIP_FIELDS);
        for e in common {
            fields.extend_from_slice(&[e, 1.0, 0.0, 0.0]);
        }
        for &tensor in &self.training.chips {
            self.session.write(tensor, &fields)?;
        }
        Ok(())
    }

    /// The word of a pass of a part of the present step.
    fn word(&self, part: usize, draw: usize) -> u32 {
        ((self.step * self.parts + part) * self.draws + draw) as u32
    }

    /// Runs the training section of a draw on a part of the batch, through the converters that are drawn for it.
    fn run_part(&mut self, word: u32, draw: usize) -> Result<()> {
        let bits = self.kinds.drawn(self.seed, self.first_chip(word));
        if let (Some(bits), Some(cells)) = (bits, &self.cells) {
            let layers = cells.layers_with(bits);
            write_ranges(self.session.as_mut(), &self.training.cells, layers)?;
        }
        let variant = self.kinds.section(draw, bits);
        let section = variant.map_or(self.training.step, |at| self.training.variants[at]);
        // Without parts and draws this section also updates, so it sees the step's rate.
        let lr = self.learning_rate(self.step);
        self.run_at(section, word, word, lr)
    }

    /// Hits and summed loss since the last call, over all chips.
    fn take_tally(&mut self) -> Result<(f64, f64)> {
        let tally = self.session.read(self.training.tally)?;
        self.run(self.training.clear, 0)?;
        let sum = |k: usize| tally.chunks_exact(2).map(|t| f64::from(t[k])).sum();
        Ok((sum(0), sum(1)))
    }
}
