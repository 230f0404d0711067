//! Sums over images from the parts of their blocks.

use super::memory::Memory;
use crate::program::{Scope, TensorId};

/// The parts of the blocks of all chips, of `width` values each, in order (chip, block).
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    /// The values.
    pub values: &'a [f64],
    /// Values of a part.
    pub width: usize,
}

impl<'a> Parts<'a> {
    /// The parts that a result sums up: those of its chip, of all chips where it is shared.
    pub fn of(self, memory: &Memory, result: TensorId, chip: usize) -> Self {
        let slab = memory.blocks() * self.width;
        let chips = self.values.len() / slab.max(1);
        let values = match memory.desc(result).scope == Scope::Shared || chips == 1 {
            true => self.values,
            false => &self.values[chip * slab..][..slab],
        };
        Self { values, ..self }
    }

    /// Their sum, in order.
    pub fn total(self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for part in self.values.chunks_exact(self.width) {
            for (sum, value) in sums.iter_mut().zip(part) {
                *sum += value;
            }
        }
        sums
    }

    /// Values of a channel of the map `x` in these parts.
    pub fn per_channel(self, memory: &Memory, x: TensorId) -> f64 {
        let (_, h, w) = memory.shape(x).chw();
        let blocks = self.values.len() / self.width;
        (h * w * memory.images() * (blocks / memory.blocks().max(1))) as f64
    }
}
