//! `pimento chip`.

use std::path::PathBuf;

use clap::Args;
use pimento::Result;
use pimento::sweep::{self, outdir};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Rebuild one chip of a sweep alone and measure it again
#[derive(Debug, Args)]
#[command(after_help = "\
A chip is a pure function of the seed and its index, so the row equals the sweep's in chips.csv. \
With --run the networks that the sweep trained are used; without, the network is trained again.

Examples:
  pimento chip experiments/self_tuning_fashion.toml --run runs/self_tuning_fashion --index 17
  pimento chip my.toml --point 3 --index 0 --json")]
pub struct Chip {
    #[command(flatten)]
    experiment: ExperimentArgs,

    /// Index of the chip, from 0
    #[arg(long, value_name = "K")]
    index: u32,

    /// Point of the experiment's grid (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    point: usize,

    /// Output directory of the sweep, for its trained networks
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl Chip {
    /// Simulates the chip.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let point = super::options::point(&experiment, self.point)?;
        if let Some(dir) = &self.run {
            outdir::check_run(dir)?;
        }
        let terminal = Terminal::new(self.output.quiet);
        let cache = self.experiment.overrides.cache.as_deref();
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let place = (self.point, self.index);
        let run = self.run.as_deref();
        let (summary, row) = sweep::one_chip(&*backend, &experiment, &data, place, run, &terminal)?;
        drop(terminal);
        if self.output.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "experiment": experiment.name,
                "seed": experiment.seed,
                "ideal": summary.ideal,
                "chip": row,
            }));
        }
        let label = match point.axes.is_empty() {
            true => String::new(),
            false => format!(" ({})", point.label()),
        };
        let estimate = match row.eps_hat.is_nan() {
            true => "not estimated".to_string(),
            false => format!("estimated {:+.5}", row.eps_hat),
        };
        output::print(&format!(
            "chip {} of point {}{label}\n\
             accuracy  {:.2} %, {} of {} images; {:.2} % without variation\n\
             loss      {:.4}\n\
             eps       {:+.5} common to the chip, of it eps_B {:+.5}; {estimate}\n",
            row.chip,
            row.point,
            100.0 * row.accuracy,
            row.correct,
            row.images,
            100.0 * summary.ideal,
            row.loss,
            row.eps_common,
            row.eps_b,
        ))
    }
}
