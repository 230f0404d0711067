//! Constant arrays: every element type of ONNX that a network's weights and shapes come in, as
//! `f32` or `i64`.

use std::rc::Rc;

use half::{bf16, f16};

use super::external::External;
use super::proto::TensorProto;

/// Element types, with the numbers of `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    Bool,
    F16,
    F64,
    U32,
    U64,
    Bf16,
    U4,
    I4,
}

/// Types with their number, their name, and their letter in `operators.txt`.
const TYPES: [(i32, Element, &str, char); 15] = [
    (1, Element::F32, "float", 'f'),
    (2, Element::U8, "uint8", 'u'),
    (3, Element::I8, "int8", 'i'),
    (4, Element::U16, "uint16", 'v'),
    (5, Element::I16, "int16", 'j'),
    (6, Element::I32, "int32", 'k'),
    (7, Element::I64, "int64", 'l'),
    (9, Element::Bool, "bool", 'b'),
    (10, Element::F16, "float16", 'h'),
    (11, Element::F64, "double", 'd'),
    (12, Element::U32, "uint32", 'w'),
    (13, Element::U64, "uint64", 'x'),
    (16, Element::Bf16, "bfloat16", 'B'),
    (21, Element::U4, "uint4", 'n'),
    (22, Element::I4, "int4", 'm'),
];

impl Element {
    /// The type of that number.
    pub fn of(number: i32) -> Result<Self, String> {
        TYPES
            .iter()
            .find(|(n, ..)| *n == number)
            .map(|(_, e, ..)| *e)
            .ok_or_else(|| {
                format!(
                    "element type {number}; allowed: float, float16, bfloat16, double, integers, bool"
                )
            })
    }

    /// The type of that letter.
    pub fn of_letter(letter: char) -> Option<Self> {
        TYPES.iter().find(|t| t.3 == letter).map(|t| t.1)
    }

    fn entry(self) -> &'static (i32, Element, &'static str, char) {
        let found = TYPES.iter().find(|t| t.1 == self);
        found.unwrap_or(&TYPES[0])
    }

    /// What the standard calls it.
    pub fn name(self) -> &'static str {
        self.entry().2
    }

    /// Its letter in `operators.txt`.
    pub fn letter(self) -> char {
        self.entry().3
    }

    /// Smallest and largest value of an integer type; 64 bits without a sign end where `i64` ends.
    pub fn limits(self) -> Option<(i64, i64)> {
        let signed = |bits: u32| Some((-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1));
        match self {
            Element::F32 | Element::F64 | Element::F16 | Element::Bf16 => None,
            Element::Bool => Some((0, 1)),
            Element::I4 => signed(4),
            Element::I8 => signed(8),
            Element::I16 => signed(16),
            Element::I32 => signed(32),
            Element::I64 => Some((i64::MIN, i64::MAX)),
            Element::U4 => Some((0, 15)),
            Element::U8 => Some((0, 255)),
            Element::U16 => Some((0, 65_535)),
            Element::U32 => Some((0, u32::MAX.into())),
            Element::U64 => Some((0, i64::MAX)),
        }
    }

    /// A value as this float type keeps it, in `f32`.
    pub fn rounded(self, v: f32) -> f32 {
        match self {
            Element::F16 => f16::from_f32(v).to_f32(),
            Element::Bf16 => bf16::from_f32(v).to_f32(),
            _ => v,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(
            self,
            Element::F32 | Element::F16 | Element::F64 | Element::Bf16
        )
    }

    /// Bits of one value in `raw_data`.
    fn bits(self) -> usize {
        match self {
            Element::U4 | Element::I4 => 4,
            Element::U8 | Element::I8 | Element::Bool => 8,
            Element::U16 | Element::I16 | Element::F16 | Element::Bf16 => 16,
            Element::F32 | Element::I32 | Element::U32 => 32,
            Element::I64 | Element::U64 | Element::F64 => 64,
        }
    }

    /// Smallest and largest code, for the types that quantizers give.
    pub fn codes(self) -> Option<(i32, i32)> {
        match self {
            Element::U4 => Some((0, 15)),
            Element::I4 => Some((-8, 7)),
            Element::U8 => Some((0, 255)),
            Element::I8 => Some((-128, 127)),
            Element::U16 => Some((0, 65_535)),
            Element::I16 => Some((-32_768, 32_767)),
            _ => None,
        }
    }
}

/// Values of a constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    /// All float types.
    Floats(Vec<f32>),
    /// All integer types and booleans.
    Ints(Vec<i64>),
}

/// A constant array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub dims: Vec<usize>,
    pub element: Element,
    pub data: Data,
    /// Initializers of more than one value that it was computed from.
    pub origins: Vec<Rc<str>>,
}

impl Constant {
    pub fn new(dims: Vec<usize>, element: Element, data: Data) -> Self {
        Self {
            dims,
            element,
            data,
            origins: vec![],
        }
    }

    pub fn floats(dims: Vec<usize>, data: Vec<f32>) -> Self {
        Self::new(dims, Element::F32, Data::Floats(data))
    }

