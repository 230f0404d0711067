//! The training loop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::batches::{Ahead, Batch, Batches};
use super::checkpoint::{self, Position};
use super::{quantizer_steps, settings};
use crate::backend::program::CHIP_FIELDS;
use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::chip::ChipVariation;
use crate::config::{Experiment, Recipe};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::network::lower::training::{self, TrainSpec, Training};
use crate::network::lower::{ActStep, Numerics};
use crate::network::{Graph, Parameters};
use crate::progress::{Observer, TrainProgress};
use crate::random::TRAINING;

/// Bits or-ed into the chip word for the chips of calibration passes, so that they are not those
/// of the training steps.
const CALIBRATION_CHIPS: u32 = 0x8000_0000;

/// How often a running training saves itself.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A trained network, ready for chips.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The architecture.
    pub graph: Graph,
    /// Number formats at inference.
    pub numerics: Numerics,
    /// Weights, batch norm, quantizer steps.
    pub parameters: Parameters,
    /// How the training went.
    pub record: TrainRecord,
}

/// How a training went; kept in the model's file.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainRecord {
    /// Steps done; 0 for a network that was taken from a file as it is.
    pub steps: usize,
    /// Mean loss of the last epoch, as trained (under quantization and variation); 0 without one.
    pub loss: f64,
    /// Training accuracy of the last epoch, likewise.
    pub accuracy: f64,
    /// Wall time, seconds.
    pub elapsed_s: f64,
}

/// One training to be done.
pub struct Job<'a> {
    /// Where it runs.
    pub backend: &'a dyn Backend,
    /// What to train.
    pub experiment: &'a Experiment,
    /// Images; only `train` is looked at.
    pub data: &'a Split,
    /// Name for progress reports.
    pub label: String,
    /// Where an unfinished training is saved, if anywhere.
    pub checkpoint: Option<PathBuf>,
    /// Continue from `checkpoint` if it exists.
    pub resume: bool,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// Everything that decides the result of a training, as JSON: two experiments with the same key
/// share their model.
pub fn training_key(experiment: &Experiment) -> Result<String> {
    serde_json::to_string(&experiment.training())
        .map_err(|e| Error::Internal(format!("experiment to JSON: {e}")))
}

/// Trains a network (or continues to). Only training images are used.
pub fn train(job: &Job) -> Result<Model> {
    let experiment = job.experiment;
    let from = settings::start(experiment, &job.data.train)?;
    let full = settings::numerics(experiment);
    let recipe = experiment.train.recipe;
    let numerics = match recipe {
        Recipe::Float | Recipe::Ptq | Recipe::PtqVat => Numerics::FLOAT,
        Recipe::Qat | Recipe::Qavat => full,
    };
    let graph = &from.graph;
    let started = Instant::now();
    let given = from.parameters.as_ref().map(|loaded| &loaded.parameters);
    let mut record = TrainRecord::default();
    let mut parameters = match given {
        Some(parameters) if experiment.train.epochs == 0 => parameters.clone(),
        _ => {
            let mut run = Run::new(job, graph, &numerics, false)?;
            if let Some(parameters) = given {
                run.parameters.overwrite(parameters)?;
            }
            run.start()?;
            record = run.epochs()?;
            run.finish()?
        }
    };
    let mut model = Model {
        numerics,
        parameters: Parameters::default(),
        record: TrainRecord {
            elapsed_s: started.elapsed().as_secs_f64(),
            ..record
        },
        graph: graph.clone(),
    };
    if recipe.quantizes_afterwards() {
        parameters
            .tensors
            .retain(|name, _| !name.ends_with("_step"));
        // The reference refreshes batch norm under quantization and variation; plain post-training
        // quantization leaves the network as it is.
        let mut run = Run::new(job, graph, &full, recipe == Recipe::Ptq)?;
        run.parameters = parameters;
        parameters = run.quantize_afterwards()?;
        model.numerics = full;
        model.record.elapsed_s = started.elapsed().as_secs_f64();
    }
    model.parameters = parameters;
    Ok(model)
}

