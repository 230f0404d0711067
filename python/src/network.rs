//! Networks from files.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pimento::cli;
use pimento::network::file::{self, Loaded};
use pimento::network::run::{Runner, check_outputs};
use pyo3::prelude::*;

use crate::error::Raise;
use crate::machine::Machine;
use crate::watch::watched;

/// A network with its parameters.
#[pyclass(frozen)]
pub struct Network {
    loaded: Loaded,
}

#[pymethods]
impl Network {
    /// Reads a file; `input` are the sizes of one image where an ONNX model leaves them free.
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        fold_batch_norm: bool,
        input: Option<Vec<usize>>,
    ) -> PyResult<Self> {
        let loaded = py.detach(|| file::load(&path, fold_batch_norm, input.as_deref()));
        Ok(Self {
            loaded: loaded.raise(py)?,
        })
    }

    /// The layers as JSON.
    fn layers(&self) -> String {
        cli::described(&self.loaded).to_string()
    }

    /// `(c, h, w)` of one image.
    #[getter]
    fn input(&self) -> (usize, usize, usize) {
        self.loaded.graph.nodes[0].shape
    }

    /// Outputs `[image][value]`, flat, of images `[image][c][h][w]`, flat, and their number for one image.
    fn infer<'py>(
        &self,
        py: Python<'py>,
        machine: &Machine,
        images: PyReadonlyArray1<'py, f32>,
    ) -> PyResult<(Bound<'py, PyArray1<f32>>, usize)> {
        let images = images.as_slice()?;
        let (outputs, each) = watched(py, None, |_| {
            let mut runner = Runner::new(machine.first(), &self.loaded)?;
            let outputs = runner.run_all(images)?;
            check_outputs(&self.loaded, images, &outputs, 0)?;
            Ok((outputs, runner.outputs()))
        })?;
        Ok((outputs.into_pyarray(py), each))
    }
}
