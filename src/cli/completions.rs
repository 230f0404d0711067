//! `pimento completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use pimento::Result;
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pimento completions bash > ~/.local/share/bash-completion/completions/pimento
  pimento completions zsh > ~/.zfunc/_pimento
  pimento completions fish > ~/.config/fish/completions/pimento.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,

    #[command(flatten)]
    how: OutputArgs,
}

impl Completions {
    /// Writes the script.
    pub fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        let mut command = super::Cli::command();
        clap_complete::generate(self.shell, &mut command, "pimento", &mut script);
        let script = String::from_utf8_lossy(&script);
        match self.how.json {
            true => output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "shell": self.shell.to_string(),
                "script": script,
            })),
            false => self.how.print(&script),
        }
    }
}
