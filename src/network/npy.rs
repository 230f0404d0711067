//! Batches of images and outputs in NPY files (NumPy's NEP 1, versions 1.0 to 3.0), read and written a
//! part at a time.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Longest header: NumPy's own are below 200 bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Element types that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    F32,
    F64,
    U8,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F64 => 8,
            Kind::U8 => 1,
        }
    }
}

/// An array that is read along its first dimension.
pub struct NpyReader<R> {
    name: String,
    source: R,
    kind: Kind,
    shape: Vec<usize>,
    /// Rows not read yet.
    left: usize,
}

/// Opens the array in a file.
///
/// # Errors
/// As [`NpyReader::new`]; [`Error::Io`].
pub fn open(path: &Path) -> Result<NpyReader<BufReader<File>>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    NpyReader::new(&path.display().to_string(), BufReader::new(file))
}

impl<R: Read> NpyReader<R> {
    /// Reads the header. `name` stands for the file in messages.
    ///
    /// # Errors
    /// [`Error::Input`]: no NPY file, Fortran order, another type than `f4`, `f8` (little-endian) or
    /// `u1`.
    pub fn new(name: &str, mut source: R) -> Result<Self> {
        let bad = |what: String| Error::input(format!("{name}: {what}"));
        let mut bytes = |n: usize| {
            let mut buffer = vec![0; n];
            match source.read_exact(&mut buffer) {
                Ok(()) => Ok(buffer),
                Err(e) => Err(bad(format!("not an NPY file: {e}"))),
            }
        };
        let start = bytes(8)?;
        let version = start[6];
        if !start.starts_with(MAGIC) || !(1..=3).contains(&version) {
            return Err(bad("not an NPY file".into()));
        }
        let length = match version {
            1 => bytes(2)?,
            _ => bytes(4)?,
        };
        let length = length
            .iter()
            .rev()
            .fold(0usize, |n, b| n << 8 | usize::from(*b));
        if length > LONGEST_HEADER {
            return Err(bad(format!(
                "a header of {length} bytes; allowed: at most {LONGEST_HEADER}"
            )));
        }
        let header = String::from_utf8_lossy(&bytes(length)?).into_owned();
        let kind = match field(&header, "descr") {
            Some("'<f4'") => Kind::F32,
            Some("'<f8'") => Kind::F64,
            Some("'|u1'" | "'<u1'") => Kind::U8,
            other => {
                return Err(bad(format!(
                    "values of type {}; allowed: '<f4', '<f8', '|u1'",
                    other.unwrap_or("(none)")
                )));
            }
        };
        if field(&header, "fortran_order") != Some("False") {
            return Err(bad(
                "not row-major; allowed: C order (numpy.ascontiguousarray)".into(),
            ));
        }
        let sizes = field(&header, "shape").map(|text| {
            let inner = text.trim_start_matches('(').trim_end_matches(')');
            inner
                .split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(|s| s.parse().ok())
                .collect::<Option<Vec<usize>>>()
        });
        let Some(Some(shape)) = sizes else {
            return Err(bad("no shape in the header".into()));
        };
        let bits = shape.iter().try_fold(kind.size(), |n, &d| n.checked_mul(d));
        if bits.is_none() {
            return Err(bad(format!("a shape of {shape:?} is too large")));
        }
        Ok(Self {
            name: name.to_string(),
            source,
            kind,
            left: shape.first().copied().unwrap_or(0),
            shape,
        })
    }

