//! ONNX models written by hand, byte by byte, and what is said of them.

use pimento::network::file::Loaded;
use pimento::network::onnx::{self, Options};
use pimento::{Error, Result};

pub const FLOAT: i64 = 1;
pub const INT8: i64 = 3;
pub const INT32: i64 = 6;
pub const INT64: i64 = 7;
pub const DOUBLE: i64 = 11;

/// Protobuf by hand: a field of bytes.
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = varint(u64::from(number) << 3 | 2);
    out.extend(varint(content.len() as u64));
    out.extend(content);
    out
}

pub fn varint(mut v: u64) -> Vec<u8> {
    let mut out = vec![];
    while v > 127 {
        out.push((v & 127 | 128) as u8);
        v >>= 7;
    }
    out.push(v as u8);
    out
}

pub fn number(field: u8, v: i64) -> Vec<u8> {
    [varint(u64::from(field) << 3), varint(v as u64)].concat()
}

pub fn node(kind: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
    field(1, &unattributed(kind, name, inputs, outputs))
}

/// A node with attributes.
pub fn node_with(kind: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut out = unattributed(kind, "/n", inputs, outputs);
    out.extend(attributes.iter().flat_map(|a| field(5, a)));
    field(1, &out)
}

fn unattributed(kind: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
    let mut out: Vec<u8> = inputs.iter().flat_map(|i| field(1, i.as_bytes())).collect();
    out.extend(outputs.iter().flat_map(|o| field(2, o.as_bytes())));
    out.extend(field(3, name.as_bytes()));
    out.extend(field(4, kind.as_bytes()));
    out
}

/// A constant of `f32`, all 1.
pub fn ones(name: &str, dims: &[i64]) -> Vec<u8> {
    let n: i64 = dims.iter().product();
    floats(name, dims, &vec![1.0; n as usize])
}

/// Name and shape; `None` for a size that is not fixed.
pub fn value(place: u8, name: &str, dims: &[Option<i64>]) -> Vec<u8> {
    let dims: Vec<u8> = dims
        .iter()
        .flat_map(|d| match d {
            Some(d) => field(1, &number(1, *d)),
            None => field(1, &field(2, b"N")),
        })
        .collect();
    let tensor = [number(1, 1), field(2, &dims)].concat();
    let kind = field(2, &field(1, &tensor));
    field(place, &[field(1, name.as_bytes()), kind].concat())
}

pub fn model(opset: i64, parts: &[Vec<u8>]) -> Vec<u8> {
    let graph = parts.concat();
    [number(1, 8), field(7, &graph), field(8, &number(2, opset))].concat()
}

pub fn int(name: &str, v: i64) -> Vec<u8> {
    [field(1, name.as_bytes()), number(3, v), kind(2)].concat()
}

pub fn float(name: &str, v: f32) -> Vec<u8> {
    let bytes = [vec![(2 << 3) | 5], v.to_le_bytes().to_vec()].concat();
    [field(1, name.as_bytes()), bytes, kind(1)].concat()
}

pub fn ints(name: &str, v: &[i64]) -> Vec<u8> {
    let each = v.iter().flat_map(|&v| number(8, v)).collect::<Vec<u8>>();
    [field(1, name.as_bytes()), each, kind(7)].concat()
}

pub fn kind(k: u64) -> Vec<u8> {
    [varint(20 << 3), varint(k)].concat()
}

/// A constant of any type from its bytes.
pub fn tensor(name: &str, element: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = dims.iter().flat_map(|&d| number(1, d)).collect();
    out.extend(number(2, element));
    out.extend(field(8, name.as_bytes()));
    out.extend(field(9, raw));
    field(5, &out)
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, FLOAT, dims, &raw)
}

pub fn sizes(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len() as i64], &raw)
}

/// The shape of the images.
pub const IMAGE: [Option<i64>; 4] = [None, Some(2), Some(5), Some(5)];

/// A model of operator set 17 around `x` and `y`.
pub fn with(nodes: &[Vec<u8>], constants: &[Vec<u8>]) -> Vec<u8> {
    at(17, None, nodes, constants)
}

/// A model of one operator set around `x` and `y`.
pub fn at(opset: i64, batch: Option<i64>, nodes: &[Vec<u8>], constants: &[Vec<u8>]) -> Vec<u8> {
    let image = [batch, IMAGE[1], IMAGE[2], IMAGE[3]];
    let ends = [value(11, "x", &image), value(12, "y", &[None, Some(1)])];
    model(opset, &[nodes, constants, &ends].concat())
}

pub fn read(bytes: &[u8]) -> Loaded {
    import(bytes).unwrap_or_else(|e| panic!("{e}"))
}

pub fn assert_says(bytes: &[u8], words: &str) {
    let text = message(bytes);
    assert!(text.contains(words), "{words}: {text}");
}

pub fn import(bytes: &[u8]) -> Result<Loaded> {
    onnx::import(bytes, "net.onnx".as_ref(), &Options::default())
}

/// The message of a refusal, which is the user's mistake and names the file.
pub fn message(bytes: &[u8]) -> String {
    match import(bytes) {
        Err(error @ Error::Input(_)) => {
            let text = error.to_string();
            assert!(text.starts_with("net.onnx: "), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}
