//! Which images are classified.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::ser::SerializeStruct;
use serde_json::json;
use toml::de::DeValue;

use super::reader::Section;
use super::reference::{Field, Table};
use super::rule::{Allowed, Any, Each, List, Maybe, Read, Relative, Rule, Text, either};
use super::section::{Declared, Entry, section};
use crate::choice::choices;
use crate::error::{Code, Mistake};

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
        /// NPY or NPZ arrays in [`Data::dir`]: `train_images`, `train_labels`, `test_images`, `test_labels`.
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

section! {
    /// Section `[data]`: the images, and how their pixels become numbers.
    ///
    /// A pixel of value `p` enters the network as `(p/top - mean)/std`, `top` the set's brightest value
    /// (255; 16 for `digits-8x8`; 1 for floating-point arrays). The inputs of the
    /// first layer are signed unless `mean = 0`; under the layer-fixed law the common error of an
    /// output grows with the *sum* of its inputs, so the choice matters there.
    pub struct Data {
        /// Where the images come from.
        kind: DataKind = DataKind::Embedded;
        /// The embedded set; ignored for other kinds.
        set: EmbeddedSet = EmbeddedSet::Fashion10k;
        /// Directory of the files. Absent: `--data` or `PIMENTO_DATA` must name it (for kind "npy": the
        /// experiment file's folder).
        dir: Option<PathBuf> = None, Relative;
        /// The archive. Absent: `--data` or `PIMENTO_DATA` must name it.
        file: Option<PathBuf> = None, Relative;
        /// The arrays of kind "npy"; left out of results for other kinds.
        arrays: Option<Arrays> => Npy;
        /// Rows and columns that decoded images are resized to (bilinear with an antialiasing filter
        /// where it shrinks, aspect ratio not kept). Absent: all images must have one size.
        resize: Option<[usize; 2]> = None, Maybe(Each(SIDES)), "pixels";
        /// Whether decoded images (kinds "folder" and "archive") are kept in the cache directory
        /// (`--cache`, `PIMENTO_CACHE`, or the user's) for the next run.
        [quiet] cache: bool = true;
        /// Training images used; 0 for all. Balanced for every kind: the first image of every class, the
        /// second of every class, and so on in the order of the set, until there are as many. A smaller
        /// limit is a prefix of a larger one.
        train_limit: usize = 0, IMAGES, "images";
        /// Test images loaded, likewise; 0 for all.
        test_limit: usize = 0, IMAGES, "images";
        /// Training images held out, of every class in proportion: training never sees them, and nothing
        /// is measured or calibrated on them; `train.evaluate_every` classifies them. 0 for none.
        [quiet] validation: usize = 0, IMAGES, "images";
        /// Subtracted from `p/top`. By default the mean of the embedded set, 0 for IDX files, "auto" for
        /// the other kinds.
        mean: Constants = 0.2863.into(), Normalisation(-1e6..=1e6);
        /// Divisor after that. By default the standard deviation of the embedded set, 1 for IDX files,
        /// "auto" for the other kinds.
        std: Constants = 0.3540.into(), Normalisation(1e-6..=1e6);
    }
}

section! {
    /// Arrays of kind `npy`, each a path relative to [`Data::dir`]: of an NPY file, or of an NPZ file
    /// followed by `:` and the array's name, `set.npz:x_train`.
    ///
    /// Images are `(N, C, H, W)`, `(N, H, W, C)` with 1 or 3 channels, or `(N, H, W)`; of unsigned bytes
    /// or of floats (`f4`, `f8`, which become `f32`). Labels are `(N,)` or `(N, 1)` of any integer type.
    pub struct Arrays {
        /// Training images of kind "npy": an NPY file relative to `dir`, or an NPZ file followed by `:` and
        /// the array's name, `set.npz:x_train`; `(N, C, H, W)`, `(N, H, W, C)` with 1 or 3 channels, or
        /// `(N, H, W)`, of unsigned bytes or floats.
        train_images: String = "train_images.npy".into(), Text;
        /// Training labels of kind "npy": `(N,)` or `(N, 1)` of any integer type.
        train_labels: String = "train_labels.npy".into(), Text;
        /// Test images of kind "npy".
        test_images: String = "test_images.npy".into(), Text;
        /// Test labels of kind "npy".
        test_labels: String = "test_labels.npy".into(), Text;
    }
}

/// The fields of [`Arrays`], which stand in the section itself and only with kind `npy`.
struct Npy;