    /// Sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The next `rows` of the first dimension, or fewer at its end, as `f32`. Memory is taken for
    /// what the file holds.
    ///
    /// # Errors
    /// The file ends too early, or goes on after the last row.
    pub fn read(&mut self, rows: usize) -> Result<Vec<f32>> {
        let rows = rows.min(self.left);
        let row = self.shape.iter().skip(1).product::<usize>();
        let size = rows * row * self.kind.size();
        let failed = |e| Error::io(self.name.as_str(), e);
        let mut bytes = vec![];
        let mut source = self.source.by_ref().take(size as u64);
        source.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() < size {
            return Err(Error::input(format!(
                "{}: ends before the array of shape {:?} does",
                self.name, self.shape
            )));
        }
        self.left -= rows;
        if self.left == 0 && rows > 0 && self.source.read(&mut [0]).map_err(failed)? > 0 {
            return Err(Error::input(format!(
                "{}: goes on after the array of shape {:?}",
                self.name, self.shape
            )));
        }
        Ok(match self.kind {
            Kind::U8 => bytes.into_iter().map(f32::from).collect(),
            Kind::F32 => {
                let (values, _) = bytes.as_chunks();
                values.iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
            Kind::F64 => {
                let (values, _) = bytes.as_chunks();
                values
                    .iter()
                    .map(|b| f64::from_le_bytes(*b) as f32)
                    .collect()
            }
        })
    }
}

/// The text of an entry of the header's dictionary.
fn field<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let quoted = format!("'{key}':");
    let text = header[header.find(&quoted)? + quoted.len()..].trim_start();
    let end = match text.strip_prefix('(') {
        Some(_) => text.find(')')? + 1,
        None => text.find([',', '}'])?,
    };
    Some(text[..end].trim_end())
}

/// The bytes of an NPY file of `f32` values, row-major, in the shape `shape`.
pub fn to_bytes(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}").into_bytes();
    // The values begin at a multiple of 64 bytes; the header ends with a line.
    let before = MAGIC.len() + 4;
    while !(before + header.len() + 1).is_multiple_of(64) {
        header.push(b' ');
    }
    header.push(b'\n');
    let mut out = [MAGIC, &[1, 0]].concat();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header);
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    out
}

/// Writes an array, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    files::write_atomically(path, &to_bytes(shape, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = [MAGIC, &[1, 0]].concat();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_is_read_in_parts() {
        let values: Vec<f32> = (0..12).map(|i| i as f32 - 3.5).collect();
        let bytes = to_bytes(&[3, 4], &values);
        let mut npy = NpyReader::new("x", bytes.as_slice()).unwrap();
        assert_eq!(npy.shape(), [3, 4]);
        assert_eq!(npy.read(2).unwrap(), values[..8]);
        assert_eq!(npy.read(2).unwrap(), values[8..]);
        assert!(npy.read(2).unwrap().is_empty());
        let bytes = array(
            "'<f8'",
            "False",
            "(2,)",
            &[1.5f64, -2.0].map(f64::to_le_bytes).concat(),
        );
        let mut npy = NpyReader::new("x", bytes.as_slice()).unwrap();
        assert_eq!(npy.read(9).unwrap(), [1.5, -2.0]);
        let bytes = array("'|u1'", "False", "(2, 1)", &[3, 255]);
        let mut npy = NpyReader::new("x", bytes.as_slice()).unwrap();
        assert_eq!(npy.read(9).unwrap(), [3.0, 255.0]);
    }

    #[test]
    fn refusals_name_the_file_and_take_no_memory() {
        for (bytes, word) in [
            (b"\x93NUMPX\x01\x00".to_vec(), "not an NPY"),
            (b"\x93NUM".to_vec(), "not an NPY"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "header"),
            (array("'>f4'", "False", "(1,)", &[0; 4]), "allowed"),
            (array("'<f4'", "True", "(1,)", &[0; 4]), "row-major"),
            (array("'<f4'", "False", "(x,)", &[0; 4]), "shape"),
            (
                array("'<f4'", "False", "(99999999999, 99999999999)", &[]),
                "too large",
            ),
            (
                array("'<f4'", "False", "(1000000000000,)", &[0; 9]),
                "ends before",
            ),
            (array("'<f4'", "False", "(1,)", &[0; 5]), "goes on"),
        ] {
            let read =
                NpyReader::new("a.npy", bytes.as_slice()).and_then(|mut n| n.read(usize::MAX));
            let message = read.unwrap_err().to_string();
            assert!(
                message.contains("a.npy") && message.contains(word),
                "{message}"
            );
        }
    }
}
