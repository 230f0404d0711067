//! Calibration passes of a training program: activation steps from images that nobody moves, and the
//! network that is deployed.

use std::collections::HashMap;

use super::Run;
use crate::backend::{SectionId, TensorId};
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::network::lower::ActStep;
use crate::network::lower::cells::write_ranges;
use crate::network::lower::training::QuantizedInput;
use crate::train::quantizer_steps;

/// Bits or-ed into the chip word for the chips of calibration passes, so that they are not those
/// of the training steps.
pub(super) const CALIBRATION_CHIPS: u32 = 0x8000_0000;

impl Run<'_> {
    /// Runs a section that is the forward pass or its beginning.
    pub(super) fn run_calibration(&mut self, section: SectionId, step: usize) -> Result<()> {
        let word = step as u32 | CALIBRATION_CHIPS;
        self.run_at(section, word, step as u32, self.learning_rate(step))
    }

    /// Chooses the weight steps, and the steps of all uniform activation quantizers from calibration
    /// batches: in one pass over the network, each from what the quantizers before it leave. Batch
    /// norm statistics do not move.
    pub(super) fn calibrate_activations(&mut self) -> Result<()> {
        self.choose_weight_steps()?;
        let experiment = self.stage.point.experiment();
        let (q, parts) = (&experiment.quantize, experiment.train.composition());
        let order = self.batches.shuffled(0);
        let all = self.steps_per_epoch * self.parts;
        let batches = self
            .stage
            .point
            .experiment()
            .train
            .calibration_batches
            .min(all);
        let alone = batches == 1;
        // What a batch left behind, where another one takes its place in between.
        let mut left: Vec<HashMap<TensorId, Vec<f32>>> = vec![HashMap::new(); batches];
        let mut last: (Option<TensorId>, Vec<f32>) = (None, vec![]);
        for layer in 0..self.training.quantized_inputs.len() {
            let input = self.training.quantized_inputs[layer].clone();
            let seen = last.0 == Some(input.source);
            if !seen {
                last = (Some(input.source), vec![]);
            }
            for (i, left) in left.iter_mut().enumerate() {
                if layer == 0 || !alone {
                    self.load_calibration_batch(&order, i)?;
                }
                for (t, values) in input.reads.iter().filter_map(|t| left.get_key_value(t)) {
                    self.session.write(*t, values)?;
                }
                if let Some(section) = input.section {
                    self.run_calibration(section, i)?;
                }
                if !alone {
                    self.keep(&input, left)?;
                }
                match left.get(&input.source) {
                    _ if seen => {}
                    _ if input.source == self.training.images => {
                        last.1.extend_from_slice(&self.calibration.images);
                    }
                    Some(values) => last.1.extend_from_slice(values),
                    None => last.1.extend(self.session.read(input.source)?),
                }
            }
            let step = match parts.learned_range() {
                Some(range) => quantizer_steps::range_start(range, &last.1, input.quant),
                None => quantizer_steps::activation_step(q, &last.1, input.quant),
            };
            self.session.write(input.quant.scale, &[step])?;
        }
        Ok(())
    }

    /// Keeps what later sections need of a batch.
    fn keep(
        &mut self,
        input: &QuantizedInput,
        left: &mut HashMap<TensorId, Vec<f32>>,
    ) -> Result<()> {
        let before = std::mem::take(left);
        for &t in &input.keeps {
            let values = match before.get(&t).filter(|_| !input.makes.contains(&t)) {
                Some(values) => values.clone(),
                None => self.session.read(t)?,
            };
            left.insert(t, values);
        }
        Ok(())
    }

    /// Loads the images of a calibration step as they are: a chip is calibrated for the images it
    /// will see, which nobody moves.
    pub(super) fn load_calibration_batch(&mut self, order: &[usize], step: usize) -> Result<()> {
        let mut batch = std::mem::take(&mut self.calibration);
        let part = self.batch / self.parts;
        let indices = &order[step * part..][..part];
        self.batches.fill(indices, None, &mut batch);
        let written = self.write_part(&batch, (0, 1), CALIBRATION_CHIPS | step as u32, 1.0);
        self.calibration = batch;
        written
    }

    /// The network that is deployed: averages, and the steps that belong to them.
    pub(in crate::train) fn finish(mut self) -> Result<Parameters> {
        self.deploy(true)
    }

    /// Makes the network what is deployed. `choose`: its steps are not yet those of what they quantize.
    fn deploy(&mut self, choose: bool) -> Result<Parameters> {
        self.use_own_converters()?;
        if self.step > 0 && !self.training.averages.is_empty() {
            self.averaged()?
                .load_into(self.session.as_mut(), &self.training.states)?;
        }
        if choose {
            match self.numerics.act_step {
                ActStep::Fixed => {
                    self.calibrate_converters()?;
                    self.calibrate_activations()?;
                }
                ActStep::MovingMax | ActStep::Learned | ActStep::Range => {
                    self.choose_weight_steps()?
                }
            }
        }
        self.deployed_states()
    }

    /// What would be deployed if training ended now. Training goes on as if nobody had asked.
    pub(super) fn deployed_now(&mut self) -> Result<Parameters> {
        let states = self.current_states()?;
        let cells = self.cells.clone();
        let deployed = self.deploy(true)?;
        states.load_into(self.session.as_mut(), &self.training.states)?;
        self.cells = cells;
        if let Some(cells) = &self.cells {
            write_ranges(self.session.as_mut(), &self.training.cells, cells.layers())?;
        }
        Ok(deployed)
    }

    /// Post-training quantization: weight steps from the weights, then one pass over the training
    /// set in training mode (moving activation steps and batch norm statistics under variation).
    /// Batch norm that keeps its statistics leaves only a moving maximum to be moved.
    pub(in crate::train) fn quantize_afterwards(mut self, frozen_norm: bool) -> Result<Parameters> {
        let states = &self.training.states;
        self.parameters.load_into(self.session.as_mut(), states)?;
        let moving = self.numerics.act_step == ActStep::MovingMax;
        self.initial_steps(!moving)?;
        let order = self.batches.shuffled(0);
        // A calibration batch is a part of a training batch.
        let batches = match moving || !frozen_norm {
            true => self.steps_per_epoch * self.parts,
            false => 0,
        };
        for step in 0..batches {
            self.load_calibration_batch(&order, step)?;
            self.run_calibration(self.training.calibrate, step)?;
            if self.job.observer.interrupted() {
                return Err(Error::Interrupted(
                    "interrupted while quantizing the trained network; it starts over".into(),
                ));
            }
        }
        // Steps are chosen from what stays as it is: nothing else has moved since.
        let chosen = !moving && batches == 0 && !self.follows_sums();
        self.deploy(!chosen)
    }
}
