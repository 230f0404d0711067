//! One matrix on one chip, with every stage in the open: how a model of arrays is held against a
//! circuit simulator, and how a converter is understood.
//!
//! The matrix goes through the same operators as a layer of a network in a sweep, on either backend.

mod given;

use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::chip::ChipVariation;
use crate::chip::calibrate::Calibration;
use crate::chip::cells::{self, InputCodes};
use crate::chip::layer::{CellLayer, Pairs, Tuned};
use crate::config::{Experiment, TuningMethod};
use crate::error::{Error, Result};
use crate::network::lower::cells::program_ops;
use crate::network::lower::layer_address;
use crate::program::{
    Arrays, ConvGeometry, ConverterFold, Crossbar, IrDrop, Op, PartialSums, Post, Program, Role,
    Scope, SectionId, Shape, TensorId,
};
use crate::quantize::{self, activation, weight};
use crate::tuning::cells::{CellTuner, Held, TunedLayer, tune};

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
    experiment.check()?;
    let (n_out, n_in) = problem.size;
    let geo = ConvGeometry::linear(n_in, n_out);
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
    let ranges = match Calibration::of(&layer, &experiment.chip.adc) {
        Some(histograms) => Some(calibrated(histograms, &layer, &weights, &inputs, problem)?),
        None => layer.ranges.take(),
    };
    layer.set_ranges(ranges);
    layer.reading.exact = false;

    let chips = ChipVariation::new(&experiment.variation)?;
    let held = match &problem.matrix {
        Matrix::Weights(_) => {
            Held::new(&layer.programming.arrays, &weights.values, &[weights.step])
        }
        Matrix::Conductances(_) => Held::default(),
    };
    let tuned_layer = TunedLayer {
        cells: layer.clone(),
        geo,
        held,
    };
    let tuner = CellTuner::new(t, &chips, vec![tuned_layer]);
    let mut tuned = tuner.chip(experiment.seed, chip, &chips);
    let tuned = tuned.layers.remove(0);

    let net = Net::new(&layer, geo);
    let count = inputs.values.len() / n_in.max(1);
    let mut session = net.open(backend, count)?;
    let s = session.as_mut();
    s.write(net.x_step, &[inputs.step])?;
    s.write(net.x, &inputs.values)?;
    s.write(net.w_step, &[weights.step])?;
    s.write(net.array, &tuned.arrays)?;
    if let (Some(range), Some(pairs)) = (net.range, &layer.ranges) {
        s.write(range, pairs.as_flattened())?;
    }
    if let Some(correct) = net.correct {
        s.write(correct, &tuned.correct)?;
    }
    if let Some(scale) = net.scale {
        s.write(scale, &tuned.scale)?;
    }
    let args = RunArgs::wave(experiment.seed, chip, 1, 0..count);
    match &problem.matrix {
        Matrix::Weights(_) => {
            s.write(net.w, &weights.values)?;
            s.run(net.program_cells, &args)?;
        }
        Matrix::Conductances(g) => net.place(s, &layer, g)?,
    }
    if let Some(wires) = net.wires {
        s.run(wires, &args)?;
    }
    if let Some(convert) = net.convert {
        s.run(convert, &args)?;
    }
    s.run(net.read, &args)?;

    let outputs = s.read(net.y)?;
    if let Some(i) = outputs.iter().position(|y| !y.is_finite()) {
        return Err(Error::input(format!(
            "output {} of vector {} leaves f32, whose largest number is {:e}; a weight code stands for {:e}, an \
             input code for {:e}; allowed: smaller magnitudes",
            i % n_out,
            i / n_out,
            f32::MAX,
            weights.step,
            inputs.step
        )));
    }
    let sums = s.read(net.sums)?;
    let codes = match (&layer.reading.adc, net.adc) {
        (Some(adc), Some(constants)) => {
            let constants = s.read(constants)?;
            codes_of(&layer, (adc.lo, adc.hi), &constants, &sums)
        }
        _ => vec![],
    };
    Ok(Answer {
        outputs,
        ideal: ideal(&weights, &inputs, problem.size),
        planes: s.read(net.planes)?,
        clipped: s.read(net.clipped)?,
        sums,
        codes,
        input_codes: inputs.codes(),
        weight_codes: weights.codes(),
        ranges: layer.ranges.map_or(vec![], |p| p.as_flattened().to_vec()),
        steps: (weights.step, inputs.step),
        conversions: layer.reading.dac.conversions(),
        arrays: layer.programming.arrays.clone(),
    })
}

/// Quantized numbers.
struct Codes {
    values: Vec<f32>,
    step: f32,
}

