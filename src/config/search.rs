//! Which designs of a space are wanted, and how they are searched.

use super::goal::{Goal, Measure};
use super::rule::Any;
use super::section::section;
use super::sweep::MAX_CHIPS;

section! {
    /// Section `[design]`: what `pimento design` looks for among the points of the sweep (docs/design.md). A sweep of the
    /// same file simulates all of them.
    pub struct Search {
        /// Objectives and constraints, with commas between them: `energy_pj min, yield(0.9) >= 0.99, area_mm2 <= 2`.
        /// Several objectives make a front. `energy_pj`, `periphery_pj`, `latency_us` and `area_mm2` are upper ends.
        goal: Goal = Goal::default(), Any;
        /// Largest probability that a design leaves which the whole sweep would have had on the front.
        risk: f64 = 0.05, 1e-9..=0.5;
        /// Chips that every design begins with; then twice as many in each round.
        first_chips: usize = 8, 2..=MAX_CHIPS, "chips";
        /// Test images that every design begins with, drawn at random; then four times as many in each round. 0 for a
        /// sixteenth of the images, at least 64.
        first_images: usize = 0, 0..=100_000_000, "images";
    }
}

/// Confidence of a constraint that is shown.
pub(super) const SHOWN: f64 = 0.95;

impl Search {
    /// Fewest chips, all of them good, that show a yield of at least `share` at 95 %, one-sided: the least `n` with
    /// `share^n <= 0.05`. None shows a yield of 1.
    ///
    /// ```
    /// use pimento::config::Search;
    /// assert_eq!(Search::chips_for(0.99), Some(299));
    /// assert_eq!(Search::chips_for(0.9), Some(29));
    /// assert_eq!(Search::chips_for(1.0), None);
    /// ```
    pub fn chips_for(share: f64) -> Option<usize> {
        match share {
            _ if share <= 0.0 => Some(1),
            _ if share >= 1.0 => None,
            _ => Some(((1.0 - SHOWN).ln() / share.ln() - 1e-9).ceil().max(1.0) as usize),
        }
    }

    /// The limit of the yield that the goal names, where it names one only.
    pub fn yield_limit(&self) -> Option<f64> {
        let limits = self.goal.measures().into_iter().filter_map(|m| match m {
            Measure::Yield { limit } => Some(limit),
            Measure::Mean(_) | Measure::Cost(_) => None,
        });
        let limits: Vec<f64> = limits.collect();
        match limits[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}
