//! Real image sets inside the program; where they come from and their licences: `assets/README.md`.

use super::dataset::{Dataset, Split};
use super::directory::{assemble, pair};
use super::idx::parse_idx;
use crate::error::{Error, Result};

/// A set that ships with Pimento.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    /// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv 1708.07747; MIT): the first 10,000 training and
    /// 2,000 test images, 28 x 28, 10 classes.
    Fashion10k,
    /// Handwritten digits (Alpaydin, Kaynak, UCI 1998), 8 x 8 with 17 grey levels, 10
    /// classes: 1,347 training and 450 test images.
    Digits8x8,
}

/// Training images of [`Embedded::Digits8x8`]; the rest of its 1,797 are the test set.
const DIGITS_TRAIN: usize = 1347;

macro_rules! asset {
    ($path:literal) => {
        (
            concat!("assets/", $path),
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)).as_slice(),
        )
    };
}

impl Embedded {
    /// All of them.
    pub const ALL: [Embedded; 2] = [Embedded::Fashion10k, Embedded::Digits8x8];

    /// Name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Embedded::Fashion10k => "fashion-10k",
            Embedded::Digits8x8 => "digits-8x8",
        }
    }

    /// The set of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Decompresses the set.
    ///
    /// # Errors
    /// Only when the program's own bytes are broken.
    pub fn load(self) -> Result<Split> {
        match self {
            Embedded::Fashion10k => Split::new(
                read(
                    "fashion-10k train",
                    asset!("fashion-mnist/fashion-train10k-images-idx3-ubyte.gz"),
                    asset!("fashion-mnist/fashion-train10k-labels-idx1-ubyte.gz"),
                    255,
                )?,
                read(
                    "fashion-10k test",
                    asset!("fashion-mnist/fashion-t2k-images-idx3-ubyte.gz"),
                    asset!("fashion-mnist/fashion-t2k-labels-idx1-ubyte.gz"),
                    255,
                )?,
            ),
            Embedded::Digits8x8 => {
                let all = read(
                    "digits-8x8",
                    asset!("digits-8x8/digits8x8-images-idx3-ubyte.gz"),
                    asset!("digits-8x8/digits8x8-labels-idx1-ubyte.gz"),
                    16,
                )?;
                let part = |name: &str, range: std::ops::Range<usize>| {
                    let mut part = all.select(&range.collect::<Vec<_>>());
                    part.name = format!("digits-8x8 {name}");
                    part
                };
                Split::new(
                    part("train", 0..DIGITS_TRAIN),
                    part("test", DIGITS_TRAIN..all.len()),
                )
            }
        }
    }
}

/// Both embedded sets have ten classes.
const CLASSES: usize = 10;

fn read(
    name: &str,
    images: (&str, &[u8]),
    labels: (&str, &[u8]),
    pixel_max: u8,
) -> Result<Dataset> {
    let parsed = || {
        let files = pair(
            (images.0, parse_idx(images.0, images.1, 3..=3)?),
            (labels.0, parse_idx(labels.0, labels.1, 1..=1)?),
        )?;
        assemble(name.to_owned(), files, CLASSES, pixel_max)
    };
    parsed().map_err(|e: Error| Error::Internal(format!("embedded data set: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::path::Path;

    #[test]
    fn fashion_has_its_counts() {
        let split = Embedded::Fashion10k.load().unwrap();
        let shape = |d: &Dataset| (d.len(), d.c, d.h, d.w, d.classes, d.pixel_max);
        assert_eq!(shape(&split.train), (10_000, 1, 28, 28, 10, 255));
        assert_eq!(shape(&split.test), (2_000, 1, 28, 28, 10, 255));
        assert_eq!(
            split.train.class_counts(),
            [942, 1027, 1016, 1019, 974, 989, 1021, 1022, 990, 1000]
        );
        assert_eq!(split.test.labels[..3], [9, 2, 1]);
    }

    #[test]
    fn digits_have_their_counts_and_range() {
        let split = Embedded::Digits8x8.load().unwrap();
        let shape = |d: &Dataset| (d.len(), d.c, d.h, d.w, d.classes, d.pixel_max);
        assert_eq!(shape(&split.train), (1347, 1, 8, 8, 10, 16));
        assert_eq!(shape(&split.test), (450, 1, 8, 8, 10, 16));
        assert_eq!(split.train.bytes().unwrap().iter().max(), Some(&16));
        assert_eq!(split.train.labels[..4], [0, 1, 2, 3]);
    }

    #[test]
    fn names_lead_back() {
        for set in Embedded::ALL {
            assert_eq!(Embedded::from_name(set.name()), Some(set));
        }
        assert_eq!(Embedded::from_name("mnist"), None);
    }

    #[test]
    fn shipped_files_have_their_checksums() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let sums = std::fs::read_to_string(assets.join("SHA256SUMS")).unwrap();
        let mut listed = Vec::new();
        for line in sums.lines() {
            let (sum, file) = line.split_once("  ").expect("sum, two spaces, file");
            let bytes = std::fs::read(assets.join(file)).unwrap();
            let found: String = Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(found, sum, "{file}");
            listed.push(file);
        }
        for directory in ["fashion-mnist", "digits-8x8"] {
            for entry in std::fs::read_dir(assets.join(directory)).unwrap() {
                let name = entry.unwrap().file_name();
                let file = format!("{directory}/{}", name.to_string_lossy());
                assert!(listed.contains(&file.as_str()), "{file} not in SHA256SUMS");
            }
        }
    }
}
