//! Gzip or not, by the first two bytes.

use std::io::{BufRead, BufReader, Result};

use flate2::bufread::MultiGzDecoder;

/// How a gzip file starts.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of a source, decompressed where it is gzip (concatenated members too), and whether
/// it was.
pub(super) fn unpacked<'a>(
    mut source: impl BufRead + Send + 'a,
) -> Result<(Box<dyn BufRead + Send + 'a>, bool)> {
    let gzip = source.fill_buf()?.starts_with(&MAGIC);
    Ok(match gzip {
        true => {
            let decoder = MultiGzDecoder::new(source);
            (Box::new(BufReader::with_capacity(1 << 16, decoder)), true)
        }
        false => (Box::new(source), false),
    })
}
