//! What a training in progress is: all of its state, out of a session and into one.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use super::layout::Layout;
use super::{Purpose, Run, settings};
use crate::backend::Session;
use crate::error::Result;
use crate::network::Parameters;
use crate::network::lower::cells::write_ranges;
use crate::train::checkpoint::{self, Position};

/// The session of a training. It is given up before another takes its place, so that a step needs the memory of
/// one.
pub(super) struct Held(Option<Box<dyn Session>>);

impl Held {
    pub fn new(session: Box<dyn Session>) -> Self {
        Self(Some(session))
    }

    pub fn as_mut(&mut self) -> &mut dyn Session {
        &mut **self
    }
}

impl Deref for Held {
    type Target = dyn Session;

    fn deref(&self) -> &Self::Target {
        let session = self.0.as_deref();
        session.expect("a failed replacement ends the training")
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Self::Target {
        let session = self.0.as_deref_mut();
        session.expect("a failed replacement ends the training")
    }
}

impl Run<'_> {
    /// Saves the training, where there is a place for it.
    pub(super) fn save(&mut self) -> Result<()> {
        let Some(path) = self.job.checkpoint.clone() else {
            return Ok(());
        };
        let mut all = self.everything()?;
        self.put_teacher(&mut all);
        let position = Position {
            stage: self.stage.index,
            step: self.step,
            history: self.history.clone(),
            epoch: self.epoch,
        };
        checkpoint::save_position(&path, &all, self.key, position)
    }

    /// The whole state of the training but its teacher, which stays as it is.
    fn everything(&mut self) -> Result<Parameters> {
        let mut all = Parameters::default();
        all.read_from(self.session.as_mut(), &self.training.states)?;
        all.read_from(self.session.as_mut(), &self.training.moments)?;
        all.read_from(self.session.as_mut(), &self.training.averages)?;
        if let Some(cells) = &self.cells {
            cells.save(&mut all);
        }
        let mut masks = Parameters::default();
        masks.read_from(self.session.as_mut(), &self.training.parts.masks)?;
        checkpoint::put_masks(&mut all, masks);
        // As the adapter has it: emptied now, sums of `f32` would be rounded otherwise.
        checkpoint::put_tally(&mut all, self.session.read(self.training.tally)?);
        Ok(all)
    }

    /// Puts the state back that [`Run::everything`] gave; `path` is where it was in the meantime.
    ///
    /// # Errors
    /// Something is missing, or of another training.
    pub(super) fn restore(&mut self, mut all: Parameters, path: &Path) -> Result<()> {
        self.tally = checkpoint::take_tally(path, &mut all, self.chips)?;
        self.parameters = all;
        let training = &self.training;
        let session = self.session.as_mut();
        self.parameters.load_into(session, &training.states)?;
        self.parameters.load_into(session, &training.moments)?;
        self.parameters.load_into(session, &training.averages)?;
        let masks = checkpoint::take_masks(path, &mut self.parameters, &training.parts.masks)?;
        masks.load_into(session, &training.parts.masks)?;
        match &mut self.cells {
            Some(cells) => {
                cells.load(&self.parameters)?;
                write_ranges(session, &training.cells, cells.layers())
            }
            None => Ok(()),
        }
    }

    /// Makes chips deviate as they do in an epoch of the stage: where that is another factor, by another program
    /// with the same state.
    pub(super) fn use_noise_of(&mut self, epoch: usize) -> Result<()> {
        if self.noise_of(epoch) == self.noise {
            return Ok(());
        }
        let all = self.everything()?;
        self.program_for(epoch)?;
        self.restore(all, Path::new("the training"))?;
        let tally = std::mem::take(&mut self.tally);
        self.session.write(self.training.tally, &tally)
    }

    fn noise_of(&self, epoch: usize) -> f64 {
        settings::noise_factor(&self.stage.point.experiment().train, epoch)
    }

    /// Takes the program of an epoch of the stage, without any state.
    pub(super) fn program_for(&mut self, epoch: usize) -> Result<()> {
        let factor = self.noise_of(epoch);
        if factor == self.noise {
            return Ok(());
        }
        let (point, numerics) = (&self.stage.point, &self.numerics);
        let layout = Layout::new(self.job.backend, point, numerics, Purpose::Train, factor)?;
        self.session = Held(None);
        let program = &layout.training.program;
        self.session = Held::new(self.job.backend.prepare(program, layout.want)?);
        self.training = layout.training;
        if let Some(cells) = &mut self.cells {
            cells.deviate_as(layout.cells.as_ref());
        }
        self.noise = factor;
        Ok(())
    }
}
