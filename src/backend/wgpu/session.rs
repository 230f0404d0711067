//! A program with its memory on a device: buffers, bind groups, runs and reads.
//!
//! All kernel calls of a section go into one command buffer; nothing is read back inside a run.
//! The run's uniform is written and the commands are submitted per run, which the queue keeps in
//! order, so any number of runs may be queued; a few are let in flight at a time.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::context::Context;
use super::dispatch::{LowerContext, Pieces, RunUniform, Work};
use super::plan::{Place, Plan, Step};
use super::uniform::Bytes;
use crate::backend::{RunArgs, Session, storage};
use crate::error::{Error, Result};
use crate::program::{Capacity, LANES, Program, Role, SectionId, Shape, TensorId};

/// Runs that may be queued before the oldest one is waited for.
const IN_FLIGHT: usize = 8;

/// Host writes that are staged before the queue is told to start copying, bytes.
const STAGED: u64 = 64 << 20;

/// Bytes of the buffer behind bindings that a kernel does not use; large enough for any uniform.
const UNUSED_BYTES: u64 = 256;

/// How long the answer to a read may take once its commands are done.
const CALLED_BACK: Duration = Duration::from_secs(10);

struct Call {
    kernel: ::wgpu::ComputePipeline,
    bindings: ::wgpu::BindGroup,
    work: Work,
    windows: Vec<Pieces>,
}

