//! What fabrication does to the cells.

use std::ops::RangeInclusive;

use super::rule::{Above, Any, Each};
use super::section::{OptionalTable, section};
use super::sigma_profile::SigmaProfile;
use crate::choice::choices;
use crate::program::Law;

choices! {
    /// How signed weights become conductances. It decides what a common deviation does.
    pub enum Mapping {
        /// One signed cell per weight: the laws exactly as written.
        Ideal = "ideal",
        /// Two cells per weight. A layer-fixed eps_B cancels exactly in the difference; with a
        /// finite on/off ratio weights of zero vary too under the proportional law.
        Differential = "differential",
        /// One cell per weight, an offset subtracted afterwards: digitally, or by a column of
        /// real cells that varies itself.
        Offset = "offset",
    }
}

choices! {
    /// How the offset of [`Mapping::Offset`] is subtracted.
    pub enum OffsetReference {
        /// Exactly, from the digital sum of the inputs.
        Digital = "digital",
        /// By a column that is the mean of [`Variation::reference_copies`] cells per row; a
        /// common deviation then cancels as far as it is common.
        Column = "column",
    }
}

choices! {
    /// Distribution of the deviates.
    pub enum Distribution {
        /// Normal.
        Gaussian = "gaussian",
        /// Normal, restricted to [`Variation::truncate_at`] standard deviations.
        Truncated = "truncated",
        /// `exp(t n - t^2/2) - 1`, `t^2 = ln(1 + sigma^2)`: mean 0, standard deviation sigma,
        /// never below -1.
        Lognormal = "lognormal",
    }
}

choices! {
    /// Covariance of the Gaussian field over the wafer at distance `r`, length `l`.
    pub enum Kernel {
        /// `exp(-r^2 / (2 l^2))`; its covariance is numerically singular where `l` is many dies long.
        SquaredExponential = "squared-exponential",
        /// `(1 + sqrt(3) r/l) exp(-sqrt(3) r/l)`.
        Matern32 = "matern32",
        /// `exp(-r/l)`.
        Exponential = "exponential",
    }
}

choices! {
    /// How the chips of a sweep are drawn from all eps_B there could be.
    pub enum Sampling {
        /// Each by itself, as chips are fabricated.
        Independent = "independent",
        /// Well spread: 16 independently scrambled van der Corput sequences, chip `k` in that of
        /// `k mod 16` (`chip::stratified`). Every mean is unbiased and needs fewer chips, as far as
        /// eps_B is what decides; means then have intervals over the 16 replicates.
        Stratified = "stratified",
    }
}

section! {
    /// Section `[variation]`: the relative deviation of every cell is a sum of independent parts,
    ///
    /// ```text
    /// eps = eps_wafer + eps_B[chip] + eps_radial + eps_field(position) + eps_layer[chip, layer]
    ///       + eps_array[chip, array] + eps_W[cell]
    /// ```
    ///
    /// each normal with its own standard deviation, 0 to switch it off. The primary study uses
    /// `eps_B ~ N(0, sigma_b^2)`, one value per chip, and `eps_W ~ N(0, sigma_w^2)`, one per cell. All
    /// of it is fixed when the chip is fabricated: the same for every image.
    pub struct Variation {
        /// Variance model.
        law: Law = Law::WeightProportional;
        /// Cells per weight.
        mapping: Mapping = Mapping::Ideal;
        /// `G_max/G_min`, above 1 by more than `f32` rounds; `inf` for `G_min = 0`. Differential and
        /// offset mappings.
        on_off_ratio: f64 = f64::INFINITY, Above(1.0);
        /// How the offset is subtracted (offset mapping).
        offset_reference: OffsetReference = OffsetReference::Digital;
        /// Cells averaged per row of the offset's reference column.
        reference_copies: u32 = 1, 1..=1_024, "cells";
        /// Within-chip standard deviation, relative.
        sigma_w: f64 = 0.0, SIGMA;
        /// Factor on sigma_w by what a cell holds, from nothing to the full scale: its own deviation is then gaussian
        /// with `sigma_w profile(g)` of the full scale, whatever the law, which is left to the common parts. At weight
        /// level g is the magnitude of the weight relative to the largest that its code can represent, or with another
        /// mapping than "ideal" the target of each cell; at cell level the target of each cell.
        [quiet] sigma_profile: SigmaProfile = SigmaProfile::FLAT, Any;
        /// Between-chip standard deviation, relative.
        sigma_b: f64 = 0.0, SIGMA;
        /// Standard deviation of a part that one layer of one chip shares, relative.
        sigma_layer: f64 = 0.0, SIGMA;
        /// Standard deviation of a part that one array of cells (one slice and polarity of one row and
        /// column tile) shares, relative; cell level only.
        [quiet] sigma_array: f64 = 0.0, SIGMA;
        /// Distribution of the cells' deviates, and of the chip's, the layers' and the arrays' own parts.
        distribution: Distribution = Distribution::Gaussian;
        /// Limit of distribution "truncated".
        truncate_at: f64 = 3.0, 0.01..=6.0, "standard deviations";
        /// Sampling of eps_B over the chips of a sweep; training chips are always independent.
        [quiet] sampling: Sampling = Sampling::Independent;
        /// Positions of the chips on wafers, and the parts that depend on them.
        wafer: Option<Wafer> => OptionalTable;
    }
}

section! {
    /// Section `[variation.wafer]`: chips are the dies of round wafers, filled one after another.
    ///
    /// Three parts of the deviation depend on it: one value per wafer, a part that grows with the
    /// square of the distance from the centre (`sigma_radial` is its standard deviation over the dies),
    /// and a Gaussian random field over the wafer.
    pub struct Wafer {
        /// Diameter.
        diameter_mm: f64 = 300.0, 1.0..=1_000.0, "mm";
        /// Width and height of a die, scribe line included.
        die_mm: [f64; 2] = [10.0, 10.0], Each(0.1..=1_000.0), "mm";
        /// Ring along the edge without chips.
        edge_mm: f64 = 3.0, 0.0..=500.0, "mm";
        /// Standard deviation of the part that a wafer shares, relative.
        sigma_wafer: f64 = 0.0, SIGMA;
        /// Standard deviation, over a wafer's dies, of the radial part, relative; it is highest at the edge.
        sigma_radial: f64 = 0.0, SIGMA;
        /// Standard deviation of the field, relative.
        sigma_field: f64 = 0.0, SIGMA;
        /// Correlation length of the field.
        correlation_mm: f64 = 50.0, 0.01..=10_000.0, "mm";
        /// Covariance of the field.
        kernel: Kernel = Kernel::Matern32;
    }
}

/// Allowed standard deviations.
pub(super) const SIGMA: RangeInclusive<f64> = 0.0..=10.0;

impl Variation {
    /// Smallest conductance relative to the largest, `1/on_off_ratio`.
    pub fn g_min(&self) -> f64 {
        1.0 / self.on_off_ratio
    }

    /// Standard deviation of a cell's own part at the full scale.
    pub fn sigma_at_full(&self) -> f64 {
        self.sigma_w * self.sigma_profile.at(1.0)
    }
}
