//! `pimento sweep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use pimento::Result;
use pimento::backend::Backend;
use pimento::config::Experiment;
use pimento::files::outputs;
use pimento::report;
use pimento::sweep::outdir::{self, Existing, REPORT};
use pimento::sweep::shard::Shard;
use pimento::sweep::until::UntilRule;
use pimento::sweep::{self, Outcome, SweepOptions};

use super::backend::{BackendArgs, MemoryArgs};
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output, plan};

/// Train, fabricate and measure: run every point of an experiment
#[derive(Debug, Args)]
#[command(after_help = "\
Writes into the output directory: journal.bin (every result as soon as it is there), chips.csv (one \
row per point and chip), chips.parquet (the same, when built with feature parquet), summary.json (one \
entry per point), report.html (for people), headline.svg (one picture), experiment.toml (what ran) and \
models/ (trained networks). The table on standard output is the summary.

Every wave of chips is on the disk before the next one begins. After Ctrl-C, kill -9, a full disk, a \
lost adapter or a power failure --resume continues, to the same results.

Examples:
  pimento sweep experiments/self_tuning_fashion.toml --out runs/fashion
  pimento sweep experiments/lenet5_mnist_a1w1.toml --data ~/mnist --out runs/lenet5
  pimento sweep my.toml --out quick --chips 20 --images 500 --backend cpu
  pimento sweep my.toml --dry-run                how many chips, how much memory, how long?
  pimento sweep my.toml --out night --log night.log --resume
  pimento sweep runs/my/experiment.toml --resume --chips 1000    more chips of the same run
  pimento sweep my.toml --adapter all            every GPU of this machine
  pimento sweep my.toml --shard 3/16 --out s3 --models shared   then pimento merge s1 ... s16 --out all")]
pub struct Sweep {
    #[command(flatten)]
    experiment: ExperimentArgs,

    #[command(flatten)]
    run: RunArgs,
}

impl Sweep {
    /// Runs the experiment.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let file = Some(&*self.experiment.experiment);
        self.run.sweep(&experiment, self.experiment.cache(), file)
    }
}

/// How to run a sweep, and where its results go.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Output directory [default: runs/NAME, the experiment's name, or runs/NAME-2, ... if taken; with
    /// --resume and --force runs/NAME, or the directory that the experiment.toml of a run is in]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Begin again in a directory that holds a run or files of the same names, and replace them
    #[arg(long, conflicts_with = "resume")]
    force: bool,

    /// Continue the run in the output directory, also with more chips or other values of the axes (what
    /// was measured is used again); begin it if there is none
    #[arg(long)]
    resume: bool,

    /// Say what would be done and how long it would take, measured on a few chips; write nothing
    #[arg(long)]
    dry_run: bool,

    /// Only part I of N of every point's chips, I from 1; `slurm` takes both from the environment of
    /// a job array
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,

    /// Directory of trained networks, which several runs may share: one trains, the others wait
    /// [default: models in the output directory]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,

    #[command(flatten)]
    memory: MemoryArgs,

    /// Append one line a wave, and every message, to a file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Append a JSON object for each epoch of a training and each wave of chips to a file
    #[arg(long, value_name = "FILE.jsonl")]
    metrics: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

fn shard(text: &str) -> std::result::Result<Shard, String> {
    match text {
        "slurm" => Shard::from_slurm(|name| std::env::var(name).ok()).map_err(|e| e.to_string()),
        _ => text.parse(),
    }
}

impl RunArgs {
    /// Runs an experiment and prints its summary; `cache` is where decoded images are kept, if not
    /// where the user's are, `file` where the experiment was read from.
    pub fn sweep(
        &self,
        experiment: &Experiment,
        cache: Option<&Path>,
        file: Option<&Path>,
    ) -> Result<()> {
        let mut options = self.options(experiment, file);
        options.inputs = images::files(experiment);
        options.inputs.extend(file.map(Path::to_path_buf));
        for file in self.log.iter().chain(&self.metrics) {
            outputs::refuse_inputs(file, &options.inputs)?;
        }
        let terminal = Terminal::new(self.output.quiet)
            .with_log(self.log.as_deref())?
            .with_metrics(self.metrics.as_deref())?;
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backends = self.backend.open_several(self.memory.bytes())?;
        let backends: Vec<&dyn Backend> = backends.iter().map(|b| &**b).collect();
        for (name, memory) in backends
            .iter()
            .filter_map(|b| Some((b.info().name, b.memory()?)))
        {
            terminal.log(&format!("chips of a wave may take {memory} on {name}"));
        }
        if self.dry_run {
            let plan = sweep::plan(&backends, experiment, &data, &options, &terminal)?;
            drop(terminal);
            return plan::print(experiment, &plan, &self.output);
        }
        let done = sweep::run(&backends, experiment, &data, &options, &terminal);
        if let Err(e) = &done {
            terminal.log(&format!("error: {e}"));
        }
        drop(terminal);
        print(&done?, &self.output, self.backend.fell_back())
    }

    fn options(&self, experiment: &Experiment, file: Option<&Path>) -> SweepOptions {
        let home = file.and_then(outdir::run_of);
        let out = match (&self.out, home) {
            (Some(out), _) => out.clone(),
            (None, Some(home)) if self.force || self.resume => home,
            (None, _) if self.force || self.resume => outdir::usual(&experiment.name),
            (None, _) => outdir::fresh(&experiment.name),
        };
        let models = match (&self.models, self.resume) {
            (None, true) => outdir::models_of(&out),
            (models, _) => models.clone(),
        };
        SweepOptions {
            existing: existing(self.force, self.resume),
            shard: self.shard,
            models,
            stopping: experiment
                .sweep
                .until
                .map(|goal| Arc::new(UntilRule { goal }) as _),
            ..SweepOptions::new(out, super::command_line(), report::write)
        }
    }
}

/// What the options say about a directory that holds a run.
pub fn existing(force: bool, resume: bool) -> Existing {
    match (force, resume) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Continue,
        _ => Existing::Refuse,
    }
}

/// Prints what a sweep left.
pub fn print(done: &Outcome, how: &OutputArgs, fell_back: bool) -> Result<()> {
    if how.quiet && !how.json {
        return Ok(());
    }
    if how.json {
        return output::print(&report::summary::to_json(&done.result)?);
    }
    let report = done.out.join(REPORT);
    let table = report::table(&done.result);
    let result = &done.result;
    let why = match fell_back && result.backend == "cpu" {
        true => "; --backend auto found no hardware graphics adapter",
        false => "",
    };
    output::print(&format!(
        "{table}\nbackend: {} ({}{why})\nreport: {}\n",
        result.backend,
        result.adapter,
        report.display()
    ))
}
