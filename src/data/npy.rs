//! Arrays in NPY and NPZ files.
//!
//! The format is NumPy's (NEP 1; versions 1.0, 2.0 and 3.0): a magic, the length of a header, the
//! header (a Python dictionary with `descr`, `fortran_order` and `shape`), the values. An NPZ file is
//! a ZIP archive of NPY files.
//!
//! # Practice
//! The header's length and the number of values are held against limits before memory is taken, and
//! memory grows with what arrives.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::classes;
use super::dataset::{Dataset, Pixels, Split};
use super::shape::{self, Shape};
use crate::error::{Error, Result};
use crate::files::{kind, reading};

mod header;

use header::{Header, Kind};

/// Most values of one array.
pub const MAX_VALUES: u64 = 1 << 32;

/// Values of an array, as its file has them but in the machine's byte order.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// `u1`.
    Bytes(Vec<u8>),
    /// All other integers and booleans.
    Integers(Vec<i64>),
    /// `f4`, and `f2` and `f8` rounded to it.
    Floats(Vec<f32>),
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(v) => v.len(),
            Values::Integers(v) => v.len(),
            Values::Floats(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values, `shape` multiplied.
    pub values: Values,
}

/// The four arrays of a set: paths of NPY files, or of an NPZ file followed by `:` and the name of
/// the array in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpyFiles {
    /// `(N, C, H, W)`, `(N, H, W, C)` with 1 or 3 channels, `(N, H, W)` or `(N, F)`, unsigned bytes or
    /// floats.
    pub train_images: PathBuf,
    /// `(N,)` or `(N, 1)`, integers.
    pub train_labels: PathBuf,
    /// As the training images.
    pub test_images: PathBuf,
    /// As the training labels.
    pub test_labels: PathBuf,
}

/// Loads a set. The classes are `0 ..= the largest label of both parts`. Four dimensions are taken as
/// `(N, H, W, C)` where the last is 1 or 3 and the second is not, else as `(N, C, H, W)`; three as
/// images of one channel, two as images of one row. Whether they fit a network is another question:
/// [`shape::entry`].
///
/// # Errors
/// Name the file: damaged, of another type or rank, more or fewer labels than images, a label that is
/// negative or above 65,534 (with its place).
pub fn load_npy(files: &NpyFiles) -> Result<Split> {
    let train = part(&files.train_images, &files.train_labels)?;
    let test = part(&files.test_images, &files.test_labels)?;
    let of = |part: &'_ Part| (part.labels_name.clone(), part.labels.clone());
    let classes = classes::count(&[of(&train), of(&test)])?;
    let set = |part: Part| {
        Dataset::new(
            part.name,
            part.pixels,
            part.labels,
            part.shape,
            classes,
            part.top,
        )
    };
    Split::new(set(train)?, set(test)?)
}

/// Images with their labels.
struct Part {
    name: String,
    labels_name: String,
    pixels: Pixels,
    labels: Vec<u16>,
    shape: (usize, usize, usize),
    top: u8,
}

fn part(images: &Path, labels: &Path) -> Result<Part> {
    let (name, of) = (images.display().to_string(), labels.display().to_string());
    let array = read_npy(images)?;
    let n = *array.shape.first().unwrap_or(&0);
    let (shape, pixels, top) = pictures(&name, array)?;
    let labels = labels_of(&of, read_npy(labels)?)?;
    if labels.len() != n {
        return Err(Error::input(format!(
            "{of}: {} labels, but {name} has {n} images",
            labels.len()
        )));
    }
    Ok(Part {
        name,
        labels_name: of,
        pixels,
        labels,
        shape,
        top,
    })
}

fn pictures(name: &str, array: Array) -> Result<(Shape, Pixels, u8)> {
    let sizes = array.shape.get(1..).unwrap_or_default();
    let Some((shape, last)) = shape::of_array(sizes) else {
        return Err(Error::input(format!(
            "{name}: images of shape {}; allowed: (N, C, H, W), (N, H, W, C) with 1 or 3 \
             channels, (N, H, W), (N, F)",
            header::tuple(&array.shape)
        )));
    };
    Ok(match array.values {
        Values::Bytes(v) => (shape, planar(name, v, shape, last)?.into(), 255),
        Values::Floats(v) => (shape, planar(name, v, shape, last)?.into(), 1),
        Values::Integers(_) => {
            return Err(Error::input(format!(
                "{name}: images of signed or wide integers; allowed: unsigned bytes (u1), floats \
                 (f2, f4, f8)"
            )));
        }
    })
}

