"""Networks: trained here, read from files, put on chips."""

import unittest

import numpy as np
import pimento
from support import ROOT, SMALL, Case, program

PTQ = """
[data]
set = "digits-8x8"
[quantize]
weight_bits = 6
activation_bits = 8
[train]
recipe = "ptq"
epochs = 0
[variation]
sigma_w = 0.1
[sweep]
chips = 3
images = 100
"""


class Networks(Case):
    def test_a_training_is_that_of_the_program(self):
        path = self.write("small.toml", SMALL)
        program("train", path, "--out", self.dir / "there.safetensors", "--backend", "cpu")
        training = pimento.train(path, self.dir / "here.safetensors", progress=False)
        self.assertGreater(training.record["steps"], 0)
        x = np.random.default_rng(2).normal(size=(4, 1, 8, 8)).astype(np.float32)
        there = pimento.Network(self.dir / "there.safetensors")
        np.testing.assert_array_equal(training.network.infer(x), there.infer(x))
        with self.assertRaises(pimento.InputError):
            pimento.train(path, self.dir / "here.safetensors", progress=False)
        with self.assertRaises(pimento.InputError):
            pimento.train(path, self.dir / "no" / "here.safetensors", progress=False)

    def test_a_network_goes_on_chips_as_the_programs_file_does(self):
        training = pimento.train(SMALL, progress=False, **{"train.recipe": "float"})
        self.assertEqual(training.network.input_shape, (1, 8, 8))
        self.assertIn("linear", [layer["kind"] for layer in training.network.layers])
        here = pimento.sweep(PTQ, network=training.network, progress=False)
        file = self.write("ptq.toml", PTQ + f"[network]\nkind = \"file\"\nfile = '{training.network.path}'\n")
        program("sweep", file, "--out", self.dir / "there", "--backend", "cpu")
        want = (self.dir / "there" / "chips.csv").read_bytes()
        self.assertEqual((here.directory / "chips.csv").read_bytes(), want)

    def test_onnx_models_have_the_outputs_of_onnx_runtime(self):
        folder = ROOT / "assets" / "golden" / "onnx"
        model = sorted(folder.glob("*.onnx"))[0]
        network = pimento.from_onnx(model)
        x = np.random.default_rng(0).normal(size=(2, *network.input_shape)).astype(np.float32)
        np.save(self.dir / "x.npy", x)
        program("infer", model, "--input", self.dir / "x.npy", "--output", self.dir / "y.npy", "--backend", "cpu")
        np.testing.assert_array_equal(network.infer(x), np.load(self.dir / "y.npy").reshape(2, -1))

    def test_damaged_files_and_wrong_images_are_refused(self):
        damaged = self.write("net.onnx", "no network")
        with self.assertRaises(pimento.InputError):
            pimento.from_onnx(damaged)
        network = pimento.train(SMALL, progress=False).network
        nan = np.zeros((2, 1, 8, 8), np.float32)
        nan[1, 0, 0, 0] = np.nan
        for images in (np.zeros((2, 1, 8, 9)), np.zeros(64), np.array("x"), nan):
            with self.assertRaises(pimento.InputError):
                network.infer(images)


if __name__ == "__main__":
    unittest.main()
