//! Rules: which values a field can have. A rule reads a value, says in words and as a JSON schema
//! what is allowed, and writes a value down. What only one section needs stands with that section.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::reader::{nearest, shown};
use crate::choice::Choice;
use crate::error::{Code, Mistake};

/// A value, or what is wrong with it; who asked for it names the field.
pub(super) type Read<T> = Result<T, Box<Mistake>>;

/// What a rule allows.
pub(super) struct Allowed {
    /// The type in a word or two: `integer`, `list of numbers`.
    pub(super) kind: String,
    /// The values in words: `1 to 128`.
    pub(super) values: String,
    /// Every name of an enumeration with its meaning; empty for other types.
    pub(super) names: Vec<(&'static str, &'static str)>,
    /// The values as a JSON schema.
    pub(super) schema: Json,
}

impl Allowed {
    pub(super) fn new(kind: &str, values: impl Into<String>, schema: Json) -> Self {
        Self {
            kind: kind.into(),
            values: values.into(),
            names: Vec::new(),
            schema,
        }
    }
}

/// Which values a field of type `T` can have.
pub(super) trait Rule<T: Serialize> {
    /// Reads a value, or explains what is wrong with it.
    fn read(&self, value: &DeValue) -> Read<T>;

    /// What is allowed.
    fn allowed(&self) -> Allowed;

    /// The value as it stands in a file; none: it is left out.
    fn written(&self, value: &T) -> Option<toml::Value> {
        Some(to_toml(value))
    }

    /// Reads a value in place of this default, for rules that depend on it.
    fn read_instead(&self, value: &DeValue, default: &T) -> Read<T> {
        let _ = default;
        self.read(value)
    }
}

/// A number that no TOML integer holds becomes a text, which its reader refuses by name.
fn to_toml(value: &impl Serialize) -> toml::Value {
    toml::Value::try_from(value).unwrap_or_else(|_| {
        let text = serde_json::to_string(value).unwrap_or_default();
        toml::Value::String(text)
    })
}

macro_rules! whole_numbers {
    ($($type:ty)*) => {$(
        impl Rule<$type> for RangeInclusive<$type> {
            fn read(&self, value: &DeValue) -> Read<$type> {
                let allowed = format!("{} to {}", self.start(), self.end());
                let DeValue::Integer(i) = value else {
                    return Err(wrong_type(value, "an integer", &allowed).into());
                };
                i128::from_str_radix(i.as_str(), i.radix())
                    .ok()
                    .and_then(|i| <$type>::try_from(i).ok())
                    .filter(|i| self.contains(i))
                    .ok_or_else(|| not_allowed(value, &allowed).into())
            }

            fn allowed(&self) -> Allowed {
                let (lo, hi) = (self.start(), self.end());
                let schema = json!({"type": "integer", "minimum": lo, "maximum": hi});
                Allowed::new("integer", format!("{lo} to {hi}"), schema)
            }
        }
    )*};
}

whole_numbers! { u8 u32 u64 usize }

/// Finite numbers; integers are accepted.
impl Rule<f64> for RangeInclusive<f64> {
    fn read(&self, value: &DeValue) -> Read<f64> {
        let allowed = format!("{} to {}", self.start(), self.end());
        let x = number(value).ok_or_else(|| wrong_type(value, "a number", &allowed))?;
        match self.contains(&x) {
            // `-0.0` is in the range of `0.0` but would be another value in the results.
            true => Ok(x + 0.0),
            false => Err(not_allowed(value, &allowed).into()),
        }
    }

    fn allowed(&self) -> Allowed {
        let (lo, hi) = (self.start(), self.end());
        let schema = json!({"type": "number", "minimum": lo, "maximum": hi});
        Allowed::new("number", format!("{lo} to {hi}"), schema)
    }
}

/// Numbers above a limit, infinity included.
pub(super) struct Above(pub(super) f64);

/// How JSON, which has no infinity, carries it.
const INFINITE: &str = "inf";

