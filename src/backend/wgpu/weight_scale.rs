//! Choice of a weight's quantization step: `shaders/weight_scale_*.wgsl`, up to ten passes.
//!
//! # Theory
//! The order statistics that the line search and the percentile need are selected on the device,
//! without sorting and without reading back: `|w|` as a bit pattern is cut into three digits, and
//! each digit costs a histogram of the magnitudes that share the digits found so far. Counts are
//! integers, sums are fixed trees, so a step is the same in every run.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, Work};
use super::uniform::uniform;
use super::zero::zero;
use crate::error::{Error, Result};
use crate::program::{Scope, Step, TensorId, WeightScale};
use crate::quantize::weight::highest_code;

/// Weights of a workgroup; twin of `CHUNK` in `shaders/shared/weight_scale.wgsl`.
pub(super) const CHUNK: usize = 4096;

/// Words of a group's `SelectState` there.
const STATE: u64 = 5;

/// Bins of a digit; twin of `BINS` there.
const BINS: u64 = 2048;

/// Candidates that one workgroup tries; twin of `BATCH` in `shaders/weight_scale_errors.wgsl`.
const BATCH: usize = 12;

/// Candidates of [`Step::LineSearch`] and [`Step::Mse`].
const LINE_SEARCH: u32 = 10;
const MSE: u32 = 100;

uniform! {
    /// Twin of `ScaleParams` in `shaders/shared/weight_scale.wgsl`.
    struct ScaleParams {
        size: u32,
        chunks: u32,
        groups: u32,
        digit: u32,
        rank: u32,
        candidates: u32,
        line_search: u32,
        method: u32,
        q: f32,
        fraction: f32,
        run: u32,
        share: f32,
    }
}

/// Twins of the constants `METHOD_*` in `shaders/weight_scale_choose.wgsl`.
mod method {
    pub const UNQUANTIZED: u32 = 0;
    pub const MEAN: u32 = 1;
    pub const MAX: u32 = 2;
    pub const PERCENTILE: u32 = 3;
    pub const SEARCH: u32 = 4;
    pub const KEEP: u32 = 5;
}

/// `(weights that share a step, number of steps)` for a weight and its steps.
pub(super) fn groups(
    cx: &LowerContext<'_>,
    w: TensorId,
    scale: TensorId,
) -> Result<(usize, usize)> {
    let (len, groups) = (cx.shape(w).len(), cx.shape(scale).len());
    let (weight, steps) = (cx.program.desc(w), cx.program.desc(scale));
    if len == 0 || groups == 0 || !len.is_multiple_of(groups) {
        return Err(Error::Internal(format!(
            "\"{}\" holds {groups} steps for the {len} values of \"{}\"",
            steps.name, weight.name
        )));
    }
    if weight.scope == Scope::PerChip || steps.scope == Scope::PerChip {
        return Err(Error::Internal(format!(
            "\"{}\" is quantized for all chips at once but has a chip axis",
            weight.name
        )));
    }
    Ok((len / groups, groups))
}

/// Buffers of the passes.
struct Passes {
    w: TensorId,
    params: ScaleParams,
    state: Operand,
    sums: Operand,
    histogram: Operand,
    errors: Operand,
}

