//! Picture files inside a .tar or .tar.gz, read as a stream: nothing is unpacked, and no more than a
//! group of entries is in memory.
//!
//! # Practice
//! Entries are taken raw: the extension records that carry long names are read here, because the
//! `tar` crate would take as much memory for one as it announces. An archive must end with its end
//! marker, and a compressed one with its checksum, so a truncated file is noticed wherever it was
//! cut.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::cache;
use super::dataset::Split;
use super::gzip;
use super::labelled::{self, Decoding, MAX_FILE, Member, Place, Sink};
use crate::error::{Error, Result};
use crate::files::{kind, reading};

/// Longest extension record (a long name, or a list of attributes).
const MAX_EXTENSION: u64 = 1 << 20;

/// Size of a tar block; the end marker is two of zeros, of which a reader may insist on one.
const BLOCK: u64 = 512;

/// Most bytes after the end marker; writers pad to 10 KiB, some to a megabyte.
const MAX_TAIL: u64 = 64 << 20;

/// Loads pictures `train/CLASS/FILE` and `test/CLASS/FILE` (whatever stands before these) from an
/// archive. Classes in alphabetical order; the order of the pictures is that of
/// [`super::load_folder`], not the archive's.
///
/// # Errors
/// Name the archive and the entry: damaged or truncated, a picture in another place, a link, a
/// damaged picture, sizes that differ without a `resize`.
pub fn load_archive(file: &Path, decoding: &Decoding) -> Result<Split> {
    if file.is_dir() {
        return Err(Error::input(format!(
            "{}: a directory; a .tar or .tar.gz is needed, or kind = \"folder\"",
            file.display()
        )));
    }
    let source = reading::open(file)?;
    let key = || cache::Key::of_file(file, decoding.resize);
    cache::through(file, decoding, key, |label| {
        read_archive(label, BufReader::new(source), decoding)
    })
}

/// [`load_archive`] for any source of bytes and without a cache; `name` stands for the file in
/// messages.
///
/// # Errors
/// As [`load_archive`].
pub fn read_archive(name: &str, source: impl BufRead + Send, decoding: &Decoding) -> Result<Split> {
    labelled::collect(name, None, decoding, |sink| {
        let (mut source, gzip) = gzip::unpacked(source).map_err(|e| Error::io(name, e))?;
        begins_as_tar(name, &mut source, gzip)?;
        members(name, source, gzip, sink)
    })
}

/// What [`kind::kind`] calls a tar archive, and what it may take for one that is cut.
const TAR: &str = "a tar archive";
/// See [`TAR`].
const TEXT: &str = "a text";

/// Refuses what does not begin with the header of an entry or the end marker, and says what it is.
fn begins_as_tar(name: &str, source: &mut impl BufRead, gzip: bool) -> Result<()> {
    let start = match source.fill_buf() {
        Ok(start) => start,
        Err(e) if e.raw_os_error().is_some() => return Err(Error::io(name, e)),
        // Damaged compression; it is met again where the entries are read, which say where.
        Err(_) => return Ok(()),
    };
    let is = |what: &str| kind::kind(&start[..start.len().min(kind::START)]) == Some(what);
    let is_tar = match start.get(..BLOCK as usize) {
        // A damaged header is met again where the entries are read, which say where.
        Some(block) => has_checksum(block) || block.iter().all(|b| *b == 0) || is(TAR),
        // A pipe may give less at a time, and a file that is cut is refused as one.
        None => !start.is_empty() && (kind::kind(start).is_none() || is(TAR) || is(TEXT)),
    };
    if is_tar {
        return Ok(());
    }
    let inside = if gzip { " in gzip data" } else { "" };
    let told = kind::told(&start[..start.len().min(kind::START)]);
    Err(Error::input(format!(
        "{name}: neither a .tar nor a .tar.gz archive{told}{inside}"
    )))
}

/// Whether a block is the header of an entry: the sum of its bytes, with blanks in place of the sum,
/// stands in octal digits at byte 148.
fn has_checksum(block: &[u8]) -> bool {
    let field = &block[148..156];
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .skip_while(|b| *b == b' ')
        .take_while(|b| (b'0'..=b'7').contains(b))
        .collect();
    let stored = digits.iter().fold(0u64, |n, d| 8 * n + u64::from(d - b'0'));
    let others = block[..148].iter().chain(&block[156..]);
    let sum: u64 = others.map(|b| u64::from(*b)).sum::<u64>() + 8 * u64::from(b' ');
    !digits.is_empty() && stored == sum
}

/// Counts the zeros that were read last.
struct Tail<R> {
    source: R,
    zeros: u64,
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buffer)?;
        let zeros = buffer[..n].iter().rev().take_while(|b| **b == 0).count();
        self.zeros = match zeros == n {
            true => self.zeros + n as u64,
            false => zeros as u64,
        };
        Ok(n)
    }
}

