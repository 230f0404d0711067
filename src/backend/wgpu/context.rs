//! An open device: queue, limits, compiled kernels, and what went wrong so far.
//!
//! wgpu reports most errors away from the call that caused them. Everything that arrives is kept
//! in [`Faults`] and turned into [`Error::Device`] at the next call that can return one, so that
//! a failed dispatch never looks like a result of zeros.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ::wgpu::Features;

use super::compile::Compiled;
use super::cooperative::{self, Matrices, Proof};
use super::devices;
use super::dispatch::{LowerContext, WINDOW};
use super::faults::{Faults, lock};
use super::kept::Kept;
use crate::backend::{Kernels, MemoryBudget, Products};
use crate::error::{Error, Result};
use crate::program::{Capacity, Program};

/// The largest binding that is used even where the adapter offers more: kernels index in `u32`.
pub(super) const MAX_BINDING: u64 = 1 << 30;

/// Remarks that are kept for whoever asks; more are lost.
const MOST_REMARKS: usize = 1000;

/// Host writes that wait for the queue to copy them, at most, bytes; less where there is little memory.
const STAGED: u64 = 64 << 20;
/// See [`STAGED`].
const LEAST_STAGED: u64 = 64 << 10;

/// What the planner must respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Largest binding of a storage buffer, bytes.
    pub binding: u64,
    /// Workgroups per axis.
    pub groups: u32,
    /// Alignment of an offset in a uniform buffer, bytes.
    pub uniform_align: u64,
    /// All buffers of one session together, bytes.
    pub memory: u64,
    /// Whether windows are read faster than storage, see [`Access::Window`].
    pub windows: bool,
    /// Rounds that all loops of a thread may go together.
    pub rounds: u64,
    /// Which kernels are taken where there are several.
    pub kernels: Kernels,
    /// Seed of cuts that nothing asks for.
    pub random_cuts: Option<u64>,
    /// Whether nobody asked for kernels of a kind.
    pub by_default: bool,
    /// Cooperative matrices that may be used: those of the device, once they are proved and wanted.
    pub matrices: Option<Matrices>,
    /// How convolutions may be summed.
    pub products: Products,
}

impl Limits {
    /// Bytes of host writes that wait for the queue to copy them, at most.
    pub fn staged(&self) -> u64 {
        (self.memory / 16).clamp(LEAST_STAGED, STAGED)
    }

    /// How operators of a program are lowered under them.
    pub fn context<'a>(&self, program: &'a Program, capacity: Capacity) -> LowerContext<'a> {
        LowerContext {
            program,
            capacity,
            windows: self.windows,
            rounds: self.rounds,
            kernels: self.kernels,
            matrices: self.matrices,
            products: self.products,
        }
    }
}

/// Rounds after which Mesa's llvmpipe leaves every loop of a thread without a word: 65,535 in all
/// (`LP_MAX_TGSI_LOOP_ITERATIONS` of its `lp_bld_limits.h`). Some are left for the short loops that no operator counts.
const LLVMPIPE_ROUNDS: u64 = 65_000;

/// A device with its compiled kernels. Lives as long as the backend or any session.
pub(super) struct Context {
    pub info: ::wgpu::AdapterInfo,
    pub device: ::wgpu::Device,
    pub queue: ::wgpu::Queue,
    pub limits: Limits,
    /// Where the memory budget comes from, in words.
    pub memory: String,
    /// The device's cooperative matrices, and whether they add up as they should.
    pub proof: Option<Arc<Proof>>,
    faults: Arc<Faults>,
    /// Kernels of earlier runs.
    pub kept: Option<Arc<Kept>>,
    pub compiled: Arc<Compiled>,
    remarks: Arc<Mutex<Vec<String>>>,
}

/// How much of what an adapter offers is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// All that helps.
    All,
    /// What every adapter of WebGPU has.
    Least,
}

