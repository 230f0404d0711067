//! `pimento worst-case`.

use std::path::PathBuf;

use clap::Args;
use pimento::files::{check_destination, outputs, write_atomically};
use pimento::report::html;
use pimento::sweep::{outdir, worst};
use pimento::{Error, Result};

use super::backend::BackendArgs;
use super::options::{OutputArgs, PointArgs};
use super::progress::Terminal;
use super::{images, output};

/// Search the worst chip whose cells all keep within a bound
#[derive(Debug, Args)]
#[command(after_help = "\
A write-verify scheme guarantees that no cell deviates by more than a bound. How bad can such a \
chip be? Random chips do not say: in a space this large they hardly ever agree on a direction. The \
search makes them (projected gradient ascent; section [worst_case] of the experiment: bound, steps, \
restarts, search images, sparse, eps_b). It looks at training images unless told to look at the \
test images; accuracies are those of the test images.

Examples:
  pimento worst-case experiments/worst_case_lenet5.toml --data mnist/ --out worst_case.json
  pimento worst-case my.toml --run runs/my --point 3 --report worst_case.html")]
pub struct WorstCase {
    #[command(flatten)]
    experiment: PointArgs,

    /// Output directory of a sweep, for its trained networks
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// File for the result as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// File for the result as a page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Replace the files of --out and --report if they exist
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl WorstCase {
    /// Searches.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let point = super::options::point(&experiment, self.experiment.point)?;
        worst::check_level(&point.experiment)?;
        let mut inputs = images::files(&point.experiment);
        inputs.push(self.experiment.experiment.clone());
        for (file, option) in [(&self.out, "--out"), (&self.report, "--report")] {
            let Some(file) = file else { continue };
            outputs::check(file, &inputs, self.force, option)?;
            check_destination(file)?;
        }
        if self.out.is_some() && self.out == self.report {
            return Err(Error::input(
                "--report: is the file of --out; allowed: another file",
            ));
        }
        if let Some(dir) = &self.run {
            outdir::check_run(dir)?;
        }
        let terminal = Terminal::new(self.output.quiet);
        let cache = self.experiment.common.cache.as_deref();
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let run = self.run.as_deref();
        let mut report = worst::run(
            &*backend,
            &experiment,
            &data,
            self.experiment.point,
            run,
            &terminal,
        )?;
        report.command = super::command_line();
        drop(terminal);
        let json = serde_json::to_string_pretty(&report)
            .map_err(|e| Error::Internal(format!("worst case to JSON: {e}")))?;
        if let Some(out) = &self.out {
            write_atomically(out, format!("{json}\n").as_bytes())?;
        }
        if let Some(page) = &self.report {
            write_atomically(page, html::worst::page(&report).as_bytes())?;
        }
        if self.output.json {
            return output::print(&format!("{json}\n"));
        }
        self.output.print(&report.table())
    }
}
