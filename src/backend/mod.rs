//! The verbs the rest of the program computes with: a [`Program`] is prepared once on a
//! [`Backend`] and then run many times.
//!
//! * [`cpu`]: rayon and SIMD picked at run time; the reference, and what runs without an adapter.
//! * `wgpu`: the WGSL shaders of `shaders/`, one file an operator.
//!
//! Both take every operator of [`Op`](crate::program::Op); its doc comment there is the specification
//! of both. See [`crate::program`] for the memory layout.
//!
//! # Examples
//! ```
//! use pimento::backend::cpu::CpuBackend;
//! use pimento::backend::{Backend, Capacity};
//! use pimento::program::{Multiply, Program, Role, RunArgs, Scope, Shape};
//!
//! # fn main() -> pimento::Result<()> {
//! let mut program = Program::default();
//! let pixel = Shape::Image { c: 1, h: 1, w: 1 };
//! let mut map = |name| program.tensor(name, pixel, Scope::Shared, Role::State);
//! let [a, b, y] = [map("a"), map("b"), map("y")];
//! let product = program.section("product", vec![Multiply { a, b, y }.into()]);
//! let capacity = Capacity { chips: 1, images: 2, chunk: 2 };
//! let mut session = CpuBackend::new().prepare(&program, capacity)?;
//! session.write(a, &[2.0, 3.0])?;
//! session.write(b, &[5.0, 7.0])?;
//! session.run(product, &RunArgs::wave(1, 0, 1, 0..2))?;
//! // The lanes of a block that hold no image come last.
//! assert_eq!(session.read(y)?[..2], [10.0, 21.0]);
//! # Ok(())
//! # }
//! ```

pub mod cpu;
mod pending;
pub mod storage;
#[cfg(feature = "gpu")]
pub mod wgpu;

pub use pending::{Answer, Pending};

pub use crate::program::{Capacity, Products, Program, RunArgs, SectionId, TensorId};

use std::time::Duration;

use crate::error::{Error, Result};

/// What a backend is, for provenance and `pimento devices`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DeviceInfo {
    /// `cpu` or `gpu`.
    pub backend: String,
    /// Name of the adapter or processor.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software`, `cpu` or `other`.
    pub kind: String,
    /// Graphics API (`Vulkan`, `Gl`, `Metal`, `Dx12`) or instruction set (`avx2+fma`, ...).
    pub api: String,
    /// Driver name and version; empty for the CPU.
    pub driver: String,
}

/// What a machine can do at most, measured by kernels that do nothing else.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Peak {
    /// 10^9 single-precision operations per second: multiply-adds in registers (two operations
    /// each), all cores or compute units at work.
    pub fma_gflops: f64,
    /// 10^9 bytes per second, read plus written, of a copy much larger than the caches.
    pub copy_gbytes_per_s: f64,
}

/// Memory that a backend plans with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MemoryBudget {
    /// Bytes.
    pub bytes: u64,
    /// Where the number comes from, in words: "half of the free memory".
    pub source: String,
}

impl std::fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} MiB ({})", self.bytes >> 20, self.source)
    }
}

/// Which kernels of a graphics adapter compute products. The first three add the same terms in the same
/// order, so results do not depend on the choice among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// Without workgroup memory: for software adapters, which have it in ordinary memory, and for GPUs with
    /// few registers.
    Portable,
    /// From tiles in workgroup memory where a product is large enough to gain by it: what GPUs of AMD
    /// and NVIDIA get. Cooperative matrices where that is worth it too, once they have proved to add as
    /// exactly as `f32` does.
    Fitting,
    /// From tiles, whatever the size, and never cooperative matrices.
    Tiled,
    /// Cooperative matrices (tensor cores) wherever an operand is codes that halves hold exactly, whatever
    /// the size; other products as [`Kernels::Fitting`]. Results differ from the others' by rounding.
    Cooperative,
}

/// Where compiled kernels of graphics adapters are kept from run to run. Trouble with it goes into the log
/// ([`Backend::remarks`]) and is never an error.
pub trait KernelStore: Send + Sync {
    /// What was saved last under a name; `None` where nothing was.
    ///
    /// # Errors
    /// It cannot be read, or others could have written it.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Saves bytes under a name, whole or not at all.
    ///
    /// # Errors
    /// They cannot be written.
    fn save(&self, name: &str, bytes: &[u8]) -> Result<()>;
}

/// A place where programs run.
pub trait Backend: Send + Sync {
    /// What it is.
    fn info(&self) -> DeviceInfo;

    /// How it may sum convolutions: what its results depend on beside the adapter. By
    /// [`Products::Winograd`] where it finds that faster.
    fn products(&self) -> Products;

    /// What [`Backend::fit`] may plan with; `None` where it is not known.
    fn memory(&self) -> Option<MemoryBudget> {
        None
    }

    /// The largest capacity, at most `want`, that fits this backend's limits (bindings, buffer
    /// sizes, a memory budget). Chips are reduced last, `images` only where one resident input
    /// would not fit. At least one chip and one block of images, or an error with the arithmetic
    /// ([`crate::Error::Capacity`]).
    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity>;

    /// Bytes that a session of this capacity takes.
    ///
    /// # Errors
    /// A program that is none.
    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64>;

    /// What happened since this was asked last and belongs into a log: submissions that held a graphics
    /// adapter for long, kernels that took long to compile. Nothing that changes a result.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether products of codes may be made by cooperative matrices, which rounds them in another way:
    /// what results depend on beside the adapter.
    ///
    /// # Errors
    /// The device; [`Kernels::Cooperative`] where the adapter cannot have it.
    fn cooperative(&self) -> Result<bool>;

    /// How the products of a section are computed, a name for every convolution and layer on arrays in
    /// order. Empty where a backend has one way for all.
    ///
    /// # Errors
    /// As [`Backend::fit`].
    fn routes(
        &self,
        _program: &Program,
        _capacity: Capacity,
        _section: SectionId,
    ) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Allocates and compiles. `capacity` should come from [`Backend::fit`].
    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>>;
}

/// A backend on real hardware, whose peak can be measured.
pub trait MeasurePeak: Backend {
    /// Measures both peaks, each for about `time`; the best repeat counts, as other work on the
    /// machine can only make a repeat slower.
    ///
    /// # Errors
    /// [`crate::Error::Device`] of the adapter.
    fn peak(&self, time: Duration) -> Result<Peak>;
}

/// A prepared program with its memory.
pub trait Session: Send {
    /// Writes a whole tensor from logical order: `State`: `[chip][n]` (shared: `[n]`); `Input`:
    /// `[chip][image][c][h][w]`. Fewer images (or chips) than the capacity may be given for
    /// shared inputs and per-chip states: the first ones are written.
    fn write(&mut self, tensor: TensorId, data: &[f32]) -> Result<()>;

    /// Runs a section. Returns when the work is queued; errors of the device surface here, at a later call,
    /// or at a [`Pending`].
    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()>;

    /// Asks for tensors as the runs so far leave them, without waiting: more runs may follow at once.
    fn submit(&mut self, tensors: &[TensorId]) -> Result<Pending>;

    /// Reads a `State` (all chips of the capacity) or an `Output` (`[chip][image]..` of the last
    /// run's chips and images) in logical order, once everything has run.
    fn read(&mut self, tensor: TensorId) -> Result<Vec<f32>> {
        let mut values = self.submit(&[tensor])?.wait()?;
        let none = || Error::Internal(format!("tensor {} was not read", tensor.0));
        values.pop().ok_or_else(none)
    }
}
