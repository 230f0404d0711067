//! Combinations of values that are each allowed but make no sense together.

mod cells;
mod energy;
mod layouts;
mod sampled;
mod search;

use super::network::{Activation, NetworkKind};
use super::quantize::{ActivationRange, ActivationStep, BinaryWeightGroup, WeightStep};
use super::train::{Recipe, Schedule};
use super::tuning::TuningMethod;
use super::variation::Mapping;
use super::{Experiment, LayerSettings, Wafer, parts};

/// A mistake in an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Problem {
    /// The fields that contradict each other, the one to name first.
    pub(super) fields: &'static [&'static str],
    /// What is wrong and what is allowed.
    pub(super) message: String,
}

/// Dies of the smallest allowed size on the largest wafer would be millions; the Gaussian field
/// and the wafer map are made for what a wafer really carries.
const MAX_DIES: f64 = 100_000.0;

/// Every contradiction in one point of a sweep.
pub(super) fn problems(e: &Experiment) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |fields, message: String| found.push(Problem { fields, message });
    if e.sweep.until.is_some() && e.sweep.max_chips < e.sweep.chips {
        let (most, fewest) = (e.sweep.max_chips, e.sweep.chips);
        add(
            &["sweep.max_chips", "sweep.chips"],
            format!("is below sweep.chips, {fewest}; allowed: {fewest} and more, not {most}"),
        );
    }
    batches(e, &mut add);
    schedule(e, &mut add);
    recipe(e, &mut add);
    quantizers(e, &mut add);
    network(e, &mut add);
    on_off_ratio(e, &mut add);
    if let Some(w) = &e.variation.wafer {
        wafer(w, &mut add);
    }
    cells::problems(e, &mut add);
    energy::problems(e, &mut add);
    layouts::problems(e, &mut add);
    sampled::problems(e, &mut add);
    search::problems(e, &mut add);
    shared_gain(e, &mut add);
    parts::problems(e, &mut found);
    found
}

/// Converters that could share a gain are there.
fn shared_gain(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let own = &e.layer;
    let converts = e.chip.adc.converts()
        || own
            .patterns()
            .any(|pattern| own.sets_at(pattern, "chip.adc.bits"));
    if e.fidelity == super::Fidelity::Cell && e.chip.adc.shared && !converts {
        add(
            &["chip.adc.shared", "chip.adc.bits"],
            "a gain that all converters share, and there are none; allowed: false, or chip.adc.bits above 0"
                .into(),
        );
    }
}

/// Chips and parts divide a batch.
fn batches(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let t = &e.train;
    if !t.batch.is_multiple_of(t.chips_per_batch) {
        let (chips, batch) = (t.chips_per_batch, t.batch);
        add(
            &["train.chips_per_batch", "train.batch"],
            format!(
                "{chips} chips do not divide a batch of {batch} images; allowed: divisors of {batch}"
            ),
        );
    }
    if !t.batch.is_multiple_of(t.chips_per_batch * t.accumulate) && t.accumulate > 1 {
        let (parts, batch) = (t.accumulate, t.batch);
        add(
            &["train.accumulate", "train.batch"],
            format!(
                "{parts} parts do not divide a batch of {batch} images (on {} chips each); allowed: divisors of {batch}",
                t.chips_per_batch
            ),
        );
    }
}

/// What the epochs of a training are for.
fn schedule(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let t = &e.train;
    if t.evaluate_every > 0 && e.data.validation == 0 {
        add(
            &["train.evaluate_every", "data.validation"],
            "no training images are held out to evaluate; allowed: 0, or data.validation above 0"
                .into(),
        );
    }
    if t.warmup_epochs >= t.epochs && t.warmup_epochs > 0 {
        let (warmup, epochs) = (t.warmup_epochs, t.epochs);
        add(
            &["train.warmup_epochs", "train.epochs"],
            format!(
                "{warmup} of {epochs} epochs leave none after the warm-up; allowed: 0 to {}",
                epochs - 1
            ),
        );
    }
    if t.schedule == Schedule::Constant && t.warmup_epochs > 0 {
        add(
            &["train.warmup_epochs"],
            "a constant learning rate has no warm-up; allowed: 0, or schedule \"step\" or \"cosine\"".into(),
        );
    }
}

/// A recipe has something to do.
fn recipe(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let (q, t) = (&e.quantize, &e.train);
    let c = t.composition();
    if c.quantizes_afterwards().is_some() && q.weight_bits == 0 {
        add(
            &["quantize.weight_bits", "train.recipe"],
            format!(
                "0 bits leave nothing to quantize after training; allowed with recipe \"{}\": 1 to 8",
                t.recipe
            ),
        );
    }
    let after = c.quantizes_afterwards().is_some();
    if t.epochs == 0 && after && c.sees_variation() {
        add(
            &["train.epochs", "train.recipe"],
            format!(
                "0 epochs see no variation; allowed with recipe \"{}\": 1 to 100000, or recipe \"ptq\" for the network as it is",
                t.recipe
            ),
        );
    }
    let from_file = e.network.kind == NetworkKind::File;
    if from_file && e.network.width != 1.0 {
        add(
            &["network.width", "network.kind"],
            "a network from a file has the width that it has; allowed: 1".into(),
        );
    }
    if t.recipe == Recipe::Qat && q.weight_bits == 0 && q.activation_bits == 0 && q.input_bits == 0
    {
        add(
            &["train.recipe", "quantize.weight_bits"],
            "\"qat\" with nothing quantized is recipe \"float\"; allowed: \"float\", or weight_bits, activation_bits or input_bits above 0".into(),
        );
    }
}

