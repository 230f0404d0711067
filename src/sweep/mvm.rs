//! One matrix on one chip, with every stage in the open: how a model of arrays is held against a
//! circuit simulator, and how a converter is understood.
//!
//! The matrix goes through the same operators as a layer of a network in a sweep, on either backend.

mod codes;
mod energy;
mod given;
mod net;

use crate::backend::{Backend, Pending, RunArgs, Session};
use crate::chip::ChipVariation;
use crate::chip::calibrate::Calibration;
use crate::chip::cells;
use crate::chip::layer::{CellLayer, Pairs};
use crate::config::{Experiment, TuningMethod};
use crate::error::{Error, Result};
use crate::network::lower::layer_address;
use crate::program::{Adc, Arrays, CodeRange, ConvGeometry};
use crate::tuning::cells::{CellLayerTuning, CellTuner, Held, TunedLayer, tune};
use energy::Meter;
pub use energy::ProductEnergy;

use codes::{Codes, check_product, ideal};
use net::Net;

/// What stands in the cells.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Weights `[output][input]`, to be quantized and programmed.
    Weights(Vec<f32>),
    /// Conductances as they are, relative to `G_max`: `[cell plane][output][input]`. Wires and
    /// read noise act on them, programming does not; a reference column holds its nominal
    /// conductances.
    Conductances(Vec<f32>),
}

/// A problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The matrix.
    pub matrix: Matrix,
    /// Outputs and inputs of the matrix.
    pub size: (usize, usize),
    /// Input vectors `[vector][input]`.
    pub inputs: Vec<f32>,
    /// The magnitude that the highest weight code stands for; absent: the largest weight (one bit: the
    /// mean magnitude; conductances: one code is 1).
    pub weight_max: Option<f32>,
    /// The magnitude that the highest input code stands for; absent: the largest input.
    pub input_max: Option<f32>,
    /// Whether input codes are signed; absent: if any input is negative.
    pub signed: Option<bool>,
}

/// The answer, stage by stage. Arrays are row-major in the order of their description.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Outputs `[vector][output]`.
    pub outputs: Vec<f32>,
    /// The same product without any error: codes times codes, exactly; empty for given
    /// conductances, which have no codes.
    pub ideal: Vec<f32>,
    /// Codes of the inputs `[vector][input]`.
    pub input_codes: Vec<f32>,
    /// Codes of the weights `[output][input]`; empty for given conductances.
    pub weight_codes: Vec<f32>,
    /// What the converters' planes hold, level units, `[read plane][output][input]`.
    pub planes: Vec<f32>,
    /// Sums in front of the converters `[vector][read plane][output][row tile][conversion]`.
    pub sums: Vec<f32>,
    /// Codes behind them, without thermal noise and non-linearity; empty without converters.
    pub codes: Vec<f32>,
    /// Conversions beyond their range by more than half a code, `[vector][output]`.
    pub clipped: Vec<f32>,
    /// Ranges `(lsb, lo)` of `[read plane][output]`; empty without converters.
    pub ranges: Vec<f32>,
    /// What one weight code and one input code stand for.
    pub steps: (f32, f32),
    /// The arrays.
    pub arrays: Arrays,
    /// Conversions of a column for one vector.
    pub conversions: usize,
    /// What the products take; none without a section `[energy]`.
    pub energy: Option<ProductEnergy>,
}

/// Layer address of the matrix.
fn address() -> u32 {
    layer_address(0)
}

/// Solves a problem on chip `chip` of the experiment's seed.
///
/// # Errors
/// An impossible chip, sizes that do not fit, the device.
pub fn solve(
    backend: &dyn Backend,
    experiment: &Experiment,
    problem: &Problem,
    chip: u32,
) -> Result<Answer> {
    let mut answers = submit(backend, experiment, problem, chip, 1)?.finish()?;
    let none = || Error::Internal(format!("chip {chip} gave no answer"));
    answers.pop().ok_or_else(none)
}

