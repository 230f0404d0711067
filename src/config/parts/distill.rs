//! `{ kind = "distill" }` of `train.loss`.

use std::path::{Path, PathBuf};

use super::LossPart;
use crate::config::network::{Sha, pin};
use crate::config::rule::{Maybe, Relative};
use crate::config::section::section;
use crate::config::{Experiment, Train};
use crate::error::Result;

section! {
    /// Part `{ kind = "distill" }` of `train.loss`: a teacher's logits count (Hinton et al., arXiv 1503.02531). It is the
    /// network that the stage begins with, unquantized, or one from a file. The loss is `(1 - weight)` times the
    /// cross-entropy plus `weight T^2` times the Kullback-Leibler distance of the probabilities at temperature T from the
    /// teacher's. The teacher stays as it is, without variation, and sees the images of the step.
    pub struct Distill {
        /// The teacher's share of the loss.
        weight: f64 = 0.5, 0.0..=1.0;
        /// Temperature.
        temperature: f64 = 4.0, 0.1..=100.0;
        /// The teacher: ONNX, a safetensors file of a training here, or the JSON description that goes with a
        /// safetensors file, with the quantizers that it has there. It takes images as the trained network does, normalised
        /// alike, and has as many logits. Absent: the network that the stage begins with.
        [quiet] file: Option<PathBuf> = None, Relative;
        /// SHA-256 of the file; a file with another one is refused. Absent: that of the file as it is now, which is
        /// then part of the run's configuration.
        [quiet] file_sha256: Option<String> = None, Maybe(Sha);
    }
}

/// Field that names the teacher's file.
const FILE: &str = "file";

/// Field that says which file it is.
const SHA: &str = "file_sha256";

impl Experiment {
    /// Files of teachers, of the training and of its stages.
    pub(in crate::config) fn teachers_mut(&mut self) -> impl Iterator<Item = TeacherFile<'_>> {
        let Train { loss, stage, .. } = &mut self.train;
        let own = loss.iter_mut().filter_map(|part| match part {
            LossPart::Distill(distill) => Some(TeacherFile::Part(distill)),
            LossPart::L1(_)
            | LossPart::GroupLasso(_)
            | LossPart::SliceL1(_)
            | LossPart::Ovf(_)
            | LossPart::Irs(_)
            | LossPart::Heads(_) => None,
        });
        let written = stage.parts_mut("loss", "distill");
        own.chain(written.map(TeacherFile::Written))
    }
}

/// Where an experiment names the file of a teacher.
pub(in crate::config) enum TeacherFile<'a> {
    /// In `[train]`.
    Part(&'a mut Distill),
    /// In a stage, as it was written.
    Written(&'a mut toml::Table),
}

impl TeacherFile<'_> {
    /// The file.
    pub(in crate::config) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Part(distill) => distill.file.clone(),
            Self::Written(table) => {
                let text = table.get(FILE).and_then(toml::Value::as_str);
                text.filter(|text| !text.is_empty()).map(PathBuf::from)
            }
        }
    }

    /// Calls the file by another path.
    pub(in crate::config) fn set_path(&mut self, path: PathBuf) {
        match self {
            Self::Part(distill) => distill.file = Some(path),
            Self::Written(table) => {
                let text = path.to_string_lossy().into_owned();
                table.insert(FILE.into(), text.into());
            }
        }
    }

    /// Writes down which file it is now, under `folder`, or refuses it where it should be another.
    pub(in crate::config) fn pin(&mut self, folder: &Path) -> Result<()> {
        let Some(path) = self.path().map(|path| folder.join(path)) else {
            return Ok(());
        };
        let field = "train.loss.distill.file";
        match self {
            Self::Part(distill) => pin(&path, &mut distill.file_sha256, field)?,
            Self::Written(table) => {
                let text = table.get(SHA).and_then(toml::Value::as_str);
                let mut sha = text.map(str::to_ascii_lowercase);
                pin(&path, &mut sha, field)?;
                table.extend(sha.map(|sha| (SHA.to_string(), sha.into())));
            }
        }
        self.set_path(path);
        Ok(())
    }
}
