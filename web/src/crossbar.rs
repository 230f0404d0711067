//! The playground: one matrix times some vectors on many chips, every stage of one of them, and what the chips spread.

use std::rc::Rc;

use js_sys::{Float32Array, Object, Reflect};
use pimento::Error;
use pimento::backend::Backend;
use pimento::config::{Experiment, Fidelity};
use pimento::random::{Purpose, Stream};
use pimento::sweep::mvm::{self, Answer, Matrix, Problem};
use pimento::sweep::statistics::Moments;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, to_json};
use crate::wait;

/// What the page asks for, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// An experiment file at cell level.
    experiment: String,
    /// Outputs of the matrix: its columns in the arrays.
    outputs: usize,
    /// Inputs of the matrix: rows.
    inputs: usize,
    /// Input vectors, each used on every chip.
    vectors: usize,
    weights: Weights,
    #[serde(default)]
    signed_inputs: bool,
    /// Chips, from chip 0 of the experiment's seed on.
    chips: usize,
    /// The chip whose stages are wanted.
    shown: usize,
}

/// Where the weights come from.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
enum Weights {
    /// Standard normal numbers.
    Normal,
    /// Numbers between -1 and 1, all alike often.
    Uniform,
    /// Only -1, 0 and 1, all alike often.
    Ternary,
    /// `[output][input]`.
    Given { values: Vec<f32> },
}

/// The answer beside its arrays, as JSON.
#[derive(Serialize)]
struct Numbers {
    outputs: usize,
    inputs: usize,
    vectors: usize,
    chips: usize,
    /// Planes of cells that a converter reads, rows and columns of arrays, conversions of a column for one vector.
    planes: usize,
    row_tiles: usize,
    col_tiles: usize,
    conversions: usize,
    /// What one level of plane `i` counts, in weight codes.
    places: Vec<i32>,
    /// Root mean square error of the outputs over all chips, relative to the root mean square of the exact ones, with a
    /// 95 % interval, and the parts that all chips share and that differ from chip to chip. Squares of the parts add up to
    /// the square of the error, up to `1/chips` of the last.
    error: f64,
    interval: [Option<f64>; 2],
    bias: f64,
    spread: f64,
    /// Conversions beyond the range and all conversions, of all chips.
    clipped: f64,
    conversions_in_all: f64,
}

/// Solves the request; numbers and `Float32Array`s by name.
pub async fn answer(backend: Rc<dyn Backend>, request: &str) -> Result<Object, Fault> {
    let mistake = |e: serde_json::Error| Error::input(format!("the request: {e}"));
    let request: Request = serde_json::from_str(request).map_err(mistake)?;
    let experiment = Experiment::parse(&request.experiment, "experiment")?;
    let problem = problem(&experiment, &request)?;
    let (mut answers, mut wave) = (Vec::new(), request.chips.min(WAVE));
    while answers.len() < request.chips {
        let first = answers.len();
        let chips = wave.min(request.chips - first);
        match mvm::submit(backend.as_ref(), &experiment, &problem, first as u32, chips) {
            Ok(mut flight) => {
                wait::until(|| flight.is_ready()).await?;
                let wave = (first..).zip(flight.finish()?);
                answers.extend(wave.map(|(i, answer)| kept(answer, i == request.shown)));
            }
            // Fewer at a time may fit.
            Err(Error::Capacity(_)) if wave > 1 => wave /= 2,
            Err(e) => return Err(e.into()),
        }
    }
    picture(&answers, &problem, request.shown)
}

/// Most chips at a time.
const WAVE: usize = 64;

/// What is kept of a chip: of one that is not shown its outputs and how many conversions clipped.
fn kept(answer: Answer, shown: bool) -> Answer {
    match shown {
        true => answer,
        false => Answer {
            ideal: vec![],
            input_codes: vec![],
            weight_codes: vec![],
            planes: vec![],
            sums: vec![],
            codes: vec![],
            ranges: vec![],
            ..answer
        },
    }
}

/// Largest numbers of a side of the matrix, of vectors and of chips: what a page answers soon.
const MOST: [(&str, usize); 4] = [
    ("outputs", 256),
    ("inputs", 1024),
    ("vectors", 256),
    ("chips", 1000),
];

