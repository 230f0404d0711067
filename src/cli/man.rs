//! `pimento man`.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use pimento::files::{self, outputs};
use pimento::{Error, Result};
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// Write the manual pages of all commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pimento man ~/.local/share/man/man1 && man pimento-sweep
  pimento man man --force")]
pub struct Man {
    /// Existing directory to write pimento.1, pimento-sweep.1, ... into
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Replace pages that exist
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Man {
    /// Writes the pages: all of them, or none where one is there already.
    pub fn run(&self) -> Result<()> {
        if !self.dir.is_dir() {
            return Err(Error::input(format!(
                "{}: no such directory; allowed for DIR: an existing one",
                self.dir.display()
            )));
        }
        let mut command = super::Cli::command();
        command.build();
        let commands = std::iter::once(&command).chain(command.get_subcommands());
        let pages = commands
            .filter(|c| c.get_name() != "help")
            .map(page)
            .collect::<Result<Vec<_>>>()?;
        for (name, _) in &pages {
            outputs::check::<&Path>(&self.dir.join(name), &[], self.force, "DIR")?;
        }
        let mut written = Vec::new();
        for (name, text) in pages {
            let path = self.dir.join(name);
            files::write_atomically(&path, &text)?;
            written.push(path.display().to_string());
        }
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "files": written,
            }));
        }
        self.how.print(&format!("{}\n", written.join("\n")))
    }
}

/// Name and text of a command's page.
fn page(command: &Command) -> Result<(String, Vec<u8>)> {
    let page = Page::new(command.clone())
        .manual("Pimento")
        .source(format!("pimento {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    let rendered = page.render(&mut text);
    rendered.map_err(|e| Error::Internal(format!("manual page of {}: {e}", command.get_name())))?;
    Ok((page.get_filename(), text))
}
