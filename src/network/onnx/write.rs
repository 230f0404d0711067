//! Pieces of models to be written.

use super::proto::{AttributeProto, NodeProto, TensorProto, attribute};

/// Value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
}

/// An operator with one output, called as the output is.
pub(super) fn node(
    kind: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[(&str, Attribute)],
) -> NodeProto {
    // Optional inputs at the end are left out.
    let given = inputs.iter().rposition(|i| !i.is_empty());
    let inputs = &inputs[..given.map_or(0, |last| last + 1)];
    NodeProto {
        input: inputs.iter().map(|i| i.to_string()).collect(),
        output: vec![output.into()],
        name: output.into(),
        op_type: kind.into(),
        attribute: attributes.iter().map(|(n, a)| named(n, a)).collect(),
        domain: String::new(),
    }
}

fn named(name: &str, value: &Attribute) -> AttributeProto {
    let empty = AttributeProto {
        name: name.into(),
        ..Default::default()
    };
    match value {
        Attribute::Int(i) => AttributeProto {
            i: Some(*i),
            kind: attribute::INT,
            ..empty
        },
        Attribute::Float(f) => AttributeProto {
            f: Some(*f),
            kind: attribute::FLOAT,
            ..empty
        },
        Attribute::Ints(v) => AttributeProto {
            ints: v.clone(),
            kind: attribute::INTS,
            ..empty
        },
    }
}

fn tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|&d| d as i64).collect(),
        data_type,
        name: name.into(),
        raw_data,
        ..Default::default()
    }
}

/// A constant of `f32`.
pub(super) fn floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, 1, raw)
}

/// A constant of `i64`.
pub(super) fn ints(name: &str, dims: &[usize], values: &[i64]) -> TensorProto {
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, 7, raw)
}

/// A constant of 8-bit codes, signed or not.
pub(super) fn codes(name: &str, dims: &[usize], signed: bool, values: &[i32]) -> TensorProto {
    let raw = values.iter().map(|&v| v as u8).collect();
    tensor(name, dims, if signed { 3 } else { 2 }, raw)
}
