//! From measured cells to the numbers of a technology: how far cells end from their targets, what chips and arrays
//! have in common, how conductances drift, how reads scatter, how many cells are stuck.
//!
//! # Theory
//! Cells are grouped by target and by array. With `T` the target, `span` the range of targets, and everything
//! relative to the largest:
//!
//! ```text
//! read            = g(t) + read noise
//! g(t)            = g (t / t0)^-nu                     nu drawn for every cell
//! g               = T + offset(T) + T (e + s z)        weight-proportional
//! g               = T + offset(T) + span (e + s z)     layer-fixed
//! e               = e_chip + e_array                   shared by the cells of a chip, and of an array
//! ```
//!
//! Where rows and columns are known, [`Spatial`] tells what their cells share apart from that, and how deviations change over
//! an array.
//!
//! Spreads within arrays and between reads follow from mean squares; parts that are shared from an analysis of variance
//! of the arrays' means. A standard deviation that is a difference of mean squares has the generalised interval of
//! Weerahandi (Journal of the American Statistical Association 88, 899 (1993)); shares that of Clopper and Pearson; means
//! Student's. Whether a spread is proportional, fixed or neither is Bartlett's test of the levels.
//!
//! # Practice
//! Stuck cells and outliers are taken out first, by medians. What a table cannot tell is a [note](Fit::notes), never a
//! number. [`Fit::device`] is an experiment file.
//!
//! # Examples
//! ```
//! use pimento::fit::{Fit, Measurements, Options};
//!
//! // Ten cells of one level, each read twice.
//! let mut table = String::from("cell,target_us,value_us\n");
//! for cell in 0..10 {
//!     let g = 50.0 + (f64::from(cell) - 4.5) / 2.0;
//!     table += &format!("{cell},50,{}\n{cell},50,{}\n", g - 0.1, g + 0.1);
//! }
//! let found = Measurements::from_reader(table.as_bytes(), "cells.csv")?;
//! let fit = Fit::new(&found, &Options::default())?;
//! let spread = fit.spread.unwrap().proportional.unwrap();
//! assert!((spread.value - 0.030).abs() < 0.001);
//! assert!(fit.notes.iter().any(|note| note.contains("chip")));
//! # Ok::<(), pimento::Error>(())
//! ```

mod cells;
mod common;
mod device;
mod drift;
mod intervals;
mod measurements;
mod shown;
mod spatial;
mod spread;
mod table;

use serde::Serialize;

pub use common::Common;
pub use drift::Drift;
pub use intervals::Estimate;
pub use measurements::{Measurements, Read};
pub use shown::{Aged, Sample};
pub use spatial::Spatial;
pub use spread::{Form, Shape, Spread};

use crate::error::{Error, Result};
use cells::Level;

/// What the measurements do not say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// Largest conductance of the technology, microsiemens; absent: the largest target.
    pub g_max_us: Option<f64>,
}

/// The cells of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelFit {
    /// Conductance that was to be programmed, microsiemens.
    pub target_us: f64,
    /// Cells, without those that were taken out.
    pub cells: usize,
    /// Mean at the first read, microsiemens, over the means of chips (of one chip: of its arrays; of one array: of its
    /// cells); `None` of fewer than two cells.
    pub mean_us: Option<Estimate>,
}

/// What measured cells say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// Largest and smallest conductance, microsiemens.
    pub g_max_us: f64,
    /// The smallest target.
    pub g_min_us: f64,
    /// Time of the first reads, seconds; `None` without times.
    pub t0_s: Option<f64>,
    /// Chips, arrays, cells and reads that were measured.
    pub counts: [usize; 4],
    /// Every target, the lowest first.
    pub levels: Vec<LevelFit>,
    /// Between the cells of an array: the error of programming.
    pub spread: Option<Spread>,
    /// Shape of that error.
    pub shape: Option<Shape>,
    /// What cells share.
    pub common: Option<Common>,
    /// What cells share by their places in an array; `None` where no places are known.
    pub spatial: Option<Spatial>,
    /// Between reads of a cell at one time.
    pub read_noise: Option<Spread>,
    /// Exponents of the levels that have some.
    pub drift: Vec<Drift>,
    /// Share of cells that are stuck at the lowest conductance.
    pub stuck_off: Option<Estimate>,
    /// Share of cells that are stuck at the highest conductance.
    pub stuck_on: Option<Estimate>,
    /// Cells that are neither, and too far from their level to be of it; they were left out.
    pub outliers: usize,
    /// Targets, microsiemens, so near an end of the range that cells which are stuck there look like their own.
    pub blind_us: Vec<f64>,
    /// What the measurements cannot tell, and what does not look like the model.
    pub notes: Vec<String>,
    /// The cells that were fitted, for pictures.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// How levels fell with time, for pictures.
    #[serde(skip)]
    pub aged: Vec<Aged>,
}

