//! `pimento sweep`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::Result;
use pimento::config::Experiment;
use pimento::report;
use pimento::sweep::outdir::{self, Existing, REPORT};
use pimento::sweep::{self, SweepOptions};

use super::backend::BackendArgs;
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Train, fabricate and measure: run every point of an experiment
#[derive(Debug, Args)]
#[command(after_help = "\
Writes into the output directory: chips.csv (one row per point and chip), summary.json (one entry \
per point), report.html (for people), headline.svg (one picture), experiment.toml (what ran) and \
models/ (trained networks). The table on standard output is the summary.

Ctrl-C keeps the points that are complete and the training so far; --resume continues.

Examples:
  pimento sweep experiments/self_tuning_fashion.toml --out runs/fashion
  pimento sweep experiments/lenet5_mnist_a1w1.toml --data ~/mnist --out runs/lenet5
  pimento sweep my.toml --out quick --chips 20 --images 500 --backend cpu
  pimento sweep my.toml --out again --seed 2 --json > again.json")]
pub struct Sweep {
    #[command(flatten)]
    experiment: ExperimentArgs,

    #[command(flatten)]
    run: RunArgs,
}

impl Sweep {
    /// Runs the experiment.
    pub fn run(&self) -> Result<()> {
        let cache = self.experiment.overrides.cache.as_deref();
        self.run.sweep(&self.experiment.load()?, cache)
    }
}

/// How to run a sweep, and where its results go.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Output directory [default: runs/NAME, the experiment's name, or runs/NAME-2, ... if taken]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Replace the results of another run in the output directory
    #[arg(long, conflicts_with = "resume")]
    force: bool,

    /// Continue the run in the output directory, which must be of the same experiment
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl RunArgs {
    /// Runs an experiment and prints its summary; `cache` is where decoded images are kept, if not
    /// where the user's are.
    pub fn sweep(&self, experiment: &Experiment, cache: Option<&Path>) -> Result<()> {
        let terminal = Terminal::new(self.output.quiet);
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let options = SweepOptions {
            out: match &self.out {
                Some(out) => out.clone(),
                None if self.force || self.resume => outdir::usual(&experiment.name),
                None => outdir::fresh(&experiment.name),
            },
            existing: match (self.force, self.resume) {
                (true, _) => Existing::Replace,
                (_, true) => Existing::Continue,
                _ => Existing::Refuse,
            },
            command: super::command_line(),
            write: report::write,
        };
        let done = sweep::run(&*backend, experiment, &data, &options, &terminal)?;
        drop(terminal);
        if self.output.json {
            return output::print(&report::summary::to_json(&done.result)?);
        }
        let report = done.out.join(REPORT);
        let table = report::table(&done.result);
        output::print(&format!("{table}\nreport: {}\n", report.display()))
    }
}
