//! Uniform activation quantizer and its gradients: `shaders/quantize_act.wgsl`,
//! `shaders/quantize_act_grad.wgsl`.

use super::combine::{Fold, Parts};
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{QuantizeAct, QuantizeActGrad, Rounding, StraightThrough};

uniform! {
    /// Twin of `Params` in `shaders/quantize_act.wgsl`.
    struct Params {
        x: View,
        y: View,
        lo: f32,
        hi: f32,
        take_floor: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/quantize_act_grad.wgsl`.
    struct GradParams {
        x: View,
        dy: View,
        dx: View,
        parts: u32,
        quads: u32,
        take_floor: u32,
        clip: u32,
        lo: f32,
        hi: f32,
        learned: u32,
    }
}

impl OnGpu for QuantizeAct {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y, quant } = *self;
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            lo: quant.lo as f32,
            hi: quant.hi as f32,
            take_floor: u32::from(quant.rounding == Rounding::Floor),
        };
        let work = Work::flat(cx.shape(y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(y));
        Ok(vec![
            Dispatch::new("quantize_act", work)
                .params(&params)
                .read(x)
                .read(quant.scale)
                .write(y),
        ])
    }
}

impl OnGpu for QuantizeActGrad {
    /// One workgroup a part of a block, then, for LSQ, the sum of their partial results.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            dy,
            dx,
            dscale,
            quant,
            ste,
        } = *self;
        let parts = Parts::of(cx, dx);
        let params = GradParams {
            x: cx.view(x),
            dy: cx.view(dy),
            dx: cx.view(dx),
            parts: parts.parts,
            quads: parts.quads,
            take_floor: u32::from(quant.rounding == Rounding::Floor),
            clip: u32::from(ste == StraightThrough::Clip),
            lo: quant.lo as f32,
            hi: quant.hi as f32,
            learned: u32::from(dscale.is_some()),
        };
        let partial = dscale.map_or(Operand::Unused, |_| parts.partial);
        let mut calls = vec![
            Dispatch::new("quantize_act_grad", parts.work)
                .params(&params)
                .read(x)
                .read(quant.scale)
                .read(dy)
                .write(dx)
                .write(partial),
        ];
        if let Some(dscale) = dscale {
            let n = cx.shape(x).len() as f64 * f64::from(quant.hi.max(1));
            let factor = n.sqrt().recip() as f32;
            calls.push(parts.combine(Fold::Sum, factor, 1.0, dscale));
        }
        Ok(calls)
    }
}
