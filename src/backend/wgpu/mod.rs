//! The WGSL backend: every kernel of `shaders/` through wgpu (Vulkan, GL, Metal, DX12).
//!
//! * [`devices`]: which adapters exist and which one is taken.
//! * `context`: an open device, its compiled kernels, and its errors.
//! * `dispatch`: the plain data between operators and device.
//! * `shader`: joining the WGSL pieces.
//! * `lower` and one module an operator: operator to kernel calls.
//! * `plan`: memory, temporaries in a pool, the capacity that fits.
//! * `planned`: the kernel calls of a GPU that is not there.
//! * `session`: buffers, runs, and reads that are on their way while others run.
//! * `peak`: what the adapter can do at best.
//!
//! This directory is the only place that names wgpu. Kernels need no more than WebGPU guarantees:
//! 8 storage buffers, 256 threads, 16 KiB of workgroup memory, 65535 workgroups an axis.

mod activation_grad;
mod adam;
mod add;
mod batch_norm;
mod binarize_act;
mod buffers;
mod channel_sum;
mod class_metric;
mod clip_weight;
mod collapse_planes;
mod combine;
mod constant;
mod context;
mod conv;
mod conv2d;
mod conv2d_depthwise;
mod conv2d_grad_input;
mod conv2d_grad_weight;
mod conv2d_tiled;
mod converter_fold;
mod counting;
mod crossbar;
pub mod devices;
mod dispatch;
mod fabricate;
mod fields;
mod group_lasso_grad;
mod histogram;
mod ir_drop;
mod layout;
mod lerp;
mod max_abs;
mod multiply;
mod partial_sums;
mod peak;
mod plan;
mod planned;
mod pointwise;
mod pool;
mod post;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod read_back;
mod reading;
mod rearrange;
mod session;
mod sgd;
mod shader;
mod softmax;
mod softmax_xent;
mod sum_partials;
mod tally;
#[cfg(test)]
mod tests;
mod uniform;
mod variance_ratio;
mod weight_scale;
mod zero;

use std::sync::Arc;

use self::context::Context;
use self::devices::Selector;
pub use self::devices::{AdapterReport, list_adapters};
pub use self::planned::{KernelCall, PlannedGpu};
use super::{Backend, DeviceInfo, Kernels, MemoryBudget, Session};
use crate::error::Result;
use crate::program::{Capacity, Program};

/// Memory that a session may use where nothing else is said, bytes. Adapters do not tell how much
/// they have; one GiB is there on anything that runs Vulkan.
pub const DEFAULT_MEMORY_BUDGET: u64 = 1 << 30;

/// Programs on a graphics adapter.
pub struct WgpuBackend {
    context: Arc<Context>,
}

impl WgpuBackend {
    /// Opens the adapter whose name contains `name` in any case; without a name the one that
    /// `WGPU_ADAPTER_NAME` says, else the best of all, a software adapter at the last.
    ///
    /// An unknown name is [`crate::Error::Input`] and lists the adapters; no adapter at all, or one that
    /// cannot be opened, is [`crate::Error::Device`].
    pub fn open(name: Option<&str>) -> Result<Self> {
        let selector = name.map_or(Selector::Any, Selector::Named);
        match devices::select(selector)? {
            Some(adapter) => Self::on(&adapter),
            None => Err(crate::Error::device("no graphics adapter")),
        }
    }

    /// What `--backend auto` takes: the best hardware GPU (or what `WGPU_ADAPTER_NAME` says), or
    /// nothing.
    pub fn open_hardware() -> Result<Option<Self>> {
        match devices::select(Selector::Hardware)? {
            Some(adapter) => Self::on(&adapter).map(Some),
            None => Ok(None),
        }
    }

    /// Opens every adapter, best first, for a comparison; each with its name, as one that cannot be
    /// opened has nothing else.
    pub fn open_all() -> Vec<(String, Result<Self>)> {
        devices::all()
            .iter()
            .map(|adapter| (adapter.get_info().name, Self::on(adapter)))
            .collect()
    }

    fn on(adapter: &::wgpu::Adapter) -> Result<Self> {
        let context = Arc::new(pollster::block_on(Context::open(
            adapter,
            DEFAULT_MEMORY_BUDGET,
        ))?);
        Ok(Self { context })
    }

    /// Changes the memory that [`Backend::fit`] may plan with, bytes.
    pub fn with_memory_budget(mut self, bytes: u64) -> Self {
        match Arc::get_mut(&mut self.context) {
            Some(context) => context.limits.memory = bytes,
            None => unreachable!("a backend that is not shared yet owns its context"),
        }
        self
    }

    /// The same device, where kernels may or may not read buffers through uniform bindings, a piece at a
    /// time: faster on software adapters, which do so by themselves. Results are the same.
    pub fn with_windows(&self, yes: bool) -> Self {
        let context = Arc::new(self.context.with_windows(yes));
        Self { context }
    }

    /// The same device, as if all loops of a thread together could go so many rounds only: operators
    /// with more work for a thread then take several calls, or do not fit.
    pub fn with_rounds(&self, rounds: u64) -> Self {
        let limits = context::Limits {
            rounds,
            ..self.context.limits
        };
        let context = Arc::new(self.context.with_limits(limits));
        Self { context }
    }

    /// The same device with other kernels than the adapter's kind suggests. Results are the same.
    pub fn with_kernels(&self, kernels: Kernels) -> Self {
        let limits = context::Limits {
            kernels,
            ..self.context.limits
        };
        let context = Arc::new(self.context.with_limits(limits));
        Self { context }
    }

    /// Gives the device up: everything prepared on it answers with [`crate::Error::Device`] from
    /// here on. What a driver does when it resets; tests do it on purpose.
    pub fn destroy(&self) {
        self.context.device.destroy();
    }

    /// Whether the adapter is a GPU and not a program that imitates one.
    pub fn is_hardware(&self) -> bool {
        devices::is_hardware(&self.context.info)
    }
}

impl Backend for WgpuBackend {
    fn info(&self) -> DeviceInfo {
        let info = &self.context.info;
        DeviceInfo {
            backend: "gpu".to_owned(),
            name: info.name.clone(),
            kind: devices::kind(info).to_owned(),
            api: devices::api(info),
            driver: devices::driver(info),
        }
    }

    fn memory(&self) -> Option<MemoryBudget> {
        let bytes = self.context.limits.memory;
        let source = match bytes {
            DEFAULT_MEMORY_BUDGET => "the default for a graphics adapter",
            _ => "as asked for",
        };
        Some(MemoryBudget {
            bytes,
            source: source.into(),
        })
    }

    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        program.check()?;
        plan::fit(program, want, &self.context.limits)
    }

    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64> {
        program.check()?;
        Ok(plan::Plan::new(program, capacity, &self.context.limits)?.total())
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>> {
        program.check()?;
        let session = session::WgpuSession::new(self.context.clone(), program, capacity)?;
        Ok(Box::new(session))
    }
}
