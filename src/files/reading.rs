//! Opening files that others made, and room for what they announce.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file for reading. What is none (a directory, a pipe, a device, a socket) is refused: a
/// pipe would be waited for, and a device may never end.
///
/// # Errors
/// [`Error::Io`] where there is nothing or it may not be read, [`Error::Input`] for what is no file.
pub fn open(path: &Path) -> Result<File> {
    let io = |e| Error::io(path, e);
    check(path, &fs::metadata(path).map_err(io)?)?;
    let file = File::open(path).map_err(io)?;
    // It may have been replaced in between.
    check(path, &file.metadata().map_err(io)?)?;
    Ok(file)
}

fn check(path: &Path, about: &fs::Metadata) -> Result<()> {
    if about.is_file() {
        return Ok(());
    }
    let what = match about.is_dir() {
        true => "a directory",
        false => special(about),
    };
    Err(Error::input(format!(
        "{}: {what}; allowed: a file",
        path.display()
    )))
}

#[cfg(unix)]
fn special(about: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = about.file_type();
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "no file",
    }
}

#[cfg(not(unix))]
fn special(_about: &fs::Metadata) -> &'static str {
    "no file"
}

/// Makes room for `more` values behind those that are there.
///
/// # Errors
/// [`Error::Input`] that names `what` and the bytes, where the system has no memory for them.
pub fn room<T>(values: &mut Vec<T>, more: usize, what: &str) -> Result<()> {
    values.try_reserve(more).map_err(|_| {
        let bytes = values
            .len()
            .saturating_add(more)
            .saturating_mul(size_of::<T>());
        Error::input(format!(
            "{what}: no memory for {bytes} bytes; allowed: fewer or smaller, or a machine with more"
        ))
    })
}

/// [`room`] in a new list.
///
/// # Errors
/// As [`room`].
pub fn room_for<T>(n: usize, what: &str) -> Result<Vec<T>> {
    let mut values = Vec::new();
    room(&mut values, n, what)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "x").unwrap();
        open(&path).unwrap();
        let refused = |path: &Path| open(path).unwrap_err().to_string();
        assert!(refused(dir.path()).ends_with(": a directory; allowed: a file"));
        assert!(matches!(
            open(&dir.path().join("none")),
            Err(Error::Io { .. })
        ));
        #[cfg(unix)]
        {
            assert!(refused(Path::new("/dev/zero")).ends_with(": a device; allowed: a file"));
            let pipe = dir.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.unwrap().success());
            assert!(refused(&pipe).ends_with(": a pipe; allowed: a file"));
        }
    }

    #[test]
    fn more_than_there_is_room_for_is_refused() {
        let message = room_for::<u64>(usize::MAX / 16, "x.npy")
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("x.npy: no memory for"), "{message}");
        assert!(room_for::<u64>(3, "x.npy").unwrap().capacity() >= 3);
    }
}
