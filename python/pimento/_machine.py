"""What computes, opened once for each wish."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import _native
from ._errors import refuse

__all__ = ["machine"]

_open: dict[tuple[Any, ...], _native.Machine] = {}


def _silence_layer() -> None:
    """Mesa's layer that asks a desktop for its device complains where there is none; its own variable turns it off."""
    desktop = any(os.environ.get(name, "").startswith("/") for name in ("XDG_RUNTIME_DIR", "WAYLAND_DISPLAY"))
    if not desktop and "MESA_VK_DEVICE_SELECT" not in os.environ:
        os.environ.setdefault("NODEVICE_SELECT", "1")


def machine(
    backend: str | None = None,
    adapter: str | None = None,
    kernels: str | Sequence[str] = (),
    memory: str | None = None,
) -> _native.Machine:
    """The machine that these words ask for, as the options of the command line do."""
    for place, word in (("backend", backend), ("adapter", adapter), ("memory", memory)):
        if word is not None and not isinstance(word, str):
            raise refuse(place, word, f"an object of type {type(word).__name__}", "a text")
    words = [kernels] if isinstance(kernels, str) else [str(k) for k in kernels]
    name = backend or os.environ.get("PIMENTO_BACKEND") or "auto"
    wish = (os.getpid(), name, adapter, tuple(words), memory)
    if wish not in _open:
        _silence_layer()
        _open[wish] = _native.Machine(name, adapter, words, memory)
    return _open[wish]
