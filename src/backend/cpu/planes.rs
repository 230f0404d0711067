//! Conductances as they are kept between the operator that makes them and those that read them
//! ([`Storage`](crate::program::Storage)).
//!
//! A writer makes a few thousand values at a time in `f32` and rounds them ([`Kept`]), a reader expands
//! a column of an array at a time ([`Planes`]), so that halves are never there as floats for a whole
//! layer but where they are packed for the product.

use std::ops::Range;

use crate::backend::storage;

/// Conductances of one chip.
#[derive(Debug, Clone, Copy)]
pub(super) enum Planes<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Halves.
    F16(&'a [u16]),
}

impl<'a> Planes<'a> {
    /// Some of them as floats, in `space` where they are not.
    pub fn part<'b>(&self, range: Range<usize>, space: &'b mut Vec<f32>) -> &'b [f32]
    where
        'a: 'b,
    {
        match self {
            Planes::F32(values) => &values[range],
            Planes::F16(halves) => {
                space.resize(range.len(), 0.0);
                storage::expand(&halves[range], space);
                space
            }
        }
    }
}

/// A value as it is kept.
pub(super) trait Kept: Copy + Send {
    /// Keeps values.
    fn keep(values: &[f32], to: &mut [Self]);

    /// Keeps what `make` writes, by way of `space` where that is not what is kept.
    fn fill(to: &mut [Self], space: &mut Vec<f32>, make: impl FnOnce(&mut [f32]));
}

impl Kept for f32 {
    fn keep(values: &[f32], to: &mut [f32]) {
        to.copy_from_slice(values);
    }

    fn fill(to: &mut [f32], _: &mut Vec<f32>, make: impl FnOnce(&mut [f32])) {
        make(to);
    }
}

impl Kept for u16 {
    fn keep(values: &[f32], to: &mut [u16]) {
        storage::round(values, to);
    }

    fn fill(to: &mut [u16], space: &mut Vec<f32>, make: impl FnOnce(&mut [f32])) {
        space.resize(to.len(), 0.0);
        make(space);
        storage::round(space, to);
    }
}

/// The `n` halves in the words of a tensor.
pub(super) fn halves(words: &[f32], n: usize) -> &[u16] {
    &bytemuck::cast_slice(words)[..n]
}

/// [`halves`], to be written.
pub(super) fn halves_mut(words: &mut [f32], n: usize) -> &mut [u16] {
    &mut bytemuck::cast_slice_mut(words)[..n]
}
