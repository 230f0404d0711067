//! The WGSL backend: every kernel of `shaders/` through wgpu (Vulkan, GL, Metal, DX12).
//!
//! * [`devices`]: which adapters exist and which one is taken.
//! * `context`: an open device, and its errors; `compile`: its kernels.
//! * `dispatch`: the plain data between operators and device.
//! * `shader`: joining the WGSL pieces.
//! * `lower` and one module an operator: operator to kernel calls.
//! * `cooperative`: matrix units of adapters, and the test they must pass.
//! * `plan`: memory, temporaries in a pool, the capacity that fits.
//! * `planned`: the kernel calls of a GPU that is not there.
//! * `session`: buffers, runs, and reads that are on their way while others run.
//! * `schedule`: a run as submissions of bounded time; `cut`, `rate` and `clock`: where calls are cut, what they
//!   take, and how that is measured.
//! * `budget`: how much memory sessions may take; `kept`: compiled kernels of earlier runs; `driver`: what is asked
//!   beside WebGPU.
//! * `faults`: what a device said against anything.
//! * `peak`: what the adapter can do at best.
//!
//! This directory is the only place that names wgpu. Kernels need no more than WebGPU guarantees:
//! 8 storage buffers, 256 threads, 16 KiB of workgroup memory, 65535 workgroups an axis.

mod activation_grad;
mod adam;
mod add;
mod batch_norm;
mod binarize_act;
mod blend;
mod budget;
mod buffers;
mod channel_sum;
mod class_metric;
mod clip_weight;
mod clock;
mod collapse_planes;
mod combine;
mod compile;
mod constant;
mod context;
mod conv;
mod conv2d;
mod conv2d_coop;
mod conv2d_depthwise;
mod conv2d_grad_input;
mod conv2d_grad_weight;
mod conv2d_pool;
mod conv2d_tiled;
mod conv2d_winograd;
mod converter_fold;
mod cooperative;
mod counting;
mod crossbar;
mod crossbar_coop;
mod crossbar_tile;
mod cut;
pub mod devices;
mod dispatch;
mod distill_grad;
mod driver;
mod fabricate;
mod faults;
mod fields;
mod group_lasso_grad;
mod histogram;
mod input_energy;
mod input_load;
mod ir_drop;
mod kept;
mod layout;
mod lerp;
mod mask_weight;
mod max_abs;
mod multiply;
mod partial_sums;
mod peak;
mod place_cells;
mod plan;
mod planned;
mod pointwise;
mod pool;
mod post;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod range_grad;
mod rate;
mod read_back;
mod reading;
mod rearrange;
mod reference_grad;
mod routes;
mod scale_flat;
mod schedule;
mod session;
mod sgd;
mod shader;
mod slice_l1_grad;
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

use std::sync::{Arc, OnceLock};

use self::context::{Context, Offer};
use self::devices::Selector;
pub use self::devices::{AdapterReport, list_adapters};
pub use self::planned::{KernelCall, PlannedGpu};
use super::{Backend, DeviceInfo, KernelStore, Kernels, MemoryBudget, Products, Session};
use crate::error::Result;
use crate::program::{Capacity, Program, SectionId};

/// Memory that a session may use where nothing else is said and the adapter does not tell what it has, bytes: one
/// GiB is there on anything that runs Vulkan.
pub const DEFAULT_MEMORY_BUDGET: u64 = 1 << 30;

/// Programs on a graphics adapter.
pub struct WgpuBackend {
    context: Arc<Context>,
    /// The same device as programs are planned for, once its cooperative matrices are known.
    settled: OnceLock<std::result::Result<Arc<Context>, String>>,
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

    /// Opens an adapter as [`WgpuBackend::open`] does, with no more than every adapter of WebGPU offers: bindings
    /// of 128 MiB, buffers of 256 MiB, 8 storage buffers, workgroups of 256 threads and 16 KiB, and no
    /// features beyond. Results are the same.
    ///
    /// # Errors
    /// As [`WgpuBackend::open`].
    pub fn open_with_least(name: Option<&str>) -> Result<Self> {
        let selector = name.map_or(Selector::Any, Selector::Named);
        match devices::select(selector)? {
            Some(adapter) => Self::with_offer(&adapter, Offer::Least),
            None => Err(crate::Error::device("no graphics adapter")),
        }
    }

    /// Opens an adapter of the browser that the program runs in. Nothing waits for it afterwards: what a
    /// [`Session`] is asked for must be ready ([`super::Pending::is_ready`]) before it is taken.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the browser has no WebGPU or gives no adapter, or gives one that has less than
    /// WebGPU guarantees.
    #[cfg(target_family = "wasm")]
    pub async fn open_in_browser() -> Result<Self> {
        let adapter = devices::browsers().await?;
        let budget = budget::budget(&adapter);
        Ok(Self::of(Context::open(&adapter, budget, Offer::All).await?))
    }

    fn of(context: Context) -> Self {
        Self {
            context: Arc::new(context),
            settled: OnceLock::new(),
        }
    }

    /// The device as programs are planned for it. The first call proves its cooperative matrices where they
    /// may be used.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where [`Kernels::Cooperative`] was asked for and cannot be.
    fn settled(&self) -> Result<&Arc<Context>> {
        let settle = || {
            let limits = self.context.limits;
            let limits = cooperative::settle(&self.context, limits)?;
            Ok(Arc::new(self.context.with_limits(limits)))
        };
        let settled = self.settled.get_or_init(settle).as_ref();
        settled.map_err(|why| crate::Error::device(why.clone()))
    }