impl Context {
    /// Opens a device with so much of what the adapter offers.
    pub async fn open(
        adapter: &::wgpu::Adapter,
        memory: MemoryBudget,
        offer: Offer,
    ) -> Result<Self> {
        let info = adapter.get_info();
        check_floor(&info, &adapter.limits())?;
        let (offered, features) = match offer {
            Offer::All => (adapter.limits(), adapter.features() & helpful()),
            Offer::Least => {
                let least = ::wgpu::Limits::defaults();
                (
                    least.or_worse_values_from(&adapter.limits()),
                    Features::empty(),
                )
            }
        };
        let descriptor = ::wgpu::DeviceDescriptor {
            label: Some("pimento"),
            required_features: features,
            required_limits: offered.clone(),
            ..Default::default()
        };
        let (opened, matrices) = cooperative::open(adapter, &descriptor, offer).await;
        let (device, queue) =
            opened.map_err(|e| Error::device(format!("{}: cannot open: {e}", info.name)))?;

        let faults = Arc::new(Faults::default());
        let sink = faults.clone();
        device.on_uncaptured_error(Arc::new(move |e: ::wgpu::Error| sink.record(e.to_string())));
        let sink = faults.clone();
        let name = info.name.clone();
        device.set_device_lost_callback(move |reason, message| {
            sink.record(format!("{name}: device lost ({reason:?}) {message}"));
        });

        Ok(Self {
            limits: Limits {
                binding: offered
                    .max_storage_buffer_binding_size
                    .min(offered.max_buffer_size)
                    .min(MAX_BINDING),
                groups: offered.max_compute_workgroups_per_dimension,
                uniform_align: u64::from(offered.min_uniform_buffer_offset_alignment).max(16),
                memory: memory.bytes,
                windows: !devices::is_hardware(&info)
                    && offered.max_uniform_buffer_binding_size >= WINDOW,
                rounds: match info.name.contains("llvmpipe") {
                    true => LLVMPIPE_ROUNDS,
                    false => u64::MAX,
                },
                kernels: match devices::many_registers(&info) {
                    true => Kernels::Fitting,
                    false => Kernels::Portable,
                },
                random_cuts: None,
                by_default: true,
                matrices: None,
                products: Products::default(),
            },
            memory: memory.source,
            proof: matrices.map(|matrices| Arc::new(Proof::new(matrices))),
            info,
            device,
            queue,
            faults,
            kept: None,
            compiled: Arc::default(),
            remarks: Arc::default(),
        })
    }

    /// The same device with other kernels.
    pub fn with_windows(&self, yes: bool) -> Self {
        self.with_limits(Limits {
            windows: yes,
            ..self.limits
        })
    }

