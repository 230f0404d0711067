//! Results take the places of the old ones.

use std::path::Path;

use super::{RESULTS, STAGE, check_results};
use crate::error::{Error, Result};
use crate::files::{self, outputs};
use crate::sweep::journal::Journal;
use crate::sweep::outcome::Write;
use crate::sweep::result::SweepResult;

/// Makes the results and puts them into the directory. Their digests are in the journal before the
/// first file is replaced, so that a run that was killed in between knows its own.
///
/// # Errors
/// The disk; a file in the directory that this run did not write.
pub(in crate::sweep) fn publish(
    dir: &Path,
    write: Write,
    result: &SweepResult,
    journal: &mut Journal,
) -> Result<()> {
    let stage = dir.join(STAGE);
    clear(&stage)?;
    std::fs::create_dir(&stage).map_err(|e| Error::io(&stage, e))?;
    let done = replace_results(dir, &stage, write, result, journal);
    let cleared = clear(&stage);
    done.and(cleared)
}

fn replace_results(
    dir: &Path,
    stage: &Path,
    write: Write,
    result: &SweepResult,
    journal: &mut Journal,
) -> Result<()> {
    write(stage, result, journal)?;
    check_results(dir, journal)?;
    let mut digests = Vec::new();
    for name in RESULTS {
        let made = stage.join(name);
        if made.exists() {
            digests.push((name.to_string(), outputs::sha256(&made)?));
        }
    }
    journal.note_files(&digests)?;
    for name in RESULTS {
        let (made, path) = (stage.join(name), dir.join(name));
        match made.exists() {
            true => files::move_over(&made, &path)?,
            // Another build of Pimento made it, of other rows.
            false => files::remove_if_there(&path)?,
        }
    }
    Ok(())
}

pub(super) fn clear(stage: &Path) -> Result<()> {
    match std::fs::remove_dir_all(stage) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(stage, e)),
        _ => Ok(()),
    }
}
