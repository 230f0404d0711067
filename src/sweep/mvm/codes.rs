//! Weights and inputs as codes, and their exact product.

use super::{Matrix, Problem};
use crate::chip::cells::InputCodes;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::quantize::{self, activation, weight};

/// Quantized numbers.
pub(super) struct Codes {
    /// Multiples of the step.
    pub values: Vec<f32>,
    /// What one code stands for.
    pub step: f32,
}

impl Codes {
    /// Inputs, and which codes they have.
    pub fn of_inputs(experiment: &Experiment, problem: &Problem) -> Result<(Self, InputCodes)> {
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
    pub fn of_weights(problem: &Problem, bits: u32) -> Result<Self> {
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

    pub fn codes(&self) -> Vec<f32> {
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
pub(super) fn check_product(weight: f32, input: f32) -> Result<()> {
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
pub(super) fn ideal(weights: &Codes, inputs: &Codes, (n_out, n_in): (usize, usize)) -> Vec<f32> {
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
