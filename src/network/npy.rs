//! Outputs in NPY files (NumPy's NEP 1, version 1.0); [`crate::data`] reads them.

use std::path::Path;

use crate::error::Result;
use crate::files;

const MAGIC: &[u8] = b"\x93NUMPY";

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
/// A file that cannot be written.
pub fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    files::write_atomically(path, &to_bytes(shape, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::npy::{Array, Values, parse_npy};

    #[test]
    fn what_is_written_is_read() {
        for shape in [vec![3, 4], vec![12], vec![2, 3, 2, 1]] {
            let values: Vec<f32> = (0..12).map(|i| i as f32 - 3.5).collect();
            let bytes = to_bytes(&shape, &values);
            assert_eq!((bytes.len() - 48) % 64, 0);
            let read = parse_npy("x", bytes.as_slice()).unwrap();
            let values = Values::Floats(values);
            assert_eq!(read, Array { shape, values });
        }
    }
}
