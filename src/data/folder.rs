//! Picture files in a directory.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cache;
use super::dataset::Split;
use super::labelled::{self, Decoding, MAX_FILE, Member, Place};
use crate::error::{Error, Result};
use crate::files::reading;

/// Loads the JPEG and PNG files `train/CLASS/*` and `test/CLASS/*` of a directory; other and hidden
/// files are ignored. Classes are numbered in alphabetical order. The pictures of a part are the
/// first of every class, the second of every class, and so on, by file name (bytes, so `10.png`
/// comes before `2.png`): any first N are balanced. One grey picture among coloured ones becomes
/// coloured.
///
/// # Errors
/// Name the file: missing parts, a damaged picture, sizes that differ without a `resize`, a class
/// that is in `test/` only.
pub fn load_folder(dir: &Path, decoding: &Decoding) -> Result<Split> {
    if !dir.is_dir() {
        return Err(Error::input(format!(
            "{}: not a directory; a directory with train/CLASS/ and test/CLASS/ is needed",
            dir.display()
        )));
    }
    let mut found = vec![];
    for part in ["train", "test"] {
        for (class, path) in entries(&dir.join(part))? {
            // Files beside the classes (a list, a licence) are nobody's picture.
            if !path.is_dir() || class.starts_with('.') {
                continue;
            }
            for (file, path) in entries(&path)? {
                let place = Place::of(&format!("{part}/{class}/{file}"));
                let place = place.map_err(|e| Error::input(format!("{}: {e}", path.display())))?;
                let Some(place) = place else { continue };
                let about = fs::metadata(&path).map_err(|e| Error::io(&path, e))?;
                if !about.is_file() || about.len() > MAX_FILE {
                    return Err(Error::input(format!(
                        "{}: no file of at most {MAX_FILE} bytes",
                        path.display()
                    )));
                }
                found.push((path, place));
            }
        }
    }
    let key = || cache::Key::of_files(dir, &found, decoding.resize);
    cache::through(dir, decoding, key, |label| {
        labelled::collect(label, Some(found.len()), decoding, |sink| {
            for (path, place) in &found {
                let io = |e| Error::io(path, e);
                let mut bytes = vec![];
                let file = reading::open(path)?;
                file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
                let (name, place) = (path.display().to_string(), place.clone());
                if !sink.take(Member { name, place, bytes }) {
                    break;
                }
            }
            Ok(())
        })
    })
}

/// Names and paths in a directory, sorted by name.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let io = |e| Error::io(dir, e);
    let mut found = vec![];
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::input(format!(
                "{}: the name {name:?} is not Unicode",
                dir.display()
            ))
        })?;
        found.push((name, entry.path()));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
