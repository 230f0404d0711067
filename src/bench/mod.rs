//! `pimento bench`: what a machine does with the work that Pimento gives it, row by row, each with
//! its share of what that machine can do at most.
//!
//! # Theory
//! A rate alone does not say whether a kernel is good. Every row therefore counts its arithmetic
//! (or its bytes) in closed form, and is divided by the peak measured on the same adapter minutes
//! before: multiply-adds that touch no memory, and a copy that computes nothing (the two roofs of
//! Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009).
//!
//! # Practice
//! * `matrix`, `fabricate`, `cells`, `mvm`, `networks`: one file a group of rows; `peak` is on top of
//!   [`MeasurePeak`].
//! * `timing`: warm-up, repeats, best and median.
//! * `report`: the rows as a table and as JSON; `table`: numbers for people.
//! * `compare`: the rows of some reports against those of others.
//!
//! A row's name is stable: results of different machines and versions are compared by it. Names
//! never change their meaning; what is measured differently gets a new name. Sizes that only fill
//! the machine (chips, images) may differ, as rates do not depend on them.
//!
//! Work is queued, then one read waits for all of it: what a sweep does.
//!
//! # Examples
//! ```
//! use pimento::bench::names;
//!
//! assert!(names().any(|row| row == "cells/exact-1024x256"));
//! ```

mod cells;
mod compare;
mod fabricate;
mod matrix;
mod mvm;
mod networks;
mod peak;
mod report;
mod table;
mod timing;

pub use compare::{Change, Comparison, Verdict};
pub use report::{BenchReport, Failure, PeakShare, Row, TargetReport};

use crate::backend::{
    Backend, Capacity, DeviceInfo, MeasurePeak, Peak, Program, RunArgs, SectionId, Session,
    TensorId,
};
use crate::error::{Error, Result};
use crate::program::{Role, Scope, Shape};
use crate::progress::Observer;
use crate::random::{Purpose, Stream};
use timing::Budget;

/// Something to measure.
pub struct Target {
    /// Where the rows run.
    pub backend: Box<dyn MeasurePeak>,
}

/// What to measure and for how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchOptions {
    /// Little work, few repeats: a few seconds in all, good to a factor.
    pub quick: bool,
    /// Only the rows whose name contains this text.
    pub filter: Option<String>,
}

/// Names of all rows in the order they are measured. The rows of the peak come first, and are measured
/// even where a filter hides them.
pub fn names() -> impl Iterator<Item = &'static str> {
    peak::NAMES.into_iter().chain(CASES.iter().map(|c| c.name))
}

/// Measures all rows on all targets.
///
/// A row that fails on a target (too little memory, a driver's mistake) is reported in
/// [`BenchReport::failures`] and the others go on.
///
/// # Errors
/// [`Error::Input`] when the filter matches no row; [`Error::Interrupted`]; what
/// [`MeasurePeak::peak`] returns.
pub fn run(
    targets: &[Target],
    options: &BenchOptions,
    observer: &dyn Observer,
) -> Result<BenchReport> {
    let wanted = |name: &str| {
        let text = options.filter.as_deref().unwrap_or("");
        name.contains(text)
    };
    if !names().any(wanted) {
        return Err(Error::input(format!(
            "no row's name contains \"{}\"; there are {}",
            options.filter.as_deref().unwrap_or(""),
            names().collect::<Vec<_>>().join(", ")
        )));
    }
    let budget = Budget::new(options.quick);
    let mut report = BenchReport::new(options.quick);
    for target in targets {
        let backend = target.backend.as_ref();
        let info = backend.info();
        observer.message(&format!("{}: peak", info.name));
        let peak = backend.peak(budget.peak)?;
        let setup = Setup {
            backend,
            class: Class::of(&info),
            quick: options.quick,
        };
        report.begin(&info, &peak);
        for row in peak::rows(&info, &peak) {
            if wanted(&row.name) {
                report.rows.push(row);
            }
        }
        for case in CASES.iter().filter(|c| wanted(c.name)) {
            if observer.interrupted() {
                return Err(Error::Interrupted("bench interrupted".into()));
            }
            if setup.class < case.least {
                continue;
            }
            observer.message(&format!("{}: {}", info.name, case.name));
            match measure(case, &setup, &budget, &info, &peak) {
                Ok(row) => report.rows.push(row),
                Err(e) => report.failures.push(Failure {
                    name: case.name.into(),
                    adapter: info.name.clone(),
                    error: e.to_string(),
                }),
            }
        }
    }
    Ok(report)
}

/// Prepares a row's work on a target for other ways to measure it: alternating with something
/// else, under a profiler.
///
/// # Errors
/// [`Error::Input`] for an unknown name, and what the backend says against it.
pub fn prepare(target: &Target, name: &str, quick: bool) -> Result<Work> {
    let case = CASES.iter().find(|c| c.name == name).ok_or_else(|| {
        let known: Vec<_> = CASES.iter().map(|c| c.name).collect();
        Error::input(format!(
            "no work is called \"{name}\"; allowed: {}",
            known.join(", ")
        ))
    })?;
    let backend = target.backend.as_ref();
    (case.prepare)(&Setup {
        backend,
        class: Class::of(&backend.info()),
        quick,
    })
}

fn measure(
    case: &Case,
    setup: &Setup,
    budget: &Budget,
    info: &DeviceInfo,
    peak: &Peak,
) -> Result<Row> {
    let mut work = (case.prepare)(setup)?;
    let times = timing::measure(budget, |n| work.repeat(n))?;
    Ok(Row::new(case.name, info, &work, &times, peak))
}

