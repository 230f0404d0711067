"""One chip of a sweep: its outputs give the sweep's accuracy, its weights deviate as they should."""

import unittest

import numpy as np
import pimento
from support import SMALL, Case, corners

EXPERIMENT = {
    "network": {"kind": "mlp", "hidden": [8]},
    "data": {"mean": 0.3, "std": 0.4},
    "train": {"epochs": 2, "batch": 16},
    "sweep": {"chips": 3, "grid": [{"sigma_w": [0.0, 0.2]}]},
}

CELLS = {
    "fidelity": "cell",
    "quantize": {"activation_bits": 4, "input_bits": 4},
    "chip": {"adc": {"bits": 6}, "read": {"sigma": 0.02}},
}


class Chips(Case):
    def setUp(self):
        super().setUp()
        self.x, self.y = corners(150)
        self.data = pimento.Data((self.x, self.y), (self.x, self.y))
        self.inputs = ((self.x / np.float32(255) - 0.3) / 0.4).astype(np.float32)

    def test_outputs_give_the_accuracy_of_the_sweep(self):
        for level in ({}, CELLS):
            result = pimento.sweep(EXPERIMENT, data=self.data, progress=False, **level)
            for point, index in ((0, 1), (1, 0), (1, 2)):
                chip = result.chip(point, index)
                logits = chip.logits(self.inputs)
                self.assertEqual(logits.shape, (150, 4))
                correct = (logits.argmax(1) == self.y).sum()
                self.assertEqual(correct, chip.row["correct"], (level, point, index))
                # In two calls, the second from a later number on.
                parts = [chip.logits(self.inputs[:64]), chip.logits(self.inputs[64:], first=64)]
                np.testing.assert_array_equal(np.concatenate(parts), logits)

    def test_weights_of_a_chip_deviate_from_those_of_a_perfect_one(self):
        result = pimento.sweep(EXPERIMENT, data=self.data, progress=False, **{"train.recipe": "qat"})
        perfect, other = result.chip(0, 0).layers, result.chip(1, 0).layers
        self.assertEqual([layer.weights.shape for layer in perfect], [(8, 64, 1, 1), (4, 8, 1, 1)])
        same = result.chip(0, 2).layers
        for a, b, c in zip(perfect, other, same):
            self.assertIsNone(a.conductances)
            np.testing.assert_array_equal(a.weights, c.weights)
            there = a.weights != 0
            # Six standard errors of a standard deviation of 0.2.
            ratio = b.weights[there] / a.weights[there] - 1
            self.assertLess(abs(ratio.std() - 0.2), 6 * 0.2 / np.sqrt(2 * there.sum()))
        cells = pimento.sweep(EXPERIMENT, data=self.data, progress=False, **CELLS).chip(1, 0).layers
        self.assertEqual(cells[0].conductances.shape[1:], (8, 64))
        self.assertIsNone(cells[0].weights)

    def test_what_cannot_be_right_is_refused(self):
        result = pimento.sweep(EXPERIMENT, data=self.data, progress=False)
        for point, index in ((2, 0), (0, 3), (-1, 0)):
            with self.assertRaises(pimento.InputError):
                result.chip(point, index)
        chip = result.chip(0, 0)
        nan = self.inputs.copy()
        nan[5, 0, 1, 1] = np.nan
        for images, first in ((self.inputs[:, :, :4], 0), (nan, 0), (self.inputs, 8), (self.inputs, -16), (self.x.astype(str), 0)):
            with self.assertRaises(pimento.InputError):
                chip.logits(images, first=first)
        # Other images than those of the run.
        kept = result.save(self.dir / "kept")
        with self.assertRaisesRegex(pimento.InputError, "images"):
            kept.chip(0, 0)

    def test_chips_of_runs_that_are_opened_again_are_found(self):
        pimento.sweep(SMALL, out=self.dir / "run", progress=False)
        chip = pimento.open_run(self.dir / "run").chip(1, 5)
        self.assertEqual(chip.row["chip"], 5)
        self.assertEqual(chip.logits(np.zeros((2, 1, 8, 8), np.float32)).shape, (2, 10))
        np.testing.assert_allclose((chip.mean, chip.std), [[0.3057], [0.3756]], rtol=1e-3)


if __name__ == "__main__":
    unittest.main()