impl Rule<f64> for Above {
    fn read(&self, value: &DeValue) -> Read<f64> {
        let allowed = format!("numbers above {}, or inf", self.0);
        let x = match value.as_str() {
            Some(INFINITE) => f64::INFINITY,
            _ => number(value).ok_or_else(|| wrong_type(value, "a number", &allowed))?,
        };
        match x > self.0 {
            true => Ok(x),
            false => Err(not_allowed(value, &allowed).into()),
        }
    }

    fn allowed(&self) -> Allowed {
        // Editors turn TOML's `inf` into JSON's null.
        let schema = json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": self.0},
            {"enum": [INFINITE, null]},
        ]});
        Allowed::new("number", format!("above {}, or inf", self.0), schema)
    }

    fn written(&self, value: &f64) -> Option<toml::Value> {
        Some(match value.is_infinite() {
            true => toml::Value::String(INFINITE.into()),
            false => toml::Value::Float(*value),
        })
    }
}

/// Whatever the type itself allows: `true` and `false`, the names of an enumeration, a curve.
pub(super) struct Any;

impl Rule<bool> for Any {
    fn read(&self, value: &DeValue) -> Read<bool> {
        let bool = value.as_bool();
        bool.ok_or_else(|| wrong_type(value, "a boolean", "true, false").into())
    }

    fn allowed(&self) -> Allowed {
        Allowed::new("boolean", "true, false", json!({"type": "boolean"}))
    }
}

impl<T: Choice + Serialize> Rule<T> for Any {
    fn read(&self, value: &DeValue) -> Read<T> {
        let allowed = quoted::<T>();
        let text = value.as_str();
        let text = text.ok_or_else(|| wrong_type(value, "a string", &allowed))?;
        T::from_name(text).ok_or_else(|| {
            let names: Vec<&str> = T::ALL.iter().map(|v| v.name()).collect();
            let hint = nearest(text, &names).map(str::to_string);
            Box::new(not_allowed(value, &allowed).hint(hint))
        })
    }

    fn allowed(&self) -> Allowed {
        let names: Vec<_> = T::ALL.iter().map(|v| (v.name(), v.about())).collect();
        let schema = json!({"enum": names.iter().map(|n| n.0).collect::<Vec<_>>()});
        Allowed {
            names,
            ..Allowed::new("text", quoted::<T>(), schema)
        }
    }
}

fn quoted<T: Choice>() -> String {
    let names = T::ALL.iter().map(|v| format!("\"{}\"", v.name()));
    names.collect::<Vec<_>>().join(", ")
}

/// Any text.
pub(super) struct Text;

impl Rule<String> for Text {
    fn read(&self, value: &DeValue) -> Read<String> {
        let text = value.as_str().map(str::to_string);
        text.ok_or_else(|| wrong_type(value, "a string", "any text").into())
    }

    fn allowed(&self) -> Allowed {
        Allowed::new("text", "any", json!({"type": "string"}))
    }
}

/// A path, relative to the experiment file; the empty text is none.
pub(super) struct Relative;

impl Rule<Option<PathBuf>> for Relative {
    fn read(&self, value: &DeValue) -> Read<Option<PathBuf>> {
        let text = Text.read(value)?;
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn allowed(&self) -> Allowed {
        let values = "a path relative to the experiment file";
        Allowed::new("path", values, json!({"type": "string"}))
    }

    // What is not Unicode is replaced: it is provenance, not read back.
    fn written(&self, value: &Option<PathBuf>) -> Option<toml::Value> {
        let text = value.as_ref()?.to_string_lossy();
        Some(toml::Value::String(text.into_owned()))
    }
}

/// A field that may be absent.
pub(super) struct Maybe<R>(pub(super) R);

impl<T: Serialize, R: Rule<T>> Rule<Option<T>> for Maybe<R> {
    fn read(&self, value: &DeValue) -> Read<Option<T>> {
        self.0.read(value).map(Some)
    }

    fn allowed(&self) -> Allowed {
        self.0.allowed()
    }

