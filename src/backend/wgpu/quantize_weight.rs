//! Weight quantizer and its gradients: `shaders/quantize_weight.wgsl`,
//! `shaders/quantize_weight_grad.wgsl`.

use super::combine;
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, Work};
use super::uniform::uniform;
use super::weight_scale::groups;
use crate::error::Result;
use crate::program::{QuantizeWeight, QuantizeWeightGrad, StraightThrough};
use crate::quantize::weight::highest_code;

/// Weights of a workgroup of the gradient; twin of `CHUNK` in its shader.
const CHUNK: usize = 4096;

uniform! {
    /// Twin of `Params` in `shaders/quantize_weight.wgsl`.
    struct Params {
        len: u32,
        run: u32,
        groups: u32,
        bits: u32,
        q: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/quantize_weight_grad.wgsl`.
    struct GradParams {
        size: u32,
        chunks: u32,
        groups: u32,
        bits: u32,
        clip: u32,
        learned: u32,
        q: f32,
        run: u32,
    }
}

impl OnGpu for QuantizeWeight {
    /// One thread a weight.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            scale,
            run,
            q,
            bits,
        } = *self;
        let (size, groups) = groups(cx, w, scale)?;
        let len = size * groups;
        let params = Params {
            len: len as u32,
            run: run as u32,
            groups: groups as u32,
            bits,
            q: highest_code(bits),
        };
        Ok(vec![
            Dispatch::new("quantize_weight", Work::flat(len))
                .params(&params)
                .read(w)
                .read(scale)
                .write(q),
        ])
    }
}

impl OnGpu for QuantizeWeightGrad {
    /// One workgroup a chunk of the weights that share a step, then, for LSQ, the sums of their
    /// partial results.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            scale,
            run,
            dq,
            dw,
            dscale,
            bits,
            ste,
        } = *self;
        let (size, groups) = groups(cx, w, scale)?;
        let chunks = size.div_ceil(CHUNK);
        let params = GradParams {
            size: size as u32,
            chunks: chunks as u32,
            groups: groups as u32,
            bits,
            clip: u32::from(ste == StraightThrough::Clip),
            learned: u32::from(dscale.is_some()),
            q: highest_code(bits),
            run: run as u32,
        };
        let partial = dscale.map_or(Operand::Unused, |_| Operand::Scratch {
            index: 0,
            floats: (chunks * groups) as u64,
        });
        let mut calls = vec![
            Dispatch::new("quantize_weight_grad", Work::groups(chunks * groups))
                .params(&params)
                .read(w)
                .read(scale)
                .read(dq)
                .write(dw)
                .write(partial),
        ];
        if let Some(dscale) = dscale {
            let n = size as f64 * f64::from(highest_code(bits));
            let factor = n.sqrt().recip() as f32;
            calls.push(combine::sum_groups(
                partial,
                chunks as u32,
                groups as u32,
                factor,
                dscale,
            ));
        }
        Ok(calls)
    }
}
