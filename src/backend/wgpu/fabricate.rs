//! Fabrication of chips and its gradient: `shaders/fabricate_reference.wgsl`,
//! `shaders/fabricate.wgsl`, `shaders/fabricate_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, View, Work};
use super::uniform::uniform;
use crate::error::{Error, Result};
use crate::program::{Deviate, Fabricate, FabricateGrad, Fabrication, Law, Mapping};
use crate::random;

uniform! {
    /// Twin of `Params` in `shaders/fabricate_reference.wgsl`.
    struct ReferenceParams {
        rows: u32,
        copies: u32,
        columns: u32,
        layer: u32,
        shape: [f32; 2],
        sigma: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/fabricate.wgsl`.
    struct Params {
        out: View,
        rows: u32,
        cols: u32,
        per_column: u32,
        layer: u32,
        shape: [f32; 2],
        sigma: f32,
        g_min: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/fabricate_grad.wgsl`.
    struct GradParams {
        dout: View,
        shape: [f32; 2],
        sigma: f32,
        layer: u32,
        rows: u32,
        cols: u32,
        per_column: u32,
        g_min: f32,
    }
}

/// The shape parameters of a deviate, see `deviate4` in `shaders/shared/cell.wgsl`.
fn shape(spec: &Fabrication) -> [f32; 2] {
    match spec.deviate {
        Deviate::Gaussian => [0.0; 2],
        Deviate::Truncated { at } => [random::squeeze(at), 0.0],
        Deviate::Lognormal => random::lognormal_shape(spec.sigma_w),
    }
}

/// Smallest conductance, and cells of a reference column.
fn cells(spec: &Fabrication) -> (f32, u32) {
    match spec.mapping {
        Mapping::Ideal => (0.0, 0),
        Mapping::Differential { g_min } => (g_min, 0),
        Mapping::Offset { g_min, copies } => (g_min, copies),
    }
}

/// A call with the constants of law, mapping and deviate; twins of those of
/// `shaders/shared/cell.wgsl`.
fn call(shader: &'static str, work: Work, spec: &Fabrication) -> Dispatch {
    let law: u32 = match spec.law {
        Law::WeightProportional => 0,
        Law::LayerFixed => 1,
    };
    let mapping: u32 = match spec.mapping {
        Mapping::Ideal => 0,
        Mapping::Differential { .. } => 1,
        Mapping::Offset { .. } => 2,
    };
    Dispatch::new(shader, work)
        .constant("LAW", law)
        .constant("MAPPING", mapping)
        .constant("LOGNORMAL", spec.deviate == Deviate::Lognormal)
}

/// Binds the profile; `PROFILE` is the number of its pieces, 0 for none.
fn profiled(call: Dispatch, spec: &Fabrication) -> Dispatch {
    match &spec.profile {
        Some(profile) => {
            let bits = profile.values().iter().map(|v| v.to_bits());
            call.constant("PROFILE", profile.len() as u32)
                .table(&bits.collect())
        }
        None => call.constant("PROFILE", 0u32).read(Operand::Unused),
    }
}

fn check(name: &str, len: usize, spec: &Fabrication) -> Result<()> {
    if len == 0 || len != spec.cols * spec.rows {
        return Err(Error::Internal(format!(
            "\"{name}\" holds {len} weights, not {} x {}",
            spec.cols, spec.rows
        )));
    }
    Ok(())
}

impl OnGpu for Fabricate {
    /// One thread four weights of a chip, after one thread a row for the reference columns.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            full_scale,
            chip,
            out,
            spec,
        } = self;
        let len = cx.shape(*out).len();
        check(&cx.program.desc(*out).name, len, spec)?;
        let (g_min, copies) = cells(spec);
        let columns = spec.reference_columns;
        let mut calls = Vec::new();
        let mut reference = Operand::Unused;
        if copies > 0 || columns > 0 {
            reference = Operand::Scratch {
                index: 0,
                floats: 2 * spec.rows as u64 * cx.capacity.chips as u64,
            };
            let params = ReferenceParams {
                rows: spec.rows as u32,
                copies,
                columns,
                layer: spec.layer,
                shape: shape(spec),
                sigma: spec.sigma_w,
            };
            let work = Work::flat(spec.rows).per_chip(true);
            calls.push(
                call("fabricate_reference", work, spec)
                    .rounds(u64::from(copies) + 2 * u64::from(columns))
                    .params(&params)
                    .write(reference),
            );
        }
        let params = Params {
            out: cx.view(*out),
            rows: spec.rows as u32,
            cols: spec.cols as u32,
            per_column: u32::from(cx.shape(*full_scale).len() > 1),
            layer: spec.layer,
            shape: shape(spec),
            sigma: spec.sigma_w,
            g_min,
        };
        let work = Work::flat(len.div_ceil(4)).per_chip(true);
        let made = call("fabricate", work, spec)
            .constant("COPIES", copies > 0)
            .constant("COLUMNS", columns > 0)
            .params(&params)
            .read(*w)
            .read(*full_scale)
            .read(*chip)
            .read(reference);
        calls.push(profiled(made, spec).write(*out));
        Ok(calls)
    }
}

impl OnGpu for FabricateGrad {
    /// One thread four weights of all chips.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            full_scale,
            chip,
            dout,
            dw,
            spec,
        } = self;
        let len = cx.shape(*dw).len();
        check(&cx.program.desc(*dw).name, len, spec)?;
        let params = GradParams {
            dout: cx.view(*dout),
            shape: shape(spec),
            sigma: spec.sigma_w,
            layer: spec.layer,
            rows: spec.rows as u32,
            cols: spec.cols as u32,
            per_column: full_scale.map_or(0, |t| u32::from(cx.shape(t).len() > 1)),
            g_min: cells(spec).0,
        };
        let call = call("fabricate_grad", Work::flat(len.div_ceil(4)), spec)
            .rounds(cx.capacity.chips as u64)
            .params(&params)
            .read(*w)
            .read(*full_scale)
            .read(*chip)
            .read(*dout);
        Ok(vec![profiled(call, spec).write(*dw)])
    }
}