impl Codes {
    /// Inputs, and which codes they have.
    fn of_inputs(experiment: &Experiment, problem: &Problem) -> Result<(Self, InputCodes)> {
        let bits = experiment.quantize.activation_bits;
        if !(2..=8).contains(&bits) {
            return Err(Error::input(format!(
                "quantize.activation_bits = {bits}: inputs need codes to drive arrays with; allowed: 2 to 8"
            )));
        }
        let negative = problem.inputs.iter().any(|x| *x < 0.0);
        let signed = problem.signed.unwrap_or(negative);
        if negative && !signed {
            return Err(Error::input(
                "there are negative inputs, which unsigned codes do not hold; allowed: signed codes",
            ));
        }
        let codes = match signed {
            true => activation::Codes::signed(bits),
            false => activation::Codes::unsigned(bits),
        };
        let most = || quantize::max_abs(&problem.inputs);
        let most = problem.input_max.unwrap_or_else(most);
        let step = step("input", most, codes.hi as f32)?;
        let values = problem.inputs.iter();
        let values = values
            .map(|&x| activation::quantize(x, step, codes))
            .collect();
        Ok((Self { values, step }, InputCodes { bits, signed }))
    }

    /// Weights; none where conductances are given.
    fn of_weights(problem: &Problem, bits: u32) -> Result<Self> {
        let of_max = |most: f32| step("weight", most, weight::highest_code(bits));
        Ok(match &problem.matrix {
            Matrix::Conductances(_) => Self {
                values: vec![],
                step: problem.weight_max.map_or(Ok(1.0), of_max)?,
            },
            Matrix::Weights(w) => {
                let own = || match bits {
                    1 => step("weight", quantize::mean_abs(w), 1.0),
                    _ => of_max(quantize::max_abs(w)),
                };
                let step = problem.weight_max.map_or_else(own, of_max)?;
                let values = w.iter().map(|&w| weight::quantize(w, step, bits)).collect();
                Self { values, step }
            }
        })
    }

    fn codes(&self) -> Vec<f32> {
        let code = |v: &f32| match self.step > 0.0 {
            true => (v / self.step).round_ties_even(),
            false => 0.0,
        };
        self.values.iter().map(code).collect()
    }
}

/// What one code of `highest` stands for where the highest is `most`. Below the normal numbers a
/// step has few digits or none, and adapters take it for 0.
fn step(what: &str, most: f32, highest: f32) -> Result<f32> {
    let step = most / highest;
    if most > 0.0 && step < f32::MIN_POSITIVE {
        return Err(Error::input(format!(
            "{what}s: {most:e} for the highest of {highest} codes leaves a code less than {:e}, the smallest that f32 \
             holds in full; allowed: a largest {what} of at least {:e}",
            f32::MIN_POSITIVE,
            f32::MIN_POSITIVE * highest
        )));
    }
    Ok(step)
}

/// What a code of a weight times a code of an input stands for is a number too.
fn check_product(weight: f32, input: f32) -> Result<()> {
    let product = f64::from(weight) * f64::from(input);
    let holds = f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX);
    if product == 0.0 || holds.contains(&product) {
        return Ok(());
    }
    Err(Error::input(format!(
        "a weight code stands for {weight:e}, an input code for {input:e}, and their product {product:e} is none of \
         the {:e} to {:e} that f32 holds; allowed: other largest weights or inputs",
        f32::MIN_POSITIVE,
        f32::MAX
    )))
}

/// Codes times codes, in integers.
fn ideal(weights: &Codes, inputs: &Codes, (n_out, n_in): (usize, usize)) -> Vec<f32> {
    let (w, x) = (weights.codes(), inputs.codes());
    let scale = f64::from(weights.step) * f64::from(inputs.step);
    let mut out = vec![];
    for x in x.chunks_exact(n_in.max(1)) {
        for w in w.chunks_exact(n_in.max(1)).take(n_out) {
            let sum: i64 = w.iter().zip(x).map(|(w, x)| *w as i64 * *x as i64).sum();
            out.push((sum as f64 * scale) as f32);
        }
    }
    out
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
    let mut session = net.open(&backend, count)?;
    let s = session.as_mut();
    s.write(net.x_step, &[inputs.step])?;
    s.write(net.x, &inputs.values)?;
    s.write(net.w_step, &[weights.step])?;
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
        Matrix::Conductances(g) => net.place(s, &nominal, g)?,
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
fn codes_of(layer: &CellLayer, (lo, hi): (i32, i32), constants: &[f32], sums: &[f32]) -> Vec<f32> {
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
        code.clamp(lo as f32, hi as f32)
    };
    sums.iter().enumerate().map(code).collect()
}

