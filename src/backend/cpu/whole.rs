//! Operators over whole tensors, one after the other, each parallel inside. See
//! [`Memory`](super::Memory) for how they read and write.
//!
//! Sums over images, chips and blocks are made in a fixed order: parallel over what is written,
//! never over what is summed (or over parts whose number depends on shapes only).

use super::block::missing;
use super::conv2d::ConvPlan;
use super::memory::Memory;
use super::planes::halves_mut;
use super::{
    adam, batch_norm, collapse_planes, conv2d_grad_weight, converter_fold, fabricate, histogram,
    ir_drop, lerp, program_cells, quantize_act, quantize_weight, sgd, tally, variance_ratio,
    weight_scale,
};
use crate::error::Result;
use crate::program::*;

/// Runs one operator that is not block-local. `conv` is given for convolutions.
pub(super) fn run_whole_op(
    op: &Op,
    conv: Option<&ConvPlan>,
    memory: &mut Memory,
    args: &RunArgs,
) -> Result<()> {
    match *op {
        // -- weights
        Op::WeightScale {
            w,
            scale,
            full_scale,
            run,
            bits,
            step,
        } => memory.each_chip([scale, full_scale], |m, chip, [scale, full]| {
            weight_scale::forward(m.flat(w, chip), run, bits, step, scale, full)
        }),
        Op::QuantizeWeight {
            w,
            scale,
            run,
            q,
            bits,
        } => memory.each_chip([q], |m, chip, [q]| {
            quantize_weight::forward(m.flat(w, chip), m.flat(scale, chip), run, bits, q)
        }),
        Op::QuantizeWeightGrad {
            w,
            scale,
            run,
            dq,
            dw,
            dscale,
            bits,
            ste,
        } => {
            memory.each_chip([dw], |m, chip, [dw]| {
                let (w, scale, dq) = (m.flat(w, chip), m.flat(scale, chip), m.flat(dq, chip));
                quantize_weight::grad(w, scale, run, dq, bits, ste, dw)
            });
            if let Some(dscale) = dscale {
                memory.each_chip([dscale], |m, chip, [dscale]| {
                    let (w, scale, dq) = (m.flat(w, chip), m.flat(scale, chip), m.flat(dq, chip));
                    quantize_weight::grad_scale(w, scale, run, dq, bits, dscale)
                });
            }
        }
        Op::Fabricate {
            w,
            full_scale,
            chip: fields,
            out,
            spec,
        } => memory.each_chip([out], |m, chip, [out]| {
            let cells = programmed(m, fields, chip, args);
            fabricate::forward(m.flat(w, 0), m.flat(full_scale, 0), &spec, cells, out)
        }),
        Op::FabricateGrad {
            w,
            chip: fields,
            dout,
            dw,
            spec,
        } => memory.each_chip([dw], |m, _, [dw]| {
            dw.fill(0.0);
            for chip in 0..m.chips() {
                let cells = programmed(m, fields, chip, args);
                fabricate::grad(m.flat(w, 0), m.flat(dout, chip), &spec, cells, dw);
            }
        }),

        // -- cells
        Op::ProgramCells {
            w,
            step,
            array,
            out,
            variance,
            ref spec,
        } => {
            let (kept, n) = (memory.desc(out).storage, memory.shape(out).len());
            let program = |m: &Memory, chip: usize, out: &mut [f32], var: Option<&mut [f32]>| {
                let layer = program_cells::Layer {
                    w: m.flat(w, 0),
                    step: m.flat(step, 0),
                    array: m.flat(array, chip),
                    spec,
                    args,
                    chip,
                };
                match kept {
                    Storage::F32 => program_cells::forward(layer, out, var),
                    Storage::F16 => program_cells::forward(layer, halves_mut(out, n), var),
                }
            };
            match variance {
                Some(v) => memory.each_chip([out, v], |m, c, [out, v]| program(m, c, out, Some(v))),
                None => memory.each_chip([out], |m, c, [out]| program(m, c, out, None)),
            }
        }
        Op::IrDrop { g, out, ref spec } => {
            let (kept, n) = (memory.desc(out).storage, memory.shape(out).len());
            memory.each_chip([out], |m, chip, [out]| match kept {
                Storage::F32 => ir_drop::forward(spec, m.flat(g, chip), out),
                Storage::F16 => ir_drop::forward(spec, m.flat(g, chip), halves_mut(out, n)),
            })
        }
        Op::ConverterFold {
            range,
            scale,
            out,
            ref spec,
        } => memory.each_chip([out], |m, chip, [out]| {
            let scale = scale.map(|t| m.flat(t, chip));
            converter_fold::forward(spec, m.flat(range, 0), scale, args, chip, out)
        }),
        Op::CollapsePlanes {
            g,
            w_step,
            correct,
            out,
            ref spec,
        } => memory.each_chip([out], |m, chip, [out]| {
            let correct = correct.map(|t| m.flat(t, chip));
            collapse_planes::forward(spec, m.planes(g, chip), m.flat(w_step, 0), correct, out)
        }),
        Op::Histogram {
            x,
            limit,
            out,
            bins,
        } => {
            let shared = memory.desc(out).scope == Scope::Shared;
            memory.each_chip([out], |m, chip, [out]| {
                let chips = match shared {
                    true => 0..m.chips_of(x),
                    false => chip..chip + 1,
                };
                histogram::forward(m, x, chips, m.flat(limit, 0), bins, out)
            });
        }

        // -- batch norm
        Op::BatchNormFold {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps,
        } => memory.each_chip([scale, shift], |m, chip, [scale, shift]| {
            let frozen = batch_norm::Frozen {
                mean: m.flat(mean, chip),
                var: m.flat(var, chip),
                gamma: m.flat(gamma, chip),
                beta: m.flat(beta, chip),
                eps,
            };
            batch_norm::fold(&frozen, scale, shift)
        }),

        // -- activations
        Op::Lerp {
            state,
            value,
            rate,
            times,
        } => memory.each_chip([state], |m, chip, [state]| {
            lerp::forward(state, m.flat(value, chip), rate, times, args.step)
        }),
        Op::QuantizeActGrad {
            x,
            dy,
            dx,
            dscale: Some(dscale),
            quant,
            ste,
        } => {
            memory.each_block([dx], |m, chip, block, [dx]| {
                let (x, dy) = (m.block(x, chip, block), m.block(dy, chip, block));
                quantize_act::grad(x, m.flat(quant.scale, 0)[0], dy, &quant, ste, dx)
            });
            memory.each_chip([dscale], |m, _, [dscale]| {
                dscale[0] = quantize_act::grad_scale(m, x, dy, &quant)
            })
        }

        // -- optimizers
        Op::Zero { t } => memory.each_chip([t], |_, _, [t]| t.fill(0.0)),
        Op::Sgd {
            w,
            g,
            m,
            momentum,
            weight_decay,
            nesterov,
            positive,
        } => {
            let c = sgd::Sgd {
                lr: args.lr,
                momentum,
                weight_decay,
                nesterov,
                positive,
            };
            memory.each_chip([w, m], |memory, chip, [w, m]| {
                sgd::step(w, memory.flat(g, chip), m, &c)
            })
        }
        Op::Adam {
            w,
            g,
            m,
            v,
            beta1,
            beta2,
            eps,
            weight_decay,
            decoupled,
            positive,
        } => {
            let c = adam::Adam {
                lr: args.lr,
                beta1,
                beta2,
                eps,
                weight_decay,
                decoupled,
                positive,
                step: args.step,
            };
            memory.each_chip([w, m, v], |memory, chip, [w, m, v]| {
                adam::step(w, memory.flat(g, chip), m, v, &c)
            })
        }

        // -- gradients of convolutions, tally
        Op::Conv2dGradWeight { x, dy, dw, .. } => {
            let plan = conv.ok_or_else(|| missing(op))?;
            conv2d_grad_weight::run(memory, plan, x, dy, dw);
        }
        Op::VarianceRatio { a, b, out } => memory.each_chip([out], |m, chip, [out]| {
            variance_ratio::forward(m.flat(a, chip), m.flat(b, chip), out)
        }),
        Op::Tally { hit, loss, tally } => memory.each_chip([tally], |m, chip, [tally]| {
            tally::accumulate(m, hit, loss, chip, tally)
        }),
        _ => return Err(missing(op)),
    }
    Ok(())
}

/// The chip at a position of the wave.
fn programmed(m: &Memory, fields: TensorId, chip: usize, args: &RunArgs) -> fabricate::Chip {
    let index = args.first_chip.wrapping_add(chip as u32);
    fabricate::Chip::new(args.seed, args.purpose, index, m.flat(fields, chip))
}
