"""Models of Keras: with a stand-in for what is asked of Keras, and with Keras itself in `scripts/test_python --full`."""

import importlib.util
import os
import shutil
import types
import unittest
from unittest import mock

import numpy as np
import pimento
from support import ROOT, Case, corners

NEEDED = ("keras", "torch", "onnx")


def golden():
    """A network of ours that takes pictures, as a file."""
    for file in sorted((ROOT / "assets" / "golden" / "onnx").glob("*.onnx")):
        try:
            shape = pimento.from_onnx(file).input_shape
        except pimento.InputError:
            continue
        if len(set(shape)) > 1 and min(shape[1:]) > 1:
            return file
    raise AssertionError("no picture network among the golden files")


class Model:
    """A model as Keras has them, computed by a network that was read from a file."""

    def __init__(self, entry=None, outputs=None, file=None, order="channels_first", fault=None):
        if outputs is not None:
            file, fault = outputs.file, outputs.fault
        self.file, self.order, self.fault, self.calls = file, order, fault, []
        self.entry, self.layers = entry, [types.SimpleNamespace(data_format=order)] if entry is None else []

    def __call__(self, images, training):
        assert training is False
        if isinstance(images, tuple):
            return self
        if self.fault == "call":
            raise ValueError("wants other images")
        self.calls.append(images.shape)
        first = images.transpose(0, 3, 1, 2) if self.order == "channels_last" else images
        found = pimento.from_onnx(self.file).infer(first, backend="cpu")
        return found + 0.5 if self.fault == "value" else found

    def export(self, path, format, verbose):
        assert (format, verbose) == ("onnx", False) and self.calls
        if self.fault == "export":
            raise NotImplementedError("no such backend")
        shutil.copy(self.file, path)


def keras(version="3.15.1"):
    """The module, with what is used of it."""
    module = types.ModuleType("keras")
    module.__version__, module.Model = version, Model
    module.Input = lambda shape: ("entry", tuple(shape))
    module.layers = types.SimpleNamespace(Permute=lambda order: lambda entry: (*entry, order))
    module.ops = types.SimpleNamespace(convert_to_numpy=np.asarray)
    module.config = types.SimpleNamespace(image_data_format=lambda: "channels_last")
    return mock.patch.dict("sys.modules", {"keras": module})


class StandIn(Case):
    def setUp(self):
        super().setUp()
        self.file = golden()
        self.images = np.random.default_rng(1).normal(size=(3, *pimento.from_onnx(self.file).input_shape)).astype(np.float32)

    def test_a_model_is_taken_over_in_either_order_of_axes(self):
        for order, example in (
            ("channels_first", self.images),
            ("channels_last", self.images.transpose(0, 2, 3, 1)),
        ):
            with self.subTest(order=order), keras():
                model = Model(file=self.file, order=order)
                taken = pimento.from_keras(model, example, path=self.dir / f"{order}.onnx")
                self.assertEqual(taken.input_shape, self.images.shape[1:])
                want = pimento.from_onnx(self.file).infer(self.images)
                np.testing.assert_array_equal(taken.infer(self.images), want)
                # The example went through the model as it is.
                self.assertEqual(model.calls[0], example.shape)
                self.assertTrue((self.dir / f"{order}.onnx").exists())

    def test_what_cannot_be_taken_over_is_refused(self):
        model = Model(file=self.file)
        for given, example, words in (
            (3, self.images, "keras.Model"),
            (model, self.images[:1], "2 or more"),
            (model, np.array(["x", "y"]), "2 or more"),
            (Model(file=self.file, fault="call"), self.images, "wants other images"),
            (Model(file=self.file, fault="export"), self.images, "no such backend"),
            (Model(file=self.file, fault="value"), self.images, "relative difference"),
        ):
            with self.subTest(words=words), keras(), self.assertRaises(pimento.InputError) as raised:
                pimento.from_keras(given, example)
            self.refused(raised.exception, words, "allowed: ")

    def test_without_keras_the_message_says_what_to_install(self):
        for without in (keras("2.15.0"), mock.patch.dict("sys.modules", {"keras": None})):
            with without, self.assertRaises(ImportError) as raised:
                pimento.from_keras(None, self.images)
            self.refused(raised.exception, "pip install keras torch onnx", "KERAS_BACKEND=torch")


class Real(Case):
    def setUp(self):
        super().setUp()
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing and not os.environ.get("PIMENTO_TEST_FULL"):
            print(f"SKIPPED test_keras, Real: not installed: {', '.join(missing)}")
            self.skipTest(f"not installed: {', '.join(missing)}")
        os.environ.setdefault("KERAS_BACKEND", "torch")

    def model(self, shape, axis, end):
        import keras

        form, layers = ("channels_first", "channels_last")[axis == -1], keras.layers
        entry = x = keras.Input(shape)
        for _ in range(2):
            skip = x
            x = layers.Conv2D(8, 3, padding="same", use_bias=False, data_format=form)(x)
            x = layers.BatchNormalization(axis=axis)(x)
            x = layers.ReLU()(x if skip is entry else layers.Add()([x, skip]))
        x = layers.Flatten(data_format=form)(layers.MaxPooling2D(2, data_format=form)(layers.Dropout(0.5)(x)))
        return keras.Model(entry, layers.Dense(4, activation=end)(x))

    def test_models_of_keras_compute_the_same_here(self):
        x = np.random.default_rng(2).normal(size=(5, 8, 6, 3)).astype(np.float32)
        for axis, example in ((-1, x), (1, x.transpose(0, 3, 1, 2))):
            for end, fold in ((None, False), ("softmax", True)):
                with self.subTest(axis=axis, end=end):
                    model = self.model(example.shape[1:], axis, end)
                    taken = pimento.from_keras(model, example, fold_batch_norm=fold)
                    self.assertEqual(taken.input_shape, (3, 8, 6))
                    want = np.asarray(model(example, training=False).detach())
                    found = taken.infer(x.transpose(0, 3, 1, 2))
                    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)

    def test_a_model_of_keras_goes_on_chips(self):
        x, y = corners(64)
        taken = pimento.from_keras(self.model((8, 8, 1), -1, None), np.zeros((2, 8, 8, 1), np.float32))
        result = pimento.sweep(
            {"quantize": {"weight_bits": 6, "activation_bits": 8}, "sweep": {"chips": 2}, "variation": {"sigma_w": 0.1}},
            network=taken,
            data=(x, y, x, y),
            progress=False,
        )
        self.assertEqual(len(result.chips), 2)


if __name__ == "__main__":
    unittest.main()
