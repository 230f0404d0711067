//! Ranges of converters: those that follow the sums that images give on a nominal chip, and what the
//! layers' converters have in common.

use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, Capacity, RunArgs};
use crate::chip::calibrate::Calibration;
use crate::chip::cells::{LayerCells, Ranges};
use crate::chip::ranges;
use crate::config::chip::Adc;
use crate::data::{Dataset, Normalise};
use crate::error::{Error, Result};
use crate::network::lower::Numerics;
use crate::network::lower::cells::{CellLayer, Tap, Tapped};
use crate::network::lower::inference::{self, Chips, Inference, NormMode};
use crate::network::{Graph, Parameters};
use crate::program::LANES;

/// Pairs `(lsb, lo)` of `[read plane][column]`.
pub type Pairs = Vec<[f32; 2]>;

/// A network whose converters are calibrated.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The architecture.
    pub graph: &'a Graph,
    /// Number formats.
    pub numerics: &'a Numerics,
    /// Weights, batch norm, quantizer steps.
    pub parameters: &'a Parameters,
    /// Crossbar layers; their errors, noise, tuning and converters are left out.
    pub layers: &'a [CellLayer],
}

/// Whether any layer's ranges are calibrated.
pub fn follow_sums(cells: &[LayerCells]) -> bool {
    cells
        .iter()
        .any(|c| matches!(c.ranges, Ranges::Calibrated(_)))
}

/// Ranges of the layers that have converters. Calibrated ones are those of the sums so far.
pub fn ranges(adc: &Adc, cells: &[LayerCells]) -> Vec<Option<Pairs>> {
    // With one reference for the chip those that have seen something decide.
    let seen = |c: &LayerCells| match &c.ranges {
        Ranges::None => false,
        Ranges::Known(_) => true,
        Ranges::Calibrated(histograms) => !histograms.saw_nothing(),
    };
    let others_decide = adc.shared && cells.iter().any(seen);
    let mut found: Vec<Option<Pairs>> = cells
        .iter()
        .map(|c| match &c.ranges {
            Ranges::None => None,
            Ranges::Known(pairs) => Some(pairs.clone()),
            Ranges::Calibrated(histograms) => Some(histograms.ranges(others_decide)),
        })
        .collect();
    if adc.shared {
        let of = cells.iter().zip(&mut found);
        let of = of.filter_map(|(c, r)| Some((&c.programming.arrays, r.as_mut()?)));
        ranges::share(&mut of.collect::<Vec<_>>());
    }
    found
}

/// Adds the sums that `images` give on a nominal chip to the histograms of `cells`. The CPU makes
/// them for every backend, so that all have the same ranges.
///
/// # Errors
/// A parameter is missing; the sums of a block of images do not fit the memory.
pub fn add_sums(
    network: &Network,
    images: &Dataset,
    normalise: &Normalise,
    cells: &mut [LayerCells],
) -> Result<()> {
    let layout = Layout::new((network.graph, network.numerics), network.layers, cells)?;
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
        if let (Tapped::Counts { limit, .. }, Some(h)) = (tap, histograms(cells, tap)) {
            session.write(*limit, &h.limits)?;
        }
    }
    // A nominal chip draws nothing: any seed will do.
    session.run(net.fabricate, &RunArgs::wave(0, 0, 1, 0..0))?;
    let mut start = 0;
    while start < images.len() {
        let group = start..(start + fits.chunk).min(images.len());
        session.write(net.images, &pixels[group.start * each..group.end * each])?;
        session.write(net.labels, &labels[group.clone()])?;
        session.run(*section, &RunArgs::wave(0, 0, 1, 0..group.len()))?;
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

/// The program that gives the sums, before any memory is taken for it.
pub(crate) struct Layout {
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
    pub(crate) fn new(
        (graph, numerics): (&Graph, &Numerics),
        layers: &[CellLayer],
        cells: &[LayerCells],
    ) -> Result<Self> {
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
        let layers: Vec<CellLayer> = layers
            .iter()
            .map(|l| l.nominal().without_converter())
            .collect();
        let chips = Chips::Cell {
            layers: &layers,
            taps: &taps,
            count_clips: false,
        };
        let net = inference::lower(graph, numerics, chips, NormMode::Frozen, false);
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

/// The histograms a tap fills.
fn histograms<'a>(cells: &'a mut [LayerCells], tap: &Tapped) -> Option<&'a mut Calibration> {
    match tap {
        Tapped::Counts { layer, .. } => match &mut cells[*layer].ranges {
            Ranges::Calibrated(h) => Some(h),
            _ => None,
        },
        Tapped::Sums { .. } => None,
    }
}
