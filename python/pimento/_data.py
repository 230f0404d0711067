"""Images and labels in memory."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import _native
from ._errors import PimentoWarning, refuse

__all__ = ["Data"]


def lent(value: Any) -> np.ndarray[Any, Any]:
    """An array of what has one: by DLPack where that is the only way, which copies nothing, else as numpy does it."""
    of_numpy = any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__buffer__"))
    if hasattr(value, "__dlpack__") and not of_numpy:
        out: np.ndarray[Any, Any] = np.from_dlpack(value)
        return out
    return np.asarray(value)


def _array(place: str, value: Any) -> np.ndarray[Any, Any]:
    """An array of anything that has one on the CPU, without a copy."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):
        # A torch tensor: those with a gradient, and those of another device, say so themselves.
        value = value.detach()
    try:
        return lent(value)
    except Exception as error:
        fix = "numpy arrays, and what lends its memory (buffers, DLPack: torch tensors and jax arrays on the CPU)"
        raise refuse(place, type(value), f"no array: {error}", fix) from error


def _pixels(place: str, value: Any) -> tuple[np.ndarray[Any, Any], tuple[int, int, int]]:
    array = _array(place, value)
    if array.dtype not in (np.uint8, np.float32):
        fix = f"uint8 or float32, e.g. {place}.astype(numpy.float32)"
        raise refuse(place, array.dtype, f"pixels of type {array.dtype}", fix)
    if array.dtype == np.float32 and not array.dtype.isnative:
        raise refuse(place, array.dtype, "pixels in the other byte order", f"{place}.astype(numpy.float32)")
    if array.ndim < 2 or array.size == 0:
        raise refuse(place, array.shape, f"an array of shape {array.shape}", "(N, C, H, W), (N, H, W) or (N, F), N from 1 on")
    found = _native.image_shape(list(array.shape[1:]))
    if found is None:
        fix = "(N, C, H, W), (N, H, W, C) with 1 or 3 channels, (N, H, W), (N, F)"
        raise refuse(place, array.shape, f"images of shape {array.shape}", fix)
    shape, channels_last = found
    if channels_last and shape[0] > 1:
        fix = f"channels before rows, without a copy of yours to keep: numpy.ascontiguousarray(numpy.moveaxis({place}, -1, 1))"
        raise refuse(place, array.shape, f"images of shape {array.shape} have their channels last", fix)
    if not array.flags.c_contiguous:
        fix = f"contiguous arrays, e.g. numpy.ascontiguousarray({place})"
        raise refuse(place, array.strides, f"an array of shape {array.shape} with strides {array.strides}", fix)
    return array, shape


def _labels(place: str, value: Any, images: int) -> list[int]:
    array = _array(place, value)
    if array.dtype.kind not in "iu":
        raise refuse(place, array.dtype, f"labels of type {array.dtype}", "integers, the classes counted from 0")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise refuse(place, array.shape, f"labels of shape {array.shape}", "(N,) or (N, 1)")
    if len(array) != images:
        raise refuse(place, array.shape, f"{len(array)} labels for {images} images", "as many labels as images")
    bad = np.flatnonzero((array < 0) | (array > 65534))
    if len(bad):
        what = f"label of image {bad[0]} is {array[bad[0]]}"
        raise refuse(f"{place}[{bad[0]}]", int(array[bad[0]]), what, "0 to 65534")
    out: list[int] = array.tolist()
    return out


class Data:
    """Training and test images that the program has in memory.

    Pixels are used where they are: ``uint8`` (0 to 255) or ``float32`` (any finite numbers, which stand for themselves)
    in contiguous numpy arrays, or in torch or jax arrays on the CPU that numpy sees without a copy. Anything else is
    refused with what to do. Do not write to the arrays while a sweep or a training reads them; nothing can prevent it.

    Parameters
    ----------
    train, test
        Pairs of images and labels. Images are ``(N, C, H, W)``, ``(N, H, W)`` or ``(N, F)``, labels ``(N,)`` integers
        from 0 on. Networks learn from, and are calibrated on, the first part; chips are measured on the second.
    classes
        Number of classes; by default one more than the largest label.
    name
        Name for messages.

    Examples
    --------
    >>> import numpy, pimento
    >>> x = numpy.zeros((8, 1, 4, 4), numpy.uint8)
    >>> y = numpy.arange(8) % 2
    >>> pimento.Data(train=(x, y), test=(x, y))
    <pimento.Data: 8 training and 8 test images of 1 x 4 x 4, 2 classes>
    """

    def __init__(self, train: Any, test: Any, *, classes: int | None = None, name: str = "arrays"):
        parts = []
        for place, part in (("train", train), ("test", test)):
            if not isinstance(part, (tuple, list)) or len(part) != 2:
                raise refuse(place, part, f"{type(part).__name__} instead of a pair", "(images, labels)")
            pixels, shape = _pixels(f"{place}[0]", part[0])
            labels = _labels(f"{place}[1]", part[1], len(pixels))
            parts.append((pixels, labels, shape))
        (train_x, train_y, shape), (test_x, test_y, other) = parts
        if shape != other or train_x.dtype != test_x.dtype:
            what = f"images of {other} {test_x.dtype}, but {shape} {train_x.dtype} in train"
            raise refuse("test[0]", test_x.shape, what, "the same type and size in both parts")
        if classes is not None and (not isinstance(classes, int) or isinstance(classes, bool) or not 1 <= classes <= 65535):
            raise refuse("classes", classes, f"{classes!r} classes", "a number from 1 to 65535")
        self._native = _native.Data(str(name), (train_x, train_y), (test_x, test_y), shape, classes)
        for remark in self._native.remarks():
            warnings.warn(remark, PimentoWarning, stacklevel=2)

    def __repr__(self) -> str:
        train, test, (c, h, w), classes = self._native.sizes
        return f"<pimento.Data: {train} training and {test} test images of {c} x {h} x {w}, {classes} classes>"


def as_data(value: Any) -> Data | None:
    """Data of the argument ``data``, where it is arrays."""
    if value is None or isinstance(value, Data):
        return value
    if isinstance(value, (tuple, list)):
        if len(value) == 4:
            return Data(train=value[:2], test=value[2:])
        if len(value) == 2:
            return Data(*value)
        fix = "(train_images, train_labels, test_images, test_labels), ((images, labels), (images, labels)), pimento.Data"
        raise refuse("data", value, f"{len(value)} arrays", fix)
    raise refuse("data", value, f"an object of type {type(value).__name__}", "pimento.Data, arrays, or a path")