/// Queues a problem on `chips` chips of the experiment's seed from chip `first` on, and asks for the answers without
/// waiting for them. Those of a chip do not depend on which chips it is solved with.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::sweep::mvm::{self, Matrix, Problem};
///
/// # fn main() -> pimento::Result<()> {
/// let text = "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
///             [variation]\nsigma_w = 0.1\n";
/// let experiment = Experiment::parse(text, "example")?;
/// let problem = Problem {
///     matrix: Matrix::Weights(vec![1.0, -0.5, 0.25, 1.0]),
///     size: (2, 2),
///     inputs: vec![1.0, 0.5],
///     weight_max: None,
///     input_max: None,
///     signed: None,
/// };
/// let mut flight = mvm::submit(&CpuBackend::new(), &experiment, &problem, 0, 10)?;
/// assert!(flight.is_ready()?); // the processor has computed already; a browser's adapter is asked again later
/// let answers = flight.finish()?;
/// let alone = mvm::solve(&CpuBackend::new(), &experiment, &problem, 7)?;
/// assert_eq!(answers[7].outputs, alone.outputs);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`solve`]; no chip; chips beyond `u32`.
pub fn submit(
    backend: &dyn Backend,
    experiment: &Experiment,
    problem: &Problem,
    first: u32,
    chips: usize,
) -> Result<Flight> {
    experiment.check()?;
    check_chips(first, chips)?;
    let (n_out, n_in) = problem.size;
    let geo = ConvGeometry::linear(n_in, n_out);
    refuse(experiment, problem)?;
    let (inputs, kind) = Codes::of_inputs(experiment, problem)?;
    let weight_bits = experiment.quantize.weight_bits;
    let mut layer = cells::layer(
        &experiment.chip,
        &experiment.variation,
        &geo,
        weight_bits,
        kind,
        address(),
    )?;
    let weights = Codes::of_weights(problem, weight_bits)?;
    check_product(weights.step, inputs.step)?;
    let t = &experiment.tuning;
    tune(std::slice::from_mut(&mut layer), t)?;
    let ranges = match Calibration::of(&layer) {
        Some(histograms) => Some(calibrated(histograms, &layer, &weights, &inputs, problem)?),
        None => layer.ranges.take(),
    };
    layer.set_ranges(ranges);
    layer.reading.exact = false;

    let tuned = tuned(experiment, problem, &layer, &weights, (first, chips))?;
    let net = Net::new(&layer, geo);
    let count = inputs.values.len() / n_in.max(1);
    let mut session = net.open(backend, count, chips)?;
    let s = session.as_mut();
    write(s, &net, (&layer, &weights, &inputs), &tuned)?;
    let args = RunArgs::wave(experiment.seed, first, chips, 0..count);
    run(s, &net, (&layer, &weights, problem), &args)?;
    let pending = s.submit(&net.stages())?;
    let read = energy::Read {
        layer: &layer,
        weights: &weights,
        matrix: &problem.matrix,
        tuned: &tuned,
        step: arrays_step(&layer, &weights),
    };
    let meter = Meter::submit(backend, experiment, &read, &geo, &args)?;
    Ok(Flight {
        pending,
        meter,
        ideal: ideal(&weights, &inputs, problem.size),
        size: problem.size,
        chips,
        layer,
        weights,
        inputs,
    })
}

/// Answers on their way.
pub struct Flight {
    /// [`Net::stages`] of all chips.
    pending: Pending,
    /// What the products take.
    meter: Option<Meter>,
    ideal: Vec<f32>,
    size: (usize, usize),
    chips: usize,
    layer: CellLayer,
    weights: Codes,
    inputs: Codes,
}

impl Flight {
    /// Whether [`Flight::finish`] would return at once.
    ///
    /// # Errors
    /// The device.
    pub fn is_ready(&mut self) -> Result<bool> {
        let metered = self.meter.as_mut().map_or(Ok(true), Meter::is_ready)?;
        Ok(metered && self.pending.is_ready()?)
    }

