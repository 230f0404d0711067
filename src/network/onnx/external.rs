//! Values that lie in files beside the model.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::StringStringEntryProto;
use crate::error::escaped;

/// Where external data may be.
#[derive(Debug, Clone)]
pub(super) struct External {
    /// Directory of the model; none where there is no file (bytes in memory).
    directory: Option<PathBuf>,
}

impl External {
    /// Beside the model at `path`.
    pub fn beside(path: &Path) -> Self {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        Self {
            directory: Some(parent.unwrap_or(Path::new(".")).to_path_buf()),
        }
    }

    /// Nowhere.
    pub fn none() -> Self {
        Self { directory: None }
    }

    /// The `size` bytes that `entries` (`location`, `offset`, `length`) point to.
    pub fn read(&self, entries: &[StringStringEntryProto], size: usize) -> Result<Vec<u8>, String> {
        let entry = |key: &str| {
            let found = entries.iter().find(|e| e.key == key);
            found.map(|e| e.value.as_str())
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .map(Some)
                .map_err(|_| format!("external data: {key} `{}` is no number", escaped(text))),
        };
        let location = entry("location").ok_or("external data without a location")?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        if length.is_some_and(|n| n != size as u64) {
            return Err(format!(
                "external data of {} bytes; the shape needs {size}",
                length.unwrap_or_default()
            ));
        }
        let path = self.resolve(location)?;
        let failed = |e: std::io::Error| format!("external data {}: {e}", path.display());
        // Opening a pipe would wait for its writer.
        let meta = std::fs::metadata(&path).map_err(failed)?;
        if !meta.is_file() {
            return Err(format!(
                "external data {}: not a regular file",
                path.display()
            ));
        }
        let mut file = File::open(&path).map_err(failed)?;
        let has = file.metadata().map_err(failed)?.len();
        if offset.checked_add(size as u64).is_none_or(|end| end > has) {
            return Err(format!(
                "external data {}: {size} bytes from byte {offset} on; the file has {has}",
                path.display()
            ));
        }
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = vec![];
        if bytes.try_reserve_exact(size).is_err() {
            return Err(format!(
                "external data of {size} bytes does not fit the memory"
            ));
        }
        bytes.resize(size, 0);
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// The file of a location, which must lie in the model's directory, also after following links:
    /// a model from elsewhere must not make a reader open other files.
    fn resolve(&self, location: &str) -> Result<PathBuf, String> {
        let directory = self
            .directory
            .as_ref()
            .ok_or("external data: not allowed here")?;
        let refuse = || {
            format!(
                "external data at `{}`; allowed: a file in the model's own directory",
                escaped(location)
            )
        };
        let relative = Path::new(location);
        let plain = |c: Component| matches!(c, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || location.contains('\\') || !relative.components().all(plain) {
            return Err(refuse());
        }
        let path = directory.join(relative);
        let failed = |e: std::io::Error| format!("external data {}: {e}", path.display());
        let home = directory.canonicalize().map_err(failed)?;
        let real = path.canonicalize().map_err(failed)?;
        if !real.starts_with(home) {
            return Err(refuse());
        }
        Ok(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(location: &str, offset: &str, length: &str) -> Vec<StringStringEntryProto> {
        [
            ("location", location),
            ("offset", offset),
            ("length", length),
        ]
        .map(|(key, value)| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        })
        .to_vec()
    }

    #[test]
    fn only_what_lies_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("model");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("w.bin"), [0, 1, 2, 3, 4, 5]).unwrap();
        std::fs::write(dir.path().join("secret"), [9; 6]).unwrap();
        let external = External::beside(&home.join("model.onnx"));
        let read = |location: &str, offset: &str, length: &str, size| {
            external.read(&entries(location, offset, length), size)
        };
        assert_eq!(read("w.bin", "2", "3", 3).unwrap(), [2, 3, 4]);
        assert_eq!(read("./w.bin", "0", "6", 6).unwrap(), [0, 1, 2, 3, 4, 5]);
        let absolute = dir.path().join("secret");
        for location in [
            "../secret",
            absolute.to_str().unwrap(),
            "a/../../secret",
            "",
        ] {
            let message = read(location, "0", "6", 6).unwrap_err();
            assert!(message.contains("allowed"), "{message}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&absolute, home.join("link")).unwrap();
            assert!(read("link", "0", "6", 6).unwrap_err().contains("allowed"));
        }
        for (offset, length, size) in [
            ("4", "3", 3),
            ("18446744073709551615", "3", 3),
            ("x", "3", 3),
            ("0", "4", 3),
        ] {
            assert!(read("w.bin", offset, length, size).is_err());
        }
        std::fs::create_dir(home.join("folder")).unwrap();
        assert!(read("folder", "0", "1", 1).unwrap_err().contains("regular"));
        #[cfg(unix)]
        {
            // A pipe without a writer: opening it would wait for ever.
            let pipe = home.join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            if made.is_ok_and(|s| s.success()) {
                assert!(read("pipe", "0", "1", 1).unwrap_err().contains("regular"));
            }
        }
        // A length that no file has takes no memory.
        assert!(read("w.bin", "0", "1099511627776", 1 << 40).is_err());
        assert!(
            External::none()
                .read(&entries("w.bin", "0", "3"), 3)
                .is_err()
        );
    }
}
