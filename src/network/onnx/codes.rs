//! Codes of constants: what QuantizeLinear and DequantizeLinear make of weights.

use super::constant::{Constant, Data, Element};
use super::fold::product;
use super::importer::{Step, Trouble, unsupported, wrong};
use super::node::{Node, axis_of};

/// Which entry of a quantizer's constant belongs to a value: one for all, one for each place along the
/// axis, or (`block_size`) one for each few places along it and every place of the other axes.
struct Entry {
    /// Values from one place along the axis to the next.
    inner: usize,
    /// Places along the axis, and those that share an entry.
    places: usize,
    block: usize,
    /// Whether the other axes have entries of their own.
    apart: bool,
}

impl Entry {
    fn new(x: &Constant, scale: &Constant, node: &Node) -> Step<Self> {
        let block = match usize::try_from(node.int("block_size", 0)) {
            Ok(block) => block,
            Err(_) => return wrong("block_size below 0"),
        };
        if block == 0 && scale.len() == 1 {
            return Ok(Self {
                inner: 1,
                places: 1,
                block: 1,
                apart: false,
            });
        }
        let axis = axis_of(node.int("axis", 1), x.dims.len())?;
        let places = x.dims[axis];
        let mut wanted = vec![places];
        if block > 0 {
            wanted.clone_from(&x.dims);
            wanted[axis] = places.div_ceil(block);
        }
        let fits = match block {
            0 => scale.dims == [places],
            _ => scale.dims == wanted,
        };
        if !fits {
            return wrong(format!(
                "scales of {:?} for axis {axis} of {:?}; they must be {wanted:?}",
                scale.dims, x.dims
            ));
        }
        Ok(Self {
            inner: product(&x.dims[axis + 1..])?.max(1),
            places,
            block: block.max(1),
            apart: block > 0,
        })
    }

    fn of(&self, i: usize) -> usize {
        let (front, place) = (i / self.inner / self.places, i / self.inner % self.places);
        match self.apart {
            false => place / self.block,
            true => {
                let row = front * self.places.div_ceil(self.block) + place / self.block;
                row * self.inner + i % self.inner
            }
        }
    }
}

/// Values of constant codes.
pub(super) fn dequantized(
    x: &Constant,
    scale: &Constant,
    zero: Option<&Constant>,
    node: &Node,
) -> Step<Constant> {
    let Some(codes) = x.as_ints() else {
        return wrong("dequantizes floats");
    };
    let scales = scale.to_floats();
    let zeros = zero_points(zero, scales.len())?;
    let entry = Entry::new(x, scale, node)?;
    let of = |(i, &c): (usize, &i64)| {
        let k = entry.of(i);
        c.saturating_sub(zeros[k]) as f32 * scales[k]
    };
    let values = codes.iter().enumerate().map(of).collect();
    Ok(Constant::floats(x.dims.clone(), values))
}

/// Codes of constant values.
pub(super) fn quantized(
    x: &Constant,
    scale: &Constant,
    zero: Option<&Constant>,
    node: &Node,
) -> Step<Constant> {
    let element = codes_of(zero, node)?;
    let (lo, hi) = element.codes().unwrap_or((0, 255));
    let scales = scale.to_floats();
    let zeros = zero_points(zero, scales.len())?;
    let entry = Entry::new(x, scale, node)?;
    if let Some(bad) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return wrong(format!("scale {bad}; allowed: above 0"));
    }
    let of = |(i, v): (usize, f32)| {
        let k = entry.of(i);
        let code = (v / scales[k]).round_ties_even() as i64;
        code.saturating_add(zeros[k]).clamp(lo.into(), hi.into())
    };
    let data = x.to_floats().into_iter().enumerate().map(of).collect();
    Ok(Constant::new(x.dims.clone(), element, Data::Ints(data)))
}

/// Type of the codes of a QuantizeLinear: that of its zero point, else `output_dtype`, else `u8`.
pub(super) fn codes_of(zero: Option<&Constant>, node: &Node) -> Step<Element> {
    let asked = match node.int("output_dtype", 0) {
        0 => None,
        number => Some(Element::of(number as i32).map_err(Trouble::Unsupported)?),
    };
    let element = match (zero.map(|z| z.element), asked) {
        (Some(zero), Some(asked)) if zero != asked => {
            return wrong(format!(
                "output_dtype is {}, the zero point {}",
                asked.name(),
                zero.name()
            ));
        }
        (Some(element), _) | (None, Some(element)) => element,
        (None, None) => Element::U8,
    };
    match element.codes() {
        Some(_) => Ok(element),
        None => unsupported("quantizes to something else than integers of 4, 8 or 16 bits"),
    }
}

fn zero_points(zero: Option<&Constant>, n: usize) -> Step<Vec<i64>> {
    match zero {
        None => Ok(vec![0; n]),
        Some(z) => match z.as_ints() {
            Some(v) if v.len() == n && n > 0 => Ok(v.to_vec()),
            _ => wrong(format!("{} zero points for {n} scales", z.len())),
        },
    }
}
