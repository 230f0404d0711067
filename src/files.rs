//! Writing files so that a reader sees the old content or the new, never half of it; opening files
//! that others made ([`reading`]), and saying what they are ([`kind`](mod@kind)).

pub mod kind;
pub mod outputs;
pub mod reading;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use rustix::fs::OFlags;

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
        _ => end_of_links(path).and_then(|path| replace(&path, USUAL_MODE, write)),
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

/// [`write_atomically`] for files that are the program's own affair (trained networks, checkpoints,
/// caches): what is at `path` is replaced, a symbolic link itself included, so that whoever may write
/// to the directory cannot choose which file is overwritten.
pub(crate) fn replace_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = replace(path, USUAL_MODE, |file| file.write_all(bytes));
    written.map_err(|source| Error::io(path, source))
}

/// [`replace_atomically`], piece by piece, for a file that nobody else may write to.
pub(crate) fn replace_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<()> {
    replace(path, OWN_MODE, write).map_err(|source| Error::io(path, source))
}

/// Permissions of a new file, of which the process's mask takes its part.
const USUAL_MODE: u32 = 0o666;

/// Permissions of a file that only its owner may change.
const OWN_MODE: u32 = 0o644;

/// What stands between the name of a file and [`TEMPORARY`] in the name of its temporary file, before
/// the part that is drawn at random.
const MARK: &str = "pimento-";

/// Letters and digits that are drawn at random.
const RANDOM: usize = 12;

/// Ending of temporary files.
const TEMPORARY: &str = ".tmp";

/// Age at which a temporary file is nobody's any more: writing takes seconds, at most minutes, and a
/// file that grows is young.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Puts a new file in the place of `path`. The temporary file has a name that nobody can know
/// beforehand and is created as a new file, so that no link leads elsewhere.
fn replace(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(std::io::Error::other("not a file name"));
    };
    remove_abandoned(path);
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix.push(MARK);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).rand_bytes(RANDOM).suffix(TEMPORARY);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    // Dropped before its end it removes its file.
    let mut temporary = builder.make_in(directory_of(path), |path| options.open(path))?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
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

/// Removes temporary files of `path` that a process left when it was killed, once a process and path.
fn remove_abandoned(path: &Path) {
    static LOOKED_AT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if looked_at.insert(path.to_path_buf()) {
        drop(looked_at);
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        remove_abandoned_in(directory_of(path), |name| name == own);
    }
}

/// Removes old temporary files from a directory: those of files whose name `of` says yes to. What
/// cannot be removed does no harm but take room.
pub(crate) fn remove_abandoned_in(dir: &Path, of: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().into_owned();
        let inner = hidden
            .strip_prefix('.')
            .and_then(|rest| rest.strip_suffix(TEMPORARY))
            .and_then(|rest| rest.rsplit_once('.'));
        let ours = inner.is_some_and(|(name, drawn)| {
            let drawn = match drawn.strip_prefix(MARK) {
                Some(drawn) => drawn.len() == RANDOM,
                // Earlier versions had the number of the process here.
                None => !drawn.is_empty() && drawn.bytes().all(|b| b.is_ascii_digit()),
            };
            drawn && of(name)
        });
        if ours && is_old(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|about| about.modified()).ok();
    let age = changed.and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > ABANDONED)
}

/// Removes old files that end in `.lock` and that nobody holds from a directory: a process that was
/// killed left them. Whoever opened one just now and does not hold it yet works without a lock.
pub(crate) fn remove_abandoned_locks(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours = path.extension().is_some_and(|e| e == "lock") && is_old(&entry);
        if ours && open_lock(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Opens a file that is there to be locked, creating it where it is missing. Nothing in it is
/// changed.
///
/// # Errors
/// A symbolic link, or anything else that is no file.
pub(crate) fn open_lock(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    open_itself(&mut options, path)
}

/// Opens a file with these options, but no symbolic link and nothing that is no file.
///
/// # Errors
/// As opening has them; a link, a directory, a pipe, a device.
pub(crate) fn open_itself(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let no_file =
        || std::io::Error::other("a link, a pipe or a device; allowed here: a plain file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Not to wait for the other end of a pipe.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    let file = match options.open(path) {
        Err(_) if path.is_symlink() => return Err(no_file()),
        opened => opened?,
    };
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(no_file()),
    }
}

/// Whether this error of locking says that the file system has no locks (some network file systems,
/// and machines whose lock service does not run).
pub(crate) fn has_no_locks(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == std::io::ErrorKind::Unsupported
}

/// Why the content of a file cannot be trusted to be this user's own, if it cannot: it belongs to
/// somebody else (but the system's administrator), or others may write to it. Nothing is known of
/// systems without owners.
pub(crate) fn foreign(about: &fs::Metadata) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (owner, me) = (about.uid(), rustix::process::geteuid().as_raw());
        if owner != me && owner != 0 {
            return Some(format!("it belongs to user {owner}, not to {me}"));
        }
        if about.mode() & 0o022 != 0 {
            let mode = about.mode() & 0o777;
            return Some(format!(
                "others than its owner may write to it (mode {mode:o})"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = about;
    None
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