impl Entry<Option<Arrays>> for Npy {
    fn take(&self, s: &mut Section, _: &'static str, default: Option<Arrays>) -> Option<Arrays> {
        let mut arrays = Arrays::take(s, default.unwrap_or_default());
        let usual = Arrays::default();
        for (name, usual) in [
            (&mut arrays.train_images, usual.train_images),
            (&mut arrays.train_labels, usual.train_labels),
            (&mut arrays.test_images, usual.test_images),
            (&mut arrays.test_labels, usual.test_labels),
        ] {
            if name.is_empty() {
                *name = usual;
            }
        }
        if s.peek("kind", &Any) == Some(DataKind::Npy) {
            return Some(arrays);
        }
        for key in ["train_images", "train_labels", "test_images", "test_labels"] {
            if s.peek(key, &Text).is_some_and(|text| !text.is_empty()) {
                let text = "allowed with kind = \"npy\" only";
                s.refuse(key, Mistake::new(Code::Misplaced, text));
            }
        }
        None
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        _: &'static str,
        value: &Option<Arrays>,
    ) -> Result<(), M::Error> {
        value.as_ref().map_or(Ok(()), |arrays| arrays.write(map))
    }

    fn describe(&self, field: Field, _: &Option<Arrays>, book: &mut Vec<Table>) {
        Arrays::describe(field.section(), book);
    }
}

impl Data {
    /// The defaults for images of a kind, and for kind `embedded` of a set.
    fn of(kind: DataKind, set: EmbeddedSet) -> Self {
        let given = |mean: f64, std: f64| (mean.into(), std.into());
        let usual = Self::default();
        let (mean, std) = match (kind, set) {
            (DataKind::Embedded, EmbeddedSet::Fashion10k) => (usual.mean, usual.std),
            (DataKind::Embedded, EmbeddedSet::Digits8x8) => given(0.3057, 0.3756),
            (DataKind::Idx, _) => given(0.0, 1.0),
            (
                DataKind::Cifar10
                | DataKind::Cifar100
                | DataKind::Folder
                | DataKind::Archive
                | DataKind::Npy,
                _,
            ) => (Constants::Auto, Constants::Auto),
        };
        Self { mean, std, ..usual }
    }

    /// The defaults of the section, which its kind and set decide.
    pub(super) fn defaults(s: &Section) -> Self {
        let usual = Self::default();
        let kind = s.peek("kind", &Any).unwrap_or(usual.kind);
        Self::of(kind, s.peek("set", &Any).unwrap_or(usual.set))
    }

    /// Fields that have no meaning for the kind, with the reason.
    pub(super) fn misplaced(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut add = |field, text: &str| found.push((field, text.to_string()));
        if self.dir.is_some() {
            match self.kind.place() {
                Place::None => add(
                    "data.dir",
                    "an embedded set has no directory; allowed: kind = \"idx\", \"cifar10\", \"cifar100\", \"folder\", \"npy\"",
                ),
                Place::File => add("data.dir", "an archive is a file; allowed: `file` instead"),
                Place::Directory => {}
            }
        }
        if self.file.is_some() && self.kind.place() != Place::File {
            add("data.file", "allowed with kind = \"archive\" only");
        }
        if self.resize.is_some() && !self.kind.is_decoded() {
            add(
                "data.resize",
                "allowed with kind = \"folder\" and \"archive\" only",
            );
        }
        found
    }

    /// Whether images can be negative once they are normalised, where the file alone tells: those of
    /// 8 bits where something is subtracted.
    pub fn signed_images(&self) -> Option<bool> {
        let subtracts = self.mean.given()?.iter().any(|m| *m > 0.0);
        (subtracts || self.kind != DataKind::Npy).then_some(subtracts)
    }
}

/// Most images of a set: IDX counts are 32 bits, and this is what a host can hold.
const IMAGES: RangeInclusive<usize> = 0..=100_000_000;

/// Sides of resized images; the decoder's own limit.
const SIDES: RangeInclusive<usize> = 1..=4096;

/// A number, a list with one for each channel, or "auto".
struct Normalisation(RangeInclusive<f64>);

impl Rule<Constants> for Normalisation {
    fn read(&self, value: &DeValue) -> Read<Constants> {
        if value.as_str() == Some("auto") {
            return Ok(Constants::Auto);
        }
        match value.as_array() {
            Some(_) => self.channels().read(value).map(Constants::Given),
            None => self
                .0
                .read(value)
                .map(Constants::from)
                .map_err(|m| m.also(", a list of them (one a channel), \"auto\"").into()),
        }
    }

    fn allowed(&self) -> Allowed {
        let auto = Allowed::new("\"auto\"", "\"auto\"", json!({"enum": ["auto"]}));
        let one: Allowed = Rule::<f64>::allowed(&self.0);
        let list: Allowed = Rule::<Vec<f64>>::allowed(&self.channels());
        Allowed {
            kind: "number, list of numbers or \"auto\"".into(),
            ..either(&either(&one, &list), &auto)
        }
    }
}

impl Normalisation {
    fn channels(&self) -> List<RangeInclusive<f64>> {
        List {
            each: self.0.clone(),
            length: 1..=1024,
        }
    }
}

impl Data {
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
