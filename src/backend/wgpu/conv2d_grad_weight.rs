//! Gradient of a convolution's weight: `shaders/conv2d_grad_weight.wgsl` or, with the same sums from
//! tiles in workgroup memory, `shaders/conv2d_grad_weight_tiled.wgsl`; then `shaders/sum_partials.wgsl`.

use super::conv::ConvParams;
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::sum_partials;
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::error::Result;
use crate::program::{Conv2dGradWeight, ConvGeometry};

/// Threads that keep a large GPU busy; the sum is split until there are so many.
const THREADS: usize = 1 << 16;

/// Most `f32` that the partial sums of all chips may take where one split would take less.
const PARTIAL_FLOATS: usize = 8 << 20;

/// Channels and rows of a thread's tile.
const TILE: usize = 4;

/// Channels and rows of a workgroup of `shaders/conv2d_grad_weight_tiled.wgsl`.
const CHANNELS: usize = 64;
const ROWS: usize = 128;

/// Workgroups of that kernel below which most of a large GPU has none.
const ENOUGH: usize = 128;

uniform! {
    /// Twin of `Params` in `shaders/conv2d_grad_weight.wgsl`.
    struct Params {
        x: View,
        dy: View,
        conv: ConvParams,
        weights: u32,
        rows: u32,
        splits: u32,
        groups: u32,
    }
}

impl OnGpu for Conv2dGradWeight {
    /// Partial sums over splits of the images, then their sum.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, dy, dw, geo } = *self;
        let outputs = geo.c_out / geo.groups;
        let tiles = geo.groups * outputs.div_ceil(TILE) * geo.rows().div_ceil(TILE);
        let per_chip = cx.per_chip(x) || cx.per_chip(dy);
        let chips = if per_chip { cx.capacity.chips } else { 1 };
        let strips = cx.run_blocks() * geo.h_out();
        // One for the strip, one for each of its pixels, one for each of their quads.
        let strip = 1 + geo.w_out() * (1 + QUADS);
        let share = (cx.rounds / strip as u64).clamp(1, strips as u64) as usize;
        let splits = (THREADS / (tiles * chips))
            .min(PARTIAL_FLOATS / (geo.weights() * chips))
            .max(strips.div_ceil(share))
            .clamp(1, strips);
        let params = Params {
            x: cx.view(x),
            dy: cx.view(dy),
            conv: ConvParams::from(&geo),
            weights: geo.weights() as u32,
            rows: geo.rows() as u32,
            splits: splits as u32,
            groups: geo.groups as u32,
        };
        let partial = Operand::Scratch {
            index: 0,
            floats: (geo.weights() * splits * chips) as u64,
        };
        let first = match tiled(&geo, splits * chips, cx.kernels) {
            Some(tiles) => {
                // The steps, and eight rounds to store a channel.
                let rounds = strips.div_ceil(splits) * geo.w_out() + 16;
                let work = Work::groups(tiles * splits).per_chip(per_chip);
                Dispatch::new("conv2d_grad_weight_tiled", work).rounds(rounds as u64)
            }
            None => {
                let work = Work::flat(tiles * splits).per_chip(per_chip);
                let rounds = strips.div_ceil(splits) * strip;
                Dispatch::new("conv2d_grad_weight", work).rounds(rounds as u64)
            }
        };
        let first = first.params(&params).read(x).read(dy).write(partial);
        let second = sum_partials::dispatch(partial, dw, splits, per_chip, cx);
        Ok(vec![first, second])
    }
}

/// Workgroups of a split of the kernel with tiles in workgroup memory; nothing where the other one is
/// taken. A tile that is mostly empty gains nothing.
fn tiled(geo: &ConvGeometry, splits: usize, kernels: Kernels) -> Option<usize> {
    let outputs = geo.c_out / geo.groups;
    let (channels, rows) = (outputs.div_ceil(CHANNELS), geo.rows().div_ceil(ROWS));
    let full = 2 * outputs * geo.rows() >= channels * CHANNELS * rows * ROWS;
    let tiles = geo.groups * channels * rows;
    let fits = full && tiles * splits >= ENOUGH;
    match kernels {
        Kernels::Portable => None,
        Kernels::Fitting | Kernels::Cooperative => fits.then_some(tiles),
        Kernels::Tiled => Some(tiles),
    }
}
