"""What docs/sweeps.md does with metrics: TensorBoard, by PyTorch's writer."""

import importlib.util
import json
import os
import unittest

from support import ROOT, SMALL, Case, program

NEEDED = ("torch", "tensorboard")


class TensorBoard(Case):
    def test_the_lines_of_the_page_write_a_training(self):
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing and not os.environ.get("PIMENTO_TEST_FULL"):
            print(f"SKIPPED test_metrics: not installed: {', '.join(missing)}")
            self.skipTest(f"not installed: {', '.join(missing)}")
        import torch.utils.tensorboard
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        page = (ROOT / "docs" / "sweeps.md").read_text("utf-8")
        code = page.split("SummaryWriter", 1)[0].rsplit("```python\n", 1)[1]
        code = page[page.index(code) :].split("```")[0]
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.dir)
        program("train", self.write("e.toml", SMALL), "--out", "net.safetensors", "--metrics", "m.jsonl", "--backend", "cpu")
        names = {"torch": torch, "json": json}
        exec(compile(code, "docs/sweeps.md", "exec"), names)
        names["writer"].close()
        events = [e for e in map(json.loads, (self.dir / "m.jsonl").read_text().splitlines()) if e["event"] == "epoch"]
        found = {}
        for folder in (self.dir / "runs" / "tensorboard").iterdir():
            if folder.is_dir():
                read = EventAccumulator(str(folder))
                read.Reload()
                for tag in read.Tags()["scalars"]:
                    found[folder.name.rsplit("_", 1)[1]] = [(s.step, s.value) for s in read.Scalars(tag)]
        for name in ("loss", "accuracy"):
            self.assertEqual([step for step, _ in found[name]], [e["epoch"] for e in events])
            for (_, value), event in zip(found[name], events, strict=True):
                self.assertAlmostEqual(value, event[name], places=5)


if __name__ == "__main__":
    unittest.main()
