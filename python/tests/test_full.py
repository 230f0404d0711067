"""With packages that are large: PyTorch modules, and data frames. `scripts/test_python --full` installs them."""

import importlib.util
import os
import unittest
import warnings

import numpy as np
import pimento
from support import SMALL, Case, corners

NEEDED = ("torch", "onnx", "pandas", "polars", "pyarrow", "duckdb")


def setUpModule():
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and not os.environ.get("PIMENTO_TEST_FULL"):
        print(f"SKIPPED test_full: not installed: {', '.join(missing)}")
        raise unittest.SkipTest(f"not installed: {', '.join(missing)}")
    warnings.simplefilter("ignore", DeprecationWarning)


def module():
    import torch

    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(64, 4))
    # Statistics of batch norm that are not the first ones.
    net(torch.randn(64, 1, 8, 8))
    return net


class Torch(Case):
    def test_a_module_is_taken_over_and_swept(self):
        import torch

        net, x = module(), torch.randn(5, 1, 8, 8)
        for fold in (False, True):
            taken = pimento.from_torch(net, x, fold_batch_norm=fold)
            self.assertTrue(net.training)
            self.assertEqual("batch norm" in [layer["kind"] for layer in taken.layers], not fold)
        y = np.arange(64) % 4
        images = corners(64)[0]
        result = pimento.sweep(
            {"quantize": {"weight_bits": 6, "activation_bits": 8}, "sweep": {"chips": 2}, "variation": {"sigma_w": 0.1}},
            network=taken,
            data=(images, y, images, y),
            progress=False,
        )
        self.assertEqual(len(result.chips), 2)

    def test_modules_that_cannot_be_taken_over_are_refused(self):
        import torch

        class Unknown(torch.nn.Module):
            def forward(self, x):
                return torch.linalg.svd(x.flatten(1))[1]

        class Changing(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer, self.calls = torch.nn.Linear(64, 4), 0

            def forward(self, x):
                self.calls += 1
                return self.layer(x.flatten(1)) * self.calls

        two = torch.randn(2, 1, 8, 8)
        for given, example, words in (
            (Unknown(), two, "cannot be exported"),
            (Changing(), two, "relative difference"),
            (module(), two[:1], "2 or more"),
            (module(), two.numpy(), "2 or more"),
            (3, two, "torch.nn.Module"),
        ):
            with self.subTest(words=words), self.assertRaises(pimento.InputError) as raised:
                pimento.from_torch(given, example)
            self.refused(raised.exception, words)

    def test_a_chip_is_a_module(self):
        import torch
        from pimento.torch import AnalogModel

        x, y = corners(150)
        experiment = {"network": {"kind": "mlp", "hidden": [8]}, "data": {"mean": 0.3, "std": 0.4}, "train": {"epochs": 2}}
        data = pimento.Data((torch.from_numpy(x), torch.from_numpy(y)), (x, y))
        result = pimento.sweep(experiment, data=data, chips=3, variation={"sigma_w": 0.2}, progress=False)
        model = AnalogModel(result, index=2)
        images = (torch.from_numpy(x) / 255 - 0.3) / 0.4
        found = torch.cat([model(part) for part in images.split(64)]).argmax(1).numpy()
        self.assertEqual((found == y).sum(), model.chip.row["correct"])
        with self.assertRaises(pimento.InputError):
            model(images[:16])
        model.rewind()
        with self.assertRaises(pimento.InputError):
            model(images[:16].requires_grad_())


class Frames(Case):
    def test_data_frames_have_the_values_of_the_columns(self):
        import duckdb
        import pandas
        import polars
        import pyarrow

        result = pimento.sweep(SMALL, progress=False)
        for table in (result.chips, result.points):
            self.assertIsInstance(table.to_pandas(), pandas.DataFrame)
            frames = [table.to_pandas(), polars.DataFrame(table), pyarrow.table(table).to_pandas()]
            frames.append(duckdb.from_arrow(pyarrow.table(table)).df())
            for frame in frames:
                self.assertEqual(list(frame.columns), table.columns)
                for name in ("point", "variation.sigma_w"):
                    np.testing.assert_array_equal(frame[name], table[name])


if __name__ == "__main__":
    unittest.main()
