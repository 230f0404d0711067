//! One training program at work: steps, calibration, checkpoints.

mod calibration;
mod epochs;
mod kinds;
pub(super) mod layout;
mod masking;
mod saving;
mod teacher;

use std::path::PathBuf;
use std::sync::Arc;

use calibration::CALIBRATION_CHIPS;
use kinds::Kinds;
use layout::Layout;
use saving::Held;
use teacher::Teacher;

use super::batches::{Batch, Batches};
use super::cells::CellSteps;
use super::checkpoint::{EpochSums, Position};
use super::settings::Course;
use super::stages::Stage;
use super::trainer::{EpochRecord, Job};
use super::{quantizer_steps, settings};
use crate::backend::{RunArgs, SectionId};
use crate::chip::ChipVariation;
use crate::error::Result;
use crate::network::lower::cells::write_ranges;
use crate::network::lower::training::Training;
use crate::network::lower::{ActStep, Numerics};
use crate::network::state::{CONVERTERS, Part};
use crate::network::{Graph, Parameters};
use crate::random::TRAINING;
use crate::setup::{HeldOut, Point};

/// Batches that batch norm sees before converters are calibrated for the first time: its statistics
/// then keep 3 % of what they began with.
const SETTLING: usize = 32;

/// What a [`Run`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Epochs of steps.
    Train,
    /// [`Run::settled`] only.
    Settle,
    /// [`Run::quantize_afterwards`] only.
    Quantize {
        /// Batch norm keeps its statistics.
        frozen_norm: bool,
    },
}

impl Purpose {
    /// The network that it is about: only steps have heads.
    pub(super) fn graph<'p>(self, point: &'p Point) -> &'p Graph {
        match self {
            Purpose::Train | Purpose::Settle => point.trained_graph(),
            Purpose::Quantize { .. } => &point.start.graph,
        }
    }
}

/// What all stages of a training have in common.
pub(super) struct Whole<'a> {
    pub job: &'a Job<'a>,
    pub course: &'a Course,
    pub held_out: &'a HeldOut<'a>,
    /// What checkpoints are of; empty where nothing is saved.
    pub key: String,
}

/// A checkpoint that a training continues.
pub(super) struct Resumed {
    pub parameters: Parameters,
    pub position: Position,
    pub path: PathBuf,
}

/// A training program with its session and data.
pub(super) struct Run<'a> {
    whole: &'a Whole<'a>,
    job: &'a Job<'a>,
    /// What is trained.
    stage: &'a Stage<'a>,
    course: &'a Course,
    training: Training,
    session: Held,
    /// What training starts from.
    pub(super) parameters: Parameters,
    graph: &'a Graph,
    held_out: &'a HeldOut<'a>,
    numerics: Numerics,
    batches: Arc<Batches<'a>>,
    seed: u64,
    /// Deviations of the chips of the steps.
    common: Option<ChipVariation>,
    /// Factor on their deviations at present.
    noise: f64,
    /// Cells and converters of the steps.
    cells: Option<CellSteps>,
    chips: usize,
    /// Images per step, all chips and parts together.
    batch: usize,
    /// Parts of a batch, one after the other.
    parts: usize,
    /// Passes of every part, each on fresh chips.
    draws: usize,
    /// What they differ in.
    kinds: Kinds,
    steps_per_epoch: usize,
    step: usize,
    /// Epochs of all stages so far.
    pub(super) history: Vec<EpochRecord>,
    /// Sums over the steps of the present epoch.
    epoch: EpochSums,
    key: &'a str,
    /// The batch of a calibration step.
    calibration: Batch,
    /// What a resumed training's tally held.
    tally: Vec<f32>,
    /// What teaches the stage.
    teacher: Option<Teacher>,
    /// Classes that the mask leaves no weight, as they were told last.
    lost: Vec<usize>,
}

