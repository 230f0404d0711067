//! Compiled kernels in a directory.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::backend::KernelStore;
use crate::error::{Error, Result};
use crate::files;

/// Longest file that is read, bytes: kernels of all programs of a driver take some tens of MiB.
const LONGEST: u64 = 1 << 28;

/// A [`KernelStore`] in a directory of the user's, a file for every adapter, driver and version. Files are written
/// whole or not at all, and read only if they are this user's (or the administrator's) and nobody else may
/// write to them.
///
/// ```
/// use pimento::backend::KernelStore;
/// use pimento::setup::KernelDirectory;
///
/// # fn main() -> pimento::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// let store = KernelDirectory::new(dir.path().join("kernels"));
/// assert_eq!(store.load("a.kernels")?, None);
/// store.save("a.kernels", b"compiled")?;
/// assert_eq!(store.load("a.kernels")?.as_deref(), Some(&b"compiled"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct KernelDirectory(PathBuf);

impl KernelDirectory {
    /// Files in this directory, which is made when the first one is written.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self(dir.as_ref().to_path_buf())
    }
}

impl KernelStore for KernelDirectory {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        let io = |e| Error::io(&path, e);
        let file = match files::open_itself(File::options().read(true), &path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        let about = file.metadata().map_err(io)?;
        if let Some(why) = files::foreign(&about) {
            return Err(Error::input(format!("{}: {why}", path.display())));
        }
        if about.len() > LONGEST {
            return Err(Error::input(format!(
                "{}: {} bytes; allowed: up to {LONGEST}",
                path.display(),
                about.len()
            )));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map_err(io)?;
        Ok(Some(bytes))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fs::create_dir_all(&self.0).map_err(|e| Error::io(&self.0, e))?;
        files::replace_atomically_with(&self.0.join(name), |file| file.write_all(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_that_others_may_write_to_are_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = KernelDirectory::new(dir.path());
        store.save("x", b"compiled").unwrap();
        store.save("x", b"again").unwrap();
        assert_eq!(store.load("x").unwrap().unwrap(), b"again");
        let path = dir.path().join("x");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let e = store.load("x").unwrap_err().to_string();
        assert!(e.contains("others than its owner"), "{e}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("y"), &path).unwrap();
        fs::write(dir.path().join("y"), b"elsewhere").unwrap();
        assert!(store.load("x").is_err(), "behind a link");
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let store = KernelDirectory::new(dir.path().join("a/b"));
        assert_eq!(store.load("x").unwrap(), None);
        store.save("x", b"compiled").unwrap();
        store.save("x", b"again").unwrap();
        assert_eq!(store.load("x").unwrap().unwrap(), b"again");
        assert_eq!(store.load("y").unwrap(), None);
    }
}
