//! A whole experiment: train what is needed, simulate every point, write the results.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breakdown::Breakdown;
use super::census::Census;
use super::compare::comparisons;
use super::cost::costs;
use super::finite;
use super::identity::{header, this_run};
use super::journal::{Adapter, Journal, PointFacts};
use super::models::{self, Models};
use super::outcome::{self, Outcome, Write};
use super::outdir::{self, Existing};
use super::prepare::prepare;
use super::result::ChipRow;
use super::rows::Rows;
use super::shard::Shard;
use super::stopping::{Look, StoppingRule};
use super::tracking::Progress;
use super::wave::Simulator;
use super::workers::{self, Worker};
use crate::backend::Backend;
use crate::config::Experiment;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::setup::{Images, Point, setup};
use crate::train::Model;

/// Results are written between points when the last writing took at most one part in so many of the
/// time since then: writing everything after every point of many would take longer than the points.
const WRITING_SHARE: u32 = 20;

/// How a sweep is run, apart from what is simulated.
#[derive(Debug, Clone)]
pub struct SweepOptions {
    /// Output directory.
    pub out: PathBuf,
    /// What to do if it holds another run.
    pub existing: Existing,
    /// The command line, for provenance.
    pub command: String,
    /// Writes the results so far into the output directory, between points and at the end.
    pub write: Write,
    /// Only this part of every point's chips.
    pub shard: Option<Shard>,
    /// Directory of trained networks, which several runs may share; none: one in the output
    /// directory.
    pub models: Option<PathBuf>,
    /// When a point ends before its last chip; none: never. Shards do not know of each other's
    /// chips, so they cannot have one.
    pub stopping: Option<Arc<dyn StoppingRule>>,
    /// Files that the run reads, which no output may replace.
    pub inputs: Vec<PathBuf>,
}

impl SweepOptions {
    /// All chips of every point into `out`, which must not hold a run.
    pub fn new(out: impl Into<PathBuf>, command: impl Into<String>, write: Write) -> Self {
        Self {
            out: out.into(),
            existing: Existing::Refuse,
            command: command.into(),
            write,
            shard: None,
            models: None,
            stopping: None,
            inputs: Vec::new(),
        }
    }
}

/// Runs an experiment on one or several backends (networks are trained on the first). Every wave
/// is on the disk before the one after the next begins; results are made from there, so that an interrupted and
/// resumed run has the same ones.
///
/// # Errors
/// Wrong input, before anything is written; a directory that may not be used; the disk; all
/// backends lost; an interruption. Whatever was measured stays in the journal.
pub fn run(
    backends: &[&dyn Backend],
    experiment: &Experiment,
    data: &Split,
    options: &SweepOptions,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let started = Instant::now();
    // Everything that can be wrong with the input is found before anything is written.
    let setup = setup(experiment, data)?;
    let points = &setup.points;
    prepare(backends, points)?;
    let header = header(backends, &setup, options)?;
    let mut journal = outdir::claim(&options.out, header, options.existing, &options.inputs)?;
    tell(&journal, observer);
    journal.note_run(this_run(&options.command))?;
    let before: f64 = (0..points.len()).map(|p| journal.seconds(p)).sum();
    let models = options.models.clone();
    let models = models.unwrap_or_else(|| options.out.join(outdir::MODELS));
    let images = points[0].test_images()?;
    let models = Models::new(backends[0], Some(models), observer);
    let mut sweep = Sweep::new(backends, images, models, options, observer, &journal);
    sweep.expect(points, &journal)?;
    let mut result = outcome::blank(&journal);
    let mut written = (Instant::now(), Duration::ZERO);
    for point in points {
        let index = point.config.index;
        let done = match journal.ended(index) {
            Some(_) => Ok(()),
            None => sweep.point(point, &mut journal),
        };
        if done.is_ok() {
            outcome::add(&mut result, &journal, index)?;
        }
        result.elapsed_s = before + started.elapsed().as_secs_f64();
        outcome::name_adapters(&mut result, &journal, &sweep.adapters);
        let last = index + 1 == points.len();
        let due = written.0.elapsed() >= written.1 * WRITING_SHARE;
        let some = !result.points.is_empty();
        if some && (last || due || matches!(done, Err(Error::Interrupted(_)))) {
            let at = Instant::now();
            result.comparisons = comparisons(&result.points, |p| journal.of_point(p))?;
            outdir::publish(&options.out, options.write, &result, &mut journal)?;
            written = (Instant::now(), at.elapsed());
        }
        done.map_err(|e| what_is_safe(e, &journal, &options.out))?;
    }
    Ok(Outcome {
        result,
        out: options.out.clone(),
    })
}