impl<'a> Run<'a> {
    /// Prepares a stage of a training on the images that `held_out` leaves.
    pub(super) fn new(
        whole: &'a Whole<'a>,
        stage: &'a Stage<'a>,
        numerics: &Numerics,
        purpose: Purpose,
    ) -> Result<Self> {
        let &Whole {
            job,
            course,
            held_out,
            ref key,
        } = whole;
        let point = &stage.point;
        let (experiment, graph) = (point.experiment(), purpose.graph(point));
        let t = &experiment.train;
        let n = held_out.train.len();
        let noise = settings::noise_factor(t, 0);
        let layout = Layout::new(job.backend, point, numerics, purpose, noise)?;
        let Layout {
            training,
            cells,
            common,
            want,
            batch,
        } = layout;
        let (chips, parts) = (t.chips_per_batch, t.accumulate);
        let mut session = job.backend.prepare(&training.program, want)?;
        if let Some(cells) = &cells {
            write_ranges(session.as_mut(), &training.cells, cells.layers())?;
        }
        let steps_per_epoch = n / batch;
        let seed = experiment.training_seed();
        let parameters = Parameters::initial(graph, &training.states, seed);
        Ok(Self {
            whole,
            job,
            stage,
            course,
            session: Held::new(session),
            parameters,
            graph,
            held_out,
            numerics: numerics.clone(),
            batches: Arc::new(Batches {
                train: &held_out.train,
                normalise: &point.inputs.normalise,
                augment: settings::augment(t),
                seed,
                batch,
                steps_per_epoch,
                epochs_before: stage.epochs_before,
            }),
            seed,
            common,
            noise,
            cells,
            chips,
            batch,
            parts,
            draws: settings::draws(t),
            kinds: Kinds::of(t),
            steps_per_epoch,
            step: 0,
            history: vec![],
            epoch: EpochSums::default(),
            key,
            calibration: Batch::default(),
            tally: vec![],
            teacher: None,
            lost: vec![],
            training,
        })
    }

    /// Takes over a network. Heads that it lacks begin anew.
    pub(super) fn begin_with(&mut self, network: &Parameters) -> Result<()> {
        let mut heads = self.parameters.take_heads(self.graph);
        for (name, tensor) in &mut heads.tensors {
            let theirs = network.tensors.get(name);
            if let Some(theirs) = theirs.filter(|theirs| theirs.shape == tensor.shape) {
                tensor.clone_from(theirs);
            }
        }
        self.parameters.overwrite(network)?;
        self.parameters.tensors.append(&mut heads.tensors);
        Ok(())
    }

    /// Starts from a checkpoint, else from the initial parameters.
    pub(super) fn start(&mut self, resumed: Option<Resumed>) -> Result<()> {
        match resumed {
            Some(Resumed {
                mut parameters,
                position,
                path,
            }) => {
                self.take_teacher(&mut parameters)?;
                self.step = position.step;
                self.history = position.history;
                self.epoch = position.epoch;
                // A training that is done was last in its last epoch.
                let epochs = self.stage.point.experiment().train.epochs;
                let epoch = self.step / self.steps_per_epoch;
                self.program_for(epoch.min(epochs.saturating_sub(1)))?;
                self.restore(parameters, &path)
            }
            None if self.follows_sums() => {
                let purpose = Purpose::Settle;
                let numerics = &self.numerics;
                let mut run = Run::new(self.whole, self.stage, numerics, purpose)?;
                run.parameters = std::mem::take(&mut self.parameters);
                self.parameters = run.settled()?;
                self.load_parameters()
            }
            None => {
                self.load_parameters()?;
                self.initial_steps(self.numerics.act_step.is_trained())
            }
        }
    }

    /// Loads what the stage begins with, and masks what it removes.
    fn load_parameters(&mut self) -> Result<()> {
        let states = &self.training.states;
        self.parameters.load_into(self.session.as_mut(), states)?;
        let parameters = std::mem::take(&mut self.parameters);
        self.learn_from(&parameters)?;
        self.parameters = parameters;
        self.start_reference()?;
        self.mask(None)
    }

    /// Gives the learned reference of the converters what it begins with, where that is known.
    fn start_reference(&mut self) -> Result<()> {
        let Some(start) = self.cells.as_ref().and_then(CellSteps::start) else {
            return Ok(());
        };
        let name = Part::Reference.of(CONVERTERS);
        let state = self.training.states.iter().find(|s| s.name == name);
        match state {
            Some(state) => self.session.write(state.tensor, &[start]),
            None => Ok(()),
        }
    }

    /// Whether converters' ranges follow the weights.
    fn follows_sums(&self) -> bool {
        self.cells.as_ref().is_some_and(CellSteps::follow_sums)
    }

    /// Learned weight steps from the weights; activation steps from images where wanted.
    fn initial_steps(&mut self, activations: bool) -> Result<()> {
        if self.numerics.weight_step_learned {
            quantizer_steps::initial_weight_steps(
                self.session.as_mut(),
                &self.training,
                &self.numerics,
                &self.parameters,
            )?;
        }
        if activations {
            self.calibrate_activations()?;
        }
        Ok(())
    }