/// `[image][h][w][c]` to `[image][c][h][w]` where the channels are last.
fn planar<T: Copy>(name: &str, values: Vec<T>, (c, h, w): Shape, last: bool) -> Result<Vec<T>> {
    if !last || c == 1 || values.is_empty() {
        return Ok(values);
    }
    let mut out = reading::room_for(values.len(), name)?;
    for image in values.chunks_exact(c * h * w) {
        for channel in 0..c {
            out.extend(image.iter().skip(channel).step_by(c));
        }
    }
    Ok(out)
}

fn labels_of(name: &str, array: Array) -> Result<Vec<u16>> {
    if !matches!(array.shape[..], [_] | [_, 1]) {
        return Err(Error::input(format!(
            "{name}: labels of shape {}; allowed: (N,), (N, 1)",
            header::tuple(&array.shape)
        )));
    }
    let mut labels = reading::room_for(array.values.len(), name)?;
    let values = match array.values {
        Values::Bytes(v) => {
            labels.extend(v.into_iter().map(u16::from));
            return Ok(labels);
        }
        Values::Integers(v) => v,
        Values::Floats(_) => {
            return Err(Error::input(format!(
                "{name}: labels are floats; allowed: integers"
            )));
        }
    };
    for (i, &value) in values.iter().enumerate() {
        let label = u16::try_from(value).ok().filter(|l| *l < u16::MAX);
        labels.push(label.ok_or_else(|| {
            Error::input(format!(
                "{name}: label of image {i} is {value}; allowed: 0 to {}",
                u16::MAX - 1
            ))
        })?);
    }
    Ok(labels)
}

/// Takes the values of an array while they are read.
pub trait Sink {
    /// Learns the shape before any value comes; says how many values each part shall have (the last
    /// one has what is left).
    ///
    /// # Errors
    /// Whatever keeps it from taking the array; nothing more is read then.
    fn begin(&mut self, shape: &[usize]) -> Result<usize>;

    /// Takes the next values, row-major. All come at once where the file has the first index running
    /// fastest; an array of no values is one empty part.
    ///
    /// # Errors
    /// Whatever keeps it from taking them; nothing more is read then.
    fn part(&mut self, values: Values) -> Result<()>;
}

/// All parts in one.
#[derive(Default)]
struct Whole {
    shape: Vec<usize>,
    values: Option<Values>,
}

impl Sink for Whole {
    fn begin(&mut self, shape: &[usize]) -> Result<usize> {
        self.shape = shape.to_vec();
        Ok(usize::MAX)
    }

    fn part(&mut self, values: Values) -> Result<()> {
        self.values = Some(values);
        Ok(())
    }
}

impl Whole {
    fn array(self) -> Result<Array> {
        let none = || Error::Internal("an array was read without its values".into());
        Ok(Array {
            values: self.values.ok_or_else(none)?,
            shape: self.shape,
        })
    }
}

/// Reads an array from an NPY file, or from an NPZ file: `set.npz:x_train`, or just `set.npz` where
/// it has one array.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Input`] when its content is wrong.
pub fn read_npy(path: &Path) -> Result<Array> {
    let mut whole = Whole::default();
    read_npy_in_parts(path, &mut whole)?;
    whole.array()
}

/// [`read_npy`] for arrays that need not be held as a whole. That the file ends where the array ends
/// is known only behind the last part.
///
/// # Errors
/// As [`read_npy`], and the sink's.
pub fn read_npy_in_parts(path: &Path, sink: &mut impl Sink) -> Result<()> {
    let text = path.display().to_string();
    let (file, array) = match text.rsplit_once(".npz:") {
        Some((stem, array)) => (PathBuf::from(format!("{stem}.npz")), Some(array)),
        None => (path.to_path_buf(), None),
    };
    let source = reading::open(&file)?;
    let packed = file
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npz"));
    if packed {
        npz_parts(&text, BufReader::new(source), array, sink)
    } else {
        npy_parts(&text, BufReader::new(source), sink)
    }
}

/// [`read_npy`] of an NPZ file from any source.
///
/// # Errors
/// As [`read_npy`].
pub fn parse_npz(
    name: &str,
    source: impl Read + std::io::Seek,
    array: Option<&str>,
) -> Result<Array> {
    let mut whole = Whole::default();
    npz_parts(name, source, array, &mut whole)?;
    whole.array()
}

/// Reads an array from any source of NPY bytes, which must end where the array ends; `name` stands
/// for the file in messages.
///
/// # Errors
/// As [`read_npy`].
pub fn parse_npy(name: &str, source: impl Read) -> Result<Array> {
    let mut whole = Whole::default();
    npy_parts(name, source, &mut whole)?;
    whole.array()
}

