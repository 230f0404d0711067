//! Reads the tables of a TOML document field by field and collects every mistake with its line.
//!
//! A derived deserializer stops at the first mistake and knows ranges only through further code.
//! Here a field is read by one call that names it, its default and what is allowed; asking for a
//! field is also what makes it known, so [`Section::finish`] can report the unknown ones.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::choice::Choice;

/// A value with its place in the text.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Where the mistakes of one document are collected.
pub(super) struct Reader {
    source: String,
    /// Byte offset of the first character of every line.
    line_starts: Rc<[usize]>,
    errors: RefCell<Vec<(usize, String)>>,
    /// Line of every field that the document sets.
    lines: RefCell<BTreeMap<String, usize>>,
}

/// Most mistakes that are told; a file with more is no experiment with a few typing errors.
const MAX_MESSAGES: usize = 100;

/// Most characters of a name or path in a message.
const MAX_SHOWN: usize = 120;

impl Reader {
    /// For a text that is called `source` in messages.
    pub(super) fn new(text: &str, source: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        Self {
            source: source.to_string(),
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
    pub(super) fn error(&self, line: usize, message: impl Into<String>) {
        self.errors.borrow_mut().push((line, message.into()));
    }

    /// The mistakes so far as `SOURCE:LINE: message`, by line, without repetitions; after the first
    /// [`MAX_MESSAGES`] how many more there are.
    pub(super) fn messages(&self) -> Vec<String> {
        let mut errors = self.errors.borrow().clone();
        errors.sort_by_key(|(line, _)| *line);
        errors.dedup();
        let more = errors.len().saturating_sub(MAX_MESSAGES);
        let told = errors.into_iter().take(MAX_MESSAGES);
        let mut messages: Vec<String> = told
            .map(|(line, message)| format!("{}:{line}: {message}", self.source))
            .collect();
        if more > 0 {
            messages.push(format!("{}: and {more} more mistakes", self.source));
        }
        messages
    }

    /// Whether there are no mistakes so far.
    pub(super) fn is_content(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The mistakes so far with their lines, in the order in which they were found.
    pub(super) fn errors(&self) -> Vec<(usize, String)> {
        self.errors.borrow().clone()
    }

    /// The document's outermost table.
    pub(super) fn root<'t>(&'t self, table: &'t DeTable<'t>) -> Section<'t> {
        Section {
            reader: self,
            path: String::new(),
            table: Some(table),
            known: Vec::new(),
        }
    }
}

/// One table of the document while it is read; an absent table gives only defaults.
pub(super) struct Section<'t> {
    reader: &'t Reader,
    path: String,
    table: Option<&'t DeTable<'t>>,
    known: Vec<&'static str>,
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

    /// Full name of a field of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Makes a field known and finds it.
    fn take(&mut self, key: &'static str) -> Option<&'t Value<'t>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        let line = self.reader.line_at(value.span().start);
        self.reader.note(self.path_of(key), line);
        Some(value)
    }

    /// Records a mistake of a field of this table.
    pub(super) fn refuse(&self, key: &str, message: impl Display) {
        let path = self.path_of(key);
        let text = format!("field `{path}`: {message}");
        self.reader.error(self.reader.line_of(&path), text);
    }

    /// Reads a field with a function that explains what is wrong, `default` where it is absent or
    /// wrong.
    pub(super) fn field<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> T {
        let Some(value) = self.take(key) else {
            return default;
        };
        read(value.get_ref()).unwrap_or_else(|message| {
            self.refuse(key, message);
            default
        })
    }

    /// A whole number that fits the range.
    pub(super) fn u64(&mut self, key: &'static str, d: u64, range: RangeInclusive<u64>) -> u64 {
        self.field(key, d, |v| integer(v, &range))
    }

    /// A small whole number.
    pub(super) fn u32(&mut self, key: &'static str, d: u32, range: RangeInclusive<u32>) -> u32 {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        // The range is one of u32, so the conversion cannot fail.
        u32::try_from(self.u64(key, d.into(), wide)).unwrap_or(d)
    }

