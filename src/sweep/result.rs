//! What a sweep hands over: one [`ChipRow`] per point and chip, one [`PointSummary`] per point,
//! one [`SweepResult`] for the whole run.
//!
//! Accuracies are fractions in 0..=1 everywhere; only tables and plots show percent. A number
//! that does not exist (a standard deviation of one chip, an estimate without tuning) is `NaN` in
//! memory, empty in `chips.csv` and `null` in `summary.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::breakdown::Breakdown;
use super::census::{Basis, Census};
use super::columns::{self, Values};
use super::compare::Comparison;
use super::spread::ColumnSummary;
use super::statistics::binomial::clopper_pearson_interval;
use super::statistics::{self, Interval, Moments, Ranked, null_as_nan};
use crate::column::{Column, columns};
pub use crate::train::{EpochRecord, TrainRecord};
pub use crate::tuning::TuningCost;

columns! {
    /// What was measured on one chip at one point of the sweep: a row of `chips.csv`.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct ChipRow {
        /// Number of the point in this experiment, from 0, as in `summary.json`.
        point: usize, whole;
        /// Index of the chip: with the seed it names the chip for ever.
        chip: u32, whole;
        /// `correct / images`, 0 to 1.
        accuracy: f64, real, "", higher;
        /// Mean cross-entropy of the logits over the images: minus the logarithm of the probability (softmax)
        /// of the right class. ln(classes) is guessing; it tells chips of equal accuracy apart, and a chip that
        /// is wrong with confidence can have any.
        loss: f64, optional, "nats", lower;
        /// Correctly classified images.
        correct: u32, whole, "images", higher;
        /// Classified images, the same ones on every chip.
        images: u32, whole, "images";
        /// Between-chip deviation eps_B of this chip, relative: what all of its cells have in common, drawn
        /// with sigma_B.
        eps_b: f64, optional;
        /// Everything that the cells of this chip have in common: eps_B with the parts of its place on the
        /// wafer (wafer, radial, random field). Self-tuning is to find it.
        eps_common: f64, optional;
        /// What the chip's own tuning estimated for `eps_common`; empty where a chip estimates nothing
        /// (`none`, `oracle`, `bn-recalibration`, `bn-training`). `eps_hat - eps_common` is the estimate's error, `estimate` in
        /// `summary.json` its statistics.
        eps_hat: f64, optional;
        /// Number of the wafer the chip came from, 0 without wafers.
        wafer: u32, whole;
        /// Horizontal position of the die's centre from the wafer's centre; empty without wafers.
        die_x_mm: f64, optional, "mm";
        /// Vertical position of the die's centre from the wafer's centre; empty without wafers.
        die_y_mm: f64, optional, "mm";
        =>
        /// Values of the columns that only some experiments have ([`super::columns`]).
        #[serde(flatten)]
        values: Values;
    }
}

impl ChipRow {
    /// Whether the chip has a place on a wafer.
    pub fn has_position(&self) -> bool {
        self.die_x_mm.is_finite() && self.die_y_mm.is_finite()
    }

    /// The value of the column of that name, whichever kind of column it is; none where the chip has none.
    ///
    /// ```
    /// let row = pimento::sweep::result::ChipRow { correct: 9, ..pimento::sweep::result::ChipRow::blank() };
    /// assert_eq!(row.value("correct"), Some(9.0));
    /// assert_eq!(row.value("eps_hat"), None);
    /// ```
    pub fn value(&self, name: &str) -> Option<f64> {
        let field = Self::FIELDS.iter().find(|f| f.column.name == name);
        match field {
            Some(field) => Some((field.get)(self).into()).filter(|x: &f64| !x.is_nan()),
            None => self.values.get(name),
        }
    }

    /// A chip of which only its score matters.
    #[cfg(test)]
    pub(super) fn scored(chip: u32, correct: u32, images: u32) -> Self {
        Self {
            chip,
            accuracy: f64::from(correct) / f64::from(images),
            loss: 0.0,
            correct,
            images,
            eps_b: 0.0,
            eps_common: 0.0,
            ..Self::blank()
        }
    }
}

/// One of the worst chips of a point: `pimento chip DIR --point P --index CHIP` rebuilds it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstChip {
    /// Index of the chip.
    pub chip: u32,
    /// Its accuracy.
    pub accuracy: f64,
    /// Its between-chip deviation.
    pub eps_b: f64,
    /// All common parts of its deviation.
    pub eps_common: f64,
}

impl From<&ChipRow> for WorstChip {
    fn from(row: &ChipRow) -> Self {
        WorstChip {
            chip: row.chip,
            accuracy: row.accuracy,
            eps_b: row.eps_b,
            eps_common: row.eps_common,
        }
    }
}

