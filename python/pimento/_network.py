"""Networks that come from elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _native
from ._data import lent
from ._errors import InputError, refuse
from ._machine import machine
from ._temporary import Folder

__all__ = ["Network", "from_onnx", "from_torch"]


class Network:
    """A network from a file: ONNX, safetensors of a training here, or a JSON description with its safetensors.

    ``pimento.sweep(experiment, network=net)`` puts it on chips.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fold_batch_norm: bool = False,
        input_shape: Sequence[int] | None = None,
    ):
        self.path = Path(path).absolute()
        self._fields: dict[str, Any] = {}
        if fold_batch_norm:
            self._fields["fold_batch_norm"] = True
        if input_shape is not None:
            self._fields["input_shape"] = [int(n) for n in input_shape]
        shape = self._fields.get("input_shape")
        self._native = _native.Network(self.path, bool(fold_batch_norm), shape)
        self._temporary: Folder | None = None

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of one image."""
        return self._native.input

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The layers, each a dictionary with name, kind, inputs, shape, parameters, macs and array."""
        out: list[dict[str, Any]] = json.loads(self._native.layers())["nodes"]
        return out

    def infer(self, images: Any, *, backend: str | None = None, adapter: str | None = None) -> np.ndarray[Any, Any]:
        """Outputs ``(N, K)`` of images ``(N, C, H, W)``, ``float32`` and normalised, without any chip's deviations."""
        array = lent(images.detach() if hasattr(images, "detach") else images)
        if array.dtype.kind not in "fiu":
            raise refuse("images", array.dtype, f"images of type {array.dtype}", "numbers")
        c, h, w = self.input_shape
        if array.ndim < 2 or array.size == 0 or array[0].size != c * h * w:
            raise refuse("images", array.shape, f"an array of shape {array.shape}", f"(N, {c}, {h}, {w})")
        flat = np.ascontiguousarray(array, np.float32).reshape(-1)
        _finite("images", flat)
        outputs, each = self._native.infer(machine(backend, adapter), flat)
        return outputs.reshape(-1, each)

    def __repr__(self) -> str:
        c, h, w = self.input_shape
        return f"<pimento.Network {self.path.name}: {len(self.layers)} layers, images of {c} x {h} x {w}>"


def _finite(place: str, flat: np.ndarray[Any, Any]) -> None:
    bad = np.flatnonzero(~np.isfinite(flat))
    if len(bad):
        raise refuse(place, float(flat[bad[0]]), f"value {flat[bad[0]]} at position {bad[0]}", "finite numbers")


def from_onnx(
    path: str | os.PathLike[str], *, fold_batch_norm: bool = False, input_shape: Sequence[int] | None = None
) -> Network:
    """Reads a network from an ONNX file.

    Parameters
    ----------
    path
        The file.
    fold_batch_norm
        Multiply batch norm into the weights before it, so that it lives on the crossbars.
    input_shape
        ``(C, H, W)`` of one image, where the model leaves them free.

    Raises
    ------
    InputError
        A damaged file, or one with an operator that is not supported; the message names it.
    """
    return Network(path, fold_batch_norm=fold_batch_norm, input_shape=input_shape)


def from_torch(
    module: Any,
    example: Any,
    *,
    path: str | os.PathLike[str] | None = None,
    fold_batch_norm: bool = False,
    tolerance: float = 1e-4,
) -> Network:
    """Takes a PyTorch module over, and sees that it computes the same.

    The module is exported to ONNX in evaluation mode, read back, and run on the example by both. It stays as it was.

    Parameters
    ----------
    module
        A ``torch.nn.Module`` from images to logits.
    example
        Images as the module takes them, ``(N, C, H, W)``, with N of 2 or more.
    path
        Where the ONNX file is kept; by default in a temporary place, for as long as the network is used.
    fold_batch_norm
        Multiply batch norm into the weights before it.
    tolerance
        Largest difference of an output that is taken for rounding, relative to the largest output.

    Raises
    ------
    InputError
        A module that cannot be exported, an operator that is not supported, or outputs that differ, with the image and
        the output where they differ most.
    ImportError
        PyTorch is not installed.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise refuse("module", module, f"an object of type {type(module).__name__}", "a torch.nn.Module")
    if not isinstance(example, torch.Tensor) or example.ndim < 2 or len(example) < 2:
        what = f"a tensor of shape {tuple(example.shape)}" if isinstance(example, torch.Tensor) else type(example).__name__
        raise refuse("example", example, what, "a tensor of 2 or more images: one would fix the number of images")
    folder = Folder() if path is None else None
    file = folder.path / "network.onnx" if folder is not None else Path(path or "network.onnx")
    training = module.training
    try:
        module.eval()
        with torch.no_grad():
            expected = module(example).detach().cpu().numpy()
            _export(torch, module, example, file)
    finally:
        module.train(training)
    network = Network(file, fold_batch_norm=fold_batch_norm)
    network._temporary = folder
    compare("module", network, example.detach().cpu().numpy(), expected, tolerance)
    return network


def _export(torch: Any, module: Any, example: Any, file: Path) -> None:
    names = {"input_names": ["input"], "output_names": ["logits"]}
    try:
        # Batch norm stays by itself, so that fold_batch_norm and the experiment decide about it.
        torch.onnx.export(
            module,
            (example,),
            str(file),
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
            **names,
        )
    except Exception as error:
        text = f"module: cannot be exported to ONNX: {error}; allowed: modules that torch.onnx.export takes"
        raise InputError(text) from error


def compare(
    place: str, network: Network, images: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], tolerance: float
) -> None:
    """Refuses a network whose outputs are not those of the module or model that it was exported from."""
    found = network.infer(images, backend="cpu")
    expected = expected.reshape(len(images), -1)
    if found.shape != expected.shape:
        text = f"{place}: its outputs have the shape {expected.shape}, those of the network that was read {found.shape}"
        raise InputError(text + f"; allowed: a {place} from images to logits")
    difference = np.abs(found - expected)
    image, output = np.unravel_index(np.argmax(difference), difference.shape)
    largest: float = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    if not difference.max() <= tolerance * largest:
        raise InputError(
            f"{place}: output {output} of image {image} is {expected[image, output]:.6g}, and {found[image, output]:.6g} "
            f"for the network that was read; allowed: a relative difference of {tolerance:g}"
        )
