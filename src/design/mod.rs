//! The search of designs: which points of a sweep are the best under constraints, without simulating all of them.
//!
//! * [`run`]: a whole search. * `search`: which designs go on and which leave. * [`known`]: what the chips that were seen say of
//!   a measure. * `bounds`: the statistics of a part of the whole. docs/design.md has the method with its sources.
//!
//! # Examples
//! ```
//! use pimento::backend::cpu::CpuBackend;
//! use pimento::config::Experiment;
//! use pimento::sweep::SweepOptions;
//! use pimento::{data::Embedded, design};
//!
//! # fn main() -> pimento::Result<()> {
//! let space = Experiment::parse(
//!     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\nepochs = 1\n\
//!      [sweep]\nchips = 40\nimages = 64\n[sweep.axes]\n\"variation.mapping\" = [\"ideal\", \"differential\"]\n\
//!      sigma_w = [0.05, 0.3]\n[design]\ngoal = \"cells min, accuracy max\"\n",
//!     "example",
//! )?;
//! let data = Embedded::Digits8x8.load()?;
//! let folder = tempfile::tempdir().unwrap();
//! let options = SweepOptions::of_journal(folder.path().join("out"), "example");
//! let backend = CpuBackend::new();
//! let found = design::run(&[&backend], &space, &data, &options, design::keep_nothing, &())?;
//! assert!(!found.front.is_empty() && found.chip_images <= found.all_chip_images);
//! # Ok(())
//! # }
//! ```

mod bounds;
pub mod known;
mod search;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

pub use known::Known;
pub use search::{Round, State, Step};

use crate::backend::Backend;
use crate::config::{Experiment, Goal, Measure, Sampling};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::setup::Point;
use crate::sweep::SweepOptions;
use crate::sweep::census::Basis;
use crate::sweep::cost;
use crate::sweep::result::{ChipRow, PointSummary};
use crate::sweep::statistics::Interval;
use crate::sweep::statistics::binomial::clopper_pearson_interval;
use crate::sweep::stepwise::Stepwise;
use known::{Costs, Look};
use search::{Search, Source, ladder};

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Its title.
    pub title: String,
    /// What was searched.
    pub goal: Goal,
    /// Largest probability that a design left which the whole sweep would have had on the front.
    pub risk: f64,
    /// Seed of the chips.
    pub seed: u64,
    /// Chips of a design in the whole sweep.
    pub chips: u32,
    /// Images of a chip in the whole sweep.
    pub images: usize,
    /// The steps that a design takes until it has all its chips.
    pub steps: Vec<Step>,
    /// The fields that vary, by their paths.
    pub axes: Vec<String>,
    /// What the goal is about; every design has as many numbers, in this order.
    pub measures: Vec<Measure>,
    /// Numbers of the designs on the front, in the order of the first objective.
    pub front: Vec<usize>,
    /// All designs: the points of the sweep, in order.
    pub designs: Vec<DesignResult>,
    /// What the rounds did; the first looks at plans only.
    pub rounds: Vec<Round>,
    /// Chips times images that were simulated.
    pub chip_images: u64,
    /// Chips times images of the whole sweep.
    pub all_chip_images: u64,
}

/// A design, and how far it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DesignResult {
    /// Number of the point in the sweep.
    pub point: usize,
    /// Its axes in words.
    pub label: String,
    /// Values of the fields that vary, by their paths.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where it stands.
    pub state: State,
    /// Why, in words.
    pub why: String,
    /// Chips that were simulated, and on how many images at last.
    pub step: Option<Step>,
    /// Bounds of the measures that the whole sweep would find; exact with all chips.
    pub known: Vec<Known>,
    /// 95 % intervals over chips of a design with all its chips; unbounded where chips do not tell.
    pub intervals: Option<Vec<Interval>>,
    /// What it costs, by name.
    pub costs: Costs,
    /// Its experiment file, of a design on the front.
    #[serde(skip)]
    pub file: Option<String>,
}

/// Writes what was found into the output directory.
pub type Write = fn(&Path, &Found) -> Result<()>;

/// Writes nothing.
///
/// # Errors
/// None.
pub fn keep_nothing(_: &Path, _: &Found) -> Result<()> {
    Ok(())
}

/// Sees whether a space can be searched, besides what its sweep needs.
///
/// # Errors
/// No section `[design]`; designs with different numbers of chips.
pub fn check(experiment: &Experiment) -> Result<()> {
    if experiment.design.is_none() {
        return Err(Error::input(format!(
            "`{}` has no section [design]; allowed: a section [design] with a goal, such as goal = \"energy_pj min, \
             yield(0.9) >= 0.99\"",
            experiment.name
        )));
    }
    let chips = "sweep.chips";
    match experiment.axis_paths().iter().any(|path| path == chips) {
        true => Err(Error::input(format!(
            "field `{chips}`: cannot vary in a space of designs, which are compared on the same chips; allowed: one number \
             of chips"
        ))),
        false => Ok(()),
    }
}

