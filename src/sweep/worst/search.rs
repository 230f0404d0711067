//! Projected gradient ascent on the deviations of all weights.

use super::device::{Classifier, Images, Layer, Slope};
use crate::config::WorstCase;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::random::{Purpose, Stream, uniform};

/// Share of the old direction that a step keeps (MI-FGSM, Dong et al., arXiv 1710.06081).
const MOMENTUM: f32 = 0.9;

/// First and last step length, relative to the bound; between them a half cosine.
const STEP: (f64, f64) = (0.4, 0.01);

/// The best of all searches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Deviations by layer, in units of the largest weight.
    pub deviations: Vec<Vec<f32>>,
    /// Correct images of those searched on.
    pub hits: usize,
}

/// What a search works with.
pub(super) struct Search<'a> {
    pub classifier: &'a mut Classifier,
    pub slope: &'a mut Slope,
    pub layers: &'a [Layer],
    pub images: &'a Images,
    pub seed: u64,
    pub observer: &'a dyn Observer,
}

impl Search<'_> {
    /// Searches with all weights, or with at most `sparse` that deviate.
    pub fn run(&mut self, goal: &WorstCase, sparse: Option<usize>) -> Result<Found> {
        let mut best: Option<Found> = None;
        for restart in 0..goal.restarts {
            let found = self.once(goal, sparse, restart as u32)?;
            if best.as_ref().is_none_or(|b| found.hits < b.hits) {
                best = Some(found);
            }
        }
        best.ok_or_else(|| Error::Internal("no search was made".into()))
    }

    fn once(&mut self, goal: &WorstCase, sparse: Option<usize>, restart: u32) -> Result<Found> {
        let bound = goal.bound as f32;
        let zeros = || self.layers.iter().map(|l| vec![0.0; l.weights.len()]);
        let mut direction: Vec<Vec<f32>> = zeros().collect();
        let anywhere = random(self.layers, bound, self.seed, Purpose::Attack, restart);
        let mut d = match (restart, sparse) {
            (0, _) => zeros().collect(),
            (_, None) => anywhere,
            (_, Some(_)) => {
                // Too many weights would deviate; another first direction is another start.
                direction = anywhere;
                zeros().collect()
            }
        };
        let mut best: Option<Found> = None;
        for step in 0..=goal.steps {
            if self.observer.interrupted() {
                return Err(Error::Interrupted("the search was interrupted".into()));
            }
            let weights = deviate(self.layers, &d);
            self.classifier.set_weights(&weights)?;
            let right = self.classifier.right(self.images)?;
            if best.as_ref().is_none_or(|b| right.len() < b.hits) {
                best = Some(Found {
                    deviations: d.clone(),
                    hits: right.len(),
                });
            }
            if right.is_empty() || step == goal.steps {
                break;
            }
            let gradient = self.slope.gradient(&weights, self.images, &right)?;
            turn(&mut direction, &gradient);
            let phase = std::f64::consts::PI * step as f64 / goal.steps as f64;
            let length = STEP.1 + (STEP.0 - STEP.1) * 0.5 * (1.0 + phase.cos());
            let length = (goal.bound * length) as f32;
            let keep = sparse.map(|k| threshold(self.layers, &direction, k));
            for ((layer, d), g) in self.layers.iter().zip(&mut d).zip(&direction) {
                for (i, (d, &g)) in d.iter_mut().zip(g).enumerate() {
                    *d = match keep {
                        // So few weights need no small steps.
                        Some(least) if (g * layer.unit(i)).abs() >= least => bound * sign(g),
                        Some(_) => 0.0,
                        None => (*d + length * sign(g)).clamp(-bound, bound),
                    };
                }
            }
        }
        best.ok_or_else(|| Error::Internal("a search has no step".into()))
    }
}

fn sign(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// `direction = MOMENTUM direction + gradient / mean |gradient|`.
fn turn(direction: &mut [Vec<f32>], gradient: &[Vec<f32>]) {
    let n: usize = gradient.iter().map(Vec::len).sum();
    let sum: f64 = gradient.iter().flatten().map(|g| f64::from(g.abs())).sum();
    let scale = if sum > 0.0 {
        (n as f64 / sum) as f32
    } else {
        0.0
    };
    for (d, g) in direction
        .iter_mut()
        .flatten()
        .zip(gradient.iter().flatten())
    {
        *d = MOMENTUM * *d + scale * g;
    }
}

/// The damage to first order, `|g| unit`, that `k` weights reach.
fn threshold(layers: &[Layer], direction: &[Vec<f32>], k: usize) -> f32 {
    let scores = layers.iter().zip(direction);
    let mut scores: Vec<f32> = scores
        .flat_map(|(l, g)| g.iter().enumerate().map(|(i, g)| (g * l.unit(i)).abs()))
        .collect();
    if k >= scores.len() {
        return 0.0;
    }
    // The (k+1)-th largest must stay out, and so must all that equal it.
    let (_, &mut out, _) = scores.select_nth_unstable_by(k, |a, b| b.total_cmp(a));
    out.next_up()
}

/// Effective weights of a chip.
pub(super) fn deviate(layers: &[Layer], d: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let weights = |(layer, d): (&Layer, &Vec<f32>)| {
        let each = layer.weights.iter().zip(d).enumerate();
        each.map(|(i, (w, d))| w + d * layer.unit(i)).collect()
    };
    layers.iter().zip(d).map(weights).collect()
}

/// Deviations of chip `chip`, each uniform in `+-bound`.
pub(super) fn random(
    layers: &[Layer],
    bound: f32,
    seed: u64,
    purpose: Purpose,
    chip: u32,
) -> Vec<Vec<f32>> {
    let of_layer = |(address, layer): (u32, &Layer)| {
        let stream = Stream::new(seed, purpose, 0, address, chip);
        let n = layer.weights.len() as u32;
        (0..n)
            .map(|i| bound * (2.0 * uniform(stream.word(i)) - 1.0))
            .collect()
    };
    (1..).zip(layers).map(of_layer).collect()
}
