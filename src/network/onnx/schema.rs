//! What the ONNX standard says of the operators that are read: their inputs and outputs, the element
//! types these may have, and their attributes, for every operator set. `operators.txt` is that table,
//! made by `scripts/onnx_schemas.py`.
//!
//! Every node is held against it before anything is computed, so that a node that the standard calls
//! ill-formed is refused and an attribute that nobody here reads is never overlooked.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::constant::Element;
use super::importer::{Inputs, Step, Value, unsupported, wrong};
use super::node::Node;
use super::proto::{AttributeProto, attribute};
use crate::error::escaped;

/// Type of an input or output.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A variable, which has one value at a node.
    Variable(&'static str),
    /// One of these letters.
    Fixed(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Needed,
    Optional,
    /// It and any number more.
    Many,
}

/// One operator since one operator set.
#[derive(Debug)]
pub(super) struct Schema {
    since: i64,
    inputs: Vec<(Kind, Presence)>,
    /// Most outputs; none where any number is allowed.
    most_outputs: Option<usize>,
    outputs: Vec<Kind>,
    /// Variables and the letters of the types that they may have.
    types: Vec<(&'static str, &'static str)>,
    /// Names and the letters of their kinds.
    attributes: Vec<(&'static str, char)>,
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Schema>>> = LazyLock::new(|| {
    let mut table: HashMap<&str, Vec<Schema>> = HashMap::new();
    let lines = include_str!("operators.txt").lines();
    for line in lines.filter(|l| !l.starts_with('#')) {
        if let Some((name, schema)) = parse(line) {
            table.entry(name).or_default().push(schema);
        }
    }
    table
});

fn parse(line: &'static str) -> Option<(&'static str, Schema)> {
    let mut parts = line.split('|').map(str::trim);
    let (name, since) = parts.next()?.split_once(' ')?;
    let kind = |word: &'static str| match word.strip_prefix(':') {
        Some(letters) => Kind::Fixed(letters),
        None => Kind::Variable(word),
    };
    let input = |word: &'static str| match (word.strip_suffix('?'), word.strip_suffix('*')) {
        (Some(word), _) => (kind(word), Presence::Optional),
        (None, Some(word)) => (kind(word), Presence::Many),
        (None, None) => (kind(word), Presence::Needed),
    };
    let inputs = parts.next()?.split_whitespace().map(input).collect();
    let mut outputs = parts.next()?.split_whitespace();
    let most_outputs = outputs.next()?.parse().ok();
    let pairs = |part: &'static str, at: char| {
        part.split_whitespace()
            .filter_map(move |w| w.split_once(at))
    };
    let schema = Schema {
        since: since.parse().ok()?,
        inputs,
        most_outputs,
        outputs: outputs.map(kind).collect(),
        types: pairs(parts.next()?, '=').collect(),
        attributes: pairs(parts.next()?, ':')
            .filter_map(|(name, kind)| Some((name, kind.chars().next()?)))
            .collect(),
    };
    Some((name, schema))
}

/// Letter of an attribute's kind: what it says it is, else what it holds.
fn kind_of(a: &AttributeProto) -> char {
    match a.kind {
        attribute::FLOAT => 'f',
        attribute::INT => 'i',
        attribute::STRING => 's',
        attribute::TENSOR => 't',
        attribute::GRAPH => 'g',
        attribute::FLOATS => 'F',
        attribute::INTS => 'I',
        attribute::STRINGS => 'S',
        attribute::SPARSE_TENSOR => 'p',
        attribute::TYPE_PROTO => 'y',
        0 if a.i.is_some() => 'i',
        0 if a.f.is_some() => 'f',
        0 if a.s.is_some() => 's',
        0 if a.t.is_some() => 't',
        0 if !a.ints.is_empty() => 'I',
        0 if !a.floats.is_empty() => 'F',
        _ => '?',
    }
}

fn kind_name(letter: char) -> &'static str {
    match letter {
        'f' => "a number",
        'i' => "an integer",
        's' => "text",
        't' => "a tensor",
        'g' => "a graph",
        'F' => "numbers",
        'I' => "integers",
        'S' => "texts",
        _ => "something else",
    }
}

fn names_of(letters: &str) -> String {
    let names = letters.chars().filter_map(Element::of_letter);
    names.map(Element::name).collect::<Vec<_>>().join(", ")
}

/// The element types of a node.
#[derive(Debug)]
pub(super) struct Types {
    schema: &'static Schema,
    bound: Vec<(&'static str, Element)>,
}

impl Types {
    /// Type of output `i`, where the inputs say it.
    pub fn output(&self, i: usize) -> Option<Element> {
        let kind = self.schema.outputs.get(i).or(self.schema.outputs.last());
        match kind? {
            Kind::Fixed(letters) => letters.chars().next().and_then(Element::of_letter),
            Kind::Variable(v) => self.bound.iter().find(|(name, _)| name == v).map(|b| b.1),
        }
    }

