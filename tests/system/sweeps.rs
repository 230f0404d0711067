//! Whole sweeps: several adapters, adapters that are lost, points that end early.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{
    Backend, Capacity, DeviceInfo, Pending, Program, RunArgs, SectionId, Session, TensorId,
};
use pimento::config::{Experiment, Point};
use pimento::progress::{Observer, SweepProgress};
use pimento::sweep::census::{Basis, Census};
use pimento::sweep::journal::Journal;
use pimento::sweep::outdir::Existing;
use pimento::sweep::result::{ChipRow, SweepResult};
use pimento::sweep::rows::Rows;
use pimento::sweep::stopping::{Look, StoppingRule};
use pimento::sweep::{Outcome, SweepOptions, run};
use pimento::{Error, Result};

use crate::{digits, experiment};

/// The native backend under another name, in waves of seven chips, that answers with a device
/// error after so many runs of a section.
struct Flaky {
    cpu: CpuBackend,
    name: &'static str,
    runs_left: Arc<AtomicUsize>,
    is_lost: Arc<AtomicBool>,
    /// Another one, which is to be lost before this one goes on.
    waits_for: Option<Arc<AtomicBool>>,
}

impl Flaky {
    fn new(name: &'static str, runs: usize) -> Self {
        Self {
            cpu: CpuBackend::new(),
            name,
            runs_left: Arc::new(AtomicUsize::new(runs)),
            is_lost: Arc::default(),
            waits_for: None,
        }
    }

    /// The same, which leaves work to another one until that is lost.
    fn after(self, other: &Flaky) -> Self {
        let waits_for = Some(other.is_lost.clone());
        Self { waits_for, ..self }
    }
}

impl Backend for Flaky {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            name: self.name.into(),
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
        Ok(Box::new(FlakySession {
            session: self.cpu.prepare(program, capacity)?,
            runs_left: self.runs_left.clone(),
            is_lost: self.is_lost.clone(),
            // The network without variation is one chip, before there are waves.
            waits_for: self.waits_for.clone().filter(|_| capacity.chips > 1),
        }))
    }
}

struct FlakySession {
    session: Box<dyn Session>,
    runs_left: Arc<AtomicUsize>,
    is_lost: Arc<AtomicBool>,
    waits_for: Option<Arc<AtomicBool>>,
}

impl Session for FlakySession {
    fn write(&mut self, tensor: TensorId, data: &[f32]) -> Result<()> {
        self.session.write(tensor, data)
    }

    fn submit(&mut self, tensors: &[TensorId]) -> Result<Pending> {
        self.session.submit(tensors)
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        let less = |n: usize| n.checked_sub(1);
        let left = &self.runs_left;
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_err()
        {
            self.is_lost.store(true, Ordering::Release);
            return Err(Error::device("the device was lost"));
        }
        if let Some(other) = self.waits_for.take() {
            // Far longer than the other one takes; a test that would fail ends.
            let end = Instant::now() + Duration::from_secs(60);
            while !other.load(Ordering::Acquire) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.session.run(section, args)
    }
}

/// Remembers warnings, and asks to stop after so many waves.
pub struct Watcher {
    pub warnings: Mutex<Vec<String>>,
    waves_left: AtomicUsize,
}

impl Watcher {
    pub fn new(waves: usize) -> Self {
        Self {
            warnings: Mutex::new(vec![]),
            waves_left: AtomicUsize::new(waves),
        }
    }
}

impl Observer for Watcher {
    fn sweep(&self, p: &SweepProgress) {
        assert!(p.chips_done <= p.chips && p.all_done <= p.all);
        let less = |n: usize| n.checked_sub(1);
        let left = &self.waves_left;
        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn warning(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.into());
    }

    fn interrupted(&self) -> bool {
        self.waves_left.load(Ordering::Relaxed) == 0
    }
}

/// Results stay in the journal.
fn nothing(_: &Path, _: &SweepResult, _: &dyn Rows) -> Result<()> {
    Ok(())
}

const CHIPS: usize = 200;

fn small() -> Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
         [train]\nepochs = 1\nbatch = 64\n[variation]\nsigma_w = 0.2\nsigma_b = 0.2\n\
         [tuning]\ntest_cells = 4\n[sweep]\nchips = {CHIPS}\nimages = 48\n\
         metrics = [\"top5\", \"brier\"]\n\
         [[sweep.grid]]\ntuning = [\"none\", \"self-tuning\"]\n"
    ))
}

fn options(out: &Path) -> SweepOptions {
    SweepOptions {
        existing: Existing::Continue,
        // One training for all runs of a test.
        models: Some(out.parent().unwrap().join("models")),
        ..SweepOptions::new(out, "test", nothing)
    }
}

pub fn sweep(backends: &[&dyn Backend], out: &Path, watcher: &dyn Observer) -> Result<Outcome> {
    run(backends, &small(), &digits(), &options(out), watcher)
}

/// As text, since `NaN` is not equal to itself.
pub fn rows(out: &Path, point: usize) -> Vec<String> {
    let journal = Journal::read(&out.join("journal.bin")).unwrap();
    let rows: Result<Vec<ChipRow>> = journal.of_point(point).unwrap().collect();
    rows.unwrap().iter().map(|r| format!("{r:?}")).collect()
}

