#!/usr/bin/env python3
"""LeNet-5 on the CPU: Pimento and PyTorch in alternation, so that what disturbs the machine disturbs both.

Run it with a Python that has torch:

    cargo build --release
    PYTHON benches/against_torch.py TORCH_SCRIPT [--rounds 5] [--pimento target/release/pimento]

TORCH_SCRIPT is called as `PYTHON TORCH_SCRIPT OUT.json` and writes {"torch": version, "threads": n,
"chip_images_per_s": rate of a Monte Carlo over chips, "train_step_batch128_s": seconds of an Adam step on 128
images}. Both programs use all cores unless OMP_NUM_THREADS and RAYON_NUM_THREADS say otherwise.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

BATCH = 128


def torch(script):
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out.json")
        subprocess.run([sys.executable, script, out], check=True, stdout=subprocess.DEVNULL)
        with open(out) as file:
            result = json.load(file)
    return result["chip_images_per_s"], BATCH / result["train_step_batch128_s"], result


def pimento(program):
    command = [program, "bench", "--backend", "cpu", "--filter", "lenet5/", "--json"]
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["rows"]
    # Median times on both sides: the torch script reports means and medians, no best.
    rate = {row["name"]: row["rate"] * row["best_s"] / row["median_s"] for row in rows}
    return rate["lenet5/monte-carlo"], rate["lenet5/training-step"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pimento", default="target/release/pimento")
    arguments = parser.parse_args()
    rounds = []
    for k in range(arguments.rounds):
        ours = pimento(arguments.pimento)
        theirs = torch(arguments.script)
        rounds.append((ours, theirs))
        print(f"round {k + 1}: Monte Carlo {ours[0]:.0f} : {theirs[0]:.0f} chip-images/s, "
              f"training {ours[1]:.0f} : {theirs[1]:.0f} images/s", file=sys.stderr)
    print(f"torch {theirs[2]['torch']}, {theirs[2]['threads']} threads; {len(rounds)} rounds, Pimento : torch")
    for i, (name, unit) in enumerate([("Monte Carlo", "chip-images/s"), ("training step", "images/s")]):
        ours, theirs = [o[i] for o, _ in rounds], [t[i] for _, t in rounds]
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"{name:<14} best {max(ours):.0f} : {max(theirs):.0f} {unit} = {max(ours) / max(theirs):.2f}   "
              f"median ratio {statistics.median(ratios):.2f}  least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
