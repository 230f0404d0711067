//! Which weights the steps of a stage see.

use super::Run;
use crate::error::Result;
use crate::network::Parameters;
use crate::train::masks::{self, Pruning};

impl Run<'_> {
    /// Chooses the mask of the present epoch by the weights, and what `before` has removed stays removed.
    pub(super) fn mask(&mut self, before: Option<&Parameters>) -> Result<()> {
        let point = &self.stage.point;
        let experiment = point.experiment();
        let parts = experiment.train.composition();
        let Some(mask) = parts
            .mask()
            .filter(|_| !self.training.parts.masks.is_empty())
        else {
            return Ok(());
        };
        let epoch = self.step / self.steps_per_epoch;
        let growth = parts.mask_growth();
        let pruning = Pruning {
            mask,
            segment: mask.segment_in(experiment),
            layers: &point.layers,
            grown: growth.map_or(1.0, |growth| growth.factor(epoch)),
        };
        let own = &point.start.graph;
        let tensors = masks::masks(own, &self.parameters, pruning, before)?;
        let (name, lost) = masks::lost_classes(own, &tensors).unwrap_or_default();
        if !lost.is_empty() && lost != self.lost {
            let text = format!(
                "{}: the mask leaves outputs {lost:?} of `{name}` no weight, so that these classes depend on no input",
                self.label()
            );
            self.job.observer.message(&text);
        }
        self.lost = lost;
        let masks = Parameters { tensors };
        masks.load_into(self.session.as_mut(), &self.training.parts.masks)
    }

    /// Lets the mask grow at the beginning of an epoch, where it does.
    pub(super) fn grow_mask(&mut self) -> Result<()> {
        let epoch = self.step / self.steps_per_epoch;
        let parts = self.stage.point.experiment().train.composition();
        if !parts.mask_growth().is_some_and(|g| g.grows_at(epoch)) {
            return Ok(());
        }
        let mut before = Parameters::default();
        before.read_from(self.session.as_mut(), &self.training.parts.masks)?;
        let kept = std::mem::take(&mut self.parameters);
        self.parameters = self.current_states()?;
        let grown = self.mask(Some(&before));
        self.parameters = kept;
        grown
    }
}
