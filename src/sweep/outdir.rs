//! The directory a run writes to, and who may write there.

use std::path::{Path, PathBuf};

use super::journal::{Claimed, Header, Journal, Opened};
use super::outcome::Write;
use super::result::SweepResult;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::files::{self, outputs};

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
    /// Continue: with other numbers of chips and other points, if some are the same.
    Continue,
}

/// What is made from the journal, in the order in which it is replaced: the summary last.
const RESULTS: [&str; 5] = [CHIPS, PARQUET, REPORT, PICTURE, SUMMARY];

/// Where results are made before they replace the old ones.
const STAGE: &str = ".results.tmp";

/// Creates (or takes over) the output directory: locks its journal for this process and writes the
/// configuration beside it, which also proves that it is writable before any work is done. `inputs`
/// are the files that the run reads.
///
/// # Errors
/// A directory that holds another run and may not be touched, is of something else (the message
/// says what differs), cannot be written, or belongs to a running process; a file in it that this
/// run did not write and would replace; one of the inputs in the place of an output.
pub fn claim(
    dir: &Path,
    header: Header,
    existing: Existing,
    inputs: &[PathBuf],
) -> Result<Journal> {
    if dir.exists() && !dir.is_dir() {
        return Err(Error::input(format!(
            "{}: is a file; allowed for results: a directory, there or not",
            dir.display()
        )));
    }
    let path = dir.join(JOURNAL);
    let others = || {
        let mut names = [EXPERIMENT].into_iter().chain(RESULTS);
        names.find(|name| is_there(&dir.join(name)))
    };
    match existing {
        Existing::Refuse if is_there(&path) => return Err(holds(dir, JOURNAL)),
        Existing::Refuse => {
            if let Some(name) = others() {
                return Err(holds(dir, name));
            }
        }
        Existing::Continue if !is_there(&path) => {
            if let Some(name) = others() {
                return Err(foreign(&dir.join(name)));
            }
        }
        // Before anything is made there.
        Existing::Replace if !is_there(&path) => {
            check_experiment(dir, &header, None, inputs, true)?;
        }
        Existing::Continue | Existing::Replace => {}
    }
    for name in [JOURNAL].into_iter().chain(RESULTS) {
        outputs::refuse_inputs(&dir.join(name), inputs)?;
    }
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
    let claimed = Claimed::new(&path)?;
    let toml = header.provenance.config_toml.clone();
    let journal = match existing {
        // Another process may have come first since the look at the directory.
        Existing::Refuse if !claimed.is_empty()? => return Err(holds(dir, JOURNAL)),
        Existing::Refuse => claimed.begin(header)?,
        Existing::Replace => {
            check_experiment(dir, &header, claimed.peek().as_ref(), inputs, true)?;
            for name in RESULTS {
                files::remove_if_there(&dir.join(name))?;
            }
            claimed.begin(header)?
        }
        Existing::Continue => match claimed.open()? {
            Opened::Journal(mut journal) => {
                may_continue(&journal, &header)?;
                check_experiment(dir, &header, Some(&journal), inputs, false)?;
                check_results(dir, &journal)?;
                journal.replan(header)?;
                *journal
            }
            Opened::Nothing(claimed) => {
                if let Some(name) = others() {
                    return Err(foreign(&dir.join(name)));
                }
                claimed.begin(header)?
            }
        },
    };
    write_experiment(dir, &journal, &toml)?;
    // What a process that was killed was making.
    clear(&dir.join(STAGE))?;
    Ok(journal)
}

/// Refuses to continue what was begun with settings of which no chip can be used.
///
/// # Errors
/// The first difference.
pub(super) fn may_continue(journal: &Journal, header: &Header) -> Result<()> {
    match journal.header().difference(header) {
        Some(difference) => Err(Error::input(format!(
            "{}: is of another sweep; first difference: {difference}; allowed: the same settings with \
             other numbers of chips or values of the axes, another --out, or --force to begin again",
            journal.path().display()
        ))),
        None => Ok(()),
    }
}