impl Fit {
    /// Fits measured cells.
    ///
    /// # Errors
    /// No target above 0, or one above `g_max_us`.
    pub fn new(m: &Measurements, options: &Options) -> Result<Self> {
        let mut levels = cells::levels(m);
        let top = levels.last().map_or(0.0, |l| l.target_us);
        if top <= 0.0 {
            return Err(Error::input(
                "column target_us: no target is above 0; allowed: at least one cell that was to conduct",
            ));
        }
        let g_max_us = options.g_max_us.unwrap_or(top);
        if g_max_us < top {
            return Err(Error::input(format!(
                "--g-max-us {g_max_us}: a target is {top} uS; allowed: {top} and more"
            )));
        }
        let g_min_us = levels[0].target_us;
        let counts = counts(m, &levels);
        let taken = cells::take_out(&mut levels, g_max_us);
        let span_us = match levels.len() {
            1 => g_max_us,
            _ => top - g_min_us,
        };
        let within: Vec<_> = levels.iter().map(spread::within).collect();
        let noise: Vec<_> = levels.iter().map(spread::reads).collect();
        let first = m
            .reads
            .iter()
            .map(|r| r.time_s)
            .fold(f64::INFINITY, f64::min);
        let samples = shown::samples(&levels);
        let spread = Spread::new(&within, span_us);
        let mut fit = Self {
            g_max_us,
            g_min_us,
            t0_s: m.has_times.then_some(first),
            counts,
            levels: levels.iter().map(level).collect(),
            shape: spread::shape(&samples),
            spatial: spatial::spatial(&levels, spread.as_ref(), span_us),
            spread,
            common: common::common(&levels, span_us),
            read_noise: Spread::new(&noise, span_us),
            drift: drift::of_levels(&levels),
            stuck_off: taken.stuck_off,
            stuck_on: taken.stuck_on,
            outliers: taken.outliers,
            blind_us: taken.blind,
            notes: vec![],
            samples,
            aged: shown::aged(&levels),
        };
        fit.notes = fit.remarks(m, &levels);
        Ok(fit)
    }

    /// An experiment file with what was found; `source` names the measurements in its first line.
    pub fn device(&self, source: &str) -> String {
        device::text(self, source)
    }

    /// What cannot be told, and what does not look like the model.
    fn remarks(&self, m: &Measurements, levels: &[Level]) -> Vec<String> {
        let mut notes = vec![];
        let mut note = |text: &str| notes.push(text.to_string());
        let [chips, arrays, ..] = self.counts;
        if chips < 2 {
            note("one chip: what differs between chips cannot be told; sigma_b is left at 0");
        }
        if arrays == chips {
            note("no chip has two arrays: what arrays share cannot be told from what chips share");
        }
        if self.spread.is_none() {
            note(
                "no array has two cells of the same target: the error of programming cannot be told",
            );
        }
        if self.read_noise.is_none() {
            note(
                "no cell was read twice at the same time: read noise cannot be told, and the error of programming holds it, too",
            );
        }
        if levels.len() == 1 {
            note(
                "one target: whether deviations grow with the conductance cannot be told; they are taken as proportional",
            );
        }
        if !m.has_times || self.drift.is_empty() {
            note("no level has two cells that were read at several times: drift cannot be told");
        } else if self.drift.iter().any(|d| d.sigma_nu.is_none()) {
            note(
                "two times and no repeated reads: the spread of the exponents cannot be told from read noise; it is left out",
            );
        }
        if self.stuck_off.is_none() && self.stuck_on.is_none() {
            note(
                "no level is far enough from both ends, or has eight cells: stuck cells cannot be told",
            );
        }
        let undecided = self.common.as_ref().and_then(|c| c.better_by);
        if undecided.is_some_and(|by| by < Common::TOLD_APART) {
            note(
                "whether shared deviations grow with the conductance cannot be told; the likelier law is taken",
            );
        }
        if m.reads.iter().all(|r| r.place.is_none()) {
            note("no rows and columns: what cells share by their places cannot be told");
        }
        let spatial = self.spatial.iter().flat_map(Spatial::notes);
        for text in spatial.chain(self.doubts(levels)) {
            note(&text);
        }
        notes
    }

