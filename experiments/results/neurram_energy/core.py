"""A layer of 256 outputs and 128 inputs for NeuRRAM's cores, and inputs that drive every row in every step.

Weights are normal, cut at a multiple of their deviation such that the cells of a pair hold 1.56 uS in the mean
(1 to 4 uS; one of a pair is at 1 uS). Labels are what the layer itself says without an error.
"""
import json

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(1)
wanted = (2 * 1.56 - 2.0) / 3.0  # mean of |w| / max |w|
w = rng.standard_normal((256, 128))
low, high = 0.5, 6.0
for _ in range(60):
    cut = (low + high) / 2
    mean = np.abs(np.clip(w, -cut, cut)).mean() / cut
    low, high = (cut, high) if mean > wanted else (low, cut)
w = (np.clip(w, -cut, cut) / cut).astype(np.float32)
images = rng.choice([-1.0, 1.0], size=(512, 8, 16)).astype(np.float32)
labels = (images.reshape(512, 128) @ w.T).argmax(1).astype(np.int64)
network = {
    "name": "one core",
    "input": {"name": "input", "shape": ["N", 1, 8, 16]},
    "layers": [{"op": "linear", "weight": "w", "bias": None, "cin": 128, "cout": 256, "input": "input", "out": "logits"}],
}
with open("core.json", "w") as f:
    json.dump(network, f)
save_file({"w": w}, "core.safetensors")
for part in ("train", "test"):
    np.save(f"{part}_images.npy", images)
    np.save(f"{part}_labels.npy", labels)
