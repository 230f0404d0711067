//! `pimento diff`.

use std::path::PathBuf;

use clap::Args;
use pimento::Result;
use pimento::report::diff::diff;

use super::options::OutputArgs;
use super::output;
use super::report::load;

/// Exit code where two runs differ.
const DIFFERENT: u8 = 3;

/// Compare two runs point by point
#[derive(Debug, Args)]
#[command(after_help = "\
Points are paired by their axes. Runs of the same seed have the same chips and are compared chip by \
chip, others as independent samples (Welch); intervals are 95 %.

Exit codes: 0 when no point differs beyond chance (5 % for all points together, Bonferroni) and both \
runs have the same points; 3 when they differ; 2 when a directory holds no run.

Examples:
  pimento diff runs/before runs/after
  pimento diff runs/cpu runs/gpu --json")]
pub struct Diff {
    /// Output directory of a sweep
    #[arg(value_name = "A")]
    a: PathBuf,

    /// Output directory of another one
    #[arg(value_name = "B")]
    b: PathBuf,

    #[command(flatten)]
    how: OutputArgs,
}

impl Diff {
    /// Compares and prints.
    pub fn run(&self) -> Result<u8> {
        let runs = load(&[self.a.clone(), self.b.clone()])?;
        let difference = diff(&runs[0], &runs[1])?;
        match self.how.json {
            true => {
                let mut document = serde_json::json!(difference);
                document["differ"] = difference.is_real().into();
                output::print_json(&document)?;
            }
            false => self.how.print(&difference.table())?,
        }
        Ok(match difference.is_real() {
            true => DIFFERENT,
            false => 0,
        })
    }
}
