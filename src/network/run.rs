//! The plain network: images in, logits out, no chip that deviates.

use super::file::Loaded;
use super::graph::Layer;
use super::lower::CellNoise;
use super::lower::inference::{self, Chips, Inference, NormMode};
use super::rewrite;
use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::error::{Error, Result};

/// Most images of one run; fewer where the backend has no memory for them.
const CHUNK: usize = 256;

/// A network prepared on a backend, with the number formats it was trained with.
pub struct Runner {
    inference: Inference,
    session: Box<dyn Session>,
    chunk: usize,
    /// Values of one image.
    image: usize,
    /// Values of one output.
    outputs: usize,
}

impl Runner {
    /// Prepares the network.
    ///
    /// # Errors
    /// A parameter that is missing or has another size; not enough memory on the backend.
    pub fn new(backend: &dyn Backend, network: &Loaded) -> Result<Self> {
        let mut graph = network.graph.simplified();
        let (c, h, w) = graph.nodes[graph.last()].shape;
        let outputs = c * h * w;
        if graph.nodes.len() == 1 {
            // A network that gives its images back; its outputs must be computed all the same.
            let layer = Layer::Rearrange {
                table: (0..outputs as u32).collect(),
                fill: 0.0,
            };
            graph.push("outputs", layer, vec![0], (outputs, 1, 1));
        }
        graph.flatten_output();
        let norm = NormMode::Frozen;
        let nominal = CellNoise::NONE.everywhere(&graph);
        let inference = inference::lower(
            &graph,
            &network.numerics,
            Chips::Weight(&nominal),
            norm,
            true,
        );
        let want = Capacity {
            chips: 1,
            images: CHUNK,
            chunk: CHUNK,
        };
        let capacity = backend.fit(&inference.program, want)?;
        let mut session = backend.prepare(&inference.program, capacity)?;
        network
            .parameters
            .load_into(session.as_mut(), &inference.states)?;
        for &chip in &inference.chips {
            // No common deviation, no correction.
            session.write(chip, &[0.0, 1.0, 0.0, 0.0])?;
        }
        session.run(inference.fabricate, &RunArgs::wave(0, 0, 1, 0..0))?;
        let (c, h, w) = graph.nodes[0].shape;
        Ok(Self {
            inference,
            session,
            chunk: capacity.chunk.min(capacity.images),
            image: c * h * w,
            outputs,
        })
    }

    /// Values of one output (classes).
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Most images of one [`Runner::run`].
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Outputs `[image][class]` of images `[image][c][h][w]`, at most [`Runner::chunk`] of them.
    ///
    /// # Errors
    /// A number of values that is no whole number of images, or too many; the device's.
    pub fn run(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let n = images.len() / self.image;
        if n * self.image != images.len() || n > self.chunk {
            return Err(Error::Internal(format!(
                "{} values for images of {} and chunks of {}",
                images.len(),
                self.image,
                self.chunk
            )));
        }
        if n == 0 {
            return Ok(vec![]);
        }
        let logits = self
            .inference
            .logits
            .ok_or_else(|| Error::Internal("the inference program keeps no logits".into()))?;
        self.session.write(self.inference.images, images)?;
        // Nobody asks for hits here; every label is allowed.
        self.session.write(self.inference.labels, &vec![0.0; n])?;
        let args = RunArgs::wave(0, 0, 1, 0..n);
        self.session.run(self.inference.evaluate, &args)?;
        self.session.read(logits)
    }

    /// Values of one image.
    pub fn image(&self) -> usize {
        self.image
    }

    /// Outputs of any number of images, chunk by chunk.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub fn run_all(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let mut out = vec![];
        for part in images.chunks(self.chunk * self.image) {
            out.extend(self.run(part)?);
        }
        Ok(out)
    }
}

/// Name and kind of the first node whose output for an image holds a value that is not finite; none
/// where all are finite.
///
/// # Errors
/// A network that cannot be run.
pub fn first_not_finite(network: &Loaded, image: &[f32]) -> Result<Option<String>> {
    let backend = CpuBackend::new();
    for id in 1..network.graph.nodes.len() {
        let mut part = network.clone();
        rewrite::prune(&mut part, id);
        let values = Runner::new(&backend, &part)?.run(image)?;
        if values.iter().any(|v| !v.is_finite()) {
            let node = &network.graph.nodes[id];
            return Ok(Some(format!("`{}` ({})", node.name, node.layer.kind())));
        }
    }
    Ok(None)
}

/// Whether outputs of `images` are finite; `first` is the place of the first image, for the message.
///
/// # Errors
/// The first image with another output, and the first layer whose output is not finite for it.
pub fn check_outputs(
    network: &Loaded,
    images: &[f32],
    outputs: &[f32],
    first: usize,
) -> Result<()> {
    let Some(at) = outputs.iter().position(|v| !v.is_finite()) else {
        return Ok(());
    };
    let (c, h, w) = network.graph.nodes[0].shape;
    let each = c * h * w;
    let count = (images.len() / each).max(1);
    let image = at / (outputs.len() / count).max(1);
    let values = &images[image * each..(image + 1) * each];
    let place = match first_not_finite(network, values)? {
        Some(layer) => format!("; the first layer whose output is not finite is {layer}"),
        None => String::new(),
    };
    Err(Error::input(format!(
        "the output for image {} is {}, not a finite number{place}",
        first + image,
        outputs[at]
    )))
}
