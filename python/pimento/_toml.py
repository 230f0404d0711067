"""Dictionaries as TOML: Python's standard library reads it and does not write it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from ._errors import refuse

__all__ = ["merged", "written"]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _text(value: str) -> str:
    def one(c: str) -> str:
        if c in _ESCAPES:
            return _ESCAPES[c]
        return f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c

    return '"' + "".join(map(one, value)) + '"'


def _plain(value: Any) -> Any:
    """A numpy array or number, or a path, as Python has it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    return value


def _value(place: str, value: Any) -> str:
    value = _plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise refuse(place, value, "an integer beyond 64 bits", "integers of 64 bits")
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(k)} = {_value(f'{place}.{k}', v)}" for k, v in _items(place, value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(f"{place}[{i}]", v) for i, v in enumerate(value)) + "]"
    what = "None" if value is None else f"an object of type {type(value).__name__}"
    fix = "numbers, texts, booleans, lists, dictionaries and numpy arrays of them"
    raise refuse(place, value, what, fix + ("; without the key the field has its default" if value is None else ""))


def _items(place: str, table: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    for key in table:
        if not isinstance(key, str):
            raise refuse(place, key, f"a key of type {type(key).__name__}", "keys that are texts")
    return list(table.items())


def written(document: Mapping[str, Any]) -> str:
    """A dictionary as a TOML document: a line a field, or a field of a section."""
    items = [(key, _plain(value)) for key, value in _items("the experiment", document)]
    lines = [f"{_text(k)} = {_value(k, v)}\n" for k, v in items if not isinstance(v, Mapping)]
    for key, table in items:
        if isinstance(table, Mapping):
            lines.append(f"[{_text(key)}]\n")
            lines += [f"{_text(k)} = {_value(f'{key}.{k}', v)}\n" for k, v in _items(key, table)]
    return "".join(lines)


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A document with changes: tables are changed field by field, anything else is replaced."""
    out = dict(document)
    for key, value in changes.items():
        old = out.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        out[key] = merged(old or {}, value) if both else value
    return out
