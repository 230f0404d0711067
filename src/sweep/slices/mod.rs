//! What the digits of a trained network demand of arrays and converters (docs/slices.md): shares of non-zero digits, exact
//! distributions of column sums for real inputs, converter bits that follow, non-ideality of currents, and what is left of the
//! arrays without zero segments.
//!
//! * `layers`: the layers in the variants that are read. * `feed`: the inputs of every layer. * `reads`: the arrays of a layer
//!   on a backend. * `counts`: exact counts. * `digits`: zeros, compaction. * `currents`: ideal and real currents. *
//!   `accuracy`: the network with converters as the sums demand. * `report`: the rows.
//!
//! Sums and currents come from the operators of a sweep, on either backend; digits are those that programming writes.

mod accuracy;
mod counts;
mod currents;
mod digits;
mod feed;
mod layers;
mod reads;
mod report;
mod rows;

use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::models::{self, Models};
use super::runner::same_network;
use super::{in_memory, outdir};
use crate::backend::Backend;
use crate::chip::{ChipVariation, ranges};
use crate::config::{Experiment, Fidelity};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::setup::{self, Images, Point, setup};
use crate::train::Model;
use counts::Counts;
use currents::Tally;
use feed::Feed;
use layers::Layer;
use reads::{ChipOf, Reads};

pub(in crate::sweep) use feed::{Patches, as_linear};
pub(in crate::sweep) use report::markdown;
pub use report::{
    AccuracyRow, ArrayRow, CellRow, LayerRow, Looked, ReadRow, Report, SliceRow, Totals,
};

/// Bytes of the input codes of the images that are looked at together.
const CODES: usize = 256 << 20;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Test images whose sums are counted; 0: all.
    pub images: usize,
    /// Chips whose currents are compared with ideal ones, the first ones of a sweep; 0: none.
    pub chips: usize,
    /// Test images whose currents are compared, at most as many as `images`.
    pub current_images: usize,
    /// Test images that are classified with converters as the sums demand; 0: all; absent: accuracy is not measured.
    pub accuracy: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            images: 64,
            chips: 3,
            current_images: 4,
            accuracy: None,
        }
    }
}

/// Analyses a point of an experiment, whose network is trained, or taken from the output directory of a sweep.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::data::Embedded;
/// use pimento::sweep::slices::{self, Options};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
///      [train]\nepochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n[chip.cells]\nslice_bits = 2\n",
///     "example",
/// )?;
/// let data = Embedded::Digits8x8.load()?;
/// let options = Options { images: 16, chips: 0, ..Options::default() };
/// let report = slices::run(&CpuBackend::new(), &experiment, &data, 0, None, &options, &())?;
/// // Four magnitude bits in two slices, two layers, pairs of cells.
/// assert_eq!(report.layers.len(), 2);
/// assert_eq!(report.layers[0].cells.len(), 2 * 2);
/// assert!(report.slices[0].bits_max > 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`analyse`]; a point that does not exist; those of training.
pub fn run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    point: usize,
    run: Option<&Path>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    check_level(experiment)?;
    let point = setup::point(experiment, data, point)?;
    let models = run.map(|d| d.join(outdir::MODELS));
    analyse_trained(backend, &point, (models, None), options, observer)
}

/// Analyses a point of a run, with the network that the run was made with.
///
/// # Errors
/// As [`run`]; other images, or another network, than those of the run.
pub fn of_run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    point: usize,
    journal: &Journal,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    check_level(experiment)?;
    let setup = setup(experiment, data)?;
    let models = in_memory::models_of(&setup, journal)?;
    let points = setup.points.len();
    let found = setup.points.get(point);
    let point = found.ok_or_else(|| setup::no_point(point, points))?;
    analyse_trained(backend, point, (models, Some(journal)), options, observer)
}

fn analyse_trained(
    backend: &dyn Backend,
    point: &Point,
    (models, journal): (Option<PathBuf>, Option<&Journal>),
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    check_formats(point)?;
    let model = Models::new(backend, models, observer).get(point)?;
    if let Some(journal) = journal {
        same_network(journal, point.config.index, &models::digest(&model)?)?;
    }
    analyse(backend, point, &model, options, observer)
}

/// Weights without arrays have no digits.
fn check_level(experiment: &Experiment) -> Result<()> {
    match experiment.fidelity {
        Fidelity::Cell => Ok(()),
        Fidelity::Weight => Err(Error::input(format!(
            "fidelity = \"{}\": weights are on no arrays, so there are no digits and no columns; allowed: \"{}\"",
            Fidelity::Weight,
            Fidelity::Cell
        ))),
    }
}