/// The coordinates of a point: every setting that distinguishes it or that a reader needs to name
/// it. Names are those of the configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Axes {
    /// Training recipe: `float`, `qat`, ..., `parts`, or `stages` where there are some.
    pub recipe: String,
    /// Variance law: `weight-proportional` or `layer-fixed`.
    pub law: String,
    /// How signed weights become cells: `ideal`, `differential` or `offset`.
    pub mapping: String,
    /// Within-chip standard deviation sigma_W, relative.
    pub sigma_w: f64,
    /// Between-chip standard deviation sigma_B, relative.
    pub sigma_b: f64,
    /// `none`, `self-tuning`, `reference-columns`, `level-columns`, `oracle`, `bn-recalibration` or `bn-training`.
    pub tuning: String,
    /// Bits of a weight; 32 for float.
    pub weight_bits: u32,
    /// Bits of an activation; 32 for float.
    pub activation_bits: u32,
    /// Which variation training saw, in the words of the configuration.
    #[serde(default)]
    pub train_variation: String,
    /// Seed of the training run.
    #[serde(default)]
    pub train_seed: u64,
    /// Distribution of the deviations: `gaussian`, `truncated` or `lognormal`.
    #[serde(default)]
    pub distribution: String,
    /// Test cells per chip of the global tuning module; 0 without.
    #[serde(default)]
    pub test_cells: u32,
    /// Axes that this version has no field for, by name; beside the others in the JSON.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// How well the chips' estimates met the truth: statistics of `eps_hat - eps_common` over chips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EstimateSummary {
    /// Mean error.
    #[serde(deserialize_with = "null_as_nan")]
    pub bias: f64,
    /// Student-t 95 % interval of the mean error.
    pub bias_ci95: Interval,
    /// Sample variance of the error.
    #[serde(deserialize_with = "null_as_nan")]
    pub variance: f64,
    /// Chi-squared 95 % interval of the variance (exact for normal errors).
    pub variance_ci95: Interval,
    /// Variance the estimator's closed form predicts, e.g. `sigma_W^2 / N`; `NaN` if there is none.
    #[serde(deserialize_with = "null_as_nan")]
    pub predicted_variance: f64,
}