    /// The network before its first step, with the quantizer steps and batch norm statistics that it
    /// has without converters: what the converters are calibrated by first.
    fn settled(mut self) -> Result<Parameters> {
        self.load_parameters()?;
        self.initial_steps(self.numerics.act_step != ActStep::MovingMax)?;
        let order = self.batches.shuffled(0);
        let batches = self.steps_per_epoch * self.parts;
        for step in 0..SETTLING {
            self.load_calibration_batch(&order, step % batches)?;
            self.run_calibration(self.training.calibrate, step)?;
        }
        self.current_states()
    }

    /// Chooses the weight steps of the present weights, where they are not learned.
    pub(super) fn choose_weight_steps(&mut self) -> Result<()> {
        match self.numerics.weight_step_learned {
            true => Ok(()),
            false => self.run(self.training.freeze, 0),
        }
    }

    /// Chooses calibrated ranges for the present weights, from images that nobody moves.
    fn calibrate_converters(&mut self) -> Result<()> {
        let learns = self.cells.as_ref().is_some_and(CellSteps::learns);
        // A reference that is learned is calibrated once.
        if !self.follows_sums() || (learns && self.step > 0) {
            return Ok(());
        }
        // The steps that the last training step chose are those of the weights before it.
        self.choose_weight_steps()?;
        let parameters = self.deployed_states()?;
        if let Some(cells) = &mut self.cells {
            let network = (self.graph, &self.numerics);
            let b = &self.batches;
            cells.calibrate(network, &parameters, b.train, b.normalise, self.seed)?;
            write_ranges(self.session.as_mut(), &self.training.cells, cells.layers())?;
        }
        self.start_reference()
    }

    /// Gives the converters the bits of the chip, after passes for which others were drawn.
    fn use_own_converters(&mut self) -> Result<()> {
        match &self.cells {
            Some(cells) if !self.kinds.bits().is_empty() => {
                write_ranges(self.session.as_mut(), &self.training.cells, cells.layers())
            }
            _ => Ok(()),
        }
    }

    /// The network as it is.
    fn current_states(&mut self) -> Result<Parameters> {
        let mut all = Parameters::default();
        all.read_from(self.session.as_mut(), &self.training.states)?;
        Ok(all)
    }

    /// The network with its weights as they are deployed.
    fn deployed_states(&mut self) -> Result<Parameters> {
        let mut all = self.current_states()?;
        if let Some(bake) = self.training.bake {
            self.run(bake, 0)?;
            all.read_from(self.session.as_mut(), &self.training.parts.baked)?;
        }
        Ok(all)
    }

    /// The network with its running averages, where it has some.
    fn averaged(&mut self) -> Result<Parameters> {
        let mut all = self.current_states()?;
        let mut averages = Parameters::default();
        averages.read_from(self.session.as_mut(), &self.training.averages)?;
        for (state, average) in self.training.averaged.iter().zip(&self.training.averages) {
            if let Some(tensor) = averages.tensors.remove(&average.name) {
                all.tensors.insert(state.name.clone(), tensor);
            }
        }
        Ok(all)
    }

    fn first_chip(&self, step: u32) -> u32 {
        let chip = (step & !CALIBRATION_CHIPS).wrapping_mul(self.chips as u32);
        match step & CALIBRATION_CHIPS {
            0 => self.stage.chips_before.wrapping_add(chip),
            calibration => calibration | chip,
        }
    }

    fn learning_rate(&self, step: usize) -> f32 {
        let t = &self.stage.point.experiment().train;
        let rate = settings::learning_rate(t, step, self.steps_per_epoch);
        match t.composition().plateau() {
            Some(plateau) => {
                let own = self.history.iter().skip(self.stage.epochs_before);
                (f64::from(rate) * plateau.rate(own.map(|epoch| epoch.loss))) as f32
            }
            None => rate,
        }
    }

    fn run(&mut self, section: SectionId, step: usize) -> Result<()> {
        self.run_at(section, step as u32, step as u32, self.learning_rate(step))
    }

    fn run_at(&mut self, section: SectionId, word: u32, step: u32, lr: f32) -> Result<()> {
        let args = RunArgs {
            seed: self.seed,
            first_chip: self.first_chip(word),
            chips: self.chips,
            images: 0..self.batch / self.chips / self.parts,
            purpose: TRAINING,
            step,
            lr,
            // Every step has chips of its own, so its noise is its own too.
            first_image: 0,
        };
        self.session.run(section, &args)
    }
}