    /// A count.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        d: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let wide = *range.start() as u64..=*range.end() as u64;
        self.u64(key, d as u64, wide) as usize
    }

    /// A list of counts.
    pub(super) fn counts(
        &mut self,
        key: &'static str,
        default: &[usize],
        each: RangeInclusive<usize>,
        length: RangeInclusive<usize>,
    ) -> Vec<usize> {
        self.field(key, default.to_vec(), |v| counts(v, &each, &length))
    }

    /// A number in the range; integers are accepted.
    pub(super) fn real(&mut self, key: &'static str, d: f64, range: RangeInclusive<f64>) -> f64 {
        self.field(key, d, |v| real(v, &range))
    }

    /// A number above a limit, `inf` included.
    pub(super) fn real_above(&mut self, key: &'static str, default: f64, limit: f64) -> f64 {
        self.field(key, default, |v| {
            let allowed = format!("numbers above {limit}, or inf");
            let x = match v.as_str() {
                // How JSON, which has no infinity, carries it.
                Some("inf") => f64::INFINITY,
                _ => number(v).ok_or_else(|| wrong_type(v, "a number", &allowed))?,
            };
            if x > limit {
                Ok(x)
            } else {
                Err(not_allowed(v, &allowed))
            }
        })
    }

    /// Two numbers in the range.
    pub(super) fn pair(
        &mut self,
        key: &'static str,
        default: [f64; 2],
        range: RangeInclusive<f64>,
    ) -> [f64; 2] {
        self.field(key, default, |v| {
            let list = array(v, &(2..=2), "numbers")?;
            Ok([
                real(list[0].get_ref(), &range)?,
                real(list[1].get_ref(), &range)?,
            ])
        })
    }

    /// `true` or `false`.
    pub(super) fn bool(&mut self, key: &'static str, default: bool) -> bool {
        self.field(key, default, |v| {
            v.as_bool()
                .ok_or_else(|| wrong_type(v, "a boolean", "true, false"))
        })
    }

    /// Free text.
    pub(super) fn text(&mut self, key: &'static str, default: &str) -> String {
        self.field(key, default.to_string(), |v| {
            let text = v
                .as_str()
                .ok_or_else(|| wrong_type(v, "a string", "any text"))?;
            Ok(text.to_string())
        })
    }

    /// One of the names of an enumeration.
    pub(super) fn choice<T: Choice>(&mut self, key: &'static str, default: T) -> T {
        self.field(key, default, choice)
    }

    /// An optional field: `None` where it is absent or wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        self.field(key, None, |v| read(v).map(Some))
    }

    /// A table inside this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'t> {
        let value = self.take(key);
        let table = value.and_then(|v| v.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            self.refuse(key, wrong_type(value.get_ref(), "a table", "a table"));
        }
        let path = self.path_of(key);
        Section {
            reader: self.reader,
            path,
            table,
            known: Vec::new(),
        }
    }

    /// An array of tables, each with its line and its entries in the order of the file.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Entries<'t>> {
        let Some(value) = self.take(key) else {
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
                let problem = wrong_type(item.get_ref(), "a table", "tables");
                self.reader
                    .error(line, format!("field `{path}`: {problem}"));
                continue;
            };
            self.reader.note(path.clone(), line);
            found.push(self.entries_of(path, table));
        }
        found
    }

    /// A table whose keys are not fields: its entries in the order of the file.
    pub(super) fn entries(&mut self, key: &'static str) -> Option<Entries<'t>> {
        let value = self.take(key)?;
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

    /// Reports the fields nobody asked for. Every section ends with this.
    pub(super) fn finish(self) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let line = self.reader.line_at(key.span().start);
                let path = self.path_of(name);
                self.reader
                    .error(line, unknown("field", &path, name, &self.known));
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

/// Message about a name that does not exist.
pub(super) fn unknown(what: &str, path: &str, name: &str, allowed: &[&str]) -> String {
    let hint = match nearest(name, allowed) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    format!(
        "unknown {what} `{}`; {hint}allowed: {}",
        short(path),
        allowed.join(", ")
    )
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

fn not_allowed(value: &DeValue, allowed: &str) -> String {
    format!("value {} is not allowed; allowed: {allowed}", shown(value))
}

fn wrong_type(value: &DeValue, expected: &str, allowed: &str) -> String {
    let found = match value {
        DeValue::Array(_) | DeValue::Table(_) => shown(value),
        _ => format!("the {} {}", value.type_str(), shown(value)),
    };
    format!("expected {expected}, found {found}; allowed: {allowed}")
}

fn number(value: &DeValue) -> Option<f64> {
    match value {
        DeValue::Float(x) => x.as_str().parse().ok(),
        DeValue::Integer(i) => i128::from_str_radix(i.as_str(), i.radix())
            .ok()
            .map(|i| i as f64),
        _ => None,
    }
}

/// A whole number in a range.
pub(super) fn integer(value: &DeValue, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let allowed = format!("{} to {}", range.start(), range.end());
    let DeValue::Integer(i) = value else {
        return Err(wrong_type(value, "an integer", &allowed));
    };
    i128::from_str_radix(i.as_str(), i.radix())
        .ok()
        .and_then(|i| u64::try_from(i).ok())
        .filter(|i| range.contains(i))
        .ok_or_else(|| not_allowed(value, &allowed))
}

/// A finite number in a range.
pub(super) fn real(value: &DeValue, range: &RangeInclusive<f64>) -> Result<f64, String> {
    let allowed = format!("{} to {}", range.start(), range.end());
    let x = number(value).ok_or_else(|| wrong_type(value, "a number", &allowed))?;
    if range.contains(&x) {
        // `-0.0` is in the range of `0.0` but would be another value in the results.
        Ok(x + 0.0)
    } else {
        Err(not_allowed(value, &allowed))
    }
}

/// A list of whole numbers, each in a range.
pub(super) fn counts(
    value: &DeValue,
    each: &RangeInclusive<usize>,
    length: &RangeInclusive<usize>,
) -> Result<Vec<usize>, String> {
    let wide = *each.start() as u64..=*each.end() as u64;
    let list = array(value, length, "integers")?;
    let numbers = list.iter().map(|v| integer(v.get_ref(), &wide));
    numbers.map(|n| n.map(|n| n as usize)).collect()
}

/// A list of finite numbers, each in a range.
pub(super) fn reals(
    value: &DeValue,
    each: &RangeInclusive<f64>,
    length: &RangeInclusive<usize>,
) -> Result<Vec<f64>, String> {
    let list = array(value, length, "numbers")?;
    list.iter().map(|v| real(v.get_ref(), each)).collect()
}

/// One of the names of an enumeration.
pub(super) fn choice<T: Choice>(value: &DeValue) -> Result<T, String> {
    let names: Vec<&str> = T::ALL.iter().map(|v| v.name()).collect();
    let quoted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
    let allowed = quoted.join(", ");
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type(value, "a string", &allowed))?;
    T::from_name(text).ok_or_else(|| {
        let hint = match nearest(text, &names) {
            Some(near) => format!("; did you mean \"{near}\"?"),
            None => String::new(),
        };
        format!("{}{hint}", not_allowed(value, &allowed))
    })
}

fn array<'v, 't>(
    value: &'v DeValue<'t>,
    length: &RangeInclusive<usize>,
    of: &str,
) -> Result<&'v [Value<'t>], String> {
    let allowed = if length.start() == length.end() {
        format!("a list of {} {of}", length.start())
    } else {
        format!("a list of {} to {} {of}", length.start(), length.end())
    };
    let list = value
        .as_array()
        .ok_or_else(|| wrong_type(value, "an array", &allowed))?;
    if length.contains(&list.len()) {
        Ok(list)
    } else {
        Err(not_allowed(value, &allowed))
    }
}
