//! Decoded sets kept on disk, so that pictures are decoded once.
//!
//! A file is `MAGIC`, the length of the header (`u64`), the header (JSON), the labels of the training
//! and of the test part (`u16`), their pixels, and the SHA-256 of all that; numbers are
//! little-endian. It is written whole or not at all, and read only if it is this user's (or the
//! administrator's) and nobody else may write to it, and its key, its length and its checksum are right;
//! otherwise the pictures are decoded again and the file is replaced.
//!
//! The key is a digest of the pictures' files themselves: reading them takes a small part of the time
//! of decoding them, and their lengths and times of change would not tell two contents apart. It is no
//! secret, and neither is the checksum: what keeps others from slipping in pixels of theirs is who may
//! write to the file.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::dataset::{Dataset, Pixels, Split};
use super::labelled::{Decoding, Part, Place};
use crate::error::{Error, Result};
use crate::files;

/// Start of a cache file; the number changes with the format, and with what decoders make of a file.
const MAGIC: &[u8; 16] = b"pimento images 2";

/// Longest header; a real one has some hundred bytes.
const MAX_HEADER: u64 = 1 << 16;

/// What a decoded set depends on.
pub(super) struct Key {
    /// The source's own name, for the file's.
    stem: String,
    /// SHA-256 of everything the set depends on.
    digest: String,
}

impl Key {
    /// Of an archive: its place, its content and options.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of_file(file: &Path, resize: Option<[usize; 2]>) -> Result<Self> {
        let mut hash = Sha256::new();
        hash.update(digest(file)?);
        Ok(Self::new(file, hash, resize))
    }

    /// Of a directory: its place, and place and content of every picture.
    ///
    /// # Errors
    /// A picture cannot be read.
    pub(super) fn of_files(
        dir: &Path,
        files: &[(PathBuf, Place)],
        resize: Option<[usize; 2]>,
    ) -> Result<Self> {
        let digests = files.par_iter().map(|(path, _)| digest(path));
        let digests: Vec<_> = digests.collect::<Result<_>>()?;
        let mut hash = Sha256::new();
        for ((_, place), digest) in files.iter().zip(digests) {
            let part = match place.part {
                Part::Train => "train",
                Part::Test => "test",
            };
            // Lengths, so that no name runs into the next.
            let (class, file) = (&place.class, &place.file);
            let lengths = (class.len(), file.len());
            hash.update(format!("{part} {lengths:?} {class} {file}\n"));
            hash.update(digest);
        }
        Ok(Self::new(dir, hash, resize))
    }

    fn new(path: &Path, mut hash: Sha256, resize: Option<[usize; 2]>) -> Self {
        // A relative name means something else elsewhere.
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        hash.update(MAGIC);
        hash.update(format!("\n{resize:?}\n{}", whole.display()));
        let digest = hash.finalize();
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        Self {
            stem: stem.chars().map(plain).take(60).collect(),
            digest: digest.iter().map(|b| format!("{b:02x}")).collect(),
        }
    }

    fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-{}.images", self.stem, &self.digest[..16]))
    }
}

/// SHA-256 of a file.
fn digest(path: &Path) -> Result<[u8; 32]> {
    let io = |e| Error::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    key: String,
    c: usize,
    h: usize,
    w: usize,
    classes: usize,
    train: (String, usize),
    test: (String, usize),
}

impl Header {
    /// Bytes of labels and pixels.
    fn payload(&self) -> Option<u64> {
        let values = [self.c, self.h, self.w]
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))?;
        let images = self.train.1.checked_add(self.test.1)?;
        u64::try_from(values.checked_add(2)?.checked_mul(images)?).ok()
    }
}

/// The set from the cache, else from `decode` (which is given the name of `source`) and then kept,
/// unless `key` says that the source is another one by then.
/// Trouble with the cache is told to the observer and is never an error.
pub(super) fn through(
    source: &Path,
    decoding: &Decoding,
    key: impl Fn() -> Result<Key>,
    decode: impl FnOnce(&str) -> Result<Split>,
) -> Result<Split> {
    let say = |text: String| decoding.observer.message(&text);
    let label = source.display().to_string();
    let cache = match decoding.cache {
        Some(dir) => Some((dir, key()?)),
        None => None,
    };
    if let Some((dir, key)) = &cache {
        let path = key.path(dir);
        match read(&path, &key.digest) {
            Ok(Some(split)) => return Ok(split),
            Ok(None) => {}
            Err(e) => say(format!("{e}; decoding {label} again")),
        }
    }
    let started = Instant::now();
    let split = decode(&label)?;
    let elapsed = started.elapsed().as_secs_f64();
    let n = split.train.len() + split.test.len();
    let mut told = format!("{label}: {n} images decoded in {elapsed:.1} s");
    if let Some((dir, before)) = &cache {
        let path = before.path(dir);
        let kept = match key()?.digest == before.digest {
            true => fs::create_dir_all(dir)
                .map_err(|e| Error::io(dir, e))
                .and_then(|()| {
                    files::remove_abandoned_in(dir, |name| name.ends_with(".images"));
                    write(&path, before, &split)
                }),
            false => Err(Error::input(format!(
                "{label}: changed while it was decoded"
            ))),
        };
        match kept {
            Ok(()) => told += &format!("; kept in {}", path.display()),
            Err(e) => told += &format!("; not kept: {e}"),
        }
    }
    say(told);
    Ok(split)
}

