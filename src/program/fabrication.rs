//! How chips deviate from their program.

#[cfg(doc)]
use super::Op;
use crate::choice::choices;

choices! {
    /// Which deviation `eps`, the sum of all parts, gives a cell's conductance (docs/MODEL.md 3).
    pub enum Law {
        /// `w' = w (1 + eps)`: proportional to the conductance.
        WeightProportional = "weight-proportional",
        /// `w' = w + full eps`: independent of it. `full = full_scale[o or 0]` is the largest weight
        /// that the layer's code can represent (with a step for every output channel the channel's:
        /// what a fully conducting cell of its column holds).
        LayerFixed = "layer-fixed",
    }
}

/// How signed weights become conductances, which decides what variation does to them
/// (docs/MODEL.md 3.2). Conductances are normalised to `G_max = 1`, `g_min = 1/on_off_ratio`.
/// `e` is the chip's common deviation, `z` a cell's unit deviate, `s = sigma_w`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mapping {
    /// One signed ideal cell per weight:
    /// proportional `w' = w (1 + e + s z)`, fixed `w' = w + full (e + s z)`.
    Ideal,
    /// Two cells, `g+- = g_min + (1 - g_min) max(+-w/full, 0)`, `k = full / (1 - g_min)`:
    /// proportional `w' = w (1 + e) + k s (g+ z+ - g- z-)`; fixed `w' = w + full s (z+ - z-)`
    /// (the common part cancels).
    Differential {
        /// Smallest conductance relative to the largest.
        g_min: f32,
    },
    /// One cell, `g = g_min + (1 - g_min)(w/full + 1)/2`, `k = 2 full / (1 - g_min)`, offset
    /// `g_ref = (1 + g_min)/2` subtracted either digitally (`copies = 0`) or by a real column
    /// that is the mean of `copies` cells per row with deviates `zr`:
    /// proportional `w' = w + k g (e + s z) - [copies > 0] k g_ref (e + s mean zr[row])`,
    /// fixed `w' = w + 2 full (e + s z) - [copies > 0] 2 full (e + s mean zr[row])`.
    Offset {
        /// Smallest conductance relative to the largest.
        g_min: f32,
        /// Cells averaged in the reference column, 0 for digital subtraction.
        copies: u32,
    },
}

/// Distribution of a cell's deviate `z`, made from one 32-bit word of the generator
/// (see [`crate::random`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deviate {
    /// Standard normal.
    Gaussian,
    /// Standard normal restricted to `|z| <= at` (by inverse CDF, so one word a cell; the
    /// standard deviation becomes smaller than 1, as in the common `trunc_normal`).
    Truncated {
        /// Limit in standard deviations.
        at: f32,
    },
    /// `s z = exp(t n - t^2/2) - 1` with `n` standard normal and `t^2 = ln(1 + s^2)`: mean 0,
    /// standard deviation `s`, never below -1.
    Lognormal,
}

/// Everything [`Op::Fabricate`] needs beside its tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fabrication {
    /// Variance model.
    pub law: Law,
    /// Cells per weight.
    pub mapping: Mapping,
    /// Distribution of the within-chip deviates.
    pub deviate: Deviate,
    /// Within-chip standard deviation.
    pub sigma_w: f32,
    /// Nominal-zero columns whose mean is subtracted from every output (self-tuning by reference
    /// columns, layer-fixed law); 0 for none. Row `k`'s reference deviation is
    /// `full (e + s mean_j z[j*rows + k])` under [`Mapping::Ideal`]; under the other mappings it is
    /// the deviation that a zero weight has there.
    pub reference_columns: u32,
    /// Address of the layer: second word of the counter.
    pub layer: u32,
    /// Columns (output channels).
    pub cols: usize,
    /// Rows per column; `cols * rows` is the length of the weight.
    pub rows: usize,
}
