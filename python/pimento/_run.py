"""Sweeps, trainings and checks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import _native
from ._data import Data, as_data
from ._errors import refuse
from ._experiment import ExperimentLike, experiment_of
from ._machine import machine
from ._network import Network
from ._progress import Progress, watcher
from ._result import Result
from ._temporary import Folder

__all__ = ["Check", "Training", "check", "sweep", "train"]


class Check(NamedTuple):
    """What a sweep would do."""

    plan: str
    """For people: data, network, trainings, chips, memory, points."""
    document: dict[str, Any]
    """The same for programs: what ``pimento check --json`` prints."""

    def __str__(self) -> str:
        return self.plan


class Training(NamedTuple):
    """A trained network."""

    network: Network
    """The network, which ``sweep(..., network=...)`` takes."""
    label: str
    """What was trained, in words."""
    record: dict[str, Any]
    """Steps, loss, accuracy, time and the history by epochs."""


def _cache() -> str | None:
    """Where decoded images are kept, if not where the user's are."""
    return os.environ.get("PIMENTO_CACHE") or None


def _split(data: Any, overrides: dict[str, Any]) -> tuple[Data | None, str | None]:
    """Arrays, or the place of images; fields of the section [data] go to the overrides."""
    if isinstance(data, dict):
        overrides["data"] = data
        return None, None
    if isinstance(data, (str, os.PathLike)):
        return None, os.fspath(data)
    return as_data(data), None


def read_experiment(experiment: ExperimentLike, data: Any, overrides: dict[str, Any]) -> tuple[Any, Data | None]:
    """An experiment with its overrides, and images in memory."""
    arrays, place = _split(data, overrides)
    return experiment_of(experiment, overrides, place, need_images=arrays is None), arrays


def run_places(
    out: str | os.PathLike[str] | None,
    models: str | os.PathLike[str] | None,
    *,
    resume: bool,
    force: bool,
) -> tuple[dict[str, Any], Folder | None]:
    """Where a run writes, and the temporary folder that it is in without ``out``."""
    if resume and force:
        raise refuse("resume, force", (resume, force), "both at once", "one of them")
    temporary = None
    if out is None:
        if resume or force:
            raise refuse("out", out, "resume or force without a directory", "the directory of the run")
        temporary = Folder()
        out = temporary.path / "run"
    places = {
        "out": os.fspath(out),
        "existing": "continue" if resume else "replace" if force else "refuse",
        "models": None if models is None else os.fspath(models),
        "cache": _cache(),
    }
    return places, temporary


