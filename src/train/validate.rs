//! Accuracy on held-out training images while training goes on.

use super::cells::CellSteps;
use super::converters;
use super::trainer::Validation;
use crate::backend::{Backend, Capacity, RunArgs};
use crate::chip::ChipVariation;
use crate::config::Variation;
use crate::data::{Dataset, Normalise};
use crate::error::{Error, Result};
use crate::network::lower::cells::write_ranges;
use crate::network::lower::inference::{self, Chips, Inference, NormMode};
use crate::network::lower::{CellNoise, Numerics};
use crate::network::{Graph, Parameters};
use crate::random::TRAINING;
use crate::setup::{self, Point};

/// First chip word of validation: far from the chips of training steps and of calibration, which
/// share the purpose.
const FIRST_CHIP: u32 = 0x4000_0000;

/// Images that are classified at once.
const CHUNK: usize = 512;

/// A network in training.
pub(super) struct Network<'a> {
    pub backend: &'a dyn Backend,
    pub point: &'a Point<'a>,
    pub graph: &'a Graph,
    pub numerics: &'a Numerics,
    pub parameters: &'a Parameters,
    /// Images it is trained on.
    pub train: &'a Dataset,
}

/// Classifies `images` without variation and on some chips of the experiment's variation: at the
/// level that training sees. At cell level converters quantize in both, and calibrated ranges are
/// those of the present weights.
pub(super) fn accuracy(network: &Network, images: &Dataset) -> Result<Validation> {
    let Network {
        graph, numerics, ..
    } = *network;
    let point = network.point;
    let (experiment, normalise) = (point.experiment(), &point.inputs.normalise);
    let chips = experiment.train.evaluate_chips;
    let cells = CellSteps::deployed(experiment, &point.layers, graph, numerics)?;
    let (ideal, varied) = match cells {
        Some(mut cells) => {
            let (parameters, seed) = (network.parameters, experiment.training_seed());
            let of = (graph, numerics);
            match converters::reference_of(&experiment.train.composition(), parameters) {
                Some(reference) => cells.refer(reference),
                None => cells.calibrate(of, parameters, network.train, normalise, seed)?,
            }
            (Level::Cell(cells.nominal()), Level::Cell(cells))
        }
        None => {
            let noise = |sigma_w: fn(&Variation) -> f64| {
                Level::Weight(setup::noises(&point.layers, sigma_w, 0))
            };
            (noise(|_| 0.0), noise(|v| v.sigma_w))
        }
    };
    let common = point.chips()?;
    let ideal = on_chips(network, images, normalise, &ideal, (None, 1))?[0];
    let each = on_chips(network, images, normalise, &varied, (Some(&common), chips))?;
    let n = each.len() as f64;
    let mean = each.iter().sum::<f64>() / n;
    let squares: f64 = each.iter().map(|a| (a - mean) * (a - mean)).sum();
    // Chips that are alike deviate by nothing, not by the rounding of the mean.
    let alike = each.iter().all(|a| *a == each[0]);
    Ok(Validation {
        images: images.len(),
        ideal,
        mean,
        std: match alike {
            true => 0.0,
            false => (squares / (n - 1.0).max(1.0)).sqrt(),
        },
        chips: each.len(),
    })
}

/// What chips are made of.
enum Level {
    /// One deviation per weight: the noise of every crossbar layer, `None` where it is digital.
    Weight(Vec<Option<CellNoise>>),
    /// Cells in arrays.
    Cell(CellSteps),
}

/// The program that classifies `n` images on chips, and how much of it fits the backend.
fn layout(
    backend: &dyn Backend,
    (graph, numerics): (&Graph, &Numerics),
    made: Chips,
    n: usize,
    chips: usize,
) -> Result<(Inference, Capacity)> {
    let net = inference::lower(graph, numerics, made, NormMode::Frozen, false);
    let want = Capacity {
        chips,
        images: n,
        chunk: n.min(CHUNK),
    };
    let fits = backend.fit(&net.program, want)?;
    let capacity = Capacity {
        chips: fits.chips.min(chips),
        images: n,
        chunk: fits.chunk.min(want.chunk),
    };
    if fits.images < n || capacity.chips == 0 || capacity.chunk == 0 {
        return Err(Error::capacity(format!(
            "{n} held-out images do not fit this adapter; lower data.validation"
        )));
    }
    Ok((net, capacity))
}

