//! `pimento design`.

use std::path::PathBuf;

use clap::Args;
use pimento::backend::Backend;
use pimento::config::{Experiment, Goal};
use pimento::files::outputs;
use pimento::report::designs;
use pimento::sweep::{SweepOptions, outdir};
use pimento::{Result, design};

use super::backend::{BackendArgs, MemoryArgs};
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::sweep::existing;
use super::{images, output};

/// Search the designs of a space for the best under constraints, without simulating all of them
#[derive(Debug, Args)]
#[command(after_help = "\
SPACE.toml is an experiment: the points of its sweep are the designs, and a section [design] says what is wanted:

  [design]
  goal = \"energy_pj min, area_mm2 min, yield(0.9) >= 0.95\"

Measures: yield(LIMIT) is the share of the chips whose accuracy is at least LIMIT; means over the chips: accuracy, loss, \
energy_pj, ...; costs: area_mm2, latency_us, cells, arrays, ... (docs/design.md). Designs whose plan fails a constraint leave before \
any chip. The others take steps: more images, then more chips; the best quarter goes first. A design leaves only when bounds, \
which all hold together with probability 1 - risk, say that the whole sweep would not have it on the front.

Writes into the output directory: journals (what was simulated), design.json, designs.csv (all designs, and why each left), design.html \
(for people), front/ (the experiment file of each design on the front) and models/. After Ctrl-C or kill -9 --resume continues, to \
the same result; pimento sweep DIR/experiment.toml --resume simulates what the search left out.

Examples:
  pimento design experiments/design_digits.toml --out runs/designs
  pimento check experiments/design_digits.toml
  pimento design my.toml --goal \"latency_us min, accuracy >= 0.9\" --chips 200
  pimento sweep runs/designs/front/design-17.toml")]
pub struct Design {
    #[command(flatten)]
    experiment: ExperimentArgs,

    /// Objectives and constraints, instead of the file's
    #[arg(long, value_name = "GOAL")]
    goal: Option<Goal>,

    /// Output directory [default: runs/NAME, the experiment's name, or runs/NAME-2, ... if taken; with --resume and --force
    /// runs/NAME, or the directory that the experiment.toml of a run is in]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Begin again in a directory that holds a run, and replace its results
    #[arg(long, conflicts_with = "resume")]
    force: bool,

    /// Continue the search in the output directory, also for another goal (what was simulated is used again); begin it if there
    /// is none
    #[arg(long)]
    resume: bool,

    /// Directory of trained networks, which several runs may share [default: models in the output directory]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,

    #[command(flatten)]
    memory: MemoryArgs,

    /// Append one line a wave, and every message, to a file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl Design {
    /// Searches and prints the front.
    pub fn run(&self) -> Result<()> {
        let mut space = self.experiment.load()?;
        if let Some(goal) = &self.goal {
            space.design.get_or_insert_default().goal = goal.clone();
        }
        design::check(&space)?;
        space.check()?;
        let options = self.options(&space);
        if let Some(log) = &self.log {
            outputs::refuse_inputs(log, &options.inputs)?;
        }
        let terminal = Terminal::new(self.output.quiet).with_log(self.log.as_deref())?;
        let data = images::load(&space.data, self.experiment.cache(), &terminal)?;
        let backends = self.backend.open_several(self.memory.bytes())?;
        let backends: Vec<&dyn Backend> = backends.iter().map(|b| &**b).collect();
        let found = design::run(
            &backends,
            &space,
            &data,
            &options,
            designs::write,
            &terminal,
        );
        if let Err(e) = &found {
            terminal.log(&format!("error: {e}"));
        }
        drop(terminal);
        let found = found?;
        if self.output.json {
            return output::print(&designs::json(&found)?);
        }
        let page = options.out.join(designs::PAGE);
        let table = designs::table(&found);
        self.output
            .print(&format!("{table}report: {}\n", page.display()))
    }

    fn options(&self, space: &Experiment) -> SweepOptions {
        let file = &self.experiment.experiment;
        let out = match (&self.out, outdir::run_of(file)) {
            (Some(out), _) => out.clone(),
            (None, Some(home)) if self.force || self.resume => home,
            (None, _) if self.force || self.resume => outdir::usual(&space.name),
            (None, _) => outdir::fresh(&space.name),
        };
        let models = match (&self.models, self.resume) {
            (None, true) => outdir::models_of(&out),
            (models, _) => models.clone(),
        };
        let mut inputs = images::files(space);
        inputs.push(file.clone());
        SweepOptions {
            existing: existing(self.force, self.resume),
            models,
            inputs,
            ..SweepOptions::of_journal(out, super::command_line())
        }
    }
}