/// Whether a name is taken, if only by a link to nothing.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn holds(dir: &Path, name: &str) -> Error {
    let what = match name {
        JOURNAL | EXPERIMENT => "another run".to_string(),
        name => format!("a {name}"),
    };
    Error::input(format!(
        "{}: holds {what}; use another --out, --resume to continue a run, or --force to replace its \
         results",
        dir.display()
    ))
}

fn foreign(path: &Path) -> Error {
    Error::input(format!(
        "{}: was not written by this run and would be replaced; allowed: to move it away, another \
         --out, or --force to begin again and replace it",
        path.display()
    ))
}

/// Refuses a configuration that would be replaced and is somebody's own: an input, or, unless `force`,
/// any that this run did not write. One that says the same as `header` stays as it is.
fn check_experiment(
    dir: &Path,
    header: &Header,
    journal: Option<&Journal>,
    inputs: &[PathBuf],
    force: bool,
) -> Result<()> {
    let path = dir.join(EXPERIMENT);
    if !is_there(&path) || says_the_same(&path, header) {
        return Ok(());
    }
    let digest = outputs::sha256(&path)?;
    if journal.is_some_and(|j| j.wrote(EXPERIMENT, &digest)) {
        return Ok(());
    }
    if inputs.iter().any(|input| outputs::same_file(&path, input)) {
        return Err(Error::input(format!(
            "{}: is read as the experiment and would be replaced by it with the changes of the \
             command line; allowed: to make the changes in the file, or another --out",
            path.display()
        )));
    }
    match force {
        true => Ok(()),
        false => Err(foreign(&path)),
    }
}

/// Whether an experiment file is the configuration of a header, in whatever words.
fn says_the_same(path: &Path, header: &Header) -> bool {
    let text = std::fs::read(path);
    if text.is_ok_and(|text| text == header.provenance.config_toml.as_bytes()) {
        return true;
    }
    let Ok(mut experiment) = Experiment::load(path) else {
        return false;
    };
    experiment.make_paths_absolute();
    serde_json::to_value(&experiment).is_ok_and(|config| config == header.config)
}

fn write_experiment(dir: &Path, journal: &Journal, toml: &str) -> Result<()> {
    let path = dir.join(EXPERIMENT);
    match says_the_same(&path, journal.header()) {
        true => Ok(()),
        false => files::write_atomically(&path, toml.as_bytes()),
    }
}

/// Refuses results in the directory that this run did not write. The page may also have been made
/// again by `pimento report`.
fn check_results(dir: &Path, journal: &Journal) -> Result<()> {
    for name in RESULTS {
        let path = dir.join(name);
        if !is_there(&path) || journal.wrote(name, &outputs::sha256(&path)?) {
            continue;
        }
        if name == REPORT && std::fs::read(&path).is_ok_and(|page| is_page(&page)) {
            continue;
        }
        return Err(match journal.lost_files(name) {
            Some(why) => Error::input(format!(
                "{}: {why}; allowed: to move `{name}` away (--resume makes it again from the chips in \
                 the journal), or the journal as it was written",
                journal.path().display()
            )),
            None => foreign(&path),
        });
    }
    Ok(())
}

/// Refuses a table of chips or a summary that is not what the journal beside it recorded. Where there
/// is no journal (files that were copied) nothing is known of them.
///
/// # Errors
/// A damaged journal; a file that was changed since the run wrote it.
pub fn check_files(dir: &Path) -> Result<()> {
    let path = dir.join(JOURNAL);
    if !is_there(&path) {
        return Ok(());
    }
    let journal = Journal::look(&path)?;
    for name in [CHIPS, SUMMARY] {
        let file = dir.join(name);
        let digest = outputs::sha256(&file)?;
        // A process that is at work may have replaced it since the look.
        if journal.wrote(name, &digest) || Journal::look(&path)?.wrote(name, &digest) {
            continue;
        }
        return Err(Error::input(match journal.lost_files(name) {
            Some(why) => format!(
                "{}: {why}; allowed: the journal as it was written, or the directory without it",
                path.display()
            ),
            None => format!(
                "{}: has SHA-256 {digest}, which {JOURNAL} beside it has not recorded: changed since the \
                 run wrote it; allowed: the file as it was written (without it, `pimento sweep \
                 --resume` makes it again)",
                file.display()
            ),
        }));
    }
    Ok(())
}

