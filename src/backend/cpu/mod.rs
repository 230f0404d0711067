//! The native backend: rayon over chips and blocks of images, SIMD picked at run time. It is the
//! reference the shaders are tested against, and what runs where there is no adapter.
//!
//! # Theory
//! A map holds 16 images innermost, so a convolution is, per output pixel, a small matrix product
//! of the weights with 16 columns, whatever the layer's shape; see `conv2d`.
//!
//! # Practice
//! Every operator says in its file how it is scheduled (`step.rs`). `plan` cuts a section into
//! phases, `session` runs them: block-local operators depth first (`block.rs`) with the sums over
//! images that ride along (`sums.rs`), others over whole tensors (`memory.rs`). All results are
//! independent of the number of threads: a value is always summed in the same order.

mod activation_grad;
mod adam;
mod add;
mod avg_pool;
mod batch_norm;
mod binarize_act;
mod blend;
mod block;
mod buffer;
mod channel_sum;
mod class_metric;
mod clip_weight;
mod collapse_planes;
mod conv2d;
mod conv2d_grad_weight;
mod conv2d_pool;
mod converter_fold;
mod crossbar;
mod distill_grad;
mod fabricate;
mod gather;
mod group_lasso_grad;
mod histogram;
mod input_energy;
mod input_load;
mod ir_drop;
mod lerp;
mod mask_weight;
mod math;
mod max_abs;
mod max_pool;
mod memory;
mod multiply;
mod partial_sums;
mod peak;
mod place_cells;
mod plan;
mod planes;
mod pointwise;
mod post;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod range_grad;
mod rearrange;
mod reference_grad;
mod scale_flat;
mod session;
mod sgd;
mod simd;
mod slice_l1_grad;
mod softmax;
mod softmax_xent;
mod step;
mod strip;
mod sums;
mod tally;
mod tiles;
mod variance_ratio;
mod weight_scale;
mod winograd;
mod zero;

pub use memory::Memory;
pub use simd::{ISA_VARIABLE, Isa};

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, DeviceInfo, MeasurePeak, MemoryBudget, Peak, Session};
use crate::error::{Error, Result};
use crate::program::{Capacity, LANES, Products, Program, Role};
use plan::{Plan, tensor_values};
use step::Target;

/// Memory assumed where the system does not say how much is available: a quarter of all addresses, at most 4 GiB.
const DEFAULT_BUDGET: u64 = match usize::BITS {
    32 => 1 << 30,
    _ => 4 << 30,
};

/// Chunks are not cut below this for the sake of more chips: weights are packed once per run.
const GOOD_CHUNK: usize = 1024;

/// Runs programs on the processor.
#[derive(Debug, Clone)]
pub struct CpuBackend {
    budget: MemoryBudget,
    /// The instruction set, or why there is none.
    isa: std::result::Result<Isa, String>,
    products: Products,
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl Default for CpuBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuBackend {
    /// All processors, half of what [`crate::memory::available`] says (4 GiB where the system does not), the
    /// best instruction set or the one [`ISA_VARIABLE`] names (a wrong name is reported where
    /// a program is planned or prepared).
    pub fn new() -> Self {
        Self {
            budget: usual_budget(),
            isa: Isa::from_environment().map_err(|e| e.to_string()),
            products: Products::default(),
            pool: None,
        }
    }

    /// Uses one of [`Isa::available`] instead of the best or the one [`ISA_VARIABLE`] names.
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = Ok(isa);
        self
    }

    /// Sums convolutions in this way.
    pub fn with_products(mut self, products: Products) -> Self {
        self.products = products;
        self
    }

