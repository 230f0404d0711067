//! The program of a training, before any memory is taken for it.

use super::Purpose;
use super::kinds::{Kind, Kinds};
use crate::backend::{Backend, Capacity};
use crate::chip::ChipVariation;
use crate::config::LayerSettings;
use crate::error::{Error, Result};
use crate::network::lower::training::{self, Pass, StepParts, TrainSpec, Training, Variant};
use crate::network::lower::{CellNoise, Numerics};
use crate::random::{Reach, product};
use crate::setup::{self, Point};
use crate::train::cells::{CellSteps, Seen};
use crate::train::settings::{self, Steps};

/// A training program and the size of its steps.
pub(in crate::train) struct Layout {
    /// The program.
    pub training: Training,
    /// Cells and converters of the steps.
    pub cells: Option<CellSteps>,
    /// Deviations of the chips of the steps.
    pub common: Option<ChipVariation>,
    /// What a session is for.
    pub want: Capacity,
    /// Images per step, all chips and parts together.
    pub batch: usize,
}

impl Layout {
    /// Lowers the training of a point, whose chips deviate `noise` times as they should, and sees that a step fits
    /// the backend.
    ///
    /// # Errors
    /// Batches that cannot be, an impossible chip, a step that does not fit.
    pub fn new(
        backend: &dyn Backend,
        point: &Point,
        numerics: &Numerics,
        purpose: Purpose,
        noise: f64,
    ) -> Result<Self> {
        let (experiment, graph) = (point.experiment(), purpose.graph(point));
        let t = &experiment.train;
        let (chips, parts) = (t.chips_per_batch, t.accumulate);
        let steps = Steps::new(t, point.inputs.n_trained_on())?;
        let batch = steps.batch;
        let noisy = t.composition().sees_variation();
        let mut settings = point.trained_layers()[..graph.crossbars().len()].to_vec();
        for layer in &mut settings {
            layer.variation = experiment.in_training(&layer.variation);
        }
        let common = (noisy && experiment.training_sigma_b() > 0.0)
            .then(|| point.chips())
            .transpose()?;
        let seen = Seeing {
            point,
            numerics,
            purpose,
            settings: noisy.then_some(settings),
            noise,
        };
        let kinds = Kinds::of(t);
        let cells = match (seen.cells(Kind::USUAL, 0.0)?, purpose) {
            (Some(cells), Purpose::Train) => Some(seen.drawn(cells, &kinds)?),
            (cells, Purpose::Settle) => cells.map(CellSteps::without_converters),
            (cells, _) => cells,
        };
        let variants = match purpose {
            Purpose::Train => kinds.sections(),
            Purpose::Settle | Purpose::Quantize { .. } => vec![],
        };
        let variants = variants.into_iter().map(|kind| seen.variant(kind));
        let spec = TrainSpec {
            cells: cells.as_ref().map(CellSteps::spec),
            frozen_norm: purpose == Purpose::Quantize { frozen_norm: true },
            forward_only: purpose != Purpose::Train,
            passes: seen.passes(Kind::USUAL)?,
            variants: variants.collect::<Result<_>>()?,
            ..settings::train_spec(experiment, seen.within(Kind::USUAL, 0.0), batch / parts)
        };
        let spec = match purpose {
            // What transforms make of weights is in them already.
            Purpose::Quantize { .. } => TrainSpec {
                parts: StepParts::default(),
                ..spec
            },
            Purpose::Train | Purpose::Settle => spec,
        };
        let training = training::lower(graph, numerics, &spec);
        let images = batch / chips / parts;
        let want = Capacity {
            chips,
            images,
            chunk: images,
        };
        let fits = backend.fit(&training.program, want)?;
        // A backend may have room for more than was asked for: it thinks in blocks of images.
        if fits.chips < chips || fits.images < images || fits.chunk < images {
            return Err(Error::capacity(format!(
                "a training step of {images} images on each of {chips} chips does not fit this adapter \
                 (at most {} images on {} chips); lower train.batch or raise train.accumulate",
                fits.chunk, fits.chips
            )));
        }
        Ok(Self {
            training,
            cells,
            common,
            want,
            batch,
        })
    }
}

/// What the passes of a step see.
struct Seeing<'a> {
    point: &'a Point<'a>,
    numerics: &'a Numerics,
    purpose: Purpose,
    /// The crossbar layers, where their chips deviate.
    settings: Option<Vec<LayerSettings>>,
    /// Factor on the deviations.
    noise: f64,
}

impl Seeing<'_> {
    /// Deviations of a pass at weight level whose sigma_W is larger by `more`.
    fn within(&self, kind: Kind, more: f64) -> Vec<Option<CellNoise>> {
        let times = self.noise * kind.factor;
        let settings = self.settings.as_ref();
        settings.map_or(vec![], |settings| {
            setup::noises(settings, |v| times * (v.sigma_w + more), 0)
        })
    }

    /// Cells of a pass.
    ///
    /// # Errors
    /// An impossible chip.
    fn cells(&self, kind: Kind, more: f64) -> Result<Option<CellSteps>> {
        let seen = Seen {
            times: self.noise * kind.factor,
            more,
            bits: kind.bits,
        };
        let graph = self.purpose.graph(self.point);
        CellSteps::new(self.point, graph, self.numerics, seen)
    }

    /// The cells with those of passes through the converters that are drawn.
    ///
    /// # Errors
    /// An impossible chip.
    fn drawn(&self, cells: CellSteps, kinds: &Kinds) -> Result<CellSteps> {
        kinds.bits().iter().try_fold(cells, |cells, &bits| {
            let kind = Kind {
                bits: Some(bits),
                ..Kind::USUAL
            };
            let other = self.cells(kind, 0.0)?;
            Ok(match other {
                Some(other) => cells.with_drawn(bits, other),
                None => cells,
            })
        })
    }

    /// The passes under more noise.
    ///
    /// # Errors
    /// An impossible chip; more layers in all passes than random numbers have addresses for.
    fn passes(&self, kind: Kind) -> Result<Vec<Pass>> {
        let parts = self.point.experiment().train.composition();
        let Some(ovf) = parts.ovf().filter(|_| self.purpose == Purpose::Train) else {
            return Ok(vec![]);
        };
        let layers = self.purpose.graph(self.point).crossbars().len();
        Reach::Layers.check(
            product(&[layers, ovf.more.len() + 1]),
            "layers on arrays in all passes of a step",
        )?;
        let pass = |&more: &f64| {
            let layers = self.cells(kind, more)?.map(|cells| cells.spec().layers);
            Ok(Pass {
                noise: self.within(kind, more),
                layers: layers.unwrap_or_else(|| [].into()),
            })
        };
        ovf.more.iter().map(pass).collect()
    }

    /// A section of the step of its own.
    ///
    /// # Errors
    /// As [`Seeing::passes`].
    fn variant(&self, kind: Kind) -> Result<Variant> {
        Ok(Variant {
            noise: self.within(kind, 0.0),
            cells: self.cells(kind, 0.0)?.map(|cells| cells.spec()),
            passes: self.passes(kind)?,
        })
    }
}
