//! Documents with a field set or not: how the values of axes are tried and points are made. One
//! parsed document serves all of them, so that the work grows with their number and not with its
//! square.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error as SyntaxError};

use super::axes::Trial;
use super::reader::{Reader, shown};
use super::{Experiment, read_root};

/// Most syntax errors that are told; what follows the first ones is often their echo.
const MAX_SYNTAX: usize = 20;

/// Most characters of a line of the text that a syntax error quotes.
const MAX_QUOTED: usize = 160;

/// The mistakes of a text that is no TOML, with their lines.
pub(super) fn syntax(reader: &Reader, errors: &[SyntaxError]) -> Vec<String> {
    let source = reader.source();
    let told = errors.iter().take(MAX_SYNTAX).map(|e| {
        let line = e.span().map_or(1, |span| reader.line_at(span.start));
        let text = e.to_string();
        let lines: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| line.chars().take(MAX_QUOTED).collect())
            .collect();
        format!("{source}:{line}: {}", lines.join("\n"))
    });
    let mut messages: Vec<String> = told.collect();
    if errors.len() > MAX_SYNTAX {
        let more = errors.len() - MAX_SYNTAX;
        messages.push(format!("{source}: and {more} more mistakes"));
    }
    messages
}

/// Reads a document that the program wrote: the messages have no lines, and combinations are not
/// judged.
pub(super) fn read_document(document: &DeTable) -> Result<Experiment, Vec<String>> {
    let reader = Reader::new("", None);
    let (experiment, _) = read_root(&reader, document, "experiment");
    let mut messages: Vec<String> = reader.errors().into_iter().map(|(_, m)| m).collect();
    messages.dedup();
    match messages.is_empty() {
        true => Ok(experiment),
        false => Err(messages),
    }
}

/// Sets every value of every axis in the document, alone, and reads it: the field's own reader
/// says what is wrong with it, at the axis's line.
pub(super) fn try_axes<'t>(reader: &Reader, document: &DeTable<'t>, trials: &[Trial<'t>]) {
    if trials.is_empty() {
        return;
    }
    // Without the axes and the words, which no axis sets and which may be long.
    let mut base = document.clone();
    for key in ["title", "about", "data"] {
        base.remove(key);
    }
    if let Some(DeValue::Table(sweep)) = base.get_mut("sweep").map(Spanned::get_mut) {
        sweep.remove("grid");
        sweep.remove("axes");
    }
    let errors = |document: &DeTable| {
        let again = reader.again();
        read_root(&again, document, "experiment");
        again.errors()
    };
    let known: HashSet<(usize, String)> = errors(&base).into_iter().collect();
    for trial in trials {
        let mut document = base.clone();
        let line = reader.line_at(trial.value.span().start);
        if !insert(&mut document, &trial.path, trial.value) {
            let text = format!(
                "unknown field `{}`: what the file has there is no table",
                trial.path
            );
            reader.error(line, text);
            continue;
        }
        let (own, place) = (format!("field `{}`", trial.path), &trial.place);
        for (at, message) in errors(&document) {
            let found = (at, message);
            if known.contains(&found) {
                continue;
            }
            let message = found.1;
            let text = match message.strip_prefix(&own) {
                Some(rest) => format!("field `{place}`{rest}"),
                None if message.starts_with("unknown") => message,
                None => format!(
                    "{message} (with `{place}` = {})",
                    shown(trial.value.get_ref())
                ),
            };
            reader.error(line, text);
        }
    }
}

/// Sets a field of a document, making the tables around it; false where something else than a table
/// is in the way.
#[must_use]
pub(super) fn insert<'t>(
    document: &mut DeTable<'t>,
    path: &str,
    value: &Spanned<DeValue<'t>>,
) -> bool {
    let (around, key) = match path.rsplit_once('.') {
        Some((around, key)) => (Some(around), key),
        None => (None, path),
    };
    let name = |key: &str| Spanned::new(value.span(), key.to_string().into());
    let mut table = document;
    for part in around.into_iter().flat_map(|around| around.split('.')) {
        let empty = || Spanned::new(value.span(), DeValue::Table(DeTable::new()));
        match table.entry(name(part)).or_insert_with(empty).get_mut() {
            DeValue::Table(inner) => table = inner,
            _ => return false,
        }
    }
    table.insert(name(key), value.clone());
    true
}
