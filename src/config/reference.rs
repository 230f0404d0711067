//! What there is to say about every field: the table behind docs/reference.md, `pimento config` and the
//! JSON schema. It comes from the declarations of the sections.

use std::fmt::Write;

use serde_json::Value as Json;

use super::Experiment;
use super::axes::field_path;
use super::reader::{nearest, short};
use super::rule::Allowed;
use super::section::Declared;
use crate::error::{Code, Error, Mistake, Result};

pub use super::schema::schema;

/// A field of the experiment file.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Field {
    /// Path, e.g. `chip.array.rows`.
    pub path: String,
    /// Type in a word or two, e.g. `integer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unit; empty for plain numbers, texts and choices.
    pub unit: &'static str,
    /// Default as it would stand in the file; none: the field is not set.
    pub default: Option<String>,
    /// Allowed values in words.
    pub allowed: String,
    /// Every name that is allowed with its meaning, for fields that are a choice of names.
    pub names: Vec<(String, String)>,
    /// Meaning.
    pub about: String,
    /// Version that brought the field.
    pub since: &'static str,
    /// Schema of a value.
    #[serde(skip)]
    pub(super) schema: Json,
}

impl Field {
    pub(super) fn new(
        section: &str,
        key: &str,
        docs: &str,
        unit: &'static str,
        since: &'static str,
    ) -> Self {
        let path = match section.is_empty() {
            true => key.to_string(),
            false => format!("{section}.{key}"),
        };
        Self {
            path,
            kind: String::new(),
            unit,
            default: None,
            allowed: String::new(),
            names: Vec::new(),
            about: plain(docs),
            since,
            schema: Json::Null,
        }
    }

    pub(super) fn set_allowed(&mut self, allowed: Allowed) {
        self.kind = allowed.kind;
        self.allowed = allowed.values;
        let names = allowed.names.into_iter();
        self.names = names.map(|(n, about)| (n.into(), plain(about))).collect();
        self.schema = allowed.schema;
    }

    pub(super) fn set_default(&mut self, value: Option<toml::Value>) {
        self.default = value.map(|value| match value.as_str() {
            Some("inf") => "inf".into(),
            _ => value.to_string(),
        });
    }

    /// Path of the section around the field.
    pub(super) fn section(&self) -> &str {
        self.path
            .rsplit_once('.')
            .map_or("", |(section, _)| section)
    }

    /// Name within its section.
    pub fn key(&self) -> &str {
        self.path
            .rsplit_once('.')
            .map_or(&self.path, |(_, key)| key)
    }
}

/// A section of the experiment file.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Table {
    /// Path, e.g. `chip.array`; empty for the fields outside of any section.
    pub path: String,
    /// Meaning, in Markdown.
    pub about: String,
    /// Its fields; sections inside are tables of their own.
    pub fields: Vec<Field>,
    /// Whether it was asked for.
    #[serde(skip)]
    is_meant: bool,
}

impl Table {
    pub(super) fn new(path: &str, docs: &str) -> Self {
        let lines = docs.lines();
        let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
        let about = unlinked(&lines.collect::<Vec<_>>().join("\n"));
        // The heading says it.
        let heading = match path.strip_suffix(']').and_then(|path| path.split_once('[')) {
            Some((list, kind)) => format!("Part `{{ kind = \"{kind}\" }}` of `{list}`: "),
            None => format!("Section `[{path}]`: "),
        };
        let mut about = about.trim().trim_start_matches(&heading).to_string();
        if let Some(first) = about.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            path: path.into(),
            about,
            fields: Vec::new(),
            is_meant: true,
        }
    }

    /// The list and the kind of a part of a training.
    pub(super) fn part(&self) -> Option<(&str, &str)> {
        self.path.strip_suffix(']')?.split_once('[')
    }
}

/// Adds a field to the last table.
pub(super) fn add(book: &mut [Table], field: Field) {
    if let Some(table) = book.last_mut() {
        table.fields.push(field);
    }
}

/// Adds a field to the table of its section, wherever that is.
pub(super) fn add_to_section(book: &mut [Table], field: Field) {
    let mut tables = book.iter_mut().rev();
    if let Some(table) = tables.find(|table| table.path == field.section()) {
        table.fields.push(field);
    }
}

