//! Reads the tables of a TOML document field by field and collects every mistake with its line.
//!
//! A derived deserializer stops at the first mistake and knows ranges only through further code.
//! Here every field is asked for by name, which also makes it known, so that [`Section::finish`] can
//! report the unknown ones; its [`Rule`] judges the value.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::axes::Trial;
use super::rule::{Rule, wrong_type};
use crate::error::{Code, Mistake};

/// A value with its place in the text.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Where the mistakes of one document are collected.
pub(super) struct Reader {
    /// Name of the document; none: a document without places.
    source: Option<String>,
    /// Byte offset of the first character of every line.
    line_starts: Rc<[usize]>,
    errors: RefCell<Vec<(usize, Mistake)>>,
    /// Line of every field that the document sets.
    lines: RefCell<BTreeMap<String, usize>>,
}

/// Most mistakes that are told; a file with more is no experiment with a few typing errors.
const MAX_MESSAGES: usize = 100;

/// Most characters of a name or path in a message.
const MAX_SHOWN: usize = 120;

impl Reader {
    /// For a text that is called `source` in messages; without a name messages have no places.
    pub(super) fn new(text: &str, source: Option<&str>) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        Self {
            source: source.map(str::to_string),
            line_starts: std::iter::once(0)
                .chain(breaks.map(|(i, _)| i + 1))
                .collect(),
            errors: RefCell::default(),
            lines: RefCell::default(),
        }
    }

    /// For another document with places in the same text.
    pub(super) fn again(&self) -> Self {
        Self {
            source: self.source.clone(),
            line_starts: Rc::clone(&self.line_starts),
            errors: RefCell::default(),
            lines: RefCell::default(),
        }
    }

    /// Name of the document in messages.
    pub(super) fn source(&self) -> &str {
        self.source.as_deref().unwrap_or("experiment")
    }

    /// Name of the document, if it has places.
    pub(super) fn name(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Lines of the fields so far whose paths begin so.
    pub(super) fn lines_in(&self, prefix: &str) -> BTreeMap<String, usize> {
        let lines = self.lines.borrow();
        let inside = lines.iter().filter(|(path, _)| path.starts_with(prefix));
        inside.map(|(path, line)| (path.clone(), *line)).collect()
    }

    /// Line (from 1) of a byte offset.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Line of a field, or of the nearest table around it that the document has, or 1.
    pub(super) fn line_of(&self, path: &str) -> usize {
        let lines = self.lines.borrow();
        let mut path = path;
        loop {
            if let Some(line) = lines.get(path) {
                return *line;
            }
            match path.rfind('.') {
                Some(dot) => path = &path[..dot],
                None => return 1,
            }
        }
    }

    /// Whether the document sets the field itself.
    pub(super) fn sets(&self, path: &str) -> bool {
        self.lines.borrow().contains_key(path)
    }

    /// Writes down the line of a field.
    pub(super) fn note(&self, path: String, line: usize) {
        self.lines.borrow_mut().insert(path, line);
    }

    /// Records a mistake.
    pub(super) fn error(&self, line: usize, mistake: Mistake) {
        self.errors.borrow_mut().push((line, mistake));
    }

    /// The mistakes so far with their places, by line, without repetitions; after the first
    /// [`MAX_MESSAGES`] how many more there are.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut errors = self.errors.borrow().clone();
        errors.sort_by_key(|(line, _)| *line);
        errors.dedup();
        let more = errors.len().saturating_sub(MAX_MESSAGES);
        let told = errors.into_iter().take(MAX_MESSAGES);
        let place = |(line, mistake)| Mistake {
            file: self.source.clone(),
            // A document without places was written by the program.
            line: self.source.as_ref().map(|_| line),
            ..mistake
        };
        let mut mistakes: Vec<Mistake> = told.map(place).collect();
        mistakes.extend(and_more(more, self.source.as_deref()));
        mistakes
    }

    /// Whether there are no mistakes so far.
    pub(super) fn is_content(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The mistakes so far with their lines, in the order in which they were found.
    pub(super) fn errors(&self) -> Vec<(usize, Mistake)> {
        self.errors.borrow().clone()
    }

    /// The document's outermost table.
    pub(super) fn root<'t>(&'t self, table: &'t DeTable<'t>) -> Section<'t> {
        self.table(String::new(), table)
    }

    /// A table at a path of the document.
    pub(super) fn table<'t>(&'t self, path: String, table: &'t DeTable<'t>) -> Section<'t> {
        Section {
            reader: self,
            path,
            table: Some(table),
            known: Vec::new(),
            trials: Vec::new(),
        }
    }
}

/// One table of the document while it is read; an absent table gives only defaults.
pub(super) struct Section<'t> {
    reader: &'t Reader,
    path: String,
    table: Option<&'t DeTable<'t>>,
    known: Vec<&'static str>,
    /// Values of axes, which are yet to be tried.
    pub(super) trials: Vec<Trial<'t>>,
}