    fn on(adapter: &::wgpu::Adapter) -> Result<Self> {
        Self::with_offer(adapter, Offer::All)
    }

    fn with_offer(adapter: &::wgpu::Adapter, offer: Offer) -> Result<Self> {
        let budget = budget::budget(adapter);
        let context = pollster::block_on(Context::open(adapter, budget, offer))?;
        Ok(Self::of(context))
    }

    /// Changes the memory that [`Backend::fit`] may plan with, bytes; without that it is half of what the adapter
    /// has, where it tells, and 1 GiB else.
    pub fn with_memory_budget(mut self, bytes: u64) -> Self {
        let context = self.alone();
        context.limits.memory = bytes;
        context.memory = "as asked for".into();
        self
    }

    /// Keeps compiled kernels there, and takes those that are there from earlier runs, where the driver lets
    /// them be read.
    pub fn with_store(mut self, store: Arc<dyn KernelStore>) -> Self {
        self.alone().keep_in(store);
        self
    }

    /// The context, which a backend that nothing was prepared on has for itself.
    fn alone(&mut self) -> &mut Context {
        self.settled = OnceLock::new();
        match Arc::get_mut(&mut self.context) {
            Some(context) => context,
            None => unreachable!("a backend that is not shared yet owns its context"),
        }
    }

    /// The same device, where kernels may or may not read buffers through uniform bindings, a piece at a
    /// time: faster on software adapters, which do so by themselves. Results are the same.
    pub fn with_windows(&self, yes: bool) -> Self {
        Self::of(self.context.with_windows(yes))
    }

    /// The same device, as if all loops of a thread together could go so many rounds only: operators
    /// with more work for a thread then take several calls, or do not fit.
    pub fn with_rounds(&self, rounds: u64) -> Self {
        let limits = context::Limits {
            rounds,
            ..self.context.limits
        };
        Self::of(self.context.with_limits(limits))
    }

    /// The same device with other kernels than the adapter's kind suggests. Results are the same, but for
    /// rounding with [`Kernels::Cooperative`], which every later call refuses where the adapter has no such
    /// matrices or they do not add up, and for layers of 3 x 3: [`Kernels::Portable`] sums them directly, the others as
    /// [`Products`] say.
    pub fn with_kernels(&self, kernels: Kernels) -> Self {
        let limits = context::Limits {
            kernels,
            by_default: false,
            ..self.context.limits
        };
        Self::of(self.context.with_limits(limits))
    }

    /// The same device, which sums convolutions in this way where its kernels can.
    pub fn with_products(&self, products: Products) -> Self {
        let limits = context::Limits {
            products,
            ..self.context.limits
        };
        Self::of(self.context.with_limits(limits))
    }

    /// The same device, where work is cut into submissions at random places of a seed, in the middle of kernel
    /// calls too, and not by what it takes. Results are the same; tests see that they are.
    #[doc(hidden)]
    pub fn with_random_cuts(&self, seed: u64) -> Self {
        let limits = context::Limits {
            random_cuts: Some(seed),
            ..self.context.limits
        };
        Self::of(self.context.with_limits(limits))
    }

    /// Gives the device up: everything prepared on it answers with [`crate::Error::Device`] from
    /// here on. What a driver does when it resets; tests do it on purpose.
    pub fn destroy(&self) {
        self.context.device.destroy();
        // The device says that it is lost once nothing is queued any more.
        _ = self.context.wait(None);
    }

    /// The same device, where cooperative matrices are taken only where they are asked for.
    pub fn without_matrices(&self) -> Self {
        let limits = context::Limits {
            by_default: false,
            ..self.context.limits
        };
        Self::of(self.context.with_limits(limits))
    }

    /// Rows and columns of the cooperative matrices that [`Kernels::Cooperative`] multiplies; `None` where the
    /// adapter has none of the kind.
    pub fn matrix_side(&self) -> Option<u32> {
        self.context.proof.as_ref().map(|proof| proof.side())
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

    fn products(&self) -> Products {
        self.context.limits.products
    }

    fn memory(&self) -> Option<MemoryBudget> {
        Some(MemoryBudget {
            bytes: self.context.limits.memory,
            source: self.context.memory.clone(),
        })
    }

    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        program.check()?;
        plan::fit(program, want, &self.settled()?.limits)
    }

    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64> {
        program.check()?;
        Ok(plan::Plan::new(program, capacity, &self.settled()?.limits)?.total())
    }

    fn cooperative(&self) -> Result<bool> {
        Ok(self.settled()?.limits.matrices.is_some())
    }

    fn routes(
        &self,
        program: &Program,
        capacity: Capacity,
        section: SectionId,
    ) -> Result<Vec<String>> {
        program.check()?;
        let cx = self.settled()?.limits.context(program, capacity);
        routes::names(&program.sections[section.0].ops, &cx)
    }

    fn remarks(&self) -> Vec<String> {
        self.context.remarks()
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>> {
        program.check()?;
        let session = session::WgpuSession::new(self.settled()?.clone(), program, capacity)?;
        Ok(Box::new(session))
    }
}
