//! Reading, writing and describing the sections.

use serde::ser::SerializeStruct;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{LayerSettings, Layers, OFFERED, OWN, Written};
use crate::config::axes::AxisValue;
use crate::config::reader::{Reader, Section, short, unknown};
use crate::config::reference::{self, Field};
use crate::config::rule::{Any, Rule, wrong_type};
use crate::config::section::Entry;
use crate::config::{Experiment, path};
use crate::error::{Code, Mistake};

/// Path of the sections in the reference.
pub(in crate::config) const TABLE: &str = "layer.NAME";

/// Longest name or pattern.
const MAX_NAME: usize = 200;

/// How the sections are read: what is offered is kept as it stands there.
pub(in crate::config) struct ByLayer;

impl Entry<Layers> for ByLayer {
    fn take(&self, s: &mut Section, key: &'static str, default: Layers) -> Layers {
        let Some(value) = s.value(key) else {
            return default;
        };
        let Some(sections) = value.get_ref().as_table() else {
            s.refuse(key, no_table(value.get_ref()));
            return default;
        };
        let mut layers = Layers::default();
        for (name, value) in sections {
            let pattern = name.get_ref().as_ref();
            let reader = s.reader();
            let line = reader.line_at(name.span().start);
            let at = format!("{key}.{}", path::part(pattern));
            let refuse = |mistake: Mistake| {
                let field = Some(short(&at).into_owned());
                reader.error(line, Mistake { field, ..mistake });
            };
            if let Some(mistake) = misnamed(pattern) {
                refuse(mistake);
                continue;
            }
            match value.get_ref().as_table() {
                Some(table) => {
                    reader.note(at.clone(), line);
                    let kept = kept(table, &at, "", reader);
                    layers.sections.insert(pattern.into(), kept);
                }
                None => refuse(no_table(value.get_ref())),
            }
        }
        layers.written = Written {
            file: s.reader().name().map(str::to_string),
            lines: s.reader().lines_in(&format!("{key}.")),
        };
        layers
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Layers,
    ) -> Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, _: Field, _: &Layers, book: &mut Vec<reference::Table>) {
        book.push(reference::Table::new(TABLE, &about()));
        let digital = " Executed digitally: quantized as said, then exact. The layer has no arrays and no variation.";
        let tuned = " Corrected as `[tuning]` says. `false`: left as it is, without columns and test cells of its own.";
        for (name, docs, default) in [("digital", digital, false), ("tuned", tuned, true)] {
            let mut field = Field::new(TABLE, name, docs, "", crate::config::section::FIRST);
            field.set_allowed(Rule::<bool>::allowed(&Any));
            field.set_default(Some(default.into()));
            reference::add(book, field);
        }
    }
}

/// What the reference says of the sections.
fn about() -> String {
    let fields = OFFERED[OWN..].iter().map(|field| {
        let whole = match super::whole(field) {
            true => " and what is inside",
            false => "",
        };
        format!("`{field}`{whole}")
    });
    let fields: Vec<String> = fields.collect();
    format!(
        " Section `[{TABLE}]`: settings of one crossbar layer. NAME is the name of a layer \
         (`pimento inspect` lists them), or a pattern in which `*` stands for any text and `?` for any one character; \
         in TOML it stands in quotes unless it is a bare key: `[layer.\"conv*\"]`. Every field that is not set is that \
         of the experiment. Where several sections set the same field of a layer, its own name beats every pattern, and \
         of two patterns the one with more literal characters wins; two with as many must agree. The order in the file \
         does not matter. As an axis: `'layer.\"conv1\".weight_bits' = [2, 4, 8]`.\n\n\
         Besides `digital` and `tuned` a section takes fields of `[quantize]`, directly, and of `[chip]` and `[variation]`, in \
         tables inside (`[layer.\"conv1\".chip.adc]`): {}.",
        fields.join(", ")
    )
}

fn no_table(value: &DeValue) -> Mistake {
    wrong_type(value, "a table", "a table")
}

/// Why a text is no name and no pattern of a layer.
fn misnamed(pattern: &str) -> Option<Mistake> {
    let wrong = |c: char| c.is_control() || matches!(c, '"' | '\\');
    let bad = pattern.is_empty() || pattern.len() > MAX_NAME || pattern.contains(wrong);
    let allowed = format!(
        "1 to {MAX_NAME} characters without quotation marks, backslashes and control characters"
    );
    bad.then(|| {
        Mistake::new(Code::NotAllowed, "no name of a layer")
            .value(format!("\"{}\"", short(pattern).escape_debug()))
            .allowed(allowed)
    })
}

/// The fields that are offered, as they are written; others are refused.
fn kept(table: &DeTable, at: &str, inside: &str, reader: &Reader) -> toml::Table {
    let mut kept = toml::Table::new();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let field = format!("{inside}{name}");
        let place = format!("{at}.{}", path::part(name));
        let line = reader.line_at(value.span().start);
        reader.note(place.clone(), line);
        let value = match (value.get_ref(), super::leads(&field)) {
            (DeValue::Table(inner), true) => {
                toml::Value::Table(self::kept(inner, &place, &format!("{field}."), reader))
            }
            (value, _) if super::is_offered(&field) => match plain(value) {
                Some(value) => value,
                // The reader of the field says what is wrong.
                None => continue,
            },
            (value, true) => {
                let field = Some(place);
                reader.error(
                    line,
                    Mistake {
                        field,
                        ..no_table(value)
                    },
                );
                continue;
            }
            _ => {
                let line = reader.line_at(key.span().start);
                let names = super::offered_in(inside);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                reader.error(line, unknown(Code::UnknownField, &place, name, &names));
                continue;
            }
        };
        kept.insert(name.into(), value);
    }
    kept
}

/// A value as it is written; `None` where no field takes such a value.
fn plain(value: &DeValue) -> Option<toml::Value> {
    let DeValue::Table(table) = value else {
        return AxisValue::read(value).ok().map(|v| v.toml().clone());
    };
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue>)| {
        let key: &std::borrow::Cow<str> = key.get_ref();
        Some((key.to_string(), plain(value.get_ref())?))
    };
    let entries: Option<toml::Table> = table.iter().map(entry).collect();
    entries.map(toml::Value::Table)
}

/// The part of a section that is offered, with its places in the text.
fn offered<'t>(table: &DeTable<'t>, inside: &str) -> DeTable<'t> {
    let mut found = DeTable::new();
    for (key, value) in table {
        let field = format!("{inside}{}", key.get_ref());
        let value = match (value.get_ref(), super::leads(&field)) {
            (DeValue::Table(inner), true) => {
                let inner = offered(inner, &format!("{field}."));
                Spanned::new(value.span(), DeValue::Table(inner))
            }
            (_, false) if super::is_offered(&field) => value.clone(),
            _ => continue,
        };
        found.insert(key.clone(), value);
    }
    found
}

/// Judges the values of all sections: each by the reader of its field, with the experiment's values as
/// defaults.
pub(in crate::config) fn judge(e: &Experiment, document: &DeTable, reader: &Reader) {
    let sections = document.get("layer").and_then(|v| v.get_ref().as_table());
    for (name, value) in sections.into_iter().flatten() {
        let name = name.get_ref().as_ref();
        if let (true, Some(table)) = (
            e.layer.sections.contains_key(name),
            value.get_ref().as_table(),
        ) {
            let table = offered(table, "");
            LayerSettings::read(e, name, &table, reader);
        }
    }
}
