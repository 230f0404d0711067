//! Waves whose results come late: the next one is queued before they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{
    Answer, Backend, Capacity, DeviceInfo, Pending, Program, RunArgs, SectionId, Session, TensorId,
};
use pimento::{Error, Result};

use crate::sweeps::{Watcher, rows, sweep};

/// A processor with waves of 7 chips that answers only somebody who waits.
struct Late {
    cpu: CpuBackend,
    shared: Arc<Shared>,
}

struct Shared {
    /// Answers that nobody has waited for, and the most of them there ever were.
    open: AtomicUsize,
    most: AtomicUsize,
    /// Answers before the device is lost.
    left: AtomicUsize,
}

impl Late {
    fn new(answers: usize) -> Self {
        Self {
            cpu: CpuBackend::new(),
            shared: Arc::new(Shared {
                open: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                left: AtomicUsize::new(answers),
            }),
        }
    }

    fn most_in_flight(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }
}

impl Backend for Late {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            name: "late".into(),
            ..self.cpu.info()
        }
    }

    fn products(&self) -> pimento::program::Products {
        self.cpu.products()
    }

    fn cooperative(&self) -> Result<bool> {
        self.cpu.cooperative()
    }

    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        let fits = self.cpu.fit(program, want)?;
        Ok(Capacity {
            chips: fits.chips.min(7),
            ..fits
        })
    }

    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64> {
        self.cpu.bytes(program, capacity)
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>> {
        Ok(Box::new(LateSession {
            session: self.cpu.prepare(program, capacity)?,
            shared: self.shared.clone(),
        }))
    }
}

struct LateSession {
    session: Box<dyn Session>,
    shared: Arc<Shared>,
}

impl Session for LateSession {
    fn write(&mut self, tensor: TensorId, data: &[f32]) -> Result<()> {
        self.session.write(tensor, data)
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        self.session.run(section, args)
    }

    fn submit(&mut self, tensors: &[TensorId]) -> Result<Pending> {
        let open = self.shared.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.most.fetch_max(open, Ordering::Relaxed);
        Ok(Pending::new(LateAnswer {
            values: self.session.submit(tensors)?.wait()?,
            shared: self.shared.clone(),
        }))
    }
}

struct LateAnswer {
    values: Vec<Vec<f32>>,
    shared: Arc<Shared>,
}

impl Answer for LateAnswer {
    fn is_ready(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn wait(mut self: Box<Self>) -> Result<Vec<Vec<f32>>> {
        let less = |n: usize| n.checked_sub(1);
        let left = &self.shared.left;
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(std::mem::take(&mut self.values)),
            Err(_) => Err(Error::device("the device was lost while it worked")),
        }
    }
}

impl Drop for LateAnswer {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_wave_is_queued_before_the_one_before_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    sweep(&[&CpuBackend::new()], &path("alone"), &()).unwrap();
    let want = [0, 1].map(|point| rows(&path("alone"), point));

    let late = Late::new(usize::MAX);
    sweep(&[&late], &path("late"), &()).unwrap();
    assert_eq!([0, 1].map(|point| rows(&path("late"), point)), want);
    assert_eq!(late.most_in_flight(), 2);
    assert_eq!(late.shared.open.load(Ordering::Relaxed), 0);

    // Lost with two waves in flight: the chips of both go to the other one.
    let (late, cpu, watcher) = (Late::new(8), CpuBackend::new(), Watcher::new(usize::MAX));
    sweep(&[&late, &cpu], &path("lost"), &watcher).unwrap();
    assert_eq!([0, 1].map(|point| rows(&path("lost"), point)), want);
    assert_eq!(watcher.warnings.lock().unwrap().len(), 1);
}

#[test]
fn an_interruption_keeps_the_wave_that_was_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    sweep(&[&CpuBackend::new()], &path("alone"), &()).unwrap();
    let late = Late::new(usize::MAX);
    let mut times = 0;
    loop {
        match sweep(&[&late], &path("late"), &Watcher::new(3)) {
            Err(Error::Interrupted(text)) => assert!(text.contains("are safe"), "{text}"),
            other => {
                other.unwrap();
                break;
            }
        }
        times += 1;
    }
    assert!(times > 5, "{times}");
    for point in 0..2 {
        assert_eq!(rows(&path("late"), point), rows(&path("alone"), point));
    }
}
