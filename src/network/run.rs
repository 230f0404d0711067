//! The plain network: images in, logits out, no chip that deviates.

use super::file::Loaded;
use super::lower::CellNoise;
use super::lower::inference::{self, Chips, Inference, NormMode};
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
        graph.flatten_output();
        let norm = NormMode::Frozen;
        let inference = inference::lower(
            &graph,
            &network.numerics,
            Chips::Weight(&CellNoise::NONE),
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
