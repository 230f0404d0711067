//! `pimento worst-case`.

use std::path::PathBuf;

use clap::Args;
use pimento::files::write_atomically;
use pimento::sweep::{outdir, worst};
use pimento::{Error, Result};

use super::backend::BackendArgs;
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Search the worst chip whose cells all keep within a bound
#[derive(Debug, Args)]
#[command(after_help = "\
A write-verify scheme guarantees that no cell deviates by more than a bound. How bad can such a \
chip be? Random chips do not say: in so many dimensions they hardly ever agree on a direction. The \
search makes them (projected gradient ascent; section [worst_case] of the experiment: bound, steps, \
restarts, search images, sparse, eps_b). It looks at training images unless told to look at the \
test images; accuracies are those of the test images.

Examples:
  pimento worst-case experiments/worst_case_lenet5.toml --data mnist/ --out worst_case.json
  pimento worst-case my.toml --run runs/my --point 3")]
pub struct WorstCase {
    #[command(flatten)]
    experiment: ExperimentArgs,

    /// Point of the experiment's sweep (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    point: usize,

    /// Output directory of a sweep, for its trained networks
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// File for the result as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl WorstCase {
    /// Searches.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let point = super::options::point(&experiment, self.point)?;
        worst::check_level(&point.experiment)?;
        if let Some(dir) = &self.run {
            outdir::check_run(dir)?;
        }
        let terminal = Terminal::new(self.output.quiet);
        let cache = self.experiment.overrides.cache.as_deref();
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let run = self.run.as_deref();
        let mut report = worst::run(&*backend, &experiment, &data, self.point, run, &terminal)?;
        report.command = super::command_line();
        drop(terminal);
        let json = serde_json::to_string_pretty(&report)
            .map_err(|e| Error::Internal(format!("worst case to JSON: {e}")))?;
        if let Some(out) = &self.out {
            write_atomically(out, format!("{json}\n").as_bytes())?;
        }
        if self.output.json {
            return output::print(&format!("{json}\n"));
        }
        output::print(&report.table())
    }
}
