"""Networks that come from Keras."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._errors import InputError, refuse
from ._network import Network, compare
from ._temporary import Folder

__all__ = ["from_keras"]


def from_keras(
    model: Any,
    example: Any,
    *,
    path: str | os.PathLike[str] | None = None,
    fold_batch_norm: bool = False,
    tolerance: float = 1e-4,
) -> Network:
    """Takes a Keras model over, and sees that it computes the same.

    Keras exports the model to ONNX (``model.export(format="onnx")``); the file is read back and run on the example by both.
    With the backend torch that needs PyTorch and ``onnx``, with jax also ``jax2onnx``, with tensorflow ``tf2onnx``.

    The network takes images with channels first, as everything here does. A model with channels last gets the exchange of
    axes in front of it: ``images.transpose(0, 3, 1, 2)`` are then the network's images.

    Parameters
    ----------
    model
        A ``keras.Model`` of Keras 3 from images to logits (or to what follows them, such as softmax).
    example
        Images as the model takes them, ``(N, H, W, C)``, or ``(N, C, H, W)`` where its layers say so, with N of 2 or more.
    path
        Where the ONNX file is kept; by default in a temporary place, for as long as the network is used.
    fold_batch_norm
        Multiply batch norm into the weights before it. With channels last Keras writes an exchange of axes between both;
        batch norm then stays a scale and a shift beside the crossbars.
    tolerance
        Largest difference of an output that is taken for rounding, relative to the largest output.

    Raises
    ------
    InputError
        A model that cannot be exported, an operator that is not supported, or outputs that differ, with the image and
        the output where they differ most.
    ImportError
        Keras 3 is not installed, or its backend is not.
    """
    keras = _keras()
    if not isinstance(model, keras.Model):
        raise refuse("model", model, f"an object of type {type(model).__name__}", "a keras.Model of Keras 3")
    images = np.asarray(keras.ops.convert_to_numpy(example))
    if images.dtype.kind not in "fiu" or images.ndim < 2 or len(images) < 2:
        what = f"{images.dtype} of shape {images.shape}"
        raise refuse("example", example, what, "numbers, 2 or more images: one would fix the number of images")
    images = np.ascontiguousarray(images, np.float32)
    folder = Folder() if path is None else None
    file = folder.path / "network.onnx" if folder is not None else Path(path or "network.onnx")
    try:
        # In evaluation mode; a model that was never called has no weights yet.
        expected = np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), np.float32)
    except Exception as error:
        text = f"example: the model does not take it: {error}; allowed: images as the model takes them"
        raise InputError(text) from error
    exported = model
    if images.ndim == 4 and _channels_last(keras, model):
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        exported = _channels_first(keras, model, images)
    _export(exported, file)
    network = Network(file, fold_batch_norm=fold_batch_norm)
    network._temporary = folder
    compare("model", network, images, expected, tolerance)
    return network


def _keras() -> Any:
    """Keras 3."""
    fix = "allowed: Keras 3 with a backend that is installed, such as pip install keras torch onnx, and KERAS_BACKEND=torch"
    try:
        import keras
    except ImportError as error:
        raise ImportError(f"from_keras: keras cannot be imported: {error}; {fix}") from error
    if int(keras.__version__.split(".")[0]) < 3:
        raise ImportError(f"from_keras: Keras {keras.__version__}; {fix}")
    return keras


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", []):
        yield layer
        yield from _layers(layer)


def _channels_last(keras: Any, model: Any) -> bool:
    """Whether the last axis of images is that of their channels: what the first layer says that knows, else Keras's setting."""
    formats = (getattr(layer, "data_format", None) for layer in _layers(model))
    known = next((name for name in formats if name is not None), None)
    return (known or keras.config.image_data_format()) == "channels_last"


def _channels_first(keras: Any, model: Any, images: np.ndarray[Any, Any]) -> Any:
    """The model behind an exchange of axes; it has the model's own layers."""
    entry = keras.Input(images.shape[1:])
    first = keras.Model(entry, model(keras.layers.Permute((2, 3, 1))(entry), training=False))
    # Keras exports what was called.
    first(images[:1], training=False)
    return first


def _export(model: Any, file: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Sizes that tracing takes for constants are compared by the outputs.
            warnings.simplefilter("ignore")
            model.export(str(file), format="onnx", verbose=False)
    except Exception as error:
        text = f"model: cannot be exported to ONNX: {error}"
        raise InputError(text + '; allowed: models that model.export(format="onnx") takes') from error
