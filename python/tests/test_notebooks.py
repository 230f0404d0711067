"""The notebooks of examples/notebooks: kept without outputs, and every cell runs."""

import ast
import importlib.util
import json
import os
import unittest

from support import ROOT, Case

NEEDS = {"torch_to_chips.ipynb": ["torch", "onnx"], "paper_figure.ipynb": ["matplotlib"]}
"""What a notebook needs beyond numpy; the full tests install all of it."""

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def run(source, where, names):
    """Runs a cell, and shows its last expression as a notebook does."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    if last is not None:
        shown = eval(compile(ast.Expression(last.value), where, "eval"), names)
        for name in ("_repr_html_", "_repr_svg_"):
            if hasattr(shown, name):
                # None: nothing to show in this form.
                text = getattr(shown, name)()
                assert text is None or "<" in text, where


class Notebooks(Case):
    def test_every_notebook_runs_and_is_kept_without_outputs(self):
        self.assertTrue(NOTEBOOKS)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.dir)
        for path in NOTEBOOKS:
            with self.subTest(notebook=path.name):
                missing = [name for name in NEEDS.get(path.name, []) if importlib.util.find_spec(name) is None]
                if missing and not os.environ.get("PIMENTO_TEST_FULL"):
                    print(f"SKIPPED {path.name}: {', '.join(missing)} not installed")
                    continue
                cells = json.loads(path.read_text("utf-8"))["cells"]
                code = [cell for cell in cells if cell["cell_type"] == "code"]
                self.assertTrue(all(not cell["outputs"] and cell["execution_count"] is None for cell in code))
                names = {"__name__": "__main__", "print": lambda *words: None}
                for number, cell in enumerate(code):
                    run("".join(cell["source"]), f"{path.name}, cell {number}", names)


if __name__ == "__main__":
    unittest.main()
