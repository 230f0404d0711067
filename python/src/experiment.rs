//! Experiments.

use std::path::PathBuf;

use pimento::config;
use pyo3::prelude::*;

use crate::error::Raise;

/// An experiment that was read and checked.
#[pyclass(frozen)]
pub struct Experiment {
    /// What is simulated.
    pub inner: config::Experiment,
    /// The file it was read from.
    pub file: Option<PathBuf>,
}

#[pymethods]
impl Experiment {
    /// Reads the text of an experiment as one in `folder`; `file` is where it came from, if from a file.
    #[new]
    fn new(
        py: Python<'_>,
        text: &str,
        source: Option<&str>,
        name: &str,
        folder: PathBuf,
        file: Option<PathBuf>,
    ) -> PyResult<Self> {
        let inner = config::Experiment::parse_at(text, source, name, &folder);
        Ok(Self {
            inner: inner.raise(py)?,
            file,
        })
    }

    /// Reads an experiment file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(Self {
            inner: config::Experiment::load(&path).raise(py)?,
            file: Some(path),
        })
    }

    /// The experiment as TOML, with every default and absolute paths.
    fn toml(&self, py: Python<'_>) -> PyResult<String> {
        let mut whole = self.inner.clone();
        whole.make_paths_absolute();
        whole.to_toml().raise(py)
    }

    /// Name of the experiment.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// Whether images are to be read from somewhere, and nothing says where.
    #[getter]
    fn lacks_images(&self) -> bool {
        let data = &self.inner.data;
        !matches!(data.kind.place(), config::Place::None) && data.source().is_none()
    }
}
