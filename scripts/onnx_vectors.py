#!/usr/bin/env python3
"""Small ONNX models over all operators that are read, with what ONNX Runtime makes of them.

    python3 -m venv venv && venv/bin/pip install onnx onnxruntime numpy safetensors
    venv/bin/python scripts/onnx_vectors.py make          # writes assets/golden/onnx/
    venv/bin/python scripts/onnx_vectors.py check DIR     # holds exported models against vectors

`make` writes one model a file, and inputs and outputs of all in vectors.safetensors (NAME.input,
NAME.output). `check` runs every NAME.onnx in DIR (what `cargo test --test networks` writes to the
directory named by PIMENTO_EXPORT_DIR) in ONNX Runtime and compares with NAME.output.

Everything is a function of the seed below; weights are rounded to few digits so that files stay
small when packed.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from safetensors.numpy import load_file, save_file

HOME = Path(__file__).resolve().parent.parent / "assets" / "golden" / "onnx"
RNG = np.random.default_rng(20240607)


def weights(*shape):
    return (RNG.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


class Net:
    """A model under construction."""

    def __init__(self, name, opset, shape, batch="N"):
        self.name, self.opset, self.shape, self.batch = name, opset, list(shape), batch
        self.nodes, self.init, self.n = [], [], 0

    def const(self, value, name=None, raw=True):
        self.n += 1
        name = name or f"c{self.n}"
        value = np.asarray(value)
        if raw:
            self.init.append(nh.from_array(value, name))
        else:
            kind = h.np_dtype_to_tensor_dtype(value.dtype)
            self.init.append(h.make_tensor(name, kind, value.shape, value.flatten().tolist()))
        return name

    def op(self, kind, inputs, outputs=1, name=None, **attributes):
        self.n += 1
        outs = [f"v{self.n}_{i}" for i in range(outputs)]
        names = [i if isinstance(i, str) else self.const(i) for i in inputs]
        self.nodes.append(h.make_node(kind, names, outs, name=name or f"/{kind}_{self.n}", **attributes))
        return outs[0] if outputs == 1 else outs

    def ints(self, *values):
        return self.const(np.array(values, dtype=np.int64))

    def model(self, out, shape=None):
        dims = [self.batch] + self.shape
        graph = h.make_graph(
            self.nodes, self.name, [h.make_tensor_value_info("input", T.FLOAT, dims)],
            [h.make_tensor_value_info(out, T.FLOAT, shape)], self.init)
        ir = {True: 10, False: 8}[self.opset >= 20]
        return h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=ir, producer_name="vectors")


CASES = []


def case(opset, shape, name=None, batch="N"):
    def wrap(build):
        title = name or build.__name__
        net = Net(title, opset, shape, batch)
        CASES.append((net, build(net)))
        return build
    return wrap


def variants(prefix, opset, shape, table):
    """One case for every entry of a table of builders."""
    for key, build in table.items():
        case(opset, shape, f"{prefix}_{key}")(build)


# Convolutions and products.
def conv(w, b=True, **attributes):
    def build(n):
        weight = weights(*w)
        inputs = ["input", weight] + ([weights(w[0])] if b else [])
        return n.op("Conv", inputs, **attributes)
    return build


variants("conv", 17, (4, 7, 6), {
    "plain": conv((3, 4, 3, 3), pads=[1, 1, 1, 1]),
    "no_bias": conv((3, 4, 3, 3), b=False),
    "groups": conv((6, 2, 3, 2), group=2, strides=[2, 1]),
    "depthwise": conv((8, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    "dilated": conv((2, 4, 3, 3), dilations=[2, 1], pads=[2, 0, 1, 3]),
    "asymmetric": conv((2, 4, 2, 3), pads=[0, 2, 3, 1], strides=[1, 2]),
    "same_upper": conv((2, 4, 3, 4), auto_pad="SAME_UPPER", strides=[2, 2]),
    "same_lower": conv((2, 4, 2, 2), auto_pad="SAME_LOWER", strides=[1, 2]),
    "valid": conv((2, 4, 2, 2), auto_pad="VALID", kernel_shape=[2, 2]),
})
variants("conv1d", 13, (3, 9), {
    "plain": conv((4, 3, 3), pads=[2, 1], strides=[2]),
    "dilated": conv((4, 3, 2), dilations=[3]),
})
variants("gemm", 13, (6,), {
    "trans_b": lambda n: n.op("Gemm", ["input", weights(5, 6), weights(5)], transB=1),
    "alpha_beta": lambda n: n.op("Gemm", ["input", weights(6, 5), weights(1, 5)], alpha=0.5, beta=-2.0),
    "scalar_c": lambda n: n.op("Gemm", ["input", weights(6, 3), np.float32(0.5)]),
    "no_c": lambda n: n.op("Gemm", ["input", weights(6, 3)]),
})
variants("matmul", 13, (2, 3, 5), {
    "places": lambda n: n.op("Add", [n.op("MatMul", ["input", weights(5, 4)]), weights(4)]),
})
variants("matmul", 13, (5,), {
    "vector": lambda n: n.op("Add", [n.op("MatMul", ["input", weights(5, 4)]), weights(4)]),
})

# Arithmetic.
AFFINE = {
    "scalar": lambda: np.float32(1.5), "one": lambda: np.full((1,), -0.7, np.float32),
    "channel": lambda: weights(3, 1, 1) + 1, "batched": lambda: weights(1, 3, 1, 1) + 2,
    "row": lambda: weights(4) + 3, "map": lambda: weights(1, 3, 5, 4) + 4,
}
for kind in ["Add", "Sub", "Mul", "Div"]:
    for key, make in AFFINE.items():
        if kind in ["Add", "Div"] or key in ["scalar", "channel"]:
            case(13, (3, 5, 4), f"{kind.lower()}_{key}")(lambda n, k=kind, m=make: n.op(k, ["input", m()]))


def two(kind, other):
    return lambda n: n.op(kind, ["input", other(n)])


def branch(c, spatial=(1, 1)):
    def build(n):
        if spatial == (1, 1):
            return n.op("Conv", [n.op("GlobalAveragePool", ["input"]), weights(c, 3, 1, 1), weights(c)])
        return n.op("Conv", ["input", weights(c, 3, 1, 1)])
    return build


variants("maps", 13, (3, 5, 4), {
    "add": two("Add", branch(3, ())), "sub": two("Sub", branch(3, ())), "mul": two("Mul", branch(3, ())),
    "excite": two("Mul", branch(3)), "add_channel": two("Add", branch(3)), "sub_channel": two("Sub", branch(3)),
    "mul_one": two("Mul", branch(1, ())),
    "excite_turned": lambda n: n.op("Mul", [n.op("Sigmoid", [branch(3)(n)]), "input"]),
    "const_minus": lambda n: n.op("Sub", [np.float32(1), "input"]),
    "neg": lambda n: n.op("Neg", ["input"]),
    "max": lambda n: n.op("Max", ["input", np.float32(0.2)]),
    "min": lambda n: n.op("Min", [np.float32(0.2), "input"]),
    "normalise": lambda n: n.op("Div", [n.op("Sub", ["input", weights(3, 1, 1)]), np.abs(weights(3, 1, 1)) + 0.3]),
})


def norm(**attributes):
    def build(n):
        x = n.op("Conv", ["input", weights(4, 3, 1, 1)])
        return n.op("BatchNormalization", [x, weights(4), weights(4), weights(4), np.abs(weights(4)) + 0.2], **attributes)
    return build


case(7, (3, 4, 4), "norm_7")(norm(epsilon=0.01))
case(9, (3, 4, 4), "norm_9")(norm())
case(15, (3, 4, 4), "norm_15")(norm(epsilon=1e-3))
case(13, (3, 7), "norm_sequence")(lambda n: n.op(
    "BatchNormalization", ["input", weights(3), weights(3), weights(3), np.abs(weights(3)) + 0.2]))

# Non-linearities.
variants("act", 14, (3, 3, 4), {
    "relu": lambda n: n.op("Relu", ["input"]), "tanh": lambda n: n.op("Tanh", ["input"]),
    "sigmoid": lambda n: n.op("Sigmoid", ["input"]), "hard_swish": lambda n: n.op("HardSwish", [n.op("Mul", ["input", np.float32(4)])]),
    "hard_sigmoid": lambda n: n.op("HardSigmoid", [n.op("Mul", ["input", np.float32(4)])]),
    "hard_sigmoid_6": lambda n: n.op("HardSigmoid", [n.op("Mul", ["input", np.float32(4)])], alpha=1 / 6, beta=0.5),
    "leaky": lambda n: n.op("LeakyRelu", ["input"], alpha=0.2), "leaky_default": lambda n: n.op("LeakyRelu", ["input"]),
    "clip": lambda n: n.op("Clip", ["input", np.float32(-0.3), np.float32(0.6)]),
    "clip_min": lambda n: n.op("Clip", ["input", np.float32(0)]),
    "clip_max": lambda n: n.op("Clip", ["input", "", np.float32(0.6)]),
    "prelu": lambda n: n.op("PRelu", ["input", np.float32([[[0.25]]])]),
    "silu": lambda n: n.op("Mul", ["input", n.op("Sigmoid", ["input"])]),
    "identity": lambda n: n.op("Identity", ["input"]),
    "round": lambda n: n.op("Round", [n.op("Mul", ["input", np.float32(3)])]),
    "double": lambda n: n.op("Cast", [n.op("Cast", ["input"], to=T.DOUBLE)], to=T.FLOAT),
})
case(7, (3, 4, 4), "clip_7")(lambda n: n.op("Clip", ["input"], min=0.0, max=6.0))
case(7, (3, 4, 4), "dropout_7")(lambda n: n.op("Relu", [n.op("Dropout", ["input"], ratio=0.3)]))
case(13, (3, 4, 4), "dropout_13")(lambda n: n.op("Dropout", [n.op("Relu", ["input"]), np.float32(0.3), np.array(False)]))


# Windows.
def pool(kind, **attributes):
    return lambda n: n.op(kind, ["input"], **attributes)


for kind in ["MaxPool", "AveragePool"]:
    short = kind[:3].lower()
    variants(short, 13, (2, 7, 6), {
        "plain": pool(kind, kernel_shape=[2, 2], strides=[2, 2]),
        "pads": pool(kind, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 2, 1]),
        "ceil": pool(kind, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        "ceil_pads": pool(kind, kernel_shape=[3, 3], strides=[2, 3], pads=[1, 1, 1, 1], ceil_mode=1),
        "same": pool(kind, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
        "same_lower": pool(kind, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    })
    case(13, (2, 9), f"{short}_1d")(pool(kind, kernel_shape=[3], strides=[2], pads=[1, 0]))
variants("ave", 13, (2, 7, 6), {
    "counted": pool("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2], count_include_pad=1),
    "global": pool("GlobalAveragePool"), "global_max": pool("GlobalMaxPool"),
})
variants("mean", 13, (3, 4, 5), {
    "spatial": lambda n: n.op("ReduceMean", ["input"], axes=[2, 3], keepdims=0),
    "kept": lambda n: n.op("ReduceMean", ["input"], axes=[-2, -1], keepdims=1),
    "last": lambda n: n.op("ReduceMean", ["input"], axes=[1, 2], keepdims=0),
    "middle": lambda n: n.op("ReduceMean", ["input"], axes=[2]),
})
case(18, (3, 4, 5), "mean_18")(lambda n: n.op("ReduceMean", ["input", n.ints(2, 3)], keepdims=0))
for opset, axis in [(11, 1), (11, 2), (13, 1), (13, -1), (13, 2)]:
    case(opset, (3, 4, 5), f"softmax_{opset}_{axis}")(lambda n, a=axis: n.op("Softmax", ["input"], axis=a))
case(13, (6,), "softmax_logits")(lambda n: n.op("Softmax", ["input"]))


# Movement.
def torch_view(n):
    """What older exporters write for x.view(x.size(0), -1)."""
    x = n.op("Relu", ["input"])
    size = n.op("Gather", [n.op("Shape", [x]), np.int64(0)], axis=0)
    one = n.op("Unsqueeze", [size], axes=[0])
    rest = n.op("Constant", [], value=nh.from_array(np.array([-1], np.int64)))
    return n.op("Gemm", [n.op("Reshape", [x, n.op("Concat", [one, rest], axis=0)]), weights(4, 60), weights(4)], transB=1)


def shuffle(n):
    x = n.op("Reshape", ["input", n.ints(0, 2, 3, 4, 5)])
    return n.op("Reshape", [n.op("Transpose", [x], perm=[0, 2, 1, 3, 4]), n.ints(0, 6, 4, 5)])


def old_pad(n):
    """Paddings computed by a chain that folds."""
    zeros = n.op("ConstantOfShape", [n.ints(4)], value=nh.from_array(np.array([0], np.int64)))
    both = n.op("Concat", [n.ints(1, 2, 0, 3), zeros], axis=0)
    table = n.op("Slice", [n.op("Reshape", [both, n.ints(-1, 2)]), n.ints(-1), n.ints(-(2**63) + 1), n.ints(0), n.ints(-1)])
    pads = n.op("Cast", [n.op("Reshape", [n.op("Transpose", [table], perm=[1, 0]), n.ints(-1)])], to=T.INT64)
    return n.op("Pad", ["input", pads, np.float32(0.25)], mode="constant")


case(11, (3, 4, 5), "torch_view")(torch_view)
case(13, (6, 4, 5), "shuffle")(shuffle)
case(11, (3, 4, 5), "pad_chain")(old_pad)
case(7, (3, 4, 5), "pad_7")(lambda n: n.op("Pad", ["input"], pads=[0, 0, 1, 2, 0, 0, 0, 1], value=-0.5))
case(18, (3, 4, 5), "pad_axes")(lambda n: n.op("Pad", ["input", n.ints(1, 2, 0, 1), "", n.ints(3, 1)]))
for mode in ["reflect", "edge"]:
    case(13, (3, 4, 5), f"pad_{mode}")(lambda n, m=mode: n.op("Pad", ["input", n.ints(0, 0, 2, 1, 0, 0, 3, 4)], mode=m))
case(13, (3, 4, 5), "pad_cut")(lambda n: n.op("Pad", ["input", n.ints(0, 0, -1, 1, 0, 0, 2, -2)]))
case(19, (3, 4, 5), "pad_wrap")(lambda n: n.op("Pad", ["input", n.ints(0, 0, 2, 1, 0, 0, 3, 4)], mode="wrap"))
variants("move", 13, (4, 3, 5), {
    "flatten": lambda n: n.op("Flatten", ["input"]),
    "reshape": lambda n: n.op("Reshape", ["input", n.ints(0, 5, -1)]),
    "reshape_free": lambda n: n.op("Reshape", ["input", n.ints(-1, 15, 2, 2)]),
    "transpose": lambda n: n.op("Transpose", ["input"], perm=[0, 2, 3, 1]),
    "concat_1": lambda n: n.op("Concat", ["input", n.op("Relu", ["input"])], axis=1),
    "concat_2": lambda n: n.op("Concat", ["input", n.op("Relu", ["input"]), "input"], axis=2),
    "concat_3": lambda n: n.op("Concat", ["input", n.op("Slice", ["input", n.ints(1), n.ints(3), n.ints(3)])], axis=-1),
    "squeeze": lambda n: n.op("Squeeze", [n.op("GlobalAveragePool", ["input"]), n.ints(2, 3)]),
    "unsqueeze": lambda n: n.op("Unsqueeze", ["input", n.ints(2, -1)]),
    "slice": lambda n: n.op("Slice", ["input", n.ints(1, -1), n.ints(3, -9), n.ints(1, 3), n.ints(1, -2)]),
    "gather": lambda n: n.op("Gather", ["input", n.ints(2, 0, -1)], axis=1),
    "gather_one": lambda n: n.op("Gather", ["input", np.int64(-2)], axis=3),
    "split": lambda n: n.op("Add", n.op("Split", ["input"], outputs=2, axis=1)),
    "split_sizes": lambda n: n.op("Concat", n.op("Split", ["input", n.ints(1, 3, 1)], outputs=3, axis=3)[::-1], axis=3),
    "expand": lambda n: n.op("Expand", [n.op("GlobalAveragePool", ["input"]), n.ints(1, 4, 2, 3)]),
})
case(9, (4, 3, 5), "slice_9")(lambda n: n.op("Slice", ["input"], starts=[1, 0], ends=[4, -1], axes=[1, 3]))
case(11, (4, 1, 5), "squeeze_11")(lambda n: n.op("Squeeze", [n.op("Unsqueeze", ["input"], axes=[1])], axes=[1, 3]))
case(18, (5, 2, 2), "split_18")(lambda n: n.op("Concat", n.op("Split", ["input"], outputs=2, axis=1, num_outputs=2)[::-1], axis=1))


@case(13, (6, 5, 3))
def channels_last(n):
    x = n.op("Conv", [n.op("Transpose", ["input"], perm=[0, 3, 1, 2]), weights(4, 3, 3, 3)], pads=[1, 1, 1, 1])
    x = n.op("Transpose", [n.op("Relu", [x])], perm=[0, 2, 3, 1])
    x = n.op("Add", [x, weights(4)])
    return n.op("MatMul", [n.op("ReduceMean", [x], axes=[1, 2], keepdims=0), weights(4, 5)])


# Element types and quantizers.
@case(13, (3, 4, 4))
def types(n):
    half = n.op("Cast", [weights(4, 3, 1, 1).astype(np.float16)], to=T.FLOAT)
    x = n.op("Conv", ["input", half, n.op("Cast", [weights(4).astype(np.float64)], to=T.FLOAT)])
    typed = n.const(weights(4, 1, 1), raw=False)
    scale = n.op("Constant", [], value_float=0.5)
    x = n.op("Mul", [n.op("Add", [x, typed]), n.op("Sqrt", [scale])])
    brain = h.make_tensor("brain", T.BFLOAT16, (4, 1, 1), weights(4).tolist())
    n.init.append(brain)
    x = n.op("Add", [x, n.op("Cast", ["brain"], to=T.FLOAT)])
    return n.op("Mul", [x, n.op("Reciprocal", [n.op("Cast", [np.int32(3)], to=T.FLOAT)])])


def qdq(n, x, scale, zero):
    s, z = n.const(np.float32(scale)), n.const(zero)
    return n.op("DequantizeLinear", [n.op("QuantizeLinear", [x, s, z]), s, z])


@case(13, (3, 6, 6))
def quantized(n):
    x = qdq(n, "input", 0.02, np.int8(3))
    codes = RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    w = n.op("DequantizeLinear", [codes, np.abs(weights(4)).astype(np.float32) / 50, np.zeros(4, np.int8)], axis=0)
    b = n.op("DequantizeLinear", [RNG.integers(-900, 900, 4).astype(np.int32), np.float32(0.001)])
    x = qdq(n, n.op("Relu", [n.op("Conv", [x, w, b])]), 0.01, np.uint8(0))
    w = n.op("DequantizeLinear", [RNG.integers(-127, 128, (5, 64)).astype(np.int8), np.float32(0.003), np.int8(0)])
    return qdq(n, n.op("Gemm", [n.op("Flatten", [x]), w, weights(5)], transB=1), 0.05, np.uint8(117))


@case(13, (3, 4, 4))
def quantized_weights(n):
    s, z = n.const(np.float32(0.01)), n.const(np.int8(0))
    w = n.op("DequantizeLinear", [n.op("QuantizeLinear", [weights(4, 3, 2, 2), s, z]), s, z])
    return n.op("Conv", ["input", w])


@case(21, (3, 4, 4))
def quantized_21(n):
    x = qdq(n, "input", 0.0002, np.int16(-100))
    w = h.make_tensor("w4", T.INT4, (4, 3, 1, 1), RNG.integers(-8, 8, 12).tolist())
    n.init.append(w)
    w = n.op("DequantizeLinear", ["w4", np.float32(0.1)])
    return qdq(n, n.op("Conv", [x, w]), 0.0003, np.uint16(30000))


# Whole networks, and one network at every operator set.
def small(n):
    x = n.op("Conv", ["input", weights(6, 3, 3, 3), weights(6)], pads=[1, 1, 1, 1], name="/stem/stem.0/Conv")
    y = n.op("BatchNormalization", [x, weights(6), weights(6), weights(6), np.abs(weights(6)) + 0.3], name="/stem/stem.1/BatchNormalization")
    y = n.op("Relu", [y], name="/stem/relu/Relu")
    z = n.op("Conv", [y, weights(6, 1, 3, 3)], group=6, pads=[1, 1, 1, 1], name="/block/dw/Conv")
    y = n.op("Add", [n.op("LeakyRelu", [z], alpha=0.1), y])
    y = n.op("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2])
    y = n.op("Flatten", [n.op("AveragePool", [y], kernel_shape=[2, 2], strides=[1, 1])])
    return n.op("Gemm", [y, weights(5, 24), weights(5)], transB=1, name="/head/Gemm")


for opset in [7, 9, 11, 13, 17, 18, 21, 23]:
    case(opset, (3, 6, 6), f"small_{opset}")(small)
case(17, (3, 6, 6), "small_fixed_batch", batch=3)(small)


@case(17, (3, 8, 8))
def mobile(n):
    def act(x):
        return n.op("Clip", [x, np.float32(0), np.float32(6)])
    x = act(n.op("Conv", ["input", weights(8, 3, 3, 3), weights(8)], strides=[2, 2], pads=[0, 0, 1, 1]))
    y = n.op("HardSwish", [n.op("Conv", [x, weights(16, 8, 1, 1), weights(16)])])
    y = act(n.op("Conv", [y, weights(16, 1, 3, 3), weights(16)], group=16, pads=[1, 1, 1, 1]))
    s = n.op("Relu", [n.op("Conv", [n.op("GlobalAveragePool", [y]), weights(4, 16, 1, 1), weights(4)])])
    s = n.op("HardSigmoid", [n.op("Conv", [s, weights(16, 4, 1, 1), weights(16)])])
    y = n.op("Conv", [n.op("Mul", [s, y]), weights(8, 16, 1, 1), weights(8)])
    y = n.op("ReduceMean", [n.op("Add", [x, y])], axes=[2, 3], keepdims=0)
    n.op("Erf", [y], name="unused")
    return n.op("Gemm", [y, weights(8, 7), weights(7)])


def random_net(n):
    """A chain of random operators on (c, rows, columns)."""
    c, r, w = n.shape
    x = "input"
    for _ in range(int(RNG.integers(5, 10))):
        kind = RNG.choice(["conv", "depth", "pool", "act", "add", "affine", "norm", "turn", "pad", "concat", "excite"])
        if kind == "conv":
            kh, kw = (int(v) for v in RNG.integers(1, 4, 2))
            pads = [int(v) for v in RNG.integers(0, 3, 4)]
            s = [int(v) for v in RNG.integers(1, 3, 2)]
            if r + pads[0] + pads[2] < kh or w + pads[1] + pads[3] < kw:
                continue
            out = int(RNG.integers(1, 7))
            x = n.op("Conv", [x, weights(out, c, kh, kw), weights(out)], pads=pads, strides=s)
            c, r, w = out, (r + pads[0] + pads[2] - kh) // s[0] + 1, (w + pads[1] + pads[3] - kw) // s[1] + 1
        elif kind == "depth":
            x = n.op("Conv", [x, weights(c, 1, 3, 3)], group=c, pads=[1, 1, 1, 1])
        elif kind == "pool" and min(r, w) > 2:
            x = n.op(str(RNG.choice(["MaxPool", "AveragePool"])), [x], kernel_shape=[2, 2], pads=[1, 0, 0, 1])
        elif kind == "act":
            x = n.op(str(RNG.choice(["Relu", "Tanh", "Sigmoid", "HardSwish", "LeakyRelu", "HardSigmoid"])), [x])
        elif kind == "add":
            x = n.op("Add", [n.op("Conv", [x, weights(c, c, 1, 1)]), x])
        elif kind == "affine":
            x = n.op(str(RNG.choice(["Mul", "Sub", "Add"])), [x, weights(c, 1, 1) + 1])
        elif kind == "norm":
            x = n.op("BatchNormalization", [x, weights(c), weights(c), weights(c), np.abs(weights(c)) + 0.3])
        elif kind == "turn":
            x, c, r, w = n.op("Transpose", [x], perm=[0, 3, 1, 2]), w, c, r
        elif kind == "pad":
            x, r = n.op("Pad", [x, n.ints(0, 0, 1, 0, 0, 0, 0, 0), np.float32(0.1)]), r + 1
        elif kind == "concat" and c < 12:
            x, c = n.op("Concat", [x, n.op("Neg", [x])], axis=1), 2 * c
        elif kind == "excite":
            s = n.op("Conv", [n.op("GlobalAveragePool", [x]), weights(c, c, 1, 1)])
            x = n.op("Mul", [x, n.op("Sigmoid", [s])])
    return n.op("Gemm", [n.op("Flatten", [x]), weights(4, c * r * w), weights(4)], transB=1)


for seed in range(24):
    shape = tuple(int(v) for v in RNG.integers(2, 7, 3))
    case(14, shape, f"random_{seed}")(random_net)


def run(model, x):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def make():
    HOME.mkdir(parents=True, exist_ok=True)
    for old in HOME.glob("*.onnx"):
        old.unlink()
    vectors = {}
    for net, out in CASES:
        x = RNG.uniform(-1, 1, [3] + net.shape).astype(np.float32)
        try:
            y = run(net.model(out).SerializeToString(), x)
            model = net.model(out, [net.batch, *y.shape[1:]])
            onnx.checker.check_model(model)
        except Exception as error:
            sys.exit(f"{net.name}: {error}")
        data = model.SerializeToString()
        (HOME / f"{net.name}.onnx").write_bytes(data)
        readers = [n for n in net.nodes if "input" in n.input]
        if all(n.op_type == "Transpose" and list(n.attribute[0].ints) == [0, 3, 1, 2] for n in readers):
            # Such a model is taken to have its channels first; so are its inputs here.
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        vectors[f"{net.name}.input"], vectors[f"{net.name}.output"] = x, np.ascontiguousarray(y.reshape(3, -1))
    save_file(vectors, HOME / "vectors.safetensors")
    size = sum(f.stat().st_size for f in HOME.iterdir())
    print(f"{len(CASES)} models, {size} bytes, onnxruntime {ort.__version__}")


def check(directory):
    vectors = load_file(HOME / "vectors.safetensors")
    worst, n = 0.0, 0
    for path in sorted(Path(directory).glob("*.onnx")):
        onnx.checker.check_model(onnx.load(path))
        own = path.with_suffix(".input.npy")
        if own.exists():
            x, want = np.load(own), np.load(path.with_suffix(".output.npy"))
        else:
            x, want = vectors[f"{path.stem}.input"], vectors[f"{path.stem}.output"]
        session_shape = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
        dims = [d.dim_value for d in session_shape][1:]
        got = run(path.read_bytes(), np.ascontiguousarray(x).reshape([len(x)] + dims)).reshape(len(x), -1)
        error = float(np.abs(got - want).max() / max(1e-6, np.abs(want).max()))
        worst, n = max(worst, error), n + 1
        if error > 1e-5:
            print(f"{path.stem}: {error:.2e}")
    print(f"{n} exported models, largest error {worst:.2e} of the output's scale")


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        sys.exit(__doc__)
