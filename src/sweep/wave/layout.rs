//! The program of a point, before any memory is taken for it.

use super::super::cells::CellLevel;
use super::super::columns;
use super::{Level, MOST, RECALIBRATION_WAVE, Simulator, WAVE, WORK};
use crate::backend::{Backend, Capacity};
use crate::chip::ChipVariation;
use crate::config::{BackwardWeights, Experiment, Fidelity, Tuning, TuningMethod};
use crate::error::{Error, Result};
use crate::network::Graph;
use crate::network::lower::Numerics;
use crate::network::lower::cells::write_ranges;
use crate::network::lower::inference::{self, Chips, Inference, NormMode, NormSgd};
use crate::program::LANES;
use crate::setup::{self, Images, Point};
use crate::train::Model;
use crate::tuning::{Tuner, TuningCost};

/// The program of a point and how much of it fits a backend.
pub(super) struct Layout {
    /// The program.
    pub inference: Inference,
    /// What a session is for.
    pub capacity: Capacity,
    /// What makes batch norm of every chip.
    pub norms: NormPlan,
}

/// How batch norm of every chip is made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NormPlan {
    /// Calibration batches.
    pub batches: usize,
    /// Images of each.
    pub batch: usize,
    /// Steps of a training.
    pub steps: usize,
    /// Their learning rate.
    pub rate: f32,
}

impl NormPlan {
    fn new(t: &Tuning, norm: NormMode) -> Self {
        // Batches start at block boundaries.
        let batch = t.recalibration_batch.next_multiple_of(LANES);
        let measured = Self {
            batches: t.recalibration_batches,
            batch,
            ..Self::default()
        };
        match norm {
            NormMode::Frozen => Self::default(),
            NormMode::Recalibrated => measured,
            NormMode::Trained(_) => Self {
                steps: t.training_steps,
                rate: t.training_rate as f32,
                ..measured
            },
        }
    }

    /// Calibration images.
    pub fn images(&self) -> usize {
        self.batches * self.batch
    }

    /// Images that are read, each as often as it is.
    fn reads(&self) -> usize {
        (self.batches + self.steps) * self.batch
    }
}

impl Layout {
    /// Lowers a network for the chips of `level` and `images` images, and fits it; `keep_logits` makes its outputs readable.
    ///
    /// # Errors
    /// Not even one chip and a block of images (or a calibration batch) fits.
    pub fn new(
        backend: &dyn Backend,
        experiment: &Experiment,
        (graph, numerics): (&Graph, &Numerics),
        images: usize,
        (level, norm): (&Level, NormMode),
        keep_logits: bool,
    ) -> Result<Self> {
        let chips = match level {
            Level::Weight { noise, .. } => Chips::Weight(noise),
            Level::Cell(cells) => Chips::Cell {
                layers: &cells.layers,
                taps: &[],
                count_clips: experiment.chip.adc.count_clips,
            },
        };
        let inference = inference::lower(graph, numerics, chips, norm, keep_logits);
        let mut inference = inference.with_metrics(&columns::metrics(experiment));
        if experiment.energy.is_some() && matches!(level, Level::Cell(_)) {
            inference = inference.with_energy();
        }
        let norms = NormPlan::new(&experiment.tuning, norm);
        let NormPlan { batches, batch, .. } = norms;
        let resident = images.max(norms.images());
        inference
            .program
            .check_images(resident.max(norms.reads()))?;
        let wave = match norm {
            NormMode::Frozen => {
                let per_chip = (graph.macs().saturating_mul(images)).max(1);
                (WORK / per_chip).clamp(WAVE, MOST)
            }
            NormMode::Recalibrated | NormMode::Trained(_) => RECALIBRATION_WAVE,
        };
        let chips = experiment.sweep.most_chips().clamp(1, wave);
        let want = |chips| Capacity {
            chips,
            images: resident,
            chunk: resident,
        };
        let mut capacity = backend.fit(&inference.program, want(chips))?;
        // A calibration batch must be one run; rather fewer chips than a smaller batch.
        let mut chips = capacity.chips;
        while capacity.chunk < batch && chips > 1 {
            chips /= 2;
            capacity = backend.fit(&inference.program, want(chips))?;
        }
        if capacity.chunk < batch || (batch > 0 && capacity.images < batches * batch) {
            return Err(Error::capacity(format!(
                "{batches} calibration batches of {batch} images do not fit this adapter (at most \
                 {} images a run, {} resident); lower tuning.recalibration_batch",
                capacity.chunk, capacity.images
            )));
        }
        Ok(Self {
            inference,
            capacity,
            norms,
        })
    }
}

