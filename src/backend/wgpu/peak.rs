//! What an adapter can do at best, measured by the two simplest kernels: the measure against which
//! `pimento bench` sets everything else.

use std::time::{Duration, Instant};

use super::WgpuBackend;
use super::context::Context;
use super::dispatch::{Dispatch, Operand, RunUniform, Work};
use super::uniform::uniform;
use crate::backend::{MeasurePeak, Peak};
use crate::error::Result;

/// Threads of the arithmetic kernel: several for every lane of the largest GPUs.
const FMA_THREADS: u32 = 1 << 17;

/// Operations of a thread and iteration in `shaders/peak_fma.wgsl`: 32 `vec4` multiply-adds.
const FMA_OPERATIONS: f64 = 32.0 * 4.0 * 2.0;

/// Bytes of one of the two buffers of the copy, where the adapter binds so much: beyond caches.
const COPY_BYTES: u64 = 128 << 20;

uniform! {
    /// Twin of `Params` in `shaders/peak_fma.wgsl`.
    struct FmaParams {
        iterations: u32,
        threads: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/peak_copy.wgsl`.
    struct CopyParams {
        quads: u32,
    }
}

impl MeasurePeak for WgpuBackend {
    fn peak(&self, time: Duration) -> Result<Peak> {
        let context = &self.context;
        let mut iterations = 1;
        // More work until a run is long against the cost of a submission.
        let (seconds, iterations) = loop {
            let seconds = fma_seconds(context, iterations, Duration::ZERO)?;
            if seconds >= 0.02 || iterations >= 1 << 16 {
                break (fma_seconds(context, iterations, time)?, iterations);
            }
            iterations *= 4;
        };
        let operations = f64::from(iterations) * f64::from(FMA_THREADS) * FMA_OPERATIONS;
        let bytes = COPY_BYTES.min(context.limits.binding) / 16 * 16;
        Ok(Peak {
            fma_gflops: operations / seconds / 1e9,
            copy_gbytes_per_s: 2.0 * bytes as f64 / copy_seconds(context, bytes, time)? / 1e9,
        })
    }
}

fn scratch(index: u32, bytes: u64) -> Operand {
    Operand::Scratch {
        index,
        floats: bytes / 4,
    }
}

/// The arithmetic kernel.
pub(super) fn fma_dispatch(iterations: u32) -> Dispatch {
    let params = FmaParams {
        iterations,
        threads: FMA_THREADS,
    };
    Dispatch::new("peak_fma", Work::flat(FMA_THREADS as usize))
        .rounds(u64::from(iterations))
        .params(&params)
        .write(scratch(0, u64::from(FMA_THREADS) * 4))
}

/// The copying kernel.
pub(super) fn copy_dispatch(bytes: u64) -> Dispatch {
    let params = CopyParams {
        quads: (bytes / 16) as u32,
    };
    Dispatch::new("peak_copy", Work::flat((bytes / 16) as usize))
        .params(&params)
        .read(scratch(0, bytes))
        .write(scratch(1, bytes))
}

fn fma_seconds(context: &Context, iterations: u32, time: Duration) -> Result<f64> {
    best_seconds(context, &fma_dispatch(iterations), 1, time)
}

fn copy_seconds(context: &Context, bytes: u64, time: Duration) -> Result<f64> {
    best_seconds(context, &copy_dispatch(bytes), 8, time)
}

/// Seconds of a kernel: `repeats` calls a submission, the quickest submission of as many as `time`
/// allows, after one to warm up.
fn best_seconds(
    context: &Context,
    dispatch: &Dispatch,
    repeats: u32,
    time: Duration,
) -> Result<f64> {
    use ::wgpu::BufferUsages as Usage;
    let uniform = Usage::UNIFORM | Usage::COPY_DST;
    let run = context.buffer("run", RunUniform::bytes(), uniform)?;
    let params = context.buffer("params", dispatch.params.bytes.len() as u64, uniform)?;
    context
        .queue
        .write_buffer(&params, 0, &dispatch.params.bytes);
    let mut storage = Vec::new();
    for (operand, _) in &dispatch.buffers {
        if let Operand::Scratch { floats, .. } = operand {
            storage.push(context.buffer("peak", floats * 4, Usage::STORAGE)?);
        }
    }
    let kernel = context.kernel(dispatch)?;
    let params = params.as_entire_buffer_binding();
    let storage: Vec<_> = storage.iter().collect();
    // Nothing here is seen in pieces.
    let bindings = context.bind(dispatch, &run, params, &storage, &run)?;
    let Some(grid) = dispatch.work.grid(1, 1) else {
        return Ok(0.0);
    };
    let [x, y, z] = grid.whole(context.limits.groups).size;
    let once = || -> Result<f64> {
        let begin = Instant::now();
        context.guarded(dispatch.shader, || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&kernel.pipeline);
                pass.set_bind_group(0, &bindings, &[]);
                for _ in 0..repeats {
                    pass.dispatch_workgroups(x, y, z);
                }
            }
            context.queue.submit([encoder.finish()])
        })?;
        context.wait(None)?;
        Ok(begin.elapsed().as_secs_f64() / f64::from(repeats))
    };
    once()?;
    let begin = Instant::now();
    let mut best = once()?;
    while begin.elapsed() < time {
        best = best.min(once()?);
    }
    Ok(best)
}
