//! Which kernels the rows of `pimento bench` run: a backend that computes nothing writes them down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pimento::backend::wgpu::{KernelCall, PlannedGpu};
use pimento::backend::{
    Backend, Capacity, DeviceInfo, MeasurePeak, Peak, Pending, Program, RunArgs, SectionId,
    Session, TensorId,
};
use pimento::bench::{self, Cost, Target};
use pimento::program::Scope;

use crate::Result;

/// One repetition of a row of the bench.
pub struct Row {
    /// The row's name.
    pub name: &'static str,
    /// Floating-point operations at least, where the row counts them.
    pub flops: Option<f64>,
    /// Its kernel calls in order.
    pub calls: Vec<KernelCall>,
}

impl Row {
    /// Bytes that the kernels move at least, see [`KernelCall::bytes`].
    pub fn bytes(&self) -> u64 {
        self.calls.iter().map(|call| call.bytes).sum()
    }
}

type Record = Arc<Mutex<Vec<KernelCall>>>;

/// One repetition of every row whose name contains `filter`, as a GPU runs it.
pub fn rows(filter: &str, gpu: PlannedGpu) -> Result<Vec<Row>> {
    let names = bench::names().filter(|name| !name.starts_with("peak/") && name.contains(filter));
    let rows: Result<Vec<Row>> = names.map(|name| row(name, gpu)).collect();
    let rows = rows?;
    match rows.is_empty() {
        true => Err(format!("no row's name contains \"{filter}\"")),
        false => Ok(rows),
    }
}

fn row(name: &'static str, gpu: PlannedGpu) -> Result<Row> {
    let record = Record::default();
    let backend = Recorder {
        gpu,
        record: record.clone(),
    };
    let target = Target {
        backend: Box::new(backend),
    };
    let failed = |e: pimento::Error| format!("{name}: {e}");
    let mut work = bench::prepare(&target, name, false).map_err(failed)?;
    // Preparing may have run sections.
    take(&record);
    work.repeat(1).map_err(failed)?;
    let flops = match work.cost() {
        Cost::Flops(flops) => Some(flops),
        Cost::Bytes(_) => None,
    };
    let mut calls = take(&record);
    calls.retain(|call| call.groups != [0; 3]);
    Ok(Row { name, flops, calls })
}

fn take(record: &Record) -> Vec<KernelCall> {
    std::mem::take(&mut record.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A GPU that only writes down what it is asked to run.
struct Recorder {
    gpu: PlannedGpu,
    record: Record,
}

impl Backend for Recorder {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            backend: "gpu".into(),
            name: "planned".into(),
            kind: "discrete".into(),
            api: "Vulkan".into(),
            driver: String::new(),
        }
    }

    fn products(&self) -> pimento::program::Products {
        pimento::program::Products::default()
    }

    fn cooperative(&self) -> pimento::Result<bool> {
        Ok(false)
    }

    fn fit(&self, program: &Program, want: Capacity) -> pimento::Result<Capacity> {
        self.gpu.fit(program, want)
    }

    fn bytes(&self, _: &Program, _: Capacity) -> pimento::Result<u64> {
        Ok(0)
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> pimento::Result<Box<dyn Session>> {
        Ok(Box::new(Recording {
            gpu: self.gpu,
            program: program.clone(),
            capacity,
            record: self.record.clone(),
        }))
    }
}

impl MeasurePeak for Recorder {
    fn peak(&self, _: Duration) -> pimento::Result<Peak> {
        Ok(Peak {
            fma_gflops: 1.0,
            copy_gbytes_per_s: 1.0,
        })
    }
}

struct Recording {
    gpu: PlannedGpu,
    program: Program,
    capacity: Capacity,
    record: Record,
}

impl Recording {
    /// As many values as the tensor has.
    fn zeros(&self, tensor: TensorId) -> Vec<f32> {
        let desc = self.program.desc(tensor);
        let chips = match desc.scope {
            Scope::PerChip => self.capacity.chips,
            Scope::Shared => 1,
        };
        let images = match desc.shape.is_image() {
            true => self.capacity.images,
            false => 1,
        };
        vec![0.0; desc.shape.len() * chips * images]
    }
}

impl Session for Recording {
    fn write(&mut self, _: TensorId, _: &[f32]) -> pimento::Result<()> {
        Ok(())
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> pimento::Result<()> {
        let calls = self
            .gpu
            .calls(&self.program, self.capacity, section, args)?;
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.extend(calls);
        Ok(())
    }

    fn submit(&mut self, tensors: &[TensorId]) -> pimento::Result<Pending> {
        Ok(Pending::ready(
            tensors.iter().map(|&t| self.zeros(t)).collect(),
        ))
    }
}