fn problem(experiment: &Experiment, request: &Request) -> Result<Problem, Error> {
    let (n_out, n_in) = (request.outputs, request.inputs);
    let asked = [n_out, n_in, request.vectors, request.chips];
    for ((what, most), asked) in MOST.into_iter().zip(asked) {
        if !(1..=most).contains(&asked) {
            return Err(Error::input(format!(
                "{what}: {asked}; allowed here: 1 to {most}"
            )));
        }
    }
    if experiment.fidelity != Fidelity::Cell {
        return Err(Error::input(format!(
            "fidelity = \"{}\" has no arrays; allowed here: \"cell\"",
            experiment.fidelity
        )));
    }
    let draw = |layer| Stream::new(experiment.seed, Purpose::Init, 0, layer, 0);
    let mut numbers = vec![0f32; n_out * n_in];
    let weights = draw(0);
    let weights = match &request.weights {
        Weights::Given { values } if values.len() != n_out * n_in => {
            return Err(Error::input(format!(
                "{} weights for {n_out} outputs and {n_in} inputs; allowed: {}",
                values.len(),
                n_out * n_in
            )));
        }
        Weights::Given { values } => values.clone(),
        Weights::Normal => {
            weights.fill_normals(0, &mut numbers);
            numbers
        }
        Weights::Uniform => {
            weights.fill_uniforms(0, &mut numbers);
            numbers.iter().map(|u| 2.0 * u - 1.0).collect()
        }
        Weights::Ternary => {
            weights.fill_uniforms(0, &mut numbers);
            numbers
                .iter()
                .map(|u| (3.0 * u).floor().min(2.0) - 1.0)
                .collect()
        }
    };
    if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
        return Err(Error::input(format!(
            "weight {} of output {} is {}; allowed: finite numbers",
            i % n_in,
            i / n_in,
            weights[i]
        )));
    }
    let mut inputs = vec![0f32; request.vectors * n_in];
    draw(1).fill_uniforms(0, &mut inputs);
    if request.signed_inputs {
        inputs.iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
    }
    Ok(Problem {
        matrix: Matrix::Weights(weights),
        size: (n_out, n_in),
        inputs,
        weight_max: None,
        input_max: Some(1.0),
        signed: Some(request.signed_inputs),
    })
}

fn picture(answers: &[Answer], problem: &Problem, shown: usize) -> Result<Object, Fault> {
    let Some(chip) = answers.get(shown) else {
        return Err(Error::input(format!(
            "chip {shown} is shown of {}; allowed: 0 to {}",
            answers.len(),
            answers.len() - 1
        ))
        .into());
    };
    let moments: Vec<Moments> = (0..chip.outputs.len())
        .map(|i| answers.iter().map(|a| f64::from(a.outputs[i])).collect())
        .collect();
    let numbers = numbers(answers, problem, chip, &moments);
    let of = |f: fn(&Moments) -> f64| moments.iter().map(|m| f(m) as f32).collect::<Vec<_>>();
    let object = Object::new();
    let set = |name: &str, value: &wasm_bindgen::JsValue| {
        // An own property of a plain object can be set.
        let _ = Reflect::set(&object, &name.into(), value);
    };
    set("numbers", &to_json(&numbers)?.into());
    let arrays: [(&str, &[f32]); 9] = [
        ("ideal", &chip.ideal),
        ("mean", &of(Moments::mean)),
        ("std", &of(Moments::std)),
        ("outputs", &chip.outputs),
        ("planes", &chip.planes),
        ("sums", &chip.sums),
        ("ranges", &chip.ranges),
        ("weightCodes", &chip.weight_codes),
        ("codes", &chip.codes),
    ];
    for (name, values) in arrays {
        set(name, &Float32Array::from(values).into());
    }
    Ok(object)
}

fn numbers(answers: &[Answer], problem: &Problem, chip: &Answer, moments: &[Moments]) -> Numbers {
    let ideal: Vec<f64> = chip.ideal.iter().map(|&y| y.into()).collect();
    let root_mean = |squares: f64| (squares / ideal.len() as f64).sqrt();
    let scale = root_mean(ideal.iter().map(|y| y * y).sum());
    let relative = |squares: f64| match scale > 0.0 {
        true => root_mean(squares) / scale,
        false => f64::NAN,
    };
    // Squares of the chips' errors: their mean is the square of the error of all.
    let square = |a: &Answer| {
        let pairs = a.outputs.iter().zip(&ideal);
        relative(pairs.map(|(&y, i)| (f64::from(y) - i).powi(2)).sum()).powi(2)
    };
    let squares: Moments = answers.iter().map(square).collect();
    let bias = moments.iter().zip(&ideal);
    let bias = relative(bias.map(|(m, i)| (m.mean() - i).powi(2)).sum());
    let spread = relative(moments.iter().map(Moments::variance).sum());
    let interval = squares.mean_interval();
    let known = |x: f64| x.is_finite().then_some(x);
    let arrays = &chip.arrays;
    let count = |a: &Answer| a.clipped.iter().map(|&n| f64::from(n)).sum::<f64>();
    let vectors = problem.inputs.len() / problem.size.1;
    Numbers {
        outputs: problem.size.0,
        inputs: problem.size.1,
        vectors,
        chips: answers.len(),
        planes: arrays.read_planes(),
        row_tiles: arrays.row_tiles(),
        col_tiles: arrays.col_tiles(),
        conversions: chip.conversions,
        places: (0..arrays.read_planes())
            .map(|plane| arrays.place(plane))
            .collect(),
        error: squares.mean().sqrt(),
        interval: [interval.lo, interval.hi].map(|x| known(x).map(|x| x.max(0.0).sqrt())),
        bias,
        spread,
        clipped: answers.iter().map(count).sum(),
        conversions_in_all: (answers.len() * chip.sums.len()) as f64,
    }
}
