#!/usr/bin/env python3
"""Small models of both exporters of PyTorch 2.9, by the commands of docs/from-pytorch.md, with what ONNX Runtime makes of
them.

    python3 -m venv venv && venv/bin/pip install torch==2.9.1 onnx onnxscript onnxruntime numpy safetensors
    venv/bin/python scripts/onnx_torch.py                 # writes assets/golden/onnx/torch/
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from safetensors.numpy import save_file
from torch import nn

HOME = Path(__file__).resolve().parent.parent / "assets" / "golden" / "onnx" / "torch"


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c, momentum=0.3)
        self.act = nn.PReLU(c)

    def forward(self, x):
        return x + self.act(self.bn1(self.conv1(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4), nn.Dropout(0.2), nn.ReLU6())
        self.pool, self.hidden, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x):
        x = self.layer1(torch.relu(self.bn1(self.conv1(x))))
        x = self.pool(x)
        return self.fc(torch.tanh(self.hidden(x.view(x.size(0), -1))))


def main():
    HOME.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(29)
    model = Net()
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.uniform_(-0.5, 0.5), m.running_var.uniform_(0.5, 2.0)
                m.weight.uniform_(0.5, 1.5), m.bias.uniform_(-0.5, 0.5)
            if isinstance(m, nn.PReLU):
                m.weight.uniform_(-0.3, 0.5)
    model.eval()
    one, two = torch.randn(1, 3, 9, 9), torch.randn(2, 3, 9, 9)
    names = {"input_names": ["input"], "output_names": ["logits"]}
    new = {**names, "dynamic_shapes": ({0: "N"},), "external_data": False}
    old = {**names, "dynamo": False, "dynamic_axes": {"input": {0: "N"}, "logits": {0: "N"}}}
    for name, example, options in [
        ("new", two, new),
        ("new_kept", two, {**new, "optimize": False}),
        ("old", two, old),
        ("old_kept", two, {**old, "training": torch.onnx.TrainingMode.PRESERVE}),
        # What an example of one image makes of it.
        ("one_image", one, {**names, "dynamic_axes": {"input": {0: "N"}, "logits": {0: "N"}}, "external_data": False}),
    ]:
        path = HOME / f"{name}.onnx"
        torch.onnx.export(model, (example,), path, **options)
        # Stack traces of this machine.
        written = onnx.load(path)
        for part in [*written.graph.node, *written.graph.initializer, *written.graph.input, *written.graph.output,
                     *written.graph.value_info, written.graph, written]:
            part.ClearField("metadata_props"), part.ClearField("doc_string")
        onnx.save(written, path)
    x = np.random.default_rng(29).uniform(-1, 1, (3, 3, 9, 9)).astype(np.float32)
    vectors = {}
    for name in ["new", "new_kept", "old", "old_kept"]:
        session = ort.InferenceSession((HOME / f"{name}.onnx").read_bytes(), providers=["CPUExecutionProvider"])
        vectors[f"{name}.input"], vectors[f"{name}.output"] = x, session.run(None, {"input": x})[0]
        print(name, float(np.abs(vectors[f"{name}.output"] - model(torch.from_numpy(x)).detach().numpy()).max()))
    save_file(vectors, HOME / "vectors.safetensors")


main()
