//! Records in a file, each with checksums, and what to make of a file that ends in half a record.
//!
//! A record is 20 bytes of head and its payload. The head, little endian: four bytes
//! [`MAGIC`], kind `u32`, length of the payload `u32`, CRC-32 of the payload, CRC-32 of the 16
//! bytes before. The second checksum tells a damaged length from a long payload.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, Result};

/// First bytes of every record.
const MAGIC: [u8; 4] = *b"\xF7PMJ";
/// Bytes before the payload.
pub(super) const HEAD: usize = 20;
/// Longest payload: a wave of 65,536 chips has less than 6 MiB.
pub(super) const MOST: usize = 1 << 26;

/// The bytes of a record.
pub(super) fn encode(kind: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend(MAGIC);
    bytes.extend(kind.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    let head = crc32fast::hash(&bytes);
    bytes.extend(head.to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Kind and length of the payload, if these are the first bytes of a whole head.
fn head(bytes: &[u8]) -> Option<(u32, usize)> {
    let whole = bytes.len() >= HEAD && bytes[..4] == MAGIC;
    let good = whole && crc32fast::hash(&bytes[..16]) == word(bytes, 16);
    let len = good.then(|| word(bytes, 8) as usize)?;
    (len <= MOST).then(|| (word(bytes, 4), len))
}

/// Kind and payload, if these are the first bytes of a whole record.
fn decode(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (kind, len) = head(bytes)?;
    let payload = bytes.get(HEAD..HEAD + len)?;
    (crc32fast::hash(payload) == word(bytes, 12)).then_some((kind, payload))
}

/// Fills as much of `buffer` as the file still has; how much that was.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// Reads the record at `offset`, which was whole before.
pub(super) fn read_at(mut file: &File, path: &Path, offset: u64) -> Result<(u32, Vec<u8>)> {
    let io = |e| Error::io(path, e);
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = vec![0; HEAD];
    let got = fill(&mut file, &mut bytes).map_err(io)?;
    if let Some((_, len)) = head(&bytes[..got]) {
        bytes.resize(HEAD + len, 0);
        let got = HEAD + fill(&mut file, &mut bytes[HEAD..]).map_err(io)?;
        if let Some((kind, payload)) = decode(&bytes[..got]) {
            return Ok((kind, payload.to_vec()));
        }
    }
    Err(damaged(path, offset))
}

fn damaged(path: &Path, offset: u64) -> Error {
    Error::input(format!(
        "{}: the record at byte {offset} is damaged (its checksum is wrong), though records after \
         it are whole; allowed: the file as it was written (restore it, or start again with --force)",
        path.display()
    ))
}

/// Whether there is a whole record behind the first byte. A file made to have a beginning of a record
/// at every place would need the square of its length: where more than a few times its length was
/// summed up, the answer is yes, which refuses the file.
fn holds_record(bytes: &[u8]) -> bool {
    let mut work = 8 * bytes.len() + MOST;
    for at in 1..bytes.len() {
        if bytes[at] != MAGIC[0] {
            continue;
        }
        let rest = &bytes[at..];
        let whole = head(rest).filter(|&(_, len)| HEAD + len <= rest.len());
        let Some((_, len)) = whole else { continue };
        if decode(rest).is_some() || work < len {
            return true;
        }
        work -= len;
    }
    false
}

/// Calls `each(offset, kind, payload)` for every record, and returns where the last whole record
/// ends. What lies behind that point is a record that was never finished: a process or a machine
/// stopped while it was written.
///
/// # Errors
/// A bad record with a good one behind it, which no interruption leaves; a file that is none of
/// ours; what `each` returns.
pub(super) fn scan(
    file: &File,
    path: &Path,
    mut each: impl FnMut(u64, u32, &[u8]) -> Result<()>,
) -> Result<u64> {
    let io = |e| Error::io(path, e);
    let length = file.metadata().map_err(io)?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut offset = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.resize(HEAD, 0);
        let got = fill(&mut file, &mut bytes).map_err(io)?;
        bytes.truncate(got);
        // A length is believed as far as the file reaches.
        let rest = length.saturating_sub(offset + HEAD as u64);
        if let Some((_, len)) = head(&bytes).filter(|&(_, len)| len as u64 <= rest) {
            bytes.resize(HEAD + len, 0);
            let got = HEAD + fill(&mut file, &mut bytes[HEAD..]).map_err(io)?;
            bytes.truncate(got);
        }
        let Some((kind, payload)) = decode(&bytes) else {
            break;
        };
        each(offset, kind, payload)?;
        offset += bytes.len() as u64;
    }
    // The rest of the file, from the record that cannot be read.
    file.read_to_end(&mut bytes).map_err(io)?;
    if holds_record(&bytes) {
        return Err(damaged(path, offset));
    }
    let same = bytes.iter().zip(MAGIC).take_while(|(a, b)| *a == b).count();
    let ours = same == MAGIC.len() || bytes[same..].iter().all(|&b| b == 0);
    if offset == 0 && !ours {
        return Err(Error::input(format!(
            "{}: byte 0 does not begin a journal; allowed: a file that a sweep wrote",
            path.display()
        )));
    }
    Ok(offset)
}
