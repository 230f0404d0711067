//! What an output may replace: never a file that is read, and nothing of the user's unasked.

use std::fs::{self, File};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Whether two paths name one file that exists: also through symbolic or hard links.
pub fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
        place(a).is_some_and(|place_of_a| place(b) == Some(place_of_a))
    }
    #[cfg(not(unix))]
    {
        let place = |path: &Path| path.canonicalize().ok();
        place(a).is_some_and(|place_of_a| place(b) == Some(place_of_a))
    }
}

/// Refuses to write `path` where it is one of the files that are read.
///
/// # Errors
/// It is; the message names both.
pub fn refuse_inputs<P: AsRef<Path>>(path: &Path, inputs: &[P]) -> Result<()> {
    let mut inputs = inputs.iter().map(AsRef::as_ref);
    match inputs.find(|input| same_file(path, input)) {
        Some(input) => Err(Error::input(format!(
            "{}: is the file that is read as {}; allowed for an output: another file",
            path.display(),
            input.display()
        ))),
        None => Ok(()),
    }
}

/// Refuses an output that is read too, and, unless `force`, one that is there already. Devices and
/// pipes are written to as they are. `option` names what chooses the output, such as `--output`.
///
/// # Errors
/// As said.
pub fn check<P: AsRef<Path>>(path: &Path, inputs: &[P], force: bool, option: &str) -> Result<()> {
    refuse_inputs(path, inputs)?;
    let there = fs::metadata(path).is_ok_and(|m| m.is_file());
    match there && !force {
        true => Err(Error::input(format!(
            "{}: exists; allowed: another {option}, or --force to replace it",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// SHA-256 of a file's content, hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let io = |e| Error::io(path, e);
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(io)?;
    std::io::copy(&mut file, &mut hash).map_err(io)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_known_under_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("input"), "x").unwrap();
        fs::write(path("other"), "x").unwrap();
        fs::hard_link(path("input"), path("hard")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("input", path("soft")).unwrap();
        #[cfg(not(unix))]
        fs::hard_link(path("input"), path("soft")).unwrap();
        for name in ["input", "hard", "soft"] {
            for force in [false, true] {
                let e = check(&path(name), &[path("input")], force, "--output").unwrap_err();
                assert!(e.to_string().contains("is read"), "{e}");
                assert_eq!(e.exit_code(), 2);
            }
        }
        let e = check(&path("other"), &[path("input")], false, "--output").unwrap_err();
        assert!(e.to_string().contains("--force"), "{e}");
        check(&path("other"), &[path("input")], true, "--output").unwrap();
        check(
            &path("new"),
            &[path("input"), path("missing")],
            false,
            "--output",
        )
        .unwrap();
        // Two files that are not there are not the same one.
        assert!(!same_file(&path("new"), &path("new")));
        let known = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(sha256(&path("input")).unwrap(), known);
    }
}
