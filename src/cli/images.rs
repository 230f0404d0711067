//! The images an experiment asks for.

use std::path::{Path, PathBuf};

use pimento::config::{Data, DataKind, Experiment};
use pimento::data::{self, Decoding, Embedded, Split};
use pimento::progress::Observer;
use pimento::{Error, Result};

/// The files that an experiment names: of the network, and of the images where each is named.
pub fn files(experiment: &Experiment) -> Vec<PathBuf> {
    let data = &experiment.data;
    let mut files: Vec<PathBuf> = experiment.network.file.iter().cloned().collect();
    files.extend(data.file.clone());
    if let (Some(dir), Some(a)) = (&data.dir, &data.arrays) {
        for name in [
            &a.train_images,
            &a.train_labels,
            &a.test_images,
            &a.test_labels,
        ] {
            files.push(dir.join(name));
            // Of `set.npz:x` the part before the name of the array.
            files.extend(name.rsplit_once(':').map(|(file, _)| dir.join(file)));
        }
    }
    files
}

/// Reads the images, cut to the experiment's limits. Decoded pictures are kept in `cache`, or in the
/// user's cache directory.
pub fn load(data: &Data, cache: Option<&Path>, observer: &dyn Observer) -> Result<Split> {
    let source = || {
        data.source().ok_or_else(|| {
            Error::input(format!(
                "images of kind \"{}\" without a place: set data.dir or data.file",
                data.kind
            ))
        })
    };
    let cache = match data.cache && data.kind.is_decoded() {
        true => cache.map(Path::to_path_buf).or_else(users_cache),
        false => None,
    };
    let decoding = Decoding {
        resize: data.resize,
        cache: cache.as_deref(),
        observer,
    };
    let split = match data.kind {
        DataKind::Embedded => {
            let name = data.set.as_str();
            let set = Embedded::from_name(name)
                .ok_or_else(|| Error::Internal(format!("no embedded set \"{name}\"")))?;
            set.load()?
        }
        DataKind::Idx => data::load_idx_dir(source()?)?,
        DataKind::Cifar10 => data::load_cifar_dir(source()?, data::Cifar::Ten)?,
        DataKind::Cifar100 => data::load_cifar_dir(source()?, data::Cifar::Hundred)?,
        DataKind::Folder => data::load_folder(source()?, &decoding)?,
        DataKind::Archive => data::load_archive(source()?, &decoding)?,
        DataKind::Npy => {
            let arrays = data.arrays.as_ref();
            let arrays = arrays.ok_or_else(|| Error::Internal("npy without names".into()))?;
            let dir = source()?;
            let part = |name: &str| dir.join(name);
            data::load_npy(&data::NpyFiles {
                train_images: part(&arrays.train_images),
                train_labels: part(&arrays.train_labels),
                test_images: part(&arrays.test_images),
                test_labels: part(&arrays.test_labels),
            })?
        }
    };
    for remark in split.remarks() {
        observer.warning(&remark);
    }
    Split::new(
        split.train.limited(data.train_limit)?,
        split.test.limited(data.test_limit)?,
    )
}

/// Where programs keep what they can make again; nowhere for a user without a home.
pub fn users_cache() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "pimento")?;
    Some(dirs.cache_dir().to_path_buf())
}

/// The set or place, for people.
pub fn name(data: &Data) -> String {
    match (data.source(), &data.arrays) {
        (Some(path), Some(arrays)) if path.as_os_str().is_empty() => arrays.train_images.clone(),
        (Some(path), _) => path.display().to_string(),
        (None, _) => data.set.to_string(),
    }
}