/// A network that is deployed as it is has the number formats that the experiment says.
pub(in crate::sweep) fn check_formats(point: &Point) -> Result<()> {
    let experiment = point.experiment();
    let stages = experiment.stages()?;
    let mut trainings = stages.iter().map(|stage| &stage.experiment.train);
    let as_it_is = trainings.all(|t| t.epochs == 0 && t.composition().quantizes_weights());
    let Some(given) = point.start.file.as_ref().filter(|_| as_it_is) else {
        return Ok(());
    };
    let graph = &point.start.graph;
    for (node, geo, _) in graph.crossbars() {
        let node = &graph.nodes[node];
        let bits = |n: &crate::network::lower::Numerics| {
            let n = n.of(&node.name);
            let input = n.input_bits_of(graph, node.inputs[0], &geo);
            let codes = n.code_range(graph, node.inputs[0], input.max(2));
            (n.weight_bits, input, codes)
        };
        let (there, here) = (bits(&given.loaded.numerics), bits(&point.numerics));
        if there != here {
            let words = |(weight, input, (lo, hi)): (u32, u32, (i32, i32))| {
                format!(
                    "{weight} bits for weights, {input} for inputs, input codes from {lo} to {hi}"
                )
            };
            let file = experiment.network.file.as_deref().unwrap_or(Path::new(""));
            return Err(Error::input(format!(
                "{}: layer `{}` was trained with {}; the experiment has {}; allowed: an experiment whose [quantize] and [data] \
                 are those of the training",
                file.display(),
                node.name,
                words(there),
                words(here)
            )));
        }
    }
    Ok(())
}

/// Sums of arrays whose rows are others than those of the matrix are not told apart.
fn check_rows(layers: &[Layer], options: &Options) -> Result<()> {
    let moves = |layer: &&Layer| {
        let layout = layer.laid();
        layout.is_some_and(|layout| layout.moves_rows(layer.arrays()))
    };
    match layers.iter().find(moves) {
        Some(layer) if options.chips > 0 || options.accuracy.is_some() => {
            Err(Error::input(format!(
                "layer `{}`: chip.array.compact moves its rows to other arrays, whose sums are not simulated one by one; \
                 allowed: no currents (`--chips 0`) and no accuracies, or chip.array.compact = \"none\" or \"columns\"",
                layer.name
            )))
        }
        Some(_) | None => Ok(()),
    }
}

/// Analyses a point with its trained network.
///
/// # Errors
/// An impossible chip; sums beyond what is exact; converters of more bits than there are; what does not fit the backend; an
/// interruption.
pub fn analyse(
    backend: &dyn Backend,
    point: &Point,
    model: &Model,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    let experiment = point.experiment();
    check_level(experiment)?;
    let layers = Layer::all(point, model)?;
    check_rows(&layers, options)?;
    let all = point.inputs.data.test.len();
    let limited = |n: usize| match n {
        0 => all,
        n => n.min(all),
    };
    let images = images(point, limited(options.images))?;
    let mut work = Work {
        backend,
        seed: experiment.seed,
        variation: point.chips()?,
        chips: options.chips,
        observer,
    };
    let current_images = match options.chips {
        0 => 0,
        _ => options.current_images.min(images.len()),
    };
    let found = work.count(model, &layers, &images, current_images)?;
    let mut report = rows::report(point, &layers, &found, options.chips);
    report.sums = Looked {
        images: images.len(),
        of: all,
    };
    report.currents = Looked {
        images: current_images,
        of: all,
    };
    report.adapter = backend.info().name;
    report.config_toml = experiment.to_toml()?;
    if let Some(n) = options.accuracy {
        let images = self::images(point, limited(n))?;
        let reads: Vec<_> = layers
            .iter()
            .zip(&report.layers)
            .map(|(layer, row)| (layer, row.reads.as_slice()))
            .collect();
        let rows = accuracy::accuracies(backend, (point, model), &reads, &images, observer)?;
        report.accuracy = Some(rows);
    }
    Ok(report)
}

/// The first `n` test images.
pub(in crate::sweep) fn images(point: &Point, n: usize) -> Result<Images> {
    let test = &point.inputs.data.test;
    match n < test.len() {
        true => Images::new(&test.limit(n), &point.inputs.normalise),
        false => Images::new(test, &point.inputs.normalise),
    }
}

/// What was counted of a layer.
struct Found {
    /// Digit sums of every cell plane, in steps of [`ranges::grain`].
    cells: Vec<Counts>,
    /// What the converters of every read plane see, in steps.
    reads: Vec<Counts>,
    /// Currents of every chip, by array.
    currents: Vec<Vec<Tally>>,
}

/// How it is counted.
struct Work<'a> {
    backend: &'a dyn Backend,
    seed: u64,
    variation: ChipVariation,
    chips: usize,
    observer: &'a dyn Observer,
}