    /// The answer of every chip, in order.
    ///
    /// # Errors
    /// The device; outputs that leave f32.
    pub fn finish(self) -> Result<Vec<Answer>> {
        let Self {
            pending,
            meter,
            ideal,
            size,
            chips,
            layer,
            weights,
            inputs,
        } = self;
        let steps = (weights.step, inputs.step);
        let stages = pending.wait()?;
        let input_codes = inputs.codes();
        let energies = meter
            .map(|meter| meter.finish(&input_codes, chips))
            .transpose()?;
        let answer = |chip: usize| {
            let mut stages = stages.iter().map(|all| {
                let each = all.len() / chips;
                &all[chip * each..(chip + 1) * each]
            });
            let mut next = || stages.next().unwrap_or_default();
            let [outputs, planes, clipped, sums] = std::array::from_fn(|_| next().to_vec());
            check_outputs(&outputs, size.0, [steps.0, steps.1])?;
            let codes = match &layer.reading.adc {
                Some(adc) => codes_of(&layer, adc, next(), &sums),
                None => vec![],
            };
            Ok(Answer {
                outputs,
                ideal: ideal.clone(),
                planes,
                clipped,
                sums,
                codes,
                input_codes: input_codes.clone(),
                weight_codes: weights.codes(),
                ranges: (layer.ranges.as_ref()).map_or(vec![], |p| p.as_flattened().to_vec()),
                steps,
                conversions: layer.reading.dac.conversions(),
                arrays: layer.programming.arrays.clone(),
                energy: energies.as_ref().map(|all| all[chip].clone()),
            })
        };
        (0..chips).map(answer).collect()
    }
}

/// Refuses chips that do not exist.
fn check_chips(first: u32, chips: usize) -> Result<()> {
    let most = u64::from(u32::MAX - first) + 1;
    match (1..=most).contains(&(chips as u64)) {
        true => Ok(()),
        false => Err(Error::input(format!(
            "{chips} chips from chip {first} on; allowed: 1 to {most}"
        ))),
    }
}

/// What tuning gives every chip.
fn tuned(
    experiment: &Experiment,
    problem: &Problem,
    layer: &CellLayer,
    weights: &Codes,
    (first, count): (u32, usize),
) -> Result<Vec<CellLayerTuning>> {
    let chips = ChipVariation::new(&experiment.variation)?;
    let held = match &problem.matrix {
        Matrix::Weights(_) => {
            let steps = [arrays_step(layer, weights)];
            Held::new(&layer.programming.arrays, &weights.values, &steps)
        }
        Matrix::Conductances(_) => Held::default(),
    };
    let tuned_layer = TunedLayer {
        cells: layer.clone(),
        geo: ConvGeometry::linear(problem.size.1, problem.size.0),
        held,
    };
    let tuner = CellTuner::new(&experiment.tuning, &chips, vec![tuned_layer]);
    let one = |i| {
        let mut tuned = tuner.chip(experiment.seed, first + i as u32, &chips);
        tuned.layers.remove(0)
    };
    Ok((0..count).map(one).collect())
}

/// What a code of the arrays stands for.
fn arrays_step(layer: &CellLayer, weights: &Codes) -> f32 {
    weights.step / layer.programming.arrays.equal_slices as f32
}

/// Refuses what a matrix alone has not: a layout follows from the weights of a network. Given conductances are not
/// programmed, so there is nothing that tuning could correct.
fn refuse(experiment: &Experiment, problem: &Problem) -> Result<()> {
    if experiment.chip.array.lays_out() {
        return Err(Error::input(
            "chip.array.rearrange and chip.array.compact are of trained networks; allowed for one matrix: \"none\"",
        ));
    }
    if let (
        Matrix::Conductances(_),
        method @ (TuningMethod::SelfTuning
        | TuningMethod::LevelColumns
        | TuningMethod::Oracle
        | TuningMethod::ReferenceColumns),
    ) = (&problem.matrix, experiment.tuning.method)
    {
        return Err(Error::input(format!(
            "tuning.method = \"{method}\": it corrects what programming does to cells, and given conductances are \
             not programmed; allowed with them: \"{}\"",
            TuningMethod::None
        )));
    }
    Ok(())
}

/// Writes what the sections read.
fn write(
    s: &mut dyn Session,
    net: &Net,
    (layer, weights, inputs): (&CellLayer, &Codes, &Codes),
    tuned: &[CellLayerTuning],
) -> Result<()> {
    // Chip after chip.
    let all = |of: fn(&CellLayerTuning) -> &[f32]| -> Vec<f32> {
        tuned.iter().flat_map(of).copied().collect()
    };
    s.write(net.x_step, &[inputs.step])?;
    s.write(net.x, &inputs.values)?;
    s.write(net.w_step, &[arrays_step(layer, weights)])?;
    s.write(net.array, &all(|chip| &chip.arrays))?;
    if let (Some(range), Some(pairs)) = (net.range, &layer.ranges) {
        s.write(range, pairs.as_flattened())?;
    }
    if let Some(correct) = net.correct {
        s.write(correct, &all(|chip| &chip.correct))?;
    }
    if let Some(scale) = net.scale {
        s.write(scale, &all(|chip| &chip.scale))?;
    }
    Ok(())
}

