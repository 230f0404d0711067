//! Ranges of converters: those that follow the sums that images give on a nominal chip, and what the
//! layers' converters have in common.

use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::chip::calibrate::Calibration;
use crate::chip::layer::{CellLayer, Pairs};
use crate::chip::ranges::{self, Shared};
use crate::config::Experiment;
use crate::config::chip::Adc;
use crate::config::parts::Composition;
use crate::data::{Dataset, Normalise};
use crate::error::{Error, Result};
use crate::network::lower::Numerics;
use crate::network::lower::cells::{Tap, Tapped};
use crate::network::lower::inference::{self, Chips, Inference, NormMode};
use crate::network::state::{CONVERTERS, Part};
use crate::network::{Graph, Parameters};
use crate::program::LANES;
use crate::random::RECALIBRATION;

/// A network whose converters are calibrated.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The architecture.
    pub graph: &'a Graph,
    /// Number formats.
    pub numerics: &'a Numerics,
    /// Weights, batch norm, quantizer steps.
    pub parameters: &'a Parameters,
    /// Statistics that batch norm has while sums are looked at.
    pub statistics: Statistics,
}

/// Statistics of batch norm while sums are looked at, on a chip without converters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// Those that were trained.
    Trained,
    /// Measured with the same images: those that were trained are statistics of what converters let through, and
    /// without converters they would scale a layer's outputs wrongly.
    Measured,
}

impl Statistics {
    /// Those for a network that is trained as `experiment` says, by its last stage that trains.
    ///
    /// # Errors
    /// A stage that cannot be.
    pub fn after(experiment: &Experiment) -> Result<Self> {
        let stages = experiment.stages()?;
        let last = stages.iter().rfind(|s| s.experiment.train.epochs > 0);
        let through = last.is_some_and(|s| super::cells::trains_on_cells(&s.experiment));
        Ok(match through {
            true => Self::Measured,
            false => Self::Trained,
        })
    }

    fn mode(self) -> NormMode {
        match self {
            Self::Trained => NormMode::Frozen,
            Self::Measured => NormMode::Recalibrated,
        }
    }
}

/// Images of a batch whose statistics are measured, however many processors there are.
const BATCH: usize = 4 * LANES;

/// Gives every converter the largest range of all layers, where they share one reference.
pub fn share(adc: &Adc, layers: &mut [CellLayer]) {
    if !adc.shared {
        return;
    }
    let mut found: Vec<Option<Pairs>> = layers.iter_mut().map(|l| l.ranges.take()).collect();
    let of = layers.iter().zip(&mut found);
    let of = of.filter_map(|(l, pairs)| {
        Some(Shared {
            arrays: &l.programming.arrays,
            adc: l.reading.adc.as_ref()?,
            pairs: pairs.as_mut()?,
        })
    });
    ranges::share(&mut of.collect::<Vec<_>>());
    for (layer, ranges) in layers.iter_mut().zip(found) {
        layer.set_ranges(ranges);
    }
}

/// The reference of all converters that a network has learned, where its training says that it does.
pub fn reference_of(training: &Composition, parameters: &Parameters) -> Option<f32> {
    let name = Part::Reference.of(CONVERTERS);
    let tensor = parameters.tensors.get(&name);
    let tensor = tensor.filter(|_| training.learns_gain());
    tensor.and_then(|tensor| tensor.data.first().copied())
}

/// Gives every converter the range that a reference of the whole chip makes.
pub fn refer(reference: f32, layers: &mut [CellLayer]) {
    for layer in layers {
        let ranges = layer.ranges_of(reference);
        layer.set_ranges(ranges);
    }
}

/// Ranges of converters that follow sums: of the sums that `images` give on a nominal chip. Errors,
/// noise, tuning and converters of `layers` are left out. The CPU computes the sums for every backend,
/// so that all have the same ranges.
///
/// # Errors
/// A parameter is missing; the sums of a block of images do not fit the memory.
pub fn calibrate(
    network: &Network,
    images: &Dataset,
    normalise: &Normalise,
    adc: &Adc,
    layers: &mut [CellLayer],
) -> Result<()> {
    let mut histograms = histograms(layers);
    add_sums(network, images, normalise, layers, &mut histograms)?;
    // With one reference for the chip those that have seen something decide.
    let seen = histograms.iter().flatten().any(|h| !h.saw_nothing());
    for (layer, histogram) in layers.iter_mut().zip(histograms) {
        if let Some(h) = histogram {
            layer.set_ranges(Some(h.ranges(adc.shared && seen)));
        }
    }
    share(adc, layers);
    Ok(())
}

/// Empty histograms of the layers whose ranges follow sums.
fn histograms(layers: &[CellLayer]) -> Vec<Option<Calibration>> {
    layers.iter().map(Calibration::of).collect()
}