    pub fn ints(dims: Vec<usize>, data: Vec<i64>) -> Self {
        Self::new(dims, Element::I64, Data::Ints(data))
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(v) => v.len(),
            Data::Ints(v) => v.len(),
        }
    }

    /// As floats, whatever the type.
    pub fn to_floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Floats(v) => v.clone(),
            Data::Ints(v) => v.iter().map(|&i| i as f32).collect(),
        }
    }

    /// As integers; none if it holds floats.
    pub fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Ints(v) => Some(v),
            Data::Floats(_) => None,
        }
    }

    /// The only value, as a float.
    pub fn scalar(&self) -> Option<f32> {
        match &self.data {
            Data::Floats(v) if v.len() == 1 => Some(v[0]),
            Data::Ints(v) if v.len() == 1 => Some(v[0] as f32),
            _ => None,
        }
    }

    /// The same values in another shape of as many values.
    pub fn reshaped(&self, dims: Vec<usize>) -> Self {
        Self::new(dims, self.element, self.data.clone())
    }

    /// The values at `indices`, in another shape.
    pub fn gathered(&self, dims: Vec<usize>, indices: &[usize]) -> Self {
        let data = match &self.data {
            Data::Floats(v) => Data::Floats(indices.iter().map(|&i| v[i]).collect()),
            Data::Ints(v) => Data::Ints(indices.iter().map(|&i| v[i]).collect()),
        };
        Self::new(dims, self.element, data)
    }

    /// Decodes a tensor; `external` finds values in other files. No memory is taken for values
    /// that are not there, and what is not a number is refused.
    pub fn decode(tensor: &TensorProto, external: &External) -> Result<Self, String> {
        let element = Element::of(tensor.data_type)?;
        let mut dims = vec![];
        let mut n = 1usize;
        for &d in &tensor.dims {
            let d =
                usize::try_from(d).map_err(|_| format!("dimension {d}; allowed: 0 and more"))?;
            n = n
                .checked_mul(d)
                .ok_or_else(|| format!("shape {:?} is too large", tensor.dims))?;
            dims.push(d);
        }
        let bits = n
            .checked_mul(element.bits())
            .ok_or_else(|| format!("shape {:?} is too large", tensor.dims))?;
        let size = bits.div_ceil(8);
        let data = if tensor.data_location == 1 {
            raw(element, n, &external.read(&tensor.external_data, size)?)
        } else if !tensor.raw_data.is_empty() || n == 0 {
            if tensor.raw_data.len() != size {
                return Err(format!(
                    "{} bytes of raw data; shape {dims:?} needs {size}",
                    tensor.raw_data.len()
                ));
            }
            raw(element, n, &tensor.raw_data)
        } else {
            typed(element, n, tensor)?
        };
        if let Data::Floats(values) = &data
            && let Some(at) = values.iter().position(|v| v.is_nan())
        {
            return Err(format!(
                "value {at} of {dims:?} is not a number; allowed: finite numbers"
            ));
        }
        Ok(Self::new(dims, element, data))
    }
}

