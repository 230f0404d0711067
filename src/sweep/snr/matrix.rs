//! A crossbar layer without chips: its weights as they are and as they are quantized, its vectors, and their products.

use rayon::prelude::*;

use super::inputs::Vectors;
use super::powers::{Outputs, Ratio};
use crate::config::Fidelity;
use crate::error::{Error, Result};
use crate::network::lower::inference::alone::Weights;
use crate::network::state::Part;
use crate::program::ConvGeometry;
use crate::quantize::weight;
use crate::sweep::slices::as_linear;
use crate::train::Model;

/// A layer.
pub(super) struct Matrix {
    pub name: String,
    /// Position among the crossbar layers.
    pub index: usize,
    /// Geometry of its columns, one vector at a time.
    pub geo: ConvGeometry,
    /// How its weights are quantized.
    pub format: Weights,
    /// Weights and steps as the layer's program takes them: at cell level codes and 1.
    pub weights: Vec<f32>,
    pub steps: Vec<f32>,
    /// Inputs as the program takes them: at cell level codes.
    pub inputs: Vec<f32>,
    pub vectors: Vectors,
    /// Its products.
    pub outputs: Outputs,
    /// Products of weights and inputs before they are quantized, `[vector][output]`.
    pub float: Vec<f64>,
    /// Ratios of the layer without quantizers to what quantizers of inputs, of weights, and both take.
    pub quantization: [Ratio; 3],
}

/// Products of vectors `[vector][group][row]` and weights `[column][row]`.
fn products(geo: &ConvGeometry, weights: &[f32], vectors: &[f32]) -> Vec<f64> {
    let rows = geo.rows();
    let per_group = geo.c_out / geo.groups;
    let of_vector = |x: &[f32]| -> Vec<f64> {
        let columns = weights.chunks_exact(rows).enumerate();
        let column = |(o, w): (usize, &[f32])| {
            let x = &x[o / per_group * rows..][..rows];
            let both = w.iter().zip(x);
            both.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        columns.map(column).collect()
    };
    let vectors = vectors.par_chunks_exact(geo.groups * rows);
    vectors.flat_map_iter(of_vector).collect()
}

impl Matrix {
    /// The layer at a position among the crossbar layers.
    ///
    /// # Errors
    /// A parameter is missing; inputs without codes at cell level.
    pub fn new(model: &Model, level: Fidelity, index: usize, vectors: Vectors) -> Result<Self> {
        let (node, geo, _) = model.graph.crossbars()[index];
        let name = &model.graph.nodes[node].name;
        let numerics = model.numerics.of(name);
        let bits = numerics.weight_bits;
        let (n, run) = numerics.weight_steps(&geo);
        let linear = as_linear(&geo);
        let float = model.parameters.need(name, Part::Weight)?;
        let steps = model.parameters.need(name, Part::WeightStep)?;
        let step = |i: usize| steps[i / run % n.max(1)];
        let quantized: Vec<f32> = (float.iter().enumerate())
            .map(|(i, &w)| weight::quantize(w, step(i), bits))
            .collect();
        let mut matrix = Self {
            name: name.clone(),
            index,
            geo: linear,
            format: Weights {
                bits,
                steps: (n, run),
            },
            weights: float.to_vec(),
            steps: steps.to_vec(),
            inputs: vectors.quantized.clone(),
            float: products(&linear, float, &vectors.raw),
            outputs: Outputs {
                ideal: products(&linear, &quantized, &vectors.quantized),
                unit: vec![1.0; geo.c_out],
            },
            quantization: [Ratio::of(0.0, 0.0); 3],
            vectors,
        };
        matrix.quantization = matrix.quantized(float);
        if level == Fidelity::Cell {
            matrix.count_in_codes(&quantized)?;
        }
        Ok(matrix)
    }

    /// What quantizers of inputs, of weights, and both take.
    fn quantized(&self, float: &[f32]) -> [Ratio; 3] {
        let inputs = products(&self.geo, float, &self.vectors.quantized);
        let (before, after) = (&self.float, &self.outputs.ideal);
        let of = Outputs {
            ideal: before.clone(),
            unit: self.outputs.unit.clone(),
        };
        let signal = of.signal();
        let ratio = |a: &[f64], b: &[f64]| Ratio::of(signal, of.mean(|i| (a[i] - b[i]).powi(2)));
        [
            ratio(&inputs, before),
            ratio(after, &inputs),
            ratio(after, before),
        ]
    }

    /// Codes in the place of values: their sums are whole numbers, which single precision holds.
    fn count_in_codes(&mut self, quantized: &[f32]) -> Result<()> {
        let none = || Error::Internal(format!("the inputs of `{}` have no codes", self.name));
        let input = self.vectors.step.ok_or_else(none)?;
        let (n, run) = self.format.steps;
        let code = |v: f32, step: f32| match step > 0.0 {
            true => (v / step).round_ties_even(),
            false => 0.0,
        };
        let steps = &self.steps;
        let codes = quantized.iter().enumerate();
        self.weights = codes.map(|(i, &w)| code(w, steps[i / run % n])).collect();
        let inputs = self.vectors.quantized.iter();
        self.inputs = inputs.map(|&x| code(x, input)).collect();
        let unit = |o: usize| f64::from(steps[o % n]) * f64::from(input);
        self.outputs = Outputs {
            ideal: products(&self.geo, &self.weights, &self.inputs),
            unit: (0..self.geo.c_out).map(unit).collect(),
        };
        self.steps = vec![1.0];
        self.format.steps = (1, self.geo.weights());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_every_group() {
        let geo = ConvGeometry {
            groups: 2,
            ..ConvGeometry::linear(4, 2)
        };
        let found = products(
            &geo,
            &[1.0, 2.0, 3.0, 4.0],
            &[1.0, 0.5, -1.0, 2.0, 0.0, 1.0, 1.0, 0.0],
        );
        assert_eq!(found, [2.0, 5.0, 2.0, 3.0]);
    }
}