/// Says what was found in a journal that is continued.
pub(super) fn tell(journal: &Journal, observer: &dyn Observer) {
    if journal.dropped() > 0 {
        observer.message(&format!(
            "{}: dropped {} bytes of a record that was never finished",
            journal.path().display(),
            journal.dropped()
        ));
    }
    if journal.left_out() > 0 {
        observer.warning(&format!(
            "{}: has {} points that the experiment no longer has; their chips stay there and are in no \
             other file",
            journal.path().display(),
            journal.left_out()
        ));
    }
}

/// What a sweep works with.
pub(super) struct Sweep<'a> {
    backends: &'a [&'a dyn Backend],
    adapters: Vec<Adapter>,
    /// Backends that failed and are not asked again.
    lost: Vec<bool>,
    images: Images,
    models: Models<'a>,
    progress: Progress,
    options: &'a SweepOptions,
    observer: &'a dyn Observer,
}

impl<'a> Sweep<'a> {
    /// For the points of a journal.
    pub(super) fn new(
        backends: &'a [&'a dyn Backend],
        images: Images,
        models: Models<'a>,
        options: &'a SweepOptions,
        observer: &'a dyn Observer,
        journal: &Journal,
    ) -> Self {
        let points = journal.header().points.len();
        Self {
            images,
            adapters: backends.iter().map(|b| Adapter::from(b.info())).collect(),
            lost: vec![false; backends.len()],
            models,
            progress: Progress::new(points, options.shard, journal),
            backends,
            options,
            observer,
        }
    }

    /// Notes which networks the points were measured on.
    ///
    /// # Errors
    /// Points with one training that were measured on several networks.
    pub(super) fn expect(&mut self, points: &[Point], journal: &Journal) -> Result<()> {
        for point in points {
            let index = point.config.index;
            if let Some(facts) = journal.facts(index) {
                let place = format!("{}: point {index}", journal.path().display());
                self.models.expect(point, &facts.model_sha256, &place)?;
            }
        }
        Ok(())
    }

    /// Simulates the chips of `range` that the journal lacks. Where it lacks none, no network is needed.
    pub(super) fn chips(
        &mut self,
        point: &Point,
        range: Range<u32>,
        workers: &mut Option<Vec<Worker>>,
        journal: &mut Journal,
    ) -> Result<()> {
        let index = point.config.index;
        let missing = journal.missing(index, range);
        if missing.is_empty() {
            return Ok(());
        }
        let workers = match workers {
            Some(workers) => workers,
            none => none.insert(self.prepare(point, journal)?),
        };
        let (progress, observer, backends) = (&mut self.progress, self.observer, self.backends);
        let mut written = |_: &Journal, rows: &[ChipRow], _: &str| {
            log_remarks(backends, observer);
            progress.add(rows);
            progress.show(observer);
        };
        let done = workers::simulate(workers, index, missing, journal, observer, &mut written);
        done.map_err(|error| {
            let chip = workers.iter().find_map(|w| w.simulator.not_finite());
            self.explain(point, error, chip)
        })
    }

    /// Simulates the first `chips` chips of a point, as far as the journal lacks them.
    pub(super) fn first_chips(
        &mut self,
        point: &Point,
        chips: u32,
        journal: &mut Journal,
    ) -> Result<()> {
        let mut workers = None;
        if journal.facts(point.config.index).is_none() {
            workers = Some(self.prepare(point, journal)?);
        }
        self.progress.begin(&point.config, journal)?;
        self.progress.show(self.observer);
        self.chips(point, 0..chips, &mut workers, journal)?;
        self.forget_lost(&workers);
        Ok(())
    }

    /// Asks no adapter again that failed at a point.
    fn forget_lost(&mut self, workers: &Option<Vec<Worker>>) {
        for (worker, lost) in workers.iter().flatten().zip(self.alive()) {
            self.lost[lost] |= worker.lost.is_some();
        }
    }

    /// Simulates what the journal lacks of a point. Where it lacks nothing, no network is needed.
    fn point(&mut self, point: &Point, journal: &mut Journal) -> Result<()> {
        let index = point.config.index;
        let mut workers = None;
        if journal.facts(index).is_none() {
            workers = Some(self.prepare(point, journal)?);
        }
        let basis = journal.header().points[index].basis;
        let range = journal.share(index);
        let (mut before, mut census) = (Census::default(), Census::default());
        let mut at = range.start;
        self.progress.begin(&point.config, journal)?;
        self.progress.show(self.observer);
        let end = loop {
            let look = self.options.stopping.as_ref();
            let look = look.map_or(Look::Again(range.end), |rule| {
                rule.look(&point.config, basis, &before, &census)
            });
            let end = match look {
                Look::Enough => break at,
                Look::Again(_) if at == range.end => break at,
                Look::Again(next) => next.clamp(at + 1, range.end),
            };
            self.chips(point, at..end, &mut workers, journal)?;
            before.clone_from(&census);
            for row in journal.rows(index, at..end) {
                census.push(&row?);
            }
            at = end;
        };
        self.forget_lost(&workers);
        journal.end_point(index, end)
    }

    /// The point's network on every backend that can, with what must be known beside chips noted.
    fn prepare(&mut self, point: &Point, journal: &mut Journal) -> Result<Vec<Worker>> {
        let model = self.model(point)?;
        log_remarks(self.backends, self.observer);
        let mut workers = self.workers(point, &model, journal)?;
        self.facts(point, &model, &mut workers[0].simulator, journal)?;
        Ok(workers)
    }

    /// Adds to the error of a wave which layer's output is not finite, where that is what is wrong.
    fn explain(&mut self, point: &Point, error: Error, chip: Option<u32>) -> Error {
        let model = match chip.map(|_| self.models.get(point)) {
            Some(Ok(model)) => model,
            Some(Err(_)) | None => return error,
        };
        finite::explain(error, chip, &model, &self.images, &|m, i| {
            Simulator::new(self.backends[0], point, m, i)
        })
    }

    /// Numbers of the backends that still work.
    fn alive(&self) -> Vec<usize> {
        (0..self.backends.len())
            .filter(|&i| !self.lost[i])
            .collect()
    }

    /// The point's network, trained on the first backend that can.
    fn model(&mut self, point: &Point) -> Result<Arc<Model>> {
        loop {
            let first = self.alive()[0];
            self.models.train_on(self.backends[first]);
            match self.models.get(point) {
                Err(e) if e.is_of_adapter() => self.lose(first, e)?,
                other => return other,
            }
        }
    }

    /// Goes on without a backend, if another one is left.
    fn lose(&mut self, backend: usize, error: Error) -> Result<()> {
        if self.alive().len() == 1 {
            return Err(error);
        }
        self.lost[backend] = true;
        let name = &self.adapters[backend].name;
        self.observer.warning(&format!(
            "adapter {name} is lost, the others go on: {error}"
        ));
        Ok(())
    }

    /// The point on every backend that can.
    fn workers(
        &mut self,
        point: &Point,
        model: &Model,
        journal: &mut Journal,
    ) -> Result<Vec<Worker>> {
        let mut workers = Vec::new();
        for i in self.alive() {
            let backend = self.backends[i];
            match Simulator::new(backend, point, model, &self.images) {
                Ok(simulator) => workers.push(Worker {
                    adapter: journal.adapter(&self.adapters[i])?,
                    name: self.adapters[i].name.clone(),
                    simulator,
                    lost: None,
                }),
                Err(e) if e.is_of_adapter() => self.lose(i, e)?,
                Err(e) => return Err(e),
            }
        }
        Ok(workers)
    }

    /// Notes what the point needs beside its chips, or sees that it is as it was noted.
    fn facts(
        &mut self,
        point: &Point,
        model: &Model,
        simulator: &mut Simulator,
        journal: &mut Journal,
    ) -> Result<()> {
        let model_sha256 = models::digest(model)?;
        let index = point.config.index;
        same_network(journal, index, &model_sha256)?;
        if journal.facts(index).is_some() {
            return Ok(());
        }
        let known = journal.history(&model_sha256).is_some();
        let history = match known {
            true => Vec::new(),
            false => model.record.history.clone(),
        };
        let ideal = self.models.ideal(point, model, &self.images)?;
        let facts = PointFacts {
            history,
            ideal: ideal.accuracy,
            ideal_metrics: ideal.metrics,
            tuning_cost: simulator.cost(),
            costs: costs(point, simulator)?,
            energy: Breakdown::of(point)?,
            predicted_variance: simulator.predicted_variance(),
            model_sha256,
        };
        journal.begin_point(index, facts)
    }
}

