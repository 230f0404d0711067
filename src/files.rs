//! Writing files so that a reader sees the old content or the new, never half of it.

pub mod outputs;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes `bytes` to `path`, replacing what was there: first to a temporary file beside it, synced
/// to the disk, then renamed. Whoever reads `path` sees the old or the new content, even after a
/// crash. [`Error::Io`] names the file; a failed write leaves no temporary file behind.
///
/// A symbolic link stays, and what it points to is replaced. What is no file (a pipe, a terminal,
/// another device) is written to as it is: there is nothing to replace.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// [`write_atomically`] for content that is written piece by piece; where `write` fails nothing is
/// left behind.
pub fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<()> {
    let written = match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => File::options()
            .write(true)
            .open(path)
            .and_then(|mut file| write(&mut file)),
        _ => end_of_links(path).and_then(|path| replace(&path, write)),
    };
    written.map_err(|source| Error::io(path, source))
}

/// Refuses a destination that [`write_atomically`] cannot write to, as far as can be said without
/// writing: a directory, or a place in a directory that does not exist.
pub fn check_destination(path: &Path) -> Result<()> {
    use std::io::ErrorKind;
    let refuse = |kind: ErrorKind| Err(Error::io(path, kind.into()));
    if path.is_dir() {
        return refuse(ErrorKind::IsADirectory);
    }
    let target = end_of_links(path).map_err(|source| Error::io(path, source))?;
    match fs::metadata(directory_of(&target)) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => refuse(ErrorKind::NotADirectory),
        Err(source) => Err(Error::io(path, source)),
    }
}

/// Longest chain of symbolic links, as Linux has it.
const LINKS: usize = 40;

/// What a path names when symbolic links are followed; it need not exist.
fn end_of_links(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => {
                let target = fs::read_link(&path)?;
                // A relative link begins where the link is; an absolute one replaces all.
                path = directory_of(&path).join(target);
            }
            _ => return Ok(path),
        }
    }
    Err(std::io::Error::other("too many symbolic links"))
}

/// The directory that a file is in.
fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Puts a new file in the place of `path`, which is no link.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(std::io::Error::other("not a file name"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    // The process in the name keeps two runs apart that write to the same place.
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    let written = File::create(&temporary)
        .and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The first error is the one to report; the file may not even exist.
        let _ = fs::remove_file(&temporary);
        return Err(source);
    }
    sync_directory(path);
    Ok(())
}

/// Puts a finished file into the place of `path`, whole or not at all. A symbolic link stays, and
/// what it points to is replaced.
pub(crate) fn move_over(made: &Path, path: &Path) -> Result<()> {
    let io = |source| Error::io(path, source);
    let target = end_of_links(path).map_err(io)?;
    match fs::rename(made, &target) {
        // Behind a link there may be another file system.
        Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
            let mut content = File::open(made).map_err(io)?;
            write_atomically_with(path, |file| std::io::copy(&mut content, file).map(|_| ()))
        }
        moved => {
            moved.map_err(io)?;
            sync_directory(&target);
            Ok(())
        }
    }
}

/// Removes a file; that there is none is no error.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, e)),
        _ => Ok(()),
    }
}

/// Makes the renamed entry durable. Some file systems cannot sync a directory; the content is
/// whole all the same, so that is no error.
pub(crate) fn sync_directory(path: &Path) {
    #[cfg(unix)]
    {
        if let Ok(directory) = File::open(directory_of(path)) {
            let _ = directory.sync_all();
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/dir/a.json");
        let message = write_atomically(&missing, b"x").unwrap_err().to_string();
        assert!(message.contains("a.json"), "{message}");
        // A directory in the way: the temporary file was written, the rename fails.
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write_atomically(&taken, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_it_points_to_is_replaced() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (kept, link, dangling) = (
            dir.path().join("elsewhere/kept"),
            dir.path().join("link"),
            dir.path().join("dangling"),
        );
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        fs::write(&kept, "old").unwrap();
        symlink("elsewhere/kept", &link).unwrap();
        symlink("elsewhere/new", &dangling).unwrap();
        for path in [&link, &dangling] {
            check_destination(path).unwrap();
            write_atomically(path, b"new").unwrap();
            assert!(path.is_symlink() && fs::read(path).unwrap() == b"new");
        }
        assert_eq!(fs::read(&kept).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        assert_eq!(
            fs::read_dir(dir.path().join("elsewhere")).unwrap().count(),
            2
        );
        // A link to itself ends nowhere.
        symlink("loop", dir.path().join("loop")).unwrap();
        let message = write_atomically(&dir.path().join("loop"), b"x").unwrap_err();
        assert!(message.to_string().contains("too many"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        // Reading and writing, so that opening it does not wait for the other side.
        let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
        write_atomically(&pipe, b"content").unwrap();
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        let mut read = [0; 7];
        std::io::Read::read_exact(&mut reader, &mut read).unwrap();
        assert_eq!(&read, b"content");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_destination_that_cannot_be_is_known_beforehand() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        for (name, possible) in [
            ("file", true),
            ("new", true),
            ("", false),
            ("no/a", false),
            ("file/a", false),
        ] {
            let path = dir.path().join(name);
            assert_eq!(check_destination(&path).is_ok(), possible, "{name}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_writer_that_fails_half_way_leaves_the_old_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomically(&path, b"old").unwrap();
        let failed = write_atomically_with(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(std::io::Error::other("full"))
        });
        assert!(failed.unwrap_err().to_string().contains("full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
