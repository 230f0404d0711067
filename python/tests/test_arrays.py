"""One matrix on one chip: the arrays of `pimento mvm`, and what is refused."""

import unittest

import numpy as np
import pimento
from support import ARRAYS, Case, program

STAGES = {
    "input-codes": "input_codes",
    "weight-codes": "weight_codes",
    "conductances": "conductances",
    "partial-sums": "partial_sums",
    "codes": "codes",
    "ranges": "ranges",
    "clipped": "clipped",
    "ideal": "ideal",
}


class Matrices(Case):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(1)
        self.w = random.normal(size=(5, 7)).astype(np.float32)
        self.x = random.random((3, 7)).astype(np.float32)

    def test_every_stage_is_that_of_the_program(self):
        path = self.write("chip.toml", ARRAYS)
        np.save(self.dir / "w.npy", self.w)
        np.save(self.dir / "x.npy", self.x)
        program("mvm", path, "--weights", self.dir / "w.npy", "--inputs", self.dir / "x.npy", "--output", self.dir / "y.npy",
                "--tap", "all", "--chip", "3", "--backend", "cpu")
        found = pimento.mvm(path, self.w, self.x, chip=3)
        np.testing.assert_array_equal(found.outputs, np.load(self.dir / "y.npy"))
        for file, name in STAGES.items():
            want = np.load(self.dir / f"y.{file}.npy")
            np.testing.assert_array_equal(getattr(found, name), want, err_msg=name)
            self.assertEqual(getattr(found, name).dtype, np.float32)
        np.testing.assert_allclose(found.error, found.outputs - found.ideal)

    def test_a_crossbar_multiplies_as_a_matrix_does(self):
        ideal = {**{"fidelity": "cell", "chip.adc.bits": 0}, "variation.sigma_w": 0.0}
        xbar = pimento.Crossbar(ARRAYS, self.w, **ideal)
        self.assertEqual(xbar.shape, (5, 7))
        columns = xbar @ self.x.T
        self.assertEqual(columns.shape, (5, 3))
        np.testing.assert_array_equal(columns, xbar.mvm(self.x).outputs.T)
        one = pimento.Crossbar(ARRAYS, self.w, input_max=1.0, **ideal)
        np.testing.assert_array_equal(one @ self.x[1], one.mvm(self.x).outputs[1])
        # Codes of four bits: half a step of each factor, seven terms.
        bound = 7 * (np.abs(self.w).max() / 14 + np.abs(self.w).max() / 30 + 1 / 200)
        self.assertLess(np.abs(columns - self.w @ self.x.T).max(), bound)

    def test_chips_differ_and_are_the_same_again(self):
        outputs = [pimento.mvm(ARRAYS, self.w, self.x, chip=chip).outputs for chip in (0, 1, 0)]
        np.testing.assert_array_equal(outputs[0], outputs[2])
        self.assertTrue((outputs[0] != outputs[1]).any())

    def test_conductances_are_taken_as_they_are(self):
        g = np.zeros((6, 2, 3), np.float32)
        g[0] = 1
        found = pimento.Crossbar(ARRAYS, conductances=g, tuning={"method": "none"}).mvm([1.0, 1.0, 0.0])
        self.assertIsNone(found.ideal)
        self.assertIsNone(found.weight_codes)
        self.assertEqual(found.outputs.shape, (1, 2))

    def test_what_cannot_be_right_is_refused(self):
        nan = self.w.copy()
        nan[1, 2] = np.nan
        for weights, inputs, options, words in (
            (nan, self.x, {}, "finite"),
            (self.w[0], self.x, {}, "(N, K)"),
            (self.w[:0], self.x, {}, "(N, K)"),
            (self.w.astype(complex), self.x, {}, "numbers"),
            (np.array([["a"]]), self.x, {}, "numbers"),
            (self.w, self.x[:, :3], {}, "(B, 7)"),
            (self.w, self.x * np.inf, {}, "finite"),
            (self.w, None, {}, "inputs"),
            (None, self.x, {}, "one of them"),
            (self.w, self.x, {"chip": -1}, "0 to"),
            (self.w, self.x, {"chip": 1.5}, "0 to"),
            (self.w, self.x, {"weight_max": 0.0}, "above 0"),
            (self.w, self.x, {"fidelity": "weight"}, "fidelity"),
            (self.w, -self.x, {"signed": False}, "signed"),
        ):
            with self.subTest(words=words, options=options), self.assertRaises(pimento.InputError) as raised:
                pimento.mvm(ARRAYS, weights, inputs, **options)
            self.refused(raised.exception, words)
        with self.assertRaisesRegex(pimento.InputError, r"\(6, 2, 3\)"):
            pimento.Crossbar(ARRAYS, conductances=np.zeros((5, 2, 3))).mvm([1.0, 1.0, 1.0])


class Energy(Case):
    def test_a_product_tells_its_energy_where_a_technology_is_given(self):
        xbar = pimento.Crossbar(ARRAYS, np.eye(4), energy={"technology": "reference-32nm"}, backend="cpu")
        found = xbar.mvm(np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 0.5, 0.5, 1.0]]))
        self.assertEqual(found.array_energy_pj.shape, (2,))
        self.assertEqual(found.array_energy_pj[0], 0)
        self.assertGreater(found.array_energy_pj[1], 0)
        self.assertGreater(found.about["energy"]["others_pj"]["low"], 0)
        self.assertIsNone(pimento.mvm(ARRAYS, np.eye(4), np.ones(4), backend="cpu").array_energy_pj)


if __name__ == "__main__":
    unittest.main()