/// Programs or places the cells, then reads them.
fn run(
    s: &mut dyn Session,
    net: &Net,
    (layer, weights, problem): (&CellLayer, &Codes, &Problem),
    args: &RunArgs,
) -> Result<()> {
    match &problem.matrix {
        Matrix::Weights(_) => {
            s.write(net.w, &weights.values)?;
            s.run(net.program_cells, args)?;
        }
        Matrix::Conductances(g) => net.place(s, layer, g, args.chips)?,
    }
    if let Some(wires) = net.wires {
        s.run(wires, args)?;
    }
    if let Some(convert) = net.convert {
        s.run(convert, args)?;
    }
    s.run(net.read, args)
}

/// Refuses outputs that leave f32.
fn check_outputs(outputs: &[f32], n_out: usize, [weight, input]: [f32; 2]) -> Result<()> {
    match outputs.iter().position(|y| !y.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::input(format!(
            "output {} of vector {} leaves f32, whose largest number is {:e}; a weight code stands for {:e}, an \
             input code for {:e}; allowed: smaller magnitudes",
            i % n_out,
            i / n_out,
            f32::MAX,
            weight,
            input
        ))),
    }
}

/// Calibrated ranges: of the sums of the inputs themselves on a nominal chip.
fn calibrated(
    mut histograms: Calibration,
    layer: &CellLayer,
    weights: &Codes,
    inputs: &Codes,
    problem: &Problem,
) -> Result<Pairs> {
    let nominal = layer.nominal().without_converter();
    let geo = ConvGeometry::linear(problem.size.1, problem.size.0);
    let net = Net::new(&nominal, geo);
    let count = inputs.values.len() / geo.c_in.max(1);
    let backend = crate::backend::cpu::CpuBackend::new();
    let mut session = net.open(&backend, count, 1)?;
    let s = session.as_mut();
    s.write(net.x_step, &[inputs.step])?;
    s.write(net.x, &inputs.values)?;
    s.write(net.w_step, &[arrays_step(layer, weights)])?;
    s.write(
        net.array,
        &vec![0.0; nominal.programming.arrays.cell_arrays()],
    )?;
    let args = RunArgs::wave(0, 0, 1, 0..count);
    match &problem.matrix {
        Matrix::Weights(_) => {
            s.write(net.w, &weights.values)?;
            s.run(net.program_cells, &args)?;
        }
        Matrix::Conductances(g) => net.place(s, &nominal, g, 1)?,
    }
    if let Some(wires) = net.wires {
        s.run(wires, &args)?;
    }
    s.run(net.read, &args)?;
    let sums = s.read(net.sums)?;
    let (groups, bins) = (histograms.groups(), histograms.bins);
    let per_vector = sums.len() / count.max(1);
    let mut counts = vec![0.0; groups * bins];
    for (i, v) in sums.iter().enumerate() {
        let group = i % per_vector * groups / per_vector;
        let share = (v / histograms.limits[group] + 1.0) / 2.0;
        let bin = (share * bins as f32).floor().clamp(0.0, (bins - 1) as f32);
        counts[group * bins + bin as usize] += 1.0;
    }
    histograms.add(&counts);
    Ok(histograms.ranges(false))
}

/// Codes of sums from the converters' constants.
fn codes_of(layer: &CellLayer, adc: &Adc, constants: &[f32], sums: &[f32]) -> Vec<f32> {
    let a = &layer.programming.arrays;
    let (tiles, planes, conversions) = (
        a.row_tiles(),
        a.read_planes(),
        layer.reading.dac.conversions(),
    );
    let per_vector = planes * a.cols * tiles * conversions;
    let code = |(i, v): (usize, &f32)| {
        let i = i % per_vector / conversions;
        let (r, column) = (i % tiles, i / tiles);
        let at = 2 * (r * planes * a.cols + column);
        let code = v
            .mul_add(constants[at], constants[at + 1])
            .round_ties_even();
        let CodeRange { lo, hi } = adc.codes_of(a.slice_of(column / a.cols));
        code.clamp(lo as f32, hi as f32)
    };
    sums.iter().enumerate().map(code).collect()
}
