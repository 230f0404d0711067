//! The buffers of a session, and kernel calls bound to them.

use std::sync::Arc;

use super::compile::Kernel;
use super::context::Context;
use super::dispatch::{Pieces, RunUniform, Work};
use super::plan::{Place, Plan, Step};
use super::rate::Rate;
use crate::error::{Error, Result};
use crate::program::{Capacity, Program, TensorId};

/// Bytes of the buffer behind bindings that a kernel does not use; large enough for any uniform.
const UNUSED_BYTES: u64 = 256;

/// Bytes that one submission fills with zeros: some ten milliseconds of a slow memory.
const CLEARED: u64 = 64 << 20;

/// A kernel with its bindings.
pub(super) struct Call {
    pub kernel: Arc<Kernel>,
    pub bindings: ::wgpu::BindGroup,
    pub work: Work,
    /// How long it takes.
    pub rate: Arc<Rate>,
    windows: Vec<Pieces>,
}

impl Call {
    /// Offsets of the bindings that move, for every time that the kernel is called: those of the windows,
    /// and those of the pieces' and the chip's numbers, which are `align` apart.
    pub fn offsets(&self, chips: u32, align: u64) -> Vec<Vec<u32>> {
        if self.windows.is_empty() {
            return vec![Vec::new()];
        }
        let own = self.windows.iter().any(|w| w.chip > 0);
        let combinations: u64 = self.windows.iter().map(|w| u64::from(w.count)).product();
        let mut all = Vec::new();
        for chip in 0..if own { u64::from(chips) } else { 1 } {
            for mut i in 0..combinations {
                let mut starts = Vec::with_capacity(2 * self.windows.len() + 1);
                let mut numbers = Vec::with_capacity(self.windows.len() + 1);
                for w in &self.windows {
                    let piece = i % u64::from(w.count);
                    i /= u64::from(w.count);
                    // Fits: a buffer holds at most 2^30 bytes.
                    starts.push((chip * w.chip + piece * w.stride) as u32);
                    numbers.push((piece * align) as u32);
                }
                numbers.push((chip * align) as u32);
                starts.extend(numbers);
                all.push(starts);
            }
        }
        all
    }
}

/// Everything that kernels are bound to.
pub(super) struct Buffers {
    /// What a run is told.
    pub run: ::wgpu::Buffer,
    /// By tensor; temporaries have none.
    own: Vec<Option<::wgpu::Buffer>>,
    /// Temporaries take turns in these.
    pool: Vec<::wgpu::Buffer>,
    tables: Vec<::wgpu::Buffer>,
    unused: ::wgpu::Buffer,
    /// Parameters of all kernel calls.
    params: ::wgpu::Buffer,
    /// Numbers of pieces and chips.
    pieces: ::wgpu::Buffer,
}

impl Buffers {
    /// Allocates what a plan needs.
    pub fn new(
        context: &Context,
        program: &Program,
        plan: &Plan,
        capacity: Capacity,
    ) -> Result<Self> {
        use ::wgpu::BufferUsages as Usage;
        let storage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
        let mut own = vec![None; program.tensors.len()];
        for (id, bytes) in &plan.own {
            let label = &program.desc(*id).name;
            own[id.index()] = Some(context.buffer(label, *bytes, storage)?);
        }
        let seen = plan.windows();
        let temporary = |(slot, bytes): (usize, &u64)| {
            let usage = match seen.contains(&slot) {
                true => Usage::STORAGE | Usage::UNIFORM | Usage::COPY_DST,
                false => Usage::STORAGE | Usage::COPY_DST,
            };
            context.buffer("temporaries", *bytes, usage)
        };
        let pool = plan.pool.iter().enumerate().map(temporary);
        let filled = |label: &str, bytes: &[u8], usage| {
            let buffer = context.buffer(label, bytes.len() as u64, usage | Usage::COPY_DST)?;
            context.queue.write_buffer(&buffer, 0, bytes);
            Ok(buffer)
        };
        let tables = plan.tables.iter();
        let tables =
            tables.map(|table| filled("table", bytemuck::cast_slice(table), Usage::STORAGE));
        let align = context.limits.uniform_align;
        let pool: Vec<_> = pool.collect::<Result<_>>()?;
        clear(context, own.iter().flatten().chain(&pool))?;
        Ok(Self {
            run: context.buffer("run", RunUniform::bytes(), Usage::UNIFORM | Usage::COPY_DST)?,
            own,
            pool,
            tables: tables.collect::<Result<_>>()?,
            unused: context.buffer("unused", UNUSED_BYTES, Usage::STORAGE)?,
            params: filled("params", &pack_params(plan, align).0, Usage::UNIFORM)?,
            pieces: filled("pieces", &numbers(plan, capacity, align), Usage::UNIFORM)?,
        })
    }