/// A training program with its session and data.
struct Run<'a> {
    job: &'a Job<'a>,
    training: Training,
    session: Box<dyn Session>,
    parameters: Parameters,
    numerics: Numerics,
    batches: Arc<Batches<'a>>,
    seed: u64,
    /// Deviations of the chips of the steps.
    common: Option<ChipVariation>,
    chips: usize,
    /// Images per step, all chips together.
    batch: usize,
    steps_per_epoch: usize,
    step: usize,
    key: String,
    /// The batch of a calibration step.
    calibration: Batch,
}

impl<'a> Run<'a> {
    fn new(
        job: &'a Job<'a>,
        graph: &Graph,
        numerics: &Numerics,
        frozen_norm: bool,
    ) -> Result<Self> {
        let experiment = job.experiment;
        let t = &experiment.train;
        let n = job.data.train.len();
        let chips = t.chips_per_batch;
        let batch = t.batch.min(n / chips * chips);
        if batch == 0 || !batch.is_multiple_of(chips) {
            return Err(Error::input(format!(
                "train.batch = {} over train.chips_per_batch = {chips} chips with {n} training \
                 images: a step needs the same whole number of images, at least 1, on every chip",
                t.batch
            )));
        }
        let noisy = t.recipe.sees_variation();
        let v = &experiment.variation;
        let noise = noisy.then(|| settings::cell_noise(v, experiment.training_sigma_w(), 0));
        let common = (noisy && experiment.training_sigma_b() > 0.0)
            .then(|| ChipVariation::new(v))
            .transpose()?;
        let spec = TrainSpec {
            frozen_norm,
            ..settings::train_spec(experiment, noise, batch)
        };
        let training = training::lower(graph, numerics, &spec);
        let images = batch / chips;
        let want = Capacity {
            chips,
            images,
            chunk: images,
        };
        let fits = job.backend.fit(&training.program, want)?;
        // A backend may have room for more than was asked for: it thinks in blocks of images.
        if fits.chips < chips || fits.images < images || fits.chunk < images {
            return Err(Error::device(format!(
                "a training step of {batch} images on {chips} chips does not fit this adapter (at \
                 most {} images on {} chips); lower train.batch",
                fits.chunk, fits.chips
            )));
        }
        let session = job.backend.prepare(&training.program, want)?;
        let steps_per_epoch = n / batch;
        let seed = experiment.training_seed();
        let parameters = Parameters::initial(graph, &training.states, seed);
        Ok(Self {
            job,
            session,
            parameters,
            numerics: *numerics,
            batches: Arc::new(Batches {
                train: &job.data.train,
                normalise: settings::normalise(experiment, &job.data.train)?,
                augment: settings::augment(t),
                seed,
                batch,
                steps_per_epoch,
            }),
            seed,
            common,
            chips,
            batch,
            steps_per_epoch,
            step: 0,
            key: training_key(experiment)?,
            calibration: Batch::default(),
            training,
        })
    }

    /// Loads the checkpoint where asked for, else starts from the initial parameters.
    fn start(&mut self) -> Result<()> {
        let path = self.job.checkpoint.as_ref();
        match path.filter(|p| self.job.resume && p.exists()) {
            Some(path) => {
                let (parameters, position) = checkpoint::load_position(path, &self.key)?;
                self.parameters = parameters;
                self.step = position.step;
                let training = &self.training;
                let session = self.session.as_mut();
                self.parameters.load_into(session, &training.states)?;
                self.parameters.load_into(session, &training.moments)
            }
            None => {
                let states = &self.training.states;
                self.parameters.load_into(self.session.as_mut(), states)?;
                if self.numerics.weight_step_learned {
                    quantizer_steps::initial_weight_steps(
                        self.session.as_mut(),
                        &self.training,
                        &self.numerics,
                        &self.parameters,
                    )?;
                }
                if self.numerics.act_step == ActStep::Learned {
                    self.calibrate_activations()?;
                }
                Ok(())
            }
        }
    }

    /// All remaining epochs; a thread makes the batches ahead of the steps.
    fn epochs(&mut self) -> Result<TrainRecord> {
        let steps = self.job.experiment.train.epochs * self.steps_per_epoch;
        std::thread::scope(|scope| {
            let batches = Arc::clone(&self.batches);
            let ahead = Ahead::start(scope, batches, self.step..steps);
            self.remaining_steps(steps, &ahead)
        })
    }

