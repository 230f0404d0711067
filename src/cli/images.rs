//! The images an experiment asks for.

use pimento::config::{Data, DataKind};
use pimento::data::{Embedded, Split, load_idx_dir};
use pimento::{Error, Result};

/// Reads the images, cut to the experiment's limits.
pub fn load(data: &Data) -> Result<Split> {
    let split = match (data.kind, &data.dir) {
        (DataKind::Embedded, _) => {
            let name = data.set.as_str();
            let set = Embedded::from_name(name)
                .ok_or_else(|| Error::Internal(format!("no embedded set \"{name}\"")))?;
            set.load()?
        }
        (DataKind::Idx, Some(dir)) => load_idx_dir(dir)?,
        (DataKind::Idx, None) => {
            return Err(Error::input("IDX files without a directory: set data.dir"));
        }
    };
    let limited = |set: pimento::data::Dataset, n| if n == 0 { set } else { set.limit(n) };
    Split::new(
        limited(split.train, data.train_limit),
        limited(split.test, data.test_limit),
    )
}

/// The set or directory, for people.
pub fn name(data: &Data) -> String {
    match &data.dir {
        Some(dir) if data.kind == DataKind::Idx => dir.display().to_string(),
        _ => data.set.to_string(),
    }
}