    fn written(&self, value: &Option<T>) -> Option<toml::Value> {
        self.0.written(value.as_ref()?)
    }
}

/// A list with a rule for each of its values.
pub(super) struct List<R> {
    pub(super) each: R,
    pub(super) length: RangeInclusive<usize>,
}

impl<T: Serialize, R: Rule<T>> Rule<Vec<T>> for List<R> {
    fn read(&self, value: &DeValue) -> Read<Vec<T>> {
        let (lo, hi) = (self.length.start(), self.length.end());
        let kind = self.each.allowed().kind;
        let allowed = match lo == hi {
            true => format!("a list of {lo} {kind}s"),
            false => format!("a list of {lo} to {hi} {kind}s"),
        };
        let list = value.as_array();
        let list = list.ok_or_else(|| wrong_type(value, "an array", &allowed))?;
        if !self.length.contains(&list.len()) {
            return Err(not_allowed(value, &allowed).into());
        }
        list.iter().map(|v| self.each.read(v.get_ref())).collect()
    }

    fn allowed(&self) -> Allowed {
        let (lo, hi) = (self.length.start(), self.length.end());
        let each = self.each.allowed();
        let values = match lo == hi {
            true => format!("{lo} values, each {}", each.values),
            false => format!("{lo} to {hi} values, each {}", each.values),
        };
        let schema = json!({"type": "array", "items": each.schema, "minItems": lo, "maxItems": hi});
        Allowed {
            names: each.names,
            ..Allowed::new(&format!("list of {}s", each.kind), values, schema)
        }
    }
}

/// A list of as many values as the type has, with a rule for each.
pub(super) struct Each<R>(pub(super) R);

impl<T: Serialize, R: Rule<T> + Clone, const N: usize> Rule<[T; N]> for Each<R>
where
    [T; N]: Serialize,
{
    fn read(&self, value: &DeValue) -> Read<[T; N]> {
        let values = self.list::<N>().read(value)?;
        let allowed = || format!("{N} values");
        values
            .try_into()
            .map_err(|_| not_allowed(value, &allowed()).into())
    }

    fn allowed(&self) -> Allowed {
        self.list::<N>().allowed()
    }
}

impl<R: Clone> Each<R> {
    fn list<const N: usize>(&self) -> List<R> {
        List {
            each: self.0.clone(),
            length: N..=N,
        }
    }
}

/// One value instead of a list of one.
pub(super) struct OneOr<R>(pub(super) List<R>);

impl<T: Serialize, R: Rule<T>> Rule<Vec<T>> for OneOr<R> {
    fn read(&self, value: &DeValue) -> Read<Vec<T>> {
        match value.as_array() {
            Some(_) => self.0.read(value),
            None => self.0.each.read(value).map(|x| vec![x]),
        }
    }

    fn allowed(&self) -> Allowed {
        either(&self.0.each.allowed(), &self.0.allowed())
    }
}

/// What the one or the other allows.
pub(super) fn either(one: &Allowed, other: &Allowed) -> Allowed {
    Allowed::new(
        &format!("{} or {}", one.kind, other.kind),
        format!("{}, or {}", one.values, other.values),
        json!({"anyOf": [one.schema, other.schema]}),
    )
}

/// A value that its type has but the rule does not allow.
pub(super) fn not_allowed(value: &DeValue, allowed: &str) -> Mistake {
    let value = shown(value);
    Mistake::new(Code::NotAllowed, format!("value {value} is not allowed"))
        .value(value)
        .allowed(allowed)
}

/// A value of another type.
pub(super) fn wrong_type(value: &DeValue, expected: &str, allowed: &str) -> Mistake {
    let text = shown(value);
    let found = match value {
        DeValue::Array(_) | DeValue::Table(_) => text.clone(),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => format!("the {} {text}", value.type_str()),
    };
    Mistake::new(
        Code::WrongType,
        format!("expected {expected}, found {found}"),
    )
    .value(text)
    .allowed(allowed)
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
