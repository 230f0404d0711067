//! Which machine computes.

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Kernels, MeasurePeak, Products};
use pimento::{Error, Result};

/// Choice of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A hardware GPU if there is one, else the CPU
    Auto,
    /// A graphics adapter
    Gpu,
    /// All cores of the CPU
    Cpu,
    /// The CPU and every graphics adapter at once (sweeps only)
    All,
}

/// Choice of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KernelKind {
    /// Graphics adapters: without workgroup memory
    Portable,
    /// Graphics adapters: from tiles in workgroup memory
    Tiled,
    /// Graphics adapters: by cooperative matrices (tensor cores), where an operand is codes
    Cooperative,
    /// Every convolution term by term, none by Winograd's algorithm: other last bits
    Direct,
}

/// What a backend is opened with, beyond its name; nothing where the backend decides.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// Bytes that the chips of a wave may take.
    memory: Option<u64>,
    kernels: Option<Kernels>,
    products: Products,
}

/// `--adapter` for every graphics adapter.
const EVERY: &str = "all";

/// Where to compute.
#[derive(Debug, Args)]
pub struct BackendArgs {
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto", env = "PIMENTO_BACKEND")]
    pub backend: Kind,

    /// Graphics adapter, by any part of its name (see `pimento devices`); `all` spreads a sweep over
    /// every hardware adapter, or over every software one where there is no hardware
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,

    /// Kernels for products: `direct`, one of the other kinds, or both with a comma between them; results differ by
    /// rounding with `cooperative` and `direct` [default: layers of 3 x 3 by Winograd's algorithm (docs/kernels.md); tiled
    /// on GPUs of AMD and NVIDIA for products that are large enough, cooperative where one passes the test of its
    /// matrices, else portable]
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    kernels: Vec<KernelKind>,
}

/// How much of an adapter's memory is used.
#[derive(Debug, Args)]
pub struct MemoryArgs {
    /// Memory that the chips of a wave may take on each adapter, such as 512MiB or 4GiB [default:
    /// half of what is free for the CPU, limits of control groups and `ulimit -v` included; half of what a
    /// graphics adapter has, 1GiB where it does not tell and for a software one]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<ByteSize>,
}

impl MemoryArgs {
    /// The budget in bytes, if one was named.
    pub fn bytes(&self) -> Option<u64> {
        self.memory.map(|m| m.as_u64())
    }
}

/// The value of an option by its name.
fn word<T: ValueEnum>(option: &str, word: &str) -> Result<T> {
    T::from_str(word, false).map_err(|_| {
        let values = T::value_variants().iter();
        let names =
            values.filter_map(|value| Some(format!("{:?}", value.to_possible_value()?.get_name())));
        Error::input(format!(
            "{option} = {word:?} is not known; allowed: {}",
            names.collect::<Vec<_>>().join(", ")
        ))
    })
}

/// Memory that chips may take, from a text with a unit.
///
/// # Errors
/// A text that is no size, or less than a mebibyte.
pub fn memory(text: &str) -> Result<u64> {
    let bytes = size(text).map(|size| size.as_u64());
    bytes.map_err(|why| Error::input(format!("memory = {text:?} is no size; {why}")))
}

/// Least memory that is worth a budget.
const LEAST: ByteSize = ByteSize::mib(1);

fn size(text: &str) -> std::result::Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(size) if size >= LEAST => Ok(size),
        _ => Err("allowed: a number with a unit from 1MiB on, such as 512MiB or 4GiB".into()),
    }
}

impl BackendArgs {
    /// What these words ask for, as `--backend`, `--adapter` and `--kernels` do.
    ///
    /// # Errors
    /// A word that names neither a backend nor kernels.
    pub fn of(backend: &str, adapter: Option<&str>, kernels: &[String]) -> Result<Self> {
        let kernels: Result<Vec<_>> = kernels.iter().map(|k| word("kernels", k)).collect();
        Ok(Self {
            backend: word("backend", backend)?,
            adapter: adapter.map(str::to_string),
            kernels: kernels?,
        })
    }

