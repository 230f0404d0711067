//! `{ kind = "ovf" }` and `{ kind = "irs" }` of `train.loss`: logits that are subtracted from the network's.

use super::composition::Problems;
use super::{Composition, LossPart};
use crate::config::rule::List;
use crate::config::section::section;
use crate::config::{Experiment, Fidelity};

section! {
    /// Part `{ kind = "ovf" }` of `train.loss`: negative feedback by the network under more noise, oriented variational
    /// forward (Qin et al., arXiv 2305.14561). Passes i = 0, 1, ... of a batch run on the chips of the step with within-chip
    /// deviations drawn anew, whose sigma_W is larger by `more[i]`; what chips have in common stays. The cross-entropy is
    /// that of `(z - weight sum_i decay^i o_i) / (n + 1)`: z and o_i are the logits of the step and of the n passes, and
    /// gradients go through all of them. Logits of "irs", where it is listed too, are subtracted and counted in n.
    /// Passes move no running statistics and no moving steps, and the losses that are told are those of z.
    pub struct Ovf {
        /// Factor.
        weight: f64 = 1e-2, 0.0..=10.0;
        /// What the passes have more of sigma_W.
        more: Vec<f64> = vec![0.15, 0.1, 0.05], List { each: 0.0..=10.0, length: 1..=8 };
        /// Factor from a pass to the next.
        decay: f64 = 0.1, 0.0..=10.0;
    }
}

section! {
    /// Part `{ kind = "irs" }` of `train.loss`: negative feedback by small heads on inner maps, intermediate
    /// representation snapshots (Qin et al., arXiv 2305.14561). The cross-entropy is that of
    /// `(z - weight sum_i decay^i o_i) / (n + 1)`: z and o_i are the logits of the network and of its n heads
    /// (`[[network.head]]`) in their order, on the chips of the step. Passes of "ovf", where it is listed too, are
    /// subtracted and counted in n. The losses that are told are those of z.
    pub struct Irs {
        /// Factor.
        weight: f64 = 1e-1, 0.0..=10.0;
        /// Factor from a head to the next.
        decay: f64 = 0.1, 0.0..=10.0;
    }
}

impl Ovf {
    /// Factors of the passes' logits.
    pub fn factors(&self) -> Vec<f64> {
        factors(self.weight, self.decay, self.more.len())
    }
}

impl Irs {
    /// Factors of the logits of `n` heads.
    pub fn factors(&self, n: usize) -> Vec<f64> {
        factors(self.weight, self.decay, n)
    }
}

fn factors(weight: f64, decay: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| weight * decay.powi(i as i32)).collect()
}

/// What contradicts the parts.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let is_ovf = |part: &LossPart| matches!(part, LossPart::Ovf(_));
    if c.loss.iter().any(is_ovf) && !c.sees_variation() {
        found.add(
            &["train.loss.ovf", "train.loss", "train.noise"],
            "more noise than none: steps without noise have no passes under more of it; allowed: with \
             { kind = \"chip\" } in train.noise"
                .into(),
        );
    }
    if c.loss.iter().any(is_ovf)
        && e.train.level == Fidelity::Cell
        && e.chip.programming.sigma.is_some()
    {
        found.add(
            &["train.loss.ovf", "train.loss", "chip.programming.sigma"],
            "chip.programming.sigma says how much cells deviate, and not sigma_W, of which passes have more; allowed: \
             chip.programming.sigma = \"none\", or train.level = \"weight\""
                .into(),
        );
    }
    const IRS: &[&str] = &["train.loss.irs", "train.loss", "network.head"];
    const HEADS: &[&str] = &["train.loss.heads", "train.loss", "network.head"];
    let readers = [(IRS, c.irs().is_some()), (HEADS, c.heads_loss().is_some())];
    for (fields, _) in readers.into_iter().filter(|reader| reader.1) {
        if e.network.head.is_empty() {
            found.add(
                fields,
                "reads the heads of a network that has none; allowed: with [[network.head]]".into(),
            );
        }
    }
}
