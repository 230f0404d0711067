"""One chip of a sweep: what its layers hold, and what it answers to any images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _native
from ._errors import refuse
from ._network import _finite

__all__ = ["Chip", "ChipLayer"]

_LANES = 16
"""Images of a block: numbers of images begin at multiples of it."""


@dataclass(frozen=True)
class ChipLayer:
    """What the arrays of a layer hold on a chip."""

    name: str
    """Name of the layer."""
    weights: np.ndarray[Any, Any] | None
    """Effective weights ``(outputs, inputs, rows, columns)``, with everything that happened to them; None where the layer is
    evaluated array by array."""
    conductances: np.ndarray[Any, Any] | None
    """Conductances of the planes that converters read ``(planes, outputs, inputs)``, in levels; None where the layer is
    evaluated with effective weights."""


class Chip:
    """A fabricated and tuned chip; ``Result.chip`` makes it.

    Attributes
    ----------
    point, index : int
        Point of the sweep, and index of the chip.
    row : dict
        The chip's row of chips.csv.
    """

    def __init__(self, native: _native.Chip, point: int, index: int, row: dict[str, Any]):
        self._native, self.point, self.index, self.row = native, point, index, row

    @property
    def layers(self) -> list[ChipLayer]:
        """The layers on arrays, in the order of the network."""
        found = []
        for name, planes, shape, values in self._native.layers():
            array = values.reshape(shape)
            found.append(ChipLayer(name, None if planes else array, array if planes else None))
        return found

    @property
    def mean(self) -> np.ndarray[Any, Any]:
        """Mean that pixels (0 to 1 of ``uint8``) are normalised with, by channel."""
        return np.array([mean for mean, _ in self._native.constants])

    @property
    def std(self) -> np.ndarray[Any, Any]:
        """Standard deviation likewise."""
        return np.array([std for _, std in self._native.constants])

    def logits(self, images: Any, *, first: int = 0) -> np.ndarray[Any, Any]:
        """Outputs ``(N, K)`` of images ``(N, C, H, W)``, ``float32`` and normalised.

        ``first`` is the number of the first image, a multiple of 16: what differs from read to read is drawn by the
        number of the image, as in a sweep.
        """
        array = np.asarray(images)
        c, h, w = self._native.image
        if array.dtype.kind not in "fiu":
            raise refuse("images", array.dtype, f"images of type {array.dtype}", "numbers")
        if array.ndim < 2 or array.size == 0 or array[0].size != c * h * w:
            raise refuse("images", array.shape, f"an array of shape {array.shape}", f"(N, {c}, {h}, {w})")
        if not isinstance(first, int) or not 0 <= first < 2**31 or first % _LANES:
            raise refuse("first", first, f"{first!r}", f"a multiple of {_LANES} from 0 on")
        flat = np.ascontiguousarray(array, np.float32).reshape(-1)
        _finite("images", flat)
        return self._native.logits(flat, first).reshape(len(array), -1)

    def __repr__(self) -> str:
        accuracy = 100 * float(self.row["accuracy"])
        return f"<pimento.Chip {self.index} of point {self.point}: accuracy {accuracy:.2f} % in the sweep>"
