//! Gzip or not, by the first two bytes.

use std::io::{BufRead, BufReader, Cursor, Read, Result};

use flate2::bufread::MultiGzDecoder;

/// How a gzip file starts.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of a source, decompressed where it is gzip (concatenated members too), and whether
/// it was.
pub(super) fn unpacked<'a>(
    mut source: impl BufRead + Send + 'a,
) -> Result<(Box<dyn Read + Send + 'a>, bool)> {
    let mut start = Vec::with_capacity(2);
    Read::take(&mut source, 2).read_to_end(&mut start)?;
    let gzip = start == MAGIC;
    let whole = Cursor::new(start).chain(source);
    Ok(match gzip {
        true => {
            let whole = BufReader::new(whole);
            (
                Box::new(BufReader::with_capacity(
                    1 << 16,
                    MultiGzDecoder::new(whole),
                )),
                true,
            )
        }
        false => (Box::new(BufReader::new(whole)), false),
    })
}
