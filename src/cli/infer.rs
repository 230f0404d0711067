//! `pimento infer`.

use std::path::PathBuf;

use clap::Args;
use pimento::data::npy::{Sink, Values, read_npy_in_parts};
use pimento::data::shape::{self, Entry};
use pimento::files::outputs;
use pimento::network::file::Loaded;
use pimento::network::npy;
use pimento::network::run::{Runner, check_outputs};
use pimento::{Error, Result};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::{ModelArgs, OutputArgs};
use super::output;

/// Run a network on a batch of inputs, without any chip's deviations
#[derive(Debug, Args)]
#[command(after_help = "\
To check an import against the framework it comes from: the same inputs must give the same logits, \
up to rounding. A network that was trained here runs with its quantizers.

The input is an array of (N, C, H, W), floats or uint8 (taken as they are: normalise before), in an \
NPY file or, as set.npz:x, in an NPZ file; the output is one of (N, K), float32.

Examples:
  pimento infer resnet20.onnx --input x.npy --output logits.npy
  pimento infer fashion.safetensors --input x.npy --output logits.npy --backend cpu")]
pub struct Infer {
    #[command(flatten)]
    model: ModelArgs,

    /// Inputs to read
    #[arg(long, value_name = "X.npy")]
    input: PathBuf,

    /// Logits to write
    #[arg(long, value_name = "Y.npy")]
    output: PathBuf,

    /// Replace the file of --output if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    how: OutputArgs,
}

impl Infer {
    /// Reads, computes, writes.
    pub fn run(&self) -> Result<()> {
        let mut inputs = vec![self.model.model.clone()];
        inputs.extend(super::array_files(&self.input));
        outputs::check(&self.output, &inputs, self.force, "--output")?;
        let network = self.model.load()?;
        let backend = self.backend.open()?;
        let mut stream = Stream {
            infer: self,
            image: network.graph.nodes[0].shape,
            runner: Runner::new(&*backend, &network)?,
            network: &network,
            images: 0,
            done: 0,
            logits: vec![],
        };
        read_npy_in_parts(&self.input, &mut stream)?;
        let Stream {
            runner,
            images: n,
            logits,
            ..
        } = stream;
        let shape = [n, runner.outputs()];
        npy::write(&self.output, &shape, &logits)?;
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "model": self.model.model.display().to_string(),
                "output": self.output.display().to_string(),
                "shape": shape,
                "device": backend.info(),
            }));
        }
        self.how.print(&format!(
            "{}: ({n}, {}) float32, computed on {}\n",
            self.output.display(),
            shape[1],
            backend.info().name
        ))
    }
}

/// Runs images as they are read.
struct Stream<'a> {
    infer: &'a Infer,
    image: (usize, usize, usize),
    network: &'a Loaded,
    runner: Runner,
    images: usize,
    /// Images that have been run.
    done: usize,
    logits: Vec<f32>,
}

impl Sink for Stream<'_> {
    fn begin(&mut self, shape: &[usize]) -> Result<usize> {
        let (c, h, w) = self.image;
        match shape {
            [n, rest @ ..] if fits(rest, self.image) => self.images = *n,
            other => {
                return Err(Error::input(format!(
                    "{}: an array of shape {other:?}; allowed for {}: (N, {c}, {h}, {w}), with or without \
                     the ones{}",
                    self.infer.input.display(),
                    self.infer.model.model.display(),
                    match shape::flat(self.image) {
                        Some(n) => format!(", or images of {n} values (N, C, H, W)"),
                        None => String::new(),
                    }
                )));
            }
        }
        Ok(self.runner.chunk() * c * h * w)
    }

    fn part(&mut self, values: Values) -> Result<()> {
        let images = match values {
            Values::Floats(v) => v,
            Values::Bytes(v) => v.into_iter().map(f32::from).collect(),
            Values::Integers(_) => {
                return Err(Error::input(format!(
                    "{}: integers; allowed: floats and uint8",
                    self.infer.input.display()
                )));
            }
        };
        let each = self.runner.image();
        if let Some(at) = images.iter().position(|v| !v.is_finite()) {
            return Err(Error::input(format!(
                "{}: value {} of image {} is {}; allowed: finite numbers",
                self.infer.input.display(),
                at % each,
                self.done + at / each,
                images[at]
            )));
        }
        let logits = self.runner.run_all(&images)?;
        check_outputs(self.network, &images, &logits, self.done)
            .map_err(|e| e.context(self.infer.model.model.display()))?;
        self.done += images.len() / each;
        self.logits.extend(logits);
        Ok(())
    }
}

/// Whether images of these sizes enter the network as a sweep would have them: images whose channels
/// are last would be flattened in another order there.
fn fits(sizes: &[usize], input: shape::Shape) -> bool {
    let channels_last = shape::of_array(sizes).is_some_and(|((c, ..), last)| last && c > 1);
    match shape::entry(sizes, input) {
        Some(Entry::Equal) => true,
        Some(Entry::Flattened) => !channels_last,
        None => false,
    }
}
