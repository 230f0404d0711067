//! What is looked at in a layer on arrays while a network runs.

use super::*;

/// What is looked at in a layer: the partial sums in front of its converters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// Nothing.
    No,
    /// Counts of consecutive groups of `[read plane][column]`, to calibrate ranges.
    Counts {
        /// Groups.
        groups: usize,
        /// Bins of a group.
        bins: usize,
    },
    /// The sums themselves, read noise included.
    Sums,
    /// The quantized inputs that drive the arrays.
    Inputs,
}

/// What a [`Tap`] leaves to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tapped {
    /// See [`Histogram`].
    Counts {
        /// Position among the layers on arrays.
        layer: usize,
        /// Half the range of every group, written by the host.
        limit: TensorId,
        /// Counts of the last run.
        counts: TensorId,
    },
    /// See [`PartialSums`].
    Sums {
        /// Position among the layers on arrays.
        layer: usize,
        /// Map of the last run (`Output`).
        sums: TensorId,
    },
    /// The quantized inputs.
    Inputs {
        /// Position among the layers on arrays.
        layer: usize,
        /// Map of the last run (`Output`): multiples of `step`.
        inputs: TensorId,
        /// What one input code stands for, `Flat(1)`, shared.
        step: TensorId,
    },
}

/// Adds the operators that look at what the converters of a layer see.
pub(super) fn tap_layer(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    (index, tap): (usize, Tap),
    (g, variance): (TensorId, Option<TensorId>),
    reading: &Reading,
    (x, x_step): (TensorId, TensorId),
    geo: ConvGeometry,
) -> Option<Tapped> {
    let shape = Shape::Image {
        c: reading.arrays.converters() * reading.dac.conversions(),
        h: geo.h_out(),
        w: geo.w_out(),
    };
    let mut sums = |y, variance| {
        ops.push(Op::from(PartialSums {
            x,
            x_step,
            g,
            variance,
            y,
            geo,
            spec: reading.without_converter(),
        }));
    };
    match tap {
        Tap::No => None,
        Tap::Counts { groups, bins } => {
            let x = b.temp("partial sums", shape, Scope::PerChip);
            sums(x, None);
            let mut state = |what: &str, len| {
                let name = format!("layer {index}.{what}");
                b.program
                    .tensor(name, Shape::Flat(len), Scope::Shared, Role::State)
            };
            let limit = state("limit", groups);
            let counts = state("counts", groups * bins);
            ops.push(Op::from(Histogram {
                x,
                limit,
                out: counts,
                bins,
            }));
            Some(Tapped::Counts {
                layer: index,
                limit,
                counts,
            })
        }
        Tap::Sums => {
            let name = format!("layer {index}.partial sums");
            let y = b.program.tensor(name, shape, Scope::PerChip, Role::Output);
            sums(y, variance);
            Some(Tapped::Sums {
                layer: index,
                sums: y,
            })
        }
        Tap::Inputs => {
            let name = format!("layer {index}.inputs");
            let program = &mut b.program;
            let (shape, scope) = (program.desc(x).shape, program.desc(x).scope);
            let y = program.tensor(name, shape, scope, Role::Output);
            let values = shape.len() as u32;
            ops.push(Op::from(Rearrange {
                x,
                y,
                first: 0,
                table: (0..values).collect(),
                fill: 0.0,
            }));
            Some(Tapped::Inputs {
                layer: index,
                inputs: y,
                step: x_step,
            })
        }
    }
}
