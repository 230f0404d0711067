//! The Python builder of experiments, `python/pimento/_builder.py`, from the declarations of the sections.

use std::fmt::Write as _;

use pimento::config::reference::{Field, Table, tables};

/// Columns of a line of Python.
const WIDTH: usize = 120;

const HEAD: &str = r#""""Experiments put together section by section, with every field by its name.

This file is generated from the declarations of the experiment file: PIMENTO_BLESS=1 cargo test --test house builder
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._toml import merged, written

__all__ = ["Experiment"]

_UNSET: Any = object()


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not _UNSET and name != "self"}


class Experiment(Mapping[str, Any]):
    """An experiment as a mapping of its sections, which ``pimento.sweep`` and the other functions take like a dictionary.

    Every section is a method; it returns a new experiment with these fields changed, the old one stays as it is. Fields that
    are not named keep their defaults. What is wrong in a value is told by ``pimento.check`` and ``pimento.sweep``.

    Examples
    --------
    >>> import pimento
    >>> base = pimento.Experiment(seed=3).data(set="digits-8x8").network(kind="mlp", hidden=[32]).train(epochs=4)
    >>> two = base.variation(sigma_w=0.1).axes({"variation.sigma_b": [0.0, 0.1]}).sweep(chips=50)
    >>> two["variation"], base.get("variation")
    ({'sigma_w': 0.1}, None)
    >>> print(pimento.check(two).plan.splitlines()[0])
    experiment: valid
    """

    def __init__({top}):
        """Fields outside of sections.

        Parameters
        ----------
{top_docs}
        """
        self._document: dict[str, Any] = _given(locals())

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Experiment:
        """An experiment of a dictionary, e.g. of ``tomllib.load``."""
        out = cls()
        out._document = merged({}, document)
        return out

    def __getitem__(self, key: str) -> Any:
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def __repr__(self) -> str:
        return f"<pimento.Experiment\n{self.to_toml()}>"

    def to_toml(self) -> str:
        """The experiment as a file has it."""
        return written(self._document)

    def _with(self, path: Sequence[str], fields: Any) -> Experiment:
        for key in reversed(path):
            fields = {key: fields}
        return self.of(merged(self._document, fields))

    def _append(self, section: str, name: str, fields: Mapping[str, Any]) -> Experiment:
        there = self._document.get(section, {}).get(name, [])
        return self._with((section,), {name: [*there, dict(fields)]})

    def axes(self, axes: Mapping[str, Sequence[Any]]) -> Experiment:
        """Axes of the sweep, by the paths of their fields: every combination of values is a point."""
        return self._with(("sweep",), {"axes": dict(axes)})

    def grid(self, axes: Mapping[str, Any]) -> Experiment:
        """One more design, ``[[sweep.grid]]``: the points are the union of all."""
        return self._append("sweep", "grid", axes)

    def stage(self, name: str, **fields: Any) -> Experiment:
        """One more stage of the training, ``[[train.stage]]``, with fields of ``train`` that differ in it."""
        return self._append("train", "stage", {"name": name, **fields})

    def head(self, **fields: Any) -> Experiment:
        """One more head of the network, ``[[network.head]]``."""
        return self._append("network", "head", fields)

    def layer(self, name: str, **fields: Any) -> Experiment:
        """Fields of a layer, or of all that a pattern matches; ``chip`` and ``variation`` are dictionaries."""
        return self._with(("layer", name), fields)
"#;

/// A type of Python for a type of the declarations.
fn python_type(field: &Field) -> &'static str {
    match field.kind.as_str() {
        "integer" => "int",
        "number" => "float",
        "text" | "path" => "str",
        "boolean" => "bool",
        kind if kind.starts_with("list") => "Sequence[Any]",
        _ => "Any",
    }
}

/// Text broken into lines of at most [`WIDTH`] columns.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.len() > WIDTH {
            lines.push('\n');
            column = 0;
        }
        if column == 0 {
            lines.push_str(&" ".repeat(indent));
            column = indent + word.len();
        } else {
            lines.push(' ');
            column += 1 + word.len();
        }
        lines.push_str(word);
    }
    lines
}

fn parameters(fields: &[&Field]) -> String {
    let each = |f: &&Field| format!("        {}: {} = _UNSET,\n", f.key(), python_type(f));
    match fields {
        [] => "self".to_owned(),
        _ => format!(
            "\n        self,\n        *,\n{}    ",
            fields.iter().map(each).collect::<String>()
        ),
    }
}

fn docs(fields: &[&Field]) -> String {
    let mut text = String::new();
    for field in fields {
        let default = field
            .default
            .as_deref()
            .map_or(String::new(), |d| format!(", default {d}"));
        let unit = if field.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", field.unit)
        };
        let about = field.about.split("<br>").next().unwrap_or_default();
        let about = match field.allowed.as_str() {
            "any" => about.to_owned(),
            allowed => format!("{about} Allowed: {allowed}."),
        };
        let head = format!("{} : {}{unit}{default}", field.key(), field.kind);
        let _ = writeln!(text, "{}", wrapped(&head, 8));
        let _ = writeln!(text, "{}", wrapped(&about, 12));
    }
    // A backslash would begin an escape.
    text.trim_end().replace('\\', "/")
}

/// Fields that a method sets: those that are no lists of tables.
fn plain(table: &Table) -> Vec<&Field> {
    let fields = table.fields.iter();
    fields
        .filter(|f| !f.kind.contains("array of tables") && f.key() != "axes")
        .collect()
}

/// Whether a section has a method of its own here.
fn is_method(table: &Table) -> bool {
    let parts = table.path.contains('[');
    let lists = [
        "network.head",
        "train.stage",
        "sweep.axes",
        "layer.NAME",
        "",
    ];
    !parts && !lists.contains(&table.path.as_str())
}

fn builder() -> String {
    let book = tables();
    let outside = book
        .iter()
        .find(|t| t.path.is_empty())
        .expect("fields outside of sections");
    let outside = plain(outside);
    let mut text = HEAD
        .replace("{top}", &parameters(&outside))
        .replace("{top_docs}", &docs(&outside));
    for table in book.iter().filter(|t| is_method(t)) {
        let fields = plain(table);
        let name = table.path.replace('.', "_");
        let about = table
            .about
            .split("\n\n")
            .next()
            .unwrap_or_default()
            .replace('\\', "/");
        let path: Vec<String> = table
            .path
            .split('.')
            .map(|part| format!("\"{part}\""))
            .collect();
        let _ = write!(
            text,
            "\n    def {name}({}) -> Experiment:\n        \"\"\"Section ``[{}]``.\n\n{}\n\n        Parameters\n        ----------\n{}\n        \"\"\"\n        return self._with(({},), _given(locals()))\n",
            parameters(&fields),
            table.path,
            wrapped(&about, 8),
            docs(&fields),
            path.join(", "),
        );
    }
    text
}

#[test]
fn the_python_builder_is_that_of_the_declarations() {
    super::generated::is_up_to_date("python/pimento/_builder.py", &builder());
}
