//! Signal-to-noise ratios of the layers of a trained network on chips: of the whole error, of what it comes from, and what
//! converters would be enough (docs/snr.md).
//!
//! # Theory
//! Of a layer by itself, with the inputs that the quantized network gives it, `y` are the products of its quantized weights
//! and inputs, `y_0 = y`, and `y_k` the outputs of a chip whose effects are switched on up to part `k` ([`Part`]):
//!
//! ```text
//! SNR   = S / E (y_n - y)^2                                  S = variance of y over vectors, mean over outputs
//! own   = E (y_k - y_(k-1))^2          cross = 2 E (y_k - y_(k-1)) (y_(k-1) - y)
//! E (y_n - y)^2 = sum over k of own_k + cross_k
//! ```
//! Means are over vectors and outputs, then over chips, which are the sample that intervals are about.
//!
//! * `inputs`: real inputs of every layer. * `matrix`: a layer without chips. * `stages`: its effects, one after the other.
//! * `rig`: a layer on chips of a backend. * `powers`: powers and ratios. * `closed`: closed forms.
//! * `converters`: other bits and ranges. * `report`: the rows.

mod closed;
mod converters;
mod inputs;
mod matrix;
mod powers;
mod report;
mod rig;
mod stages;

use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::models::{self, Models};
use super::runner::same_network;
use super::slices::{check_formats, images};
use super::{in_memory, outdir, wave};
use crate::backend::Backend;
use crate::config::{Experiment, Fidelity};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::setup::{self, Point, setup};
use crate::sweep::cells::CellLevel;
use crate::sweep::statistics::Moments;
use crate::train::Model;
use converters::Others;
use matrix::Matrix;
use powers::{Powers, decibels};
use rig::{Cells, Fab, Level};
use stages::{Kind, Stage};

pub use closed::clipping;
pub use powers::{Is, Ratio};
pub use report::{BitsRow, ConverterRow, Has, LayerRow, PartRow, RangeRow, Report};
pub use stages::Part;

/// Most outputs of a layer that are held at once.
const OUTPUTS: usize = 1 << 24;

/// What converters are to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most this number of decibels less than without converters.
    Lose(f64),
    /// At least this number of decibels.
    Reach(f64),
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Test images whose inputs are looked at; 0: all.
    pub images: usize,
    /// Most input vectors of a layer: a convolution has one for every pixel of its output map.
    pub vectors: usize,
    /// Chips, the first ones of a sweep.
    pub chips: usize,
    /// What converters are to reach; none: other converters are not looked at.
    pub goal: Option<Goal>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            images: 256,
            vectors: 256,
            chips: 10,
            goal: Some(Goal::Lose(0.5)),
        }
    }
}

impl Options {
    /// # Errors
    /// No chip, no vector, a goal that is no number.
    fn check(&self) -> Result<()> {
        let of = |what: &str, n: usize, least: usize| match n >= least {
            true => Ok(()),
            false => Err(Error::input(format!(
                "{n} {what}; allowed: {least} or more"
            ))),
        };
        of("chips for signal-to-noise ratios", self.chips, 1)?;
        of("input vectors of a layer", self.vectors, 2)?;
        match self.goal {
            Some(Goal::Lose(db)) if !(db.is_finite() && db > 0.0) => Err(Error::input(format!(
                "converters may take {db} dB; allowed: more than 0"
            ))),
            Some(Goal::Reach(db)) if !db.is_finite() => Err(Error::input(format!(
                "converters are to reach {db} dB; allowed: a finite number"
            ))),
            _ => Ok(()),
        }
    }
}

/// Measures the ratios of a point of an experiment, whose network is trained, or taken from the output directory of a sweep.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::data::Embedded;
/// use pimento::sweep::snr::{self, Options};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
///      [train]\nepochs = 1\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
///      [variation]\nsigma_w = 0.1\n[chip.adc]\nbits = 5\n",
///     "example",
/// )?;
/// let data = Embedded::Digits8x8.load()?;
/// let options = Options { chips: 3, ..Options::default() };
/// let report = snr::run(&CpuBackend::new(), &experiment, &data, 0, None, &options, &())?;
/// for layer in &report.layers {
///     // What the parts take, and what they share, is the whole.
///     let sum: f64 = layer.parts.iter().map(|part| part.own + part.cross).sum();
///     assert!((10f64.powf(-layer.snr.db / 10.0) - sum).abs() < 1e-6 * sum);
/// }
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
    let point = setup::point(experiment, data, point)?;
    let models = run.map(|d| d.join(outdir::MODELS));
    analyse_trained(backend, &point, (models, None), options, observer)
}

