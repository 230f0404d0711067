//! Signal-to-noise ratios of layers: options, and what is printed.

use std::path::PathBuf;

use clap::Args;
use pimento::backend::Backend;
use pimento::config::Experiment;
use pimento::report::snr::table;
use pimento::sweep::journal::Journal;
use pimento::sweep::snr::{self, Goal, Options, Report};
use pimento::{Error, Result};
use serde_json::Value;

use super::images;
use super::options::Common;
use super::progress::Terminal;

/// Most chips whose ratios are measured.
const MOST_CHIPS: u64 = 100_000;

/// Which ratios are measured.
#[derive(Debug, Args)]
pub struct SnrArgs {
    /// Measure signal-to-noise ratios of every layer too, on real inputs and on chips, what the errors come from,
    /// the converter bits that are enough, and the ranges that suit the sums (docs/snr.md)
    #[arg(long)]
    pub snr: bool,

    /// With --snr: test images whose inputs are looked at, one of every class in turn (0 for all)
    #[arg(long, value_name = "N", default_value_t = 256, requires = "snr", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    snr_images: u32,

    /// With --snr: most input vectors of a layer, one of every stretch of all
    #[arg(long, value_name = "N", default_value_t = 256, requires = "snr", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    snr_vectors: u32,

    /// With --snr: chips, the first ones of a sweep
    #[arg(long, value_name = "N", default_value_t = 10, requires = "snr", value_parser = clap::value_parser!(u64).range(1..=MOST_CHIPS))]
    snr_chips: u64,

    /// With --snr: dB that converters may take, which says how many bits are enough [default: 0.5]
    #[arg(long, value_name = "DB", requires = "snr", conflicts_with_all = ["snr_goal", "no_snr_bits"])]
    snr_loss: Option<f64>,

    /// With --snr: dB that a layer is to reach, instead of --snr-loss
    #[arg(
        long,
        value_name = "DB",
        requires = "snr",
        allow_negative_numbers = true
    )]
    snr_goal: Option<f64>,

    /// With --snr: look at no other converters, which takes most of the time
    #[arg(long, requires = "snr", conflicts_with = "snr_goal")]
    no_snr_bits: bool,

    /// With --snr: directory or archive of the images, instead of the experiment's
    #[arg(long, value_name = "PATH", requires = "snr")]
    data: Option<PathBuf>,

    /// With --snr: directory for decoded images [default: the user's cache directory]
    #[arg(long, value_name = "DIR", env = "PIMENTO_CACHE", hide_env = true)]
    cache: Option<PathBuf>,
}

impl SnrArgs {
    fn options(&self) -> Options {
        let goal = match (self.snr_goal, self.no_snr_bits) {
            (Some(db), _) => Some(Goal::Reach(db)),
            (None, true) => None,
            (None, false) => Some(Goal::Lose(self.snr_loss.unwrap_or(0.5))),
        };
        Options {
            images: self.snr_images as usize,
            vectors: self.snr_vectors as usize,
            chips: self.snr_chips as usize,
            goal,
        }
    }

    fn place(&self, experiment: &mut Experiment) -> Result<()> {
        let common = Common {
            seed: None,
            images: None,
            data: self.data.clone(),
            cache: self.cache.clone(),
        };
        common.apply(experiment)
    }

    /// Of a point of an experiment.
    pub fn of_experiment(
        &self,
        backend: &dyn Backend,
        mut experiment: Experiment,
        terminal: &Terminal,
    ) -> Result<Report> {
        self.place(&mut experiment)?;
        let data = images::load(&experiment.data, self.cache.as_deref(), terminal)?;
        let options = self.options();
        snr::run(backend, &experiment, &data, 0, None, &options, terminal)
    }

    /// Of all points of a run.
    pub fn of_run(
        &self,
        backend: &dyn Backend,
        (mut experiment, journal): (Experiment, Journal),
        terminal: &Terminal,
    ) -> Result<Vec<Report>> {
        self.place(&mut experiment)?;
        let data = images::load(&experiment.data, self.cache.as_deref(), terminal)?;
        let options = self.options();
        snr::of_run(backend, &experiment, &data, &journal, &options, terminal)
    }
}

/// For `--json`.
pub fn json(report: &Report) -> Result<Value> {
    serde_json::to_value(report)
        .map_err(|e| Error::Internal(format!("signal-to-noise ratios to JSON: {e}")))
}

/// For people.
pub fn text(report: &Report) -> String {
    table(report)
}
