"""The search of designs: what the program finds, as tables."""

import csv
import json
import unittest

import pimento
from support import SMALL, Case, program

SPACE = SMALL.replace(
    "[[sweep.grid]]\nsigma_w = [0.1, 0.3]\n",
    '[sweep.axes]\nsigma_w = [0.1, 0.3, 0.8]\n"variation.mapping" = ["ideal", "differential"]\n'
    '[design]\ngoal = "cells min, accuracy max"\n',
)


class Searches(Case):
    def search(self, **options):
        return pimento.design(SPACE, progress=False, backend="cpu", **options)

    def test_it_finds_what_the_program_finds(self):
        path = self.write("space.toml", SPACE)
        printed = program("design", path, "--out", self.dir / "there", "--backend", "cpu", "--json")
        out = self.dir / "here"
        found = pimento.design(path, out=out, progress=False, backend="cpu")
        self.assertEqual(found.found, json.loads(printed))
        self.assertEqual((out / "designs.csv").read_bytes(), (self.dir / "there" / "designs.csv").read_bytes())

    def test_its_tables_are_those_of_the_files(self):
        found = self.search()
        with open(found.directory / "designs.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(found.all), 6)
        self.assertEqual(found.all.columns, list(rows[0]))
        for name in ("state", "why", "variation.mapping"):
            self.assertEqual(list(found.all[name]), [row[name] for row in rows])
        for name in ("accuracy", "accuracy_lo", "accuracy_hi", "cells"):
            self.assertEqual(list(found.all[name]), [float(row[name]) for row in rows])
        front = [int(row["design"]) for row in rows if row["state"] == "front"]
        self.assertEqual(sorted(found.front["design"]), front)
        self.assertTrue(0 < found.share <= 1)
        self.assertIn("of 6 designs on the front", repr(found))
        self.assertIn("<table>", found._repr_html_())

    def test_a_design_on_the_front_can_be_swept(self):
        found = self.search()
        point = int(found.front["design"][0])
        result = pimento.sweep(found.file(point), progress=False, backend="cpu")
        self.assertEqual(result.summary["points"][0]["mean"], found.front["accuracy"][0])
        with self.assertRaises(pimento.InputError) as raised:
            found.file(600)
        self.assertIn("not on the front", str(raised.exception))

    def test_a_search_continues_for_another_goal(self):
        out = self.dir / "run"
        self.search(out=out)
        with self.assertRaises(pimento.InputError):
            self.search(out=out)
        found = self.search(out=out, resume=True, goal="accuracy max")
        self.assertEqual(found.found["goal"], "accuracy max")
        self.assertEqual(found.found["measures"], ["accuracy"])

    def test_goals_that_nothing_keeps_leave_an_empty_front(self):
        found = self.search(goal="cells min, accuracy >= 0.999")
        self.assertEqual(len(found.front), 0)
        self.assertEqual(found.front.columns, found.all.columns)

    def test_what_is_wrong_is_refused(self):
        for goal, says in (("speed max", "speed"), ("", "goal"), (7, "no text")):
            with self.assertRaises(pimento.InputError) as raised:
                self.search(goal=goal)
            self.assertIn(says, str(raised.exception))
        with self.assertRaises(pimento.InputError) as raised:
            pimento.design(SMALL, progress=False, backend="cpu")
        self.assertIn("design", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
