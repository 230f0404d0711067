//! Which images are classified.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::reader::{self, Section};
use crate::choice::choices;

choices! {
    /// Where the images come from.
    pub enum DataKind {
        /// A set inside the program: [`Data::set`].
        Embedded = "embedded",
        /// The four IDX files of the MNIST family in [`Data::dir`], gzipped or not.
        Idx = "idx",
        /// CIFAR-10's binary files in [`Data::dir`]: `data_batch_1.bin` to `data_batch_5.bin` and
        /// `test_batch.bin`, gzipped or not.
        Cifar10 = "cifar10",
        /// CIFAR-100's binary files in [`Data::dir`], `train.bin` and `test.bin`, gzipped or not;
        /// the 100 fine labels are the classes.
        Cifar100 = "cifar100",
        /// JPEG and PNG files `train/CLASS/*` and `test/CLASS/*` under [`Data::dir`].
        Folder = "folder",
        /// The same layout inside the .tar or .tar.gz [`Data::file`], which is read as a stream.
        Archive = "archive",
        /// NPY or NPZ arrays: [`Data::arrays`], relative to [`Data::dir`].
        Npy = "npy",
    }
}

impl DataKind {
    /// Whether [`Data::dir`] says where the images are, [`Data::file`], or neither.
    pub fn place(self) -> Place {
        match self {
            DataKind::Embedded => Place::None,
            DataKind::Archive => Place::File,
            _ => Place::Directory,
        }
    }

    /// Whether images are decoded, so that a cache and a common size make sense.
    pub fn is_decoded(self) -> bool {
        matches!(self, DataKind::Folder | DataKind::Archive)
    }
}

/// What a [`DataKind`] needs to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    None,
    /// [`Data::dir`].
    Directory,
    /// [`Data::file`].
    File,
}

choices! {
    /// The data sets inside the program.
    pub enum EmbeddedSet {
        /// Fashion-MNIST, 28 x 28 grey levels, 10 classes: 10,000 training and 2,000 test images.
        Fashion10k = "fashion-10k",
        /// Handwritten digits, 8 x 8 grey levels, 10 classes.
        Digits8x8 = "digits-8x8",
    }
}

/// One of the two constants of the normalisation.
#[derive(Debug, Clone, PartialEq)]
pub enum Constants {
    /// Measured on the training images that are used (after `train_limit`), channel by channel.
    /// In files: `"auto"`.
    Auto,
    /// One number for all channels, or one for each. In files: a number or a list.
    Given(Vec<f64>),
}

impl Constants {
    /// The numbers, where there are any.
    pub fn given(&self) -> Option<&[f64]> {
        match self {
            Constants::Auto => None,
            Constants::Given(values) => Some(values),
        }
    }
}

impl From<f64> for Constants {
    fn from(value: f64) -> Self {
        Constants::Given(vec![value])
    }
}

impl serde::Serialize for Constants {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Constants::Auto => s.serialize_str("auto"),
            Constants::Given(values) => match values[..] {
                [one] => s.serialize_f64(one),
                _ => values.serialize(s),
            },
        }
    }
}

