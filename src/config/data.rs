//! Which images are classified.

use std::path::PathBuf;

use super::choice::choices;
use super::reader::Section;

choices! {
    /// Where the images come from.
    pub enum DataKind {
        /// A set inside the program: [`Data::set`].
        Embedded = "embedded",
        /// The four IDX files of the MNIST family in [`Data::dir`], gzipped or not.
        Idx = "idx",
    }
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

/// Section `[data]`: the images, and how their pixels become numbers.
///
/// A pixel of value `p` enters the network as `(p/top - mean)/std`, `top` the set's brightest value
/// (255; 16 for `digits-8x8`). The inputs of the
/// first layer are signed unless `mean = 0`; under the layer-fixed law the common error of an
/// output grows with the *sum* of its inputs, so the choice matters there.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Data {
    /// Where the images come from.
    pub kind: DataKind,
    /// The embedded set; ignored for IDX files.
    pub set: EmbeddedSet,
    /// Directory of the IDX files. Relative to the experiment file. Absent: `--data` or
    /// `PIMENTO_DATA` must name it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_dir"
    )]
    pub dir: Option<PathBuf>,
    /// Training images used, from the first; 0 for all.
    pub train_limit: usize,
    /// Test images loaded, from the first; 0 for all.
    pub test_limit: usize,
    /// Subtracted from `p/top`. Default: the mean of the embedded set, 0 for IDX files.
    pub mean: f64,
    /// Divisor after that. Default: the standard deviation of the embedded set, 1 for IDX files.
    pub std: f64,
}

impl Default for Data {
    fn default() -> Self {
        let (mean, std) = normalisation(DataKind::Embedded, EmbeddedSet::Fashion10k);
        Self {
            kind: DataKind::Embedded,
            set: EmbeddedSet::Fashion10k,
            dir: None,
            train_limit: 0,
            test_limit: 0,
            mean,
            std,
        }
    }
}

/// Mean and standard deviation of `p/top` over the training images of a set.
fn normalisation(kind: DataKind, set: EmbeddedSet) -> (f64, f64) {
    match (kind, set) {
        (DataKind::Embedded, EmbeddedSet::Fashion10k) => (0.2863, 0.3540),
        (DataKind::Embedded, EmbeddedSet::Digits8x8) => (0.3057, 0.3756),
        (DataKind::Idx, _) => (0.0, 1.0),
    }
}

/// A path as text; what is not Unicode is replaced (it is provenance, not read back).
fn serialize_dir<S: serde::Serializer>(dir: &Option<PathBuf>, s: S) -> Result<S::Ok, S::Error> {
    match dir {
        Some(dir) => s.serialize_str(&dir.to_string_lossy()),
        None => s.serialize_none(),
    }
}

/// Most images of a set: IDX counts are 32 bits, and this is what a host can hold.
const IMAGES: std::ops::RangeInclusive<usize> = 0..=100_000_000;

impl Data {
    pub(super) fn read(mut s: Section) -> Self {
        let kind = s.choice("kind", DataKind::Embedded);
        let set = s.choice("set", EmbeddedSet::Fashion10k);
        let dir = s.text("dir", "");
        let (mean, std) = normalisation(kind, set);
        let data = Self {
            kind,
            set,
            dir: (!dir.is_empty()).then(|| PathBuf::from(dir)),
            train_limit: s.count("train_limit", 0, IMAGES),
            test_limit: s.count("test_limit", 0, IMAGES),
            mean: s.real("mean", mean, -1e6..=1e6),
            std: s.real("std", std, 1e-6..=1e6),
        };
        if kind == DataKind::Embedded && data.dir.is_some() {
            s.refuse(
                "dir",
                "an embedded set has no directory; allowed: kind = \"idx\"",
            );
        }
        s.finish();
        data
    }
}
