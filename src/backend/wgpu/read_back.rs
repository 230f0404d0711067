//! Tensors on their way to the host: copied to a staging buffer when they are asked for, mapped when the
//! device is there, read when somebody waits.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::context::Context;
use super::layout::Layout;
use crate::backend::pending::Answer;
use crate::error::{Error, Result};

/// How long the device may take to call back once its commands are done.
const CALLED_BACK: Duration = Duration::from_secs(10);

/// Staging buffers of a session that wait for their next use, at most as many as are in flight at a time.
pub(super) const KEPT: usize = 2;

/// Staging buffers that nobody uses, shared by a session and what it has in flight.
#[derive(Clone, Default)]
pub(super) struct Staging(Arc<Mutex<Vec<::wgpu::Buffer>>>);

impl Staging {
    /// The smallest buffer that is large enough, else a new one.
    fn take(&self, context: &Context, bytes: u64) -> Result<::wgpu::Buffer> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = (0..free.len()).filter(|&i| free[i].size() >= bytes);
        if let Some(i) = fits.min_by_key(|&i| free[i].size()) {
            return Ok(free.swap_remove(i));
        }
        // What is too small makes room.
        free.clear();
        use ::wgpu::BufferUsages as Usage;
        let size = bytes.next_power_of_two().min(context.limits.binding);
        context.buffer(
            "staging",
            size.max(bytes),
            Usage::MAP_READ | Usage::COPY_DST,
        )
    }

    fn give(&self, buffer: ::wgpu::Buffer) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(buffer);
        if free.len() > KEPT {
            free.remove(0);
        }
    }
}

/// A tensor to read: its buffer and how its values lie there.
pub(super) struct Source<'s> {
    pub name: &'s str,
    pub buffer: &'s ::wgpu::Buffer,
    pub layout: Layout,
}

/// A tensor's bytes in the staging buffer.
struct Part {
    name: String,
    bytes: Range<usize>,
    layout: Layout,
}

/// Tensors in a staging buffer.
pub(super) struct ReadBack {
    context: Arc<Context>,
    staging: Staging,
    buffer: ::wgpu::Buffer,
    bytes: u64,
    parts: Vec<Part>,
    submission: ::wgpu::SubmissionIndex,
    called_back: mpsc::Receiver<Mapped>,
    mapped: Option<Mapped>,
}

type Mapped = std::result::Result<(), ::wgpu::BufferAsyncError>;

impl ReadBack {
    /// Copies what the tensors are once everything that is queued has run.
    pub fn submit(context: &Arc<Context>, staging: &Staging, sources: &[Source]) -> Result<Self> {
        let mut at = 0;
        let part = |source: &Source| {
            let first = at;
            at += 4 * source.layout.floats() as usize;
            Part {
                name: source.name.to_owned(),
                bytes: first..at,
                layout: source.layout,
            }
        };
        let parts: Vec<Part> = sources.iter().map(part).collect();
        let bytes = at as u64;
        let buffer = staging.take(context, bytes)?;
        let submission = context.guarded("read", || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            for (source, part) in sources.iter().zip(&parts) {
                let Range { start, end } = part.bytes;
                let (to, n) = (start as u64, (end - start) as u64);
                encoder.copy_buffer_to_buffer(source.buffer, 0, &buffer, to, n);
            }
            context.queue.submit([encoder.finish()])
        })?;
        let (sender, called_back) = mpsc::channel();
        buffer.map_async(::wgpu::MapMode::Read, 0..bytes, move |result| {
            // Whoever asked may have lost interest.
            let _ = sender.send(result);
        });
        Ok(Self {
            context: context.clone(),
            staging: staging.clone(),
            buffer,
            bytes,
            parts,
            submission,
            called_back,
            mapped: None,
        })
    }

    fn fail(&self, what: impl std::fmt::Display) -> Error {
        let names: Vec<String> = self
            .parts
            .iter()
            .map(|p| format!("\"{}\"", p.name))
            .collect();
        let names = names.join(", ");
        self.context.fail(format!("reading {names}: {what}"))
    }
}

impl Answer for ReadBack {
    fn is_ready(&mut self) -> Result<bool> {
        self.context.poll()?;
        if self.mapped.is_none() {
            self.mapped = match self.called_back.try_recv() {
                Ok(result) => Some(result),
                Err(mpsc::TryRecvError::Empty) => None,
                Err(mpsc::TryRecvError::Disconnected) => return Err(self.fail("never mapped")),
            };
        }
        Ok(self.mapped.is_some())
    }

    fn wait(mut self: Box<Self>) -> Result<Vec<Vec<f32>>> {
        if !self.is_ready()? {
            if cfg!(target_family = "wasm") {
                return Err(self.fail(
                    "not there yet, and a browser must not wait; ask `is_ready` again later",
                ));
            }
            self.context.wait(Some(self.submission.clone()))?;
            // Another thread that waits for the same device may be the one that calls back.
            self.mapped = self.called_back.recv_timeout(CALLED_BACK).ok();
        }
        match &self.mapped {
            Some(Ok(())) => {}
            Some(Err(e)) => return Err(self.fail(e)),
            None => return Err(self.fail("never mapped")),
        }
        let view = match self.buffer.get_mapped_range(0..self.bytes) {
            Ok(view) => view,
            Err(e) => return Err(self.fail(e)),
        };
        let values = self.parts.iter().map(|part| {
            let floats: Vec<f32> = bytemuck::pod_collect_to_vec(&view[part.bytes.clone()]);
            part.layout.logical(floats)
        });
        let values = values.collect();
        drop(view);
        self.buffer.unmap();
        self.context.check()?;
        self.staging.give(self.buffer);
        Ok(values)
    }
}
