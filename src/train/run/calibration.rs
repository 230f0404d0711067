//! Calibration passes of a training program: activation steps from images that nobody moves.

use super::Run;
use crate::backend::SectionId;
use crate::error::Result;
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

    /// Chooses the steps of all uniform activation quantizers from calibration batches.
    pub(super) fn calibrate_activations(&mut self) -> Result<()> {
        let q = &self.job.experiment.quantize;
        let order = self.batches.shuffled(0);
        let batches = self
            .job
            .experiment
            .train
            .calibration_batches
            .min(self.steps_per_epoch * self.parts);
        for layer in 0..self.training.quantized_inputs.len() {
            let mut samples = vec![];
            let input = self.training.quantized_inputs[layer];
            for i in 0..batches {
                self.load_calibration_batch(&order, i)?;
                self.run_calibration(input.calibrate, i)?;
                if input.source == self.training.images {
                    samples.extend_from_slice(&self.calibration.images);
                } else {
                    samples.extend(self.session.read(input.source)?);
                }
            }
            let step = quantizer_steps::activation_step(q, &samples, input.quant);
            self.session.write(input.quant.scale, &[step])?;
        }
        self.run(self.training.clear, 0)
    }

    /// Loads the images of a calibration step as they are: a chip is calibrated for the images it
    /// will see, which nobody moves.
    pub(super) fn load_calibration_batch(&mut self, order: &[usize], step: usize) -> Result<()> {
        let mut batch = std::mem::take(&mut self.calibration);
        let part = self.batch / self.parts;
        let indices = &order[step * part..][..part];
        self.batches.fill(indices, None, &mut batch);
        let written = self.write_part(&batch, 0, 1, CALIBRATION_CHIPS | step as u32);
        self.calibration = batch;
        written
    }
}
