//! `pimento presets`.

use clap::Args;
use pimento::Result;
use pimento::config::chip::{PRESETS, Preset};
use serde_json::{Value, json};

use super::options::OutputArgs;
use super::output;

/// List the chips from the literature that `chip.preset` names, or print one
#[derive(Debug, Args)]
#[command(after_help = "\
A preset sets defaults of [chip] and [variation]; an experiment that names it may change any of them.

Examples:
  pimento presets
  pimento presets pcm
  pimento presets --json")]
pub struct Presets {
    /// Preset to print
    name: Option<String>,

    #[command(flatten)]
    how: OutputArgs,
}

impl Presets {
    /// Prints the list or the preset.
    pub fn run(&self) -> Result<()> {
        let Some(name) = &self.name else {
            return match self.how.json {
                true => output::print_json(&json!({
                    "pimento": env!("CARGO_PKG_VERSION"),
                    "presets": PRESETS.iter().map(document).collect::<Vec<_>>(),
                })),
                false => {
                    let entries: Vec<String> = PRESETS.iter().map(entry).collect();
                    self.how.print(&entries.join("\n"))
                }
            };
        };
        let preset = Preset::find(name)?;
        if !self.how.json {
            return self.how.print(preset.text);
        }
        let mut whole = document(preset);
        whole["text"] = preset.text.into();
        output::print_json(&whole)
    }
}

fn entry(preset: &Preset) -> String {
    let source = match preset.source() {
        Some(source) => format!("  Source: {source}\n"),
        None => String::new(),
    };
    format!("{}\n  {}\n{source}", preset.name, preset.about())
}

fn document(preset: &Preset) -> Value {
    json!({"name": preset.name, "about": preset.about(), "source": preset.source()})
}