impl Simulator {
    /// Prepares a network that is laid out.
    pub(super) fn of(
        backend: &dyn Backend,
        experiment: &Experiment,
        model: &Model,
        images: &Images,
        (level, layout): (Level, Layout),
        variation: ChipVariation,
    ) -> Result<Self> {
        let Layout {
            inference,
            capacity,
            norms,
        } = layout;
        let mut session = backend.prepare(&inference.program, capacity)?;
        model
            .parameters
            .load_into(session.as_mut(), &inference.states)?;
        if let Level::Cell(cells) = &level {
            write_ranges(session.as_mut(), &inference.cells, &cells.layers)?;
        }
        Ok(Self {
            session,
            bytes: backend.bytes(&inference.program, capacity)?,
            capacity,
            images: images.clone(),
            resident: false,
            seed: experiment.seed,
            metrics: columns::of_metrics(experiment),
            meter: None,
            variation,
            level,
            norms,
            inference,
            not_finite: None,
        })
    }
}

/// How batch norm is treated.
pub(super) fn norm(experiment: &Experiment) -> NormMode {
    let t = &experiment.tuning;
    match t.method {
        TuningMethod::BnRecalibration => NormMode::Recalibrated,
        TuningMethod::BnTraining => NormMode::Trained(NormSgd {
            momentum: t.training_momentum as f32,
            nominal: t.training_backward == BackwardWeights::Nominal,
        }),
        TuningMethod::None
        | TuningMethod::SelfTuning
        | TuningMethod::ReferenceColumns
        | TuningMethod::LevelColumns
        | TuningMethod::Oracle => NormMode::Frozen,
    }
}

/// What chips have in common at weight level.
pub(super) fn weight_level(point: &Point, chips: &ChipVariation) -> Level {
    let tuner = tuner(point, chips);
    let noise = setup::noises(&point.layers, |v| v.sigma_w, tuner.reference_columns());
    let tuner = Box::new(tuner);
    Level::Weight { noise, tuner }
}

/// What the tuning of a point costs, before its network is trained.
///
/// # Errors
/// An impossible chip.
pub(in crate::sweep) fn tuning_cost(point: &Point) -> Result<Option<TuningCost>> {
    let chips = point.chips()?;
    Ok(match point.experiment().fidelity {
        Fidelity::Weight => tuner(point, &chips).cost(),
        Fidelity::Cell => CellLevel::of_untrained(point, &chips)?.tuner().cost(),
    })
}

/// The tuner at weight level.
pub(in crate::sweep) fn tuner(point: &Point, chips: &ChipVariation) -> Tuner {
    let (e, graph) = (point.experiment(), &point.start.graph);
    Tuner::new(&e.tuning, &e.variation, &point.layers, chips, graph)
}

/// The nominal chip at weight level.
pub(super) fn ideal_level(point: &Point) -> Level {
    let (e, graph) = (point.experiment(), &point.start.graph);
    Level::Weight {
        noise: setup::noises(&point.layers, |_| 0.0, 0),
        tuner: Box::new(Tuner::untuned(&e.variation, &point.layers, graph)),
    }
}

/// Builds what [`super::Simulator::new`] builds for a point whose network is not trained yet, and the
/// nominal network beside it; takes no memory. The chips of a wave and its bytes.
///
/// # Errors
/// As [`super::Simulator::new`].
pub(in crate::sweep) fn check(backend: &dyn Backend, point: &Point) -> Result<(usize, u64)> {
    let (experiment, graph, images) = (
        point.experiment(),
        &point.start.graph,
        point.n_test_images(),
    );
    let chips = point.chips()?;
    let of = (graph, &point.numerics);
    let one = point.with_one_chip();
    let ideal = ideal_level(point);
    Layout::new(
        backend,
        one.experiment(),
        of,
        images,
        (&ideal, NormMode::Frozen),
        false,
    )?;
    let level = match experiment.fidelity {
        Fidelity::Weight => weight_level(point, &chips),
        Fidelity::Cell => Level::Cell(Box::new(CellLevel::of_untrained(point, &chips)?)),
    };
    let how = (&level, norm(experiment));
    let layout = Layout::new(backend, experiment, of, images, how, false)?;
    let bytes = backend.bytes(&layout.inference.program, layout.capacity)?;
    Ok((layout.capacity.chips, bytes))
}
