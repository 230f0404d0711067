//! Accuracy on held-out training images while training goes on.

use super::settings;
use super::trainer::{Job, Validation};
use crate::backend::program::CHIP_FIELDS;
use crate::backend::{Capacity, RunArgs};
use crate::chip::ChipVariation;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::lower::Numerics;
use crate::network::lower::inference::{self, Chips, NormMode};
use crate::network::{Graph, Parameters};
use crate::random::TRAINING;

/// First chip word of validation: far from the chips of training steps and of calibration, which
/// share the purpose.
const FIRST_CHIP: u32 = 0x4000_0000;

/// Images that are classified at once.
const CHUNK: usize = 512;

/// Classifies `images` without variation and on some chips of the experiment's variation.
pub(super) fn accuracy(
    job: &Job,
    graph: &Graph,
    numerics: &Numerics,
    parameters: &Parameters,
    images: &Dataset,
) -> Result<Validation> {
    let experiment = job.experiment;
    let chips = experiment.train.evaluate_chips;
    let sigma_w = experiment.variation.sigma_w;
    let ideal = on_chips(job, graph, numerics, parameters, images, (0.0, 1))?[0];
    let each = on_chips(job, graph, numerics, parameters, images, (sigma_w, chips))?;
    let n = each.len() as f64;
    let mean = each.iter().sum::<f64>() / n;
    let squares: f64 = each.iter().map(|a| (a - mean) * (a - mean)).sum();
    Ok(Validation {
        images: images.len(),
        ideal,
        mean,
        std: (squares / (n - 1.0).max(1.0)).sqrt(),
        chips: each.len(),
    })
}

/// Accuracy of every chip; with `sigma_w = 0` and one chip: of the network itself.
fn on_chips(
    job: &Job,
    graph: &Graph,
    numerics: &Numerics,
    parameters: &Parameters,
    images: &Dataset,
    (sigma_w, chips): (f64, usize),
) -> Result<Vec<f64>> {
    let experiment = job.experiment;
    let v = &experiment.variation;
    let varies = sigma_w > 0.0 || chips > 1;
    let noise = settings::cell_noise(v, sigma_w, 0);
    let net = inference::lower(
        graph,
        numerics,
        Chips::Weight(&noise),
        NormMode::Frozen,
        false,
    );
    let n = images.len();
    let want = Capacity {
        chips,
        images: n,
        chunk: n.min(CHUNK),
    };
    let fits = job.backend.fit(&net.program, want)?;
    let chunk = fits.chunk.min(want.chunk);
    let wave = fits.chips.min(chips);
    if fits.images < n || wave == 0 || chunk == 0 {
        return Err(Error::device(format!(
            "{n} held-out images do not fit this adapter; lower data.validation"
        )));
    }
    let capacity = Capacity {
        chips: wave,
        images: n,
        chunk,
    };
    let mut session = job.backend.prepare(&net.program, capacity)?;
    parameters.load_into(session.as_mut(), &net.states)?;
    let normalise = settings::normalise(experiment, &job.data.train)?;
    let (mut pixels, mut labels) = (vec![], vec![]);
    let all: Vec<usize> = (0..n).collect();
    images.gather_moved(&all, &normalise, None, &mut pixels);
    images.gather_labels(all.iter().copied(), &mut labels);
    session.write(net.images, &pixels)?;
    session.write(net.labels, &labels)?;
    let common = varies.then(|| ChipVariation::new(v)).transpose()?;
    let seed = experiment.training_seed();
    let mut accuracies = Vec::with_capacity(chips);
    for first in (0..chips).step_by(wave) {
        let now = wave.min(chips - first);
        let first = FIRST_CHIP + first as u32;
        let mut fields = Vec::with_capacity(now * CHIP_FIELDS);
        for chip in 0..now as u32 {
            let e = common
                .as_ref()
                .map(|v| v.eps_b(seed, TRAINING, first + chip));
            fields.extend_from_slice(&[e.unwrap_or(0.0) as f32, 1.0, 0.0, 0.0]);
        }
        for &tensor in &net.chips {
            session.write(tensor, &fields)?;
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
