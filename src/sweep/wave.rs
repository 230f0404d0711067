//! Chips in waves: fabricate, tune, classify, count.

mod energy;
mod layout;
mod norms;
mod one;

use std::ops::Range;

use rayon::prelude::*;

use energy::Meter;
use layout::{Layout, NormPlan};
pub(super) use layout::{check, tuner, tuning_cost};
pub use one::{ChipLayer, OneChip};

use super::cells::CellLevel;
use super::columns::Values;
use super::result::{ChipRow, TuningCost};
use crate::backend::{Backend, Capacity, Pending, RunArgs, Session};
use crate::chip::{ChipVariation, Deviation};
use crate::column::Column;
use crate::config::{Experiment, Fidelity};
use crate::error::{Error, Result};
use crate::network::lower::CellNoise;
use crate::network::lower::inference::{Inference, NormMode};
use crate::program::CHIP_FIELDS;
use crate::progress::Observer;
use crate::setup::{Images, Point};
use crate::train::Model;
use crate::tuning::cells::CellChipTuning;
use crate::tuning::{ChipTuning, Tuner};

/// Chips of a wave of any network, memory allowing: enough to fill a GPU or all cores.
const WAVE: usize = 64;

/// Most chips of a wave of a small network.
const MOST: usize = 4096;

/// Multiply-accumulates that a wave of a small network has about: a few tens of milliseconds of a
/// processor, so that what is done once a wave (starting threads, writing the journal and waiting
/// for the disk) is little beside it, progress is still seen, and little is lost.
const WORK: usize = 1 << 31;

/// Chips and images whose clipped conversions are counted: enough for a share, few beside a sweep.
const CLIP_CHIPS: usize = 4;
/// See [`CLIP_CHIPS`].
const CLIP_IMAGES: usize = 64;

/// Most chips of a wave whose batch norm is measured or trained: statistics over a batch need the whole maps
/// of all chips of the wave at once.
const RECALIBRATION_WAVE: usize = 8;

/// A point of a sweep, ready to simulate any chip. It owns what it needs: the backend, the point, the network
/// and the images may go.
///
/// # Examples
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::config::Experiment;
/// use pimento::sweep::wave::Simulator;
/// use pimento::{data::Embedded, setup, train};
///
/// # fn main() -> pimento::Result<()> {
/// let experiment = Experiment::parse(
///     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
///      [train]\nepochs = 1\n[variation]\nsigma_w = 0.1\n",
///     "example",
/// )?;
/// let mut simulator = {
///     let data = Embedded::Digits8x8.load()?;
///     let (backend, point) = (CpuBackend::new(), setup::point(&experiment, &data, 0)?);
///     let job = train::Job {
///         backend: &backend,
///         point: &point,
///         label: "example".into(),
///         checkpoint: None,
///         resume: false,
///         observer: &(),
///     };
///     let model = train::train(&job)?;
///     let images = setup::Images::new(&data.test, &point.inputs.normalise)?;
///     Simulator::new(&backend, &point, &model, &images)?
/// };
/// let chips = simulator.run(0, 0..3, &())?;
/// assert_eq!(chips.len(), 3);
/// # Ok(())
/// # }
/// ```
pub struct Simulator {
    session: Box<dyn Session>,
    inference: Inference,
    capacity: Capacity,
    bytes: u64,
    images: Images,
    /// Whether all images are resident and have been written.
    resident: bool,
    seed: u64,
    /// Columns of the metrics, in the order of their sums.
    metrics: Vec<&'static Column>,
    meter: Option<Meter>,
    variation: ChipVariation,
    level: Level,
    /// What makes batch norm of every chip.
    norms: NormPlan,
    /// The chip whose outputs were not finite.
    not_finite: Option<u32>,
}

/// How chips differ, and what they do about it.
enum Level {
    /// One deviation per weight: the noise of every crossbar layer, `None` where it is digital.
    Weight {
        noise: Vec<Option<CellNoise>>,
        tuner: Box<Tuner>,
    },
    /// Cells in arrays.
    Cell(Box<CellLevel>),
}