/// Sees that the held-out images can be classified as [`accuracy`] does.
///
/// # Errors
/// An impossible chip; what does not fit.
pub(super) fn check(backend: &dyn Backend, point: &Point, numerics: &Numerics) -> Result<()> {
    let (experiment, graph) = (point.experiment(), &point.start.graph);
    let cells = CellSteps::deployed(experiment, &point.layers, graph, numerics)?;
    point.chips()?;
    let noise = setup::noises(&point.layers, |v| v.sigma_w, 0);
    let made = match &cells {
        Some(cells) => Chips::Cell {
            layers: cells.layers(),
            taps: &[],
            count_clips: false,
        },
        None => Chips::Weight(&noise),
    };
    let chips = experiment.train.evaluate_chips;
    layout(
        backend,
        (graph, numerics),
        made,
        point.inputs.n_held_out(),
        chips,
    )
    .map(|_| ())
}

/// Accuracy of every chip. `common` draws what a chip's cells have in common.
fn on_chips(
    network: &Network,
    images: &Dataset,
    normalise: &Normalise,
    level: &Level,
    (common, chips): (Option<&ChipVariation>, usize),
) -> Result<Vec<f64>> {
    let made = match level {
        Level::Weight(noise) => Chips::Weight(noise),
        Level::Cell(cells) => Chips::Cell {
            layers: cells.layers(),
            taps: &[],
            count_clips: false,
        },
    };
    let n = images.len();
    let of = (network.graph, network.numerics);
    let (net, capacity) = layout(network.backend, of, made, n, chips)?;
    let (wave, chunk) = (capacity.chips, capacity.chunk);
    let mut session = network.backend.prepare(&net.program, capacity)?;
    network
        .parameters
        .load_into(session.as_mut(), &net.states)?;
    if let Level::Cell(cells) = level {
        write_ranges(session.as_mut(), &net.cells, cells.layers())?;
    }
    let (mut pixels, mut labels) = (vec![], vec![]);
    let all: Vec<usize> = (0..n).collect();
    images.gather_moved(&all, normalise, None, &mut pixels);
    images.gather_labels(all.iter().copied(), &mut labels);
    session.write(net.images, &pixels)?;
    session.write(net.labels, &labels)?;
    let seed = network.point.experiment().training_seed();
    let mut accuracies = Vec::with_capacity(chips);
    for first in (0..chips).step_by(wave) {
        let now = wave.min(chips - first);
        let first = FIRST_CHIP + first as u32;
        let deviation = |chip| common.map_or(0.0, |v| v.eps_b(seed, TRAINING, first + chip) as f32);
        let common: Vec<f32> = (0..now as u32).map(deviation).collect();
        match level {
            Level::Weight(_) => {
                let fields = common.iter().flat_map(|&e| [e, 1.0, 0.0, 0.0]);
                let fields: Vec<f32> = fields.collect();
                for &tensor in &net.chips {
                    session.write(tensor, &fields)?;
                }
            }
            Level::Cell(cells) => cells.write_chips(session.as_mut(), &net.cells, &common)?,
        }
        let args = |images| RunArgs {
            purpose: TRAINING,
            ..RunArgs::wave(seed, first, now, images)
        };
        session.run(net.fabricate, &args(0..0))?;
        session.run(net.clear, &args(0..0))?;
        for start in (0..n).step_by(chunk) {
            session.run(net.evaluate, &args(start..(start + chunk).min(n)))?;
        }
        let tally = session.read(net.tally)?;
        let hits = tally.chunks_exact(2).take(now);
        accuracies.extend(hits.map(|t| f64::from(t[0]) / n as f64));
    }
    Ok(accuracies)
}
