"""Experiments from files, texts and dictionaries, with changes."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from . import _native
from ._errors import InputError, refuse
from ._network import Network
from ._toml import merged, written

__all__ = ["ExperimentLike", "experiment_of"]

ExperimentLike = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""A path of an experiment file, a text in TOML, or a dictionary of its sections."""

_SHORT = {"chips": "sweep.chips", "images": "sweep.images", "until": "sweep.until", "max_chips": "sweep.max_chips"}
"""Fields that have a name of their own on the command line."""

_VARIABLE = "PIMENTO_DATA"
"""Names the place of the images where nothing else does."""


def _is_text(experiment: str) -> bool:
    """Whether a string is TOML and no path: it has an equals sign or a section, or more than a line."""
    return "\n" in experiment or "=" in experiment or experiment.lstrip().startswith("[") or not experiment.strip()


def _nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    out: dict[str, Any] = value
    return out


def _changes(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides as a document: a section by its name, a field by its path."""
    out: dict[str, Any] = {}
    for name, value in overrides.items():
        if value is None:
            continue
        if isinstance(value, Network):
            value = {"kind": "file", "file": str(value.path), **value._fields}
        out = merged(out, _nested(_SHORT.get(name, name), value))
    return out


def _place(document: Mapping[str, Any], data: str) -> dict[str, Any]:
    """The field that has the place of the images."""
    section = document.get("data")
    kind = section.get("kind") if isinstance(section, Mapping) else None
    return {"data": {"file" if kind == "archive" else "dir": os.path.abspath(data)}}


class _Source:
    """Where an experiment comes from: a text that is a file's or not, or a dictionary."""

    def __init__(self, experiment: ExperimentLike):
        self.folder, self.name = Path(), "experiment"
        self.file: Path | None = None
        self.text: str | None = None
        self.document: Mapping[str, Any] = {}
        if isinstance(experiment, Mapping):
            self.document = experiment
        elif isinstance(experiment, str) and _is_text(experiment):
            self.text = experiment
        elif isinstance(experiment, (str, os.PathLike)):
            self.file = Path(experiment)
            self.folder, self.name = self.file.parent, self.file.stem
        else:
            fix = "a path, a text in TOML, or a dictionary"
            raise refuse("experiment", experiment, f"an object of type {type(experiment).__name__}", fix)

    def as_it_is(self) -> _native.Experiment:
        """The experiment without changes: mistakes are told with their lines where it has lines."""
        if self.file is not None:
            return _native.Experiment.load(self.file)
        if self.text is not None:
            return _native.Experiment(self.text, "the text", self.name, self.folder, None)
        return self.of(self.document)

    def of(self, document: Mapping[str, Any]) -> _native.Experiment:
        """An experiment of the same name and place."""
        return _native.Experiment(written(document), None, self.name, self.folder, self.file)

    def parsed(self) -> Mapping[str, Any]:
        """The document; a text that is no TOML is refused with the line."""
        if self.file is None and self.text is None:
            return self.document
        try:
            text = self.text if self.file is None else self.file.read_text("utf-8")
            return tomllib.loads(text or "")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            # The library says it with the place.
            self.as_it_is()
            raise


def experiment_of(
    experiment: ExperimentLike, overrides: Mapping[str, Any], data: str | None = None, need_images: bool = True
) -> _native.Experiment:
    """Reads an experiment, applies changes, and checks it. ``data`` is the place of its images."""
    source, changes = _Source(experiment), _changes(overrides)
    if not changes and data is None:
        made = source.as_it_is()
    else:
        document = source.parsed()
        if data is not None:
            document = merged(document, _place(document, data))
        made = source.of(merged(document, changes))
    if not need_images or not made.lacks_images:
        return made
    variable = os.environ.get(_VARIABLE)
    if not variable:
        fix = f"data.dir or data.file in the experiment, data=PATH, or {_VARIABLE} in the environment"
        raise InputError(f"the experiment `{made.name}` needs a place of its images; allowed: {fix}")
    document = merged(source.parsed(), changes)
    return source.of(merged(document, _place(document, variable)))
