//! `pimento merge`.

use std::path::PathBuf;

use clap::Args;
use pimento::sweep::{self, MergeOptions};
use pimento::{Result, report};

use super::options::OutputArgs;
use super::sweep::{existing, print};

/// Put the shards of a sweep together
#[derive(Debug, Args)]
#[command(after_help = "\
Every chip of every point must be in one of the directories, once. The result equals that of one run \
over all chips: chips.csv (and chips.parquet, when built with feature parquet) byte for byte, and the \
statistics. Neither data nor networks are needed.

Examples:
  pimento merge runs/shard-* --out runs/all
  pimento merge s1 s2 s3 --out all --json > all.json")]
pub struct Merge {
    /// Output directories of `pimento sweep --shard`, in any order
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,

    /// Output directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Replace the results of another run in the output directory
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    output: OutputArgs,
}

impl Merge {
    /// Merges and prints the summary.
    pub fn run(&self) -> Result<()> {
        let done = sweep::merge(&MergeOptions {
            dirs: self.dirs.clone(),
            out: self.out.clone(),
            existing: existing(self.force, false),
            command: super::command_line(),
            write: report::write,
        })?;
        print(&done, &self.output, false)
    }
}
