//! The network that teaches a stage: the one that it begins with, or one from a file.

use super::Run;
use crate::error::Result;
use crate::network::Parameters;
use crate::network::file::Loaded;
use crate::network::lower::Numerics;
use crate::network::run::Runner;
use crate::train::batches::Batch;

/// A teacher, and its parameters for checkpoints.
pub(super) struct Teacher {
    runner: Runner,
    parameters: Parameters,
}

/// What names of a teacher's parameters in a checkpoint begin with.
const PREFIX: &str = "teacher.";

impl Run<'_> {
    /// Makes these parameters the teacher, where the stage has one that is from no file.
    pub(super) fn learn_from(&mut self, parameters: &Parameters) -> Result<()> {
        if self.training.parts.teacher.is_none() {
            return Ok(());
        }
        let point = &self.stage.point;
        let own = || {
            let mut parameters = parameters.clone();
            // It has no quantizers, so their steps mean nothing to it, however many a layer has.
            parameters.drop_steps();
            Loaded {
                graph: point.start.graph.clone(),
                parameters,
                numerics: Numerics::FLOAT,
                tied: vec![],
            }
        };
        let from_file = point.teacher();
        let network = from_file.map_or_else(own, |teacher| teacher.network.clone());
        self.teacher = Some(Teacher {
            runner: Runner::new(self.job.backend, &network)?,
            parameters: match from_file {
                // Its file has them, and the training's key says which file that is.
                Some(_) => Parameters::default(),
                None => network.parameters,
            },
        });
        Ok(())
    }

    /// Adds the teacher to what a checkpoint keeps.
    pub(super) fn put_teacher(&self, to: &mut Parameters) {
        let Some(teacher) = &self.teacher else {
            return;
        };
        let tensors = teacher.parameters.tensors.iter();
        let tensors = tensors.map(|(name, t)| (format!("{PREFIX}{name}"), t.clone()));
        to.tensors.extend(tensors);
    }

    /// Takes the teacher out of a checkpoint.
    pub(super) fn take_teacher(&mut self, from: &mut Parameters) -> Result<()> {
        if self.training.parts.teacher.is_none() {
            return Ok(());
        }
        let mut own = Parameters::default();
        from.tensors.retain(|name, tensor| {
            let Some(name) = name.strip_prefix(PREFIX) else {
                return true;
            };
            own.tensors
                .insert(name.into(), std::mem::replace(tensor, NONE));
            false
        });
        self.learn_from(&own)
    }

    /// Writes what the teacher says of a part of a batch.
    pub(super) fn teach(&mut self, batch: &Batch, part: usize) -> Result<()> {
        let (Some(teacher), Some(tensor)) = (&mut self.teacher, self.training.parts.teacher) else {
            return Ok(());
        };
        let n = batch.images.len() / self.parts;
        let logits = teacher.runner.run_all(&batch.images[part * n..][..n])?;
        self.session.write(tensor, &logits)
    }
}

/// In the place of a tensor that has gone.
const NONE: crate::network::parameters::Tensor = crate::network::parameters::Tensor {
    shape: Vec::new(),
    data: Vec::new(),
};
