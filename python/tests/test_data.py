"""Images from memory: used where they are, the same as from files, and refused where they cannot be right."""

import unittest
import warnings

import numpy as np
import pimento
from support import Case, corners, program

TRAINING = {
    "network": {"kind": "mlp", "hidden": [8]},
    "data": {"mean": "auto", "std": "auto"},
    "train": {"epochs": 1, "batch": 16},
    "variation": {"sigma_w": 0.2},
    "sweep": {"chips": 3},
}


class InMemory(Case):
    def test_pixels_are_not_copied(self):
        for dtype in (np.uint8, np.float32):
            x, y = corners(32, dtype)
            data = pimento.Data(train=(x, y), test=(x[:16], y[:16]))
            self.assertEqual(data._native.addresses(), [x.ctypes.data] * 2)
        self.assertIn("32 training and 16 test images of 1 x 8 x 8, 4 classes", repr(data))

    def test_what_speaks_dlpack_alone_is_not_copied(self):
        class Tensor:
            """Memory of another library, which numpy does not know."""

            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **wishes):
                return self.array.__dlpack__(**wishes)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        class Elsewhere(Tensor):
            """The same on a graphics card."""

            def __dlpack_device__(self):
                return (2, 0)

            def __dlpack__(self, **wishes):
                raise BufferError("memory of a device")

        x, y = corners(32, np.float32)
        data = pimento.Data((Tensor(x), y), (Tensor(x), y))
        self.assertEqual(data._native.addresses(), [x.ctypes.data] * 2)
        with self.assertRaises(pimento.InputError) as found:
            pimento.Data((Elsewhere(x), y), (x, y))
        self.refused(found.exception, "train[0]", "on the CPU")

    def test_arrays_outlive_their_names(self):
        x, y = corners(64)
        data = pimento.Data((x.copy(), y), (x.copy(), y))
        want = pimento.sweep(TRAINING, data=(x, y, x, y), progress=False).chips["correct"]
        np.testing.assert_array_equal(pimento.sweep(TRAINING, data=data, progress=False).chips["correct"], want)

    def test_a_sweep_of_arrays_has_the_bytes_of_one_of_files(self):
        for dtype in (np.uint8, np.float32):
            (x, y), (tx, ty) = corners(64, dtype), corners(40, dtype)
            folder = self.dir / np.dtype(dtype).name
            folder.mkdir()
            for name, array in (("x", x), ("y", y), ("tx", tx), ("ty", ty)):
                np.save(folder / f"{name}.npy", array)
            (folder / "e.toml").write_text(
                '[data]\nkind = "npy"\ndir = "."\nmean = "auto"\nstd = "auto"\ntrain_images = "x.npy"\n'
                'train_labels = "y.npy"\ntest_images = "tx.npy"\ntest_labels = "ty.npy"\n[network]\nkind = "mlp"\n'
                "hidden = [8]\n[train]\nepochs = 1\nbatch = 16\n[variation]\nsigma_w = 0.2\n[sweep]\nchips = 3\n"
            )
            program("sweep", folder / "e.toml", "--out", folder / "there", "--backend", "cpu")
            here = pimento.sweep(TRAINING, data=(x, y, tx, ty), progress=False)
            want = (folder / "there" / "chips.csv").read_bytes()
            self.assertEqual((here.directory / "chips.csv").read_bytes(), want)
            nested = pimento.check(TRAINING, data=((x, y), (tx, ty)))
            self.assertEqual(nested.document["test_images"], 40)

    def test_labels_of_any_integers_are_taken(self):
        x, y = corners(16)
        for labels in (y.astype(np.uint8), y.astype(np.int32), y[:, None], list(map(int, y))):
            self.assertIn("4 classes", repr(pimento.Data((x, labels), (x, labels))))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            data = pimento.Data((x, y), (x, y), classes=6)
        self.assertIn("6 classes", repr(data))
        self.assertTrue(any(issubclass(w.category, pimento.PimentoWarning) for w in said))

    def test_what_cannot_be_right_is_refused_with_place_and_fix(self):
        x, y = corners(16)
        nan = corners(16, np.float32)[0]
        nan[3, 0, 2, 2] = np.nan
        wide = np.zeros((16, 1, 8, 16), np.uint8)
        last = np.zeros((16, 8, 8, 3), np.uint8)
        bad = y.copy()
        bad[5] = -1
        for (images, labels), place, words in (
            ((x.astype(np.float64), y), "train[0]", "astype(numpy.float32)"),
            ((x.astype(complex), y), "train[0]", "uint8 or float32"),
            ((x.astype(object), y), "train[0]", "uint8 or float32"),
            ((x.astype(">f4"), y), "train[0]", "float32"),
            ((wide[..., ::2], y), "train[0]", "ascontiguousarray"),
            ((np.asfortranarray(np.zeros((16, 2, 8, 8), np.uint8)), y), "train[0]", "ascontiguousarray"),
            ((last, y), "train[0]", "moveaxis"),
            ((np.zeros((16, 2, 2, 2, 2), np.uint8), y), "train[0]", "(N, C, H, W)"),
            ((np.zeros(16, np.uint8), y), "train[0]", "(N, C, H, W)"),
            ((x[:0], y[:0]), "train[0]", "from 1 on"),
            ((object(), y), "train[0]", "uint8 or float32"),
            ((x, y[:-1]), "train[1]", "as many labels"),
            ((x, y.astype(float)), "train[1]", "integers"),
            ((x, np.stack([y, y], 1)), "train[1]", "(N,)"),
            ((x, bad), "train[1][5]", "0 to 65534"),
        ):
            with self.subTest(place=place, words=words):
                with self.assertRaises(pimento.InputError) as raised:
                    pimento.Data(train=(images, labels), test=(x, y))
                self.assertEqual(raised.exception.place, place)
                self.assertIn(words, raised.exception.fix)
        with self.assertRaisesRegex(pimento.InputError, "image 3 has the pixel NaN"):
            pimento.Data((nan, y), (nan, y))
        with self.assertRaisesRegex(pimento.InputError, "the same type and size"):
            pimento.Data((x, y), (nan[:2], y[:2]))
        with self.assertRaisesRegex(pimento.InputError, "below 3"):
            pimento.Data((x, y), (x, y), classes=3)
        for wrong in (x, (x, y, x), 3, (x, 1)):
            with self.assertRaises(pimento.InputError):
                pimento.sweep(TRAINING, data=wrong)

    def test_a_network_of_another_size_is_refused_before_anything_is_written(self):
        x, y = corners(16)
        out = self.dir / "run"
        with self.assertRaises(pimento.InputError):
            pimento.sweep({**TRAINING, "network": {"kind": "lenet5"}}, data=(x, y, x, y), out=out)
        with self.assertRaisesRegex(pimento.InputError, "data.resize"):
            pimento.sweep(TRAINING, data=(x, y, x, y), out=out, **{"data.kind": "folder", "data.dir": "x", "data.resize": [8, 8]})
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