/// Searches the designs of a space: the points of its sweep. What was simulated is in journals in the output directory as
/// soon as it is there, so that a search that was interrupted goes on and finds the same.
///
/// # Errors
/// As [`crate::sweep::run`]; see [`check`].
pub fn run(
    backends: &[&dyn Backend],
    space: &Experiment,
    data: &Split,
    options: &SweepOptions,
    write: Write,
    observer: &dyn Observer,
) -> Result<Found> {
    check(space)?;
    let Some(wanted) = &space.design else {
        return Err(Error::Internal("a space without a goal".into()));
    };
    let alike = alike(space);
    let chips = space.sweep.chips as u32;
    let first = (wanted.first_chips, wanted.first_images);
    let steps = |points: &[Point]| {
        let drawn = points.iter().all(|p| alike && !reads_differ(p));
        let images = points.first().map_or(0, Point::n_test_images);
        ladder(first, (chips, images), drawn)
    };
    let some = |points: &[Point]| {
        let all = points.first().map_or(0, Point::n_test_images);
        let steps = steps(points).into_iter();
        steps.map(|s| s.images).filter(|n| *n < all).collect()
    };
    let mut stepwise = Stepwise::new(backends, space, data, options, observer, &some)?;
    let costs: Result<Vec<Costs>> = stepwise.points().iter().map(cost::planned).collect();
    let look = Look {
        chips,
        images: stepwise.images(),
        alike,
        chance: Basis::new(space, data.test.classes).chance,
        risk: wanted.risk,
    };
    let steps = steps(stepwise.points());
    let mut search = Search::new(&wanted.goal, costs?, look, steps.clone());
    let mut chips_of = Chips {
        stepwise: &mut stepwise,
        images: look.images,
        observer,
        rounds: 0,
    };
    search.run(&mut chips_of)?;
    let found = found(space, &stepwise, search, steps)?;
    write(&options.out, &found)?;
    Ok(found)
}

/// Whether the chips of an experiment are independent of each other, so that the first ones stand for the others.
fn alike(space: &Experiment) -> bool {
    space.variation.sampling == Sampling::Independent
        && space.variation.wafer.is_none()
        && !space
            .axis_paths()
            .iter()
            .any(|path| path == "variation.sampling" || path.starts_with("variation.wafer"))
}

/// Whether what a chip reads of an image depends on the images before it: noise is drawn by the place of an image.
fn reads_differ(point: &Point) -> bool {
    point.layers.iter().any(|layer| {
        let read = &layer.chip.read;
        let noisy = read.proportional > 0.0 || read.fixed > 0.0;
        noisy || read.sigma.is_some() || read.one_over_f.is_some() || layer.chip.adc.noise > 0.0
    })
}

/// The chips of the points.
struct Chips<'s, 'a> {
    stepwise: &'s mut Stepwise<'a>,
    images: usize,
    observer: &'s dyn Observer,
    rounds: usize,
}

impl Source for Chips<'_, '_> {
    fn rows(&mut self, design: usize, step: Step) -> Result<Vec<ChipRow>> {
        let some = (step.images < self.images).then_some(step.images);
        self.stepwise.rows(design, step.chips, some)
    }

    fn complete(&mut self, design: usize, measures: &[Measure]) -> Result<Vec<(f64, Interval)>> {
        let summary = self.stepwise.end(design)?;
        let rows = self.stepwise.rows(design, summary.chips as u32, None)?;
        Ok(measures
            .iter()
            .map(|m| value(*m, &summary, &rows))
            .collect())
    }

    fn round(&mut self, round: &Round) {
        let text = match self.rounds {
            0 => format!(
                "plans: {} of {} designs are left",
                round.open,
                round.open + round.failed + round.beaten
            ),
            n => format!(
                "round {n}: {} designs took a step, {} fail a constraint, {} are beaten; {} are open, {} have all their chips",
                round.designs, round.failed, round.beaten, round.open, round.complete
            ),
        };
        self.observer.message(&text);
        self.rounds += 1;
    }
}

