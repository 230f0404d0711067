//! One operator of a model and its attributes.

use super::constant::{Constant, Data};
use super::importer::{Step, Trouble, wrong};
use super::proto::{AttributeProto, NodeProto, TensorProto};

/// Largest size, stride, padding or dilation: far above any network's, and no product of three
/// overflows.
const LARGEST: i64 = 1 << 20;

/// An operator, its readable name, and the version of its set.
pub(super) struct Node<'a> {
    pub proto: &'a NodeProto,
    pub name: String,
    pub opset: i64,
}

impl Node<'_> {
    /// Operator name.
    pub fn op(&self) -> &str {
        &self.proto.op_type
    }

    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name == name)
    }

    /// Integer attribute.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        // What is there without a value is 0: some writers leave zeros out.
        self.attribute(name).map_or(default, |a| a.i.unwrap_or(0))
    }

    /// Float attribute.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f.unwrap_or(0.0))
    }

    /// Text attribute, empty where absent.
    pub fn text(&self, name: &str) -> String {
        let bytes = self.attribute(name).and_then(|a| a.s.as_deref());
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    }

    /// List of integers, where present.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// Tensor attribute.
    pub fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }

    /// A list of `N` sizes of at least `low`, such as `strides`; `default` for all where absent.
    pub fn sizes<const N: usize>(
        &self,
        name: &str,
        rank: usize,
        low: i64,
        default: usize,
    ) -> Step<[usize; N]> {
        let Some(values) = self.ints(name) else {
            return Ok([default; N]);
        };
        let wanted = if N == 4 { 2 * rank } else { rank };
        if values.len() != wanted {
            return wrong(format!("{name} has {} values, not {wanted}", values.len()));
        }
        if let Some(v) = values.iter().find(|v| !(low..=LARGEST).contains(*v)) {
            return wrong(format!("{name} {v}; allowed: {low} to {LARGEST}"));
        }
        let of = |i: usize| values[i] as usize;
        // A map with one direction is a single row.
        let neutral = if N == 4 { 0 } else { 1 };
        let mut out = [neutral; N];
        match (rank, N) {
            (1, 4) => (out[1], out[3]) = (of(0), of(1)),
            (1, _) => out[N - 1] = of(0),
            _ => (0..N).for_each(|i| out[i] = of(i)),
        }
        Ok(out)
    }
}

/// An axis of a value of `rank` dimensions (batch included), negative ones from the end.
pub(super) fn axis_of(axis: i64, rank: usize) -> Step<usize> {
    let n = rank as i64;
    if !(-n..n).contains(&axis) {
        return wrong(format!("axis {axis} of {rank} dimensions"));
    }
    Ok(axis.rem_euclid(n) as usize)
}

/// Axes likewise, which must differ.
pub(super) fn axes_of(axes: &[i64], rank: usize) -> Step<Vec<usize>> {
    let mut out = vec![];
    for &a in axes {
        let a = axis_of(a, rank)?;
        if out.contains(&a) {
            return wrong(format!("axis {a} twice"));
        }
        out.push(a);
    }
    Ok(out)
}

/// A constant of integers.
pub(super) fn ints<'c>(c: &'c Constant, what: &str) -> Step<&'c [i64]> {
    match &c.data {
        Data::Ints(v) => Ok(v),
        Data::Floats(_) => Err(Trouble::Wrong(format!("{what} must be integers"))),
    }
}
