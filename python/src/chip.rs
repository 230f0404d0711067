//! One chip, to be looked at.

use std::path::PathBuf;
use std::sync::Mutex;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pimento::Error;
use pimento::sweep::fabricated;
use pimento::sweep::outdir::open_run;
use pimento::sweep::wave::OneChip;
use pyo3::prelude::*;

use crate::data::{Data, images};
use crate::machine::Machine;
use crate::watch::watched;

/// What a layer holds: its name, whether it is planes of conductances, sizes, values.
type Layer<'py> = (String, bool, Vec<usize>, Bound<'py, PyArray1<f32>>);

/// A fabricated chip. Calls from several threads wait for each other.
#[pyclass(frozen)]
pub struct Chip {
    inner: Mutex<OneChip>,
    #[pyo3(get)]
    image: (usize, usize, usize),
    #[pyo3(get)]
    constants: Vec<(f64, f64)>,
}

impl Chip {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut OneChip) -> pimento::Result<T> + Send,
    ) -> PyResult<T> {
        watched(py, None, |_| {
            let chip = self.inner.lock();
            work(&mut *chip.map_err(|_| Error::Internal("a call on this chip panicked".into()))?)
        })
    }
}

#[pymethods]
impl Chip {
    /// Fabricates the chip of `(point, index)` of the run in a directory.
    #[new]
    fn new(
        py: Python<'_>,
        machine: &Machine,
        data: Option<&Data>,
        place: (usize, u32),
        run: PathBuf,
        cache: Option<PathBuf>,
    ) -> PyResult<Self> {
        let split = data.map(|d| &d.split);
        let chip = watched(py, None, |observer| {
            let (experiment, journal) = open_run(&run)?;
            let data = images(split, &experiment, cache.as_ref(), observer)?;
            let (backend, run) = (machine.first(), Some(&journal));
            fabricated(backend, &experiment, &data, place, run, observer)
        })?;
        Ok(Self {
            image: chip.image(),
            constants: chip.constants().to_vec(),
            inner: Mutex::new(chip),
        })
    }

    /// Outputs of normalised images, flat, the first of which has the number `first`.
    fn logits<'py>(
        &self,
        py: Python<'py>,
        images: PyReadonlyArray1<'py, f32>,
        first: u32,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let images = images.as_slice()?;
        let logits = self.with(py, |chip| chip.logits(images, first))?;
        Ok(logits.into_pyarray(py))
    }

    /// What the layers on arrays hold.
    fn layers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Layer<'py>>> {
        let layers = self.with(py, OneChip::layers)?;
        let layer = |l: pimento::sweep::wave::ChipLayer| {
            (l.name, l.planes, l.shape, l.values.into_pyarray(py))
        };
        Ok(layers.into_iter().map(layer).collect())
    }
}
