//! The crossbar layers of a point at cell level: their constants, the ranges of their converters, and
//! what every chip of a wave is told.

use crate::backend::cpu::CpuBackend;
use crate::backend::program::LANES;
use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::chip::ChipVariation;
use crate::chip::cells::{LayerCells, Ranges};
use crate::chip::ranges;
use crate::config::Experiment;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::lower::cells::{CellLayer, Tap, Tapped, Tuned};
use crate::network::lower::inference::{self, Chips, Inference, NormMode};
use crate::train::{Model, settings};
use crate::tuning::cells::{CellChipTuning, CellTuner, reference_columns, tuned};

use super::wave::Images;

/// Pairs `(lsb, lo)` of `[read plane][column]`.
type Pairs = Vec<[f32; 2]>;

/// A point's crossbar layers.
#[derive(Debug, Clone)]
pub struct CellLevel {
    /// As they are lowered.
    pub layers: Vec<CellLayer>,
    /// Ranges of the layers that have converters.
    ranges: Vec<Option<Pairs>>,
    tuner: CellTuner,
}

impl CellLevel {
    /// Everything that does not depend on the chip. Calibrated ranges come from sums that images of
    /// `train` give on a nominal chip; the CPU makes them for every backend, so that all have the
    /// same ranges.
    ///
    /// # Errors
    /// An impossible chip; what the calibration needs does not fit.
    pub fn new(
        experiment: &Experiment,
        model: &Model,
        chips: &ChipVariation,
        train: &Dataset,
    ) -> Result<Self> {
        let mut cells = settings::cell_layers(experiment, &model.graph, &model.numerics)?;
        let t = &experiment.tuning;
        let layers = cells.iter().map(|c| {
            let mut layer = lowered(c, tuned(t));
            layer.programming.reference_columns = reference_columns(t);
            layer
        });
        let mut layers: Vec<CellLayer> = layers.collect();
        if cells
            .iter()
            .any(|c| matches!(c.ranges, Ranges::Calibrated(_)))
        {
            calibrate(experiment, model, train, &mut cells, &layers)?;
        }
        let mut found: Vec<Option<Pairs>> = cells
            .iter()
            .map(|c| match &c.ranges {
                Ranges::None => None,
                Ranges::Known(pairs) => Some(pairs.clone()),
                Ranges::Calibrated(histograms) => Some(histograms.ranges()),
            })
            .collect();
        if experiment.chip.adc.shared {
            let of = layers.iter().zip(&mut found);
            let of = of.filter_map(|(l, r)| Some((&l.programming.arrays, r.as_mut()?)));
            ranges::share(&mut of.collect::<Vec<_>>());
        }
        for (layer, pairs) in layers.iter_mut().zip(&found) {
            layer.reading.integer = layer.tuned != Tuned::Digital
                && pairs.as_ref().is_some_and(|p| ranges::share_one_step(p));
        }
        let geometries = model.graph.crossbars().into_iter().map(|(_, geo, _)| geo);
        let tuner = CellTuner::new(t, chips, layers.iter().cloned().zip(geometries).collect());
        Ok(Self {
            layers,
            ranges: found,
            tuner,
        })
    }

    /// The tuner.
    pub fn tuner(&self) -> &CellTuner {
        &self.tuner
    }

    /// Writes what all chips share.
    pub fn write_shared(&self, session: &mut dyn Session, inference: &Inference) -> Result<()> {
        for (tensors, ranges) in inference.cells.iter().zip(&self.ranges) {
            if let (Some(range), Some(pairs)) = (tensors.range, ranges) {
                session.write(range, pairs.as_flattened())?;
            }
        }
        Ok(())
    }

    /// Writes what the chips of a wave do not share.
    pub fn write_wave(
        &self,
        session: &mut dyn Session,
        inference: &Inference,
        chips: &[CellChipTuning],
    ) -> Result<()> {
        for (l, tensors) in inference.cells.iter().enumerate() {
            let mut all = |t, of: fn(&CellChipTuning, usize) -> &[f32]| {
                let values: Vec<f32> = chips.iter().flat_map(|c| of(c, l)).copied().collect();
                session.write(t, &values)
            };
            all(tensors.array, |c, l| &c.layers[l].arrays)?;
            if let Some(t) = tensors.correct {
                all(t, |c, l| &c.layers[l].correct)?;
            }
            if let Some(t) = tensors.scale {
                all(t, |c, l| &c.layers[l].scale)?;
            }
        }
        Ok(())
    }
}