def sweep(
    experiment: ExperimentLike,
    *,
    data: Any = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    shard: str | None = None,
    models: str | os.PathLike[str] | None = None,
    progress: Progress = None,
    backend: str | None = None,
    adapter: str | None = None,
    kernels: str | Sequence[str] = (),
    memory: str | None = None,
    **overrides: Any,
) -> Result:
    """Trains what an experiment needs, fabricates its chips, and measures them.

    The chips are those of ``pimento sweep``, to the last bit: chips.csv has the same bytes.

    Parameters
    ----------
    experiment
        Path of an experiment file, a text in TOML, or a dictionary of its sections.
    data
        Images: ``(train_images, train_labels, test_images, test_labels)`` or ``pimento.Data`` in memory, the path of
        a directory or an archive, or a dictionary of fields of the section ``[data]``; by default what the
        experiment says.
    out
        Output directory; by default a temporary one that goes with the result.
    resume, force
        What to do about a run in ``out``: continue it, also with more chips and other points, or begin again and
        replace it; by default it is refused.
    shard
        Only part ``"I/N"`` of the chips of every point.
    models
        Directory of trained networks, which several runs may share.
    progress
        A callable that takes events (dictionaries with the key ``event``: "training", "epoch", "chips", "loading",
        "message", "warning"), or whether a line shows them; by default where somebody sees it. An exception of the
        callable stops the sweep and is raised.
    backend, adapter, kernels, memory
        What computes, as the options of the command line: "auto", "gpu", "cpu" or "all"; part of an adapter's name.
    **overrides
        Changes of the experiment: ``chips``, ``images``, ``until``, ``max_chips``, ``seed``, ``network`` (a
        ``pimento.Network``), sections (``variation={"sigma_w": 0.1}``) or paths (``**{"chip.adc.bits": 6}``).

    Raises
    ------
    InputError
        Everything that is wrong with the experiment, the data or the directory, before anything is computed.
    KeyboardInterrupt
        After Ctrl-C: chips that were measured are in ``out``, and ``resume=True`` continues.

    Examples
    --------
    >>> import pimento
    >>> result = pimento.sweep(
    ...     {"data": {"set": "digits-8x8"}, "network": {"kind": "mlp", "hidden": [16]}, "train": {"epochs": 1}},
    ...     chips=4, backend="cpu", variation={"sigma_w": 0.1})
    >>> result.chips["accuracy"].shape
    (4,)
    """
    read, arrays = read_experiment(experiment, data, overrides)
    places, temporary = run_places(out, models, resume=resume, force=force)
    computing = machine(backend, adapter, kernels, memory)
    native = None if arrays is None else arrays._native
    with watcher(progress) as watch:
        _native.sweep(read, computing, native, places, shard, watch)
    return Result(places["out"], _temporary=temporary, _data=arrays)


def check(
    experiment: ExperimentLike,
    *,
    data: Any = None,
    backend: str | None = None,
    adapter: str | None = None,
    kernels: str | Sequence[str] = (),
    memory: str | None = None,
    **overrides: Any,
) -> Check:
    """Builds everything that a sweep needs, short of training, and says what it would do.

    Takes what ``sweep`` takes, and refuses what it refuses, in the same words.

    Raises
    ------
    InputError
        With every mistake of the experiment in ``mistakes``.
    """
    read, arrays = read_experiment(experiment, data, overrides)
    computing = machine(backend, adapter, kernels, memory)
    document, plan = _native.check(read, computing, None if arrays is None else arrays._native, _cache())
    return Check(plan, json.loads(document))


def train(
    experiment: ExperimentLike,
    out: str | os.PathLike[str] | None = None,
    *,
    point: int = 0,
    data: Any = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress = None,
    backend: str | None = None,
    adapter: str | None = None,
    kernels: str | Sequence[str] = (),
    **overrides: Any,
) -> Training:
    """Trains the network of one point of an experiment; a sweep does so by itself.

    Parameters
    ----------
    experiment, data, progress, backend, adapter, kernels, overrides
        As of ``sweep``.
    out
        File to write, safetensors; by default a temporary one that goes with the network.
    point
        Number of the point.
    resume, force
        Continue an interrupted training from ``out`` with the ending ".partial", or replace the file if it exists.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; with ``out`` the training so far is kept for ``resume=True``.
    """
    read, arrays = read_experiment(experiment, data, overrides)
    if not isinstance(point, int) or isinstance(point, bool) or point < 0:
        raise refuse("point", point, f"{point!r} is no number of a point", "0 and above")
    folder = None
    if out is None:
        folder = Folder()
        out = folder.path / "network.safetensors"
    elif not Path(out).absolute().parent.is_dir():
        raise refuse("out", str(out), f"{Path(out).parent}: no such directory", "a file in an existing one")
    places = {
        "out": os.fspath(out),
        "existing": "continue" if resume else "replace" if force else "refuse",
        "models": None,
        "cache": _cache(),
    }
    computing = machine(backend, adapter, kernels, None)
    native = None if arrays is None else arrays._native
    with watcher(progress) as watch:
        done = json.loads(_native.train(read, computing, native, point, places, watch))
    network = Network(out)
    network._temporary = folder
    return Training(network, done["training"], done["record"])
