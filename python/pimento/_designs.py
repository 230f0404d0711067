"""The search of designs."""

from __future__ import annotations

import functools
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _native
from ._errors import refuse
from ._experiment import ExperimentLike
from ._machine import machine
from ._progress import Progress, watcher
from ._result import Table
from ._run import read_experiment, run_places
from ._temporary import Folder

__all__ = ["Designs", "design"]


class Designs:
    """What a search of designs found: a view of its output directory.

    Attributes
    ----------
    directory : pathlib.Path
        design.json, designs.csv, design.html, ``front/`` with the experiment file of each design on the front, the
        journal, the trained networks. Of a search without ``out`` it is a temporary one, which goes with the object.
    found : dict
        design.json: goal, steps, rounds, all designs with their bounds and the reason why each left.
    """

    def __init__(self, directory: str | os.PathLike[str], found: dict[str, Any], _temporary: Folder | None = None):
        self.directory = Path(directory).absolute()
        self.found = found
        self._temporary = _temporary

    @property
    def share(self) -> float:
        """Chips times images that were simulated, as a share of those of the whole sweep."""
        return self.found["chip_images"] / self.found["all_chip_images"]

    @functools.cached_property
    def all(self) -> Table:
        """One row for each design: its number, the fields that vary, where it stands and why, chips and images that were
        simulated, and of every measure of the goal the estimate, the bounds of the whole sweep's value (``_lo``,
        ``_hi``) and, of designs with all their chips, the 95 % interval (``_lo95``, ``_hi95``)."""
        return self._table(range(len(self.found["designs"])))

    @functools.cached_property
    def front(self) -> Table:
        """The rows of the designs on the front, in the order of the first objective."""
        return self._table(self.found["front"])

    def file(self, point: int) -> Path:
        """The experiment file of a design on the front, which ``pimento.sweep`` takes.

        Raises
        ------
        InputError
            The design is not on the front.
        """
        if point not in self.found["front"]:
            numbers = ", ".join(map(str, self.found["front"])) or "none"
            raise refuse("point", point, f"design {point!r} is not on the front", numbers)
        return self.directory / "front" / f"design-{point}.toml"

    def _table(self, points: Sequence[int]) -> Table:
        rows = [self._row(design) for design in self.found["designs"]]
        columns = [(name, [rows[point][name] for point in points]) for name in rows[0]]
        return Table(_native.Table.of_json(json.dumps(columns)))

    def _row(self, design: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"design": design["point"]}
        for axis in self.found["axes"]:
            value = design["settings"].get(axis)
            row[axis] = json.dumps(value) if isinstance(value, (list, dict)) else value
        step = design["step"] or {"chips": 0, "images": 0}
        row |= {"state": design["state"]["is"].replace("-", " "), "why": design["why"], **step}
        for at, measure in enumerate(self.found["measures"]):
            known, own = design["known"][at], design["intervals"]
            ends = own[at] if own else (None, None)
            row |= {measure: known["estimate"], f"{measure}_lo": known["lo"], f"{measure}_hi": known["hi"]}
            row |= {f"{measure}_lo95": ends[0], f"{measure}_hi95": ends[1]}
        return row

    def _repr_html_(self) -> str:
        title = html.escape(self.found["title"] or self.found["experiment"])
        return f"<h4>{title}: {html.escape(self.found['goal'])}</h4>{self.front._repr_html_()}"

    def __repr__(self) -> str:
        n, front = len(self.found["designs"]), len(self.found["front"])
        share = f"{100 * self.share:.1f} % of the chip-images"
        return f"<pimento.Designs {self.found['experiment']}: {front} of {n} designs on the front, {share} simulated>"


def design(
    experiment: ExperimentLike,
    *,
    goal: str | None = None,
    data: Any = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    models: str | os.PathLike[str] | None = None,
    progress: Progress = None,
    backend: str | None = None,
    adapter: str | None = None,
    kernels: str | Sequence[str] = (),
    memory: str | None = None,
    **overrides: Any,
) -> Designs:
    """Searches the points of a sweep for the best under constraints, without simulating all of them.

    The front, its numbers and files are those of ``pimento design``.

    Parameters
    ----------
    experiment, data, out, resume, force, models, progress, backend, adapter, kernels, memory, overrides
        As of ``sweep``.
    goal
        Objectives and constraints, such as ``"energy_pj min, yield(0.9) >= 0.95"``; by default the experiment's
        ``[design]``. docs/design.md has the measures.

    Raises
    ------
    InputError
        Everything that is wrong with the space, the goal, the data or the directory, before anything is computed.
    KeyboardInterrupt
        After Ctrl-C: what was simulated is in ``out``, and ``resume=True`` continues.

    Examples
    --------
    >>> import pimento
    >>> found = pimento.design(
    ...     {"data": {"set": "digits-8x8"}, "network": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 1}},
    ...     goal="cells min, accuracy max", chips=20, images=64, backend="cpu",
    ...     sweep={"axes": {"variation.mapping": ["ideal", "differential"], "sigma_w": [0.05, 0.3]}})
    >>> len(found.all), len(found.front) >= 1
    (4, True)
    """
    read, arrays = read_experiment(experiment, data, overrides)
    if goal is not None and not isinstance(goal, str):
        raise refuse("goal", goal, f"{goal!r} is no text", 'terms such as "cells min, accuracy >= 0.9"')
    places, temporary = run_places(out, models, resume=resume, force=force)
    computing = machine(backend, adapter, kernels, memory)
    native = None if arrays is None else arrays._native
    with watcher(progress) as watch:
        found = json.loads(_native.design(read, computing, native, goal, places, watch))
    return Designs(places["out"], found, temporary)
