//! Chips without an output directory: whole sweeps whose rows stay in memory, and chips alone.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::breakdown::Breakdown;
use super::census::{Basis, Census};
use super::cost::costs;
use super::finite;
use super::identity::{axes, digests};
use super::journal::{Journal, REVISION};
use super::models::{self, Ideal, Models};
use super::outdir;
use super::prepare::prepare;
use super::result::{ChipRow, PointInputs, PointSummary};
use super::runner::same_network;
use super::wave::{OneChip, Simulator};
use crate::backend::Backend;
use crate::config::{self, Experiment};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::{Moment, Observer};
use crate::setup::{self, Images, Point, Setup, setup};
use crate::train::Model;

/// A point of a sweep in memory.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which point.
    pub point: config::Point,
    /// Statistics over its chips.
    pub summary: PointSummary,
    /// Its chips, in order.
    pub chips: Vec<ChipRow>,
}

/// Runs an experiment and keeps the rows of all chips in memory; nothing is written. The rows are those
/// of [`super::run`]. A rule of `sweep.until` is not asked: every point has all its chips, which are
/// then `sweep.max_chips`.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::{data::Embedded, sweep};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\nepochs = 1\n\
///      [variation]\nsigma_w = 0.1\n[sweep]\nchips = 3\nmetrics = [\"brier\"]\n",
///     "example",
/// )?;
/// let data = Embedded::Digits8x8.load()?;
/// let points = sweep::in_memory(&CpuBackend::new(), &experiment, &data, &())?;
/// assert_eq!(points[0].chips.len(), 3);
/// // Any column by its name: of a chip, and its statistics over the chips.
/// let scores: Vec<f64> = points[0].chips.iter().filter_map(|c| c.value("brier")).collect();
/// assert_eq!(points[0].summary.columns["brier"].n as usize, scores.len());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Wrong input, before anything is trained; the device; an interruption.
pub fn in_memory(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    observer: &dyn Observer,
) -> Result<Vec<Measured>> {
    let setup = setup(experiment, data)?;
    prepare(&[backend], &setup.points)?;
    let images = setup.points[0].test_images()?;
    let mut store = Models::new(backend, None, observer);
    let one = |point: &Point| {
        let model = store.get(point)?;
        let ideal = store.ideal(point, &model, &images)?;
        let chips = 0..point.experiment().sweep.most_chips() as u32;
        let work = Work {
            backend,
            point,
            model: &model,
            images: &images,
            observer,
        };
        let (summary, chips) = work.measure(ideal, chips)?;
        Ok(Measured {
            point: point.config.clone(),
            summary,
            chips,
        })
    };
    setup.points.iter().map(one).collect()
}

/// Statistics over chips of a point that a [`Simulator`] has simulated, in whatever order and wherever; the summary is
/// that of a sweep with these chips.
pub fn summarise(point: &Point, rows: &[ChipRow], inputs: &PointInputs) -> PointSummary {
    let census: Census = rows.iter().collect();
    PointSummary::new(axes(point), &census, inputs)
}

/// Simulates one chip of one point alone; the row equals that of the sweep. `run` is a directory
/// with trained networks.
///
/// # Errors
/// A point that does not exist; wrong input; the device; an interruption.
pub fn one_chip(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    place: (usize, u32),
    run: Option<&Path>,
    observer: &dyn Observer,
) -> Result<(PointSummary, ChipRow)> {
    let models = run.map(|d| d.join(outdir::MODELS));
    let (index, chip) = place;
    let point = setup::point(experiment, data, index)?;
    alone(backend, &point, chip, (models, None), observer)
}

/// Simulates a chip of a run again, with what the run was made with.
///
/// # Errors
/// As [`one_chip`]; other images, or another network, than those of the run.
pub fn chip_of_run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    place: (usize, u32),
    journal: &Journal,
    observer: &dyn Observer,
) -> Result<(PointSummary, ChipRow)> {
    same_program(backend, journal)?;
    let setup = setup(experiment, data)?;
    let models = models_of(&setup, journal)?;
    let (index, chip) = place;
    let Some(point) = setup.points.get(index) else {
        return Err(setup::no_point(index, setup.points.len()));
    };
    alone(backend, point, chip, (models, Some(journal)), observer)
}

/// Refuses a run whose chips are others, or differ in their last bits.
fn same_program(backend: &dyn Backend, journal: &Journal) -> Result<()> {
    let header = journal.header();
    if header.revision != REVISION {
        return Err(Error::input(format!(
            "{}: made by Pimento {}, whose chips are others; allowed: a run of this version ({})",
            journal.path().display(),
            header.pimento,
            env!("CARGO_PKG_VERSION")
        )));
    }
    if header.products != backend.products().as_str() {
        return Err(Error::input(format!(
            "{}: convolutions are summed as `{}` there, as `{}` now; allowed: the same (--kernels)",
            journal.path().display(),
            header.products,
            backend.products()
        )));
    }
    Ok(())
}