/// Measures the ratios of all points of a run, with the networks that the run was made with.
///
/// # Errors
/// As [`analyse`]; other images, or another network, than those of the run.
pub fn of_run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    journal: &Journal,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    let setup = setup(experiment, data)?;
    let models = in_memory::models_of(&setup, journal)?;
    let points = setup.points.iter();
    let one = |point| {
        let of = (models.clone(), Some(journal));
        analyse_trained(backend, point, of, options, observer)
    };
    points.map(one).collect()
}

fn analyse_trained(
    backend: &dyn Backend,
    point: &Point,
    (models, journal): (Option<PathBuf>, Option<&Journal>),
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    options.check()?;
    check_formats(point)?;
    let model = Models::new(backend, models, observer).get(point)?;
    if let Some(journal) = journal {
        same_network(journal, point.config.index, &models::digest(&model)?)?;
    }
    analyse(backend, point, &model, options, observer)
}

/// Measures the ratios of a point with its trained network.
///
/// # Errors
/// Options that cannot be; an impossible chip; what does not fit the backend; an interruption.
pub fn analyse(
    backend: &dyn Backend,
    point: &Point,
    model: &Model,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report> {
    options.check()?;
    let experiment = point.experiment();
    let all = point.inputs.data.test.len();
    let wanted = match options.images {
        0 => all,
        n => n.min(all),
    };
    let images = images(point, wanted)?;
    let of = (model, experiment.seed);
    let vectors = inputs::vectors(backend, of, &images, options.vectors, observer)?;
    let fab = Fab {
        backend,
        seed: experiment.seed,
        variation: point.chips()?,
        observer,
        solved: Default::default(),
    };
    let level = match experiment.fidelity {
        Fidelity::Weight => Level::Weight(Box::new(wave::tuner(point, &fab.variation))),
        Fidelity::Cell => {
            let cells = CellLevel::new(point, model, &fab.variation)?;
            Level::Cell(Box::new(Cells::new(cells, &fab, options.chips)))
        }
    };
    let mut others = Others::new(point, model, &fab, options);
    let mut rows = vec![];
    let on_chips = point.layers.iter().zip(vectors).enumerate();
    let on_chips = on_chips.filter(|(_, (own, _))| !own.digital);
    for (at, (index, (_, vectors))) in on_chips.enumerate() {
        let matrix = Matrix::new(model, experiment.fidelity, index, vectors)?;
        let work = Work {
            fab: &fab,
            matrix: &matrix,
            level: (&level, at),
            chips: options.chips,
        };
        let mut row = work.row(&stages_of(point, &level, (at, index)))?;
        if let (Level::Cell(cells), Some(_)) = (&level, options.goal) {
            let layer = &cells.level.layers[at];
            row.converters = Some(others.row(&matrix, (&level, at), layer, &row.snr)?);
        }
        rows.push(row);
    }
    let digital = point.layers.iter().filter(|own| own.digital);
    Ok(Report {
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        experiment: experiment.name.clone(),
        point: point.config.label(),
        fidelity: experiment.fidelity,
        seed: experiment.seed,
        images: images.len(),
        images_of: all,
        chips: options.chips,
        layers: rows,
        digital_layers: digital.map(|own| own.name.clone()).collect(),
        adapter: backend.info().name,
    })
}

/// The stages of the layer at position `at` among those on chips.
fn stages_of(point: &Point, level: &Level, (at, index): (usize, usize)) -> Vec<Stage> {
    match level {
        Level::Cell(cells) => stages::of_cells(&cells.level.layers[at]),
        Level::Weight(tuner) => {
            let noises = setup::noises(&point.layers, |v| v.sigma_w, tuner.reference_columns());
            noises[index].iter().flat_map(stages::of_weights).collect()
        }
    }
}

/// A layer whose ratios are measured.
struct Work<'a> {
    fab: &'a Fab<'a>,
    matrix: &'a Matrix,
    level: (&'a Level, usize),
    chips: usize,
}

/// What was measured at the stages of a layer.
struct Tally {
    /// By stage; `None`: it is like the one before.
    powers: Vec<Option<Powers>>,
    /// Of the whole error against the quantized and the float layer, and the worst chip's.
    total: Moments,
    against_float: Moments,
    worst: f64,
    clipped: f64,
}

impl Work<'_> {
    fn row(&self, stages: &[Stage]) -> Result<LayerRow> {
        let matrix = self.matrix;
        let tally = self.tally(stages)?;
        let signal = matrix.outputs.signal();
        let parts = <Part as crate::choice::Choice>::ALL.iter();
        let parts = parts.map(|&part| {
            let at = stages.iter().position(|s| s.part == part);
            let powers = at.map(|at| &tally.powers[at]);
            self.part(part, signal, (powers, at.map(|at| &stages[at])))
        });
        let float = powers::Outputs {
            ideal: matrix.float.clone(),
            unit: vec![1.0; matrix.geo.c_out],
        };
        let conversions = self.conversions();
        let [sqnr_inputs, sqnr_weights, sqnr] = matrix.quantization;
        Ok(LayerRow {
            name: matrix.name.clone(),
            index: matrix.index,
            rows: matrix.geo.rows(),
            columns: matrix.geo.c_out,
            vectors: matrix.vectors.count,
            vectors_of: matrix.vectors.of,
            signal,
            sqnr_inputs,
            sqnr_weights,
            sqnr,
            snr: Ratio::over(signal, &tally.total),
            worst_db: Ratio::of(signal, tally.worst).db,
            snr_total: Ratio::over(float.signal(), &tally.against_float),
            clipped: tally.clipped / conversions,
            parts: parts.collect(),
            converters: None,
        })
    }

    /// Conversions of all vectors on all chips; not a number without converters.
    fn conversions(&self) -> f64 {
        let (level, at) = self.level;
        match level {
            Level::Cell(cells) if cells.level.layers[at].reading.adc.is_some() => {
                let reading = &cells.level.layers[at].reading;
                let each = reading.arrays.converters() * reading.dac.conversions();
                each as f64 * self.matrix.vectors.count as f64 * self.chips as f64
            }
            Level::Cell(_) | Level::Weight(_) => f64::NAN,
        }
    }

    fn part(
        &self,
        part: Part,
        signal: f64,
        (powers, stage): (Option<&Option<Powers>>, Option<&Stage>),
    ) -> PartRow {
        let nothing = Moments::from_iter([0.0]);
        let own = match powers {
            Some(Some(powers)) => powers.own,
            Some(None) | None => nothing,
        };
        let cross = match powers {
            Some(Some(powers)) => powers.cross.mean(),
            Some(None) | None => 0.0,
        };
        let closed = match (part, stage.map(|s| &s.kind)) {
            (Part::Steps, Some(Kind::Cell(layer))) => {
                closed::steps(layer, &self.matrix.outputs.unit)
            }
            _ => None,
        };
        PartRow {
            part,
            has: match powers {
                Some(Some(_)) => Has::Measured,
                Some(None) => Has::Off,
                None => Has::Absent,
            },
            snr: Ratio::over(signal, &own),
            own: own.mean() / signal,
            cross: cross / signal,
            closed_form_db: closed.map_or(f64::NAN, |power| decibels(signal / power)),
        }
    }

    /// Runs the stages on all chips.
    fn tally(&self, stages: &[Stage]) -> Result<Tally> {
        let outputs = &self.matrix.outputs;
        let each = outputs.ideal.len();
        let mut tally = Tally {
            powers: vec![None; stages.len()],
            total: Moments::default(),
            against_float: Moments::default(),
            worst: 0.0,
            clipped: 0.0,
        };
        let together = (OUTPUTS / each.max(1)).clamp(1, self.chips);
        for first in (0..self.chips).step_by(together) {
            let chips = first as u32..(first + together).min(self.chips) as u32;
            let told = self.fab.told(self.level, 0..self.chips as u32);
            let mut before: Option<Vec<f32>> = None;
            let mut clipped = 0.0;
            for (at, stage) in stages.iter().enumerate() {
                let same = match at {
                    0 => stage.is_ideal(told),
                    _ => stage.is_like(&stages[at - 1], told),
                };
                if same {
                    continue;
                }
                let found = self
                    .fab
                    .outputs(self.matrix, stage, self.level, chips.clone())?;
                clipped = found.clipped;
                let powers = tally.powers[at].get_or_insert_default();
                for (chip, with) in found.outputs.chunks_exact(each).enumerate() {
                    let was = before.as_ref().map(|all| &all[chip * each..][..each]);
                    powers.push(outputs, with, was);
                }
                before = Some(found.outputs);
            }
            tally.clipped += clipped;
            let ideal = || {
                outputs
                    .ideal
                    .iter()
                    .map(|&y| y as f32)
                    .collect::<Vec<f32>>()
            };
            let whole = before.unwrap_or_else(|| ideal().repeat(chips.len()));
            tally.whole(self.matrix, &whole);
        }
        Ok(tally)
    }
}

impl Tally {
    /// Takes the outputs of whole chips in.
    fn whole(&mut self, matrix: &Matrix, found: &[f32]) {
        let outputs = &matrix.outputs;
        for chip in found.chunks_exact(outputs.ideal.len()) {
            let total = outputs.mean(|i| (f64::from(chip[i]) - outputs.ideal[i]).powi(2));
            let n = outputs.unit.len();
            let square = |i: usize| {
                let value = f64::from(chip[i]) * outputs.unit[i % n];
                (value - matrix.float[i]).powi(2)
            };
            let all = (0..chip.len()).map(square).sum::<f64>();
            self.total.push(total);
            self.against_float.push(all / chip.len() as f64);
            self.worst = self.worst.max(total);
        }
    }
}
