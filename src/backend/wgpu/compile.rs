//! Kernels: text to pipeline, each once on a device, bound to buffers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::context::Context;
use super::dispatch::{Access, Dispatch, WINDOW};
use super::faults::lock;
use super::kept::Kept;
use super::rate::Rate;
use super::shader;
use crate::backend::KernelStore;
use crate::error::{Error, Result};

/// Bytes of the number of a piece.
const NUMBER: u64 = 16;

/// What was compiled on a device, for all that use it.
#[derive(Default)]
pub(super) struct Compiled {
    kernels: Mutex<HashMap<KernelKey, Arc<Kernel>>>,
    layouts: Mutex<HashMap<Vec<Access>, ::wgpu::BindGroupLayout>>,
    /// What kernels take, by their parameters.
    rates: Mutex<HashMap<KernelUse, Arc<Rate>>>,
    /// Whether kernels were compiled since they were kept.
    fresh: AtomicBool,
}

/// A kernel with the bytes of its parameters.
type KernelUse = (KernelKey, Vec<u8>);

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
    /// The bind group layout of a kernel: `run` at 0, parameters at 1, buffers from 2, numbers of
    /// pieces behind them.
    pub fn layout(&self, access: &[Access]) -> Result<::wgpu::BindGroupLayout> {
        let mut layouts = lock(&self.compiled.layouts);
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
        if let Some(kernel) = lock(&self.compiled.kernels).get(&key) {
            return Ok(kernel.clone());
        }
        let layout = self.layout(&key.access)?;
        let source = shader::compose(dispatch.shader, &key.prelude)?;
        let what = format!("kernel {}", dispatch.shader);
        let pipeline = self
            .guarded(&what, || self.compile(dispatch, &layout, &source))
            .map_err(|e| Error::device(source.locate(&e.to_string())))?;
        self.compiled.fresh.store(true, Ordering::Relaxed);
        let kernel = Kernel {
            pipeline,
            shader: dispatch.shader,
            ran: AtomicBool::new(false),
        };
        let mut kernels = lock(&self.compiled.kernels);
        Ok(kernels.entry(key).or_insert(Arc::new(kernel)).clone())
    }

    /// Compiles the kernels of these dispatches, side by side; one thread does for GL, whose contexts are bound to
    /// threads.
    pub fn compile_all<'d>(&self, dispatches: impl Iterator<Item = &'d Dispatch>) -> Result<()> {
        if self.info.backend == ::wgpu::Backend::Gl {
            return Ok(());
        }
        let mut missing = HashMap::new();
        for dispatch in dispatches {
            let key = KernelKey::of(dispatch);
            if !lock(&self.compiled.kernels).contains_key(&key) {
                missing.insert(key, dispatch);
            }
        }
        let missing: Vec<&Dispatch> = missing.into_values().collect();
        let compile = |dispatch: &&Dispatch| self.kernel(dispatch).map(drop);
        missing.par_iter().try_for_each(compile)
    }

    /// Keeps compiled kernels there from now on.
    pub fn keep_in(&mut self, store: Arc<dyn KernelStore>) {
        let say = |text| self.remark(text);
        self.kept = Kept::open(&self.device, &self.info, store, say).map(Arc::new);
    }

    /// Keeps what was compiled since it was last kept.
    pub fn keep(&self) {
        if let Some(kept) = &self.kept
            && self.compiled.fresh.swap(false, Ordering::Relaxed)
            && let Err(e) = kept.save()
        {
            self.remark(format!("compiled kernels are not kept: {e}"));
        }
    }

    /// What is known of how long a kernel takes with these parameters.
    pub fn rate(&self, dispatch: &Dispatch) -> Arc<Rate> {
        let key = (KernelKey::of(dispatch), dispatch.params.bytes.clone());
        lock(&self.compiled.rates).entry(key).or_default().clone()
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
                cache: self.kept.as_ref().map(|kept| &kept.cache),
            })
    }
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