/// Writes what the adapters remarked into the log.
fn log_remarks(backends: &[&dyn Backend], observer: &dyn Observer) {
    let remarks = backends.iter().flat_map(|backend| backend.remarks());
    remarks.for_each(|text| observer.detail(&text));
}

/// Says in an interruption or a device's failure what is not lost.
pub(super) fn what_is_safe(error: Error, journal: &Journal, out: &Path) -> Error {
    let chips: u64 = (0..journal.header().points.len())
        .map(|p| journal.chips(p))
        .sum();
    let safe = format!(
        "{chips} chips are safe in {}; --resume continues",
        out.display()
    );
    match error {
        Error::Interrupted(text) => Error::Interrupted(format!("{text}; {safe}")),
        Error::Device(text) => Error::Device(format!("{text}; {safe}")),
        other => other,
    }
}

/// Refuses to measure chips of a point on another network than its first chips.
pub(super) fn same_network(journal: &Journal, point: usize, model_sha256: &str) -> Result<()> {
    match journal.facts(point) {
        Some(facts) if facts.model_sha256 != model_sha256 => Err(Error::input(format!(
            "{}: the trained network of point {point} is another one: parameters with SHA-256 {} \
             there, {model_sha256} now; allowed: the network that the first chips were measured on",
            journal.path().display(),
            facts.model_sha256
        ))),
        _ => Ok(()),
    }
}