/// Adds the sums that images give to the histograms of the layers.
fn add_sums(
    network: &Network,
    images: &Dataset,
    normalise: &Normalise,
    layers: &[CellLayer],
    histograms: &mut [Option<Calibration>],
) -> Result<()> {
    let of = (network.graph, network.numerics, network.statistics);
    let layout = Layout::new(of, layers, histograms)?;
    let Layout {
        backend,
        net,
        layers,
        fits,
    } = layout;
    let (mut pixels, mut labels) = (vec![], vec![]);
    images.gather(0..images.len(), normalise, &mut pixels);
    images.gather_labels(0..images.len(), &mut labels);
    let each = pixels.len() / images.len();
    let mut session = backend.prepare(&net.program, fits)?;
    network
        .parameters
        .load_into(session.as_mut(), &net.states)?;
    for (tensors, layer) in net.cells.iter().zip(&layers) {
        let zeros = vec![0.0; layer.programming.arrays.cell_arrays()];
        session.write(tensors.array, &zeros)?;
    }
    let Some((section, tapped)) = &net.taps else {
        return Err(Error::Internal("a calibration without taps".into()));
    };
    for tap in tapped {
        if let Tapped::Counts { layer, limit, .. } = tap
            && let Some(h) = &histograms[*layer]
        {
            session.write(*limit, &h.limits)?;
        }
    }
    // A nominal chip draws nothing: any seed will do.
    session.run(net.fabricate, &RunArgs::wave(0, 0, 1, 0..0))?;
    measure_norms(session.as_mut(), &net, &pixels, each)?;
    let mut start = 0;
    while start < images.len() {
        let group = start..(start + fits.chunk).min(images.len());
        session.write(net.images, &pixels[group.start * each..group.end * each])?;
        session.write(net.labels, &labels[group.clone()])?;
        session.run(*section, &RunArgs::wave(0, 0, 1, 0..group.len()))?;
        for tap in tapped {
            if let Tapped::Counts { layer, counts, .. } = tap
                && let Some(h) = &mut histograms[*layer]
            {
                h.add(&session.read(*counts)?);
            }
        }
        start = group.end;
    }
    Ok(())
}

/// Gives batch norm the statistics of the images, where they are measured: a mean over whole batches.
fn measure_norms(
    session: &mut dyn Session,
    net: &Inference,
    pixels: &[f32],
    each: usize,
) -> Result<()> {
    let (Some(images), Some((measure, refold))) = (net.calibration, net.recalibrate) else {
        return Ok(());
    };
    let batch = BATCH.min(pixels.len() / each);
    for (step, batch) in pixels.chunks_exact(batch * each).enumerate() {
        session.write(images, batch)?;
        let args = RunArgs {
            step: step as u32,
            purpose: RECALIBRATION,
            ..RunArgs::wave(0, 0, 1, 0..batch.len() / each)
        };
        session.run(measure, &args)?;
    }
    session.run(refold, &RunArgs::wave(0, 0, 1, 0..0))
}

/// Sees that the sums of `layers` can be computed; takes no memory for it.
///
/// # Errors
/// As [`calibrate`].
pub fn check(of: (&Graph, &Numerics, Statistics), layers: &[CellLayer]) -> Result<()> {
    Layout::new(of, layers, &histograms(layers)).map(|_| ())
}

/// The program that gives the sums, before any memory is taken for it.
struct Layout {
    backend: CpuBackend,
    net: Inference,
    layers: Vec<CellLayer>,
    fits: Capacity,
}

impl Layout {
    /// Lowers the network and sees that a block of images fits.
    ///
    /// # Errors
    /// The sums of a block of images do not fit the memory.
    fn new(
        (graph, numerics, statistics): (&Graph, &Numerics, Statistics),
        layers: &[CellLayer],
        histograms: &[Option<Calibration>],
    ) -> Result<Self> {
        let taps: Vec<Tap> = histograms
            .iter()
            .map(|histogram| match histogram {
                Some(h) => Tap::Counts {
                    groups: h.groups(),
                    bins: h.bins,
                },
                None => Tap::No,
            })
            .collect();
        // What stands in front of the converters is that of a network without them.
        let layers: Vec<CellLayer> = layers
            .iter()
            .map(|l| l.nominal().without_converter())
            .collect();
        let chips = Chips::Cell {
            layers: &layers,
            taps: &taps,
            count_clips: false,
        };
        let net = inference::lower(graph, numerics, chips, statistics.mode(), false);
        // Few images at a time: the sums of a layer are many (64 MiB a block in ResNet-20 with four slices).
        let together = match statistics {
            Statistics::Trained => LANES * rayon::current_num_threads().clamp(1, 4),
            Statistics::Measured => BATCH,
        };
        let capacity = Capacity {
            chips: 1,
            images: together,
            chunk: together,
        };
        let backend = CpuBackend::new();
        let fits = backend.fit(&net.program, capacity)?;
        if fits.chunk < LANES {
            return Err(Error::capacity(format!(
                "the sums of {LANES} images, to calibrate converters, do not fit the memory budget"
            )));
        }
        Ok(Self {
            backend,
            net,
            layers,
            fits,
        })
    }
}
