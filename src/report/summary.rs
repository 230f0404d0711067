//! `summary.json`: the whole [`SweepResult`], one row per point, accuracies as fractions.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::report::verify;
use crate::sweep::result::SweepResult;

/// Pretty JSON with a newline at its end. `NaN` becomes `null`.
pub fn to_json(result: &SweepResult) -> Result<String> {
    let mut text = serde_json::to_string_pretty(result)
        .map_err(|e| Error::Internal(format!("summary.json: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// Writes `summary.json` to `path`, whole or not at all.
pub fn write(path: &Path, result: &SweepResult) -> Result<()> {
    write_atomically(path, to_json(result)?.as_bytes())
}

/// Reads a `summary.json`; [`Error::Input`] names the file, the line and what is wrong there, or a
/// number that no sweep writes.
pub fn read(path: &Path) -> Result<SweepResult> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let refuse = |what: String| Error::input(format!("{}: {what}", path.display()));
    let result = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
    verify::summary(&result).map_err(refuse)?;
    Ok(result)
}
