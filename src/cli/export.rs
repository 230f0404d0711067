//! `pimento export`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use pimento::files::{self, outputs};
use pimento::network::{file, onnx};
use pimento::{Error, Result};
use serde_json::json;

use super::options::{ModelArgs, OutputArgs};
use super::output;

/// Write a network for other programs: ONNX, or safetensors with its description
#[derive(Debug, Args)]
#[command(after_help = "\
ONNX is written in operator set 17; it opens in ONNX Runtime with the same logits. Quantizers of a \
network that was trained here become QuantizeLinear and DequantizeLinear, its weights 8-bit codes. \
A safetensors file holds the tensors under the names of their layers and, as metadata, the \
description of the network (docs/networks.md).

Examples:
  pimento export fashion.safetensors --output fashion.onnx
  pimento export resnet20.onnx --output resnet20.safetensors
  pimento export resnet20.onnx --fold-batch-norm --output folded.onnx")]
pub struct Export {
    #[command(flatten)]
    model: ModelArgs,

    /// File to write: X.onnx or X.safetensors
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Export {
    /// Reads and writes.
    pub fn run(&self) -> Result<()> {
        let path = self.output.display();
        let ends = |with: &str| {
            let found = self.output.extension();
            found.is_some_and(|e| e.eq_ignore_ascii_case(with))
        };
        if !ends("onnx") && !ends("safetensors") {
            return Err(Error::input(format!(
                "--output {path}: allowed: a file that ends with .onnx or .safetensors"
            )));
        }
        outputs::check(&self.output, &[&self.model.model], self.force, "--output")?;
        let network = self.model.load()?;
        let bytes = if ends("onnx") {
            onnx::export(&network)?
        } else {
            file::to_safetensors(&network, &BTreeMap::new())?
        };
        files::write_atomically(&self.output, &bytes)?;
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "model": self.model.model.display().to_string(),
                "file": path.to_string(),
                "bytes": bytes.len(),
            }));
        }
        self.how.print(&format!("{path}: {} bytes\n", bytes.len()))
    }
}
