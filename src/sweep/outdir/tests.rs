//! A directory is claimed by one run, and nothing of somebody else is replaced.

use super::*;
use crate::sweep::journal::{FORMAT, PlannedPoint, stored};
use crate::sweep::result::SweepResult;
use crate::sweep::rows::Rows;

/// A header with one point that depends on all of the configuration, `a = NUMBER`.
fn header(toml: &str) -> Header {
    let number: u32 = toml.trim().trim_start_matches("a = ").parse().unwrap();
    let mut header = Header {
        format: FORMAT,
        columns: stored(&[]),
        config: serde_json::json!({"a": number}),
        points: vec![PlannedPoint {
            id: toml.into(),
            ..PlannedPoint::default()
        }],
        ..Header::default()
    };
    header.provenance.config_toml = toml.into();
    header
}

fn claim(dir: &Path, toml: &str, existing: Existing) -> Result<Journal> {
    super::claim(dir, header(toml), existing, &[])
}

#[test]
fn a_file_is_no_directory_and_an_empty_directory_no_run() {
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let e = claim(&file, "a = 1\n", Existing::Replace).unwrap_err();
    assert!(e.to_string().contains("file: is a file; allowed"), "{e}");
    let e = check_run(tmp.path()).unwrap_err();
    assert!(e.to_string().contains("holds no run; allowed"), "{e}");
    assert!(check_run(&tmp.path().join("none")).is_err());
    let dir = tmp.path().join("run");
    claim(&dir, "a = 1\n", Existing::Refuse).unwrap();
    check_run(&dir).unwrap();
}

/// Puts results there as a run does.
fn publish(dir: &Path, journal: &mut Journal, summary: &'static str) {
    fn write(dir: &Path, result: &SweepResult, _: &dyn Rows) -> Result<()> {
        std::fs::write(dir.join(SUMMARY), &result.title).map_err(|e| Error::io(dir, e))
    }
    let mut result = crate::sweep::outcome::blank(journal);
    result.title = summary.into();
    super::publish(dir, write, &result, journal).unwrap();
    assert!(!dir.join(STAGE).exists());
}

#[test]
fn another_run_is_refused_kept_or_replaced_as_told() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("deep/run");
    let claim = |toml, existing| claim(&dir, toml, existing);
    let mut journal = claim("a = 1\n", Existing::Refuse).unwrap();
    publish(&dir, &mut journal, "one");
    publish(&dir, &mut journal, "two");
    drop(journal);
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
fn what_the_run_did_not_write_stays() {
    for name in [CHIPS, PARQUET, REPORT, PICTURE, SUMMARY, EXPERIMENT] {
        let tmp = tempfile::tempdir().unwrap();
        let (dir, file) = (tmp.path(), tmp.path().join(name));
        let mine = || std::fs::read_to_string(&file).unwrap() == "mine";
        // Before the run,
        std::fs::write(&file, "mine").unwrap();
        for existing in [Existing::Refuse, Existing::Continue] {
            let e = claim(dir, "a = 1\n", existing).unwrap_err();
            assert!(
                e.exit_code() == 2 && e.to_string().contains("--force"),
                "{e}"
            );
            assert!(mine() && !dir.join(MODELS).exists(), "{name}");
        }
        // in its place later,
        std::fs::remove_file(&file).unwrap();
        let mut journal = claim(dir, "a = 1\n", Existing::Continue).unwrap();
        publish(dir, &mut journal, "summary");
        drop(journal);
        std::fs::write(&file, "mine").unwrap();
        let e = claim(dir, "a = 1\n", Existing::Continue).unwrap_err();
        assert!(e.to_string().contains(name), "{e}");
        assert!(mine(), "{name}");
        // and only --force replaces it, unless it is read.
        let input = [file.clone()];
        let e = super::claim(dir, header("a = 1\n"), Existing::Replace, &input).unwrap_err();
        assert!(e.to_string().contains(name) && mine(), "{e}");
        claim(dir, "a = 1\n", Existing::Replace).unwrap();
        assert!(!file.exists() || !mine(), "{name}");
    }
}

#[test]
fn one_process_at_a_time() {
    let tmp = tempfile::tempdir().unwrap();
    let held = claim(tmp.path(), "a = 1\n", Existing::Refuse).unwrap();
    for existing in [Existing::Continue, Existing::Replace] {
        let e = claim(tmp.path(), "a = 1\n", existing).unwrap_err();
        assert!(e.to_string().contains("another process"), "{e}");
    }
    drop(held);
    claim(tmp.path(), "a = 1\n", Existing::Continue).unwrap();
}

#[test]
fn a_file_in_the_way_is_an_error_that_names_it() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let e = claim(&path.join("run"), "a = 1\n", Existing::Refuse).unwrap_err();
    assert!(e.to_string().contains("file"), "{e}");
}
