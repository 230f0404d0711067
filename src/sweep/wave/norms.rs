//! Batch norm of the chips of a wave: gains and offsets trained, statistics measured.

use super::Simulator;
use super::layout::NormPlan;
use crate::error::Result;
use crate::program::RunArgs;
use crate::random::RECALIBRATION;
use crate::setup::Inputs;

impl Simulator {
    /// Writes the calibration images, where there are some, with their labels where these are needed.
    pub(super) fn write_calibration(&mut self, inputs: &Inputs) -> Result<()> {
        let Some(images) = self.inference.calibration else {
            return Ok(());
        };
        let n = self.norms.images();
        let calibration = inputs.calibration(self.seed, n);
        let calibration = crate::setup::Images::new(&calibration, &inputs.normalise)?;
        let (pixels, labels) = calibration.range(&(0..n));
        self.session.write(images, pixels)?;
        match &self.inference.training {
            Some(training) => self.session.write(training.labels, labels),
            None => Ok(()),
        }
    }

    /// Gives the chips of a wave, which are fabricated, batch norms of their own. Every image that a step of a
    /// training sees is read anew: noise is addressed behind that of the images whose statistics are measured.
    pub(super) fn adapt_norms(&mut self, args: &RunArgs) -> Result<()> {
        let NormPlan {
            batches,
            batch,
            steps,
            rate,
        } = self.norms;
        if let Some(training) = &self.inference.training {
            self.session.run(training.begin, args)?;
            for step in 0..steps {
                let first = step % batches * batch;
                let reads = (batches + step) * batch;
                let args = RunArgs {
                    step: step as u32,
                    lr: rate,
                    purpose: RECALIBRATION,
                    first_image: (reads - first) as u32,
                    images: first..first + batch,
                    ..args.clone()
                };
                self.session.run(training.step, &args)?;
            }
        }
        if let Some((measure, refold)) = self.inference.recalibrate {
            for b in 0..batches {
                let args = RunArgs {
                    step: b as u32,
                    purpose: RECALIBRATION,
                    images: b * batch..(b + 1) * batch,
                    ..args.clone()
                };
                self.session.run(measure, &args)?;
            }
            self.session.run(refold, args)?;
        }
        Ok(())
    }
}
