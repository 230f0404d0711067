//! Which machine computes.

use clap::{Args, ValueEnum};
use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, MeasurePeak};
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
}

/// Where to compute.
#[derive(Debug, Args)]
pub struct BackendArgs {
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto", env = "PIMENTO_BACKEND")]
    pub backend: Kind,

    /// Graphics adapter, by any part of its name (see `pimento devices`)
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
}

impl BackendArgs {
    /// Opens the backend.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        Ok(self.open_measurable()?)
    }

    /// Opens the backend as one whose peak can be measured.
    pub fn open_measurable(&self) -> Result<Box<dyn MeasurePeak>> {
        match (self.backend, self.adapter.as_deref()) {
            (Kind::Cpu, Some(name)) => Err(Error::input(format!(
                "--adapter {name}: the CPU backend has no adapters; allowed with --backend gpu or auto"
            ))),
            (Kind::Cpu, None) => Ok(Box::new(CpuBackend::new())),
            (kind, adapter) => graphics(kind, adapter),
        }
    }
}

#[cfg(feature = "gpu")]
fn graphics(kind: Kind, adapter: Option<&str>) -> Result<Box<dyn MeasurePeak>> {
    use pimento::backend::wgpu::WgpuBackend;
    if kind == Kind::Auto && adapter.is_none() {
        return Ok(match WgpuBackend::open_hardware()? {
            Some(gpu) => Box::new(gpu),
            None => Box::new(CpuBackend::new()),
        });
    }
    Ok(Box::new(WgpuBackend::open(adapter)?))
}

#[cfg(not(feature = "gpu"))]
fn graphics(kind: Kind, adapter: Option<&str>) -> Result<Box<dyn MeasurePeak>> {
    match (kind, adapter) {
        (Kind::Auto, None) => Ok(Box::new(CpuBackend::new())),
        _ => Err(Error::input(
            "this program was built without graphics adapters (cargo feature `gpu`); \
             allowed: --backend cpu",
        )),
    }
}
