#!/usr/bin/env python3
"""Random graphs of the ONNX operators that are read, with what ONNX Runtime makes of them.

    venv/bin/python scripts/onnx_graphs.py      # the environment of scripts/onnx_vectors.py

Writes assets/golden/onnx/graphs/: one model a file, inputs and outputs of all in vectors.safetensors.
A graph grows by operators on random earlier values, most of them recent ones, so that it branches and
joins; what nobody has read in the end is flattened, concatenated and multiplied by a matrix. Graph i
is a function of (seed, i) alone.

Three more graphs have weights as codes: with scales for channels, and for blocks of 4-bit codes.

Rounding to codes is done on the input only: where a value is computed, another order of a sum may
land it on the other side of a threshold.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto
from onnx_vectors import HOME, Net, run
from safetensors.numpy import save_file

SEED = 20240611
COUNT = 120
IMAGES = 2
LARGEST = 400  # values of a map


class Graph:
    """A random graph under construction: names and dimensions (without the batch) of its values."""

    def __init__(self, index):
        self.rng = np.random.default_rng([SEED, index])
        rank = self.pick([3, 3, 3, 3, 2, 1])
        shape = [self.int(1, 4)] + [self.int(3, 9) for _ in range(rank - 1)]
        self.net = Net(f"graph_{index:03}", self.pick([11, 13, 14, 17, 18, 21]), shape)
        self.values = [("input", shape)]
        self.read = set()

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, of):
        return of[int(self.rng.integers(len(of)))]

    def weights(self, *shape):
        fan = max(1, int(np.prod(shape[1:])))
        return (self.rng.standard_normal(shape) * 1.2 / np.sqrt(fan)).astype(np.float32)

    def positive(self, *shape):
        return (0.4 + np.abs(self.rng.standard_normal(shape))).astype(np.float32)

    def op(self, kind, inputs, dims=None, outputs=1, **attributes):
        self.read.update(i for i in inputs if isinstance(i, str))
        out = self.net.op(kind, inputs, outputs, **attributes)
        if dims is not None:
            self.values.append((out, list(dims)))
        return out

    def ints(self, *values):
        return self.net.ints(*values)

    def source(self, ranks=(1, 2, 3)):
        """A value of one of the ranks, a recent one more often; none if there is none."""
        known = [v for v in self.values if len(v[1]) in ranks]
        if not known:
            return None
        back = min(int(self.rng.geometric(0.45)), len(known))
        return known[-back]

    def partner(self, dims):
        """Another value of the same dimensions; made by a product where there is none."""
        known = [v for v in self.values[:-1] if v[1] == dims]
        if known and self.rng.random() < 0.8:
            return self.pick(known)[0]
        return None

    # Every method below adds one operator, or returns False where nothing fits.

    def conv(self):
        x, dims = self.source((2, 3)) or (None, None)
        if x is None:
            return False
        n = len(dims) - 1
        groups = self.pick([g for g in range(1, dims[0] + 1) if dims[0] % g == 0])
        out = groups * self.int(1, max(1, 8 // groups))
        kernel = [self.int(1, 3) for _ in range(n)]
        dilation = [self.pick([1, 1, 2]) for _ in range(n)]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
        stride = [self.pick([1, 1, 2]) for _ in range(n)]
        bias = [self.weights(out)] if self.rng.random() < 0.6 else []
        arguments = dict(group=groups, dilations=dilation, strides=stride)
        mode = self.pick(["pads", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"])
        size = dims[1:]
        if mode == "pads":
            pads = [self.int(0, r) for r in reach] + [self.int(0, 2) for _ in reach]
            if any(s + pads[i] + pads[n + i] < reach[i] for i, s in enumerate(size)):
                return False
            arguments["pads"] = pads
            after = [(s + pads[i] + pads[n + i] - reach[i]) // stride[i] + 1 for i, s in enumerate(size)]
        else:
            if any(s < r for s, r in zip(size, reach)):
                return False
            # Runtimes disagree about dilated windows that are padded to the same size.
            if mode != "VALID" and max(dilation) > 1:
                return False
            arguments["auto_pad"] = mode
            whole = [s if mode != "VALID" else s - r + 1 for s, r in zip(size, reach)]
            after = [-(-s // t) for s, t in zip(whole, stride)]
        if out * int(np.prod(after)) > LARGEST:
            return False
        weight = self.weights(out, dims[0] // groups, *kernel)
        self.op("Conv", [x, weight, *bias], [out, *after], **arguments)

    def pool(self):
        x, dims = self.source((2, 3)) or (None, None)
        if x is None:
            return False
        n, kind = len(dims) - 1, self.pick(["MaxPool", "AveragePool"])
        kernel = [self.int(1, 3) for _ in range(n)]
        stride = [self.int(1, 2) for _ in range(n)]
        pads = [self.int(0, k - 1) for k in kernel + kernel]
        if any(s + pads[i] + pads[n + i] < kernel[i] for i, s in enumerate(dims[1:])):
            return False
        after = [(s + pads[i] + pads[n + i] - kernel[i]) // stride[i] + 1 for i, s in enumerate(dims[1:])]
        more = {"count_include_pad": self.int(0, 1)} if kind == "AveragePool" else {}
        self.op(kind, [x], [dims[0], *after], kernel_shape=kernel, strides=stride, pads=pads, **more)

    def whole(self):
        x, dims = self.source((2, 3)) or (None, None)
        if x is None:
            return False
        kind = self.pick(["GlobalAveragePool", "GlobalMaxPool"])
        self.op(kind, [x], [dims[0]] + [1] * (len(dims) - 1))

    def mean(self):
        x, dims = self.source()
        axes = sorted(set(self.int(1, len(dims)) for _ in range(self.int(1, 2))))
        keep = self.int(0, 1)
        after = [1 if i + 1 in axes else d for i, d in enumerate(dims) if keep or i + 1 not in axes]
        if not after:
            return False
        if self.net.opset >= 18:
            self.op("ReduceMean", [x, self.ints(*axes)], after, keepdims=keep)
        else:
            self.op("ReduceMean", [x], after, axes=axes, keepdims=keep)

    def act(self):
        x, dims = self.source()
        kind = self.pick(["Relu", "LeakyRelu", "PRelu", "Clip", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Max", "Min"])
        if kind == "HardSwish" and self.net.opset < 14:
            kind = "Relu"
        inputs, more = [x], {}
        if kind == "LeakyRelu":
            more["alpha"] = float(self.rng.uniform(0, 0.5))
        elif kind == "HardSigmoid":
            more = {"alpha": float(self.rng.uniform(0.1, 0.4)), "beta": float(self.rng.uniform(0.3, 0.7))}
        elif kind == "PRelu":
            inputs.append(self.positive(1) * np.float32(0.2))
        elif kind == "Clip":
            low = np.float32(self.rng.uniform(-1, 0.2))
            inputs += [low, np.float32(low + self.rng.uniform(0.3, 2))]
        elif kind in ["Max", "Min"]:
            inputs.append(np.float32(self.rng.uniform(-0.3, 0.3)))
        self.op(kind, inputs, dims, **more)

    def affine(self):
        """Arithmetic with a constant that spreads over the map."""
        x, dims = self.source()
        kind = self.pick(["Add", "Sub", "Mul", "Div"])
        shape = [self.pick([1, d]) for d in dims][self.int(0, len(dims) - 1):]
        if self.rng.random() < 0.2:
            shape = []
        value = self.positive(*shape) if kind == "Div" else self.weights(*shape, 1)[..., 0]
        turned = kind in ["Add", "Sub", "Mul"] and self.rng.random() < 0.3
        self.op(kind, [value, x] if turned else [x, value], dims)

    def two(self):
        """Sum, difference or product of two maps."""
        x, dims = self.source()
        kind = self.pick(["Add", "Add", "Sub", "Mul"])
        other = self.partner(dims)
        if other is None or other == x:
            other = self.op("Tanh", [self.op("Mul", [x, self.weights(dims[0], *[1] * (len(dims) - 1))])])
        self.op(kind, [x, other] if self.rng.random() < 0.5 else [other, x], dims)

    def spread(self):
        """Two maps, one of which has size 1 along some axes."""
        x, dims = self.source((2, 3)) or (None, None)
        if x is None:
            return False
        axes = sorted(set(self.int(2, len(dims)) for _ in range(2)))
        if self.net.opset >= 18:
            small = self.op("ReduceMean", [x, self.ints(*axes)], keepdims=1)
        else:
            small = self.op("ReduceMean", [x], axes=axes, keepdims=1)
        small = self.op(self.pick(["Sigmoid", "Tanh"]), [small])
        kind = self.pick(["Add", "Sub", "Mul", "Mul"])
        self.op(kind, [x, small] if self.rng.random() < 0.5 else [small, x], dims)

    def norm(self):
        x, dims = self.source((1, 2, 3))
        c = dims[0]
        inputs = [x, self.weights(c), self.weights(c), self.weights(c), self.positive(c)]
        self.op("BatchNormalization", inputs, dims, epsilon=float(self.pick([1e-5, 1e-3])))

    def softmax(self):
        x, dims = self.source()
        axis = self.int(1, len(dims))
        self.op("Softmax", [x], dims, axis=axis if self.rng.random() < 0.5 else axis - len(dims) - 1)

    def concat(self):
        x, dims = self.source()
        axis = self.int(0, len(dims) - 1)
        same = [v for v in self.values if len(v[1]) == len(dims)
                and all(a == b for i, (a, b) in enumerate(zip(v[1], dims)) if i != axis)]
        parts = [(x, dims)] + [self.pick(same) for _ in range(self.int(1, 2))]
        after = list(dims)
        after[axis] = sum(p[1][axis] for p in parts)
        if int(np.prod(after)) > LARGEST:
            return False
        sign = axis + 1 if self.rng.random() < 0.7 else axis - len(dims)
        self.op("Concat", [p[0] for p in parts], after, axis=sign)

    def split(self):
        x, dims = self.source()
        axis = self.int(0, len(dims) - 1)
        if dims[axis] < 2:
            return False
        first = self.int(1, dims[axis] - 1)
        sizes = [first, dims[axis] - first]
        if self.net.opset >= 13:
            outs = self.op("Split", [x, self.ints(*sizes)], outputs=2, axis=axis + 1)
        else:
            outs = self.op("Split", [x], outputs=2, axis=axis + 1, split=sizes)
        for out, size in zip(outs, sizes):
            self.values.append((out, dims[:axis] + [size] + dims[axis + 1:]))

    def slice(self):
        x, dims = self.source()
        axis = self.int(0, len(dims) - 1)
        d = dims[axis]
        start, step = self.int(0, d - 1), self.pick([1, 1, 2])
        if self.rng.random() < 0.3:
            # Backwards, to the first place.
            spans, n = (start, -(d + 5), -step), start // step + 1
        else:
            end = self.int(start + 1, d)
            spans, n = (start, end, step), -(-(end - start) // step)
        after = dims[:axis] + [n] + dims[axis + 1:]
        self.op("Slice", [x] + [self.ints(v) for v in (spans[0], spans[1], axis + 1, spans[2])], after)

    def gather(self):
        x, dims = self.source()
        axis = self.int(0, len(dims) - 1)
        picks = [self.int(-dims[axis], dims[axis] - 1) for _ in range(self.int(1, 4))]
        after = dims[:axis] + [len(picks)] + dims[axis + 1:]
        if int(np.prod(after)) > LARGEST:
            return False
        self.op("Gather", [x, self.ints(*picks)], after, axis=axis + 1)

    def transpose(self):
        x, dims = self.source((2, 3)) or (None, None)
        # A transpose of the input alone that brings a last axis forward would make the model one of
        # images with channels last.
        if x is None or x == "input":
            return False
        order = [int(i) for i in self.rng.permutation(len(dims))]
        self.op("Transpose", [x], [dims[i] for i in order], perm=[0] + [i + 1 for i in order])

    def reshape(self):
        x, dims = self.source()
        n = int(np.prod(dims))
        c = self.pick([d for d in range(1, n + 1) if n % d == 0])
        w = self.pick([d for d in range(1, n // c + 1) if (n // c) % d == 0])
        after = self.pick([[c, n // c], [c, n // c // w, w], [n]])
        given = list(after)
        if self.rng.random() < 0.5:
            given[self.int(0, len(after) - 1)] = -1
        self.op("Reshape", [x, self.ints(0, *given)], after)

    def squeeze(self):
        x, dims = self.source()
        ones = [i for i, d in enumerate(dims) if d == 1]
        if ones and len(dims) > 1:
            axis = self.pick(ones)
            kind, after = "Squeeze", dims[:axis] + dims[axis + 1:]
        elif len(dims) < 3:
            axis = self.int(0, len(dims))
            kind, after = "Unsqueeze", dims[:axis] + [1] + dims[axis:]
        else:
            return False
        if self.net.opset >= 13:
            self.op(kind, [x, self.ints(axis + 1)], after)
        else:
            self.op(kind, [x], after, axes=[axis + 1])

    def expand(self):
        x, dims = self.source()
        after = [self.int(1, 3) if d == 1 else d for d in dims]
        if after == dims or int(np.prod(after)) > LARGEST:
            return False
        self.op("Expand", [x, self.ints(1, *after)], after)

    def pad(self):
        x, dims = self.source()
        mode = self.pick(["constant", "constant", "reflect", "edge"])
        pads = [(self.int(0, min(2, d - 1) if mode == "reflect" else 2), self.int(0, min(1, d - 1))) for d in dims]
        after = [d + a + b for d, (a, b) in zip(dims, pads)]
        if int(np.prod(after)) > LARGEST:
            return False
        list_ = self.ints(0, *[p[0] for p in pads], 0, *[p[1] for p in pads])
        fill = [np.float32(self.rng.uniform(-1, 1))] if mode == "constant" else []
        self.op("Pad", [x, list_, *fill], after, mode=mode)

    def matmul(self):
        x, dims = self.source()
        out = self.int(1, 6)
        if int(np.prod(dims)) // dims[-1] * out > LARGEST:
            return False
        self.op("MatMul", [x, self.weights(out, dims[-1]).T.copy()], dims[:-1] + [out])

    def gemm(self):
        x, dims = self.source()
        n, out = int(np.prod(dims)), self.int(1, 12)
        flat = x if len(dims) == 1 else self.op("Flatten", [x], axis=1)
        turned = self.int(0, 1)
        weight = self.weights(out, n)
        inputs = [flat, weight if turned else weight.T.copy()]
        if self.rng.random() < 0.7:
            inputs.append(self.weights(*self.pick([[out], [1, out], [1]])))
        self.op("Gemm", inputs, [out], transB=turned, alpha=float(self.pick([1.0, 0.5])), beta=float(self.pick([1.0, -2.0])))

    def plain(self):
        """What does nothing to a value."""
        x, dims = self.source()
        kind = self.pick(["Identity", "Dropout", "Cast"])
        if kind == "Cast":
            return self.op("Cast", [self.op("Cast", [x], to=TensorProto.DOUBLE)], dims, to=TensorProto.FLOAT) and None
        self.op(kind, [x], dims)

    def sign(self):
        x, dims = self.source()
        kind = self.pick(["Neg", "Abs"]) if self.net.opset >= 13 else "Neg"
        self.op(kind, [x], dims)

    def quantize(self):
        """Codes of the input."""
        dims = self.values[0][1]
        scale = self.net.const(np.float32(self.pick([0.1, 0.03])))
        zero = self.net.const(self.pick([np.int8(3), np.uint8(120), np.int8(0)]))
        codes = self.op("QuantizeLinear", ["input", scale, zero])
        self.op("DequantizeLinear", [codes, scale, zero], dims)

    STEPS = [conv] * 9 + [pool] * 2 + [act] * 3 + [affine] * 2 + [two] * 3 + [spread, norm, norm, softmax, whole, mean,
             concat, concat, split, slice, gather, transpose, transpose, reshape, reshape, squeeze, expand, pad, matmul,
             gemm, plain, sign, quantize]

    def build(self):
        """Grows the graph and returns its last value."""
        size = self.int(3, 12)
        start = len(self.net.nodes)
        while len(self.net.nodes) - start < size:
            self.pick(self.STEPS)(self)
        loose = [v for v in self.values if v[0] not in self.read]
        flat = [x if len(dims) == 1 else self.op("Flatten", [x], axis=1) for x, dims in loose]
        n = sum(int(np.prod(dims)) for _, dims in loose)
        x = flat[0] if len(flat) == 1 else self.op("Concat", flat, axis=1)
        return self.op("Gemm", [x, self.weights(5, n), self.weights(5)], transB=1)


def channels(g):
    """Codes with a scale and a zero point for every channel, of either axis."""
    scale = g.positive(6) / np.float32(90)
    w = g.op("DequantizeLinear", [g.rng.integers(0, 256, (6, 3, 3, 3)).astype(np.uint8), scale,
                                  g.rng.integers(100, 150, 6).astype(np.uint8)], axis=0)
    x = g.op("Relu", [g.op("Conv", ["input", w], pads=[1, 1, 1, 1])], [6, 6, 6])
    w = g.op("DequantizeLinear", [g.rng.integers(-128, 128, (6, 4)).astype(np.int8), g.positive(4) / np.float32(90)], axis=1)
    return g.op("Gemm", [g.op("Flatten", [g.op("GlobalAveragePool", [x])]), w])


def half_bytes(name, kind, shape, rng):
    low, high = (-8, 8) if kind == TensorProto.INT4 else (0, 16)
    return onnx.helper.make_tensor(name, kind, shape, rng.integers(low, high, int(np.prod(shape))).tolist())


def blocks(g):
    """Codes of 4 bits with a scale for every few rows of a matrix and every column, and of a kernel."""
    g.net.init.append(half_bytes("kernel", TensorProto.UINT4, (6, 3, 2, 2), g.rng))
    g.net.init.append(half_bytes("zeros", TensorProto.UINT4, (6, 2, 2, 2), g.rng))
    w = g.op("DequantizeLinear", ["kernel", g.positive(6, 2, 2, 2) / np.float32(9), "zeros"], axis=1, block_size=2)
    x = g.op("Relu", [g.op("Conv", ["input", w], strides=[2, 2])], [6, 3, 3])
    g.net.init.append(half_bytes("matrix", TensorProto.INT4, (54, 5), g.rng))
    w = g.op("DequantizeLinear", ["matrix", g.positive(4, 5) / np.float32(9)], axis=0, block_size=16)
    return g.op("MatMul", [g.op("Flatten", [x]), w])


def quantized_blocks(g):
    """A weight that is brought to codes in blocks, and back."""
    scale = g.net.const(g.positive(6, 3, 2, 3) / np.float32(9))
    zero = g.net.const(np.zeros((6, 3, 2, 3), np.int8))
    codes = g.op("QuantizeLinear", [g.weights(6, 3, 3, 3), scale, zero], axis=2, block_size=2)
    w = g.op("DequantizeLinear", [codes, scale, zero], axis=2, block_size=2)
    return g.op("Flatten", [g.op("Conv", ["input", w])])


def main():
    home = HOME / "graphs"
    home.mkdir(parents=True, exist_ok=True)
    for old in home.glob("*.onnx"):
        old.unlink()
    vectors, kinds, made = {}, {}, 0
    graphs = [(Graph(index), Graph.build) for index in range(COUNT)]
    for index, build in enumerate([channels, blocks, quantized_blocks]):
        graph = Graph(COUNT + index)
        graph.net = Net(build.__name__, 21, [3, 6, 6])
        graphs.append((graph, build))
    for graph, build in graphs:
        net, out = graph.net, build(graph)
        x = graph.rng.uniform(-1, 1, [IMAGES] + net.shape).astype(np.float32)
        try:
            y = run(net.model(out).SerializeToString(), x)
            model = net.model(out, [net.batch, *y.shape[1:]])
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:
            sys.exit(f"{net.name}: {error}\n{onnx.helper.printable_graph(net.model(out).graph)}")
        assert np.isfinite(y).all() and np.abs(y).max() > 1e-3, net.name
        (home / f"{net.name}.onnx").write_bytes(model.SerializeToString())
        vectors[f"{net.name}.input"], vectors[f"{net.name}.output"] = x, np.ascontiguousarray(y)
        for node in net.nodes:
            kinds[node.op_type] = kinds.get(node.op_type, 0) + 1
        made += 1
    save_file(vectors, home / "vectors.safetensors")
    size = sum(f.stat().st_size for f in home.iterdir())
    print(f"{made} graphs, {size} bytes; nodes: {dict(sorted(kinds.items()))}")


if __name__ == "__main__":
    main()
