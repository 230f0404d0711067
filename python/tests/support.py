"""What the tests share: a small experiment, a temporary directory, the program beside which the package stands."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

SMALL = """
seed = 3
[data]
set = "digits-8x8"
[network]
kind = "mlp"
hidden = [8]
[train]
epochs = 1
[variation]
sigma_w = 0.1
sigma_b = 0.1
[sweep]
chips = 6
images = 100
[[sweep.grid]]
sigma_w = [0.1, 0.3]
"""

ARRAYS = """
fidelity = "cell"
[quantize]
weight_bits = 4
activation_bits = 4
input_bits = 4
[variation]
sigma_w = 0.05
[chip.cells]
slice_bits = 1
[chip.adc]
bits = 6
"""


def program(*words, code=0):
    """Runs the program; its standard output. It is built with the extension and named by the runner."""
    path = os.environ.get("PIMENTO_PROGRAM", str(ROOT / "target" / "debug" / "pimento"))
    done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done.stdout if code == 0 else done.stderr


def corners(n, dtype=np.uint8):
    """Images of 8 x 8 with a bright corner, the class of which is the label."""
    random = np.random.default_rng(5)
    images = random.integers(0, 60, (n, 1, 8, 8))
    labels = np.arange(n) % 4
    for i, label in enumerate(labels):
        y, x = 4 * (label // 2), 4 * (label % 2)
        images[i, 0, y : y + 4, x : x + 4] += 150
    return images.astype(dtype), labels


class Case(unittest.TestCase):
    """A test with a directory of its own, in which nothing may be left of what failed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        for name in ("PIMENTO_DATA", "PIMENTO_BACKEND"):
            value = os.environ.pop(name, None)
            if value is not None:
                self.addCleanup(os.environ.__setitem__, name, value)
        os.environ["PIMENTO_BACKEND"] = "cpu"
        self.addCleanup(os.environ.pop, "PIMENTO_BACKEND", None)

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def refused(self, error, *words):
        """That an exception says these words."""
        for word in words:
            self.assertIn(word, str(error))