    /// Opens the backend.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        Ok(self.open_measurable()?)
    }

    /// Whether the CPU would be taken for want of something better.
    pub fn fell_back(&self) -> bool {
        self.backend == Kind::Auto && self.adapter.is_none()
    }

    /// Opens the backend that something was computed on, with convolutions summed as there, unless the
    /// command line says otherwise; what `auto` takes where that adapter is not there.
    pub fn open_like(
        &self,
        backend: &str,
        name: &str,
        products: Option<Products>,
    ) -> Result<Box<dyn Backend>> {
        let mut wish = self.wish(None)?;
        if products == Some(Products::Direct) {
            wish.products = Products::Direct;
        }
        match (self.backend, &self.adapter, backend) {
            (Kind::Auto, None, "cpu") => Ok(Box::new(processor(wish))),
            (Kind::Auto, None, "gpu") => match graphics(Kind::Gpu, Some(name), wish) {
                Ok(gpu) => Ok(gpu),
                Err(_) => Ok(self.open_one(wish)?),
            },
            _ => Ok(self.open_one(wish)?),
        }
    }

    /// Opens the backend as one whose peak can be measured.
    pub fn open_measurable(&self) -> Result<Box<dyn MeasurePeak>> {
        self.open_one(self.wish(None)?)
    }

    /// Opens every backend that a sweep is spread over, the one to train on first; on each of them
    /// the chips of a wave may take `memory` bytes, if said.
    pub fn open_several(&self, memory: Option<u64>) -> Result<Vec<Box<dyn Backend>>> {
        let every = self.adapter.as_deref() == Some(EVERY);
        let wish = self.wish(memory)?;
        match (self.backend, self.adapter.as_deref()) {
            (Kind::All, Some(name)) if !every => Err(Error::input(format!(
                "--adapter {name}: --backend all takes every adapter; allowed: no --adapter, or \
                 --adapter all"
            ))),
            (Kind::All, _) => {
                let mut backends = every_adapter(wish, true)?;
                backends.push(Box::new(processor(wish)));
                Ok(backends)
            }
            (Kind::Auto | Kind::Gpu, _) if every => match every_adapter(wish, false)? {
                none if none.is_empty() => Err(Error::device(
                    "--adapter all: no graphics adapter was found",
                )),
                some => Ok(some),
            },
            _ => Ok(vec![self.open_one(wish)?]),
        }
    }

    fn wish(&self, memory: Option<u64>) -> Result<Wish> {
        let mut wish = Wish {
            memory,
            kernels: None,
            products: Products::Winograd,
        };
        for kind in &self.kernels {
            let kernels = match kind {
                KernelKind::Portable => Kernels::Portable,
                KernelKind::Tiled => Kernels::Tiled,
                KernelKind::Cooperative => Kernels::Cooperative,
                KernelKind::Direct => {
                    wish.products = Products::Direct;
                    continue;
                }
            };
            if wish.kernels.replace(kernels).is_some_and(|k| k != kernels) {
                return Err(Error::input(
                    "--kernels: several kinds exclude each other; allowed: one of them, and `direct`",
                ));
            }
        }
        Ok(wish)
    }

    fn open_one(&self, wish: Wish) -> Result<Box<dyn MeasurePeak>> {
        match (self.backend, self.adapter.as_deref()) {
            (Kind::All, _) | (Kind::Auto | Kind::Gpu, Some(EVERY)) => Err(Error::input(
                "several adapters at once are for sweeps; allowed here: --backend auto, gpu or cpu, \
                 and the name of one adapter",
            )),
            (Kind::Cpu, Some(name)) => Err(Error::input(format!(
                "--adapter {name}: the CPU backend has no adapters; allowed with --backend gpu or auto"
            ))),
            (Kind::Cpu, None) if wish.kernels.is_some() => Err(Error::input(
                "--kernels: the CPU backend has one kind of them; allowed: `direct`, the others with --backend \
                 gpu, auto or all",
            )),
            (Kind::Cpu, None) => Ok(Box::new(processor(wish))),
            (kind, adapter) => graphics(kind, adapter, wish),
        }
    }
}