    fn remaining_steps(&mut self, steps: usize, ahead: &Ahead) -> Result<TrainRecord> {
        let t = &self.job.experiment.train;
        let report_every = (self.steps_per_epoch / 20).max(1);
        let mut epoch_begun = false;
        let mut saved = Instant::now();
        let started = Instant::now();
        let (mut epoch_hits, mut epoch_loss, mut epoch_images) = (0.0, 0.0, 0usize);
        let mut since_report = 0;
        let mut shown = (f64::NAN, f64::NAN);
        self.run(self.training.clear, 0)?;
        while self.step < steps {
            let (epoch, position) = (
                self.step / self.steps_per_epoch,
                self.step % self.steps_per_epoch,
            );
            if !epoch_begun || position == 0 {
                epoch_begun = true;
                (epoch_hits, epoch_loss, epoch_images) = (0.0, 0.0, 0);
                if self.numerics.act_step == ActStep::Fixed && position == 0 {
                    self.calibrate_activations()?;
                }
            }
            let batch = ahead.next()?;
            self.write_batch(&batch, self.step as u32)?;
            ahead.recycle(batch);
            self.run(self.training.step, self.step)?;
            self.step += 1;
            since_report += 1;
            if since_report == report_every || position + 1 == self.steps_per_epoch {
                let (hits, loss) = self.take_tally()?;
                let images = since_report * self.batch;
                shown = (loss / images as f64, hits / images as f64);
                epoch_hits += hits;
                epoch_loss += loss;
                epoch_images += images;
                since_report = 0;
                if !loss.is_finite() {
                    return Err(Error::input(format!(
                        "training diverged at step {}: the loss is {loss}; lower \
                         train.learning_rate (now {})",
                        self.step, t.learning_rate
                    )));
                }
            }
            self.job.observer.training(&TrainProgress {
                label: self.job.label.clone(),
                epoch,
                epochs: t.epochs,
                step: self.step,
                steps,
                loss: shown.0,
                accuracy: shown.1,
                batch: self.batch,
            });
            let interrupted = self.job.observer.interrupted();
            if interrupted || saved.elapsed() > SAVE_EVERY {
                self.save()?;
                saved = Instant::now();
            }
            if interrupted {
                let place = match &self.job.checkpoint {
                    Some(path) => format!("; saved {}", path.display()),
                    None => String::new(),
                };
                return Err(Error::Interrupted(format!(
                    "training interrupted at step {} of {steps}{place}",
                    self.step
                )));
            }
        }
        Ok(TrainRecord {
            steps,
            loss: epoch_loss / epoch_images as f64,
            accuracy: epoch_hits / epoch_images as f64,
            elapsed_s: started.elapsed().as_secs_f64(),
        })
    }

    /// Steps of the final weights, then everything back to the host.
    fn finish(mut self) -> Result<Parameters> {
        if self.numerics.act_step == ActStep::Fixed {
            self.calibrate_activations()?;
        }
        if !self.numerics.weight_step_learned {
            self.run(self.training.freeze, 0)?;
        }
        let mut out = Parameters::default();
        out.read_from(self.session.as_mut(), &self.training.states)?;
        Ok(out)
    }

    /// Post-training quantization: weight steps from the weights, then one pass over the training
    /// set in training mode (moving activation steps and batch norm statistics under variation).
    fn quantize_afterwards(mut self) -> Result<Parameters> {
        let states = &self.training.states;
        self.parameters.load_into(self.session.as_mut(), states)?;
        if self.numerics.weight_step_learned {
            let n = &self.numerics;
            quantizer_steps::initial_weight_steps(
                self.session.as_mut(),
                &self.training,
                n,
                &self.parameters,
            )?;
        }
        if self.numerics.act_step != ActStep::MovingMax {
            self.calibrate_activations()?;
        }
        let order = self.batches.shuffled(0);
        for step in 0..self.steps_per_epoch {
            self.load_calibration_batch(&order, step)?;
            self.run(self.training.calibrate, step)?;
            if self.job.observer.interrupted() {
                return Err(Error::Interrupted(
                    "interrupted while quantizing the trained network; it starts over".into(),
                ));
            }
        }
        self.finish()
    }