impl<'t> Section<'t> {
    /// Where mistakes are collected.
    pub(super) fn reader(&self) -> &'t Reader {
        self.reader
    }

    /// Whether the document has this table.
    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Whether the table sets a field.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Full name of a field of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Makes a field known and finds its value.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Value<'t>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        let line = self.reader.line_at(value.span().start);
        self.reader.note(self.path_of(key), line);
        Some(value)
    }

    /// Records a mistake of a field of this table, or of a section inside (`cells.levels`).
    pub(super) fn refuse(&self, key: &str, mistake: impl Into<Box<Mistake>>) {
        let mut mistake = *mistake.into();
        let path = self.path_of(key);
        let (around, last) = key.rsplit_once('.').unwrap_or(("", key));
        let sections = around.split('.').filter(|part| !part.is_empty());
        let value = sections
            .fold(self.table, |table, part| {
                table?.get(part)?.get_ref().as_table()
            })
            .and_then(|table| table.get(last));
        if let (None, Some(value)) = (&mistake.value, value) {
            mistake.value = Some(shown(value.get_ref()));
        }
        let line = self.reader.line_of(&path);
        mistake.field = Some(path);
        self.reader.error(line, mistake);
    }

    /// Reads a field of which only the value matters here: another call reports its mistakes.
    pub(super) fn peek<T: Serialize>(&self, key: &str, rule: &impl Rule<T>) -> Option<T> {
        rule.read(self.table?.get(key)?.get_ref()).ok()
    }

    /// A table inside this one, to [`Section::peek`] into.
    pub(super) fn glance(&self, key: &str) -> Section<'t> {
        let value = self.table.and_then(|table| table.get(key));
        self.inner(key, value.and_then(|v| v.get_ref().as_table()))
    }

    fn inner(&self, key: &str, table: Option<&'t DeTable<'t>>) -> Section<'t> {
        Section {
            reader: self.reader,
            path: self.path_of(key),
            table,
            known: Vec::new(),
            trials: Vec::new(),
        }
    }

    /// A table inside this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'t> {
        let value = self.value(key);
        let table = value.and_then(|v| v.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            self.refuse(key, wrong_type(value.get_ref(), "a table", "a table"));
        }
        self.inner(key, table)
    }

    /// An array of tables, each with its line and its entries in the order of the file.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Entries<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array() else {
            self.refuse(
                key,
                wrong_type(value.get_ref(), "an array of tables", "tables"),
            );
            return Vec::new();
        };
        let mut found = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let path = format!("{}[{i}]", self.path_of(key));
            let line = self.reader.line_at(item.span().start);
            let Some(table) = item.get_ref().as_table() else {
                let mut problem = wrong_type(item.get_ref(), "a table", "tables");
                problem.field = Some(path);
                self.reader.error(line, problem);
                continue;
            };
            self.reader.note(path.clone(), line);
            found.push(self.entries_of(path, table));
        }
        found
    }

    /// A table whose keys are not fields: its entries in the order of the file.
    pub(super) fn entries(&mut self, key: &'static str) -> Option<Entries<'t>> {
        let value = self.value(key)?;
        let path = self.path_of(key);
        match value.get_ref().as_table() {
            Some(table) => Some(self.entries_of(path, table)),
            None => {
                self.refuse(key, wrong_type(value.get_ref(), "a table", "a table"));
                None
            }
        }
    }

    fn entries_of(&self, path: String, table: &'t DeTable<'t>) -> Entries<'t> {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(k, v)| (k.span().start, k.get_ref().as_ref(), v))
            .collect();
        entries.sort_by_key(|(at, ..)| *at);
        for (at, name, _) in &entries {
            let line = self.reader.line_at(*at);
            self.reader.note(format!("{path}.{name}"), line);
        }
        let entries = entries.into_iter().map(|(_, k, v)| (k, v)).collect();
        Entries { path, entries }
    }

    /// Ends a section inside this one.
    pub(super) fn finish_inner(&mut self, mut inner: Section<'t>) {
        self.trials.append(&mut inner.trials);
        inner.finish();
    }

    /// Reports the fields nobody asked for. Every section ends with this.
    pub(super) fn finish(self) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let line = self.reader.line_at(key.span().start);
                let path = self.path_of(name);
                let mistake = unknown(Code::UnknownField, &path, name, &self.known);
                self.reader.error(line, mistake);
            }
        }
    }
}

/// A table whose keys are not fields, see [`Section::tables`] and [`Section::entries`].
pub(super) struct Entries<'t> {
    /// `sweep.grid[0]`.
    pub(super) path: String,
    /// Keys and values in the order of the file.
    pub(super) entries: Vec<(&'t str, &'t Value<'t>)>,
}

/// A name that does not exist.
pub(super) fn unknown(code: Code, path: &str, name: &str, allowed: &[&str]) -> Mistake {
    let what = match code == Code::UnknownAxis {
        true => "axis",
        false => "field",
    };
    let path = short(path);
    let mistake = Mistake::new(code, format!("unknown {what} `{path}`"))
        .allowed(allowed.join(", "))
        .hint(nearest(name, allowed).map(str::to_string));
    Mistake {
        field: Some(path.into_owned()),
        ..mistake
    }
}

/// That a document has more mistakes than are listed, if it has.
pub(super) fn and_more(more: usize, source: Option<&str>) -> Option<Mistake> {
    let text = format!("and {more} more mistakes");
    (more > 0).then(|| Mistake {
        file: source.map(str::to_string),
        ..Mistake::new(Code::More, text)
    })
}

/// The beginning of a name or path that may be of any length.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// The allowed name that was probably meant.
pub(super) fn nearest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    // Nobody types a long name by mistake, and comparing it takes the square of its length.
    if name.len() > MAX_SHOWN {
        return None;
    }
    // 0.7 of Jaro-Winkler similarity accepts a typing error or a missing ending, not any word.
    allowed
        .iter()
        .map(|a| (strsim::jaro_winkler(&name.to_lowercase(), a), *a))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, a)| a)
}

/// Text of a value as the user wrote it, shortened.
pub(super) fn shown(value: &DeValue) -> String {
    match value {
        DeValue::String(s) => {
            let short: String = s.chars().take(60).collect();
            let dots = if short.len() < s.len() { "..." } else { "" };
            format!("\"{}{dots}\"", short.escape_debug())
        }
        DeValue::Integer(i) => i.to_string(),
        DeValue::Float(x) => x.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        DeValue::Array(a) => format!("an array of {}", a.len()),
        DeValue::Table(_) => "a table".to_string(),
    }
}
