//! Digits of codes and codes of digits. Codes are those of the arrays: with `m` slices of every place value `m` times
//! the weight's.

use crate::program::{Arrays, Encoding};

/// Digit of every slice of a magnitude, least significant first.
fn split(arrays: &Arrays, magnitude: u32) -> impl Iterator<Item = u32> + '_ {
    (0..arrays.slices()).map(move |s| arrays.digit(magnitude, s))
}

/// What a cell of every cell plane holds for a code, in digits (half ones with two sides).
pub fn of_code(arrays: &Arrays, code: i32) -> Vec<f32> {
    match arrays.encoding {
        Encoding::Offset { .. } => {
            let unsigned = (code + arrays.offset_code() as i32) as u32;
            split(arrays, unsigned).map(|d| d as f32).collect()
        }
        Encoding::Differential { two_sided, .. } => split(arrays, code.unsigned_abs())
            .enumerate()
            .flat_map(|(s, digit)| {
                let v = digit as f32 * code.signum() as f32;
                match two_sided {
                    true => {
                        let top = arrays.top_digit(s) as f32;
                        [(top + v) / 2.0, (top - v) / 2.0]
                    }
                    false => [v.max(0.0), (-v).max(0.0)],
                }
            })
            .collect(),
    }
}

/// The code of the digits of its cells: the inverse of [`of_code`], for measured digits too.
pub fn to_code(arrays: &Arrays, digits: &[f32]) -> f32 {
    let place = |s: usize| (1u32 << arrays.shift(s)) as f32;
    match arrays.encoding {
        Encoding::Offset { .. } => {
            let sum: f32 = digits.iter().enumerate().map(|(s, d)| place(s) * d).sum();
            sum - arrays.offset_code() as f32
        }
        Encoding::Differential { .. } => {
            let pairs = digits.chunks_exact(2).enumerate();
            pairs.map(|(s, d)| place(s) * (d[0] - d[1])).sum()
        }
    }
}

/// Digits of all cells, `[cell plane][column][row]`, from codes `[column][row]`.
pub fn planes(arrays: &Arrays, codes: &[i32]) -> Vec<f32> {
    let n = arrays.plane_len();
    let mut out = vec![0.0; arrays.cells()];
    for (i, &code) in codes.iter().enumerate() {
        for (plane, digit) in of_code(arrays, code).into_iter().enumerate() {
            out[plane * n + i] = digit;
        }
    }
    out
}

/// Codes `[column][row]` from the digits of all cells: the inverse of [`planes`].
pub fn codes(arrays: &Arrays, planes: &[f32]) -> Vec<f32> {
    let n = arrays.plane_len();
    let cell = |i: usize| -> Vec<f32> {
        let planes = planes.chunks_exact(n);
        planes.map(|plane| plane[i]).collect()
    };
    (0..n).map(|i| to_code(arrays, &cell(i))).collect()
}
