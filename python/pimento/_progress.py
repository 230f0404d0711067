"""Progress: events for a callable, or a line for people."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Union

from ._errors import PimentoWarning

__all__ = ["Progress", "watcher"]

Progress = Union[bool, None, Callable[[dict[str, Any]], None]]
"""What ``progress`` may be: a callable that takes every event as a dictionary, True or False for a line of text or none,
None for a line where somebody sees it (a terminal, a notebook)."""


def _notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class _Line:
    """One line on standard error that is written over."""

    def __init__(self) -> None:
        self.width = 0
        self.at = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "message":
            self.show(event["text"])
            self.end()
            return
        text = _words(event)
        if text is None or (kind != "chips" and time.monotonic() - self.at < 0.1):
            return
        self.at = time.monotonic()
        self.show(text)

    def show(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)

    def end(self) -> None:
        if self.width:
            sys.stderr.write("\n")
            sys.stderr.flush()
            self.width = 0


def _words(event: dict[str, Any]) -> str | None:
    label = event.get("label") or ""
    if event["event"] == "training":
        loss = "" if event["loss"] is None else f", loss {event['loss']:.3f}"
        return f"training {label}: epoch {event['epoch']} of {event['epochs']}, step {event['step']} of {event['steps']}{loss}"
    if event["event"] == "chips":
        mean = "" if event["mean"] is None else f", mean accuracy {100 * event['mean']:.2f} %"
        where = f"point {event['point'] + 1} of {event['points']}" + (f" ({label})" if label else "")
        return f"{where}: {event['done']} of {event['chips']} chips{mean}; {event['all_done']} of {event['all']} in all"
    if event["event"] == "loading":
        return f"reading {label}: {event['done']}" + (f" of {event['of']}" if event["of"] else "")
    return None


class watcher:
    """A context whose value is what the library calls with every event; warnings become Python's."""

    def __init__(self, progress: Progress):
        visible = progress is True or (progress is None and (_notebook() or sys.stderr.isatty()))
        self.line = _Line() if visible else None
        self.told = progress if callable(progress) else self.line

    def __enter__(self) -> Callable[[str], None]:
        return self.event

    def event(self, text: str) -> None:
        event = json.loads(text)
        if event["event"] == "warning":
            warnings.warn(event["text"], PimentoWarning, stacklevel=4)
        if self.told is not None:
            self.told(event)

    def __exit__(self, *_: object) -> None:
        if self.line is not None:
            self.line.end()