/// The value of a measure of a point with all its chips, and its 95 % interval.
fn value(measure: Measure, summary: &PointSummary, rows: &[ChipRow]) -> (f64, Interval) {
    match measure {
        Measure::Yield { limit } => {
            let good = rows.iter().filter(|row| row.accuracy >= limit).count();
            let interval = clopper_pearson_interval(good, rows.len());
            (good as f64 / rows.len() as f64, interval)
        }
        Measure::Mean(mean) => {
            use crate::choice::Choice;
            match mean.name() {
                "accuracy" => (summary.mean, summary.mean_ci95),
                name => match summary.columns.get(name) {
                    Some(column) => (column.mean, column.ci95),
                    None => mean_of(name, rows),
                },
            }
        }
        Measure::Cost(cost) => {
            let value = summary.costs.get(cost.as_str()).copied();
            let value = value.unwrap_or(f64::NAN);
            (value, Interval::around(value, 0.0))
        }
    }
}

/// Mean of a column that summaries have no interval of.
fn mean_of(name: &str, rows: &[ChipRow]) -> (f64, Interval) {
    let mut moments = crate::sweep::statistics::Moments::default();
    let values = rows.iter().filter_map(|row| row.value(name));
    values.for_each(|x| moments.push(x));
    (moments.mean(), moments.mean_interval())
}

/// What the search says, with all that there is to say of each design.
fn found(
    space: &Experiment,
    stepwise: &Stepwise,
    search: Search,
    steps: Vec<Step>,
) -> Result<Found> {
    let goal = search.goal();
    let measures = goal.measures();
    let axes = space.axis_paths();
    let chip_images = search.rounds.iter().map(|round| round.chip_images).sum();
    let mut designs = Vec::with_capacity(search.designs.len());
    for (point, design) in stepwise.points().iter().zip(search.designs) {
        let config = &point.config;
        let on_front = design.state == State::Front;
        designs.push(DesignResult {
            point: config.index,
            label: config.label(),
            settings: config.settings(&axes)?,
            why: why(goal, &design, &measures),
            file: on_front.then(|| file_of(space, point)).transpose()?,
            state: design.state,
            step: design.step,
            known: design.known,
            intervals: design.intervals,
            costs: design.costs,
        });
    }
    let mut front: Vec<usize> = (0..designs.len()).collect();
    front.retain(|&d| designs[d].state == State::Front);
    let first = |d: &usize| designs[*d].known[0].estimate;
    front.sort_by(|a, b| first(a).total_cmp(&first(b)).then(a.cmp(b)));
    let (chips, images) = (space.sweep.chips as u32, stepwise.images());
    Ok(Found {
        pimento: env!("CARGO_PKG_VERSION").into(),
        experiment: space.name.clone(),
        title: space.title.clone(),
        goal: goal.clone(),
        risk: space.design.as_ref().map_or(0.0, |d| d.risk),
        seed: space.seed,
        chips,
        images,
        steps,
        axes,
        measures,
        front,
        all_chip_images: designs.len() as u64 * u64::from(chips) * images as u64,
        designs,
        rounds: search.rounds,
        chip_images,
    })
}

/// Why a design stands where it does.
fn why(goal: &Goal, design: &search::Design, measures: &[Measure]) -> String {
    let told = |constraint: usize| {
        let bound = &goal.constraints[constraint];
        let at = measures.iter().position(|m| *m == bound.measure);
        let known = at.map_or(Known::exactly(f64::NAN), |at| design.known[at]);
        match known.is_exact() {
            true => format!("{} = {}", bound.measure, short(known.lo)),
            false => format!(
                "{} from {} to {}",
                bound.measure,
                short(known.lo),
                short(known.hi)
            ),
        }
    };
    match design.state {
        State::Open => "not all chips were simulated".into(),
        State::Front => "on the front".into(),
        State::Fails { constraint } => {
            format!(
                "fails {}: {}",
                goal.constraints[constraint],
                told(constraint)
            )
        }
        State::NotShown { constraint } => format!(
            "{} is not shown: {}",
            goal.constraints[constraint],
            told(constraint)
        ),
        State::Beaten { by } => format!("beaten by design {by}"),
    }
}

/// A number with the digits that matter in a sentence.
fn short(x: f64) -> String {
    let digits: f64 = format!("{x:.4e}").parse().unwrap_or(x);
    digits.to_string()
}

/// The experiment file of a design: a sweep of this point alone.
fn file_of(space: &Experiment, point: &Point) -> Result<String> {
    let mut own = point.config.experiment.clone();
    own.name = format!("{}-design-{}", space.name, point.config.index);
    own.title = format!("{}: {}", space.name, point.config.label());
    if let Some(limit) = own.design.as_ref().and_then(|d| d.yield_limit()) {
        own.sweep.yield_limit = limit;
    }
    own.design = None;
    own.make_paths_absolute();
    own.to_toml()
}
