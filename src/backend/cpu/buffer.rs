//! Buffers that begin at a cache line, and a pool of them.
//!
//! A vector of 16 values that crosses two cache lines takes two accesses. Buffers that are used
//! again keep their pages: fresh memory costs a page fault and a cleared page every 4 KiB.

use std::collections::TryReserveError;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::{Pod, Zeroable};

use crate::program::LANES;

/// One vector, which is one cache line of most processors.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Line([f32; LANES]);

/// Values that begin at a cache line.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros, or why there is no memory for them.
    pub fn zeros(len: usize) -> Result<Self, TryReserveError> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(len.div_ceil(LANES))?;
        lines.resize(len.div_ceil(LANES), Line::zeroed());
        Ok(Self { lines, len })
    }

    /// Makes it at least `len` values long; what is in it is anything.
    pub fn reserve(&mut self, len: usize) {
        if self.len < len {
            self.lines.resize(len.div_ceil(LANES), Line::zeroed());
            self.len = len;
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// Buffers that wait for their next use.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Buffer>>);

impl Pool {
    /// The smallest that has `len` values, else the largest made longer. What is in it is anything.
    pub fn take(&self, len: usize) -> Buffer {
        let mut waiting = self.lock();
        let sizes = waiting.iter().map(|b| b.len).enumerate();
        let best = sizes.min_by_key(|&(_, n)| (n < len, n.abs_diff(len)));
        let mut buffer = match best {
            Some((i, _)) => waiting.swap_remove(i),
            None => Buffer::default(),
        };
        drop(waiting);
        buffer.reserve(len);
        buffer
    }

    /// Returns a buffer.
    pub fn give(&self, buffer: Buffer) {
        self.lock().push(buffer);
    }

    /// The pool holds plain buffers: a panic elsewhere cannot have left them half-changed.
    fn lock(&self) -> MutexGuard<'_, Vec<Buffer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_a_cache_line_and_are_used_again() {
        let pool = Pool::default();
        let (small, large) = (pool.take(5), pool.take(1000));
        assert_eq!((small.len(), large.len()), (5, 1000));
        for buffer in [&small, &large] {
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
        }
        let place = large.as_ptr();
        pool.give(small);
        pool.give(large);
        // The one that fits, not the one that would have to grow.
        assert_eq!(pool.take(600).as_ptr(), place);
        assert_eq!(pool.take(600).len(), 600);
    }
}