/// Every section with its fields, in the order of [`Experiment`].
pub fn tables() -> Vec<Table> {
    let mut book = vec![Table::new("", Experiment::ABOUT)];
    Experiment::describe("", &mut book);
    book
}

/// The field of a path, or the fields of a section and the sections inside; short names of axes are paths,
/// too.
///
/// # Errors
/// [`Error::Input`] for a name that is neither, with the nearest one.
pub fn find(name: &str) -> Result<Vec<Table>> {
    let path = field_path(name);
    let inside = [format!("{path}."), format!("{path}[")];
    let mut found = tables();
    let mut names: Vec<String> = Vec::new();
    for table in &mut found {
        names.push(table.path.clone());
        names.extend(table.fields.iter().map(|f| f.path.clone()));
        let is_inside = |inside: &String| table.path.starts_with(inside);
        let is_whole = table.path == path || inside.iter().any(is_inside);
        table.fields.retain(|f| is_whole || f.path == path);
        table.is_meant = is_whole || !table.fields.is_empty();
    }
    found.retain(|table| table.is_meant);
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let last = |name: &str| name.rsplit('.').next() == path.rsplit('.').next();
    let near = names.iter().copied().find(|name| last(name));
    let near = near.or_else(|| nearest(path, &names));
    let text = format!("no field or section `{}`", short(name));
    let mistake = Mistake::new(Code::UnknownField, text)
        .allowed("the paths that `pimento config` lists")
        .hint(near.map(str::to_string));
    Err(Error::Input(vec![mistake]))
}

/// Text of a doc comment: one paragraph without links.
fn plain(docs: &str) -> String {
    let words: Vec<&str> = docs.split_whitespace().collect();
    unlinked(&words.join(" "))
}

/// Replaces links to items by their last name: ``[`Adc::limit`]`` becomes `` `limit` ``.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        out += before;
        let Some((item, after)) = after.split_once("`]") else {
            out += "[`";
            rest = after;
            continue;
        };
        let name = item.rsplit("::").next().unwrap_or(item);
        out += &format!("`{name}`");
        rest = after;
    }
    out + rest
}

const HEAD: &str = "\
# Reference of the experiment file

Every field, from the declarations in `src/config`; `pimento config FIELD` prints the same. An experiment is \
one TOML file, in which every field may be left out. Units are of the number in the file. A field without a \
default is not set. [sweeps.md](sweeps.md) says how any of these fields becomes an axis.

`pimento config --schema` prints a JSON schema (`assets/experiment.schema.json`) with which editors complete \
and check experiments.

";

/// The text of docs/reference.md.
pub fn markdown() -> String {
    let tables = tables();
    let mut text = HEAD.to_string();
    for table in &tables {
        let (title, n) = (title(table), table.fields.len());
        let fields = if n == 1 { "field" } else { "fields" };
        // An array of any string is formatted without an error.
        let _ = writeln!(text, "- [{title}](#{}) ({n} {fields})", anchor(table));
    }
    for table in &tables {
        let _ = write!(
            text,
            "\n<a id=\"{}\"></a>\n\n## {}\n\n{}\n\n",
            anchor(table),
            title(table),
            table.about
        );
        if table.fields.is_empty() {
            continue;
        }
        text += "| field | type | unit | default | allowed | meaning | since |\n";
        text += "| --- | --- | --- | --- | --- | --- | --- |\n";
        for field in &table.fields {
            text += &row(field);
        }
    }
    text
}

fn title(table: &Table) -> String {
    match (table.path.as_str(), table.part()) {
        ("", _) => "Outside of sections".into(),
        (_, Some((list, kind))) => format!("`{list}`: `{{ kind = \"{kind}\" }}`"),
        (path, None) => format!("`[{path}]`"),
    }
}

fn anchor(table: &Table) -> &str {
    match table.path.as_str() {
        "" => "top-level",
        path => path,
    }
}

fn row(field: &Field) -> String {
    let mut about = field.about.clone();
    for (name, meaning) in &field.names {
        about += &format!("<br>`\"{name}\"`: {meaning}");
    }
    let default = match &field.default {
        Some(default) => format!("`{default}`"),
        None => String::new(),
    };
    let cells = [
        format!("<a id=\"{}\"></a>`{}`", field.path, field.key()),
        field.kind.clone(),
        field.unit.into(),
        default,
        field.allowed.clone(),
        about,
        field.since.into(),
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}