    /// Limits what [`Backend::fit`] may plan, in bytes.
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.budget = MemoryBudget {
            bytes: bytes as u64,
            source: "as asked for".into(),
        };
        self
    }

    /// Runs on `n` threads of its own instead of rayon's global ones.
    ///
    /// # Errors
    /// [`Error::Device`] when the threads cannot be started.
    pub fn with_threads(mut self, n: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .map_err(|e| Error::device(format!("cannot start {n} threads: {e}")))?;
        self.pool = Some(Arc::new(pool));
        Ok(self)
    }

    fn threads(&self) -> usize {
        match &self.pool {
            Some(pool) => pool.current_num_threads(),
            None => rayon::current_num_threads(),
        }
    }

    fn target(&self) -> Result<Target> {
        Ok(Target {
            isa: self.isa.clone().map_err(Error::input)?,
            products: self.products,
        })
    }

    /// Plans a program after its check.
    fn plan(&self, program: &Program) -> Result<Plan> {
        program.check()?;
        Plan::new(program, self.target()?)
    }

    /// Bytes a session of this capacity uses.
    fn bytes_of(&self, program: &Program, plan: &Plan, capacity: Capacity) -> usize {
        let scratch = session::scratch_values(plan) * self.threads();
        plan.values(program, capacity)
            .saturating_add(scratch)
            .saturating_mul(size_of::<f32>())
    }
}

impl Backend for CpuBackend {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            backend: "cpu".into(),
            name: processor_name(),
            kind: "cpu".into(),
            api: match &self.isa {
                Ok(isa) => format!("{} {}", std::env::consts::ARCH, isa.name()),
                Err(_) => std::env::consts::ARCH.into(),
            },
            driver: String::new(),
        }
    }

    fn products(&self) -> Products {
        self.products
    }

    fn cooperative(&self) -> Result<bool> {
        Ok(false)
    }

    fn memory(&self) -> Option<MemoryBudget> {
        Some(self.budget.clone())
    }

    /// Halves the chunk down to 1024 images, then the chips, then the chunk down to one block.
    /// Resident images are only cut where the inputs alone would take more than half the budget.
    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        let plan = self.plan(program)?;
        let mut c = Capacity {
            chips: want.chips.max(1),
            images: want.images.max(LANES),
            chunk: want.chunk.clamp(LANES, want.images.max(LANES)),
        };
        let inputs = |c: Capacity| {
            let descs = program.tensors.iter().filter(|t| t.role == Role::Input);
            descs.map(|t| tensor_values(t, c)).sum::<usize>() * size_of::<f32>()
        };
        let budget = usize::try_from(self.budget.bytes).unwrap_or(usize::MAX);
        let good = |c: Capacity| self.bytes_of(program, &plan, c) <= budget;
        while !good(c) {
            let halved = |n: usize| (n / 2).next_multiple_of(LANES);
            if c.chunk > GOOD_CHUNK {
                c.chunk = halved(c.chunk);
            } else if c.images > c.chunk && inputs(c) > budget / 2 {
                c.images = halved(c.images).max(c.chunk);
            } else if c.chips > 1 {
                c.chips = c.chips.div_ceil(2);
            } else if c.chunk > LANES {
                c.chunk = halved(c.chunk);
            } else if c.images > LANES {
                c.images = halved(c.images);
            } else {
                return Err(Error::capacity(format!(
                    "one chip and {LANES} images need {} MiB, the memory budget is {}; allowed: smaller \
                     networks, or a budget (--memory of a sweep) that this machine has",
                    self.bytes_of(program, &plan, c) >> 20,
                    self.budget
                )));
            }
        }
        Ok(c)
    }

    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64> {
        Ok(self.bytes_of(program, &self.plan(program)?, capacity) as u64)
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>> {
        program.check()?;
        Ok(Box::new(session::CpuSession::new(
            program,
            capacity,
            self.target()?,
            self.pool.clone(),
        )?))
    }
}

impl MeasurePeak for CpuBackend {
    fn peak(&self, time: Duration) -> Result<Peak> {
        let isa = self.isa.clone().map_err(Error::input)?;
        Ok(match &self.pool {
            Some(pool) => pool.install(|| peak::measure(isa, time)),
            None => peak::measure(isa, time),
        })
    }
}

/// Half of what there is.
fn usual_budget() -> MemoryBudget {
    match crate::memory::available() {
        Some(there) => MemoryBudget {
            bytes: there.bytes / 2,
            source: format!("half of {}", there.source),
        },
        None => MemoryBudget {
            bytes: DEFAULT_BUDGET,
            source: "assumed, as the system does not say".into(),
        },
    }
}

/// `model name` of `/proc/cpuinfo`, else the architecture.
fn processor_name() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_string())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.into())
}