/// A network has what is asked of it.
fn network(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let from_file = e.network.kind == NetworkKind::File;
    let method = e.tuning.method;
    if method.adapts_norms() && !e.network.batch_norm && !from_file {
        add(
            &["tuning.method", "network.batch_norm"],
            format!(
                "\"{method}\" needs a network with batch norm; allowed without: \"none\", \"self-tuning\", \"reference-columns\", \"level-columns\", \"oracle\""
            ),
        );
    }
    if e.network.kind == NetworkKind::Cnn && e.network.channels.is_empty() {
        add(
            &["network.channels", "network.kind"],
            "a cnn needs blocks; allowed: a list of 1 to 8 integers".into(),
        );
    }
}

/// Contradictions of a layer with settings of its own that the experiment has not.
pub(super) fn problems_of_layer(e: &Experiment, layer: &LayerSettings) -> Vec<Problem> {
    let known = problems(e);
    let mut found = Vec::new();
    let mut add = |fields, message: String| found.push(Problem { fields, message });
    let own = layer.everywhere(e);
    quantizers(&own, &mut add);
    if !layer.tuned && e.tuning.method.adapts_norms() {
        let does = match e.tuning.method {
            TuningMethod::BnTraining => "trains",
            _ => "measures",
        };
        add(
            &["tuned", "tuning.method"],
            format!(
                "\"{}\" {does} the batch norm of the whole network; allowed with it: true",
                e.tuning.method
            ),
        );
    }
    if !layer.digital {
        on_off_ratio(&own, &mut add);
        cells::problems(&own, &mut add);
        energy::problems(&own, &mut add);
        layouts::problems(&own, &mut add);
        sampled::problems(&own, &mut add);
    }
    found.retain(|problem| !known.contains(problem));
    found
}

/// Quantizers that can be.
fn quantizers(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let q = &e.quantize;
    if e.train.composition().is_float() {
        return;
    }
    if q.weight_bits == 1 && matches!(q.weight_step, WeightStep::Percentile | WeightStep::Lsq) {
        add(
            &["quantize.weight_step", "quantize.weight_bits"],
            format!(
                "\"{}\" chooses no step of one bit, whose magnitude is mean|w|; allowed with 1 bit: \"max-abs\", \"line-search\", \"mse\" (all the same there)",
                q.weight_step
            ),
        );
    }
    if q.per_channel && q.binary_weight_group != BinaryWeightGroup::Layer {
        add(
            &["quantize.binary_weight_group", "quantize.per_channel"],
            format!(
                "\"{}\" and one step per output channel exclude each other; allowed with per_channel = true: \"layer\"",
                q.binary_weight_group
            ),
        );
    }
    if q.activation_bits == 1 && q.activation_step != ActivationStep::MaxAbs {
        add(
            &["quantize.activation_step", "quantize.activation_bits"],
            format!(
                "\"{}\" chooses no step of one bit, whose magnitude is mean|x|; allowed with 1 bit: \"max-abs\"",
                q.activation_step
            ),
        );
    }
    if q.activation_bits > 1
        && q.activation_range == ActivationRange::Unsigned
        && e.network.activation == Activation::Tanh
    {
        add(
            &["quantize.activation_range", "network.activation"],
            "unsigned codes lose the negative half of tanh; allowed with tanh: \"signed\"".into(),
        );
    }
}

/// Something of a cell's range is left to hold weights.
fn on_off_ratio(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let v = &e.variation;
    let left = 1.0 - v.g_min();
    if v.mapping != Mapping::Ideal && left < f64::from(f32::EPSILON) {
        add(
            &["variation.on_off_ratio", "variation.mapping"],
            format!(
                "{} leaves 1 - 1/{} = {left:.1e} of G_max to hold weights, and conductances are kept to {:.1e}; allowed: {} and more, or mapping \"{}\"",
                v.on_off_ratio,
                v.on_off_ratio,
                f32::EPSILON,
                1.0 + 2.0 * f32::EPSILON,
                Mapping::Ideal
            ),
        );
    }
}

fn wafer(w: &Wafer, add: &mut impl FnMut(&'static [&'static str], String)) {
    let radius = w.diameter_mm / 2.0 - w.edge_mm;
    let [width, height] = w.die_mm;
    if radius <= 0.0 {
        add(
            &["variation.wafer.edge_mm", "variation.wafer.diameter_mm"],
            format!(
                "an edge of {} mm leaves nothing of a wafer of {} mm; allowed: less than {} mm",
                w.edge_mm,
                w.diameter_mm,
                w.diameter_mm / 2.0
            ),
        );
    } else if width.hypot(height) / 2.0 > radius {
        add(
            &["variation.wafer.die_mm", "variation.wafer.diameter_mm"],
            format!(
                "no die of {width} x {height} mm fits; allowed: a diagonal of at most {} mm (diameter less edge)",
                2.0 * radius
            ),
        );
    } else if std::f64::consts::PI * radius * radius / (width * height) > MAX_DIES {
        add(
            &["variation.wafer.die_mm", "variation.wafer.diameter_mm"],
            format!(
                "more than {MAX_DIES} dies of {width} x {height} mm fit on a wafer; allowed: larger dies"
            ),
        );
    }
}
