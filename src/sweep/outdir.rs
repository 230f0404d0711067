//! The directory a run writes to, and who may write there.

mod claim;
mod publish;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::journal::{Header, Journal};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::files::outputs;

pub use claim::claim;
pub(super) use claim::may_continue;
pub(super) use publish::publish;

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

/// Whether a name is taken, if only by a link to nothing.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn foreign(path: &Path) -> Error {
    Error::input(format!(
        "{}: was not written by this run and would be replaced; allowed: to move it away, another \
         --out, or --force to begin again and replace it",
        path.display()
    ))
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
