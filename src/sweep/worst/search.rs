//! Projected gradient ascent on the deviations of all weights.

use super::device::{Classifier, Layer, Slope};
use crate::config::WorstCase;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::random::{Purpose, Stream, uniform};
use crate::setup::Images;

/// Share of the old direction that a step keeps (MI-FGSM, Dong et al., arXiv 1710.06081).
const MOMENTUM: f32 = 0.9;

/// First and last step length, relative to the bound; between them a half cosine.
const STEP: (f64, f64) = (0.4, 0.01);

/// The best of all searches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Deviations by layer, in units of [`Layer::unit`].
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
            match sparse {
                // So few weights need no small steps.
                Some(k) => most_damaging(self.layers, &direction, k, bound, &mut d),
                None => {
                    let each = d.iter_mut().flatten().zip(direction.iter().flatten());
                    each.for_each(|(d, g)| *d = (*d + length * sign(*g)).clamp(-bound, bound));
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

/// Deviations of the `k` weights that do the most damage to first order, `|g| unit`, and of no other;
/// of equals the first ones. Weights without a slope stay.
fn most_damaging(
    layers: &[Layer],
    direction: &[Vec<f32>],
    k: usize,
    bound: f32,
    d: &mut [Vec<f32>],
) {
    let scores = layers.iter().zip(direction).enumerate();
    let mut order: Vec<(f32, usize, usize)> = scores
        .flat_map(|(l, (layer, g))| {
            let of_layer = g.iter().enumerate();
            of_layer.map(move |(i, g)| ((g * layer.unit(i)).abs(), l, i))
        })
        .filter(|(score, ..)| *score > 0.0)
        .collect();
    if k < order.len() {
        order.select_nth_unstable_by(k, |a, b| {
            b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
        });
        order.truncate(k);
    }
    d.iter_mut().for_each(|d| d.fill(0.0));
    for (_, l, i) in order {
        d[l][i] = bound * sign(direction[l][i]);
    }
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
