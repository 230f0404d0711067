//! `pimento init`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::Result;
use pimento::files::{self, outputs};
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// What is written.
const TEXT: &str = include_str!("../../assets/experiment.toml");

/// Write an experiment file with comments, to begin with
#[derive(Debug, Args)]
#[command(after_help = "\
The experiment trains a small network and sweeps it over deviations; `pimento check` accepts it as it is. \
Its first line names the schema for editors, see `pimento config --help`.

Examples:
  pimento init
  pimento init my.toml && pimento check my.toml
  pimento init my.toml --force")]
pub struct Init {
    /// File to write
    #[arg(value_name = "NAME.toml", default_value = "experiment.toml")]
    file: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Init {
    /// Writes the file.
    pub fn run(&self) -> Result<()> {
        outputs::check::<&Path>(&self.file, &[], self.force, "NAME.toml")?;
        files::write_atomically(&self.file, TEXT.as_bytes())?;
        let path = self.file.display().to_string();
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "file": path,
                "bytes": TEXT.len(),
            }));
        }
        self.how
            .print(&format!("{path}: next, pimento check {path}\n"))
    }
}