impl Call {
    /// Offsets of the bindings that move, for every time that the kernel is called: those of the windows,
    /// and those of the pieces' and the chip's numbers, which are `align` apart.
    fn offsets(&self, chips: u32, align: u64) -> Vec<Vec<u32>> {
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

/// Numbers of pieces and chips that a plan needs at a capacity.
fn most_pieces(plan: &Plan, capacity: Capacity) -> u32 {
    let steps = plan.sections.iter().flatten();
    let windows = steps.flat_map(|step| &step.dispatch.windows);
    let most = windows.map(|w| w.count.max(capacity.chips as u32)).max();
    most.unwrap_or(1)
}

/// Buffers that belong to no tensor.
struct SharedBuffers {
    pool: Vec<::wgpu::Buffer>,
    tables: Vec<::wgpu::Buffer>,
    unused: ::wgpu::Buffer,
    params: ::wgpu::Buffer,
    pieces: ::wgpu::Buffer,
}

/// A [`Session`] on a wgpu device.
pub(super) struct WgpuSession {
    context: Arc<Context>,
    program: Program,
    capacity: Capacity,
    /// Own buffers by tensor; temporaries have none.
    buffers: Vec<Option<::wgpu::Buffer>>,
    run_uniform: ::wgpu::Buffer,
    sections: Vec<Vec<Call>>,
    staging: Option<::wgpu::Buffer>,
    staged: u64,
    /// Chips and images of the last run.
    last_run: Option<(usize, usize)>,
    in_flight: VecDeque<::wgpu::SubmissionIndex>,
}

impl WgpuSession {
    /// Allocates everything and compiles every kernel.
    pub fn new(context: Arc<Context>, program: &Program, capacity: Capacity) -> Result<Self> {
        context.poll()?;
        let plan = Plan::new(program, capacity, &context.limits)?;
        if let Some(reason) = plan.misfit(&context.limits) {
            return Err(Error::capacity(format!(
                "{}: {} chips, {} resident images, chunks of {} do not fit: {reason}",
                context.info.name, capacity.chips, capacity.images, capacity.chunk
            )));
        }
        use ::wgpu::BufferUsages as Usage;
        let storage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
        let mut buffers = vec![None; program.tensors.len()];
        for (id, bytes) in &plan.own {
            let label = &program.desc(*id).name;
            buffers[id.index()] = Some(context.buffer(label, *bytes, storage)?);
        }
        let seen = plan.windows();
        let pool: Vec<_> = plan
            .pool
            .iter()
            .zip(0..)
            .map(|(bytes, slot)| {
                let usage = match seen.contains(&slot) {
                    true => Usage::STORAGE | Usage::UNIFORM,
                    false => Usage::STORAGE,
                };
                context.buffer("temporaries", *bytes, usage)
            })
            .collect::<Result<_>>()?;
        let tables: Vec<_> = plan
            .tables
            .iter()
            .map(|table| {
                let bytes: &[u8] = bytemuck::cast_slice(table);
                let buffer = context.buffer(
                    "table",
                    bytes.len() as u64,
                    Usage::STORAGE | Usage::COPY_DST,
                )?;
                context.queue.write_buffer(&buffer, 0, bytes);
                Ok(buffer)
            })
            .collect::<Result<_>>()?;
        let uniform = Usage::UNIFORM | Usage::COPY_DST;
        let run_uniform = context.buffer("run", RunUniform::bytes(), uniform)?;
        let unused = context.buffer("unused", UNUSED_BYTES, Usage::STORAGE)?;
        let (params, offsets) = pack_params(&plan, context.limits.uniform_align);
        let params_buffer = context.buffer("params", params.len() as u64, uniform)?;
        context.queue.write_buffer(&params_buffer, 0, &params);
        let align = context.limits.uniform_align;
        let mut numbers = vec![0; (u64::from(most_pieces(&plan, capacity)) * align) as usize];
        for (at, i) in numbers.chunks_exact_mut(align as usize).zip(0_u32..) {
            at[..size_of::<u32>()].copy_from_slice(&i.to_le_bytes());
        }
        let pieces = context.buffer("pieces", numbers.len() as u64, uniform)?;
        context.queue.write_buffer(&pieces, 0, &numbers);

        let mut session = Self {
            program: program.clone(),
            capacity,
            run_uniform,
            sections: Vec::new(),
            staging: None,
            staged: 0,
            last_run: None,
            in_flight: VecDeque::new(),
            buffers,
            context,
        };
        let shared = SharedBuffers {
            pool,
            tables,
            unused,
            params: params_buffer,
            pieces,
        };
        let mut offsets = offsets.into_iter();
        for section in &plan.sections {
            let mut calls = Vec::with_capacity(section.len());
            for step in section {
                let offset = offsets.next().unwrap_or(0);
                calls.push(session.call(step, &shared, offset)?);
            }
            session.sections.push(calls);
        }
        session.context.poll()?;
        Ok(session)
    }

    fn call(&self, step: &Step, shared: &SharedBuffers, offset: u64) -> Result<Call> {
        let kernel = self.context.kernel(&step.dispatch)?;
        let params = ::wgpu::BufferBinding {
            buffer: &shared.params,
            offset,
            size: ::wgpu::BufferSize::new(params_len(&step.dispatch.params.bytes)),
        };
        let storage = step.places.iter().map(|place| match *place {
            Place::Own(id) => self.own(id),
            Place::Pool(slot) => Ok(&shared.pool[slot]),
            Place::Table(index) => Ok(&shared.tables[index]),
            Place::Unused => Ok(&shared.unused),
        });
        let storage: Vec<_> = storage.collect::<Result<_>>()?;
        let bindings = self.context.bind(
            &step.dispatch,
            &self.run_uniform,
            params,
            &storage,
            &shared.pieces,
        )?;
        Ok(Call {
            kernel,
            bindings,
            work: step.dispatch.work,
            windows: step.dispatch.windows.clone(),
        })
    }

    fn own(&self, id: TensorId) -> Result<&::wgpu::Buffer> {
        self.buffers
            .get(id.index())
            .and_then(Option::as_ref)
            .ok_or_else(|| Error::Internal(format!("tensor {} has no buffer", id.0)))
    }

    fn lower_context(&self) -> LowerContext<'_> {
        self.context.limits.context(&self.program, self.capacity)
    }

    fn check_args(&self, section: SectionId, args: &RunArgs) -> Result<()> {
        if section.0 >= self.sections.len() {
            return Err(Error::Internal(format!("no section {}", section.0)));
        }
        let (c, images) = (&self.capacity, &args.images);
        let ok = args.chips <= c.chips
            && images.start <= images.end
            && images.end <= c.images
            && images.len() <= c.chunk
            && images.start.is_multiple_of(LANES);
        if ok {
            return self.program.check_run(section, args);
        }
        Err(Error::Internal(format!(
            "run of {} chips and images {images:?} exceeds {c:?}",
            args.chips
        )))
    }

    fn write_bytes(&mut self, id: TensorId, offset_floats: u64, data: &[f32]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let buffer = self.own(id)?;
        self.context
            .queue
            .write_buffer(buffer, offset_floats * 4, bytes);
        self.staged += bytes.len() as u64;
        if self.staged >= STAGED {
            self.context.queue.submit([]);
            self.context.wait(None)?;
            self.staged = 0;
        }
        Ok(())
    }

    /// Copies the first `floats` of a tensor's buffer to the host.
    fn fetch(&mut self, id: TensorId, floats: u64) -> Result<Vec<f32>> {
        let bytes = floats * 4;
        if self.staging.as_ref().is_none_or(|s| s.size() < bytes) {
            self.staging = None;
            use ::wgpu::BufferUsages as Usage;
            let usage = Usage::MAP_READ | Usage::COPY_DST;
            let size = bytes.next_power_of_two().min(self.context.limits.binding);
            self.staging = Some(self.context.buffer("staging", size.max(bytes), usage)?);
        }
        let Some(staging) = self.staging.clone() else {
            return Err(Error::Internal("no staging buffer".to_owned()));
        };
        let source = self.own(id)?;
        let context = &self.context;
        context.guarded("read", || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(source, 0, &staging, 0, bytes);
            context.queue.submit([encoder.finish()])
        })?;
        let (sender, receiver) = mpsc::channel();
        staging.map_async(::wgpu::MapMode::Read, 0..bytes, move |result| {
            // The receiver is alive until the wait below has returned.
            let _ = sender.send(result);
        });
        context.wait(None)?;
        self.in_flight.clear();
        let name = &self.program.desc(id).name;
        // Another thread that waits for the same device may be the one that calls back.
        match receiver.recv_timeout(CALLED_BACK) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(context.fail(format!("reading \"{name}\": {e}"))),
            Err(_) => return Err(context.fail(format!("reading \"{name}\": never mapped"))),
        }
        let values = match staging.get_mapped_range(0..bytes) {
            Ok(view) => bytemuck::pod_collect_to_vec(&view[..]),
            Err(e) => return Err(context.fail(format!("reading \"{name}\": {e}"))),
        };
        staging.unmap();
        context.check()?;
        Ok(values)
    }
}

