//! Quantizer steps that are chosen on the host: from calibration samples, or as the starting point
//! of learned steps.

use crate::backend::Session;
use crate::config::parts::LearnedRange;
use crate::config::{ActivationStep, Quantize};
use crate::error::Result;
use crate::network::Parameters;
use crate::network::lower::Numerics;
use crate::network::lower::training::Training;
use crate::network::state::Part;
use crate::program::{ActQuant, Rounding, Step};
use crate::quantize;
use crate::quantize::activation::Codes;

/// Step of an activation quantizer from samples of its input.
pub fn activation_step(q: &Quantize, samples: &[f32], quant: ActQuant) -> f32 {
    let codes = Codes {
        lo: quant.lo,
        hi: quant.hi,
        floor: quant.rounding == Rounding::Floor,
    };
    let choice = match q.activation_step {
        ActivationStep::MaxAbs => Step::MaxAbs,
        ActivationStep::Percentile => Step::Percentile(q.activation_percentile as f32),
        ActivationStep::Mse => Step::Mse,
        ActivationStep::Lsq => return learned_start(samples, quant.hi, 1.0),
    };
    quantize::activation::step(samples, codes, choice)
}

/// Starting point of a learned step: `2 mean|v| / sqrt(Q)` (Esser et al., arXiv 1902.08153, 2.1).
/// A step that began at 0 would stay there, so values that are all 0 count as of magnitude `usual`.
fn learned_start(values: &[f32], top: i32, usual: f64) -> f32 {
    let mean = match mean_magnitude(values) {
        0.0 => usual,
        mean => mean,
    };
    (2.0 * mean / f64::from(top.max(1)).sqrt()) as f32
}

/// Step of a range that is learned from there: so many standard deviations of its inputs. Inputs that are all the same
/// count as of the standard deviation 1.
pub fn range_start(range: &LearnedRange, values: &[f32], quant: ActQuant) -> f32 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / n;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2));
    let deviation = match (squares.sum::<f64>() / n).sqrt() {
        0.0 => 1.0,
        deviation => deviation,
    };
    (range.sigmas * deviation / f64::from(quant.hi.max(1))) as f32
}

fn mean_magnitude(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(v.abs())).sum::<f64>() / values.len().max(1) as f64
}

/// Writes the starting points of all learned weight steps.
pub fn initial_weight_steps(
    session: &mut dyn Session,
    training: &Training,
    numerics: &Numerics,
    parameters: &Parameters,
) -> Result<()> {
    for state in &training.states {
        let Some((layer, Part::WeightStep)) = Part::parse(&state.name) else {
            continue;
        };
        let Some(weight) = parameters.get(layer, Part::Weight) else {
            continue;
        };
        let top = (1 << (numerics.of(layer).weight_bits.max(2) - 1)) - 1;
        let steps: usize = state.shape.iter().product();
        let per_step = weight.data.len() / steps;
        // A channel of zeros begins as its layer, a layer of zeros as one just initialised.
        let inputs = weight.shape.iter().skip(1).product::<usize>().max(1);
        let usual = match mean_magnitude(&weight.data) {
            0.0 => (2.0 / inputs as f64).sqrt(),
            mean => mean,
        };
        let values: Vec<f32> = weight
            .data
            .chunks_exact(per_step)
            .map(|w| learned_start(w, top, usual))
            .collect();
        session.write(state.tensor, &values)?;
    }
    Ok(())
}
