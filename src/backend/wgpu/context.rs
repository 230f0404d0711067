//! An open device: queue, limits, compiled kernels, and what went wrong so far.
//!
//! wgpu reports most errors away from the call that caused them. Everything that arrives is kept
//! in [`Faults`] and turned into [`Error::Device`] at the next call that can return one, so that
//! a failed dispatch never looks like a result of zeros.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::devices;
use super::dispatch::{Access, Dispatch, LowerContext, WINDOW};
use super::faults::{Faults, lock};
use super::rate::Rate;
use super::shader;
use crate::backend::Kernels;
use crate::error::{Error, Result};
use crate::program::{Capacity, Program};

/// The largest binding that is used even where the adapter offers more: kernels index in `u32`.
pub(super) const MAX_BINDING: u64 = 1 << 30;

/// Remarks that are kept for whoever asks; more are lost.
const MOST_REMARKS: usize = 1000;

/// Bytes of the number of a piece.
const NUMBER: u64 = 16;

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
}

impl Limits {
    /// How operators of a program are lowered under them.
    pub fn context<'a>(&self, program: &'a Program, capacity: Capacity) -> LowerContext<'a> {
        LowerContext {
            program,
            capacity,
            windows: self.windows,
            rounds: self.rounds,
            kernels: self.kernels,
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
    faults: Arc<Faults>,
    kernels: Arc<Mutex<HashMap<KernelKey, Arc<Kernel>>>>,
    layouts: Arc<Mutex<HashMap<Vec<Access>, ::wgpu::BindGroupLayout>>>,
    /// What kernels take, by their parameters.
    rates: Arc<Mutex<HashMap<(KernelKey, Vec<u8>), Arc<Rate>>>>,
    remarks: Arc<Mutex<Vec<String>>>,
}

/// A compiled kernel.
pub(super) struct Kernel {
    pub pipeline: ::wgpu::ComputePipeline,
    /// File `shaders/<shader>.wgsl`.
    pub shader: &'static str,
    ran: AtomicBool,
}

impl Kernel {
    /// Whether it has not run yet: some drivers compile when it does.
    pub fn is_new(&self) -> bool {
        !self.ran.load(Ordering::Relaxed)
    }