impl Session for WgpuSession {
    fn write(&mut self, id: TensorId, data: &[f32]) -> Result<()> {
        self.context.poll()?;
        let desc = self.program.desc(id);
        let (name, role, shape) = (desc.name.clone(), desc.role, desc.shape);
        let cx = self.lower_context();
        let (slabs, slab) = (cx.slabs(id), cx.slab_floats(id));
        let len = shape.len();
        match (role, shape) {
            (Role::State, Shape::Flat(n)) => {
                if !data.len().is_multiple_of(n) || data.len() > n * slabs {
                    return Err(wrong_length(&name, data.len(), n, slabs));
                }
                let halves = self.lower_context().halves(id);
                for (i, values) in data.chunks_exact(n).enumerate() {
                    match halves {
                        true => self.write_bytes(id, i as u64 * slab, &to_halves(values))?,
                        false => self.write_bytes(id, i as u64 * slab, values)?,
                    }
                }
                Ok(())
            }
            (Role::Input | Role::Carried, Shape::Image { .. }) => {
                let images = data.len() / (len * slabs);
                if data.len() != images * len * slabs || images > self.capacity.images {
                    return Err(wrong_length(&name, data.len(), len, slabs));
                }
                if images == 0 {
                    return Ok(());
                }
                for (i, values) in data.chunks_exact(images * len).enumerate() {
                    let blocked = to_blocks(values, len);
                    self.write_bytes(id, i as u64 * slab, &blocked)?;
                }
                Ok(())
            }
            _ => Err(Error::Internal(format!("\"{name}\" cannot be written"))),
        }
    }