/// Values of `raw_data`: little-endian; two of four bits to a byte, the first in the low half.
fn raw(element: Element, n: usize, bytes: &[u8]) -> Data {
    fn each<const N: usize, T>(bytes: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|c| f(*c)).collect()
    }
    let nibble = |i: usize| (bytes[i / 2] >> (4 * (i % 2))) & 15;
    match element {
        Element::F32 => Data::Floats(each(bytes, f32::from_le_bytes)),
        Element::F64 => Data::Floats(each(bytes, |b| f64::from_le_bytes(b) as f32)),
        Element::F16 => Data::Floats(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Element::Bf16 => Data::Floats(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        Element::U8 => Data::Ints(each(bytes, |[b]| i64::from(b))),
        Element::Bool => Data::Ints(each(bytes, |[b]| i64::from(b != 0))),
        Element::I8 => Data::Ints(each(bytes, |b| i64::from(i8::from_le_bytes(b)))),
        Element::U16 => Data::Ints(each(bytes, |b| i64::from(u16::from_le_bytes(b)))),
        Element::I16 => Data::Ints(each(bytes, |b| i64::from(i16::from_le_bytes(b)))),
        Element::U32 => Data::Ints(each(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        Element::I32 => Data::Ints(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        Element::U64 => Data::Ints(each(bytes, |b| clamped(u64::from_le_bytes(b)))),
        Element::I64 => Data::Ints(each(bytes, i64::from_le_bytes)),
        Element::U4 => Data::Ints((0..n).map(|i| i64::from(nibble(i))).collect()),
        Element::I4 => Data::Ints((0..n).map(|i| signed4(nibble(i))).collect()),
    }
}

/// Four bits as a number of -8 to 7.
fn signed4(nibble: u8) -> i64 {
    i64::from(((nibble << 4) as i8) >> 4)
}

fn clamped(v: u64) -> i64 {
    i64::try_from(v).unwrap_or(i64::MAX)
}

/// Values of the typed fields. Small types share `int32_data`: floats of 16 bits by their bits.
fn typed(element: Element, n: usize, t: &TensorProto) -> Result<Data, String> {
    let small = |f: &dyn Fn(i32) -> i64| Data::Ints(t.int32_data.iter().map(|&v| f(v)).collect());
    let data = match element {
        Element::F32 => Data::Floats(t.float_data.clone()),
        Element::F64 => Data::Floats(t.double_data.iter().map(|&v| v as f32).collect()),
        Element::F16 => {
            let of = |&v: &i32| f16::from_bits(v as u16).to_f32();
            Data::Floats(t.int32_data.iter().map(of).collect())
        }
        Element::Bf16 => {
            let of = |&v: &i32| bf16::from_bits(v as u16).to_f32();
            Data::Floats(t.int32_data.iter().map(of).collect())
        }
        Element::I64 => Data::Ints(t.int64_data.clone()),
        Element::U64 | Element::U32 => {
            Data::Ints(t.uint64_data.iter().map(|&v| clamped(v)).collect())
        }
        Element::U8 => small(&|v| i64::from(v as u8)),
        Element::I8 => small(&|v| i64::from(v as i8)),
        Element::U16 => small(&|v| i64::from(v as u16)),
        Element::I16 => small(&|v| i64::from(v as i16)),
        Element::I32 => small(&i64::from),
        Element::Bool => small(&|v| i64::from(v != 0)),
        Element::U4 | Element::I4 => {
            let bytes: Vec<u8> = t.int32_data.iter().map(|&v| v as u8).collect();
            if bytes.len() != n.div_ceil(2) {
                return Err(wrong_count(bytes.len() * 2, t));
            }
            return Ok(raw(element, n, &bytes));
        }
    };
    let found = match &data {
        Data::Floats(v) => v.len(),
        Data::Ints(v) => v.len(),
    };
    if found != n {
        return Err(wrong_count(found, t));
    }
    Ok(data)
}

fn wrong_count(found: usize, t: &TensorProto) -> String {
    format!("{found} values; shape {:?} needs others", t.dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(t: TensorProto) -> Result<Constant, String> {
        Constant::decode(&t, &External::none())
    }

    #[test]
    fn every_type_raw_and_typed() {
        // (type, raw bytes of the values, as read)
        let cases: [(i32, Vec<u8>, Vec<f32>); 15] = [
            (
                1,
                [1.5f32, -2.0].map(f32::to_le_bytes).concat(),
                vec![1.5, -2.0],
            ),
            (
                11,
                [1.5f64, -2.0].map(f64::to_le_bytes).concat(),
                vec![1.5, -2.0],
            ),
            (10, vec![0x00, 0x3e, 0x00, 0xc0], vec![1.5, -2.0]),
            (16, vec![0xc0, 0x3f, 0x00, 0xc0], vec![1.5, -2.0]),
            (2, vec![7, 200], vec![7.0, 200.0]),
            (3, vec![7, 200], vec![7.0, -56.0]),
            (4, vec![7, 0, 0, 200], vec![7.0, 51200.0]),
            (5, vec![7, 0, 0, 200], vec![7.0, -14336.0]),
            (
                6,
                [7i32, -9].map(i32::to_le_bytes).concat(),
                vec![7.0, -9.0],
            ),
            (
                7,
                [7i64, -9].map(i64::to_le_bytes).concat(),
                vec![7.0, -9.0],
            ),
            (12, [7u32, 9].map(u32::to_le_bytes).concat(), vec![7.0, 9.0]),
            (13, [7u64, 9].map(u64::to_le_bytes).concat(), vec![7.0, 9.0]),
            (9, vec![0, 3], vec![0.0, 1.0]),
            (21, vec![0x9f], vec![15.0, 9.0]),
            (22, vec![0x9f], vec![-1.0, -7.0]),
        ];
        for (data_type, raw_data, want) in cases {
            let dims = vec![2, 1];
            let raw = TensorProto {
                dims: dims.clone(),
                data_type,
                raw_data: raw_data.clone(),
                ..Default::default()
            };
            let c = decode(raw.clone()).unwrap();
            assert_eq!(c.to_floats(), want, "{data_type}");
            for cut in [raw_data.len() - 1, raw_data.len() + 1] {
                let mut bytes = raw_data.clone();
                bytes.resize(cut, 0);
                let t = TensorProto {
                    raw_data: bytes,
                    ..raw.clone()
                };
                assert!(decode(t).is_err(), "{data_type} {cut}");
            }
        }
    }

    #[test]
    fn sizes_are_checked_before_memory_is_taken() {
        for dims in [
            vec![i64::MAX, i64::MAX],
            vec![1 << 40],
            vec![-1],
            vec![1 << 62, 2],
        ] {
            for data_location in [0, 1] {
                let t = TensorProto {
                    dims: dims.clone(),
                    data_type: 1,
                    float_data: vec![1.0],
                    data_location,
                    ..Default::default()
                };
                assert!(decode(t).is_err(), "{dims:?}");
            }
        }
    }
}
