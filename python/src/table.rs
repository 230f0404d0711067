//! Tables of results: as numpy arrays, and as an Arrow stream through the PyCapsule interface, which pandas, polars,
//! DuckDB and pyarrow read.

use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use numpy::IntoPyArray;
use pimento::report::typed::Typed;
use pyo3::exceptions::{PyKeyError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList};

/// Columns of equal length.
#[pyclass(frozen)]
pub struct Table {
    columns: Vec<(String, Typed)>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: Vec<(String, Typed)>) -> Self {
        Self { columns }
    }

    fn schema(&self) -> Schema {
        let field = |(name, values): &(String, Typed)| {
            let kind = match values {
                Typed::Whole(_) => DataType::Int64,
                Typed::Real(_) => DataType::Float64,
                Typed::Bool(_) => DataType::Boolean,
                Typed::Text(_) => DataType::Utf8,
            };
            Field::new(name, kind, true)
        };
        Schema::new(self.columns.iter().map(field).collect::<Vec<_>>())
    }

    fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let array = |(_, values): &(String, Typed)| -> ArrayRef {
            match values {
                Typed::Whole(v) => Arc::new(v.iter().copied().collect::<Int64Array>()),
                Typed::Real(v) => Arc::new(v.iter().copied().collect::<Float64Array>()),
                Typed::Bool(v) => Arc::new(v.iter().copied().collect::<BooleanArray>()),
                Typed::Text(v) => Arc::new(v.iter().map(Option::as_deref).collect::<StringArray>()),
            }
        };
        let arrays = self.columns.iter().map(array).collect();
        RecordBatch::try_new(Arc::new(self.schema()), arrays)
    }

    fn find(&self, name: &str) -> PyResult<&Typed> {
        let found = self.columns.iter().find(|(own, _)| own == name);
        found
            .map(|(_, values)| values)
            .ok_or_else(|| PyKeyError::new_err(name.to_string()))
    }
}

fn broken(error: ArrowError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

#[pymethods]
impl Table {
    /// A table of JSON values: names, and a list of values for each.
    #[staticmethod]
    fn of_json(text: &str) -> PyResult<Self> {
        let columns: Vec<(String, Vec<serde_json::Value>)> =
            serde_json::from_str(text).map_err(|e| PyRuntimeError::new_err(e.to_string()))?;
        let typed = |(name, values): (String, Vec<_>)| (name, Typed::of(values.iter().map(Some)));
        Ok(Self::new(columns.into_iter().map(typed).collect()))
    }

    /// Names of the columns.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Number of rows.
    fn __len__(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.len())
    }

    /// A column: an array of `int64`, `float64` (`NaN` where there is no value) or booleans; a list with `None` where
    /// whole numbers, booleans or texts are missing, and of texts.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let values = self.find(name)?;
        let whole = |v: &[Option<i64>]| v.iter().copied().collect::<Option<Vec<i64>>>();
        let bools = |v: &[Option<bool>]| v.iter().copied().collect::<Option<Vec<bool>>>();
        Ok(match values {
            Typed::Real(v) => {
                let v: Vec<f64> = v.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
                v.into_pyarray(py).into_any()
            }
            Typed::Whole(v) => match whole(v) {
                Some(v) => v.into_pyarray(py).into_any(),
                None => PyList::new(py, v)?.into_any(),
            },
            Typed::Bool(v) => match bools(v) {
                Some(v) => v.into_pyarray(py).into_any(),
                None => PyList::new(py, v)?.into_any(),
            },
            Typed::Text(v) => PyList::new(py, v)?.into_any(),
        })
    }

    /// The table as an Arrow stream. A schema that a reader would rather have is not followed, as the interface allows.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batch = self.batch().map_err(broken)?;
        let schema = batch.schema();
        let reader = RecordBatchIterator::new([Ok(batch)], schema);
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// The schema of the table.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema()).map_err(broken)?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }
}
