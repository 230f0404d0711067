//! Heads of a network: tables `[[network.head]]`.
//!
//! # Theory
//! A head is an auxiliary output: a few layers on an inner map that end in logits of their own. It is trained with
//! the network, by terms of the loss that say so (`train.loss`), and is no part of what is deployed.
//!
//! # Practice
//! Which nodes there are is known when the network is: `setup` asks [`Heads::check_node`].

use std::collections::HashSet;

use serde::ser::SerializeStruct;
use serde_json::json;
use toml::de::DeValue;

use super::layers::Written;
use super::parts::Composition;
use super::reader::{Section, nearest};
use super::reference::{self, Field};
use super::rule::{Allowed, List, Read, Rule, Text, not_allowed, wrong_type};
use super::section::{Declared, Entry, section};
use super::{Experiment, schema};
use crate::error::{Code, Error, Mistake, Result};

/// Path of the tables in the reference.
pub(super) const TABLE: &str = "network.head";

/// Most heads.
const MAX_HEADS: usize = 16;

/// Longest name.
const MAX_NAME: usize = 40;

section! {
    /// Section `[network.head]`: heads of the network, tables `[[network.head]]` in their order.
    ///
    /// A head is an auxiliary output: it reads the map of a node, pools it, and ends in as many logits as the network
    /// has, behind hidden layers if it has some. Heads are trained with the network, as its layers are: quantized, on
    /// chips, clipped; masks and terms of the loss on weights leave them alone. What they are for, terms of the loss
    /// say: `{ kind = "heads" }` and `{ kind = "irs" }` in `train.loss`. A stage without such a term trains without
    /// heads. A network that is deployed has none.
    pub struct Head {
        /// Name; its layers are `NAME.fc1` and so on.
        name: String = String::new(), HeadName;
        /// Node whose map it reads, as `conv1` or `pool2`.
        at: String = String::new(), Text;
        /// The map is averaged to this many rows and columns; 0: it is read as it is. Windows of equal size cover
        /// the map, and overlap where it cannot be divided.
        pool: usize = 1, 0..=1024;
        /// Units of its hidden fully connected layers, each followed by the network's non-linearity.
        hidden: Vec<usize> = Vec::new(), List { each: 1..=65_536, length: 0..=4 };
    }
}

/// Heads in their order.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Heads {
    list: Vec<Head>,
    /// Where they stand, so that what is found wrong when the network is known has a place too.
    #[serde(skip)]
    written: Written,
}

impl Heads {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Head> {
        self.list.iter()
    }

    /// A mistake in a field of a head.
    pub fn mistake(&self, head: &Head, field: &str, mistake: Mistake) -> Error {
        let table = format!("{TABLE}.{}", head.name);
        let path = format!("{table}.{field}");
        let lines = &self.written.lines;
        Error::Input(vec![Mistake {
            file: self.written.file.clone(),
            line: lines.get(&path).or_else(|| lines.get(&table)).copied(),
            field: Some(path),
            ..mistake
        }])
    }

    /// The place of a head's node among the nodes of a network, by their names.
    ///
    /// # Errors
    /// [`Error::Input`] with the nearest name where there is no such node.
    pub fn check_node(&self, head: &Head, names: &[&str]) -> Result<usize> {
        if let Some(at) = names.iter().position(|name| *name == head.at) {
            return Ok(at);
        }
        let mistake = Mistake {
            hint: nearest(&head.at, names).map(str::to_string),
            ..Mistake::new(Code::NotAllowed, "the network has no such node")
                .value(format!("\"{}\"", head.at))
                .allowed(names.join(", "))
        };
        Err(self.mistake(head, "at", mistake))
    }
}

/// Names of heads: bare keys, so that they are parts of paths.
struct HeadName;

impl Rule<String> for HeadName {
    fn read(&self, value: &DeValue) -> Read<String> {
        let allowed = Rule::allowed(self).values;
        let text = value.as_str();
        let text = text.ok_or_else(|| wrong_type(value, "a string", &allowed))?;
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match (1..=MAX_NAME).contains(&text.len()) && text.chars().all(bare) {
            true => Ok(text.into()),
            false => Err(not_allowed(value, &allowed).into()),
        }
    }