impl Work<'_> {
    /// Counts the sums of all layers for the images, and compares the currents of the first ones.
    fn count(
        &mut self,
        model: &Model,
        layers: &[Layer],
        images: &Images,
        current_images: usize,
    ) -> Result<Vec<Found>> {
        let nominal: Vec<_> = layers.iter().map(|l| l.nominal.clone()).collect();
        let mut feed = Feed::new(self.backend, model, &nominal)?;
        let empty = |planes| vec![Counts::default(); planes];
        let found = layers.iter().map(|l| Found {
            cells: empty(l.arrays().cell_planes()),
            reads: empty(l.arrays().read_planes()),
            currents: vec![],
        });
        let mut found: Vec<Found> = found.collect();
        let inputs = layers.iter().map(|l| l.geo.c_in * l.geo.h_in * l.geo.w_in);
        let each = 2 * inputs.sum::<usize>();
        // The images whose currents are compared are all in the first block.
        let together = (CODES / each.max(1)).max(16).max(current_images);
        for start in (0..images.len()).step_by(together) {
            let block = start..(start + together).min(images.len());
            let codes = feed.codes(images, block.clone())?;
            for ((layer, maps), found) in layers.iter().zip(&codes).zip(&mut found) {
                self.interrupted()?;
                self.add_sums(layer, maps, block.len(), found)?;
                if start == 0 && current_images > 0 {
                    found.currents = self.currents(layer, maps, current_images)?;
                }
            }
        }
        Ok(found)
    }

    fn interrupted(&self) -> Result<()> {
        match self.observer.interrupted() {
            true => Err(Error::Interrupted("the analysis was interrupted".into())),
            false => Ok(()),
        }
    }

    /// Adds the sums of a layer for the inputs of some images.
    fn add_sums(
        &self,
        layer: &Layer,
        maps: &[i16],
        images: usize,
        found: &mut Found,
    ) -> Result<()> {
        let mut alone = Reads::new(self.backend, &layer.digits, layer.linear())?;
        alone.hold(&layer.digits())?;
        let grain = ranges::grain(&layer.digits.reading.arrays);
        self.add(&mut alone, (layer, maps, images), grain, &mut found.cells)?;
        if layer.reads_digits() {
            found.reads.clone_from(&found.cells);
            return Ok(());
        }
        let mut nominal = Reads::new(self.backend, &layer.nominal, layer.linear())?;
        let zeros = vec![0.0; layer.arrays().cell_arrays()];
        let chip = ChipOf {
            seed: 0,
            chip: 0,
            arrays: &zeros,
        };
        nominal.program(&layer.weights(), chip)?;
        let grain = ranges::grain(layer.arrays());
        self.add(&mut nominal, (layer, maps, images), grain, &mut found.reads)
    }

    fn add(
        &self,
        reads: &mut Reads,
        (layer, maps, images): (&Layer, &[i16], usize),
        grain: f64,
        counts: &mut [Counts],
    ) -> Result<()> {
        let all = layer.patches.count(images);
        for start in (0..all).step_by(reads.vectors) {
            self.interrupted()?;
            let range = start..(start + reads.vectors).min(all);
            let count = range.len();
            let vectors = layer.patches.vectors(maps, range);
            let sums = reads.sums(&vectors, count)?;
            let planes = counts.len();
            let of_plane = sums.len() / count / planes;
            for (i, sums) in sums.chunks_exact(of_plane).enumerate() {
                let counts = &mut counts[i % planes];
                for sum in sums {
                    counts.push((f64::from(*sum) / grain).round_ties_even() as i64);
                }
            }
        }
        Ok(())
    }

    /// Currents of a layer on every chip.
    fn currents(&self, layer: &Layer, maps: &[i16], images: usize) -> Result<Vec<Vec<Tally>>> {
        let codes = layer.weights();
        let mut ideal = Reads::new(self.backend, &layer.alone, layer.linear())?;
        let arrays = &layer.alone.reading.arrays;
        let zeros = vec![0.0; arrays.cell_arrays()];
        let nominal = ChipOf {
            seed: 0,
            chip: 0,
            arrays: &zeros,
        };
        ideal.program(&codes, nominal)?;
        let mut real = Reads::new(self.backend, &layer.real, layer.linear())?;
        let address = layer.real.programming.layer;
        let one = |chip: u32| {
            self.interrupted()?;
            let common = self.variation.deviation(self.seed, chip).total
                + self.variation.layer(self.seed, chip, address);
            let of = |a| common + self.variation.array(self.seed, 0, chip, address, a as u32);
            let deviations: Vec<f32> = (0..zeros.len()).map(|a| of(a) as f32).collect();
            let chip = ChipOf {
                seed: self.seed,
                chip,
                arrays: &deviations,
            };
            real.program(&codes, chip)?;
            currents::compare(
                (&mut ideal, &mut real),
                &layer.alone,
                &layer.patches,
                maps,
                images,
            )
        };
        (0..self.chips as u32).map(one).collect()
    }
}
