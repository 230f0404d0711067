//! `pimento demo`.

use clap::Args;
use pimento::Result;
use pimento::config::Experiment;

use super::options::Overrides;
use super::sweep::RunArgs;

/// The experiment, `experiments/demo.toml`.
const DEMO: &str = include_str!("../../experiments/demo.toml");

/// Show in two minutes what variation does and what tuning saves
#[derive(Debug, Args)]
#[command(after_help = "\
Trains a small network on embedded Fashion-MNIST images with and without variation, fabricates 200 \
chips, lets them tune themselves, prints the table and writes the report. No network, no GPU \
needed. The experiment is experiments/demo.toml, and this is `pimento sweep` of it.

Examples:
  pimento demo
  pimento demo --out demo2 --seed 2 --chips 1000")]
pub struct Demo {
    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    run: RunArgs,
}

impl Demo {
    /// Runs the demo.
    pub fn run(&self) -> Result<()> {
        let mut experiment = Experiment::parse(DEMO, "demo")?;
        self.overrides.apply(&mut experiment)?;
        let cache = self.overrides.common.cache.as_deref();
        self.run.sweep(&experiment, cache, None)
    }
}
