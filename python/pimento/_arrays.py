"""One matrix on one chip, every stage in the open."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _native
from ._data import lent
from ._errors import InputError, refuse
from ._experiment import ExperimentLike, experiment_of
from ._machine import machine
from ._network import _finite

__all__ = ["Crossbar", "Product", "mvm"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Product:
    """The product of a matrix and vectors on a chip, stage by stage. A stage that the chip does not have is None.

    ``B`` are vectors, ``N`` outputs, ``K`` inputs; planes are what converters read, each a slice or a sign.
    """

    outputs: _Array
    """``(B, N)``: what the chip says."""
    input_codes: _Array
    """``(B, K)``: codes of the inputs."""
    conductances: _Array
    """``(planes, N, K)``: what the planes hold, in levels."""
    partial_sums: _Array
    """``(B, planes, N, row tiles, conversions)``: what the converters see, in levels."""
    clipped: _Array
    """``(B, N)``: conversions beyond the range."""
    ideal: _Array | None = None
    """``(B, N)``: the exact product of the codes; None for given conductances."""
    weight_codes: _Array | None = None
    """``(N, K)``: codes of the weights; None for given conductances."""
    codes: _Array | None = None
    """``(B, planes, N, row tiles, conversions)``: what the converters say; None without converters."""
    ranges: _Array | None = None
    """``(planes, N, 2)``: step and value of code 0 of the converters, in levels; None without converters."""
    about: dict[str, Any] = field(default_factory=dict)
    """Steps of weights and inputs, tiles, planes, cells, slices, conversions, and the energy of other parts (``energy``)."""

    @property
    def array_energy_pj(self) -> _Array | None:
        """``(B,)``: energy of the arrays for every vector, in pJ; None without a section ``energy``."""
        energy = self.about.get("energy")
        return None if energy is None else np.asarray(energy["arrays_pj"])

    @property
    def error(self) -> _Array | None:
        """``(B, N)``: outputs minus the exact product."""
        return None if self.ideal is None else self.outputs - self.ideal


def _floats(place: str, value: Any) -> _Array:
    array = lent(value.detach() if hasattr(value, "detach") else value)
    if array.dtype.kind not in "fiub":
        raise refuse(place, array.dtype, f"values of type {array.dtype}", "numbers")
    out = np.ascontiguousarray(array, np.float32)
    _finite(place, out.reshape(-1))
    return out


class Crossbar:
    """A matrix on the arrays of one chip.

    Parameters
    ----------
    experiment
        What is simulated, with ``fidelity = "cell"``: path, TOML text or dictionary, as of ``pimento.sweep``. Its sections
        ``[chip]``, ``[variation]``, ``[tuning]``, ``[quantize]`` and its seed are used.
    weights
        ``(N, K)``: N outputs of K inputs.
    conductances
        ``(cell planes, N, K)`` relative to the largest conductance, instead of weights: cells as they are.
    chip
        Index of the chip. The same seed and index is the same chip, always.
    weight_max, input_max
        Magnitudes that the highest codes stand for; by default the largest weight and, of every call, input.
    signed
        Whether input codes are signed; by default if an input is negative.
    backend, adapter
        What computes.
    **overrides
        Changes of the experiment, as of ``pimento.sweep``.

    Examples
    --------
    >>> import numpy, pimento
    >>> xbar = pimento.Crossbar({"chip": {"adc": {"bits": 8}}, "quantize": {"weight_bits": 4, "activation_bits": 4,
    ...     "input_bits": 4}}, numpy.eye(3), fidelity="cell", backend="cpu")
    >>> (xbar @ numpy.array([1.0, 0.5, 0.25])).shape
    (3,)
    """

    def __init__(
        self,
        experiment: ExperimentLike,
        weights: Any = None,
        *,
        conductances: Any = None,
        chip: int = 0,
        weight_max: float | None = None,
        input_max: float | None = None,
        signed: bool | None = None,
        backend: str | None = None,
        adapter: str | None = None,
        **overrides: Any,
    ):
        if (weights is None) == (conductances is None):
            raise refuse("weights", None, "neither or both of weights and conductances", "one of them")
        place, given = ("weights", weights) if conductances is None else ("conductances", conductances)
        self._matrix = _floats(place, given)
        rank = 2 if conductances is None else 3
        if self._matrix.ndim != rank or self._matrix.size == 0:
            allowed = "(N, K)" if rank == 2 else "(cell planes, N, K)"
            raise refuse(place, self._matrix.shape, f"an array of shape {self._matrix.shape}", allowed)
        if rank == 3 and (self._matrix < 0).any():
            raise refuse(place, float(self._matrix.min()), "negative conductances", "0 and above")
        if not isinstance(chip, (int, np.integer)) or isinstance(chip, bool) or not 0 <= chip < 2**32:
            raise refuse("chip", chip, f"{chip!r} is no index of a chip", "0 to 4294967295")
        for name, most in (("weight_max", weight_max), ("input_max", input_max)):
            if most is not None and not (np.isfinite(most) and most > 0):
                raise refuse(name, most, f"{most!r}", "finite numbers above 0")
        self._asked = {
            "conductances": rank == 3,
            "outputs": self._matrix.shape[-2],
            "weight_max": weight_max,
            "input_max": input_max,
            "signed": signed,
            "chip": int(chip),
        }
        self._experiment = experiment_of(experiment, overrides, need_images=False)
        self._machine = machine(backend, adapter)

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        n, k = self._matrix.shape[-2:]
        return n, k

    def mvm(self, inputs: Any) -> Product:
        """Multiplies vectors ``(B, K)`` or ``(K,)``. Ranges of converters that are to be calibrated are calibrated on them."""
        x = _floats("inputs", inputs)
        if x.ndim not in (1, 2) or x.shape[-1] != self.shape[1] or x.size == 0:
            n = self.shape[1]
            raise refuse("inputs", x.shape, f"an array of shape {x.shape}", f"(B, {n}) or ({n},)")
        asked = {
            **self._asked,
            "matrix": self._matrix.reshape(-1),
            "inputs": x.reshape(-1),
            "vectors": 1 if x.ndim == 1 else len(x),
        }
        stages, about = _native.mvm(self._experiment, self._machine, asked)
        return Product(about=json.loads(about), **{name: values.reshape(shape) for name, shape, values in stages})

    def __matmul__(self, inputs: Any) -> _Array:
        """``crossbar @ x``: outputs of ``x``, ``(K,)`` or ``(K, B)`` as matrices have it."""
        x = np.asarray(inputs)
        out = self.mvm(x.T if x.ndim == 2 else x).outputs
        return out.T if x.ndim == 2 else out[0]

    def __repr__(self) -> str:
        n, k = self.shape
        return f"<pimento.Crossbar: {n} x {k} on chip {self._asked['chip']}>"


def mvm(experiment: ExperimentLike, weights: Any = None, inputs: Any = None, **options: Any) -> Product:
    """Multiplies one matrix with vectors on one chip: ``Crossbar(experiment, weights, ...).mvm(inputs)``.

    Parameters
    ----------
    experiment, weights
        As of ``Crossbar``, which has all ``options``.
    inputs
        ``(B, K)`` or ``(K,)``.
    """
    if inputs is None:
        raise InputError("inputs: missing; allowed: an array of shape (B, K) or (K,)")
    return Crossbar(experiment, weights, **options).mvm(inputs)
