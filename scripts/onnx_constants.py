#!/usr/bin/env python3
"""Small ONNX models over what onnx_vectors.py leaves out: every operator on constants, integer codes between the two
halves of a quantizer, slopes for every channel, sums of many, constants beside maps; with what ONNX Runtime makes of them.

    python3 -m venv venv && venv/bin/pip install onnx onnxruntime numpy safetensors
    venv/bin/python scripts/onnx_constants.py             # writes assets/golden/onnx/constants/
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from safetensors.numpy import save_file

HOME = Path(__file__).resolve().parent.parent / "assets" / "golden" / "onnx" / "constants"
RNG = np.random.default_rng(20261129)
CASES = []


def w(*shape):
    return np.round(RNG.standard_normal(shape), 2).astype(np.float32)


class Net:
    """A model under construction."""

    def __init__(self, name, opset, shape, batch="N"):
        self.name, self.opset, self.shape, self.batch = name, opset, list(shape), batch
        self.nodes, self.init = [], []

    def const(self, value):
        name = f"k{len(self.init)}"
        self.init.append(nh.from_array(np.asarray(value), name))
        return name

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [i if isinstance(i, str) else self.const(i) for i in inputs]
        outs = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(h.make_node(kind, names, outs, **attributes))
        return outs[0] if outputs == 1 else outs

    def ints(self, *values):
        return self.const(np.array(values, dtype=np.int64))

    def model(self, out, dims=None):
        graph = h.make_graph(
            self.nodes, self.name, [h.make_tensor_value_info("x", T.FLOAT, [self.batch] + self.shape)],
            [h.make_tensor_value_info(out, T.FLOAT, dims)], self.init)
        ir = 10 if self.opset >= 20 else 8
        return h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=ir)


def case(name, opset, shape, build, batch="N"):
    net = Net(name, opset, shape, batch)
    CASES.append((net, build(net)))


def constant(name, opset, values, build):
    """x plus what the operator makes of constants: `values` numbers."""
    case(f"fold_{name}", opset, [values],
         lambda n: n.op("Add", "x", n.op("Reshape", build(n), n.ints(1, values))))


def as_float(n, value):
    return n.op("Cast", value, to=T.FLOAT)


for kind in ["Abs", "Ceil", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Tanh"]:
    constant(kind.lower(), 13, 6, lambda n: n.op(kind, w(2, 3)))
constant("hardswish", 14, 6, lambda n: n.op("HardSwish", 3 * w(2, 3)))
constant("leaky_alpha", 13, 4, lambda n: n.op("LeakyRelu", w(4), alpha=-0.3))
constant("hardsigmoid_6", 7, 4, lambda n: n.op("HardSigmoid", w(4), alpha=0.3, beta=0.4))
for kind in ["Log", "Sqrt"]:
    constant(kind.lower(), 13, 4, lambda n: n.op(kind, np.abs(w(4)) + np.float32(0.1)))
for kind in ["Add", "Sub", "Mul", "Div", "PRelu"]:
    constant(kind.lower(), 14, 6, lambda n: n.op(kind, w(2, 3), w(3)))
constant("pow", 13, 3, lambda n: n.op("Pow", np.abs(w(3)), np.float32(1.5)))
constant("pow_int", 13, 3, lambda n: n.op("Pow", w(3), np.int64(3)))
for kind in ["Max", "Min", "Sum", "Mean"]:
    constant(kind.lower(), 13, 6, lambda n: n.op(kind, w(2, 3), w(3), w(2, 1)))
for kind in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]:
    constant(kind.lower(), 13, 4, lambda n: as_float(n, n.op(kind, np.float32([1, 2, 3, 2]), np.float32(2))))
constant("logic", 13, 4, lambda n: as_float(n, n.op("Not", n.op("Or", n.op(
    "And", np.array([True, True, False, False]), np.array([True, False, True, False])), np.array([False, False, False, True])))))
constant("where", 16, 4, lambda n: n.op("Where", np.array([True, False, True, True]), w(4), w(1)))
constant("clip", 13, 4, lambda n: n.op("Clip", w(4), np.float32(-0.2), np.float32(0.3)))
constant("clip_low", 11, 4, lambda n: n.op("Clip", w(4), np.float32(-0.2)))
constant("clip_7", 7, 4, lambda n: n.op("Clip", w(4), min=-0.5, max=0.1))
constant("clip_ints", 13, 4, lambda n: as_float(n, n.op("Clip", np.int8([-100, 5, 60, 3]), np.int8(-8), np.int8(7))))
for kind in ["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"]:
    if kind == "ReduceSum":
        constant(kind.lower(), 13, 4, lambda n: n.op(kind, w(2, 3, 2), n.ints(1), keepdims=0))
    else:
        constant(kind.lower(), 13, 4, lambda n: n.op(kind, w(2, 3, 2), axes=[-2], keepdims=0))
constant("reduce_all", 13, 1, lambda n: n.op("ReduceMean", w(2, 3)))
constant("reduce_18", 18, 2, lambda n: n.op("ReduceMax", w(2, 3), n.ints(1)))
constant("reduce_noop", 18, 6, lambda n: n.op("ReduceMean", w(2, 3), noop_with_empty_axes=1))
constant("reduce_ints", 13, 1, lambda n: as_float(n, n.op("ReduceProd", np.int64([2, 3, 7]))))
constant("softmax", 13, 12, lambda n: n.op("Softmax", w(2, 3, 2), axis=1))
constant("softmax_11", 11, 12, lambda n: n.op("Softmax", w(2, 3, 2), axis=1))
constant("matmul", 13, 8, lambda n: n.op("MatMul", w(2, 2, 3), w(3, 2)))
constant("matmul_vector", 13, 2, lambda n: n.op("MatMul", w(3), w(3, 2)))
constant("gemm", 13, 6, lambda n: n.op("Gemm", w(4, 2), w(3, 4), w(3), transA=1, transB=1, alpha=0.5, beta=2.0))
constant("conv", 13, 48, lambda n: n.op("Conv", w(2, 2, 3, 4), w(3, 2, 2, 2), w(3), pads=[0, 1, 0, 0]))
constant("conv_1d", 13, 6, lambda n: n.op("Conv", w(1, 2, 5), w(3, 2, 2), strides=[2]))
constant("batchnorm", 15, 8, lambda n: n.op("BatchNormalization", w(2, 2, 2), w(2), w(2), w(2), np.abs(w(2)) + np.float32(0.2)))
constant("maxpool", 13, 4, lambda n: n.op("MaxPool", w(1, 1, 4, 4), kernel_shape=[2, 2], strides=[2, 2]))
constant("averagepool", 13, 9, lambda n: n.op("AveragePool", w(1, 1, 3, 3), kernel_shape=[2, 2], pads=[0, 0, 1, 1]))
constant("global_average", 13, 4, lambda n: n.op("GlobalAveragePool", w(2, 2, 3, 3)))
constant("global_max", 13, 4, lambda n: n.op("GlobalMaxPool", w(2, 2, 3, 3)))
constant("split", 13, 4, lambda n: n.op("Split", w(6, 2), n.ints(2, 4), axis=0, outputs=2)[0])
constant("split_18", 18, 2, lambda n: n.op("Split", w(5, 2), num_outputs=3, axis=0, outputs=3)[2])
constant("pad", 13, 12, lambda n: n.op("Pad", w(2, 3), n.ints(1, 0, 0, 1), np.float32(0.5)))
constant("pad_reflect", 13, 10, lambda n: n.op("Pad", w(2, 3), n.ints(0, 1, 0, 1), mode="reflect"))
constant("tile", 13, 12, lambda n: n.op("Tile", w(2, 3), n.ints(1, 2)))
constant("slice", 13, 4, lambda n: n.op("Slice", w(2, 5), n.ints(-1), n.ints(-6), n.ints(1), n.ints(-4)))
constant("gather", 13, 4, lambda n: n.op("Gather", w(4, 2), n.ints(-1, 0)))
constant("expand", 13, 6, lambda n: n.op("Expand", w(2, 1), n.ints(2, 3)))
constant("transpose", 13, 6, lambda n: n.op("Transpose", w(2, 3)))
constant("concat", 13, 6, lambda n: n.op("Concat", w(2, 1), w(2, 2), axis=1))
constant("flatten", 13, 12, lambda n: n.op("Flatten", w(2, 3, 2), axis=2))
constant("squeeze", 13, 4, lambda n: n.op("Squeeze", n.op("Unsqueeze", w(4), n.ints(0, 2)), n.ints(0)))
constant("size_and_shape", 13, 1, lambda n: as_float(n, n.op("Mul", n.op("Size", w(2, 3)), n.op("Gather", n.op("Shape", w(2, 3)), np.int64(1)))))
constant("range", 13, 3, lambda n: as_float(n, n.op("Range", np.int32(1), np.int32(7), np.int32(2))))
constant("constant_of_shape", 13, 3, lambda n: n.op("ConstantOfShape", n.ints(3), value=nh.from_array(np.float32([0.5]))))
constant("dropout_12", 12, 3, lambda n: n.op("Dropout", w(3)))
constant("dropout_7", 7, 3, lambda n: n.op("Dropout", w(3)))
constant("castlike", 19, 3, lambda n: n.op("CastLike", np.float64([1, 2, 3]), w(1)))
constant("quantize", 13, 4, lambda n: n.op("DequantizeLinear", n.op("QuantizeLinear", w(4), np.float32(0.1), np.int8(3)), np.float32(0.1), np.int8(3)))
constant("half", 13, 3, lambda n: as_float(n, n.op("Cast", w(3), to=T.FLOAT16)))

# Integer codes between QuantizeLinear and DequantizeLinear.
MAP = [4, 5, 6]


def codes(name, build, opset=17, zero=np.int8(0), step=np.float32(0.05), shape=MAP):
    def net(n):
        s, z = n.const(step), n.const(zero)
        q = n.op("QuantizeLinear", "x", s, z)
        return n.op("DequantizeLinear", build(n, q), s, z)
    case(f"codes_{name}", opset, shape, net)


codes("clip", lambda n, q: n.op("Clip", q, np.int8(-8), np.int8(7)))
codes("clip_zero", lambda n, q: n.op("Clip", q, np.uint8(120), np.uint8(140)), zero=np.uint8(128))
codes("clip_twice", lambda n, q: n.op("Clip", n.op("Clip", q, np.int8(-8)), "", np.int8(3)))
codes("clip_after_pool", lambda n, q: n.op("Clip", n.op("MaxPool", q, kernel_shape=[2, 2]), np.int8(-2), np.int8(7)))
codes("relu", lambda n, q: n.op("Relu", q), zero=np.int8(-5))
codes("max", lambda n, q: n.op("Max", q, np.int8(-3)))
codes("min", lambda n, q: n.op("Min", np.int8(4), q))
codes("maxpool", lambda n, q: n.op("MaxPool", q, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))
codes("reshape", lambda n, q: n.op("Reshape", q, n.ints(0, -1)))
codes("moves", lambda n, q: n.op("Transpose", n.op("Slice", n.op("Flatten", n.op("Identity", q)), n.ints(3), n.ints(90), n.ints(1)), perm=[0, 1]))
codes("pad", lambda n, q: n.op("Pad", q, n.ints(0, 0, 1, 0, 0, 0, 0, 2), np.int8(-7)), zero=np.int8(3))
codes("pad_zero", lambda n, q: n.op("Pad", q, n.ints(0, 0, 1, 0, 0, 0, 0, 2)), zero=np.int8(3))
codes("concat", lambda n, q: n.op("Concat", q, n.op("Clip", q, np.int8(-1)), axis=1))
codes("split", lambda n, q: n.op("Split", q, n.ints(1, 3), axis=1, outputs=2)[1])
case("codes_weight", 17, MAP, lambda n: n.op("Conv", "x", n.op("DequantizeLinear", n.op(
    "Clip", n.op("QuantizeLinear", w(2, 4, 3, 3), np.float32(0.2), np.int8(0)), np.int8(-4), np.int8(3)), np.float32(0.2), np.int8(0))))

# Slopes, sums, constants beside maps.
case("prelu_channel", 16, MAP, lambda n: n.op("PRelu", "x", w(4, 1, 1)))
case("prelu_place", 16, MAP, lambda n: n.op("PRelu", "x", w(4, 5, 6)))
case("prelu_row", 9, MAP, lambda n: n.op("PRelu", "x", w(6)))
case("prelu_negative", 16, MAP, lambda n: n.op("PRelu", "x", np.float32([-0.5])))
case("prelu_flat", 16, [7], lambda n: n.op("PRelu", "x", w(7)))
case("leaky_negative", 16, MAP, lambda n: n.op("LeakyRelu", "x", alpha=-0.25))
case("sum_one", 13, MAP, lambda n: n.op("Sum", "x"))
case("sum_two", 13, MAP, lambda n: n.op("Sum", "x", n.op("Relu", "x")))
case("sum_many", 8, MAP, lambda n: n.op("Sum", w(4, 1, 1), "x", n.op("GlobalAveragePool", "x"), n.op("Tanh", "x"), w(6)))
case("mean_many", 13, MAP, lambda n: n.op("Mean", "x", n.op("Relu", "x"), w(4, 1, 1)))
case("sum_7", 7, MAP, lambda n: n.op("Sum", "x", n.op("Relu", "x"), n.op("Abs", "x")))
case("tile_map", 13, MAP, lambda n: n.op("Tile", "x", n.ints(1, 2, 1, 3)))
case("slice_whole_batch", 13, MAP, lambda n: n.op("Slice", "x", n.ints(0, 1), n.ints(2**63 - 1, 3), n.ints(0, 1)))


def coordinates(n):
    """CoordConv: coordinates repeated to the size of the batch, then joined as channels."""
    size = n.op("Concat", n.op("Shape", "x", start=0, end=1), n.ints(2, 5, 6), axis=0)
    return n.op("Conv", n.op("Concat", "x", n.op("Expand", w(2, 5, 6), size), axis=1), w(3, 6, 1, 1))


case("coordinates", 17, MAP, coordinates)
case("coordinates_fixed", 17, MAP, lambda n: n.op("Concat", "x", np.repeat(w(1, 2, 5, 6), 3, 0), axis=1), batch=3)
case("zeros_of_the_batch", 17, MAP, lambda n: n.op("Concat", n.op("ConstantOfShape", n.op(
    "Concat", n.op("Shape", "x", start=0, end=1), n.ints(1, 5, 6), axis=0), value=nh.from_array(np.float32([0.25]))), "x", axis=1))
case("weight_norm", 13, MAP, lambda n: n.op("Conv", "x", (lambda v: n.op("Mul", n.op("Div", v, n.op(
    "ReduceL2", v, axes=[1, 2, 3])), w(3, 1, 1, 1)))(n.const(w(3, 4, 3, 3)))))
case("low_rank", 13, [6], lambda n: n.op("MatMul", "x", n.op("Add", w(6, 4), n.op("MatMul", w(6, 2), w(2, 4)))))
for opset in [11, 17, 19, 22]:
    for counted in [0, 1]:
        case(f"ceil_{opset}_{counted}", opset, [2, 6, 7], lambda n: n.op(
            "AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=counted))


def run(model, x):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def main():
    HOME.mkdir(parents=True, exist_ok=True)
    for old in HOME.glob("*.onnx"):
        old.unlink()
    vectors = {}
    for net, out in CASES:
        x = np.round(np.random.default_rng(len(vectors)).uniform(-1, 1, [3] + net.shape), 3).astype(np.float32)
        try:
            y = run(net.model(out).SerializeToString(), x)
            model = net.model(out, [net.batch, *y.shape[1:]])
            onnx.checker.check_model(model)
        except Exception as error:
            sys.exit(f"{net.name}: {error}")
        (HOME / f"{net.name}.onnx").write_bytes(model.SerializeToString())
        vectors[f"{net.name}.input"], vectors[f"{net.name}.output"] = x, np.ascontiguousarray(y.reshape(3, -1))
    save_file(vectors, HOME / "vectors.safetensors")
    size = sum(f.stat().st_size for f in HOME.iterdir())
    print(f"{len(CASES)} models, {size} bytes, onnxruntime {ort.__version__}")


main()