/// One point of the sweep: its coordinates and the statistics over its chips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Coordinates; beside the statistics in the JSON.
    #[serde(flatten)]
    pub axes: Axes,
    /// Values of the fields that the sweep varies, by their paths in the experiment file.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Simulated chips.
    pub chips: usize,
    /// Images classified by every chip; the same ones on all.
    pub images: u32,
    /// SHA-256 of the trained parameters, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
    /// Accuracy of the quantized network without variation, on the same images.
    #[serde(deserialize_with = "null_as_nan")]
    pub ideal: f64,
    /// Mean accuracy over chips.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean: f64,
    /// Sample standard deviation of the accuracy over chips.
    #[serde(deserialize_with = "null_as_nan")]
    pub std: f64,
    /// Standard error of the mean over chips, for these images: `std / sqrt(chips)`, or that over
    /// replicates where eps_B is stratified.
    #[serde(deserialize_with = "null_as_nan")]
    pub se: f64,
    /// 95 % interval of the mean over chips, for these images, inside 0 to 1: Student t over chips,
    /// or over replicates where eps_B is stratified, and [`PointSummary::mean_unseen`] below it
    /// ([`statistics::unseen`]).
    pub mean_ci95: Interval,
    /// Part of the interval for chips not yet seen: how much lower the mean would be if 3 of as many
    /// chips as there are were at chance level. `NaN` where `sweep.unseen = false` leaves it out.
    #[serde(default = "nan", deserialize_with = "null_as_nan")]
    pub mean_unseen: f64,
    /// Accuracy of a chip that guesses, 1 over the number of classes; `NaN` where it has no part.
    #[serde(default = "nan", deserialize_with = "null_as_nan")]
    pub chance: f64,
    /// Binomial standard error of the images, [`statistics::image_standard_error`]: how far the
    /// mean may lie from that over all images there could be. More chips do not reduce it, and it
    /// is (nearly) the same deviation at every point of the sweep.
    #[serde(deserialize_with = "null_as_nan")]
    pub image_se: f64,
    /// Worst chip.
    #[serde(deserialize_with = "null_as_nan")]
    pub min: f64,
    /// 5 % quantile over chips (type 7, as all quantiles here).
    #[serde(deserialize_with = "null_as_nan")]
    pub q05: f64,
    /// 95 % interval of the 5 % quantile, distribution-free, or over replicates where eps_B is
    /// stratified; an open side is `null`.
    pub q05_ci95: Interval,
    /// Lower quartile.
    #[serde(deserialize_with = "null_as_nan")]
    pub q25: f64,
    /// Its interval.
    pub q25_ci95: Interval,
    /// Median chip.
    #[serde(deserialize_with = "null_as_nan")]
    pub median: f64,
    /// Its interval.
    pub median_ci95: Interval,
    /// Upper quartile.
    #[serde(deserialize_with = "null_as_nan")]
    pub q75: f64,
    /// Its interval.
    pub q75_ci95: Interval,
    /// 95 % quantile over chips.
    #[serde(deserialize_with = "null_as_nan")]
    pub q95: f64,
    /// Its interval.
    pub q95_ci95: Interval,
    /// Best chip.
    #[serde(deserialize_with = "null_as_nan")]
    pub max: f64,
    /// Fraction of chips whose accuracy reaches [`PointSummary::yield_limit`].
    #[serde(rename = "yield", deserialize_with = "null_as_nan")]
    pub yield_fraction: f64,
    /// Accuracy a chip must reach to count as good.
    #[serde(deserialize_with = "null_as_nan")]
    pub yield_limit: f64,
    /// Wilson 95 % interval of the yield; over replicates where eps_B is stratified.
    pub yield_ci95: Interval,
    /// Clopper-Pearson interval of the yield: at least 95 % whatever the true yield.
    #[serde(default = "unknown")]
    pub yield_exact_ci95: Interval,
    /// Whether eps_B is stratified: intervals are then over replicates, but for
    /// [`PointSummary::yield_exact_ci95`], which is as if chips were independent: on the safe side.
    #[serde(default)]
    pub stratified: bool,
    /// Mean over chips of the cross-entropy, nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean_loss: f64,
    /// Accuracy lost to the chips: `ideal - mean`.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss_vs_ideal: f64,
    /// What tuning costs; `null` without tuning.
    #[serde(default)]
    pub tuning_cost: Option<TuningCost>,
    /// What a chip costs, by name ([`super::cost::costs`]).
    #[serde(default)]
    pub costs: BTreeMap<String, f64>,
    /// Energy by layer and part, with a section `[energy]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Breakdown>,
    /// How good the estimates were; `null` when chips estimate nothing.
    #[serde(default)]
    pub estimate: Option<EstimateSummary>,
    /// The worst chips, the worst first.
    #[serde(default)]
    pub worst: Vec<WorstChip>,
    /// Statistics of the columns that only some experiments have, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnSummary>,
    /// Wall time of the point, seconds.
    pub elapsed_s: f64,
}

/// What a point needs beside its chips to be summarised.
#[derive(Debug, Clone, PartialEq)]
pub struct PointInputs {
    /// Accuracy of the quantized network without variation, on the same images.
    pub ideal: f64,
    /// Metrics without variation likewise, by name.
    pub ideal_metrics: BTreeMap<String, f64>,
    /// Accuracy a chip must reach to count as good.
    pub yield_limit: f64,
    /// What tuning costs; `None` without tuning.
    pub tuning_cost: Option<TuningCost>,
    /// What a chip costs, by name.
    pub costs: BTreeMap<String, f64>,
    /// Energy by layer and part, with a section `[energy]`.
    pub energy: Option<Breakdown>,
    /// What intervals rest on.
    pub basis: Basis,
    /// Variance of `eps_hat - eps_common` by the estimator's closed form; `None` if it has none.
    pub predicted_variance: Option<f64>,
    /// Wall time of the point, seconds.
    pub elapsed_s: f64,
}

