//! One process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::Journal;
use crate::error::{Error, Result};
use crate::files;

/// Locks a journal's file, or says who has.
pub(super) fn lock(
    file: &File,
    path: &Path,
    how: fn(&File) -> std::result::Result<(), TryLockError>,
) -> Result<()> {
    match how(file) {
        Ok(()) => Ok(()),
        // Some network file systems have no locks; then nothing keeps two processes apart.
        Err(TryLockError::Error(e)) if files::has_no_locks(&e) => Ok(()),
        Err(TryLockError::Error(e)) => Err(Error::io(path, e)),
        Err(TryLockError::WouldBlock) => {
            // Its last run wrote down who it is; a system that forbids reading here does not tell.
            let reader = File::open(path).map_err(|e| Error::io(path, e));
            let journal = reader.and_then(|file| Journal::load(file, path));
            let run = journal.ok().flatten().and_then(|j| j.last_run);
            let who = run.map_or(String::new(), |r| {
                format!(" (process {} on {}, since {})", r.pid, r.host, r.started)
            });
            Err(Error::input(format!(
                "{}: another process{who} is at work in this directory; allowed: to wait until it \
                 ends, or another directory",
                path.display()
            )))
        }
    }
}
