//! The IDX format of MNIST: `00 00 TYPE NDIM`, one big-endian `u32` for each dimension, then the
//! values, row-major.
//!
//! # Practice
//! Whether a file is gzip is decided by its first two bytes, not by its name. The dimensions are
//! multiplied with overflow checks and held against [`MAX_VALUES`] before anything is read, and
//! memory grows with the bytes that really arrive: a header that announces 2 GB in a file of 20
//! bytes costs 20 bytes. A file must end exactly where its header says. Offsets in messages count
//! the uncompressed bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::ops::RangeInclusive;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::files::{kind, reading};

/// Most values one file may announce: 2^31 (2 GiB), 45 times MNIST's training images.
pub const MAX_VALUES: u64 = 1 << 31;

/// Type code of unsigned bytes, the only one images and labels use.
const TYPE_U8: u8 = 0x08;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The contents of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// Sizes, outermost first.
    pub dims: Vec<usize>,
    /// Values, row-major, `dims` multiplied.
    pub values: Vec<u8>,
}

/// Reads an IDX file that must have as many dimensions as `rank` allows.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Input`] when its content is wrong.
pub fn read_idx(path: &Path, rank: RangeInclusive<u8>) -> Result<Idx> {
    let file = reading::open(path)?;
    parse_idx(&path.display().to_string(), BufReader::new(file), rank)
}

/// [`read_idx`] for any source of bytes; `name` stands for the file in messages.
pub fn parse_idx(name: &str, mut source: impl BufRead, rank: RangeInclusive<u8>) -> Result<Idx> {
    let start = source.fill_buf().map_err(|e| Error::io(name, e))?;
    let told = kind::told(&start[..start.len().min(kind::START)]);
    if start.starts_with(&GZIP_MAGIC) {
        Parser::new(name, MultiGzDecoder::new(source), None).parse(rank)
    } else {
        Parser::new(name, source, Some(told)).parse(rank)
    }
}

struct Parser<'a, R> {
    name: &'a str,
    source: R,
    gzip: bool,
    /// What else the file seems to be.
    told: String,
    offset: u64,
}

impl<'a, R: Read> Parser<'a, R> {
    /// `told`: what else a file without compression seems to be.
    fn new(name: &'a str, source: R, told: Option<String>) -> Self {
        Self {
            name,
            source,
            gzip: told.is_none(),
            told: told.unwrap_or_default(),
            offset: 0,
        }
    }

    fn parse(mut self, rank: RangeInclusive<u8>) -> Result<Idx> {
        let magic = self.exactly(4, "the magic number 00 00 08 NDIM")?;
        if magic[..2] != [0, 0] {
            return Err(self.wrong(
                0,
                &format!("bytes {:02x} {:02x}", magic[0], magic[1]),
                &format!("00 00 (not an IDX file{})", self.told),
            ));
        }
        if magic[2] != TYPE_U8 {
            let found = format!("type {:02x}", magic[2]);
            return Err(self.wrong(2, &found, "08 (unsigned bytes)"));
        }
        if !rank.contains(&magic[3]) {
            let allowed = match (*rank.start(), *rank.end()) {
                (a, b) if a == b => a.to_string(),
                (a, b) => format!("{a} to {b}"),
            };
            return Err(self.wrong(3, &format!("{} dimensions", magic[3]), &allowed));
        }
        let mut dims = Vec::with_capacity(magic[3].into());
        let mut total = 1u64;
        for _ in 0..magic[3] {
            let at = self.offset;
            let bytes = self.exactly(4, "a dimension")?;
            let dim = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            if dim == 0 {
                return Err(self.wrong(at, "a dimension of 0", "at least 1"));
            }
            let product = total.checked_mul(dim.into()).filter(|&n| n <= MAX_VALUES);
            total = product.ok_or_else(|| {
                self.wrong(
                    at,
                    &format!("a dimension of {dim} after a product of {total}"),
                    &format!("at most {MAX_VALUES} values in all"),
                )
            })?;
            dims.push(dim as usize);
        }
        let shape: Vec<String> = dims.iter().map(usize::to_string).collect();
        let what = format!("{} values", shape.join(" x "));
        let values = self.exactly(total, &what)?;
        let mut beyond = Vec::new();
        if self.some(1, &mut beyond)? > 0 {
            return Err(self.wrong(
                self.offset - 1,
                "more bytes",
                &format!("the end of the file after {what}"),
            ));
        }
        Ok(Idx { dims, values })
    }

    /// Reads `n` bytes; fewer are an error that says what was being read.
    fn exactly(&mut self, n: u64, what: &str) -> Result<Vec<u8>> {
        let start = self.offset;
        let mut bytes = Vec::new();
        let got = self.some(n, &mut bytes)?;
        if got < n {
            return Err(self.wrong(
                self.offset,
                "the end of the file",
                &format!(
                    "{what}: {n} bytes from byte {start} to byte {}",
                    start + n - 1
                ),
            ));
        }
        bytes.shrink_to_fit();
        Ok(bytes)
    }

    /// Reads up to `n` bytes; memory follows what arrives, not `n`.
    fn some(&mut self, n: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let result = Read::take(&mut self.source, n).read_to_end(bytes);
        self.offset += bytes.len() as u64;
        match result {
            Ok(_) => Ok(bytes.len() as u64),
            // What the decoder says of broken gzip data; anything else is the disk's.
            Err(e)
                if self.gzip
                    && matches!(
                        e.kind(),
                        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                    ) =>
            {
                let how = match e.kind() {
                    ErrorKind::UnexpectedEof => "truncated",
                    _ => "damaged",
                };
                Err(self.wrong(
                    self.offset,
                    &format!("{how} gzip data ({e})"),
                    "an intact gzip file",
                ))
            }
            Err(e) => Err(Error::io(self.name, e)),
        }
    }

    fn wrong(&self, at: u64, found: &str, expected: &str) -> Error {
        let after = if self.gzip { " (uncompressed)" } else { "" };
        Error::input(format!(
            "{}: byte {at}{after}: found {found}, expected {expected}",
            self.name
        ))
    }
}

#[cfg(test)]
mod tests;