fn npz_parts(
    name: &str,
    mut source: impl Read + std::io::Seek,
    array: Option<&str>,
    sink: &mut impl Sink,
) -> Result<()> {
    let mut start = Vec::new();
    let io = |e| Error::io(name, e);
    let mut peeked = source.by_ref().take(kind::START as u64);
    peeked.read_to_end(&mut start).map_err(io)?;
    source.rewind().map_err(io)?;
    let told = match start.starts_with(b"PK") {
        true => String::new(),
        false => kind::told(&start),
    };
    let damaged = |e| Error::input(format!("{name}: damaged NPZ file: {e}{told}"));
    let mut archive = zip::ZipArchive::new(source).map_err(damaged)?;
    let arrays: Vec<String> = archive
        .file_names()
        .filter_map(|n| n.ok()?.strip_suffix(".npy").map(str::to_owned))
        .collect();
    let wanted = match (array, &arrays[..]) {
        (Some(array), _) if arrays.iter().any(|a| a == array) => array,
        (None, [only]) => only,
        _ => {
            return Err(Error::input(format!(
                "{name}: which array? allowed: FILE.npz:NAME with one of: {}",
                arrays.join(", ")
            )));
        }
    };
    let entry = archive.by_name(&format!("{wanted}.npy")).map_err(damaged)?;
    npy_parts(name, entry, sink)
}

fn npy_parts(name: &str, mut source: impl Read, sink: &mut impl Sink) -> Result<()> {
    let header = Header::read(name, &mut source)?;
    let size = header.kind.size() as u64;
    let n = header
        .shape
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(d as u64))
        .filter(|n| *n <= MAX_VALUES)
        .ok_or_else(|| {
            Error::input(format!(
                "{name}: an array of shape {}; allowed: at most {MAX_VALUES} values",
                header::tuple(&header.shape)
            ))
        })?;
    let turned = header.fortran && header.shape.len() > 1;
    let part = match (sink.begin(&header.shape)?, turned) {
        (part, false) => part.max(1),
        (_, true) => usize::MAX,
    };
    let mut values = header.kind.none();
    let mut buffer = Vec::new();
    let mut read = 0;
    // Whole values a round.
    const ROUND: u64 = 1 << 16;
    while read < n {
        buffer.clear();
        let room = (part - values.len()) as u64;
        let round = ROUND.min(n - read).min(room);
        let result = source.by_ref().take(round * size).read_to_end(&mut buffer);
        result.map_err(|e| stream(name, e))?;
        if (buffer.len() as u64) < round * size {
            return Err(Error::input(format!(
                "{name}: the file ends after {} of {} bytes of an array of shape {}",
                read * size + buffer.len() as u64,
                n * size,
                header::tuple(&header.shape)
            )));
        }
        header.append(name, &buffer, &mut values)?;
        read += round;
        if values.len() == part && read < n {
            sink.part(std::mem::replace(&mut values, header.kind.none()))?;
        }
    }
    let beyond = source.read(&mut [0]).map_err(|e| stream(name, e))?;
    if beyond > 0 {
        return Err(Error::input(format!(
            "{name}: more bytes than an array of shape {} has",
            header::tuple(&header.shape)
        )));
    }
    let shape = &header.shape;
    if turned {
        values = match values {
            Values::Bytes(v) => Values::Bytes(row_major(name, &v, shape)?),
            Values::Integers(v) => Values::Integers(row_major(name, &v, shape)?),
            Values::Floats(v) => Values::Floats(row_major(name, &v, shape)?),
        };
    }
    sink.part(values)
}

/// The disk's mistakes are the disk's, the decompression's the file's.
fn stream(name: &str, e: std::io::Error) -> Error {
    match e.raw_os_error() {
        Some(_) => Error::io(name, e),
        None => Error::input(format!("{name}: damaged: {e}")),
    }
}

/// From the order in which the first index runs fastest.
fn row_major<T: Copy>(name: &str, values: &[T], shape: &[usize]) -> Result<Vec<T>> {
    let mut index = vec![0; shape.len()];
    let mut out = reading::room_for(values.len(), name)?;
    for _ in 0..values.len() {
        let places = index.iter().zip(shape).rev();
        out.push(values[places.fold(0, |at, (i, n)| at * n + i)]);
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    Ok(out)
}

impl Kind {
    fn none(self) -> Values {
        match self {
            Kind::Unsigned(1) => Values::Bytes(vec![]),
            Kind::Float(_) => Values::Floats(vec![]),
            _ => Values::Integers(vec![]),
        }
    }
}

#[cfg(test)]
mod tests;