    fn read(&mut self, id: TensorId) -> Result<Vec<f32>> {
        self.context.poll()?;
        let desc = self.program.desc(id);
        let (name, role, shape) = (desc.name.clone(), desc.role, desc.shape);
        let cx = self.lower_context();
        let (slabs, slab) = (cx.slabs(id), cx.slab_floats(id));
        match (role, shape) {
            (Role::State, Shape::Flat(n)) => {
                let halves = cx.halves(id);
                let all = self.fetch(id, slab * slabs as u64)?;
                let rows = all.chunks_exact(slab as usize);
                if halves {
                    return Ok(rows.flat_map(|row| from_halves(row, n)).collect());
                }
                Ok(rows.flat_map(|row| &row[..n]).copied().collect())
            }
            (Role::Output | Role::Carried, Shape::Image { .. }) => {
                let Some((chips, images)) = self.last_run else {
                    return Err(Error::Internal(format!("\"{name}\" read before any run")));
                };
                let slabs = slabs.min(chips);
                let all = self.fetch(id, slab * slabs as u64)?;
                let mut out = Vec::with_capacity(slabs * images * shape.len());
                for blocks in all.chunks_exact(slab as usize) {
                    from_blocks(blocks, shape.len(), images, &mut out);
                }
                Ok(out)
            }
            _ => Err(Error::Internal(format!("\"{name}\" cannot be read"))),
        }
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        self.context.poll()?;
        self.check_args(section, args)?;
        self.last_run = Some((args.chips, args.images.len()));
        let uniform = RunUniform::new(args);
        let context = &self.context;
        let per_axis = context.limits.groups;
        let submission = context.guarded("run", || {
            context
                .queue
                .write_buffer(&self.run_uniform, 0, &Bytes::of(&uniform).bytes);
            let mut encoder = context.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for call in &self.sections[section.0] {
                    let Some([x, y, z]) =
                        call.work
                            .workgroups(uniform.blocks, uniform.chips, per_axis)
                    else {
                        continue;
                    };
                    pass.set_pipeline(&call.kernel);
                    for offsets in call.offsets(uniform.chips, context.limits.uniform_align) {
                        pass.set_bind_group(0, &call.bindings, &offsets);
                        pass.dispatch_workgroups(x, y, z);
                    }
                }
            }
            context.queue.submit([encoder.finish()])
        })?;
        self.staged = 0;
        self.in_flight.push_back(submission);
        if self.in_flight.len() > IN_FLIGHT {
            let oldest = self.in_flight.pop_front();
            self.context.wait(oldest)?;
        }
        Ok(())
    }
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

fn wrong_length(name: &str, got: usize, unit: usize, slabs: usize) -> Error {
    Error::Internal(format!(
        "\"{name}\" takes up to {slabs} x .. x {unit} values, got {got}"
    ))
}

/// Words of the nearest halves, the first value lowest; the last word may end with a zero.
fn to_halves(values: &[f32]) -> Vec<f32> {
    let mut halves = vec![0; values.len().next_multiple_of(2)];
    storage::round(values, &mut halves[..values.len()]);
    let word = |pair: &[u16]| f32::from_bits(u32::from(pair[0]) | u32::from(pair[1]) << 16);
    halves.chunks_exact(2).map(word).collect()
}

/// The first `n` values in words of halves.
fn from_halves(words: &[f32], n: usize) -> Vec<f32> {
    let bits = words.iter().map(|w| w.to_bits());
    let halves = bits.flat_map(|w| [w as u16, (w >> 16) as u16]);
    let halves: Vec<u16> = halves.take(n).collect();
    let mut values = vec![0.0; n];
    storage::expand(&halves, &mut values);
    values
}

/// `[image][value]` to `[block][value][lane]`; lanes without an image become 0.
fn to_blocks(images: &[f32], len: usize) -> Vec<f32> {
    let n = images.len() / len;
    let mut out = vec![0.0; n.div_ceil(LANES) * LANES * len];
    for (i, image) in images.chunks_exact(len).enumerate() {
        let block = &mut out[i / LANES * LANES * len..];
        for (j, v) in image.iter().enumerate() {
            block[j * LANES + i % LANES] = *v;
        }
    }
    out
}

/// The inverse of [`to_blocks`] for the first `n` images, appended to `out`.
fn from_blocks(blocks: &[f32], len: usize, n: usize, out: &mut Vec<f32>) {
    for i in 0..n {
        let block = &blocks[i / LANES * LANES * len..];
        out.extend((0..len).map(|j| block[j * LANES + i % LANES]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_back() {
        for values in [&[0.5, -1.75, 3.0][..], &[65504.0, 0.0]] {
            let words = to_halves(values);
            assert_eq!(words.len(), values.len().div_ceil(2));
            assert_eq!(words[0].to_bits() & 0xffff, half_of(values[0]));
            assert_eq!(from_halves(&words, values.len()), values);
        }
    }

    fn half_of(v: f32) -> u32 {
        let mut half = [0];
        storage::round(&[v], &mut half);
        half[0].into()
    }

    #[test]
    fn blocks_and_back() {
        let images: Vec<f32> = (0..19 * 3).map(|v| v as f32).collect();
        let blocks = to_blocks(&images, 3);
        assert_eq!(blocks.len(), 2 * 3 * LANES);
        assert_eq!(blocks[LANES + 2], images[2 * 3 + 1]);
        let mut back = Vec::new();
        from_blocks(&blocks, 3, 19, &mut back);
        assert_eq!(back, images);
    }
}
