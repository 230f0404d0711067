#!/usr/bin/env python3
"""Writes src/network/onnx/operators.txt: inputs, outputs, element types and attributes of the operators that are
read, for every operator set, as the ONNX standard has them.

    python3 -m venv venv && venv/bin/pip install onnx
    venv/bin/python scripts/onnx_schemas.py
"""

from pathlib import Path

from onnx import defs

HOME = Path(__file__).resolve().parent.parent / "src" / "network" / "onnx" / "operators.txt"
LAST = 23
OPERATORS = """Abs Add And AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Constant ConstantOfShape Conv
DequantizeLinear Div Dropout Equal Exp Expand Flatten Floor Gather Gemm GlobalAveragePool GlobalMaxPool Greater
GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log MatMul Max MaxPool Mean Min Mul Neg Not Or
PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape Round Shape Sigmoid Sign Size Slice Softmax Split Sqrt Squeeze Sub Sum Tanh Tile Transpose
Unsqueeze Where""".split()
# One letter a type that is read; others are left out, as their tensors are refused anyway.
LETTERS = {
    "float": "f", "float16": "h", "bfloat16": "B", "double": "d", "uint8": "u", "int8": "i", "uint16": "v", "int16": "j",
    "int32": "k", "int64": "l", "uint32": "w", "uint64": "x", "bool": "b", "uint4": "n", "int4": "m",
}
KINDS = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t", "FLOATS": "F", "INTS": "I", "STRINGS": "S",
         "SPARSE_TENSOR": "p", "TYPE_PROTO": "y", "GRAPH": "g"}


def letters(strings):
    names = [s.removeprefix("tensor(").removesuffix(")") for s in strings if s.startswith("tensor(")]
    return "".join(sorted(LETTERS[n] for n in names if n in LETTERS)) or "-"


def kind(parameter, variables):
    """A type variable, or the letter of a fixed type behind a colon."""
    return parameter.type_str if parameter.type_str in variables else ":" + letters([parameter.type_str])


def line(s):
    variables = {c.type_param_str: letters(c.allowed_type_strs) for c in s.type_constraints}
    option = {"Single": "", "Optional": "?", "Variadic": "*"}
    inputs = [kind(p, variables) + option[p.option.name] for p in s.inputs]
    outputs = [kind(p, variables) for p in s.outputs]
    attributes = [f"{n}:{KINDS[a.type.name]}" for n, a in sorted(s.attributes.items())]
    types = [f"{n}={v}" for n, v in variables.items()]
    last = "*" if s.max_output > 100 else s.max_output
    parts = [f"{s.name} {s.since_version}", " ".join(inputs), f"{last} " + " ".join(outputs), " ".join(types),
             " ".join(attributes)]
    return " | ".join(parts).rstrip()


def main():
    found = {}
    for s in defs.get_all_schemas_with_history():
        if s.domain == "" and s.name in OPERATORS and s.since_version <= LAST:
            found[s.name, s.since_version] = s
    wanted = set()
    for name in OPERATORS:
        versions = sorted(v for n, v in found if n == name)
        # The version that operator set 7 has, and all after it.
        first = max([v for v in versions if v <= 7], default=0)
        wanted |= {(name, v) for v in versions if v >= first}
    text = ("# Made by scripts/onnx_schemas.py from the operator definitions of the ONNX standard (onnx.ai/onnx/operators).\n"
            "# operator, since | inputs (? optional, * any number) | most outputs, outputs | types of variables | attributes\n")
    HOME.write_text(text + "".join(line(found[k]) + "\n" for k in sorted(wanted)))


main()
