//! Errors of the library as Python exceptions (`pimento/_errors.py`).

use pimento::Error;
use pyo3::prelude::*;

/// Result of the library for Python.
pub trait Raise<T> {
    /// The value, or a Python exception.
    fn raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> Raise<T> for pimento::Result<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

/// The exception of an error.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let kind = match error {
        Error::Input(_) => "input",
        Error::Io { .. } => "io",
        Error::Capacity(_) => "capacity",
        Error::Device(_) => "device",
        Error::Interrupted(_) => "interrupted",
        Error::Internal(_) => "internal",
    };
    let system = match error {
        Error::Io { path, source } => {
            let number = source.raw_os_error();
            Some((number, source.to_string(), path.display().to_string()))
        }
        _ => None,
    };
    let made = serde_json::to_string(&error.mistakes())
        .map_err(|e| pyo3::exceptions::PyRuntimeError::new_err(e.to_string()))
        .and_then(|mistakes| {
            let errors = py.import("pimento._errors")?;
            errors.call_method1("made", (kind, error.to_string(), mistakes, system))
        });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}
