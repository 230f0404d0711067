//! The rows of an analysis.

use serde::Serialize;

use super::powers::Ratio;
use super::stages::Part;
use crate::config::Fidelity;

/// Whether a layer has a part at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Has {
    /// It was measured.
    Measured,
    /// The layer's settings leave it out, so it is exactly 0.
    Off,
    /// It does not exist at this level, or without converters.
    Absent,
}

/// What a part takes from a layer's ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PartRow {
    /// Which.
    pub part: Part,
    /// Whether the layer has it.
    pub has: Has,
    /// Signal over the power of what the part changes, `E (y_k - y_(k-1))^2`.
    pub snr: Ratio,
    /// Mean power of what the part changes, by the signal's.
    pub own: f64,
    /// `2 E (y_k - y_(k-1)) (y_(k-1) - y)`, by the signal's: what it shares with the parts before it. `own + cross` of all parts
    /// are the power of the whole error.
    pub cross: f64,
    /// Signal over the closed form of the part, dB, where there is one; not finite (`null`) elsewhere.
    pub closed_form_db: f64,
}

/// Ratio with converters of a number of bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BitsRow {
    /// Bits.
    pub bits: u32,
    /// Ratio of the layer with them.
    pub snr: Ratio,
}

/// The range that suits the sums of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RangeRow {
    /// `chip.adc.limit` of every slice, for `chip.adc.range = "fixed"`: fully conducting cells at one level of drive.
    pub limit: Vec<f64>,
    /// Sums that it was chosen by.
    pub sums: u64,
    /// Ratio of the layer with it, measured.
    pub snr: Ratio,
    /// What it gains, dB: below 0 where the experiment's range is better all the same.
    pub gain_db: f64,
}

/// What a layer's converters could be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConverterRow {
    /// Ratio without converters; none where tuning acts on them.
    pub without: Option<Ratio>,
    /// Ratio to reach, dB; infinite (`null`) where nothing else disturbs.
    pub goal_db: f64,
    /// Fewest bits that reach it; none: not even 14.
    pub bits: Option<u32>,
    /// All bits that were tried.
    pub tried: Vec<BitsRow>,
    /// The range that suits the sums at the bits of the experiment, where there are converters.
    pub range: Option<RangeRow>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Name.
    pub name: String,
    /// Position among the crossbar layers, digital ones included.
    pub index: usize,
    /// Rows and columns of its matrix.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Input vectors that were looked at.
    pub vectors: usize,
    /// Of how many that the images have.
    pub vectors_of: usize,
    /// Variance of the outputs over the vectors, mean over the columns, in squared units of the network.
    pub signal: f64,
    /// Ratio of the float layer to what quantizing the inputs does.
    pub sqnr_inputs: Ratio,
    /// To what quantizing the weights does.
    pub sqnr_weights: Ratio,
    /// To both.
    pub sqnr: Ratio,
    /// Ratio of the quantized layer to the error of its chips.
    pub snr: Ratio,
    /// That of the worst of these chips, dB; not finite where it has no error.
    pub worst_db: f64,
    /// Ratio of the float layer to the error of chips, quantization included.
    pub snr_total: Ratio,
    /// Share of conversions beyond their range; not finite without converters.
    pub clipped: f64,
    /// What the error comes from.
    pub parts: Vec<PartRow>,
    /// What its converters could be, where it was asked for.
    pub converters: Option<ConverterRow>,
}

/// An analysis of a point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// The point, in words.
    pub point: String,
    /// Level.
    pub fidelity: Fidelity,
    /// Seed of the chips and of the sample of vectors.
    pub seed: u64,
    /// Test images whose inputs were looked at, the first ones, one of every class in turn.
    pub images: usize,
    /// Of how many.
    pub images_of: usize,
    /// Chips, the first ones of a sweep.
    pub chips: usize,
    /// Layers that chips execute.
    pub layers: Vec<LayerRow>,
    /// Names of the layers that are executed digitally.
    pub digital_layers: Vec<String>,
    /// Name of the adapter or processor.
    pub adapter: String,
}
