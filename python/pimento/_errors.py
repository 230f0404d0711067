"""What can go wrong, as exceptions.

``InputError`` is what somebody can mend: a field, a file, an array. Its ``mistakes`` are all that were found at once, each
with its place, its value and what is allowed; ``place``, ``value`` and ``fix`` are those of the first. Files that cannot be
read or written raise ``OSError`` as everywhere in Python, Ctrl-C raises ``KeyboardInterrupt``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["CapacityError", "DeviceError", "Error", "ForkError", "InputError", "InternalError", "Mistake", "PimentoWarning"]


@dataclass(frozen=True)
class Mistake:
    """One mistake: where it is, what is there, and what would be allowed. What is not known is None."""

    message: str
    """The whole mistake in words."""
    code: str = "input"
    """Its kind (docs/errors.md)."""
    file: str | None = None
    """File, or argument."""
    line: int | None = None
    """Line of the file, from 1."""
    field: str | None = None
    """Path of the field, such as ``chip.adc.bits``."""
    value: str | None = None
    """What is there."""
    allowed: str | None = None
    """What is allowed instead."""
    condition: str | None = None
    """When that is allowed."""
    hint: str | None = None
    """What may have been meant."""
    at: str | None = None
    """Point of the sweep, where only some are concerned."""

    @property
    def place(self) -> str | None:
        """Field, or file and line."""
        if self.field is not None:
            return self.field
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def fix(self) -> str | None:
        """What to do: what is allowed, or what may have been meant."""
        if self.allowed is None:
            return self.hint if self.hint is None else f"did you mean {self.hint}?"
        return " ".join(part for part in (self.condition, self.allowed) if part)


class Error(Exception):
    """Everything that Pimento raises of its own."""


class InputError(Error, ValueError):
    """The input is wrong; nothing was computed or written."""

    def __init__(self, message: str, mistakes: list[Mistake] | None = None):
        super().__init__(message)
        self.mistakes: list[Mistake] = mistakes or [Mistake(message)]

    @property
    def place(self) -> str | None:
        """Where the first mistake is: a field, a file and line, or an argument."""
        return self.mistakes[0].place

    @property
    def value(self) -> str | None:
        """What is there."""
        return self.mistakes[0].value

    @property
    def fix(self) -> str | None:
        """What is allowed instead."""
        return self.mistakes[0].fix


class CapacityError(Error, MemoryError):
    """More than this machine, or the memory that was granted, can hold; known before anything was computed."""


class DeviceError(Error, RuntimeError):
    """A device failed. Chips that were measured are in the output directory; ``resume=True`` continues."""


class InternalError(Error, RuntimeError):
    """A bug of Pimento; please report it."""


class ForkError(Error, RuntimeError):
    """A process that was forked from one that has computed has none of its threads."""


class PimentoWarning(UserWarning):
    """Something is strange, and the work goes on."""


def refuse(place: str, value: Any, what: str, fix: str) -> InputError:
    """An ``InputError`` about an argument."""
    text = f"{place}: {what}; allowed: {fix}"
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return InputError(text, [Mistake(text, file=place, value=shown, allowed=fix)])


def made(kind: str, message: str, mistakes: str, system: tuple[int | None, str, str] | None) -> BaseException:
    """The exception of an error of the library."""
    if kind == "input":
        found = [Mistake(**mistake) for mistake in json.loads(mistakes)]
        return InputError("\n".join(m.message for m in found) if all(m.file is None for m in found) else message, found)
    if kind == "io" and system is not None:
        number, text, path = system
        # With a number Python chooses the class, such as FileNotFoundError.
        return OSError(number, text.split(" (os error")[0], path) if number is not None else OSError(message)
    if kind == "interrupted":
        return KeyboardInterrupt(message)
    return {"capacity": CapacityError, "device": DeviceError}.get(kind, InternalError)(message)


def forked() -> ForkError:
    """The exception of work in a forked process."""
    return ForkError(
        "this process was forked from one in which Pimento has computed, and threads do not survive that; allowed: "
        'processes of multiprocessing.get_context("spawn") or "forkserver", or computing only after the fork'
    )