fn members(name: &str, source: impl Read, gzip: bool, sink: &mut Sink) -> Result<()> {
    let mut archive = Archive::new(Tail { source, zeros: 0 });
    let (mut at, mut last) = (0u64, String::new());
    // What the archive or its decompression says, with the place.
    let wrong = |at: u64, last: &str, e: std::io::Error| {
        if e.raw_os_error().is_some() {
            return Error::io(name, e);
        }
        let after = match last {
            "" => String::new(),
            last => format!(" after {last}"),
        };
        let what = if gzip { "tar.gz" } else { "tar" };
        Error::input(format!(
            "{name}: entry {at}{after}: damaged {what} archive: {e}"
        ))
    };
    let entries = archive.entries().map_err(|e| wrong(0, "", e))?.raw(true);
    let mut long_name: Option<Vec<u8>> = None;
    for entry in entries {
        let mut entry = entry.map_err(|e| wrong(at, &last, e))?;
        let kind = entry.header().entry_type();
        let extension =
            |entry: &mut Entry<_>| bounded(entry, MAX_EXTENSION).map_err(|e| wrong(at, &last, e));
        if kind == EntryType::GNULongName {
            let bytes = extension(&mut entry)?;
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            long_name = Some(bytes[..end].to_vec());
        } else if kind == EntryType::XHeader {
            let bytes = extension(&mut entry)?;
            for record in PaxExtensions::new(&bytes) {
                let record = record.map_err(|e| wrong(at, &last, e))?;
                match record.key_bytes() {
                    b"path" => long_name = Some(record.value_bytes().to_vec()),
                    // A size of its own is for files beyond 8 GiB.
                    b"size" => {
                        let e = std::io::Error::other("an entry with an extended size");
                        return Err(wrong(at, &last, e));
                    }
                    _ => (),
                }
            }
        } else if kind != EntryType::XGlobalHeader && kind != EntryType::GNULongLink {
            let path = long_name
                .take()
                .unwrap_or_else(|| entry.path_bytes().into_owned());
            last = String::from_utf8_lossy(&path).into_owned();
            if !member(name, &last, &mut entry, sink).map_err(|e| e.or(|e| wrong(at, &last, e)))? {
                return Ok(());
            }
        }
        at += 1;
    }
    let mut tail = archive.into_inner();
    if tail.zeros < BLOCK {
        let e = std::io::Error::other("no end marker (truncated?)");
        return Err(wrong(at, &last, e));
    }
    // To the end: that is where the checksum of the compression is.
    let rest = std::io::copy(&mut tail.by_ref().take(MAX_TAIL + 1), &mut std::io::sink());
    if rest.map_err(|e| wrong(at, &last, e))? > MAX_TAIL {
        let e = std::io::Error::other(format!("more than {MAX_TAIL} bytes after the end marker"));
        return Err(wrong(at, &last, e));
    }
    Ok(())
}

/// A mistake of ours to report as it is, or one of the stream.
enum Mistake {
    Said(Error),
    Stream(std::io::Error),
}

impl Mistake {
    fn or(self, stream: impl FnOnce(std::io::Error) -> Error) -> Error {
        match self {
            Mistake::Said(e) => e,
            Mistake::Stream(e) => stream(e),
        }
    }
}

/// Hands an entry on if it is a picture; false when nobody wants more.
fn member(
    archive: &str,
    path: &str,
    entry: &mut Entry<impl Read>,
    sink: &mut Sink,
) -> std::result::Result<bool, Mistake> {
    let kind = entry.header().entry_type();
    if kind.is_dir() {
        return Ok(true);
    }
    let name = format!("{archive}: {path}");
    let said = |what: String| Mistake::Said(Error::input(format!("{name}: {what}")));
    let Some(place) = Place::of(path).map_err(said)? else {
        return Ok(true);
    };
    if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
        return Err(said(
            "a link or special entry; allowed: the picture itself".into(),
        ));
    }
    if entry.size() > MAX_FILE {
        return Err(said(format!(
            "a picture file of {} bytes; allowed: at most {MAX_FILE}",
            entry.size()
        )));
    }
    let bytes = bounded(entry, MAX_FILE).map_err(Mistake::Stream)?;
    Ok(sink.take(Member { name, place, bytes }))
}

/// The content of an entry of at most `limit` bytes; memory follows what arrives.
fn bounded(entry: &mut Entry<impl Read>, limit: u64) -> std::io::Result<Vec<u8>> {
    let size = entry.size();
    if size > limit {
        return Err(std::io::Error::other(format!(
            "an entry of {size} bytes, allowed: at most {limit}"
        )));
    }
    let mut bytes = Vec::new();
    entry.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!(
                "the file ends after {} of {size} bytes of an entry",
                bytes.len()
            ),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
