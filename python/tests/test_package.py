"""The package itself: names, docstrings, stubs, its command line, the examples in its docstrings."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
import unittest

import pimento
from pimento import _native
from support import ROOT, Case, program


class Package(Case):
    def test_every_public_name_is_described(self):
        for name in pimento.__all__:
            thing = getattr(pimento, name)
            if name != "__version__":
                self.assertTrue(inspect.getdoc(thing), name)
            if inspect.isclass(thing):
                own = [m for m in vars(thing) if not m.startswith("_")]
                for member in own:
                    found = vars(thing)[member]
                    if inspect.isfunction(found) or isinstance(found, property):
                        self.assertTrue(inspect.getdoc(found), f"{name}.{member}")

    def test_the_stub_has_the_names_of_the_extension(self):
        tree = ast.parse((ROOT / "python" / "pimento" / "_native.pyi").read_text())
        stub = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                stub[node.name] = None
            elif isinstance(node, ast.ClassDef):
                stub[node.name] = {m.name for m in node.body if isinstance(m, ast.FunctionDef)} - {"__new__"}
        there = {name for name in dir(_native) if not name.startswith("__")}
        self.assertEqual(set(stub), there)
        for name, members in stub.items():
            if members is not None:
                own = set(vars(getattr(_native, name)))
                self.assertEqual(members - own, set(), name)

    def test_the_version_is_that_of_the_program(self):
        for file in ("Cargo.toml", "python/Cargo.toml"):
            with open(ROOT / file, "rb") as text:
                self.assertEqual(tomllib.load(text)["package"]["version"], pimento.__version__)
        self.assertEqual(program("--version").split()[1], pimento.__version__)

    def test_the_command_line_comes_along(self):
        def run(*words):
            return subprocess.run([sys.executable, "-m", "pimento", *words], capture_output=True, text=True, timeout=120)

        said = run("presets")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, program("presets"), ""))
        wrong = run("check", "none.toml", "--json")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("none.toml", wrong.stderr)
        self.assertEqual(run("sweep", "--nonsense").returncode, 2)
        self.assertEqual(run("--help").returncode, 0)

    def test_numpy_is_all_that_an_import_needs(self):
        code = (
            "import sys; before = set(sys.modules); import numpy; mine = set(sys.modules); import pimento; "
            "print(sorted({m.split('.')[0] for m in set(sys.modules) - mine} - set(sys.stdlib_module_names)))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertEqual(found.stdout.strip(), "['pimento']")


class Documents(Case):
    """The first example of each page is an experiment that could run."""

    def test_the_first_examples_are_experiments(self):
        for page in ("docs/python.md", "python/README.md"):
            blocks = (ROOT / page).read_text().split("```python\n")[1:]
            first = next(block.split("```")[0] for block in blocks if "pimento.sweep(" in block)
            (call,) = (n for n in ast.walk(ast.parse(first)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "pimento.sweep")
            experiment = ast.literal_eval(call.args[0])
            said = pimento.check(experiment, **{k.arg: ast.literal_eval(k.value) for k in call.keywords})
            self.assertTrue(said, page)


def load_tests(loader, tests, ignore):
    for module in pkgutil.iter_modules(pimento.__path__):
        if module.name not in ("__main__", "_native", "torch"):
            tests.addTests(doctest.DocTestSuite(importlib.import_module(f"pimento.{module.name}")))
    return tests


if __name__ == "__main__":
    unittest.main()
