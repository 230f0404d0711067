"""What goes wrong: mistakes with place and fix, interruptions, exceptions of callers, threads, forks."""

import os
import signal
import threading
import unittest

import numpy as np
import pimento
from support import ARRAYS, SMALL, Case, program


class Mistakes(Case):
    def test_every_mistake_is_told_with_place_value_and_fix(self):
        wrong = {"train": {"epochs": -1}, "chip": {"adk": 3}}
        with self.assertRaises(pimento.InputError) as raised:
            pimento.check(wrong)
        first, second = raised.exception.mistakes
        self.assertEqual((first.field, first.value, first.allowed), ("train.epochs", "-1", "1 to 100000"))
        self.assertEqual((raised.exception.place, raised.exception.fix), ("train.epochs", "1 to 100000"))
        self.assertEqual((second.code, second.hint), ("unknown-field", "adc"))
        self.assertIsInstance(raised.exception, ValueError)

    def test_files_and_texts_have_lines(self):
        path = self.write("wrong.toml", "seed = 1\n[train]\nepochs = -1\n")
        for experiment, name in ((path, str(path)), (path.read_text(), "the text")):
            with self.assertRaises(pimento.InputError) as raised:
                pimento.sweep(experiment)
            mistake = raised.exception.mistakes[0]
            self.assertEqual((mistake.file, mistake.line), (name, 3))
        self.assertIn("epochs", program("check", path, code=2))
        with self.assertRaises(pimento.InputError) as raised:
            pimento.check("[train\n", chips=3)
        self.assertEqual(raised.exception.mistakes[0].line, 1)

    def test_files_that_are_not_there_are_os_errors(self):
        with self.assertRaises(FileNotFoundError) as raised:
            pimento.sweep(self.dir / "none.toml", chips=3)
        self.assertEqual(raised.exception.filename, str(self.dir / "none.toml"))
        with self.assertRaises(OSError):
            pimento.sweep(self.dir)
        with self.assertRaises(FileNotFoundError):
            pimento.from_onnx("none.onnx")

    def test_objects_that_are_no_experiment_are_refused(self):
        for wrong, place in (
            (3, "experiment"),
            (None, "experiment"),
            ({"train": {"epochs": None}}, "train.epochs"),
            ({"train": {"epochs": object()}}, "train.epochs"),
            ({"train": {3: 1}}, "train"),
            ({"sweep": {"grid": [{"sigma_w": [0.1, {1}]}]}}, "sweep.grid[0].sigma_w[1]"),
            ({"seed": 2**70}, "seed"),
        ):
            with self.subTest(place=place), self.assertRaises(pimento.InputError) as raised:
                pimento.check(wrong)
            self.assertEqual(raised.exception.place, place)
        for options in ({"chps": 3}, {"backend": "abacus"}, {"backend": 3}, {"memory": "much"}, {"kernels": "fast"},
                        {"variation": 3}, {"variation": {"sigma_w": float("nan")}}, {"shard": "3/2"}):
            with self.subTest(options=options), self.assertRaises(pimento.InputError):
                pimento.sweep(SMALL, progress=False, **options)
        with self.assertRaises(pimento.InputError):
            pimento.sweep(SMALL, resume=True)
        with self.assertRaises(pimento.InputError):
            pimento.train(SMALL, point=9)
        with self.assertRaises(pimento.InputError):
            pimento.train(SMALL, point=-1)

    def test_images_without_a_place_are_asked_for(self):
        experiment = {"data": {"kind": "idx"}}
        with self.assertRaisesRegex(pimento.InputError, "PIMENTO_DATA"):
            pimento.check(experiment)
        for options in ({"data": str(self.dir)}, {}):
            if not options:
                os.environ["PIMENTO_DATA"] = str(self.dir)
                self.addCleanup(os.environ.pop, "PIMENTO_DATA")
            with self.assertRaises((pimento.InputError, OSError)) as raised:
                pimento.check(experiment, **options)
            self.assertIn(str(self.dir), str(raised.exception))


class Interruptions(Case):
    def stop(self, kind, how):
        """A callable that calls `how` at the first event of a kind."""

        def told(event):
            if event["event"] == kind:
                how()

        return told

    def interrupt(self):
        os.kill(os.getpid(), signal.SIGINT)

    def test_ctrl_c_in_a_sweep_leaves_what_was_measured(self):
        out = self.dir / "run"
        with self.assertRaises(KeyboardInterrupt):
            pimento.sweep(SMALL, out=out, chips=200_000, progress=self.stop("chips", self.interrupt))
        pimento.sweep(SMALL, out=out, resume=True, progress=False)
        want = pimento.sweep(SMALL, progress=False)
        self.assertEqual((out / "chips.csv").read_bytes(), (want.directory / "chips.csv").read_bytes())

    def test_ctrl_c_in_a_training_keeps_it_for_later(self):
        out = self.dir / "network.safetensors"
        long = {"train": {"epochs": 400}, "train.recipe": "qat"}
        with self.assertRaises(KeyboardInterrupt):
            pimento.train(SMALL, out, progress=self.stop("epoch", self.interrupt), **long)
        self.assertFalse(out.exists())
        self.assertTrue(out.with_suffix(".partial").exists())

    def test_an_exception_of_the_callable_stops_the_sweep_and_is_raised(self):
        def fail():
            raise LookupError("mine")

        out = self.dir / "run"
        with self.assertRaisesRegex(LookupError, "mine"):
            pimento.sweep(SMALL, out=out, chips=200_000, progress=self.stop("chips", fail))
        self.assertFalse((out / "report.html").exists() and (out / "summary.json").read_text().count('"mean"') > 2)


class Processes(Case):
    def test_threads_may_compute_at_once(self):
        want = pimento.sweep(SMALL, progress=False).chips["loss"]
        found = [None] * 4

        def work(i):
            found[i] = pimento.sweep(SMALL, progress=False).chips["loss"]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for losses in found:
            np.testing.assert_array_equal(losses, want)

    def test_the_interpreter_is_free_while_a_sweep_runs(self):
        ticks, seen = [0], []
        stop = threading.Event()

        def count():
            while not stop.wait(0.001):
                ticks[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        pimento.sweep(SMALL, chips=2000, progress=lambda event: seen.append(ticks[0]))
        stop.set()
        thread.join()
        self.assertGreater(seen[-1], seen[0])

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_a_forked_process_says_that_it_cannot_compute(self):
        pimento.mvm(ARRAYS, np.eye(2), [1.0, 0.5])
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                pimento.mvm(ARRAYS, np.eye(2), [1.0, 0.5])
                os.write(write, b"computed")
            except pimento.ForkError as error:
                os.write(write, str(error).encode())
            finally:
                os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        with os.fdopen(read) as pipe:
            self.assertIn("spawn", pipe.read())


if __name__ == "__main__":
    unittest.main()
