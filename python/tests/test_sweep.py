"""Sweeps: the same bytes as those of the program, and what a result offers."""

import csv
import ctypes
import math
import unittest

import numpy as np
import pimento
from support import SMALL, Case, program


class Bytes(Case):
    def by_program(self, *options, text=SMALL):
        path = self.write("small.toml", text)
        program("sweep", path, "--out", self.dir / "there", "--backend", "cpu", *options)
        return (self.dir / "there" / "chips.csv").read_bytes()

    def chips(self, *args, **options):
        result = pimento.sweep(*args, progress=False, **options)
        return (result.directory / "chips.csv").read_bytes()

    def test_a_file_a_text_and_a_dictionary_have_the_bytes_of_the_program(self):
        want = self.by_program()
        document = {
            "seed": 3,
            "data": {"set": "digits-8x8"},
            "network": {"kind": "mlp", "hidden": np.array([8])},
            "train": {"epochs": np.int64(1)},
            "variation": {"sigma_w": 0.1, "sigma_b": 0.1},
            "sweep": {"chips": 6, "images": 100, "grid": [{"sigma_w": np.array([0.1, 0.3])}]},
        }
        for experiment in (self.dir / "small.toml", str(self.dir / "small.toml"), SMALL, document):
            self.assertEqual(self.chips(experiment), want)

    def test_changes_have_the_bytes_of_the_programs_options(self):
        want = self.by_program("--chips", "4", "--seed", "9", "--images", "64")
        path = self.dir / "small.toml"
        self.assertEqual(self.chips(path, chips=4, seed=9, images=64), want)
        sections = {"sweep": {"chips": 4, "images": 64}, "seed": 9}
        self.assertEqual(self.chips(SMALL, **sections), want)
        self.assertEqual(self.chips(SMALL, **{"sweep.chips": 4, "sweep.images": 64, "seed": 9}), want)

    def test_arrays_of_cells_have_the_bytes_of_the_program(self):
        cells = 'fidelity = "cell"\n' + SMALL.replace("[variation]", "[quantize]\nactivation_bits = 4\ninput_bits = 4\n[variation]")
        want = self.by_program("--chips", "2", "--images", "20", text=cells)
        self.assertEqual(self.chips(cells, chips=2, images=20), want)

    def test_a_sweep_continues_in_its_directory(self):
        out = self.dir / "run"
        pimento.sweep(SMALL, out=out, chips=3, progress=False)
        with self.assertRaises(pimento.InputError):
            pimento.sweep(SMALL, out=out, progress=False)
        result = pimento.sweep(SMALL, out=out, resume=True, progress=False)
        self.assertEqual((result.directory / "chips.csv").read_bytes(), self.by_program())
        replaced = pimento.sweep(SMALL, out=out, force=True, chips=2, progress=False)
        self.assertEqual(len(replaced.chips), 4)

    def test_shards_merge_to_the_whole(self):
        for i in (1, 2):
            pimento.sweep(SMALL, out=self.dir / f"s{i}", shard=f"{i}/2", progress=False)
        program("merge", self.dir / "s1", self.dir / "s2", "--out", self.dir / "all")
        self.assertEqual((self.dir / "all" / "chips.csv").read_bytes(), self.by_program())