/// How much work fills a target. The order is by speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// An adapter that a program imitates.
    Software,
    /// The CPU backend.
    Processor,
    /// A GPU.
    Hardware,
}

impl Class {
    fn of(info: &DeviceInfo) -> Self {
        match (info.backend.as_str(), info.kind.as_str()) {
            ("cpu", _) => Class::Processor,
            (_, "software") => Class::Software,
            _ => Class::Hardware,
        }
    }
}

/// Where and how large.
struct Setup<'a> {
    backend: &'a dyn Backend,
    class: Class,
    quick: bool,
}

impl Setup<'_> {
    /// One of three sizes by class.
    fn pick<T>(&self, software: T, processor: T, hardware: T) -> T {
        match self.class {
            Class::Software => software,
            Class::Processor => processor,
            Class::Hardware => hardware,
        }
    }

    /// Fits and allocates `program` for `chips` and `images`, fewer of them where the target is
    /// too small.
    fn prepare(&self, program: &Program, chips: usize, images: usize) -> Result<Prepared> {
        let want = Capacity {
            chips,
            images,
            chunk: images,
        };
        let fits = self.backend.fit(program, want)?;
        let capacity = Capacity {
            images: fits.chunk,
            ..fits
        };
        Ok(Prepared {
            session: self.backend.prepare(program, capacity)?,
            chips: capacity.chips,
            images: capacity.images.min(images),
        })
    }
}

/// A session and the sizes that fitted.
struct Prepared {
    session: Box<dyn Session>,
    chips: usize,
    images: usize,
}

/// One row before it is measured.
struct Case {
    name: &'static str,
    /// Slower classes leave the row out.
    least: Class,
    prepare: fn(&Setup) -> Result<Work>,
}

/// Queues the work's `k`-th repetition.
type Step = Box<dyn FnMut(&mut dyn Session, u32) -> Result<()>>;

/// One row's work, ready to be repeated.
pub struct Work {
    session: Box<dyn Session>,
    /// Queues one repetition; counts them.
    step: Step,
    /// A small state whose read waits for everything queued.
    wait: TensorId,
    /// Repetitions so far.
    done: u32,
    /// Sizes for people.
    sizes: String,
    /// Units of one repetition.
    amount: f64,
    /// The unit: `MAC`, `cell`, `chip-image`, ...
    unit: &'static str,
    /// Floating-point operations or bytes of one repetition.
    cost: Cost,
    /// Bytes that the operators of one repetition move, [`Program::traffic`].
    traffic: u64,
}

/// What a repetition costs at least, in closed form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cost {
    /// Floating-point operations (a multiply-add is two).
    Flops(f64),
    /// Bytes read and written.
    Bytes(f64),
}

impl Work {
    /// Queues `n` repetitions, each on fresh chips, and waits for all of them.
    ///
    /// # Errors
    /// What the backend says.
    pub fn repeat(&mut self, n: u32) -> Result<()> {
        for _ in 0..n {
            (self.step)(self.session.as_mut(), self.done)?;
            self.done = self.done.wrapping_add(1);
        }
        self.session.read(self.wait).map(|_| ())
    }

    /// Units (see [`Row::unit`]) of one repetition.
    pub fn amount(&self) -> f64 {
        self.amount
    }

    /// The unit.
    pub fn unit(&self) -> &'static str {
        self.unit
    }

    /// What one repetition costs at least.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Bytes that the operators of one repetition move, each its own tensors once
    /// ([`Program::traffic`]).
    pub fn traffic(&self) -> u64 {
        self.traffic
    }
}

/// All rows but the peaks. Slow ones last.
const CASES: &[Case] = &[
    matrix::N256,
    matrix::N512,
    matrix::N1024,
    matrix::N4096,
    fabricate::IDEAL,
    fabricate::DIFFERENTIAL,
    fabricate::LOGNORMAL,
    cells::PROGRAM,
    mvm::LINEAR,
    mvm::CONV_16,
    mvm::CONV_32,
    mvm::CONV_64,
    cells::TWO_SLICES,
    cells::NOISE,
    cells::HALVES,
    cells::ONE_SLICE,
    cells::EXACT,
    cells::MATRIX,
    networks::LENET5,
    networks::LENET5_A1W1,
    networks::LENET5_STEP,
    networks::RESNET20,
    networks::RESNET20_STEP,
    networks::RESNET20_QAVAT,
    networks::RESNET20_OVF,
    networks::RESNET20_LASSO,
    networks::RESNET18,
    networks::RESNET18_STEP,
    networks::MOBILENET,
];

/// Key of all random numbers of a bench.
const SEED: u64 = 1;

/// Arguments of repetition `k`: the wave after the last one.
fn wave(chips: usize, images: usize, k: u32) -> RunArgs {
    RunArgs::wave(SEED, k.wrapping_mul(chips as u32), chips, 0..images)
}

/// `n` values as trained weights or normalised pixels have them.
fn values(n: usize, layer: u32) -> Vec<f32> {
    let mut v = vec![0.0; n];
    Stream::new(SEED, Purpose::Init, 0, layer, 0).fill_normals(0, &mut v);
    v
}

/// Adds the state that [`Work::wait`] reads where a program has no result of its own.
fn wait_state(program: &mut Program) -> TensorId {
    program.tensor("wait", Shape::Flat(1), Scope::Shared, Role::State)
}

/// A step that runs one section on the next wave.
fn next_wave(section: SectionId, chips: usize, images: usize) -> Step {
    Box::new(move |session, k| session.run(section, &wave(chips, images, k)))
}

#[cfg(test)]
mod tests;