/// A layer as the network lowers it.
pub fn lowered(cells: &LayerCells, tuned: Tuned) -> CellLayer {
    CellLayer {
        programming: cells.programming.clone(),
        reading: cells.reading.clone(),
        wires: cells.wires.clone(),
        errors: cells.errors.clone(),
        tuned,
        storage: cells.storage,
    }
}

/// Fills the histograms of the layers whose ranges are calibrated.
fn calibrate(
    experiment: &Experiment,
    model: &Model,
    train: &Dataset,
    cells: &mut [LayerCells],
    layers: &[CellLayer],
) -> Result<()> {
    let taps: Vec<Tap> = cells
        .iter()
        .map(|c| match &c.ranges {
            Ranges::Calibrated(h) => Tap::Counts {
                groups: h.groups(),
                bins: h.bins,
            },
            _ => Tap::No,
        })
        .collect();
    // What stands in front of the converters is that of a network without them.
    let nominal: Vec<CellLayer> = layers
        .iter()
        .map(|l| {
            let mut nominal = l.nominal();
            nominal.reading = nominal.reading.without_converter();
            nominal.tuned = Tuned::No;
            nominal
        })
        .collect();
    let chips = Chips::Cell {
        layers: &nominal,
        taps: &taps,
        count_clips: false,
    };
    let net = inference::lower(
        &model.graph,
        &model.numerics,
        chips,
        NormMode::Frozen,
        false,
    );
    let wanted = experiment.chip.adc.calibration_images.min(train.len());
    let images = super::wave::calibration_images(experiment, train, wanted);
    let images = Images::new(&images, train, experiment)?;
    // Few images at a time: the sums of a layer are many (64 MiB a block in ResNet-20 with four slices).
    let together = LANES * rayon::current_num_threads().clamp(1, 4);
    let capacity = Capacity {
        chips: 1,
        images: together,
        chunk: together,
    };
    let backend = CpuBackend::new();
    let fits = backend.fit(&net.program, capacity)?;
    if fits.chunk < LANES {
        return Err(Error::device(format!(
            "the sums of {LANES} images, to calibrate converters, do not fit the memory budget"
        )));
    }
    let mut session = backend.prepare(&net.program, fits)?;
    model.parameters.load_into(session.as_mut(), &net.states)?;
    for (tensors, layer) in net.cells.iter().zip(&nominal) {
        let zeros = vec![0.0; layer.programming.arrays.cell_arrays()];
        session.write(tensors.array, &zeros)?;
    }
    let Some((section, tapped)) = &net.taps else {
        return Err(Error::Internal("a calibration without taps".into()));
    };
    for tap in tapped {
        if let (Tapped::Counts { limit, .. }, Some(h)) = (tap, histograms(cells, tap)) {
            session.write(*limit, &h.limits)?;
        }
    }
    session.run(net.fabricate, &RunArgs::wave(experiment.seed, 0, 1, 0..0))?;
    let mut start = 0;
    while start < images.len() {
        let group = start..(start + fits.chunk).min(images.len());
        let (pixels, labels) = images.range(&group);
        session.write(net.images, pixels)?;
        session.write(net.labels, labels)?;
        let args = RunArgs::wave(experiment.seed, 0, 1, 0..group.len());
        session.run(*section, &args)?;
        for tap in tapped {
            if let Tapped::Counts { counts, .. } = tap {
                let counts = session.read(*counts)?;
                if let Some(h) = histograms(cells, tap) {
                    h.add(&counts);
                }
            }
        }
        start = group.end;
    }
    Ok(())
}

/// The histograms a tap fills.
fn histograms<'a>(
    cells: &'a mut [LayerCells],
    tap: &Tapped,
) -> Option<&'a mut crate::chip::calibrate::Calibration> {
    match tap {
        Tapped::Counts { layer, .. } => match &mut cells[*layer].ranges {
            Ranges::Calibrated(h) => Some(h),
            _ => None,
        },
        Tapped::Sums { .. } => None,
    }
}
