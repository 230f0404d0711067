//! Who may write to an output directory.

use std::path::{Path, PathBuf};

use super::publish::clear;
use super::says_the_same;
use super::{EXPERIMENT, Existing, JOURNAL, RESULTS, STAGE, check_results, foreign, is_there};
use crate::error::{Error, Result};
use crate::files::{self, outputs};
use crate::sweep::journal::{Claimed, Header, Journal, Opened};

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
pub(in crate::sweep) fn may_continue(journal: &Journal, header: &Header) -> Result<()> {
    match journal.header().difference(header) {
        Some(difference) => Err(Error::input(format!(
            "{}: is of another sweep; first difference: {difference}; allowed: the same settings with \
             other numbers of chips or values of the axes, another --out, or --force to begin again",
            journal.path().display()
        ))),
        None => Ok(()),
    }
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

fn write_experiment(dir: &Path, journal: &Journal, toml: &str) -> Result<()> {
    let path = dir.join(EXPERIMENT);
    match says_the_same(&path, journal.header()) {
        true => Ok(()),
        false => files::write_atomically(&path, toml.as_bytes()),
    }
}
