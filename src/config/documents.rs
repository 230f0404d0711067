//! Documents with a field set or not: how the values of axes are tried and points are made. One
//! parsed document serves all of them, so that the work grows with their number and not with its
//! square.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error as SyntaxError};

use super::axes::Trial;
use super::reader::{Reader, and_more, shown};
use super::{Experiment, path, read_root};
use crate::error::{Code, Mistake};

/// Most syntax errors that are told; what follows the first ones is often their echo.
const MAX_SYNTAX: usize = 20;

/// Most characters of a line of the text that a syntax error quotes.
const MAX_QUOTED: usize = 160;

/// The mistakes of a text that is no TOML, with their lines.
pub(super) fn syntax(reader: &Reader, errors: &[SyntaxError]) -> Vec<Mistake> {
    let source = reader.source();
    let told = errors.iter().take(MAX_SYNTAX).map(|e| {
        let line = e.span().map_or(1, |span| reader.line_at(span.start));
        let text = e.to_string();
        let lines: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| line.chars().take(MAX_QUOTED).collect())
            .collect();
        Mistake {
            file: Some(source.to_string()),
            line: Some(line),
            ..Mistake::new(Code::Syntax, lines.join("\n"))
        }
    });
    let more = errors.len().saturating_sub(MAX_SYNTAX);
    told.chain(and_more(more, Some(source))).collect()
}

/// Reads a document that the program wrote: the messages have no lines, and combinations are not
/// judged.
pub(super) fn read_document(document: &DeTable) -> Result<Experiment, Vec<Mistake>> {
    let reader = Reader::new("", None);
    let (experiment, _) = read_root(&reader, document, "experiment");
    let mut mistakes: Vec<Mistake> = reader.errors().into_iter().map(|(_, m)| m).collect();
    mistakes.dedup();
    match mistakes.is_empty() {
        true => Ok(experiment),
        false => Err(mistakes),
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
    let known: HashSet<(usize, Mistake)> = errors(&base).into_iter().collect();
    for trial in trials {
        let mut document = base.clone();
        let line = reader.line_at(trial.value.span().start);
        if !insert(&mut document, &trial.path, trial.value) {
            let text = format!(
                "unknown field `{}`: what the file has there is no table",
                trial.path
            );
            let mistake = Mistake {
                field: Some(trial.path.clone()),
                ..Mistake::new(Code::UnknownField, text)
            };
            reader.error(line, mistake);
            continue;
        }
        for found in errors(&document) {
            if known.contains(&found) {
                continue;
            }
            let mut mistake = found.1;
            if mistake.field.as_ref() == Some(&trial.path) && mistake.code != Code::UnknownField {
                mistake.field = Some(trial.place.clone());
            } else if mistake.code != Code::UnknownField {
                let value = shown(trial.value.get_ref());
                mistake.at = Some(format!("with `{}` = {value}", trial.place));
            }
            reader.error(line, mistake);
        }
    }
}

/// Sets a field of a document, making the tables around it; false where something else than a table
/// is in the way. A table in an array is called by its name or kind ([`path::NAMES`]).
#[must_use]
pub(super) fn insert<'t>(
    document: &mut DeTable<'t>,
    path: &str,
    value: &Spanned<DeValue<'t>>,
) -> bool {
    let keys = path::split(path).unwrap_or_default();
    let Some((key, around)) = keys.split_last() else {
        return false;
    };
    let name = |key: &str| Spanned::new(value.span(), key.to_string().into());
    let mut table = document;
    let mut around = around.iter();
    while let Some(part) = around.next() {
        let empty = || Spanned::new(value.span(), DeValue::Table(DeTable::new()));
        let inner = table.entry(name(part)).or_insert_with(empty).get_mut();
        let inner = match inner {
            DeValue::Array(list) => {
                let mut items = list.iter_mut().map(Spanned::get_mut);
                let name = around.next();
                name.and_then(|name| items.find(|item| is_called(item, name)))
            }
            other => Some(other),
        };
        match inner {
            Some(DeValue::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    table.insert(name(key), value.clone());
    true
}

/// Whether a path calls a table in an array by this name.
fn is_called(item: &DeValue, part: &str) -> bool {
    let Some(table) = item.as_table() else {
        return false;
    };
    let mut names = path::NAMES.iter().filter_map(|name| table.get(*name));
    names.any(|name| name.get_ref().as_str() == Some(part))
}
