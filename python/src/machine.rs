//! What computes.

use pimento::backend::Backend;
use pimento::cli::backend::{BackendArgs, memory};
use pyo3::prelude::*;

use crate::error::Raise;
use crate::watch::same_process;

/// One backend, or several that a sweep is spread over.
#[pyclass(frozen)]
pub struct Machine {
    backends: Vec<Box<dyn Backend>>,
}

impl Machine {
    /// All of them.
    pub fn all(&self) -> Vec<&dyn Backend> {
        self.backends.iter().map(|b| &**b).collect()
    }

    /// The first, which trains.
    pub fn first(&self) -> &dyn Backend {
        &*self.backends[0]
    }
}

#[pymethods]
impl Machine {
    /// Opens what the words of `--backend`, `--adapter`, `--kernels` and `--memory` ask for.
    #[new]
    fn new(
        py: Python<'_>,
        backend: &str,
        adapter: Option<&str>,
        kernels: Vec<String>,
        budget: Option<&str>,
    ) -> PyResult<Self> {
        same_process(py)?;
        let opened = py.detach(|| {
            let budget = budget.map(memory).transpose()?;
            BackendArgs::of(backend, adapter, &kernels)?.open_several(budget)
        });
        Ok(Self {
            backends: opened.raise(py)?,
        })
    }

    /// Names of the devices.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.backends.iter().map(|b| b.info().name).collect()
    }
}