/// The program of one matrix.
struct Net {
    program: Program,
    x: TensorId,
    x_step: TensorId,
    w: TensorId,
    w_step: TensorId,
    array: TensorId,
    cells: Option<TensorId>,
    planes: TensorId,
    variance: Option<TensorId>,
    range: Option<TensorId>,
    correct: Option<TensorId>,
    scale: Option<TensorId>,
    adc: Option<TensorId>,
    y: TensorId,
    clipped: TensorId,
    sums: TensorId,
    program_cells: SectionId,
    wires: Option<SectionId>,
    convert: Option<SectionId>,
    read: SectionId,
}

impl Net {
    fn new(layer: &CellLayer, geo: ConvGeometry) -> Self {
        let mut p = Program::default();
        let a = &layer.programming.arrays;
        let mut flat = |name: &str, n, scope| p.tensor(name, Shape::Flat(n), scope, Role::State);
        let (shared, chip) = (Scope::Shared, Scope::PerChip);
        let planes_len = a.read_planes() * a.plane_len();
        let x_step = flat("input step", 1, shared);
        let w = flat("weights", a.plane_len(), shared);
        let w_step = flat("weight step", 1, shared);
        let array = flat("arrays", a.cell_arrays(), chip);
        let raw = layer.wires.is_some();
        let cells = raw.then(|| flat("cells", a.cells(), chip));
        let planes = flat("planes", planes_len, chip);
        let noisy = layer.reads_noise();
        let variance = noisy.then(|| flat("variance", planes_len, chip));
        let converts = layer.reading.adc.is_some();
        let range = converts.then(|| flat("range", 2 * a.read_planes() * a.cols, shared));
        let adc = converts.then(|| flat("converters", 2 * a.converters(), chip));
        let correct =
            (layer.tuned == Tuned::Digital).then(|| flat("correction", 2 * a.converters(), chip));
        let read_arrays = a.row_tiles() * a.col_tiles() * a.read_planes();
        let scale = (layer.tuned == Tuned::Reference && converts)
            .then(|| flat("reference", read_arrays, chip));
        p.keep(planes, layer.kept());
        let mut map = |name: &str, c, scope, role| {
            p.tensor(name, Shape::Image { c, h: 1, w: 1 }, scope, role)
        };
        let x = map("inputs", geo.c_in, shared, Role::Input);
        let y = map("outputs", geo.c_out, chip, Role::Output);
        let clipped = map("clipped", geo.c_out, chip, Role::Output);
        let conversions = layer.reading.dac.conversions();
        let sums = map("sums", a.converters() * conversions, chip, Role::Output);

        let program_cells = p.section(
            "program",
            program_ops(layer, (w, w_step, array), planes, cells, variance),
        );
        let wires = layer.wires.as_ref().zip(cells).map(|(spec, g)| {
            let op = Op::from(IrDrop {
                g,
                out: planes,
                spec: spec.clone(),
            });
            p.section("wires", vec![op])
        });
        let convert = range.zip(adc).map(|(range, out)| {
            let op = Op::from(ConverterFold {
                range,
                scale,
                out,
                spec: layer.errors.clone(),
            });
            p.section("convert", vec![op])
        });
        let read = p.section(
            "read",
            vec![
                Op::from(PartialSums {
                    x,
                    x_step,
                    g: planes,
                    variance,
                    y: sums,
                    geo,
                    spec: layer.reading.without_converter(),
                }),
                Op::from(Crossbar {
                    x,
                    x_step,
                    g: planes,
                    variance,
                    w_step,
                    adc,
                    range,
                    correct,
                    y,
                    clipped: Some(clipped),
                    geo,
                    post: Post::NONE,
                    spec: layer.reading.clone(),
                }),
            ],
        );
        Self {
            program: p,
            x,
            x_step,
            w,
            w_step,
            array,
            cells,
            planes,
            variance,
            range,
            correct,
            scale,
            adc,
            y,
            clipped,
            sums,
            program_cells,
            wires,
            convert,
            read,
        }
    }

    fn open(&self, backend: &dyn Backend, count: usize) -> Result<Box<dyn Session>> {
        let want = Capacity {
            chips: 1,
            images: count,
            chunk: count,
        };
        self.program.check_images(count)?;
        let fits = backend.fit(&self.program, want)?;
        if fits.chunk < count {
            return Err(Error::capacity(format!(
                "{count} input vectors at once do not fit this backend, {} do; use fewer",
                fits.chunk
            )));
        }
        backend.prepare(&self.program, want)
    }
}
