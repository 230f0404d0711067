"""A ResNet-20 of PyTorch has the chips that the command line has of its ONNX file; `scripts/test_python --full` runs it.

PIMENTO_TEST_RESNET names a folder with a trained one: resnet20_cifar10.safetensors and resnet20_cifar10.onnx. Without it the
weights are random and PyTorch writes the file.
"""

import importlib.util
import json
import os
import unittest
from pathlib import Path

import numpy as np
import pimento
from support import Case, program

EXPERIMENT = """
[data]
kind = "npy"
dir = "."
train_images = "x.npy"
train_labels = "y.npy"
test_images = "x.npy"
test_labels = "y.npy"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[quantize]
weight_bits = 6
activation_bits = 8
[train]
recipe = "ptq"
epochs = 0
[variation]
sigma_w = 0.1
sigma_b = 0.05
[sweep]
chips = 3
"""
FILE = '[network]\nkind = "file"\nfile = "net.onnx"\n'


def resnet20():
    """The network, with the names of tensors of the trained one."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.downsample = None
            if stride > 1:
                self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            skip = x if self.downsample is None else self.downsample(x)
            return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + skip)

    def stage(inputs, outputs, stride):
        return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1), Block(outputs, outputs, 1))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16, eps=1e-3)
            self.res1, self.res2, self.res3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
            self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

        def forward(self, x):
            return self.classifier(self.res3(self.res2(self.res1(torch.relu(self.bn1(self.conv1(x)))))))

    torch.manual_seed(3)
    return ResNet()


def tensors(path):
    """The tensors of a safetensors file of float32."""
    import torch

    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    found = {}
    for name, about in header.items():
        start, end = (8 + size + at for at in about["data_offsets"])
        assert about["dtype"] == "F32"
        found[name] = torch.from_numpy(np.frombuffer(data[start:end], np.float32).reshape(about["shape"]).copy())
    return found


class ResNet(Case):
    def test_a_module_has_the_chips_of_the_command_line(self):
        missing = [name for name in ("torch", "onnx") if importlib.util.find_spec(name) is None]
        if missing and not os.environ.get("PIMENTO_TEST_FULL"):
            print(f"SKIPPED test_resnet: not installed: {', '.join(missing)}")
            self.skipTest(f"not installed: {', '.join(missing)}")
        import torch

        net, random = resnet20(), np.random.default_rng(4)
        x = random.integers(0, 256, (32, 3, 32, 32)).astype(np.uint8)
        y = np.arange(32) % 10
        example = torch.from_numpy(random.normal(size=(2, 3, 32, 32)).astype(np.float32))
        trained = os.environ.get("PIMENTO_TEST_RESNET")
        if trained:
            net.load_state_dict(tensors(Path(trained, "resnet20_cifar10.safetensors")), strict=False)
            net.eval()
            (self.dir / "net.onnx").write_bytes(Path(trained, "resnet20_cifar10.onnx").read_bytes())
        else:
            net.eval()
            torch.onnx.export(
                net,
                (example,),
                str(self.dir / "net.onnx"),
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                input_names=["input"],
                output_names=["logits"],
                dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
            )
        for name, array in (("x", x), ("y", y)):
            np.save(self.dir / f"{name}.npy", array)
        program("sweep", self.write("e.toml", EXPERIMENT + FILE), "--out", self.dir / "there", "--backend", "cpu")
        section = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        text = EXPERIMENT[EXPERIMENT.index("[quantize]") :]
        here = pimento.sweep(
            text, network=pimento.from_torch(net, example), data=(x, y, x, y), progress=False,
            **{f"data.{name}": value for name, value in section.items()},
        )  # fmt: skip
        want = (self.dir / "there" / "chips.csv").read_bytes()
        self.assertEqual(len(here.chips), 3)
        self.assertEqual((here.directory / "chips.csv").read_bytes(), want)


if __name__ == "__main__":
    unittest.main()