/// Section `[data]`: the images, and how their pixels become numbers.
///
/// A pixel of value `p` enters the network as `(p/top - mean)/std`, `top` the set's brightest value
/// (255; 16 for `digits-8x8`; 1 for floating-point arrays). The inputs of the
/// first layer are signed unless `mean = 0`; under the layer-fixed law the common error of an
/// output grows with the *sum* of its inputs, so the choice matters there.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Data {
    /// Where the images come from.
    pub kind: DataKind,
    /// The embedded set; ignored for other kinds.
    pub set: EmbeddedSet,
    /// Directory of the files. Relative to the experiment file. Absent: `--data` or
    /// `PIMENTO_DATA` must name it (for `npy`: the experiment file's folder).
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_path"
    )]
    pub dir: Option<PathBuf>,
    /// The archive. Relative to the experiment file. Absent: `--data` or `PIMENTO_DATA` must name
    /// it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_path"
    )]
    pub file: Option<PathBuf>,
    /// The arrays of kind `npy`; left out of results for other kinds.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub arrays: Option<Arrays>,
    /// Rows and columns that decoded images are resized to (bilinear with an antialiasing filter
    /// where it shrinks, aspect ratio not kept). Absent: all images must have one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Whether decoded images (`folder`, `archive`) are kept in the cache directory (`--cache`,
    /// `PIMENTO_CACHE`, or the user's) for the next run.
    #[serde(skip_serializing_if = "is_true")]
    pub cache: bool,
    /// Training images used; 0 for all. Balanced for every kind: the first image of every class, the
    /// second of every class, and so on in the order of the set, until there are as many. A smaller
    /// limit is a prefix of a larger one.
    pub train_limit: usize,
    /// Test images loaded, likewise; 0 for all.
    pub test_limit: usize,
    /// Training images held out, of every class in proportion: training never sees them, nor does what
    /// is measured or calibrated; `train.evaluate_every` classifies them. 0 for none.
    #[serde(skip_serializing_if = "is_none")]
    pub validation: usize,
    /// Subtracted from `p/top`. Default: the mean of the embedded set, 0 for IDX files, `"auto"` for
    /// the other kinds.
    pub mean: Constants,
    /// Divisor after that. Default: the standard deviation of the embedded set, 1 for IDX files,
    /// `"auto"` for the other kinds.
    pub std: Constants,
}

/// Arrays of kind `npy`, each a path relative to [`Data::dir`]: of an NPY file, or of an NPZ file
/// followed by `:` and the array's name, `set.npz:x_train`.
///
/// Images are `(N, C, H, W)`, `(N, H, W, C)` with 1 or 3 channels, or `(N, H, W)`; of unsigned bytes
/// or of floats (`f4`, `f8`, which become `f32`). Labels are `(N,)` or `(N, 1)` of any integer type.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Arrays {
    /// Training images; default `train_images.npy`.
    pub train_images: String,
    /// Training labels; default `train_labels.npy`.
    pub train_labels: String,
    /// Test images; default `test_images.npy`.
    pub test_images: String,
    /// Test labels; default `test_labels.npy`.
    pub test_labels: String,
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Default for Data {
    fn default() -> Self {
        let (mean, std) = normalisation(DataKind::Embedded, EmbeddedSet::Fashion10k);
        Self {
            kind: DataKind::Embedded,
            set: EmbeddedSet::Fashion10k,
            dir: None,
            file: None,
            arrays: None,
            resize: None,
            cache: true,
            train_limit: 0,
            test_limit: 0,
            validation: 0,
            mean,
            std,
        }
    }
}

impl Data {
    /// Whether images can be negative once they are normalised, where the file alone tells: those of
    /// 8 bits where something is subtracted.
    pub fn signed_images(&self) -> Option<bool> {
        let subtracts = self.mean.given()?.iter().any(|m| *m > 0.0);
        (subtracts || self.kind != DataKind::Npy).then_some(subtracts)
    }
}

/// Default mean and standard deviation of `p/top`.
fn normalisation(kind: DataKind, set: EmbeddedSet) -> (Constants, Constants) {
    let given = |mean: f64, std: f64| (mean.into(), std.into());
    match (kind, set) {
        (DataKind::Embedded, EmbeddedSet::Fashion10k) => given(0.2863, 0.3540),
        (DataKind::Embedded, EmbeddedSet::Digits8x8) => given(0.3057, 0.3756),
        (DataKind::Idx, _) => given(0.0, 1.0),
        _ => (Constants::Auto, Constants::Auto),
    }
}

/// A path as text; what is not Unicode is replaced (it is provenance, not read back).
fn serialize_path<S: serde::Serializer>(path: &Option<PathBuf>, s: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => s.serialize_str(&path.to_string_lossy()),
        None => s.serialize_none(),
    }
}

// Left out of results where it does nothing.
fn is_none(n: &usize) -> bool {
    *n == 0
}

/// Most images of a set: IDX counts are 32 bits, and this is what a host can hold.
const IMAGES: std::ops::RangeInclusive<usize> = 0..=100_000_000;

/// Sides of resized images; the decoder's own limit.
const SIDES: std::ops::RangeInclusive<usize> = 1..=4096;

/// Most channels a list of constants can be for.
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=1024;

