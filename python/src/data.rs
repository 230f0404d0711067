//! Images and labels that a Python program has in memory. Pixels are not copied.

use std::path::PathBuf;
use std::sync::Arc;

use pimento::Error;
use pimento::data::{Buffer, Dataset, Pixels, Split, count_classes, shape};
use pimento::progress::Observer;
use pyo3::buffer::{Element, PyBuffer};
use pyo3::prelude::*;

use crate::error::Raise;

/// The memory of an array, which lives as long as this does.
struct Lent<T: Element>(PyBuffer<T>);

impl<T: Element> AsRef<[T]> for Lent<T> {
    fn as_ref(&self) -> &[T] {
        match self.0.as_slice_ptr() {
            // SAFETY: the buffer is held, so the memory is there and stays where it is. That nobody writes to it
            // is what `Data` asks of its users, as numpy asks of everybody who shares an array between threads.
            Some(values) => unsafe { values.as_ref() },
            None => &[],
        }
    }
}

/// The pixels of an array, which `pimento/_data.py` has checked: bytes or `float32`, contiguous.
fn pixels(array: &Bound<'_, PyAny>) -> PyResult<(Pixels, u8)> {
    if let Ok(bytes) = PyBuffer::<u8>::get(array) {
        return Ok((Pixels::Bytes(Buffer::lent(Arc::new(Lent(bytes)))), 255));
    }
    let floats = PyBuffer::<f32>::get(array)?;
    Ok((Pixels::Floats(Buffer::lent(Arc::new(Lent(floats)))), 1))
}

/// Training and test images.
#[pyclass(frozen)]
pub struct Data {
    /// What a sweep takes.
    pub split: Split,
}

#[pymethods]
impl Data {
    /// Puts arrays together: pixels `[image][c][h][w]` and labels of both parts, of images of `shape`. Without a
    /// number of classes there are as many as labels say.
    #[new]
    fn new(
        py: Python<'_>,
        name: &str,
        train: (Bound<'_, PyAny>, Vec<u16>),
        test: (Bound<'_, PyAny>, Vec<u16>),
        shape: (usize, usize, usize),
        classes: Option<usize>,
    ) -> PyResult<Self> {
        let names = [format!("{name}: training"), format!("{name}: test")];
        let counted = || {
            let labels = [&train.1, &test.1].map(Clone::clone);
            let parts: Vec<_> = names.iter().cloned().zip(labels).collect();
            count_classes(&parts)
        };
        let classes = classes.map_or_else(counted, Ok).raise(py)?;
        let [train_name, test_name] = names;
        let part = |name, (array, labels): (Bound<'_, PyAny>, Vec<u16>)| {
            let (pixels, top) = pixels(&array)?;
            py.detach(|| Dataset::new(name, pixels, labels, shape, classes, top))
                .raise(py)
        };
        let split = Split::new(part(train_name, train)?, part(test_name, test)?);
        Ok(Self {
            split: split.raise(py)?,
        })
    }

    /// Training and test images, and `(c, h, w)` of one, and the number of classes.
    #[getter]
    fn sizes(&self) -> (usize, usize, (usize, usize, usize), usize) {
        let (train, test) = (&self.split.train, &self.split.test);
        (
            train.len(),
            test.len(),
            (train.c, train.h, train.w),
            train.classes,
        )
    }

    /// What is strange about the classes, in words.
    fn remarks(&self) -> Vec<String> {
        self.split.remarks()
    }

    /// Addresses of the first pixels: tests see that nothing was copied.
    fn addresses(&self) -> [usize; 2] {
        [&self.split.train, &self.split.test].map(|d| match &d.images {
            Pixels::Bytes(v) => v.as_ptr() as usize,
            Pixels::Floats(v) => v.as_ptr() as usize,
        })
    }
}

/// `(c, h, w)` of the images of an array with these sizes behind the first, and whether its channels are last; none
/// where they make no image.
#[pyfunction]
pub fn image_shape(sizes: Vec<usize>) -> Option<((usize, usize, usize), bool)> {
    shape::of_array(&sizes)
}

/// The images of an experiment: those given, cut to its limits, or those it names.
pub fn images(
    given: Option<&Split>,
    experiment: &pimento::config::Experiment,
    cache: Option<&PathBuf>,
    observer: &dyn Observer,
) -> pimento::Result<Split> {
    let data = &experiment.data;
    let Some(split) = given else {
        return pimento::cli::images::load(data, cache.map(PathBuf::as_path), observer);
    };
    if data.resize.is_some() {
        return Err(Error::input(
            "field `data.resize`: images in memory are not resized; allowed: arrays of the size that is wanted",
        ));
    }
    // A set whose pixels are lent is cloned without them.
    let split = split.clone();
    Split::new(
        split.train.limited(data.train_limit)?,
        split.test.limited(data.test_limit)?,
    )
}
