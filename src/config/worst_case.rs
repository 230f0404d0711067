//! How the worst chip within a bound is searched.

use super::rule::List;
use super::section::section;
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

section! {
    /// Section `[worst_case]`: the worst device variation within a bound (Yan, Hu and Shi, arXiv
    /// 2207.07626).
    ///
    /// Every effective weight may deviate by `|D| <= bound w_max`, `w_max` the largest weight that its
    /// code represents (of the layer, or with `quantize.per_channel` of the channel, whose largest weight
    /// is what a fully conducting cell holds): what a write-verify scheme guarantees of every cell. The search is
    /// projected gradient ascent on the deviations, one set of them for all images; the gradient is
    /// that of the cross-entropy of the images that are still classified correctly, so that no effort
    /// goes into those that are lost already.
    pub struct WorstCase {
        /// Largest deviation of a weight.
        bound: f64 = 0.03, 1e-6..=10.0, "w_max";
        /// Steps of a search.
        steps: usize = 100, 1..=100_000;
        /// Searches: the first begins at no deviation, the others anywhere in the box.
        restarts: usize = 2, 1..=1_000;
        /// Images that the search looks at.
        search_images: usize = 1000, 1..=1_000_000, "images";
        /// Set that these images are from.
        search_on: SearchImages = SearchImages::Train;
        /// Further searches in which only as many weights deviate, one for each number.
        sparse: Vec<usize> = Vec::new(), List { each: 1..=1_000_000_000, length: 0..=20 }, "weights";
        /// Largest common deviation `|eps_B|` of the one-dimensional search; 0 for none.
        eps_b: f64 = 0.0, 0.0..=10.0;
        /// Chips with deviations uniform within the bound, to compare with.
        random_chips: usize = 1000, 2..=1_000_000, "chips";
    }
}