/// The chips of a wave.
enum Wave {
    Weight(Vec<ChipTuning>),
    Cell(Vec<CellChipTuning>),
}

impl Wave {
    /// What a chip's cells have in common, and its estimate of it.
    fn chip(&self, i: usize) -> (&Deviation, Option<f64>) {
        match self {
            Wave::Weight(chips) => (&chips[i].deviation, chips[i].estimate),
            Wave::Cell(chips) => (&chips[i].deviation, chips[i].estimate),
        }
    }
}

/// A wave on its way: all its work is queued and its results are asked for.
pub struct Flight {
    point: usize,
    range: Range<u32>,
    wave: Wave,
    /// The tally, and the sums of the metrics and energies where there are any.
    sums: Pending,
}

impl Flight {
    /// Whether [`Simulator::finish`] would return at once.
    ///
    /// # Errors
    /// The device.
    pub fn is_ready(&mut self) -> Result<bool> {
        self.sums.is_ready()
    }
}

impl Simulator {
    /// Prepares the network of `model` for the chips of a point.
    ///
    /// # Errors
    /// An impossible chip; what does not fit the backend.
    pub fn new(
        backend: &dyn Backend,
        point: &Point,
        model: &Model,
        images: &Images,
    ) -> Result<Self> {
        let (experiment, inputs) = (point.experiment(), &point.inputs);
        let chips = point.chips()?;
        let level = match experiment.fidelity {
            Fidelity::Weight => layout::weight_level(point, &chips),
            Fidelity::Cell => Level::Cell(Box::new(CellLevel::new(point, model, &chips)?)),
        };
        let norm = layout::norm(experiment);
        let mut simulator =
            Self::prepare(backend, experiment, model, images, (level, norm), chips)?;
        simulator.write_calibration(inputs)?;
        simulator.meter = Meter::new(point, &simulator.inference)?;
        Ok(simulator)
    }

    /// Prepares the quantized network without any variation: one nominal chip.
    ///
    /// # Errors
    /// What does not fit the backend.
    pub fn ideal(
        backend: &dyn Backend,
        point: &Point,
        model: &Model,
        images: &Images,
    ) -> Result<Self> {
        let point = point.with_one_chip();
        let experiment = point.experiment();
        let level = layout::ideal_level(&point);
        Self::prepare(
            backend,
            experiment,
            model,
            images,
            (level, NormMode::Frozen),
            ChipVariation::default(),
        )
    }

    fn prepare(
        backend: &dyn Backend,
        experiment: &Experiment,
        model: &Model,
        images: &Images,
        (level, norm): (Level, NormMode),
        variation: ChipVariation,
    ) -> Result<Self> {
        let (of, how) = ((&model.graph, &model.numerics), (&level, norm));
        let layout = Layout::new(backend, experiment, of, images.len(), how, false)?;
        Self::of(
            backend,
            experiment,
            model,
            images,
            (level, layout),
            variation,
        )
    }

    /// Cost of this point's tuning, per chip.
    pub fn cost(&self) -> Option<TuningCost> {
        match &self.level {
            Level::Weight { tuner, .. } => tuner.cost(),
            Level::Cell(cells) => cells.tuner().cost(),
        }
    }

    /// Variance of the estimate around the truth by the closed form, where there is one.
    pub fn predicted_variance(&self) -> Option<f64> {
        match &self.level {
            Level::Weight { tuner, .. } => tuner.predicted_variance(),
            Level::Cell(cells) => cells.tuner().predicted_variance(),
        }
    }

