"""Experiments from the builder: the same as from dictionaries, and every section by its name."""

import inspect
import tomllib
import unittest

import pimento
from support import Case


class Builder(Case):
    def test_it_is_the_dictionary_of_its_sections(self):
        built = (
            pimento.Experiment(name="digits", seed=3)
            .data(set="digits-8x8")
            .network(kind="mlp", hidden=[8])
            .train(epochs=1)
            .chip_adc(bits=6)
            .chip_adc(noise=0.5)
            .variation(sigma_w=0.1)
            .sweep(chips=4, images=50)
            .axes({"variation.sigma_b": [0.0, 0.1]})
        )
        want = {
            "name": "digits",
            "seed": 3,
            "data": {"set": "digits-8x8"},
            "network": {"kind": "mlp", "hidden": [8]},
            "train": {"epochs": 1},
            "chip": {"adc": {"bits": 6, "noise": 0.5}},
            "variation": {"sigma_w": 0.1},
            "sweep": {"chips": 4, "images": 50, "axes": {"variation.sigma_b": [0.0, 0.1]}},
        }
        self.assertEqual(dict(built), want)
        self.assertEqual(tomllib.loads(built.to_toml()), want)
        self.assertEqual(dict(pimento.Experiment.of(want)), want)
        one, other = (pimento.sweep(e, progress=False) for e in (built, want))
        self.assertEqual((one.directory / "chips.csv").read_bytes(), (other.directory / "chips.csv").read_bytes())

    def test_a_method_leaves_the_old_one_as_it_is(self):
        base = pimento.Experiment().sweep(chips=5)
        more = base.sweep(chips=6).grid({"sigma_w": [0.1]}).grid({"sigma_w": [0.2]})
        self.assertEqual(base["sweep"], {"chips": 5})
        self.assertEqual(more["sweep"], {"chips": 6, "grid": [{"sigma_w": [0.1]}, {"sigma_w": [0.2]}]})
        staged = base.stage("first", epochs=2).stage("second", epochs=3).head(name="h", at="relu1").layer("conv1", digital=True)
        self.assertEqual([s["name"] for s in staged["train"]["stage"]], ["first", "second"])
        self.assertEqual(staged["network"], {"head": [{"name": "h", "at": "relu1"}]})
        self.assertEqual(staged["layer"], {"conv1": {"digital": True}})

    def test_wrong_names_and_values_are_told(self):
        with self.assertRaises(TypeError):
            pimento.Experiment().variation(sigma_v=0.1)
        with self.assertRaises(pimento.InputError) as found:
            pimento.check(pimento.Experiment().variation(sigma_w=-1.0))
        self.assertEqual(found.exception.place, "variation.sigma_w")

    def test_every_method_has_its_fields_in_its_help(self):
        sections = [m for name, m in inspect.getmembers(pimento.Experiment, inspect.isfunction) if "Section ``[" in (m.__doc__ or "")]
        self.assertGreater(len(sections), 15)
        for method in sections:
            for name in list(inspect.signature(method).parameters)[1:]:
                self.assertIn(f"        {name} : ", method.__doc__, method.__name__)


if __name__ == "__main__":
    unittest.main()