class Results(Case):
    @classmethod
    def setUpClass(cls):
        cls.result = pimento.sweep(SMALL, progress=False, backend="cpu")

    def test_columns_are_those_of_the_csv(self):
        with open(self.result.directory / "chips.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        chips = self.result.chips
        self.assertEqual(chips.columns, list(rows[0]))
        self.assertEqual(len(chips), 12)
        for name in chips.columns:
            values = chips[name]
            self.assertIsInstance(values, np.ndarray)
            self.assertIn(values.dtype, (np.int64, np.float64))
            for value, row in zip(values, rows):
                text = row[name]
                self.assertTrue(math.isnan(value) if text == "" else value == float(text), (name, text))
        self.assertEqual(chips["chip"].dtype, np.int64)
        with self.assertRaisesRegex(KeyError, "no column 'acc'; there are point"):
            chips["acc"]

    def test_points_have_settings_and_statistics(self):
        points = self.result.points
        np.testing.assert_array_equal(points["variation.sigma_w"], [0.1, 0.3])
        means = [p["mean"] for p in self.result.summary["points"]]
        np.testing.assert_array_equal(points["mean"], means)
        self.assertTrue((points["mean_ci95_low"] <= points["mean"]).all())
        self.assertEqual(list(points["recipe"]), [p["recipe"] for p in self.result.summary["points"]])
        accuracy, point = self.result.chips["accuracy"], self.result.chips["point"]
        np.testing.assert_allclose(points["mean"], [accuracy[point == i].mean() for i in (0, 1)], rtol=1e-12)

    def test_other_programs_read_tables_through_arrow(self):
        names, rows = _schema_and_rows(self.result.chips)
        self.assertEqual(names, self.result.chips.columns)
        self.assertEqual(rows, [12])
        names, rows = _schema_and_rows(self.result.points)
        self.assertEqual((names, rows), (self.result.points.columns, [2]))

    def test_a_result_is_kept_shown_and_opened_again(self):
        kept = self.result.save(self.dir / "kept")
        self.assertEqual(kept.summary, self.result.summary)
        with self.assertRaises(pimento.InputError):
            self.result.save(self.dir / "kept")
        page = self.result.report(self.dir / "page.html").read_text()
        self.assertIn("<svg", page)
        with self.assertRaises(pimento.InputError):
            pimento.report([self.result], self.dir / "kept" / "chips.csv")
        both = pimento.report([self.result, kept], self.dir / "both.html").read_text()
        self.assertIn("kept", both)
        self.assertIn("<svg", self.result._repr_html_())
        self.assertIn("accuracy", self.result.chips._repr_html_())
        again = pimento.open_run(self.dir / "kept")
        np.testing.assert_array_equal(again.chips["accuracy"], self.result.chips["accuracy"])
        (self.dir / "kept" / "chips.csv").write_text("point,chip\n")
        with self.assertRaises(pimento.InputError):
            pimento.open_run(self.dir / "kept")
        with self.assertRaises(pimento.InputError):
            pimento.open_run(self.dir)

    def test_a_sweep_without_axes_has_one_point(self):
        result = pimento.sweep(SMALL.split("[[sweep.grid]]")[0], progress=False)
        self.assertEqual(len(result.points), 1)
        self.assertAlmostEqual(result.points["mean"][0], result.chips["accuracy"].mean())
        self.assertIn("<table>", result._repr_html_())

    def test_progress_is_told_and_a_temporary_run_goes_with_its_result(self):
        events = []
        result = pimento.sweep(SMALL, progress=events.append)
        kinds = {event["event"] for event in events}
        self.assertLessEqual({"epoch", "chips"}, kinds)
        last = [event for event in events if event["event"] == "chips"][-1]
        self.assertEqual((last["all_done"], last["all"]), (12, 12))
        directory = result.directory
        self.assertTrue(directory.is_dir())
        del result
        self.assertFalse(directory.exists())


class _ArrowSchema(ctypes.Structure):
    pass


_ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowSchema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_ArrowSchema))),
    ("private_data", ctypes.c_void_p),
]


class _ArrowArray(ctypes.Structure):
    pass


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.c_void_p),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_ArrowArray))),
    ("private_data", ctypes.c_void_p),
]


class _ArrowStream(ctypes.Structure):
    pass


_ArrowStream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_ArrowStream), ctypes.POINTER(_ArrowSchema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_ArrowStream), ctypes.POINTER(_ArrowArray))),
    ("get_last_error", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_ArrowStream))),
    ("private_data", ctypes.c_void_p),
]


def _schema_and_rows(table):
    """Names of the columns and rows of every batch, read as a C program reads the stream."""
    capsule = table.__arrow_c_stream__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    stream = ctypes.cast(pointer(capsule, b"arrow_array_stream"), ctypes.POINTER(_ArrowStream))
    schema = _ArrowSchema()
    assert stream.contents.get_schema(stream, schema) == 0
    names = [schema.children[i].contents.name.decode() for i in range(schema.n_children)]
    schema.release(schema)
    rows = []
    while True:
        batch = _ArrowArray()
        assert stream.contents.get_next(stream, batch) == 0
        if not batch.release:
            return names, rows
        rows.append(batch.length)
        batch.release(batch)


if __name__ == "__main__":
    unittest.main()