    /// Part of all conversions that is beyond its range, at cell level with converters: of the first
    /// `CLIP_CHIPS` chips on the first `CLIP_IMAGES` images.
    ///
    /// # Errors
    /// The device.
    pub fn clipped_share(&mut self) -> Result<Option<f64>> {
        let Some(clips) = self.inference.clips.clone() else {
            return Ok(None);
        };
        // The same chips and images whatever fits, and however many chips the sweep has.
        let images = CLIP_IMAGES.min(self.images.len());
        let (pixels, labels) = self.images.range(&(0..images));
        let (pixels, labels) = (pixels.to_vec(), labels.to_vec());
        self.session.write(self.inference.images, &pixels)?;
        self.session.write(self.inference.labels, &labels)?;
        self.resident = false;
        let (mut beyond, mut all) = (0.0, 0.0);
        for first in (0..CLIP_CHIPS).step_by(self.capacity.chips) {
            let chips = self.capacity.chips.min(CLIP_CHIPS - first);
            self.begin(&(first as u32..(first + chips) as u32))?;
            let args = |images| RunArgs::wave(self.seed, first as u32, chips, images);
            self.session.run(self.inference.fabricate, &args(0..0))?;
            self.session.run(clips.clear, &args(0..0))?;
            for at in (0..images).step_by(self.capacity.chunk) {
                let end = images.min(at + self.capacity.chunk);
                self.session.run(clips.section, &args(at..end))?;
            }
            let Level::Cell(cells) = &self.level else {
                return Ok(None);
            };
            for &(layer, counts) in &clips.counts {
                let counts = self.session.read(counts)?;
                let columns = counts.len() / self.capacity.chips;
                let counts = &counts[..chips * columns];
                beyond += counts.iter().map(|&n| f64::from(n)).sum::<f64>();
                all += (chips * images * cells.tuner().conversions(layer)) as f64;
            }
        }
        Ok((all > 0.0).then(|| beyond / all))
    }

    /// The chip whose outputs were not finite, where that ended a wave.
    pub(super) fn not_finite(&self) -> Option<u32> {
        self.not_finite
    }

    /// Most chips of a wave.
    pub fn wave_size(&self) -> usize {
        self.capacity.chips
    }

    /// Bytes that its waves take on the backend.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Simulates the chips of `range`, wave after wave; each begins before the one before is read.
    ///
    /// # Errors
    /// An interruption; the device.
    pub fn run(
        &mut self,
        point: usize,
        range: Range<u32>,
        observer: &dyn Observer,
    ) -> Result<Vec<ChipRow>> {
        let mut rows = Vec::with_capacity(range.len());
        let (mut first, mut before) = (range.start, None);
        while first < range.end {
            let chips = ((range.end - first) as usize).min(self.wave_size()) as u32;
            let flight = self.submit(point, first..first + chips, observer)?;
            if let Some(before) = before.replace(flight) {
                rows.extend(self.finish(before)?);
            }
            first += chips;
        }
        if let Some(last) = before {
            rows.extend(self.finish(last)?);
        }
        Ok(rows)
    }

    /// Tells the session what the chips of a wave do not share.
    fn begin(&mut self, range: &Range<u32>) -> Result<Wave> {
        let (seed, variation) = (self.seed, &self.variation);
        let chips = range.clone().into_par_iter();
        Ok(match &self.level {
            Level::Weight { tuner, .. } => {
                let chips: Vec<ChipTuning> = chips
                    .map(|chip| tuner.chip(seed, chip, variation))
                    .collect();
                for (layer, &tensor) in self.inference.chips.iter().enumerate() {
                    let mut fields = Vec::with_capacity(chips.len() * CHIP_FIELDS);
                    for t in &chips {
                        let l = t.layers[layer];
                        let c = l.correction;
                        fields.extend([l.e as f32, c.gain as f32, c.offset as f32, 0.0]);
                    }
                    self.session.write(tensor, &fields)?;
                }
                Wave::Weight(chips)
            }
            Level::Cell(cells) => {
                let tuner = cells.tuner();
                let chips: Vec<CellChipTuning> = chips
                    .map(|chip| tuner.chip(seed, chip, variation))
                    .collect();
                cells.write_wave(self.session.as_mut(), &self.inference, &chips)?;
                Wave::Cell(chips)
            }
        })
    }

