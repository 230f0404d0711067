//! Quantizers of a network in a model that is written.

use super::export::Writer;
use super::write::{Attribute, codes, floats};
use crate::error::Result;
use crate::network::graph::Node;
use crate::network::state::Part;
use crate::program::{BinaryGroup, ConvGeometry, Rounding};

impl Writer<'_> {
    /// The input of a crossbar layer after its quantizer, with four dimensions; none where it has no
    /// quantizer.
    pub fn input_quantizer(&mut self, node: &Node, geo: &ConvGeometry) -> Result<Option<String>> {
        let (graph, n) = (&self.network.graph, self.network.numerics.of(&node.name));
        let source = node.inputs[0];
        let bits = n.input_bits_of(graph, source, geo);
        let to = format!("{}/input", node.name);
        match bits {
            0 => Ok(None),
            1 => {
                let group = n.binary_group_of(graph, source, geo);
                let x = self.map(source);
                let size = self.op("Abs", &[&x], &format!("{to}/size"), &[]);
                let axes = match group {
                    BinaryGroup::Channel => vec![2, 3],
                    BinaryGroup::Image => vec![1, 2, 3],
                };
                let mean = self.op(
                    "ReduceMean",
                    &[&size],
                    &format!("{to}/mean"),
                    &[
                        ("axes", Attribute::Ints(axes)),
                        ("keepdims", Attribute::Int(1)),
                    ],
                );
                let sign = self.op("Sign", &[&x], &format!("{to}/sign"), &[]);
                Ok(Some(self.op("Mul", &[&sign, &mean], &to, &[])))
            }
            bits => {
                let range = n.code_range(graph, source, bits);
                let rounding = n.act_rounding;
                let step = self.step(&node.name, Part::InputStep)[0];
                let x = self.map(source);
                let done = self.quantizer(&x, &to, &to, step, range, rounding);
                Ok(Some(done))
            }
        }
    }

    /// Steps of a quantizer; one that was never calibrated is 0.
    fn step(&self, name: &str, part: Part) -> Vec<f32> {
        let found = self.network.parameters.get(name, part);
        match found.map(|t| t.data.clone()) {
            Some(steps) if !steps.is_empty() => steps,
            _ => vec![0.0],
        }
    }

    /// `step * clamp(round(x / step), lo, hi)`: QuantizeLinear and DequantizeLinear of 8 bits where
    /// the codes fit, behind a Clip where they are fewer; else the formula in plain operators.
    pub fn quantizer(
        &mut self,
        x: &str,
        name: &str,
        to: &str,
        step: f32,
        (lo, hi): (i32, i32),
        rounding: Rounding,
    ) -> String {
        if step <= 0.0 {
            let zero = self.constant(floats(&format!("{name}/zero"), &[], &[0.0]));
            return self.op("Mul", &[x, &zero], to, &[]);
        }
        let scale = self.constant(floats(&format!("{name}/step"), &[], &[step]));
        let zero_point = match (lo, hi) {
            (-128.., ..=127) => Some((true, 0)),
            (0.., ..=255) => Some((false, 0)),
            (lo, hi) if i64::from(hi) - i64::from(lo) <= 255 && lo >= -255 => {
                Some((true, -128 - lo))
            }
            _ => None,
        };
        let fits = zero_point.filter(|(_, zero)| (-128..=127).contains(zero));
        if let (Rounding::Nearest, Some((signed, zero))) = (rounding, fits) {
            let whole = hi - lo == 255;
            let limited = match whole {
                true => x.to_string(),
                false => self.clip(
                    x,
                    &format!("{name}/limited"),
                    lo as f32 * step,
                    hi as f32 * step,
                ),
            };
            let zero = codes(&format!("{name}/zero"), &[], signed, &[zero]);
            let zero = self.constant(zero);
            let inputs = [limited.as_str(), &scale, &zero];
            let codes = self.op("QuantizeLinear", &inputs, &format!("{name}/codes"), &[]);
            return self.op("DequantizeLinear", &[&codes, &scale, &zero], to, &[]);
        }
        let kind = match rounding {
            Rounding::Nearest => "Round",
            Rounding::Floor => "Floor",
        };
        let divided = self.op("Div", &[x, &scale], &format!("{name}/divided"), &[]);
        let rounded = self.op(kind, &[&divided], &format!("{name}/rounded"), &[]);
        let limited = format!("{name}/limited");
        let limited = self.clip(&rounded, &limited, lo as f32, hi as f32);
        self.op("Mul", &[&limited, &scale], to, &[])
    }

    /// The weight of a crossbar layer, as codes where it is quantized.
    pub fn weight(&mut self, node: &Node, geo: &ConvGeometry, gemm: bool) -> Result<String> {
        let name = node.name.as_str();
        let values = self.parameter(name, Part::Weight, geo.weights())?.to_vec();
        let dims = match gemm {
            true => vec![geo.c_out, geo.c_in],
            false => vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw],
        };
        let full = Part::Weight.of(name);
        let numerics = self.network.numerics.of(name);
        let bits = numerics.weight_bits;
        if bits == 0 {
            return Ok(self.constant(floats(&full, &dims, &values)));
        }
        let steps = self.step(name, Part::WeightStep);
        let (_, run) = numerics.weight_steps(geo);
        let each = |i: usize| steps[i / run % steps.len()];
        let top = if bits == 1 {
            1.0
        } else {
            ((1u32 << (bits - 1)) - 1) as f32
        };
        let code = |(i, &w): (usize, &f32)| match each(i) {
            d if d <= 0.0 => 0,
            _ if bits == 1 => {
                if w >= 0.0 {
                    1
                } else {
                    -1
                }
            }
            d => (w / d).round_ties_even().clamp(-top, top) as i32,
        };
        let all: Vec<i32> = values.iter().enumerate().map(code).collect();
        // A scale must be positive; where there is no step all codes are 0.
        let scales: Vec<f32> = steps
            .iter()
            .map(|&d| if d > 0.0 { d } else { 1.0 })
            .collect();
        let sizes: &[usize] = if scales.len() == 1 {
            &[]
        } else {
            &[scales.len()]
        };
        let zeros = vec![0; scales.len()];
        let packed = self.constant(codes(&format!("{full}/codes"), &dims, true, &all));
        let scale = self.constant(floats(&format!("{full}/step"), sizes, &scales));
        let zero = self.constant(codes(&format!("{full}/zero"), sizes, true, &zeros));
        let of_inputs = run < geo.rows();
        let axis = [("axis", Attribute::Int(i64::from(of_inputs)))];
        Ok(self.op("DequantizeLinear", &[&packed, &scale, &zero], &full, &axis))
    }
}