/// What every page of Pimento says of itself.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"Pimento ";

/// Bytes before the end of [`GENERATOR`] at most.
const HEAD: usize = 512;

/// Whether this is a page that Pimento made.
pub fn is_page(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    head.contains(GENERATOR)
}

/// Makes the results and puts them into the directory. Their digests are in the journal before the
/// first file is replaced, so that a run that was killed in between knows its own.
///
/// # Errors
/// The disk; a file in the directory that this run did not write.
pub(super) fn publish(
    dir: &Path,
    write: Write,
    result: &SweepResult,
    journal: &mut Journal,
) -> Result<()> {
    let stage = dir.join(STAGE);
    clear(&stage)?;
    std::fs::create_dir(&stage).map_err(|e| Error::io(&stage, e))?;
    let done = replace_results(dir, &stage, write, result, journal);
    let cleared = clear(&stage);
    done.and(cleared)
}

fn replace_results(
    dir: &Path,
    stage: &Path,
    write: Write,
    result: &SweepResult,
    journal: &mut Journal,
) -> Result<()> {
    write(stage, result, journal)?;
    check_results(dir, journal)?;
    let mut digests = Vec::new();
    for name in RESULTS {
        let made = stage.join(name);
        if made.exists() {
            digests.push((name.to_string(), outputs::sha256(&made)?));
        }
    }
    journal.note_files(&digests)?;
    for name in RESULTS {
        let (made, path) = (stage.join(name), dir.join(name));
        match made.exists() {
            true => files::move_over(&made, &path)?,
            // Another build of Pimento made it, of other rows.
            false => files::remove_if_there(&path)?,
        }
    }
    Ok(())
}

fn clear(stage: &Path) -> Result<()> {
    match std::fs::remove_dir_all(stage) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(stage, e)),
        _ => Ok(()),
    }
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

/// The run that a path means: a directory with a journal, or the configuration in it.
pub fn run_of(path: &Path) -> Option<PathBuf> {
    let dir = match path.is_dir() {
        true => path,
        false if path.file_name().is_some_and(|name| name == EXPERIMENT) => {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            parent.unwrap_or(Path::new("."))
        }
        false => return None,
    };
    dir.join(JOURNAL).is_file().then(|| dir.to_path_buf())
}

/// Where the run in a directory keeps its trained networks, if that can be read and is there: in the
/// directory itself (which may be a copy), else where its journal says.
pub fn models_of(dir: &Path) -> Option<PathBuf> {
    let own = dir.join(MODELS);
    if own.is_dir() {
        return Some(own);
    }
    let journal = Journal::read(&dir.join(JOURNAL)).ok()?;
    let noted = journal.header().models.clone();
    noted.filter(|models| models.is_dir())
}

/// The experiment of the run in a directory, and its journal.
///
/// # Errors
/// No run; a configuration that was changed since; a process that writes there.
pub fn open_run(dir: &Path) -> Result<(Experiment, Journal)> {
    let (path, journal) = (dir.join(EXPERIMENT), dir.join(JOURNAL));
    if !journal.is_file() {
        return Err(Error::input(format!(
            "{}: holds no {JOURNAL}; allowed: the output directory of a sweep, or an experiment file",
            dir.display()
        )));
    }
    let journal = Journal::read(&journal)?;
    if !is_there(&path) {
        return Err(Error::input(format!(
            "{}: is missing; allowed: the file as the run wrote it (pimento sweep --resume writes it \
             again)",
            path.display()
        )));
    }
    if !says_the_same(&path, journal.header()) {
        return Err(Error::input(format!(
            "{}: is not what the run was made with; allowed: the file as the run wrote it, or to \
             continue the run with the changes (pimento sweep {} --resume)",
            path.display(),
            path.display()
        )));
    }
    Ok((Experiment::load(&path)?, journal))
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
    use crate::sweep::journal::{FORMAT, PlannedPoint, stored};
    use crate::sweep::rows::Rows;

    /// A header with one point that depends on all of the configuration, `a = NUMBER`.
    fn header(toml: &str) -> Header {
        let number: u32 = toml.trim().trim_start_matches("a = ").parse().unwrap();
        let mut header = Header {
            format: FORMAT,
            columns: stored(),
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
}
