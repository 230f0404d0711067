//! The directory a run writes to, and who may write there.

use std::path::{Path, PathBuf};

use super::journal::{Claimed, Header, Journal, Opened};
use crate::error::{Error, Result};
use crate::files;

/// Present in every directory that a run has claimed: the configuration as it ran.
pub const EXPERIMENT: &str = "experiment.toml";
/// Every result as soon as it is there; the other files are made from it.
pub const JOURNAL: &str = "journal.bin";
/// One row per point and chip.
pub const CHIPS: &str = "chips.csv";
/// The same with types, where Pimento is built to write it.
pub const PARQUET: &str = "chips.parquet";
/// One entry per point.
pub const SUMMARY: &str = "summary.json";
/// For people.
pub const REPORT: &str = "report.html";
/// One picture of the result, for slides and READMEs.
pub const PICTURE: &str = "headline.svg";
/// Trained networks.
pub const MODELS: &str = "models";

/// What to do about a directory that holds another run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    Refuse,
    /// Replace its results.
    Replace,
    /// Continue: the configuration must be the same.
    Continue,
}

/// Creates (or takes over) the output directory: locks its journal for this process and writes the
/// configuration beside it, which also proves that it is writable before any work is done.
///
/// # Errors
/// A directory that holds another run and may not be touched, is of something else (the message
/// says what differs), cannot be written, or belongs to a running process.
pub fn claim(dir: &Path, header: Header, existing: Existing) -> Result<Journal> {
    if dir.exists() && !dir.is_dir() {
        return Err(Error::input(format!(
            "{}: is a file; allowed for results: a directory, there or not",
            dir.display()
        )));
    }
    let (config, path) = (dir.join(EXPERIMENT), dir.join(JOURNAL));
    let taken = [EXPERIMENT, JOURNAL, SUMMARY]
        .iter()
        .any(|f| dir.join(f).exists());
    let refused = || {
        Err(Error::input(format!(
            "{}: holds another run; use another --out, --resume to continue it, or --force to \
             replace its results",
            dir.display()
        )))
    };
    if taken && existing == Existing::Refuse {
        return refused();
    }
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
    let claimed = Claimed::new(&path)?;
    let toml = header.provenance.config_toml.clone();
    let journal = match existing {
        // Another process may have come first since the look at the directory.
        Existing::Refuse if !claimed.is_empty()? => return refused(),
        Existing::Refuse => claimed.begin(header)?,
        Existing::Replace => {
            for name in [CHIPS, PARQUET, SUMMARY, REPORT, PICTURE] {
                files::remove_if_there(&dir.join(name))?;
            }
            claimed.begin(header)?
        }
        Existing::Continue => match claimed.open()? {
            Opened::Journal(journal) => {
                if let Some(difference) = journal.header().difference(&header) {
                    return Err(Error::input(format!(
                        "{}: is of another sweep; first difference: {difference}",
                        path.display()
                    )));
                }
                *journal
            }
            Opened::Nothing(claimed) => claimed.begin(header)?,
        },
    };
    files::write_atomically(&config, toml.as_bytes())?;
    Ok(journal)
}

/// Refuses a directory that no run has written to.
///
/// # Errors
/// No directory; one without a run's configuration and without trained networks.
pub fn check_run(dir: &Path) -> Result<()> {
    let what = match dir.is_dir() {
        false => "no such directory",
        true if dir.join(EXPERIMENT).exists() || dir.join(MODELS).is_dir() => return Ok(()),
        true => "holds no run",
    };
    Err(Error::input(format!(
        "--run {}: {what}; allowed: the output directory of a sweep, with {EXPERIMENT} or {MODELS}/",
        dir.display()
    )))
}

/// `runs/NAME`.
pub fn usual(name: &str) -> PathBuf {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let safe: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    Path::new("runs").join(safe)
}

/// The first of `runs/NAME`, `runs/NAME-2`, `runs/NAME-3`, ... that does not exist.
pub fn fresh(name: &str) -> PathBuf {
    let first = usual(name);
    let mut dir = first.clone();
    let mut n = 2;
    while dir.exists() {
        let mut numbered = first.clone().into_os_string();
        numbered.push(format!("-{n}"));
        dir = PathBuf::from(numbered);
        n += 1;
    }
    dir
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(toml: &str) -> Header {
        let mut header = Header::default();
        header.provenance.config_toml = toml.into();
        header
    }

    #[test]
    fn a_file_is_no_directory_and_an_empty_directory_no_run() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let e = claim(&file, header("a = 1\n"), Existing::Replace).unwrap_err();
        assert!(e.to_string().contains("file: is a file; allowed"), "{e}");
        let e = check_run(tmp.path()).unwrap_err();
        assert!(e.to_string().contains("holds no run; allowed"), "{e}");
        assert!(check_run(&tmp.path().join("none")).is_err());
        let dir = tmp.path().join("run");
        claim(&dir, header("a = 1\n"), Existing::Refuse).unwrap();
        check_run(&dir).unwrap();
    }

    #[test]
    fn another_run_is_refused_kept_or_replaced_as_told() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("deep/run");
        let claim = |toml, existing| claim(&dir, header(toml), existing);
        claim("a = 1\n", Existing::Refuse).unwrap();
        std::fs::write(dir.join(SUMMARY), "{}").unwrap();
        let e = claim("a = 1\n", Existing::Refuse).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert!(dir.join(SUMMARY).exists());
        claim("a = 1\n", Existing::Continue).unwrap();
        let e = claim("a = 2\n", Existing::Continue).unwrap_err();
        assert!(e.to_string().contains("`a = 1` there, `a = 2` now"), "{e}");
        claim("a = 2\n", Existing::Replace).unwrap();
        assert!(!dir.join(SUMMARY).exists());
    }

    #[test]
    fn one_process_at_a_time() {
        let tmp = tempfile::tempdir().unwrap();
        let held = claim(tmp.path(), header(""), Existing::Refuse).unwrap();
        for existing in [Existing::Continue, Existing::Replace] {
            let e = claim(tmp.path(), header(""), existing).unwrap_err();
            assert!(e.to_string().contains("another process"), "{e}");
        }
        drop(held);
        claim(tmp.path(), header(""), Existing::Continue).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let e = claim(&path.join("run"), header(""), Existing::Refuse).unwrap_err();
        assert!(e.to_string().contains("file"), "{e}");
    }
}