    /// The same device, asked for less.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self {
            info: self.info.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
            memory: self.memory.clone(),
            limits,
            proof: self.proof.clone(),
            faults: self.faults.clone(),
            kept: self.kept.clone(),
            compiled: self.compiled.clone(),
            remarks: self.remarks.clone(),
        }
    }

    /// Keeps a sentence for [`Context::remarks`].
    pub fn remark(&self, text: String) {
        let mut remarks = lock(&self.remarks);
        if remarks.len() < MOST_REMARKS {
            remarks.push(format!("{}: {text}", self.info.name));
        }
    }

    /// What was remarked since this was asked last.
    pub fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.remarks))
    }

    /// The first error that arrived out of band, if any.
    pub fn check(&self) -> Result<()> {
        self.faults.check()
    }

    /// [`Context::check`] after the device had a chance to report its loss, which wgpu does in
    /// polls only: until then calls on a lost device silently do nothing.
    pub fn poll(&self) -> Result<()> {
        if let Err(e) = self.device.poll(::wgpu::PollType::Poll) {
            return Err(self.fail(format!("{}: {e}", self.info.name)));
        }
        self.check()
    }

    /// Remembers an error for [`Context::check`].
    pub fn fail(&self, message: String) -> Error {
        self.faults.record(message.clone());
        Error::device(message)
    }

    /// Runs `create` and returns its result, or what the device said against it; where the device answers
    /// later, as in browsers, its answer is an error of [`Context::check`]. `what` starts the message.
    pub fn guarded<T>(&self, what: &str, create: impl FnOnce() -> T) -> Result<T> {
        let memory = self
            .device
            .push_error_scope(::wgpu::ErrorFilter::OutOfMemory);
        let validation = self
            .device
            .push_error_scope(::wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(::wgpu::ErrorFilter::Internal);
        let value = create();
        let what = format!("{}: {what}", self.info.name);
        let internal = self.faults.told(&what, internal.pop());
        let validation = self.faults.told(&what, validation.pop());
        let memory = self.faults.told(&what, memory.pop());
        let memory =
            memory.map(|text| format!("{text}; allowed: a smaller budget (--memory of a sweep)"));
        if let Some(text) = memory.or(validation).or(internal) {
            return Err(Error::device(text));
        }
        self.check()?;
        Ok(value)
    }

    /// Creates a buffer.
    pub fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: ::wgpu::BufferUsages,
    ) -> Result<::wgpu::Buffer> {
        self.guarded(&format!("buffer \"{label}\" of {bytes} bytes"), || {
            self.device.create_buffer(&::wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// Submits commands, and a mark that is set once they are done and somebody polls.
    pub fn submit(
        &self,
        commands: ::wgpu::CommandBuffer,
    ) -> (::wgpu::SubmissionIndex, Arc<AtomicBool>) {
        let index = self.queue.submit([commands]);
        let done = Arc::new(AtomicBool::new(false));
        let mark = done.clone();
        self.queue
            .on_submitted_work_done(move || mark.store(true, Ordering::Release));
        (index, done)
    }

    /// Whether what bears this mark is done. (A wait without patience for a submission would ask the same, but
    /// wgpu-core 30 panics where another thread sees the device at rest in the middle of it.)
    pub fn is_done(&self, mark: &AtomicBool) -> Result<bool> {
        if let Err(e) = self.device.poll(::wgpu::PollType::Poll) {
            return Err(self.fail(format!("{}: {e}", self.info.name)));
        }
        self.check().map(|()| mark.load(Ordering::Acquire))
    }

    /// Waits for one submission, or for all.
    pub fn wait(&self, submission: Option<::wgpu::SubmissionIndex>) -> Result<()> {
        let poll = ::wgpu::PollType::Wait {
            submission_index: submission,
            timeout: None,
        };
        if let Err(e) = self.device.poll(poll) {
            return Err(self.fail(format!("{}: {e}", self.info.name)));
        }
        self.check()
    }
}

/// Features that are asked for where an adapter has them. Timestamps are waited for, which browsers forbid.
fn helpful() -> Features {
    match cfg!(target_family = "wasm") {
        true => Features::empty(),
        false => Features::TIMESTAMP_QUERY | Features::PIPELINE_CACHE,
    }
}

/// Refuses adapters below what WebGPU guarantees to compute kernels.
fn check_floor(info: &::wgpu::AdapterInfo, limits: &::wgpu::Limits) -> Result<()> {
    let needs = [
        (
            "storage buffers per kernel",
            limits.max_storage_buffers_per_shader_stage,
            8,
        ),
        (
            "threads per workgroup",
            limits.max_compute_invocations_per_workgroup,
            256,
        ),
        (
            "bytes of workgroup memory",
            limits.max_compute_workgroup_storage_size,
            16384,
        ),
        (
            "workgroups per axis",
            limits.max_compute_workgroups_per_dimension,
            65535,
        ),
    ];
    for (what, has, needed) in needs {
        if has < needed {
            return Err(Error::device(format!(
                "{} ({}): offers {has} {what}, at least {needed} are needed; use --backend cpu",
                info.name,
                devices::api(info),
            )));
        }
    }
    Ok(())
}