impl PointSummary {
    /// Summarises the chips of one point; without chips every statistic is `NaN`.
    ///
    /// Mean and standard deviation of the accuracy come from exact integer sums of the counts, so
    /// they do not depend on the order or the waves in which the chips were simulated.
    pub fn new(axes: Axes, chips: &Census, inputs: &PointInputs) -> PointSummary {
        let images = chips.images();
        let m = chips.accuracy();
        let sorted: Ranked = chips.values().collect();
        let quantile = |p| statistics::quantile(&sorted, p);
        let quantiles = [0.05, 0.25, 0.5, 0.75, 0.95];
        let stratified = inputs.basis.stratified;
        let intervals = chips.quantile_intervals(quantiles, stratified);
        let good = chips.at_least(inputs.yield_limit) as usize;
        let count = chips.chips() as usize;
        let mean = chips.mean_interval(inputs.basis);
        let mut columns = chips.column_summaries(stratified);
        for (name, ideal) in &inputs.ideal_metrics {
            columns.entry(name.clone()).and_modify(|c| c.ideal = *ideal);
        }
        PointSummary {
            axes,
            settings: serde_json::Map::new(),
            chips: count,
            images,
            model_sha256: None,
            ideal: inputs.ideal,
            mean: m.mean(),
            std: m.std(),
            se: mean.se,
            mean_ci95: mean.ci95,
            mean_unseen: mean.unseen,
            chance: inputs.basis.chance.unwrap_or(f64::NAN),
            image_se: statistics::image_standard_error(m.mean(), images),
            min: chips.values().next().map_or(f64::NAN, |v| v.0),
            q05: quantile(0.05),
            q05_ci95: intervals[0],
            q25: quantile(0.25),
            q25_ci95: intervals[1],
            median: quantile(0.5),
            median_ci95: intervals[2],
            q75: quantile(0.75),
            q75_ci95: intervals[3],
            q95: quantile(0.95),
            q95_ci95: intervals[4],
            max: chips.values().next_back().map_or(f64::NAN, |v| v.0),
            yield_fraction: good as f64 / count as f64,
            yield_limit: inputs.yield_limit,
            yield_ci95: chips.yield_interval(inputs.yield_limit, stratified),
            yield_exact_ci95: clopper_pearson_interval(good, count),
            stratified,
            mean_loss: chips.loss().mean(),
            loss_vs_ideal: inputs.ideal - m.mean(),
            tuning_cost: inputs.tuning_cost,
            costs: inputs.costs.clone(),
            energy: inputs.energy.clone(),
            estimate: estimate_summary(chips.errors(), inputs.predicted_variance),
            worst: chips.worst().to_vec(),
            columns,
            elapsed_s: inputs.elapsed_s,
        }
    }
}

fn nan() -> f64 {
    f64::NAN
}

fn unknown() -> Interval {
    Interval::UNKNOWN
}

/// Statistics of the estimates' errors; `None` when no chip has an estimate.
fn estimate_summary(errors: &Moments, predicted_variance: Option<f64>) -> Option<EstimateSummary> {
    (errors.n() > 0).then(|| EstimateSummary {
        bias: errors.mean(),
        bias_ci95: errors.mean_interval(),
        variance: errors.variance(),
        variance_ci95: errors.variance_interval(),
        predicted_variance: predicted_variance.unwrap_or(f64::NAN),
    })
}

/// Enough to run a chip of the sweep again and to get the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The command line.
    pub command: String,
    /// The configuration as TOML, after overrides of the command line.
    pub config_toml: String,
    /// SHA-256 of the configuration's TOML, hexadecimal.
    pub config_sha256: String,
    /// When the run began, RFC 3339 in UTC.
    pub started: String,
    /// Operating system and architecture.
    pub system: String,
    /// Worker threads of the host.
    pub threads: usize,
    /// Graphics API or instruction set of the adapter.
    pub api: String,
    /// Driver of the adapter; empty for the CPU.
    pub driver: String,
    /// Further facts by name (data files and their digests, checkpoints, code revision).
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// How a network of a sweep was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingHistory {
    /// The training in words.
    pub label: String,
    /// Its epochs, in order.
    pub epochs: Vec<EpochRecord>,
}

/// A whole sweep: what `summary.json` holds. The chips' rows are in `chips.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Title for people.
    pub title: String,
    /// Seed of the chips.
    pub seed: u64,
    /// `cpu` or `gpu`.
    pub backend: String,
    /// Name of the adapter or processor.
    pub adapter: String,
    /// Wall time of the sweep, seconds.
    pub elapsed_s: f64,
    /// The configuration that ran.
    pub config: serde_json::Value,
    /// Where its files are, if that is known; not part of the JSON.
    #[serde(skip)]
    pub directory: Option<PathBuf>,
    /// The fields that the sweep varies, by their paths in the experiment file: columns of
    /// `chips.csv`, with the values of [`PointSummary::settings`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<String>,
    /// One summary per point, in the order of [`ChipRow::point`].
    pub points: Vec<PointSummary>,
    /// Points against each other on the same chips.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// The trainings of the points' networks, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trainings: Vec<TrainingHistory>,
    /// How to run it again.
    pub provenance: Provenance,
}

impl SweepResult {
    /// The columns that any point has besides [`ChipRow::FIELDS`], in the order of files and tables.
    pub fn columns(&self) -> Vec<&'static Column> {
        let names = self.points.iter().flat_map(|point| point.columns.keys());
        columns::named(names.map(String::as_str))
    }
}