    fn bind(&mut self, i: usize, kind: Kind, element: Element) -> Step<()> {
        let letters = match kind {
            Kind::Fixed(letters) => letters,
            Kind::Variable(v) => {
                if let Some((_, other)) = self.bound.iter().find(|(name, _)| *name == v) {
                    if *other != element {
                        return wrong(format!(
                            "input {i} holds {}, another input {}; they must have one type",
                            element.name(),
                            other.name()
                        ));
                    }
                    return Ok(());
                }
                self.bound.push((v, element));
                let found = self.schema.types.iter().find(|(name, _)| *name == v);
                found.map_or("", |t| t.1)
            }
        };
        if !letters.contains(element.letter()) {
            return wrong(format!(
                "input {i} holds {}; allowed: {}",
                element.name(),
                names_of(letters)
            ));
        }
        Ok(())
    }
}

/// The definition of an operator in an operator set.
pub(super) fn schema(node: &Node) -> Step<&'static Schema> {
    let Some(versions) = TABLE.get(node.op()) else {
        return unsupported("no such operator here");
    };
    match versions.iter().rfind(|s| s.since <= node.opset) {
        Some(schema) => Ok(schema),
        None => unsupported(format!("operator set {} has no such operator", node.opset)),
    }
}

impl Schema {
    /// Holds a node against the definition: attributes, numbers of inputs and outputs, element types.
    pub fn check(&'static self, inputs: &Inputs) -> Step<Types> {
        self.check_attributes(inputs.node)?;
        self.check_counts(inputs)?;
        let mut types = Types {
            schema: self,
            bound: vec![],
        };
        for (i, value) in inputs.values.iter().enumerate() {
            let Some(element) = value.as_ref().and_then(Value::element) else {
                continue;
            };
            if let Some((kind, _)) = self.inputs.get(i).or(self.inputs.last()) {
                types.bind(i, *kind, element)?;
            }
        }
        Ok(types)
    }

    fn check_attributes(&self, node: &Node) -> Step<()> {
        for (i, a) in node.proto.attribute.iter().enumerate() {
            if !a.ref_attr_name.is_empty() {
                return unsupported(format!(
                    "attribute `{}` of a function's caller",
                    escaped(&a.name)
                ));
            }
            if node.proto.attribute[..i].iter().any(|b| b.name == a.name) {
                return wrong(format!("attribute `{}` twice", escaped(&a.name)));
            }
            let Some(&(_, kind)) = self.attributes.iter().find(|(name, _)| *name == a.name) else {
                return unsupported(format!(
                    "attribute `{}`, which operator set {} does not have",
                    escaped(&a.name),
                    node.opset
                ));
            };
            let found = kind_of(a);
            // An empty list without a kind cannot be told from nothing.
            if found != kind && !(a.kind == 0 && found == '?') {
                return wrong(format!(
                    "attribute `{}` is {}, not {}",
                    escaped(&a.name),
                    kind_name(found),
                    kind_name(kind)
                ));
            }
        }
        Ok(())
    }

    fn check_counts(&self, inputs: &Inputs) -> Step<()> {
        let given = &inputs.node.proto.input;
        let many = matches!(self.inputs.last(), Some((_, Presence::Many)));
        if given.len() > self.inputs.len() && !many {
            return wrong(format!(
                "{} inputs; allowed: at most {}",
                given.len(),
                self.inputs.len()
            ));
        }
        for (i, (_, presence)) in self.inputs.iter().enumerate() {
            let there = given.get(i).is_some_and(|name| !name.is_empty());
            if !there && *presence != Presence::Optional {
                return wrong(format!("input {i} is missing"));
            }
        }
        if many && given.iter().skip(self.inputs.len()).any(String::is_empty) {
            return wrong("an input is missing");
        }
        let outputs = inputs.node.proto.output.len();
        if self.most_outputs.is_some_and(|most| outputs > most) {
            return wrong(format!("{outputs} outputs"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("operators.txt");
        let lines = text.lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(TABLE.values().map(Vec::len).sum::<usize>(), lines);
        for versions in TABLE.values() {
            assert!(versions.is_sorted_by_key(|s| s.since));
            for s in versions {
                for (_, letters) in &s.types {
                    assert!(
                        letters
                            .chars()
                            .all(|c| c == '-' || Element::of_letter(c).is_some())
                    );
                }
                assert!(!s.outputs.is_empty());
            }
        }
    }

    #[test]
    fn all_operators_that_are_read_are_in_the_table() {
        for name in super::super::operators() {
            assert!(TABLE.contains_key(name), "{name}");
        }
    }
}
