"""What a sweep leaves."""

from __future__ import annotations

import functools
import html
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import _native
from ._chip import Chip
from ._errors import refuse
from ._machine import machine
from ._temporary import Folder

__all__ = ["Result", "Table", "open_run", "report"]

_MOST_ROWS = 20
"""Rows of a table that a notebook shows."""


class Table:
    """Columns of equal length with names.

    ``table["accuracy"]`` is a numpy array (a list where values are texts, or whole numbers are missing).
    pandas, polars, DuckDB and pyarrow read a table as it is, through the Arrow PyCapsule interface:
    ``polars.DataFrame(table)``, ``pyarrow.table(table)``, ``duckdb.sql("select * from table")``.
    """

    def __init__(self, native: _native.Table):
        self._native = native

    @property
    def columns(self) -> list[str]:
        """Names of the columns (docs/columns.md)."""
        return self._native.names

    def __getitem__(self, name: str) -> Any:
        try:
            return self._native.column(name)
        except KeyError:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}") from None

    def __len__(self) -> int:
        return len(self._native)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """The columns by their names, for ``pandas.DataFrame`` and everything else that takes a dictionary."""
        return {name: self[name] for name in self.columns}

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        import pandas

        return pandas.DataFrame(self.to_dict())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._native.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._native.__arrow_c_schema__()

    def __repr__(self) -> str:
        return f"<pimento.Table: {len(self)} rows of {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        columns = {name: self[name][:_MOST_ROWS] for name in self.columns}
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(values[i]))}</td>" for values in columns.values()) + "</tr>"
            for i in range(min(len(self), _MOST_ROWS))
        )
        more = f"<p>{len(self) - _MOST_ROWS} more rows</p>" if len(self) > _MOST_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _points(summary: dict[str, Any]) -> _native.Table:
    """The points of a summary as a table: number, varied fields, statistics."""
    points = summary["points"]
    # Neither is in the summary of a sweep of one point.
    axes = summary.get("axes", [])
    rows = []
    for index, point in enumerate(points):
        row: dict[str, Any] = {"point": index, **{axis: point.get("settings", {}).get(axis) for axis in axes}}
        for name, value in point.items():
            if name in ("settings", "worst", "model_sha256"):
                continue
            if name.endswith("_ci95") and isinstance(value, list):
                row[f"{name}_low"], row[f"{name}_high"] = value
            elif name == "costs":
                row.update(value)
            elif not isinstance(value, (dict, list)) and name not in row:
                row[name] = value
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _native.Table.of_json(json.dumps([[name, [row.get(name) for row in rows]] for name in names]))


class Result:
    """What a sweep left: a view of its output directory.

    Attributes
    ----------
    directory : pathlib.Path
        chips.csv, chips.parquet, summary.json, report.html, headline.svg, the journal, the trained networks. Of a sweep
        without ``out`` it is a temporary one, which goes when the result does; ``save`` keeps it.
    """

    def __init__(self, directory: str | os.PathLike[str], *, _temporary: Folder | None = None, _data: Any = None):
        self.directory = Path(directory).absolute()
        self._temporary: Folder | None = _temporary
        self._data = _data

    @functools.cached_property
    def _read(self) -> tuple[dict[str, Any], _native.Table]:
        text, chips = _native.read_run(self.directory)
        return json.loads(text), chips

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json: one entry for each point, comparisons, trainings, where all of it came from."""
        return self._read[0]

    @functools.cached_property
    def points(self) -> Table:
        """One row for each point: the fields that the sweep varies, accuracies, intervals, yield, costs."""
        return Table(_points(self.summary))

    @functools.cached_property
    def chips(self) -> Table:
        """One row for each point and chip: chips.csv with types."""
        return Table(self._read[1])

    def chip(self, point: int, index: int, *, backend: str | None = None, adapter: str | None = None) -> Chip:
        """Fabricates one chip of the sweep again, to look at its weights and ask it for outputs.

        Its trained network is taken from the run. Its images are read again; those from memory are known to the result
        that ``sweep`` gave, and to no other.

        Raises
        ------
        InputError
            There is no such chip, or the images are not those of the run.
        """
        rows = self.chips
        found = (rows["point"] == point) & (rows["chip"] == index)
        if not found.any():
            n = len(self.summary["points"])
            raise refuse("point, index", (point, index), "the sweep has no such chip", f"points 0 to {n - 1}, and their chips")
        at = int(found.argmax())
        row = {name: _json(rows[name][at]) for name in rows.columns}
        data = None if self._data is None else self._data._native
        computing = machine(backend, adapter)
        native = _native.Chip(computing, data, (int(point), int(index)), self.directory, None)
        return Chip(native, int(point), int(index), row)

    def report(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Writes the report, one HTML page that needs no other file; ``force`` replaces a file that is there."""
        return report([self], path, force=force)

    def save(self, path: str | os.PathLike[str]) -> "Result":
        """Copies the run to a directory that does not exist, and returns its result there."""
        import shutil

        target = Path(path)
        if target.exists():
            raise refuse("path", str(path), f"{target}: exists", "a directory that does not exist")
        shutil.copytree(self.directory, target)
        return Result(target)

    def _repr_svg_(self) -> str:
        return (self.directory / "headline.svg").read_text("utf-8")

    def _repr_html_(self) -> str:
        wanted = ("point", *self.summary.get("axes", []), "chips", "images", "ideal", "mean", "std", "yield")
        columns = {name: self.points[name] for name in wanted if name in self.points.columns}
        table = Table(_native.Table.of_json(json.dumps([[n, list(map(_json, v))] for n, v in columns.items()])))
        title = html.escape(self.summary.get("title") or self.summary["experiment"])
        return f"<h4>{title}</h4>{self._repr_svg_()}{table._repr_html_()}"

    def __repr__(self) -> str:
        points = self.summary["points"]
        means = ", ".join(f"{100 * p['mean']:.2f} %" for p in points[:4]) + (", ..." if len(points) > 4 else "")
        n = f"{len(points)} point" + ("" if len(points) == 1 else "s")
        return f"<pimento.Result {self.summary['experiment']}: {n}, {len(self.chips)} chips, mean accuracy {means}>"


def _json(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def open_run(directory: str | os.PathLike[str]) -> Result:
    """The result of a sweep that was run before, here or on the command line.

    Raises
    ------
    InputError
        A directory without a run, or with files that are not those its journal recorded.
    """
    result = Result(directory)
    result._read  # noqa: B018 - what is wrong is said now
    return result


def report(results: Sequence[Result], path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Writes one page of several results; runs of the same seed are compared chip by chip."""
    out = Path(path)
    _native.report([r.directory for r in results], out, bool(force))
    return out
