//! `pimento config`.

use clap::Args;
use pimento::config::reference::{self, Field, Table};
use pimento::{Error, Result};
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// List the fields of an experiment file, or explain one
#[derive(Debug, Args)]
#[command(after_help = "\
The same as docs/reference.md. With the schema editors complete and check experiments: the file that \
`pimento init` writes names it in its first line, which taplo and others read.

Examples:
  pimento config
  pimento config chip.adc
  pimento config chip.adc.bits
  pimento config sigma_w --json
  pimento config --schema > experiment.schema.json")]
pub struct Config {
    /// Field or section: a path such as chip.adc.bits, or the short name of an axis
    #[arg(value_name = "FIELD")]
    field: Option<String>,

    /// Print the JSON schema of experiment files
    #[arg(long, conflicts_with = "field")]
    schema: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Config {
    /// Prints the list, the field or the schema.
    pub fn run(&self) -> Result<()> {
        if self.schema {
            return self.print_schema();
        }
        let tables = match &self.field {
            Some(field) => reference::find(field)?,
            None => reference::tables(),
        };
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "sections": tables,
            }));
        }
        self.how.print(&match &tables[..] {
            [table] if table.fields.len() == 1 => explained(&table.fields[0]),
            _ => tables.iter().map(listed).collect(),
        })
    }

    fn print_schema(&self) -> Result<()> {
        let schema = reference::schema();
        if self.how.json {
            return output::print_json(&schema);
        }
        let text = serde_json::to_string_pretty(&schema)
            .map_err(|e| Error::Internal(format!("schema to JSON: {e}")))?;
        self.how.print(&format!("{text}\n"))
    }
}

/// A section: its fields with their defaults and the first sentence about each.
fn listed(table: &Table) -> String {
    let mut text = match table.path.as_str() {
        "" => String::new(),
        path => format!("\n[{path}]\n"),
    };
    for field in &table.fields {
        let default = field.default.as_deref().unwrap_or("not set");
        let about = match field.about.split_once(". ") {
            Some((first, _)) => format!("{first}."),
            None => field.about.clone(),
        };
        text += &format!("{:<22} {default:<22} {about}\n", field.key());
    }
    text
}

/// Everything about a field.
fn explained(field: &Field) -> String {
    let mut text = format!("{}\n  {}\n\n", field.path, field.about);
    let lines = [
        ("type", field.kind.as_str()),
        ("unit", field.unit),
        ("default", field.default.as_deref().unwrap_or("not set")),
        ("allowed", &field.allowed),
        ("since", field.since),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!("  {name:<8} {value}\n");
    }
    for (name, about) in &field.names {
        text += &format!("\n  \"{name}\"\n      {about}\n");
    }
    text
}