    /// What does not look like the model.
    fn doubts(&self, levels: &[Level]) -> Vec<String> {
        let mut found = vec![];
        if let Some(s) = self.shape {
            let (skew, tails) = (s.skewness / s.skewness_error, s.kurtosis / s.kurtosis_error);
            if skew.abs() > 4.0 || tails.abs() > 4.0 {
                found.push(format!(
                    "deviations are not normal: skewness {:.2} +- {:.2}, excess kurtosis {:.2} +- {:.2}",
                    s.skewness, s.skewness_error, s.kurtosis, s.kurtosis_error
                ));
            }
        }
        let far = |l: &&LevelFit| {
            l.mean_us
                .is_some_and(|mean| (mean.value - l.target_us).abs() > 0.2 * self.g_max_us)
        };
        let far: Vec<f64> = self
            .levels
            .iter()
            .filter(far)
            .map(|l| l.target_us)
            .collect();
        if !far.is_empty() {
            found.push(format!(
                "at targets of {far:?} uS the means are off by more than a fifth of the largest conductance: are both columns in uS? \
                 The experiment file takes the targets"
            ));
        }
        let without: usize = self.drift.iter().map(|d| d.without).sum();
        if without > 0 {
            found.push(format!(
                "{without} cells have reads at or below 0 and no exponent of drift"
            ));
        }
        if self
            .drift
            .iter()
            .any(|d| d.bend.is_some_and(|bend| bend > 2.0))
        {
            found.push(
                "logarithms of conductances do not fall on straight lines: more remains around them than read noise explains".into(),
            );
        }
        let firsts = levels
            .iter()
            .flat_map(|l| l.cells.iter().map(|c| c.visits[0].time_s));
        let last = firsts.fold(0.0, f64::max);
        if let Some(t0) = self.t0_s.filter(|t0| last > 1.01 * t0) {
            found.push(format!(
                "cells were first read {t0} to {last} s after programming: the error of programming holds that drift, too"
            ));
        }
        let stuck = [&self.stuck_off, &self.stuck_on].into_iter().flatten();
        if !self.blind_us.is_empty() && stuck.clone().any(|e| e.value > 0.0) {
            found.push(format!(
                "cells are stuck, and at targets of {:?} uS those cannot be told from others: spreads there hold them, too",
                self.blind_us
            ));
        }
        if self.outliers > 0 {
            found.push(format!(
                "{} cells are further than 8 robust standard deviations from their level and not stuck; they were left out",
                self.outliers
            ));
        }
        found
    }
}

fn level(level: &Level) -> LevelFit {
    LevelFit {
        target_us: level.target_us,
        cells: level.cells.len(),
        mean_us: mean_of(level),
    }
}

/// Mean of a level, over the means of its chips: their cells are not independent. Of one chip over its arrays, of one
/// array over its cells.
fn mean_of(level: &Level) -> Option<Estimate> {
    let mean = |cells: &[cells::Cell]| {
        cells.iter().map(cells::Cell::first).sum::<f64>() / cells.len() as f64
    };
    let by_chip = level.cells.chunk_by(|a, b| a.chip == b.chip);
    let by_array = level
        .cells
        .chunk_by(|a, b| (a.chip, a.array) == (b.chip, b.array));
    let chips: Vec<f64> = by_chip.map(mean).collect();
    let arrays: Vec<f64> = by_array.map(mean).collect();
    let cells: Vec<f64> = level.cells.iter().map(cells::Cell::first).collect();
    [chips, arrays, cells]
        .iter()
        .find_map(|means| intervals::mean(means))
}

/// Chips, arrays, cells and reads.
fn counts(m: &Measurements, levels: &[Level]) -> [usize; 4] {
    let distinct = |mut ids: Vec<(u32, u32)>| {
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    };
    let chips = m.reads.iter().map(|r| (r.chip, 0)).collect();
    let arrays = m.reads.iter().map(|r| (r.chip, r.array)).collect();
    [
        distinct(chips),
        distinct(arrays),
        levels.iter().map(|l| l.all).sum(),
        m.reads.len(),
    ]
}
