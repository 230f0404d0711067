//! The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one label byte (two for
//! CIFAR-100, of which the second is the fine label) and 32 x 32 x 3 pixels, channel by channel.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::dataset::{Dataset, Split};
use super::gzip;
use crate::error::{Error, Result};
use crate::files::reading;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cifar {
    /// CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`.
    Ten,
    /// CIFAR-100 with its fine labels: `train.bin`, `test.bin`.
    Hundred,
}

/// Channels, rows, columns.
const SHAPE: (usize, usize, usize) = (3, 32, 32);

/// Pixels of a record.
const PIXELS: usize = SHAPE.0 * SHAPE.1 * SHAPE.2;

/// Most records of one file; the real ones have 10,000 or 50,000.
const MAX_RECORDS: usize = 1_000_000;

impl Cifar {
    fn classes(self) -> usize {
        match self {
            Cifar::Ten => 10,
            Cifar::Hundred => 100,
        }
    }

    /// Bytes in front of the pixels; the last is the class.
    fn labels(self) -> usize {
        match self {
            Cifar::Ten => 1,
            Cifar::Hundred => 2,
        }
    }

    fn files(self) -> (Vec<String>, Vec<String>) {
        match self {
            Cifar::Ten => (
                (1..=5).map(|i| format!("data_batch_{i}.bin")).collect(),
                vec!["test_batch.bin".into()],
            ),
            Cifar::Hundred => (vec!["train.bin".into()], vec!["test.bin".into()]),
        }
    }

    /// The folder that the published archive unpacks to.
    fn folder(self) -> &'static str {
        match self {
            Cifar::Ten => "cifar-10-batches-bin",
            Cifar::Hundred => "cifar-100-binary",
        }
    }
}

/// Loads the files from `dir` or from the folder in it that the published archive unpacks to, each
/// with or without `.gz`.
///
/// # Errors
/// Lists every missing file at once; the rest as [`parse_cifar`].
pub fn load_cifar_dir(dir: &Path, kind: Cifar) -> Result<Split> {
    if !dir.is_dir() {
        return Err(Error::input(format!(
            "{}: not a directory; a directory with CIFAR's binary files is needed",
            dir.display()
        )));
    }
    let inner = dir.join(kind.folder());
    let dir = if inner.is_dir() { &inner } else { dir };
    let (train, test) = kind.files();
    let find = |name: &String| -> Option<PathBuf> {
        let names = [name.clone(), format!("{name}.gz")];
        names.iter().map(|n| dir.join(n)).find(|p| p.is_file())
    };
    let missing: Vec<String> = train
        .iter()
        .chain(&test)
        .filter(|name| find(name).is_none())
        .map(|name| format!("{name}[.gz]"))
        .collect();
    if !missing.is_empty() {
        return Err(Error::input(format!(
            "{}: missing {}",
            dir.display(),
            missing.join(", ")
        )));
    }
    let short = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
    let part = |what: &str, names: &[String]| {
        let (mut images, mut labels) = (vec![], vec![]);
        for path in names.iter().filter_map(find) {
            let file = reading::open(&path)?;
            let name = path.display().to_string();
            let (more, of) = parse_cifar(&name, BufReader::new(file), kind)?;
            reading::room(&mut images, more.len(), &name)?;
            images.extend(more);
            labels.extend(of);
        }
        let name = format!("{short} {what}");
        Dataset::new(name, images, labels, SHAPE, kind.classes(), 255)
    };
    Split::new(part("train", &train)?, part("test", &test)?)
}

/// Pixels `[image][c][h][w]` and classes of one file, plain or gzip; `name` stands for it in
/// messages.
///
/// # Errors
/// A length that is no whole number of records (at least one), and a label out of range, which says
/// the record. Memory follows what arrives.
pub fn parse_cifar(
    name: &str,
    source: impl BufRead + Send,
    kind: Cifar,
) -> Result<(Vec<u8>, Vec<u16>)> {
    let io = |e| Error::io(name, e);
    let (mut source, packed) = gzip::unpacked(source).map_err(io)?;
    let record = kind.labels() + PIXELS;
    let (mut images, mut labels) = (vec![], vec![]);
    let mut buffer = Vec::with_capacity(record);
    loop {
        buffer.clear();
        let read = source.by_ref().take(record as u64).read_to_end(&mut buffer);
        if let Err(e) = read {
            return Err(match packed && e.raw_os_error().is_none() {
                true => Error::input(format!(
                    "{name}: record {}: damaged gzip data ({e})",
                    labels.len()
                )),
                false => io(e),
            });
        }
        if buffer.is_empty() && !labels.is_empty() {
            return Ok((images, labels));
        }
        if buffer.len() < record {
            let length = labels.len() * record + buffer.len();
            let after = if packed { " (uncompressed)" } else { "" };
            return Err(Error::input(format!(
                "{name}: {length} bytes{after}; expected a whole number of records of {record} \
                 bytes, at least 1"
            )));
        }
        if labels.len() == MAX_RECORDS {
            return Err(Error::input(format!(
                "{name}: more than {MAX_RECORDS} records of {record} bytes"
            )));
        }
        let class = buffer[kind.labels() - 1];
        if usize::from(class) >= kind.classes() {
            return Err(Error::input(format!(
                "{name}: record {} (byte {}): label {class}; allowed: 0 to {}",
                labels.len(),
                labels.len() * record + kind.labels() - 1,
                kind.classes() - 1
            )));
        }
        labels.push(class.into());
        reading::room(&mut images, PIXELS, name)?;
        images.extend_from_slice(&buffer[kind.labels()..]);
    }
}

#[cfg(test)]
mod tests;