/// Reads a cache file that must have this key; none where there is none.
///
/// # Errors
/// Say which file and what is wrong with it.
fn read(path: &Path, key: &str) -> Result<Option<Split>> {
    let io = |e| Error::io(path, e);
    let file = match files::open_itself(File::options().read(true), path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io)?,
    };
    let about = file.metadata().map_err(io)?;
    if let Some(why) = files::foreign(&about) {
        return Err(Error::input(format!(
            "{}: not used: {why}; allowed in a cache: files of one's own or the administrator's that \
             nobody else may write to",
            path.display()
        )));
    }
    parse(&path.display().to_string(), file, about.len(), key).map(Some)
}

/// Reads the content of a cache file of `length` bytes. Nothing is allocated that the length does
/// not vouch for.
fn parse(name: &str, source: impl Read, length: u64, key: &str) -> Result<Split> {
    let damaged = |what: &str| Error::input(format!("{name}: damaged cache file: {what}"));
    let io = |e: std::io::Error| damaged(&e.to_string());
    let mut source = Digested {
        source,
        hash: Sha256::new(),
    };
    let mut start = [0; 24];
    source.read_exact(&mut start).map_err(io)?;
    if &start[..16] != MAGIC {
        return Err(damaged("it does not start as one of this version"));
    }
    let n = u64::from_le_bytes([
        start[16], start[17], start[18], start[19], start[20], start[21], start[22], start[23],
    ]);
    if n > MAX_HEADER.min(length) {
        return Err(damaged(&format!("a header of {n} bytes")));
    }
    let mut header = vec![0; n as usize];
    source.read_exact(&mut header).map_err(io)?;
    let header: Header = serde_json::from_slice(&header).map_err(|e| damaged(&e.to_string()))?;
    if header.key != key {
        return Err(damaged("it is of another source"));
    }
    let expected = header.payload().and_then(|p| p.checked_add(24 + n + 32));
    if expected != Some(length) {
        return Err(damaged(&format!(
            "{length} bytes for {} + {} images of {} x {} x {}",
            header.train.1, header.test.1, header.c, header.h, header.w
        )));
    }
    let mut bytes = |n: usize| {
        let mut bytes = vec![0; n];
        source.read_exact(&mut bytes).map_err(io).map(|()| bytes)
    };
    let labels = |bytes: Vec<u8>| -> Vec<u16> {
        let pairs = bytes.chunks_exact(2);
        pairs.map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
    };
    let values = header.c * header.h * header.w;
    let train_labels = labels(bytes(2 * header.train.1)?);
    let test_labels = labels(bytes(2 * header.test.1)?);
    let train = bytes(values * header.train.1)?;
    let test = bytes(values * header.test.1)?;
    let digest = source.hash.finalize();
    let mut stored = [0; 32];
    source.source.read_exact(&mut stored).map_err(io)?;
    if stored != digest[..] {
        return Err(damaged("its checksum is wrong"));
    }
    let shape = (header.c, header.h, header.w);
    Split::new(
        Dataset::new(
            header.train.0,
            train,
            train_labels,
            shape,
            header.classes,
            255,
        )?,
        Dataset::new(header.test.0, test, test_labels, shape, header.classes, 255)?,
    )
}

/// Digests what is read.
struct Digested<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}

fn write(path: &Path, key: &Key, split: &Split) -> Result<()> {
    let (Pixels::Bytes(train), Pixels::Bytes(test)) = (&split.train.images, &split.test.images)
    else {
        return Err(Error::Internal("a cache for floats".into()));
    };
    let part = |d: &Dataset| (d.name.clone(), d.len());
    let header = Header {
        key: key.digest.clone(),
        c: split.train.c,
        h: split.train.h,
        w: split.train.w,
        classes: split.train.classes,
        train: part(&split.train),
        test: part(&split.test),
    };
    let header = serde_json::to_vec(&header)
        .map_err(|e| Error::Internal(format!("cache header to JSON: {e}")))?;
    let labels =
        |d: &Dataset| -> Vec<u8> { d.labels.iter().flat_map(|l| l.to_le_bytes()).collect() };
    files::replace_atomically_with(path, |file| {
        let mut hash = Sha256::new();
        let mut put = |bytes: &[u8]| {
            hash.update(bytes);
            file.write_all(bytes)
        };
        put(MAGIC)?;
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        put(&labels(&split.train))?;
        put(&labels(&split.test))?;
        put(train)?;
        put(test)?;
        file.write_all(&hash.finalize())
    })
}

#[cfg(test)]
mod tests;
