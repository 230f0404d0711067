//! How lists of parts are declared, read, written and described.

use serde::Serialize;
use serde::ser::SerializeStruct;
use serde_json::json;
use toml::de::DeTable;

use crate::config::reader::{Section, nearest, shown};
use crate::config::reference::{self, Field, Table};
use crate::config::rule::wrong_type;
use crate::config::schema;
use crate::config::section::Entry;
use crate::error::{Code, Mistake};

/// Fields of `[train]` that are lists of parts.
pub(in crate::config) const PARTS: [&str; 5] =
    ["weights", "activations", "noise", "loss", "controllers"];

/// Field that says which part a table is.
pub(super) const KIND: &str = "kind";

/// What [`parts!`] makes of a declaration.
pub(in crate::config) trait Part: Clone + PartialEq + Serialize {
    /// Names of the kinds.
    const KINDS: &'static [&'static str];

    /// Reads the part of a kind; `None` of a kind that does not exist.
    fn take(kind: &str, s: &mut Section) -> Option<Self>;

    /// A table of the reference for every kind.
    fn describe(list: &str) -> Vec<Table>;
}

/// Declares the kinds of a list: an enum of the sections that describe them.
macro_rules! parts {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident { $($variant:ident($part:ty) = $kind:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $(#[doc = concat!("`{ kind = \"", $kind, "\" }`.")] $variant($part),)+
        }

        impl $name {
            /// Name of the kind.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let mut map = s.serialize_struct(stringify!($name), 1)?;
                map.serialize_field($crate::config::parts::list::KIND, self.kind())?;
                match self { $(Self::$variant(part) => part.write(&mut map)?,)+ }
                map.end()
            }
        }

        impl Part for $name {
            const KINDS: &'static [&'static str] = &[$($kind),+];

            fn take(kind: &str, s: &mut $crate::config::reader::Section) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$variant(Declared::take(s, Default::default()))),)+
                    _ => None,
                }
            }

            fn describe(list: &str) -> Vec<$crate::config::reference::Table> {
                vec![$({
                    let path = format!("{list}[{}]", $kind);
                    let table = $crate::config::reference::Table::new(
                        &path, <$part as Declared>::ABOUT,
                    );
                    let mut book = vec![table];
                    <$part as Declared>::describe(&path, &mut book);
                    book.remove(0)
                }),+]
            }
        }
    };
}

pub(super) use parts;

/// A list of parts.
pub(in crate::config) struct Parts;

impl<P: Part> Entry<Vec<P>> for Parts {
    fn take(&self, s: &mut Section, key: &'static str, default: Vec<P>) -> Vec<P> {
        let Some(value) = s.value(key) else {
            return default;
        };
        let Some(list) = value.get_ref().as_array() else {
            s.refuse(
                key,
                wrong_type(value.get_ref(), "an array", "a list of parts"),
            );
            return default;
        };
        let mut parts = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let line = s.reader().line_at(item.span().start);
            let refuse = |field: String, mistake: Mistake| {
                let field = Some(s.path_of(&field));
                s.reader().error(line, Mistake { field, ..mistake });
            };
            let Some(table) = item.get_ref().as_table() else {
                let mistake = wrong_type(item.get_ref(), "a table", "tables with a kind");
                refuse(format!("{key}[{i}]"), mistake);
                continue;
            };
            let kind = match kind::<P>(table) {
                Ok(kind) => kind,
                Err(mistake) => {
                    refuse(format!("{key}[{i}].{KIND}"), *mistake);
                    continue;
                }
            };
            if known.contains(&kind) {
                let text = format!("kind \"{kind}\" is there twice; allowed: each kind once");
                let mistake = Mistake::worded(Code::Repeated, &text);
                refuse(format!("{key}[{i}].{KIND}"), mistake);
                continue;
            }
            let path = s.path_of(&format!("{key}.{kind}"));
            s.reader().note(path.clone(), line);
            let mut inner = s.reader().table(path, table);
            inner.value(KIND);
            parts.extend(P::take(&kind, &mut inner));
            inner.finish();
            known.push(kind);
        }
        parts
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Vec<P>,
    ) -> Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, mut field: Field, _: &Vec<P>, book: &mut Vec<Table>) {
        let tables = P::describe(&field.path);
        let each = P::KINDS.iter().zip(&tables).map(|(kind, table)| {
            let mut one = schema::section(table);
            one["properties"][KIND] = json!({"const": kind});
            one["required"] = json!([KIND]);
            one
        });
        let each: Vec<_> = each.collect();
        field.kind = "list of parts".into();
        field.allowed = format!("tables with `kind` {}", quoted(P::KINDS));
        field.schema = json!({"type": "array", "items": {"anyOf": each}});
        field.default = Some("[]".into());
        reference::add_to_section(book, field);
        book.extend(tables);
    }
}

/// The kind of a part.
fn kind<P: Part>(table: &DeTable) -> Result<String, Box<Mistake>> {
    let allowed = quoted(P::KINDS);
    let Some(value) = table.get(KIND) else {
        let text = format!("a part without a kind; allowed: {allowed}");
        let mistake = Mistake::worded(Code::NotAllowed, &text);
        return Err(mistake.value("a table").into());
    };
    let name = value.get_ref().as_str();
    let name = name.ok_or_else(|| wrong_type(value.get_ref(), "a string", &allowed))?;
    match P::KINDS.contains(&name) {
        true => Ok(name.into()),
        false => {
            let value = shown(value.get_ref());
            let mistake = Mistake::new(Code::NotAllowed, format!("unknown kind {value}"))
                .value(value)
                .allowed(allowed)
                .hint(nearest(name, P::KINDS).map(str::to_string));
            Err(mistake.into())
        }
    }
}

fn quoted(kinds: &[&str]) -> String {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
    kinds.join(", ")
}
