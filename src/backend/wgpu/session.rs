//! A program with its memory on a device: buffers, bind groups, runs and reads.
//!
//! The kernel calls of a section go into as few submissions as time allows (`schedule.rs`), which the queue
//! keeps in order; no result is read back inside a run. What is asked for is
//! copied aside in the same queue (`read_back.rs`), so that later runs may overwrite it.

use std::sync::Arc;

use super::buffers::{Buffers, Call};
use super::context::Context;
use super::dispatch::{LowerContext, RunUniform};
use super::layout::{Layout, to_blocks, to_halves};
use super::plan::Plan;
use super::read_back::{ReadBack, Source, Staging};
use super::schedule::{Run, Schedule};
use crate::backend::{Pending, RunArgs, Session};
use crate::error::{Error, Result};
use crate::program::{Capacity, LANES, Program, Role, SectionId, Shape, TensorId};

/// A [`Session`] on a wgpu device.
pub(super) struct WgpuSession {
    context: Arc<Context>,
    program: Program,
    capacity: Capacity,
    buffers: Buffers,
    sections: Vec<Vec<Call>>,
    staging: Staging,
    staged: u64,
    /// Chips and images of the last run.
    last_run: Option<(usize, usize)>,
    schedule: Schedule,
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
        let buffers = Buffers::new(&context, program, &plan, capacity)?;
        let sections = buffers.calls(&context, &plan)?;
        context.poll()?;
        Ok(Self {
            program: program.clone(),
            capacity,
            buffers,
            sections,
            staging: Staging::default(),
            staged: 0,
            last_run: None,
            schedule: Schedule::new(&context)?,
            context,
        })
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

    /// Writes in pieces, so that copies that wait for the queue stay few.
    fn write_bytes(&mut self, id: TensorId, offset_floats: u64, data: &[f32]) -> Result<()> {
        let buffer = self.buffers.own(id)?;
        let half = self.context.limits.staged() / 2;
        let mut at = offset_floats * 4;
        for piece in data.chunks((half / 4) as usize) {
            let bytes: &[u8] = bytemuck::cast_slice(piece);
            self.context.queue.write_buffer(buffer, at, bytes);
            at += bytes.len() as u64;
            self.staged += bytes.len() as u64;
            if self.staged >= half {
                self.context.queue.submit([]);
                self.context.wait(None)?;
                self.staged = 0;
            }
        }
        Ok(())
    }

    /// Where the values of a tensor are that can be read.
    fn source(&self, id: TensorId) -> Result<Source<'_>> {
        let desc = self.program.desc(id);
        let name = &desc.name;
        let cx = self.lower_context();
        let (slabs, slab) = (cx.slabs(id), cx.slab_floats(id) as usize);
        let layout = match (desc.role, desc.shape) {
            (Role::State, Shape::Flat(n)) => Layout::Flat {
                slabs,
                slab,
                n,
                halves: cx.halves(id),
            },
            (Role::Output | Role::Carried, Shape::Image { .. }) => {
                let Some((chips, images)) = self.last_run else {
                    return Err(Error::Internal(format!("\"{name}\" read before any run")));
                };
                Layout::Blocks {
                    slabs: slabs.min(chips),
                    slab,
                    len: desc.shape.len(),
                    images,
                }
            }
            _ => return Err(Error::Internal(format!("\"{name}\" cannot be read"))),
        };
        Ok(Source {
            name,
            buffer: self.buffers.own(id)?,
            layout,
        })
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

    fn submit(&mut self, tensors: &[TensorId]) -> Result<Pending> {
        self.context.poll()?;
        let sources = tensors.iter().map(|&id| self.source(id));
        let sources: Vec<Source> = sources.collect::<Result<_>>()?;
        match sources.is_empty() {
            true => Ok(Pending::ready(Vec::new())),
            false => ReadBack::submit(&self.context, &self.staging, &sources).map(Pending::new),
        }
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        self.context.poll()?;
        self.check_args(section, args)?;
        self.last_run = Some((args.chips, args.images.len()));
        let run = Run {
            context: &self.context,
            section: &self.program.sections[section.0].name,
            buffer: &self.buffers.run,
            uniform: RunUniform::new(args),
        };
        self.schedule.run(&run, &self.sections[section.0])?;
        self.staged = 0;
        Ok(())
    }
}

fn wrong_length(name: &str, got: usize, unit: usize, slabs: usize) -> Error {
    Error::Internal(format!(
        "\"{name}\" takes up to {slabs} x .. x {unit} values, got {got}"
    ))
}
