//! How the worst chip within a bound is searched.

use super::reader::{self, Section};
use crate::choice::choices;

choices! {
    /// Images that the search looks at.
    pub enum SearchImages {
        /// Training images: disjoint from those that the result is measured on.
        Train = "train",
        /// The test images themselves, as published attacks do: the worst chip for exactly these
        /// images.
        Test = "test",
    }
}

/// Section `[worst_case]`: the worst device variation within a bound (Yan, Hu and Shi, arXiv
/// 2207.07626).
///
/// Every effective weight may deviate by `|D| <= bound w_max`, `w_max` the largest weight that its
/// code represents (that of the layer, or with `quantize.per_channel` of the channel, whose largest weight
/// is what a fully conducting cell holds): what a write-verify scheme guarantees of every cell. The search is
/// projected gradient ascent on the deviations, one set of them for all images; the gradient is
/// that of the cross-entropy of the images that are still classified correctly, so that no effort
/// goes into those that are lost already.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct WorstCase {
    /// Largest deviation of a weight, relative to `w_max`.
    pub bound: f64,
    /// Steps of a search.
    pub steps: usize,
    /// Searches: the first begins at no deviation, the others anywhere in the box.
    pub restarts: usize,
    /// Images that the search looks at.
    pub search_images: usize,
    /// Which.
    pub search_on: SearchImages,
    /// Further searches in which only so many weights deviate.
    pub sparse: Vec<usize>,
    /// Largest common deviation `|eps_B|` of the one-dimensional search; 0 for none.
    pub eps_b: f64,
    /// Chips with deviations uniform within the bound, to compare with.
    pub random_chips: usize,
}

impl Default for WorstCase {
    fn default() -> Self {
        Self {
            bound: 0.03,
            steps: 100,
            restarts: 2,
            search_images: 1000,
            search_on: SearchImages::Train,
            sparse: Vec::new(),
            eps_b: 0.0,
            random_chips: 1000,
        }
    }
}

impl WorstCase {
    pub(super) fn read(mut s: Section) -> Option<Self> {
        if !s.is_present() {
            return None;
        }
        let d = Self::default();
        let section = Self {
            bound: s.real("bound", d.bound, 1e-6..=10.0),
            steps: s.count("steps", d.steps, 1..=100_000),
            restarts: s.count("restarts", d.restarts, 1..=1_000),
            search_images: s.count("search_images", d.search_images, 1..=1_000_000),
            search_on: s.choice("search_on", d.search_on),
            sparse: s.field("sparse", d.sparse, |v| {
                reader::counts(v, &(1..=1_000_000_000), &(0..=20))
            }),
            eps_b: s.real("eps_b", d.eps_b, 0.0..=10.0),
            random_chips: s.count("random_chips", d.random_chips, 2..=1_000_000),
        };
        s.finish();
        Some(section)
    }
}