    /// Chooses the steps of all uniform activation quantizers from calibration batches.
    fn calibrate_activations(&mut self) -> Result<()> {
        let q = &self.job.experiment.quantize;
        let order = self.batches.shuffled(0);
        let batches = self
            .job
            .experiment
            .train
            .calibration_batches
            .min(self.steps_per_epoch);
        for layer in 0..self.training.quantized_inputs.len() {
            let mut samples = vec![];
            for i in 0..batches {
                self.load_calibration_batch(&order, i)?;
                self.run(self.training.calibrate, i)?;
                let source = self.training.quantized_inputs[layer].source;
                if source == self.training.images {
                    samples.extend_from_slice(&self.calibration.images);
                } else {
                    samples.extend(self.session.read(source)?);
                }
            }
            let input = self.training.quantized_inputs[layer];
            let step = quantizer_steps::activation_step(q, &samples, input.quant);
            self.session.write(input.quant.scale, &[step])?;
        }
        self.run(self.training.clear, 0)
    }

    /// Loads the images of a calibration step as they are: a chip is calibrated for the images it
    /// will see, which nobody moves.
    fn load_calibration_batch(&mut self, order: &[usize], step: usize) -> Result<()> {
        let mut batch = std::mem::take(&mut self.calibration);
        let indices = &order[step * self.batch..][..self.batch];
        self.batches.fill(indices, None, &mut batch);
        let written = self.write_batch(&batch, CALIBRATION_CHIPS | step as u32);
        self.calibration = batch;
        written
    }

    /// Writes images, labels and the deviations of the step's chips. `word / chips` is the first
    /// chip word of the step.
    fn write_batch(&mut self, batch: &Batch, step: u32) -> Result<()> {
        self.session.write(self.training.images, &batch.images)?;
        self.session.write(self.training.labels, &batch.labels)?;
        let first = self.first_chip(step);
        let mut fields = Vec::with_capacity(self.chips * CHIP_FIELDS);
        for chip in 0..self.chips as u32 {
            let e = match &self.common {
                Some(v) => v.eps_b(self.seed, TRAINING, first.wrapping_add(chip)),
                None => 0.0,
            };
            fields.extend_from_slice(&[e as f32, 1.0, 0.0, 0.0]);
        }
        for &tensor in &self.training.chips {
            self.session.write(tensor, &fields)?;
        }
        Ok(())
    }

    fn first_chip(&self, step: u32) -> u32 {
        (step & CALIBRATION_CHIPS) | (step & !CALIBRATION_CHIPS).wrapping_mul(self.chips as u32)
    }

    fn run(&mut self, section: crate::backend::SectionId, step: usize) -> Result<()> {
        let calibrating = section == self.training.calibrate;
        let word = step as u32 | if calibrating { CALIBRATION_CHIPS } else { 0 };
        let args = RunArgs {
            seed: self.seed,
            first_chip: self.first_chip(word),
            chips: self.chips,
            images: 0..self.batch / self.chips,
            purpose: TRAINING,
            step: step as u32,
            lr: settings::learning_rate(&self.job.experiment.train, step, self.steps_per_epoch),
        };
        self.session.run(section, &args)
    }

    /// Hits and summed loss since the last call, over all chips.
    fn take_tally(&mut self) -> Result<(f64, f64)> {
        let tally = self.session.read(self.training.tally)?;
        self.run(self.training.clear, 0)?;
        let sum = |k: usize| tally.chunks_exact(2).map(|t| f64::from(t[k])).sum();
        Ok((sum(0), sum(1)))
    }

    fn save(&mut self) -> Result<()> {
        let Some(path) = self.job.checkpoint.clone() else {
            return Ok(());
        };
        let mut all = Parameters::default();
        all.read_from(self.session.as_mut(), &self.training.states)?;
        all.read_from(self.session.as_mut(), &self.training.moments)?;
        let position = Position { step: self.step };
        checkpoint::save_position(&path, &all, &self.key, position)
    }
}