fn constants(value: &DeValue, range: &std::ops::RangeInclusive<f64>) -> Result<Constants, String> {
    if value.as_str() == Some("auto") {
        return Ok(Constants::Auto);
    }
    match value.as_array() {
        Some(_) => reader::reals(value, range, &CHANNELS).map(Constants::Given),
        None => reader::real(value, range)
            .map(Constants::from)
            .map_err(|e| format!("{e}, a list of them (one a channel), \"auto\"")),
    }
}

impl Data {
    pub(super) fn read(mut s: Section) -> Self {
        let kind = s.choice("kind", DataKind::Embedded);
        let set = s.choice("set", EmbeddedSet::Fashion10k);
        let mut path = |key| {
            let text = s.text(key, "");
            (!text.is_empty()).then(|| PathBuf::from(text))
        };
        let (dir, file) = (path("dir"), path("file"));
        let mut array = |key: &'static str| {
            let text = s.text(key, "");
            match text.is_empty() {
                true => (format!("{key}.npy"), false),
                false => (text, true),
            }
        };
        let arrays = [
            array("train_images"),
            array("train_labels"),
            array("test_images"),
            array("test_labels"),
        ];
        let named = arrays.iter().any(|(_, given)| *given);
        let [train_images, train_labels, test_images, test_labels] = arrays.map(|(text, _)| text);
        let (mean, std) = normalisation(kind, set);
        let data = Self {
            kind,
            set,
            dir,
            file,
            arrays: (kind == DataKind::Npy).then_some(Arrays {
                train_images,
                train_labels,
                test_images,
                test_labels,
            }),
            resize: s.optional("resize", |v| {
                let sides = reader::counts(v, &SIDES, &(2..=2))?;
                Ok([sides[0], sides[1]])
            }),
            cache: s.bool("cache", true),
            train_limit: s.count("train_limit", 0, IMAGES),
            test_limit: s.count("test_limit", 0, IMAGES),
            validation: s.count("validation", 0, IMAGES),
            mean: s.field("mean", mean, |v| constants(v, &(-1e6..=1e6))),
            std: s.field("std", std, |v| constants(v, &(1e-6..=1e6))),
        };
        if kind == DataKind::Embedded && data.dir.is_some() {
            s.refuse(
                "dir",
                "an embedded set has no directory; allowed: kind = \"idx\", \"cifar10\", \"cifar100\", \"folder\", \"npy\"",
            );
        } else if data.dir.is_some() && kind.place() != Place::Directory {
            s.refuse("dir", "an archive is a file; allowed: `file` instead");
        }
        if data.file.is_some() && kind.place() != Place::File {
            s.refuse("file", "allowed with kind = \"archive\" only");
        }
        if named && kind != DataKind::Npy {
            for key in ["train_images", "train_labels", "test_images", "test_labels"] {
                if s.reader().sets(&s.path_of(key)) {
                    s.refuse(key, "allowed with kind = \"npy\" only");
                }
            }
        }
        if data.resize.is_some() && !kind.is_decoded() {
            s.refuse(
                "resize",
                "allowed with kind = \"folder\" and \"archive\" only",
            );
        }
        s.finish();
        data
    }

    /// Makes relative paths relative to the folder of the experiment file.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if self.kind == DataKind::Npy && self.dir.is_none() {
            self.dir = Some(PathBuf::new());
        }
        for path in [&mut self.dir, &mut self.file].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    /// Where the images are, as far as that is a place.
    pub fn source(&self) -> Option<&Path> {
        match self.kind.place() {
            Place::None => None,
            Place::Directory => self.dir.as_deref(),
            Place::File => self.file.as_deref(),
        }
    }

    /// Forgets where the images lie and whether they are kept: what is left says what is done with
    /// them.
    pub fn make_placeless(&mut self) {
        (self.dir, self.file, self.arrays) = (None, None, None);
        self.cache = true;
    }

    /// Changes where the images are; nothing where the kind has no place.
    pub fn set_source(&mut self, path: PathBuf) {
        match self.kind.place() {
            Place::None => (),
            Place::Directory => self.dir = Some(path),
            Place::File => self.file = Some(path),
        }
    }
}