#[test]
fn adapters_share_the_chips_and_one_that_is_lost_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let alone = sweep(&[&CpuBackend::new()], &path("alone"), &()).unwrap();
    let want = [rows(&path("alone"), 0), rows(&path("alone"), 1)];
    assert_eq!(want[0].len(), CHIPS);

    let (a, b) = (Flaky::new("a", usize::MAX), Flaky::new("b", usize::MAX));
    let both = sweep(&[&a, &b], &path("both"), &()).unwrap();
    assert_eq!([rows(&path("both"), 0), rows(&path("both"), 1)], want);
    for (x, y) in alone.result.points.iter().zip(&both.result.points) {
        assert_eq!(
            (x.mean, x.std, x.mean_loss, x.q05),
            (y.mean, y.std, y.mean_loss, y.q05)
        );
        assert_eq!(x.estimate, y.estimate);
    }
    let listed = &both.result.provenance.more["adapters"];
    let chips: u64 = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["chips"].as_u64().unwrap())
        .sum();
    assert_eq!(chips, 2 * CHIPS as u64);

    // Lost in the middle of a wave: the other one takes the chips over, at this point and the next.
    let (lost, watcher) = (Flaky::new("lost", 20), Watcher::new(usize::MAX));
    let b = b.after(&lost);
    let one_left = sweep(&[&b, &lost], &path("one-left"), &watcher).unwrap();
    assert_eq!(
        [rows(&path("one-left"), 0), rows(&path("one-left"), 1)],
        want
    );
    let warnings = watcher.warnings.lock().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("lost") && warnings[0].contains("1 left"),
        "{warnings:?}"
    );
    assert!(one_left.result.adapter.contains('b'));
}

#[test]
fn when_all_adapters_are_lost_what_was_measured_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    sweep(&[&CpuBackend::new()], &path("alone"), &()).unwrap();
    let (a, b) = (Flaky::new("a", 15), Flaky::new("b", 30));
    let error = sweep(&[&a, &b], &path("out"), &()).unwrap_err();
    assert_eq!(error.exit_code(), 1, "{error}");
    assert!(error.to_string().contains("--resume continues"), "{error}");
    let journal = Journal::read(&path("out").join("journal.bin")).unwrap();
    let chips = journal.chips(0);
    assert!(chips > 0 && chips < CHIPS as u64, "{chips}");
    drop(journal);
    sweep(&[&CpuBackend::new()], &path("out"), &()).unwrap();
    for point in 0..2 {
        assert_eq!(rows(&path("out"), point), rows(&path("alone"), point));
    }
}

/// Looks every ten chips and has enough from so many on.
#[derive(Debug)]
struct After(u32);

impl StoppingRule for After {
    fn name(&self) -> String {
        format!("after {} chips", self.0)
    }

    fn look(&self, point: &Point, _: Basis, _before: &Census, so_far: &Census) -> Look {
        let enough = self.0 + 20 * point.index as u32;
        assert_eq!(so_far.chips() % 10, 0);
        match so_far.chips() as u32 {
            n if n >= enough => Look::Enough,
            n => Look::Again(n + 10),
        }
    }
}

#[test]
fn a_stopping_rule_ends_a_point_at_the_same_chip_whatever_happens() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (e, data, b) = (small(), digits(), Flaky::new("b", usize::MAX));
    let with = |out: &str, rule: Option<u32>, watcher: &dyn Observer| {
        let options = SweepOptions {
            stopping: rule.map(|n| Arc::new(After(n)) as Arc<dyn StoppingRule>),
            ..options(&path(out))
        };
        run(&[&b], &e, &data, &options, watcher)
    };
    let whole = with("whole", Some(50), &()).unwrap().result;
    let chips: Vec<usize> = whole.points.iter().map(|p| p.chips).collect();
    assert_eq!(chips, [50, 70]);
    // Interrupted after every third wave.
    let resumed = loop {
        match with("resumed", Some(50), &Watcher::new(3)) {
            Err(Error::Interrupted(text)) => assert!(text.contains("are safe"), "{text}"),
            other => break other.unwrap().result,
        }
    };
    for (a, b) in whole.points.iter().zip(&resumed.points) {
        assert_eq!(
            (a.chips, a.mean, a.mean_loss),
            (b.chips, b.mean, b.mean_loss)
        );
    }
    assert_eq!(rows(&path("whole"), 1), rows(&path("resumed"), 1));
    // Another rule looks at the same chips: more where it asks for more, fewer where it has enough.
    for (goal, want) in [(60, [60, 80]), (30, [30, 50])] {
        let again = with("whole", Some(goal), &()).unwrap().result;
        let fresh = with(&format!("fresh-{goal}"), Some(goal), &())
            .unwrap()
            .result;
        for (a, b) in again.points.iter().zip(&fresh.points) {
            assert_eq!(
                (a.chips, a.mean, a.mean_loss),
                (b.chips, b.mean, b.mean_loss)
            );
        }
        assert_eq!([again.points[0].chips, again.points[1].chips], want);
        for point in 0..2 {
            let name = format!("fresh-{goal}");
            assert_eq!(rows(&path("whole"), point), rows(&path(&name), point));
        }
    }
    let shard = SweepOptions {
        shard: Some("1/2".parse().unwrap()),
        stopping: Some(Arc::new(After(1))),
        ..options(&path("shard"))
    };
    assert_eq!(
        run(&[&b], &e, &data, &shard, &()).unwrap_err().exit_code(),
        2
    );
}