    /// The buffer of a tensor that is no temporary.
    pub fn own(&self, id: TensorId) -> Result<&::wgpu::Buffer> {
        self.own
            .get(id.index())
            .and_then(Option::as_ref)
            .ok_or_else(|| Error::Internal(format!("tensor {} has no buffer", id.0)))
    }

    /// Compiles and binds the kernel calls of every section.
    pub fn calls(&self, context: &Context, plan: &Plan) -> Result<Vec<Vec<Call>>> {
        let steps = plan.sections.iter().flatten();
        context.compile_all(steps.map(|step| &step.dispatch))?;
        context.keep();
        let mut offsets = pack_params(plan, context.limits.uniform_align)
            .1
            .into_iter();
        let section = |steps: &Vec<Step>| {
            let steps = steps.iter().zip(&mut offsets);
            steps
                .map(|(step, at)| self.call(context, step, at))
                .collect()
        };
        plan.sections.iter().map(section).collect()
    }

    fn call(&self, context: &Context, step: &Step, offset: u64) -> Result<Call> {
        let kernel = context.kernel(&step.dispatch)?;
        let params = ::wgpu::BufferBinding {
            buffer: &self.params,
            offset,
            size: ::wgpu::BufferSize::new(params_len(&step.dispatch.params.bytes)),
        };
        let storage = step.places.iter().map(|place| match *place {
            Place::Own(id) => self.own(id),
            Place::Pool(slot) => Ok(&self.pool[slot]),
            Place::Table(index) => Ok(&self.tables[index]),
            Place::Unused => Ok(&self.unused),
        });
        let storage: Vec<_> = storage.collect::<Result<_>>()?;
        let bindings = context.bind(&step.dispatch, &self.run, params, &storage, &self.pieces)?;
        Ok(Call {
            kernel,
            bindings,
            work: step.dispatch.work,
            rate: context.rate(&step.dispatch),
            windows: step.dispatch.windows.clone(),
        })
    }
}

/// Fills buffers with zeros, some at a time: else the first submission that sees them fills all at once.
fn clear<'b>(context: &Context, buffers: impl Iterator<Item = &'b ::wgpu::Buffer>) -> Result<()> {
    let new = || context.device.create_command_encoder(&Default::default());
    context.guarded("zeros", || {
        let (mut encoder, mut filled) = (new(), 0);
        for buffer in buffers {
            let mut at = 0;
            while at < buffer.size() {
                let bytes = (buffer.size() - at).min(CLEARED - filled);
                encoder.clear_buffer(buffer, at, Some(bytes));
                at += bytes;
                filled += bytes;
                if filled == CLEARED {
                    let full = std::mem::replace(&mut encoder, new());
                    context.queue.submit([full.finish()]);
                    filled = 0;
                }
            }
        }
        context.queue.submit([encoder.finish()]);
    })
}

/// Numbers of pieces and chips, `align` bytes apart, as many as a plan needs at a capacity.
fn numbers(plan: &Plan, capacity: Capacity, align: u64) -> Vec<u8> {
    let steps = plan.sections.iter().flatten();
    let windows = steps.flat_map(|step| &step.dispatch.windows);
    let most = windows.map(|w| w.count.max(capacity.chips as u32)).max();
    let mut numbers = vec![0; (u64::from(most.unwrap_or(1)) * align) as usize];
    for (at, i) in numbers.chunks_exact_mut(align as usize).zip(0_u32..) {
        at[..size_of::<u32>()].copy_from_slice(&i.to_le_bytes());
    }
    numbers
}

/// One image of all parameters, and where each kernel call's begin.
fn pack_params(plan: &Plan, align: u64) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = Vec::new();
    let mut offsets = Vec::new();
    for step in plan.sections.iter().flatten() {
        bytes.resize(bytes.len().next_multiple_of(align as usize), 0);
        offsets.push(bytes.len() as u64);
        let params = &step.dispatch.params.bytes;
        bytes.extend_from_slice(params);
        let end = offsets[offsets.len() - 1] + params_len(params);
        bytes.resize(end as usize, 0);
    }
    bytes.resize(bytes.len().max(16), 0);
    (bytes, offsets)
}

/// Bytes of a uniform binding: a multiple of 16, never 0.
fn params_len(params: &[u8]) -> u64 {
    (params.len() as u64).next_multiple_of(16).max(16)
}
