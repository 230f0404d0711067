//! The program of a training, before any memory is taken for it.

use super::Purpose;
use crate::backend::{Backend, Capacity};
use crate::chip::ChipVariation;
use crate::error::{Error, Result};
use crate::network::lower::Numerics;
use crate::network::lower::training::{self, Pass, StepParts, TrainSpec, Training};
use crate::random::{Reach, product};
use crate::setup::{self, Point};
use crate::train::cells::CellSteps;
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
        let within = |more: f64| match noisy {
            true => setup::noises(&settings, |v| noise * (v.sigma_w + more), 0),
            false => vec![],
        };
        let common = (noisy && experiment.training_sigma_b() > 0.0)
            .then(|| point.chips())
            .transpose()?;
        let on_cells = |more| CellSteps::new(point, graph, numerics, (noise, more));
        let mut cells = on_cells(0.0)?;
        if purpose == Purpose::Settle {
            cells = cells.map(CellSteps::without_converters);
        }
        let pass = |more| {
            let layers = on_cells(more)?.map(|cells| cells.spec().layers);
            Ok(Pass {
                noise: within(more),
                layers: layers.unwrap_or_else(|| [].into()),
            })
        };
        let spec = TrainSpec {
            cells: cells.as_ref().map(CellSteps::spec),
            frozen_norm: purpose == Purpose::Quantize { frozen_norm: true },
            forward_only: purpose != Purpose::Train,
            passes: passes(point, purpose, pass)?,
            ..settings::train_spec(experiment, within(0.0), batch / parts)
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

/// The passes of a step under more noise; `pass` makes one whose sigma_W is larger by that much.
///
/// # Errors
/// An impossible chip; more layers in all passes than random numbers have addresses for.
fn passes(
    point: &Point,
    purpose: Purpose,
    pass: impl Fn(f64) -> Result<Pass>,
) -> Result<Vec<Pass>> {
    let parts = point.experiment().train.composition();
    let Some(ovf) = parts.ovf().filter(|_| purpose == Purpose::Train) else {
        return Ok(vec![]);
    };
    let layers = purpose.graph(point).crossbars().len();
    Reach::Layers.check(
        product(&[layers, ovf.more.len() + 1]),
        "layers on arrays in all passes of a step",
    )?;
    ovf.more.iter().map(|&more| pass(more)).collect()
}
