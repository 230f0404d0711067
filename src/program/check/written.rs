//! What has been written when an operator reads.

use std::collections::HashMap;
use std::ops::Range;

#[cfg(doc)]
use crate::program::Rearrange;
use crate::program::TensorId;

/// Which places of a section's tensors have been written: all at once by most operators, piece
/// by piece by [`Rearrange`].
#[derive(Default)]
pub(super) struct Written(HashMap<TensorId, Vec<Range<usize>>>);

impl Written {
    /// Notes that an operator writes these places.
    pub fn add(&mut self, t: TensorId, places: Range<usize>) {
        let pieces = self.0.entry(t).or_default();
        pieces.push(places);
        pieces.sort_by_key(|p| p.start);
    }

    /// Whether none of the first `len` places is missing.
    pub fn is_whole(&self, t: TensorId, len: usize) -> bool {
        let pieces = self.0.get(&t).into_iter().flatten();
        // Up to where nothing is missing.
        let reached = pieces.fold(0, |reached, p| match p.start <= reached {
            true => reached.max(p.end),
            false => reached,
        });
        reached >= len
    }
}
