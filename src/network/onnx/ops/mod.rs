//! Operators on maps, by family.

mod combine;
mod elementwise;
mod linear;
pub(super) mod movement;
mod quantizers;
pub(super) mod shapes;
mod window;

use super::importer::{Importer, Inputs, Step, Value};

pub(super) use quantizers::on_codes;

/// Reads one node: what its outputs stand for.
pub(super) type Reader = fn(&mut Importer, &Inputs) -> Step<Vec<Value>>;

/// Operators that work on maps.
const READERS: &[(&str, Reader)] = &[
    ("Abs", elementwise::activation),
    ("Add", combine::add),
    ("AveragePool", window::average_pool),
    ("BatchNormalization", elementwise::batch_norm),
    ("Cast", elementwise::cast),
    ("CastLike", elementwise::cast_like),
    ("Clip", elementwise::clip),
    ("Concat", movement::concat),
    ("Conv", linear::conv),
    ("DequantizeLinear", quantizers::dequantize),
    ("Div", combine::div),
    ("Dropout", elementwise::dropout),
    ("Expand", shapes::expand),
    ("Flatten", shapes::reshape),
    ("Floor", elementwise::activation),
    ("Gather", movement::gather),
    ("Gemm", linear::gemm),
    ("GlobalAveragePool", window::global_average),
    ("GlobalMaxPool", window::global_max),
    ("HardSigmoid", elementwise::activation),
    ("HardSwish", elementwise::activation),
    ("Identity", elementwise::identity),
    ("LeakyRelu", elementwise::leaky_relu),
    ("MatMul", linear::matmul),
    ("Max", elementwise::limit),
    ("MaxPool", window::max_pool),
    ("Mean", combine::sum_of_all),
    ("Min", elementwise::limit),
    ("Mul", combine::mul),
    ("Neg", combine::neg),
    ("PRelu", elementwise::prelu),
    ("Pad", movement::pad),
    ("QuantizeLinear", quantizers::quantize),
    ("ReduceMean", window::reduce_mean),
    ("Relu", elementwise::activation),
    ("Reshape", shapes::reshape),
    ("Round", quantizers::round),
    ("Shape", shapes::shape),
    ("Sigmoid", elementwise::activation),
    ("Sign", elementwise::activation),
    ("Slice", movement::slice),
    ("Softmax", window::softmax),
    ("Split", movement::split),
    ("Squeeze", shapes::reshape),
    ("Sub", combine::sub),
    ("Sum", combine::sum_of_all),
    ("Tanh", elementwise::activation),
    ("Tile", movement::tile),
    ("Transpose", movement::transpose),
    ("Unsqueeze", shapes::reshape),
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
