//! Operators on maps, by family.

mod elementwise;
mod linear;
pub(super) mod movement;
mod quantizers;
mod window;

use super::importer::{Importer, Inputs, Step, Value};

/// Reads one node: what its outputs stand for.
type Reader = fn(&mut Importer, &Inputs) -> Step<Vec<Value>>;

/// Operators that work on maps.
const READERS: &[(&str, Reader)] = &[
    ("Abs", elementwise::activation),
    ("Add", elementwise::add),
    ("AveragePool", window::average_pool),
    ("BatchNormalization", elementwise::batch_norm),
    ("Cast", elementwise::cast),
    ("Clip", elementwise::clip),
    ("Concat", movement::concat),
    ("Conv", linear::conv),
    ("DequantizeLinear", quantizers::dequantize),
    ("Div", elementwise::div),
    ("Dropout", elementwise::dropout),
    ("Expand", movement::expand),
    ("Flatten", movement::reshape),
    ("Floor", elementwise::activation),
    ("Gather", movement::gather),
    ("Gemm", linear::gemm),
    ("GlobalAveragePool", window::global_average),
    ("GlobalMaxPool", window::global_max),
    ("HardSigmoid", elementwise::activation),
    ("HardSwish", elementwise::activation),
    ("Identity", elementwise::identity),
    ("LeakyRelu", elementwise::activation),
    ("MatMul", linear::matmul),
    ("Max", elementwise::limit),
    ("MaxPool", window::max_pool),
    ("Min", elementwise::limit),
    ("Mul", elementwise::mul),
    ("Neg", elementwise::neg),
    ("PRelu", elementwise::prelu),
    ("Pad", movement::pad),
    ("QuantizeLinear", quantizers::quantize),
    ("ReduceMean", window::reduce_mean),
    ("Relu", elementwise::activation),
    ("Reshape", movement::reshape),
    ("Round", quantizers::round),
    ("Shape", movement::shape),
    ("Sigmoid", elementwise::activation),
    ("Sign", elementwise::activation),
    ("Slice", movement::slice),
    ("Softmax", window::softmax),
    ("Split", movement::split),
    ("Squeeze", movement::reshape),
    ("Sub", elementwise::sub),
    ("Tanh", elementwise::activation),
    ("Transpose", movement::transpose),
    ("Unsqueeze", movement::reshape),
];

/// The reader of an operator on maps.
pub(super) fn reader(op: &str) -> Option<Reader> {
    let found = READERS.iter().find(|(name, _)| *name == op);
    found.map(|(_, reader)| *reader)
}

/// Names of the operators on maps.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(name, _)| *name)
}
