//! How chips deviate from their program.

#[cfg(doc)]
use super::Fabricate;
use crate::effects::{Deviate, Law, Profile};

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

/// Everything [`Fabricate`] needs beside its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Fabrication {
    /// Variance model.
    pub law: Law,
    /// Cells per weight.
    pub mapping: Mapping,
    /// Distribution of the within-chip deviates.
    pub deviate: Deviate,
    /// Within-chip standard deviation.
    pub sigma_w: f32,
    /// Factor on [`Fabrication::sigma_w`] by the conductance of a cell; then the law is of the common part only, and a
    /// cell's own part is added: with `p` this factor,
    /// ideal `w' = (law with z = 0) + full s p(|w|/full) z`,
    /// differential `(law with z = 0) + k s (p(g+) z+ - p(g-) z-)`,
    /// offset `(law with z = zr = 0) + k s (p(g) z - [copies > 0] p((1 + g_min)/2) mean zr[row])`,
    /// each with the `k` of its mapping.
    pub profile: Option<Profile>,
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