fn processor(wish: Wish) -> CpuBackend {
    let cpu = CpuBackend::new().with_products(wish.products);
    match wish.memory {
        Some(bytes) => cpu.with_memory_budget(usize::try_from(bytes).unwrap_or(usize::MAX)),
        None => cpu,
    }
}

#[cfg(feature = "gpu")]
fn granted(
    gpu: pimento::backend::wgpu::WgpuBackend,
    wish: Wish,
) -> pimento::backend::wgpu::WgpuBackend {
    let named = std::env::var_os("PIMENTO_CACHE").map(std::path::PathBuf::from);
    let gpu = match named.or_else(super::images::users_cache) {
        Some(cache) => {
            let store = pimento::setup::KernelDirectory::new(cache.join("kernels"));
            gpu.with_store(std::sync::Arc::new(store))
        }
        None => gpu,
    };
    let gpu = match wish.kernels {
        Some(kernels) => gpu.with_kernels(kernels),
        None => gpu,
    };
    let gpu = gpu.with_products(wish.products);
    match wish.memory {
        Some(bytes) => gpu.with_memory_budget(bytes),
        None => gpu,
    }
}

#[cfg(feature = "gpu")]
fn graphics(kind: Kind, adapter: Option<&str>, wish: Wish) -> Result<Box<dyn MeasurePeak>> {
    use pimento::backend::wgpu::WgpuBackend;
    if kind == Kind::Auto && adapter.is_none() {
        return Ok(match WgpuBackend::open_hardware()? {
            Some(gpu) => Box::new(granted(gpu, wish)),
            None => Box::new(processor(wish)),
        });
    }
    Ok(Box::new(granted(WgpuBackend::open(adapter)?, wish)))
}

/// All hardware adapters, or all software ones where there is no hardware; none where none opens. Without
/// cooperative matrices that were not asked for, where one has none or there are `others`: chips of a
/// sweep are computed in one way.
#[cfg(feature = "gpu")]
fn every_adapter(wish: Wish, others: bool) -> Result<Vec<Box<dyn Backend>>> {
    let mut opened = Vec::new();
    for (name, gpu) in pimento::backend::wgpu::WgpuBackend::open_all() {
        let gpu = gpu.map_err(|e| Error::device(format!("adapter {name}: {e}")))?;
        opened.push(granted(gpu, wish));
    }
    if opened.iter().any(|gpu| gpu.is_hardware()) {
        opened.retain(|gpu| gpu.is_hardware());
    }
    let same = || -> Result<bool> {
        let all: Result<Vec<bool>> = opened.iter().map(Backend::cooperative).collect();
        Ok(!others && all?.iter().all(|&yes| yes))
    };
    if wish.kernels.is_none() && !same()? {
        opened = opened.iter().map(|gpu| gpu.without_matrices()).collect();
    }
    let boxed = opened
        .into_iter()
        .map(|gpu| Box::new(gpu) as Box<dyn Backend>);
    Ok(boxed.collect())
}

#[cfg(not(feature = "gpu"))]
fn graphics(kind: Kind, adapter: Option<&str>, wish: Wish) -> Result<Box<dyn MeasurePeak>> {
    match (kind, adapter) {
        (Kind::Auto, None) => Ok(Box::new(processor(wish))),
        _ => Err(Error::input(
            "this program was built without graphics adapters (cargo feature `gpu`); \
             allowed: --backend cpu",
        )),
    }
}

#[cfg(not(feature = "gpu"))]
fn every_adapter(_: Wish, _: bool) -> Result<Vec<Box<dyn Backend>>> {
    Ok(vec![])
}
