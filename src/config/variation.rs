//! What fabrication does to the cells.

use std::ops::RangeInclusive;

use super::reader::Section;
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
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Variation {
    /// Variance model.
    pub law: Law,
    /// Cells per weight.
    pub mapping: Mapping,
    /// `G_max/G_min`, above 1 by more than `f32` rounds; `inf` for `G_min = 0`. Differential and
    /// offset mappings.
    #[serde(serialize_with = "super::serialize_infinite")]
    pub on_off_ratio: f64,
    /// How the offset is subtracted (offset mapping).
    pub offset_reference: OffsetReference,
    /// Cells averaged per row of the offset's reference column.
    pub reference_copies: u32,
    /// Within-chip standard deviation, relative.
    pub sigma_w: f64,
    /// Between-chip standard deviation, relative.
    pub sigma_b: f64,
    /// Standard deviation of a part that one layer of one chip shares.
    pub sigma_layer: f64,
    /// Standard deviation of a part that one array of cells (one slice and polarity of one row and
    /// column tile) shares; cell level only.
    #[serde(skip_serializing_if = "is_zero")]
    pub sigma_array: f64,
    /// Distribution of the cells' deviates, and of the chip's, the layers' and the arrays' own parts.
    pub distribution: Distribution,
    /// For [`Distribution::Truncated`], in standard deviations.
    pub truncate_at: f64,
    /// Sampling of eps_B over the chips of a sweep; training chips are always independent. Left out
    /// of results where it is [`Sampling::Independent`].
    #[serde(skip_serializing_if = "Sampling::is_independent")]
    pub sampling: Sampling,
    /// Positions of the chips on wafers, and the parts that depend on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wafer: Option<Wafer>,
}

impl Default for Variation {
    fn default() -> Self {
        Self {
            law: Law::WeightProportional,
            mapping: Mapping::Ideal,
            on_off_ratio: f64::INFINITY,
            offset_reference: OffsetReference::Digital,
            reference_copies: 1,
            sigma_w: 0.0,
            sigma_b: 0.0,
            sigma_layer: 0.0,
            sigma_array: 0.0,
            distribution: Distribution::Gaussian,
            truncate_at: 3.0,
            sampling: Sampling::Independent,
            wafer: None,
        }
    }
}

/// Section `[variation.wafer]`: chips are the dies of round wafers, filled one after another.
///
/// Three parts of the deviation depend on it: one value per wafer, a part that grows with the
/// square of the distance from the centre (`sigma_radial` is its standard deviation over the dies),
/// and a Gaussian random field over the wafer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Wafer {
    /// Diameter.
    pub diameter_mm: f64,
    /// Width and height of a die, scribe line included.
    pub die_mm: [f64; 2],
    /// Ring along the edge without chips.
    pub edge_mm: f64,
    /// Standard deviation of the part that a wafer shares.
    pub sigma_wafer: f64,
    /// Standard deviation, over a wafer's dies, of the radial part; it is highest at the edge.
    pub sigma_radial: f64,
    /// Standard deviation of the field.
    pub sigma_field: f64,
    /// Correlation length of the field.
    pub correlation_mm: f64,
    /// Covariance of the field.
    pub kernel: Kernel,
}

impl Default for Wafer {
    fn default() -> Self {
        Self {
            diameter_mm: 300.0,
            die_mm: [10.0, 10.0],
            edge_mm: 3.0,
            sigma_wafer: 0.0,
            sigma_radial: 0.0,
            sigma_field: 0.0,
            correlation_mm: 50.0,
            kernel: Kernel::Matern32,
        }
    }
}

/// Allowed standard deviations.
pub(super) const SIGMA: RangeInclusive<f64> = 0.0..=10.0;

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Sampling {
    fn is_independent(&self) -> bool {
        *self == Sampling::Independent
    }
}

impl Variation {
    /// Smallest conductance relative to the largest, `1/on_off_ratio`.
    pub fn g_min(&self) -> f64 {
        1.0 / self.on_off_ratio
    }

    /// Reads the section; absent fields are those of `d`.
    pub(super) fn read(mut s: Section, d: Self) -> Self {
        let variation = Self {
            law: s.choice("law", d.law),
            mapping: s.choice("mapping", d.mapping),
            on_off_ratio: s.real_above("on_off_ratio", d.on_off_ratio, 1.0),
            offset_reference: s.choice("offset_reference", d.offset_reference),
            reference_copies: s.u32("reference_copies", d.reference_copies, 1..=1_024),
            sigma_w: s.real("sigma_w", d.sigma_w, SIGMA),
            sigma_b: s.real("sigma_b", d.sigma_b, SIGMA),
            sigma_layer: s.real("sigma_layer", d.sigma_layer, SIGMA),
            sigma_array: s.real("sigma_array", d.sigma_array, SIGMA),
            distribution: s.choice("distribution", d.distribution),
            truncate_at: s.real("truncate_at", d.truncate_at, 0.01..=6.0),
            sampling: s.choice("sampling", d.sampling),
            wafer: Wafer::read(s.section("wafer")).or(d.wafer),
        };
        s.finish();
        variation
    }
}

impl Wafer {
    fn read(mut s: Section) -> Option<Self> {
        if !s.is_present() {
            return None;
        }
        let d = Self::default();
        let wafer = Self {
            diameter_mm: s.real("diameter_mm", d.diameter_mm, 1.0..=1_000.0),
            die_mm: s.pair("die_mm", d.die_mm, 0.1..=1_000.0),
            edge_mm: s.real("edge_mm", d.edge_mm, 0.0..=500.0),
            sigma_wafer: s.real("sigma_wafer", d.sigma_wafer, SIGMA),
            sigma_radial: s.real("sigma_radial", d.sigma_radial, SIGMA),
            sigma_field: s.real("sigma_field", d.sigma_field, SIGMA),
            correlation_mm: s.real("correlation_mm", d.correlation_mm, 0.01..=10_000.0),
            kernel: s.choice("kernel", d.kernel),
        };
        s.finish();
        Some(wafer)
    }
}