    fn allowed(&self) -> Allowed {
        let values = format!("1 to {MAX_NAME} letters, digits, `-` and `_`");
        let schema =
            json!({"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{MAX_NAME}}}$")});
        Allowed::new("text", values, schema)
    }
}

/// How heads are read.
pub(super) struct InOrder;

impl Entry<Heads> for InOrder {
    fn take(&self, s: &mut Section, key: &'static str, default: Heads) -> Heads {
        let Some(value) = s.value(key) else {
            return default;
        };
        let Some(list) = value.get_ref().as_array() else {
            let mistake = wrong_type(value.get_ref(), "an array of tables", "tables");
            s.refuse(key, mistake);
            return default;
        };
        if list.len() > MAX_HEADS {
            let text = format!("{} heads; allowed: at most {MAX_HEADS}", list.len());
            s.refuse(key, Mistake::worded(Code::NotAllowed, &text));
            return default;
        }
        let mut heads = Heads::default();
        let mut known = HashSet::new();
        for (i, item) in list.iter().enumerate() {
            let reader = s.reader();
            let line = reader.line_at(item.span().start);
            let at = s.path_of(&format!("{key}[{i}]"));
            let refuse = |field: &str, mistake: Mistake| {
                let field = Some(format!("{at}{field}"));
                reader.error(line, Mistake { field, ..mistake });
            };
            let Some(table) = item.get_ref().as_table() else {
                refuse("", wrong_type(item.get_ref(), "a table", "tables"));
                continue;
            };
            if let Some(missing) = ["name", "at"].iter().find(|key| !table.contains_key(**key)) {
                let text =
                    format!("a head without `{missing}`; allowed: a head has a name and a node");
                let mistake = Mistake::worded(Code::NotAllowed, &text).value("a table");
                refuse(&format!(".{missing}"), mistake);
                continue;
            }
            // A name that is none is told by the reader of the field.
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let path = s.path_of(&format!("{key}.{}", name.unwrap_or_default()));
            reader.note(path.clone(), line);
            let mut inner = reader.table(path, table);
            let head = Head::take(&mut inner, Head::default());
            inner.finish();
            if !known.insert(head.name.clone()) {
                let text = format!(
                    "head \"{}\" is there twice; allowed: each name once",
                    head.name
                );
                refuse(".name", Mistake::worded(Code::Repeated, &text));
            }
            heads.list.push(head);
        }
        heads.written = Written {
            file: s.reader().name().map(str::to_string),
            lines: s.reader().lines_in(&format!("{TABLE}.")),
        };
        heads
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Heads,
    ) -> std::result::Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, _: Field, _: &Heads, book: &mut Vec<reference::Table>) {
        book.push(reference::Table::new(TABLE, Head::ABOUT));
        Head::describe(TABLE, book);
        for field in book.iter_mut().flat_map(|table| &mut table.fields) {
            if [format!("{TABLE}.name"), format!("{TABLE}.at")].contains(&field.path) {
                // They must be there.
                field.default = None;
            }
        }
    }
}

/// What a schema says of the tables, whose fields `table` describes.
pub(super) fn schema_of(table: &reference::Table) -> serde_json::Value {
    let mut one = schema::section(table);
    one["required"] = json!(["name", "at"]);
    json!({"type": "array", "description": table.about, "items": one, "maxItems": MAX_HEADS})
}

impl Composition {
    /// Whether steps see the heads of the network.
    pub fn has_heads(&self) -> bool {
        self.heads_loss().is_some() || self.irs().is_some()
    }
}

/// Heads that no stage of the training reads: paths of fields, and what is wrong with them.
pub(super) fn problem(e: &Experiment) -> Option<(Vec<String>, String)> {
    let reads = |t: &super::Train| t.composition().has_heads();
    let useless = !e.network.head.is_empty() && !e.any_stage(reads);
    useless.then(|| {
        let message = "no term of the loss reads the heads; allowed: with { kind = \"heads\" } or \
                       { kind = \"irs\" } in train.loss";
        (vec![TABLE.into()], message.into())
    })
}