/// Where the trained networks of a run are, if anywhere.
///
/// # Errors
/// Other images, or another network's file, than those of the run.
pub(super) fn models_of(setup: &Setup, journal: &Journal) -> Result<Option<PathBuf>> {
    let header = journal.header();
    let now = digests(setup);
    if let Some((name, there)) = header.inputs.iter().find(|(k, v)| now.get(*k) != Some(v)) {
        return Err(Error::input(format!(
            "{}: the images or the network are others than those of the run: {name} is {there} there, \
             {} now; allowed: the same (--data says where images are)",
            journal.path().display(),
            now.get(name).unwrap_or(&serde_json::Value::Null)
        )));
    }
    let beside = journal.path().with_file_name(outdir::MODELS);
    // The directory may be a copy: its own networks come first.
    Ok(match beside.is_dir() {
        true => Some(beside),
        false => header.models.clone(),
    })
}

/// Fabricates one chip of one point, whose outputs and weights can then be asked for: of a run, or of an
/// experiment whose network is trained first.
///
/// # Errors
/// As [`one_chip`], and as [`chip_of_run`] of a run.
pub fn fabricated(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    (index, chip): (usize, u32),
    run: Option<&Journal>,
    observer: &dyn Observer,
) -> Result<OneChip> {
    let setup = setup(experiment, data)?;
    let Some(point) = setup.points.get(index) else {
        return Err(setup::no_point(index, setup.points.len()));
    };
    prepare(&[backend], std::slice::from_ref(point))?;
    let models = match run {
        Some(journal) => {
            same_program(backend, journal)?;
            models_of(&setup, journal)?
        }
        None => None,
    };
    let model = Models::new(backend, models, observer).get(point)?;
    if let Some(journal) = run {
        same_network(journal, index, &models::digest(&model)?)?;
    }
    let images = point.test_images()?;
    OneChip::new(backend, point, &model, &images, chip)
}

fn alone(
    backend: &dyn Backend,
    point: &Point,
    chip: u32,
    (models, journal): (Option<PathBuf>, Option<&Journal>),
    observer: &dyn Observer,
) -> Result<(PointSummary, ChipRow)> {
    prepare(&[backend], std::slice::from_ref(point))?;
    let mut store = Models::new(backend, models, observer);
    let model = store.get(point)?;
    if let Some(journal) = journal {
        same_network(journal, point.config.index, &models::digest(&model)?)?;
    }
    let images = point.test_images()?;
    let ideal = store.ideal(point, &model, &images)?;
    let end = chip.checked_add(1).ok_or_else(|| {
        Error::input(format!(
            "chip {chip} does not exist; allowed: 0 to {}",
            chip - 1
        ))
    })?;
    let work = Work {
        backend,
        point: &point.with_one_chip(),
        model: &model,
        images: &images,
        observer,
    };
    let (summary, rows) = work.measure(ideal, chip..end)?;
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| Error::Internal(format!("chip {chip} was not simulated")))?;
    Ok((summary, row))
}

/// A point with its trained network.
struct Work<'a> {
    backend: &'a dyn Backend,
    point: &'a Point<'a>,
    model: &'a Model,
    images: &'a Images,
    observer: &'a dyn Observer,
}

impl Work<'_> {
    /// Simulates chips; `ideal` is the model without variation.
    fn measure(&self, ideal: Ideal, chips: Range<u32>) -> Result<(PointSummary, Vec<ChipRow>)> {
        let at = Moment::now();
        let (point, experiment) = (self.point, self.point.experiment());
        let mut simulator = Simulator::new(self.backend, point, self.model, self.images)?;
        let rows = simulator.run(point.config.index, chips, self.observer);
        let rows = rows.map_err(|e| {
            let not_finite = simulator.not_finite();
            finite::explain(e, not_finite, self.model, self.images, &|m, i| {
                Simulator::new(self.backend, point, m, i)
            })
        })?;
        let inputs = PointInputs {
            ideal: ideal.accuracy,
            ideal_metrics: ideal.metrics,
            yield_limit: experiment.sweep.yield_limit,
            tuning_cost: simulator.cost(),
            costs: costs(point, &mut simulator)?,
            energy: Breakdown::of(point)?,
            basis: Basis::new(experiment, point.inputs.data.test.classes),
            predicted_variance: simulator.predicted_variance(),
            elapsed_s: at.elapsed().as_secs_f64(),
        };
        Ok((summarise(point, &rows, &inputs), rows))
    }
}
