//! The command line as a page of the documents, and whether it understands a command that a page shows.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{CommandFactory, Parser};

use super::Cli;

/// Columns of the help texts.
const WIDTH: usize = 100;

/// Markdown page of every command: its purpose, options and examples, as `--help` prints them.
///
/// # Examples
/// ```
/// let page = pimento::cli::command_reference();
/// assert!(page.contains("## `pimento sweep`"));
/// ```
pub fn command_reference() -> String {
    let mut all = Cli::command().term_width(WIDTH);
    all.build();
    let mut page = String::from(
        "# Commands\n\nWhat `pimento --help` and `pimento COMMAND --help` print. Every command exits with 0 when it is done, 1 for a \
         failed device or a bug, 2 for wrong input, 130 when it was interrupted; `diff` with 3 where runs differ. Manual pages: \
         `pimento man DIR`; completions: `pimento completions SHELL`.\n",
    );
    let commands = all.get_subcommands().filter(|c| c.get_name() != "help");
    let commands: Vec<clap::Command> = commands.cloned().collect();
    for mut command in commands {
        let name = command.get_name().to_owned();
        // The paths of this machine and its environment are no part of the page.
        command = command.mut_args(|arg| arg.hide_env_values(true));
        let help = command.term_width(WIDTH).render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(
            page,
            "\n## `pimento {name}`\n\n```text\n{}\n```\n",
            help.join("\n").trim()
        );
    }
    page
}

/// Whether the command line understands these words, the program's name first; nothing is run.
///
/// # Errors
/// What the program would print.
///
/// # Examples
/// ```
/// assert!(pimento::cli::understands(["pimento", "sweep", "my.toml", "--chips", "20"]).is_ok());
/// assert!(pimento::cli::understands(["pimento", "sweep", "my.toml", "--chip", "20"]).is_err());
/// ```
pub fn understands<W: Into<OsString> + Clone>(
    words: impl IntoIterator<Item = W>,
) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