impl Passes {
    /// For `groups` groups of `size` weights.
    fn new(op: &WeightScale, size: usize, groups: usize) -> Self {
        let step = op.step;
        let method = match (op.bits, step) {
            (0, _) => method::UNQUANTIZED,
            (_, None) => method::KEEP,
            (1, _) => method::MEAN,
            (_, Some(Step::MaxAbs)) => method::MAX,
            (_, Some(Step::Percentile(_))) => method::PERCENTILE,
            (_, Some(Step::LineSearch | Step::Mse)) => method::SEARCH,
        };
        let candidates = match (method, step) {
            (method::SEARCH, Some(Step::Mse)) => MSE,
            (method::SEARCH, _) => LINE_SEARCH,
            _ => 0,
        };
        let last = (size - 1) as f64;
        let position = match step {
            Some(Step::Percentile(p)) => f64::from(p).clamp(0.0, 100.0) / 100.0 * last,
            // The lower median.
            _ => (last / 2.0).floor(),
        };
        let chunks = size.div_ceil(CHUNK);
        let scratch = |index, floats| Operand::Scratch { index, floats };
        let (n_groups, n_chunks) = (groups as u64, chunks as u64);
        Self {
            w: op.w,
            params: ScaleParams {
                size: size as u32,
                chunks: chunks as u32,
                groups: groups as u32,
                digit: 0,
                rank: position.floor() as u32,
                candidates,
                line_search: u32::from(step == Some(Step::LineSearch)),
                method,
                q: highest_code(op.bits),
                fraction: position.fract() as f32,
                run: op.run as u32,
                share: match step {
                    Some(Step::Percentile(p)) => p.clamp(0.0, 100.0) / 100.0,
                    _ => 0.0,
                },
            },
            state: scratch(0, STATE * n_groups),
            sums: scratch(1, n_groups * n_chunks),
            histogram: scratch(2, n_groups * BINS),
            errors: match n_groups * n_chunks * u64::from(candidates) {
                0 => Operand::Unused,
                errors => scratch(3, errors),
            },
        }
    }

    /// Workgroups of a pass over the weights, one a chunk.
    fn chunked(&self, shader: &'static str, times: usize) -> Dispatch {
        let workgroups = self.params.chunks as usize * self.params.groups as usize * times;
        Dispatch::new(shader, Work::groups(workgroups))
            .params(&self.params)
            .read(self.w)
            .write(self.state)
    }

    /// One workgroup a group.
    fn grouped(&self, shader: &'static str) -> Dispatch {
        Dispatch::new(shader, Work::groups(self.params.groups as usize)).params(&self.params)
    }

    fn stats(&self) -> Dispatch {
        self.chunked("weight_scale_stats", 1)
            .write(self.sums)
            .write(self.histogram)
    }

    /// Finds the order statistic of rank `params.rank`.
    fn select(&mut self, calls: &mut Vec<Dispatch>) {
        for digit in 0..3 {
            self.params.digit = digit;
            calls.push(
                self.chunked("weight_scale_histogram", 1)
                    .write(self.histogram),
            );
            calls.push(
                self.grouped("weight_scale_pick")
                    .write(self.state)
                    .write(self.histogram),
            );
        }
    }

    fn errors(&self) -> Dispatch {
        let batches = (self.params.candidates as usize).div_ceil(BATCH);
        self.chunked("weight_scale_errors", batches)
            .write(self.errors)
    }
}

impl OnGpu for WeightScale {
    /// The passes that the method needs.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let (size, groups) = groups(cx, self.w, self.scale)?;
        let mut passes = Passes::new(self, size, groups);
        let ScaleParams { method, chunks, .. } = passes.params;
        let mut calls = Vec::new();
        if method != method::KEEP {
            calls.push(zero(passes.state, STATE * groups as u64));
            calls.push(passes.stats());
        }
        let line_search = method == method::SEARCH && self.step == Some(Step::LineSearch);
        if line_search || method == method::PERCENTILE {
            passes.select(&mut calls);
        }
        if method == method::PERCENTILE {
            calls.push(passes.chunked("weight_scale_next", 1));
        }
        if method == method::SEARCH {
            calls.push(passes.errors());
        }
        calls.push(
            passes
                .grouped("weight_scale_choose")
                // A candidate's chunks, then the 128 sums or the candidates.
                .rounds(u64::from(chunks) + 128)
                .write(passes.state)
                .read(passes.sums)
                .read(passes.errors)
                .write(self.scale)
                .write(self.full_scale),
        );
        Ok(calls)
    }
}