    /// Queues one wave, at most [`Simulator::wave_size`] chips, and asks for its results. The next may be
    /// submitted before this one is finished.
    ///
    /// # Errors
    /// An interruption, also in the middle; the device.
    pub fn submit(
        &mut self,
        point: usize,
        range: Range<u32>,
        observer: &dyn Observer,
    ) -> Result<Flight> {
        let (first, chips) = (range.start, range.len());
        let wave = self.begin(&range)?;
        let seed = self.seed;
        let args = |images| RunArgs::wave(seed, first, chips, images);
        self.session.run(self.inference.fabricate, &args(0..0))?;
        self.adapt_norms(&args(0..0))?;
        self.session.run(self.inference.clear, &args(0..0))?;
        let n = self.images.len();
        let mut start = 0;
        while start < n {
            let group = start..(start + self.capacity.images).min(n);
            if !(self.resident && group.len() == n) {
                let (pixels, labels) = self.images.range(&group);
                self.session.write(self.inference.images, pixels)?;
                self.session.write(self.inference.labels, labels)?;
                self.resident = group.len() == n;
            }
            let mut at = 0;
            while at < group.len() {
                if observer.interrupted() {
                    return Err(Error::Interrupted(format!(
                        "sweep interrupted at chip {first} of point {point}"
                    )));
                }
                let chunk = at..(at + self.capacity.chunk).min(group.len());
                at = chunk.end;
                let args = RunArgs {
                    first_image: group.start as u32,
                    ..args(chunk)
                };
                self.session.run(self.inference.evaluate, &args)?;
            }
            start = group.end;
        }
        let mut read = vec![self.inference.tally];
        read.extend(self.inference.metrics);
        read.extend(self.inference.energy.as_ref().map(|energy| energy.sums));
        Ok(Flight {
            sums: self.session.submit(&read)?,
            point,
            range,
            wave,
        })
    }

    /// The rows of a wave. What a chip's row says does not depend on the wave it is in.
    ///
    /// # Errors
    /// The device; outputs that are no numbers.
    pub fn finish(&mut self, flight: Flight) -> Result<Vec<ChipRow>> {
        let Flight {
            point,
            range,
            wave,
            sums,
        } = flight;
        let mut sums = sums.wait()?.into_iter();
        let tally = sums.next().unwrap_or_default();
        let metrics = self.inference.metrics.and_then(|_| sums.next());
        let measured = [metrics, sums.next()].map(Option::unwrap_or_default);
        let (first, n) = (range.start, self.images.len());
        // A logit that is not finite makes its image's loss not finite, and with it the sum.
        if let Some(i) = (0..range.len()).find(|i| !tally[2 * i + 1].is_finite()) {
            let chip = first + i as u32;
            self.not_finite = Some(chip);
            return Err(Error::input(format!(
                "point {point}, chip {chip}: the network's outputs are not finite numbers"
            )));
        }
        let rows = (0..range.len()).map(|i| {
            let (place, estimate) = wave.chip(i);
            let correct = tally[2 * i].round() as u32;
            ChipRow {
                point,
                chip: first + i as u32,
                accuracy: f64::from(correct) / n as f64,
                loss: f64::from(tally[2 * i + 1]) / n as f64,
                correct,
                images: n as u32,
                eps_b: place.eps_b,
                eps_common: place.total,
                eps_hat: estimate.unwrap_or(f64::NAN),
                wafer: place.wafer,
                die_x_mm: place.position.map_or(f64::NAN, |p| f64::from(p.x)),
                die_y_mm: place.position.map_or(f64::NAN, |p| f64::from(p.y)),
                values: self.values(i, &measured),
            }
        });
        Ok(rows.collect())
    }

    /// Values of the `i`-th chip of a wave besides the fields of every row, from sums of all its chips: of the metrics,
    /// and of the energies.
    fn values(&self, i: usize, [metrics, energies]: &[Vec<f32>; 2]) -> Values {
        let mut values = Values::default();
        let sums = metrics.chunks(self.metrics.len().max(1)).nth(i);
        for (column, &sum) in self.metrics.iter().zip(sums.unwrap_or_default()) {
            values.push(column, f64::from(sum) / self.images.len() as f64);
        }
        if let Some(meter) = &self.meter {
            meter.add(&mut values, i, energies, self.images.len());
        }
        values
    }
}
