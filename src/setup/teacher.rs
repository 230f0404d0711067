//! Networks from files that teach.

use std::path::PathBuf;
use std::sync::Arc;

use super::inputs::Inputs;
use super::start::{Start, from_file, wrong};
use crate::config::Experiment;
use crate::error::Result;
use crate::network::file::Loaded;

/// A network from a file that teaches others.
#[derive(Debug, Clone, PartialEq)]
pub struct Teacher {
    /// Its file.
    pub path: PathBuf,
    /// The network, for the images of the experiment and up to its logits.
    pub network: Loaded,
    /// SHA-256 of its description and all its tensors, hexadecimal.
    pub sha256: String,
}

/// The teachers of an experiment's training, of all its stages; those that are `known` are not read again.
///
/// # Errors
/// A file that is no network, or one for other images or with another number of logits than `start` has.
pub(super) fn teachers(
    experiment: &Experiment,
    inputs: &Inputs,
    start: &Start,
    known: &mut Vec<Arc<Teacher>>,
) -> Result<Vec<Arc<Teacher>>> {
    let mut found: Vec<Arc<Teacher>> = vec![];
    for stage in experiment.stages()? {
        let parts = stage.experiment.train.composition();
        let Some(path) = parts.distill().and_then(|distill| distill.file.clone()) else {
            continue;
        };
        let teacher = match known.iter().find(|teacher| teacher.path == path) {
            Some(teacher) => teacher.clone(),
            None => {
                let (graph, given) = from_file(&path, false, None, &inputs.data.train)?;
                let network = Loaded {
                    graph,
                    ..given.loaded
                };
                let teacher = Arc::new(Teacher {
                    path,
                    network,
                    sha256: given.sha256,
                });
                known.push(teacher.clone());
                teacher
            }
        };
        let (theirs, own) = (teacher.network.graph.classes(), start.graph.classes());
        if theirs != own {
            let what = format!(
                "the teacher has {theirs} logits; allowed: {own}, as the network that it teaches"
            );
            return Err(wrong(&teacher.path, what));
        }
        found.push(teacher);
    }
    Ok(found)
}