    /// Notes that it is about to run; whether for the first time.
    pub fn runs(&self) -> bool {
        !self.ran.swap(true, Ordering::Relaxed)
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct KernelKey {
    shader: &'static str,
    entry: &'static str,
    prelude: String,
    access: Vec<Access>,
}

impl KernelKey {
    fn of(dispatch: &Dispatch) -> Self {
        Self {
            shader: dispatch.shader,
            entry: dispatch.entry,
            prelude: shader::prelude(&dispatch.consts),
            access: dispatch.access(),
        }
    }
}

impl Context {
    /// Opens a device with everything the adapter offers.
    pub async fn open(adapter: &::wgpu::Adapter, memory: u64) -> Result<Self> {
        let info = adapter.get_info();
        let offered = adapter.limits();
        check_floor(&info, &offered)?;
        let descriptor = ::wgpu::DeviceDescriptor {
            label: Some("pimento"),
            required_features: adapter.features() & ::wgpu::Features::TIMESTAMP_QUERY,
            required_limits: offered.clone(),
            ..Default::default()
        };
        let opened = adapter.request_device(&descriptor).await;
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
                memory,
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
            },
            info,
            device,
            queue,
            faults,
            kernels: Arc::default(),
            layouts: Arc::default(),
            rates: Arc::default(),
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
            limits,
            faults: self.faults.clone(),
            kernels: self.kernels.clone(),
            layouts: self.layouts.clone(),
            rates: self.rates.clone(),
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

    /// The bind group layout of a kernel: `run` at 0, parameters at 1, buffers from 2, numbers of
    /// pieces behind them.
    pub fn layout(&self, access: &[Access]) -> Result<::wgpu::BindGroupLayout> {
        let mut layouts = lock(&self.layouts);
        if let Some(layout) = layouts.get(access) {
            return Ok(layout.clone());
        }
        let uniform = ::wgpu::BufferBindingType::Uniform;
        let storage = |read_only| ::wgpu::BufferBindingType::Storage { read_only };
        let numbers = numbers(access);
        let entries: Vec<_> = [(uniform, false); 2]
            .into_iter()
            .chain(access.iter().map(|access| match access {
                Access::Read => (storage(true), false),
                Access::Write => (storage(false), false),
                Access::Window => (uniform, true),
            }))
            .chain(std::iter::repeat_n((uniform, true), numbers))
            .zip(0..)
            .map(|((ty, moves), binding)| layout_entry(binding, ty, moves))
            .collect();
        let layout = self.guarded("bind group layout", || {
            self.device
                .create_bind_group_layout(&::wgpu::BindGroupLayoutDescriptor {
                    label: None,
                    entries: &entries,
                })
        })?;
        layouts.insert(access.to_vec(), layout.clone());
        Ok(layout)
    }

    /// The compiled kernel of a dispatch, from the cache where it is there.
    pub fn kernel(&self, dispatch: &Dispatch) -> Result<Arc<Kernel>> {
        let key = KernelKey::of(dispatch);
        if let Some(kernel) = lock(&self.kernels).get(&key) {
            return Ok(kernel.clone());
        }
        let layout = self.layout(&key.access)?;
        let source = shader::compose(dispatch.shader, &key.prelude)?;
        let what = format!("kernel {}", dispatch.shader);
        let pipeline = self
            .guarded(&what, || self.compile(dispatch, &layout, &source))
            .map_err(|e| Error::device(source.locate(&e.to_string())))?;
        let kernel = Kernel {
            pipeline,
            shader: dispatch.shader,
            ran: AtomicBool::new(false),
        };
        let mut kernels = lock(&self.kernels);
        Ok(kernels.entry(key).or_insert(Arc::new(kernel)).clone())
    }

    /// What is known of how long a kernel takes with these parameters.
    pub fn rate(&self, dispatch: &Dispatch) -> Arc<Rate> {
        let key = (KernelKey::of(dispatch), dispatch.params.bytes.clone());
        lock(&self.rates).entry(key).or_default().clone()
    }

    /// Binds the buffers of a kernel call, from binding 2 on; `pieces`: the numbers of pieces.
    pub fn bind(
        &self,
        dispatch: &Dispatch,
        run: &::wgpu::Buffer,
        params: ::wgpu::BufferBinding<'_>,
        buffers: &[&::wgpu::Buffer],
        pieces: &::wgpu::Buffer,
    ) -> Result<::wgpu::BindGroup> {
        let access = dispatch.access();
        let layout = self.layout(&access)?;
        let first = |buffer, bytes| {
            ::wgpu::BindingResource::Buffer(::wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: ::wgpu::BufferSize::new(bytes),
            })
        };
        let entries: Vec<_> = [
            run.as_entire_binding(),
            ::wgpu::BindingResource::Buffer(params),
        ]
        .into_iter()
        .chain(
            buffers
                .iter()
                .zip(&access)
                .map(|(buffer, access)| match access {
                    Access::Window => first(buffer, WINDOW),
                    Access::Read | Access::Write => buffer.as_entire_binding(),
                }),
        )
        .chain(std::iter::repeat_n(first(pieces, NUMBER), numbers(&access)))
        .zip(0..)
        .map(|(resource, binding)| ::wgpu::BindGroupEntry { binding, resource })
        .collect();
        self.guarded(dispatch.shader, || {
            self.device.create_bind_group(&::wgpu::BindGroupDescriptor {
                label: Some(dispatch.shader),
                layout: &layout,
                entries: &entries,
            })
        })
    }

    fn compile(
        &self,
        dispatch: &Dispatch,
        layout: &::wgpu::BindGroupLayout,
        source: &shader::Source,
    ) -> ::wgpu::ComputePipeline {
        let module = self
            .device
            .create_shader_module(::wgpu::ShaderModuleDescriptor {
                label: Some(dispatch.shader),
                source: ::wgpu::ShaderSource::Wgsl(source.text.as_str().into()),
            });
        let layout = self
            .device
            .create_pipeline_layout(&::wgpu::PipelineLayoutDescriptor {
                label: Some(dispatch.shader),
                bind_group_layouts: &[Some(layout)],
                immediate_size: 0,
            });
        self.device
            .create_compute_pipeline(&::wgpu::ComputePipelineDescriptor {
                label: Some(dispatch.shader),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(dispatch.entry),
                compilation_options: ::wgpu::PipelineCompilationOptions {
                    // Kernels write workgroup memory before they read it.
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
    }

    /// Whether a submission has ended.
    pub fn is_done(&self, submission: &::wgpu::SubmissionIndex) -> Result<bool> {
        let poll = ::wgpu::PollType::Wait {
            submission_index: Some(submission.clone()),
            timeout: Some(Duration::ZERO),
        };
        match self.device.poll(poll) {
            Ok(_) => self.check().map(|()| true),
            Err(::wgpu::PollError::Timeout) => self.check().map(|()| false),
            Err(e) => Err(self.fail(format!("{}: {e}", self.info.name))),
        }
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

/// Bindings behind the buffers: the number of every window's piece, and of the chip.
fn numbers(access: &[Access]) -> usize {
    match access.iter().filter(|a| **a == Access::Window).count() {
        0 => 0,
        windows => windows + 1,
    }
}

fn layout_entry(
    binding: u32,
    ty: ::wgpu::BufferBindingType,
    moves: bool,
) -> ::wgpu::BindGroupLayoutEntry {
    ::wgpu::BindGroupLayoutEntry {
        binding,
        visibility: ::wgpu::ShaderStages::COMPUTE,
        ty: ::wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: moves,
            min_binding_size: None,
        },
        count: None,
    }
}
