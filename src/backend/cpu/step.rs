//! How the processor runs an operator: [`OnCpu`], which every operator implements in its file.

use super::block::{BlockRun, Space};
use super::memory::Memory;
use super::simd::Isa;
use super::sums::Parts;
use crate::error::Result;
use crate::program::{Products, RunArgs, TensorId, Winograd};

/// An operator that is ready to run, by the way it is scheduled.
pub(super) enum Step {
    /// No block of images meets another one and every output is a map, so that neighbours run
    /// together, a few blocks at a time.
    Block(BlockStep),
    /// It sums over the images of maps and does nothing else: a part of the sum is made of every
    /// block of images while the block is at hand.
    Sum(Box<dyn BlockSum>),
    /// It runs on its own, over whole tensors.
    Whole(Box<dyn WholeOp>),
}

/// An operator of [`Step::Block`].
pub(super) enum BlockStep {
    /// It needs its tensors only.
    Plain(Box<dyn BlockOp>),
    /// It has tables, and weights that are packed first.
    Layer(Box<dyn LayerOp>),
}

impl Step {
    /// A [`BlockOp`].
    pub fn block(op: impl BlockOp + 'static) -> Result<Self> {
        Ok(Self::Block(BlockStep::Plain(Box::new(op))))
    }

    /// A [`LayerOp`].
    pub fn layer(op: impl LayerOp + 'static) -> Result<Self> {
        Ok(Self::Block(BlockStep::Layer(Box::new(op))))
    }

    /// A [`BlockSum`].
    pub fn sum(op: impl BlockSum + 'static) -> Result<Self> {
        Ok(Self::Sum(Box::new(op)))
    }

    /// A [`WholeOp`].
    pub fn whole(op: impl WholeOp + 'static) -> Result<Self> {
        Ok(Self::Whole(Box::new(op)))
    }
}

/// What an operator is made ready for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Instruction set.
    pub isa: Isa,
    /// How convolutions are summed.
    pub products: Products,
}

impl Target {
    /// The layer, where convolutions may be summed with fewer products.
    pub fn fewer(self, layer: Option<Winograd>) -> Option<Winograd> {
        layer.filter(|_| self.products == Products::Winograd)
    }
}

/// An operator of a checked program.
pub(super) trait OnCpu {
    /// Makes it ready to run: its tables, and how it is scheduled.
    fn step(self, target: Target) -> Result<Step>;
}

/// `scheduled!(Add: block)` implements [`OnCpu`] for an operator that needs no tables.
macro_rules! scheduled {
    ($operator:ty: $way:ident) => {
        impl $crate::backend::cpu::step::OnCpu for $operator {
            fn step(
                self,
                _: $crate::backend::cpu::step::Target,
            ) -> $crate::error::Result<$crate::backend::cpu::step::Step> {
                $crate::backend::cpu::step::Step::$way(self)
            }
        }
    };
}
pub(super) use scheduled;

/// Runs on some blocks of images of a chip.
pub(super) trait BlockOp: Send + Sync {
    /// Computes the outputs of the blocks at hand.
    fn run(&self, run: &mut BlockRun<'_>);
}

/// Runs on some blocks of images of a chip, with the chip's weights packed for its kernel.
pub(super) trait LayerOp: Send + Sync {
    /// How its weights are packed.
    fn packing(&self) -> &dyn Packing;

    /// Computes the outputs of the blocks at hand; `packed` is from [`Packing::pack`].
    fn run(&self, packed: &[f32], run: &mut BlockRun<'_>, space: &mut Space);
}

/// Packs weights as a kernel reads them.
pub(super) trait Packing: Send + Sync {
    /// The tensors that are packed.
    fn weights(&self) -> Vec<TensorId>;

    /// Values of one chip's packed weights.
    fn packed_len(&self) -> usize;

    /// Packs the weights of one chip into a buffer of [`Packing::packed_len`] values or more.
    fn pack(&self, memory: &Memory, chip: usize, packed: &mut [f32]);

    /// Most values that a thread needs: packed weights of a chip, and working space. 0 where
    /// they are few beside the maps.
    fn thread_values(&self) -> (usize, usize) {
        (0, 0)
    }
}

/// Sums over images: a part of every block, then the parts in order (chip, block), so that the
/// result does not depend on the number of threads.
pub(super) trait BlockSum: Send + Sync {
    /// Values of a block's part.
    fn width(&self, memory: &Memory) -> usize;

    /// The parts of the blocks at hand, one after the other.
    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]);

    /// The results, from the parts of all chips and blocks.
    fn finish(&self, memory: &mut Memory, parts: Parts<'_>);
}

/// Runs over whole tensors, parallel inside; [`Memory`] says how it reads and writes.
///
/// Sums over images, chips and blocks are made in a fixed order: parallel over what is written,
/// never over what is summed (or over parts whose number depends on shapes only).
pub(super) trait WholeOp: Send + Sync {
    /// Whether no later operator may run before it: what it reads is large and has to be gone before
    /// more is made.
    fn holds_up(&self) -> bool {
        false
    }

    /// Computes the outputs.
    fn run(&self, memory: &mut Memory, args: &RunArgs);
}
