//! A directory with the four files of an MNIST-like set.

use std::path::{Path, PathBuf};

use super::classes;
use super::dataset::{Dataset, Split};
use super::idx::{Idx, read_idx};
use crate::error::{Error, Result};

/// Loads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k` (or `test`)
/// in place of `train`, each with or without `.gz` (the plain file is taken where both exist) and
/// with `.idx` in place of `-idx` where an unpacker renamed it. Four dimensions are
/// `[image][c][h][w]`, three `[image][h][w]`.
///
/// The classes are `0 ..= the largest label of both parts`.
///
/// # Errors
/// Lists every missing file at once; the rest as [`super::idx`] and [`Split::new`].
pub fn load_idx_dir(dir: &Path) -> Result<Split> {
    if !dir.is_dir() {
        return Err(Error::input(format!(
            "{}: not a directory; a directory with IDX files is needed",
            dir.display()
        )));
    }
    let wanted: [(&[&str], &str, u8); 4] = [
        (&["train"], "images", 3),
        (&["train"], "labels", 1),
        (&["t10k", "test"], "images", 3),
        (&["t10k", "test"], "labels", 1),
    ];
    let mut files = Vec::new();
    let mut missing = Vec::new();
    for (parts, kind, rank) in wanted {
        match find(dir, parts, kind, rank) {
            Some(path) => files.push(path),
            None => missing.push(format!("{}-{kind}-idx{rank}-ubyte[.gz]", parts.join("|"))),
        }
    }
    let [train_images, train_labels, test_images, test_labels] = &files[..] else {
        return Err(Error::input(format!(
            "{}: missing {}",
            dir.display(),
            missing.join(", ")
        )));
    };
    let train = read_pair(train_images, train_labels)?;
    let test = read_pair(test_images, test_labels)?;
    let of = |path: &Path, pair: &Pair| (path.display().to_string(), pair.1.clone());
    let classes = classes::count(&[of(train_labels, &train), of(test_labels, &test)])?;
    let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
    Split::new(
        assemble(format!("{name} train"), train, classes, 255)?,
        assemble(format!("{name} test"), test, classes, 255)?,
    )
}

fn find(dir: &Path, parts: &[&str], kind: &str, rank: u8) -> Option<PathBuf> {
    parts
        .iter()
        .flat_map(|part| {
            ["-idx", ".idx"].map(|idx| dir.join(format!("{part}-{kind}{idx}{rank}-ubyte")))
        })
        .flat_map(|path| {
            let mut gz = path.clone().into_os_string();
            gz.push(".gz");
            [path, gz.into()]
        })
        .find(|path| path.is_file())
}

/// Images and the labels that belong to them.
pub(super) type Pair = (Idx, Vec<u16>);

fn read_pair(images: &Path, labels: &Path) -> Result<Pair> {
    pair(
        (&images.display().to_string(), read_idx(images, 3..=4)?),
        (&labels.display().to_string(), read_idx(labels, 1..=1)?),
    )
}

/// Checks that there is one label for each image. Each file comes with its name.
pub(super) fn pair(images: (&str, Idx), labels: (&str, Idx)) -> Result<Pair> {
    let (n_images, n_labels) = (images.1.dims[0], labels.1.dims[0]);
    if n_images != n_labels {
        return Err(Error::input(format!(
            "{}: byte 4: found {n_labels} labels, expected {n_images}, the number of images in {}",
            labels.0, images.0
        )));
    }
    Ok((
        images.1,
        labels.1.values.into_iter().map(u16::from).collect(),
    ))
}

pub(super) fn assemble(
    name: String,
    (images, labels): Pair,
    classes: usize,
    pixel_max: u8,
) -> Result<Dataset> {
    let shape = match images.dims[..] {
        [_, c, h, w] => (c, h, w),
        [_, h, w] => (1, h, w),
        _ => {
            return Err(Error::Internal(
                "images of neither 3 nor 4 dimensions".into(),
            ));
        }
    };
    Dataset::new(name, images.values, labels, shape, classes, pixel_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn write(dir: &Path, files: &[(&str, Vec<u8>)]) {
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes).unwrap();
        }
    }

    #[test]
    fn four_files_plain_or_packed_become_a_split() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("train-images-idx3-ubyte.gz", gz(&idx(&[3, 2, 2], &[7; 12]))),
                // The content decides, not the name.
                ("train-labels-idx1-ubyte", gz(&idx(&[3], &[0, 1, 2]))),
                ("test-images.idx3-ubyte", idx(&[2, 2, 2], &[9; 8])),
                ("t10k-labels-idx1-ubyte.gz", idx(&[2], &[4, 0])),
            ],
        );
        let split = load_idx_dir(dir.path()).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (3, 2));
        assert_eq!(split.train.classes, 5);
        assert_eq!(split.test.bytes().unwrap()[split.test.range(1)], [9; 4]);
        assert_eq!(split.test.labels, [4, 0]);
    }

    #[test]
    fn four_dimensions_are_channels() {
        let dir = tempfile::tempdir().unwrap();
        let images = idx(&[2, 3, 1, 2], &(0..12).collect::<Vec<u8>>());
        write(
            dir.path(),
            &[
                ("train-images-idx3-ubyte", images.clone()),
                ("train-labels-idx1-ubyte", idx(&[2], &[0, 1])),
                ("t10k-images-idx3-ubyte", images),
                ("t10k-labels-idx1-ubyte", idx(&[2], &[0, 1])),
            ],
        );
        let train = load_idx_dir(dir.path()).unwrap().train;
        assert_eq!((train.c, train.h, train.w), (3, 1, 2));
    }

    #[test]
    fn every_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("train-labels-idx1-ubyte", idx(&[1], &[0]))]);
        let message = load_idx_dir(dir.path()).unwrap_err().to_string();
        for name in [
            "train-images-idx3-ubyte[.gz]",
            "t10k|test-images-idx3-ubyte[.gz]",
            "t10k|test-labels-idx1-ubyte[.gz]",
        ] {
            assert!(message.contains(name), "{message}");
        }
        assert!(!message.contains("train-labels"), "{message}");
        let message = load_idx_dir(&dir.path().join("no"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("not a directory"), "{message}");
    }

    #[test]
    fn mismatched_parts_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let good = [
            ("train-images-idx3-ubyte", idx(&[2, 2, 2], &[0; 8])),
            ("train-labels-idx1-ubyte", idx(&[2], &[0, 1])),
            ("t10k-images-idx3-ubyte", idx(&[2, 2, 2], &[0; 8])),
            ("t10k-labels-idx1-ubyte", idx(&[2], &[0, 1])),
        ];
        for (name, bytes, says) in [
            (
                "train-labels-idx1-ubyte",
                idx(&[3], &[0, 1, 1]),
                "found 3 labels, expected 2",
            ),
            (
                "t10k-images-idx3-ubyte",
                idx(&[2, 2, 3], &[0; 12]),
                "training and test images differ",
            ),
            (
                "t10k-labels-idx1-ubyte",
                idx(&[2, 1], &[0, 1]),
                "t10k-labels-idx1-ubyte: byte 3: found 2 dimensions, expected 1",
            ),
        ] {
            write(dir.path(), &good);
            write(dir.path(), &[(name, bytes)]);
            let message = load_idx_dir(dir.path()).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }
}
