//! The directory a run writes to, and who may write there.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// Present in every directory that a run has claimed: the configuration as it ran.
pub const EXPERIMENT: &str = "experiment.toml";
/// One row per point and chip.
pub const CHIPS: &str = "chips.csv";
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

/// Creates (or takes over) the output directory and writes the configuration into it, which also
/// proves that it is writable before any work is done.
pub fn claim(dir: &Path, experiment_toml: &str, existing: Existing) -> Result<()> {
    let config = dir.join(EXPERIMENT);
    let taken = config.exists() || dir.join(SUMMARY).exists();
    if taken && existing == Existing::Refuse {
        return Err(Error::input(format!(
            "{}: holds another run; use another --out, --resume to continue it, or --force to \
             replace its results",
            dir.display()
        )));
    }
    if taken && existing == Existing::Continue {
        let old = std::fs::read_to_string(&config).map_err(|e| Error::io(&config, e))?;
        if old != experiment_toml {
            return Err(Error::input(format!(
                "{}: was made by another configuration; first difference: {}",
                config.display(),
                first_difference(&old, experiment_toml)
            )));
        }
    }
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
    if taken && existing == Existing::Replace {
        for name in [CHIPS, SUMMARY, REPORT, PICTURE] {
            let path = dir.join(name);
            if path.exists() {
                std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
            }
        }
    }
    files::write_atomically(&config, experiment_toml.as_bytes())
}

fn first_difference(old: &str, new: &str) -> String {
    let (mut a, mut b) = (old.lines(), new.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => {}
            (None, None) => return "line endings".into(),
            (x, y) => {
                let text = |l: Option<&str>| l.unwrap_or("(nothing)").to_string();
                return format!("`{}` there, `{}` now", text(x), text(y));
            }
        }
    }
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

    #[test]
    fn another_run_is_refused_kept_or_replaced_as_told() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("deep/run");
        claim(&dir, "a = 1\n", Existing::Refuse).unwrap();
        std::fs::write(dir.join(SUMMARY), "{}").unwrap();
        let e = claim(&dir, "a = 1\n", Existing::Refuse).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert!(dir.join(SUMMARY).exists());
        claim(&dir, "a = 1\n", Existing::Continue).unwrap();
        let e = claim(&dir, "a = 2\n", Existing::Continue).unwrap_err();
        assert!(e.to_string().contains("`a = 1` there, `a = 2` now"), "{e}");
        claim(&dir, "a = 2\n", Existing::Replace).unwrap();
        assert!(!dir.join(SUMMARY).exists());
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let e = claim(&path.join("run"), "", Existing::Refuse).unwrap_err();
        assert!(e.to_string().contains("file"), "{e}");
    }
}
