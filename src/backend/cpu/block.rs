//! A few blocks of images at a time, in their thread's arena: what operators of
//! [`Step::Block`](super::step::Step::Block) run on.
//!
//! An operator gets its maps from a [`BlockRun`]: [`BlockRun::image`] is `n` consecutive blocks of
//! an input as one slice `[block][c][h][w][lane]`, [`BlockRun::flat`] the values of a flat tensor for
//! the task's chip, and [`BlockRun::write`] lends the outputs while the inputs stay readable. Kernels
//! are plain functions on slices in the operator's file.

use super::buffer::Buffer;
use super::crossbar::Workspace;
use super::memory::Memory;
use super::plan::BlockPhase;
use super::post::{Epilogue, Quant};
use super::simd::Isa;
use crate::program::*;

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    registers: Vec<Buffer>,
    space: Space,
    /// Packed weights of the task's chip, per layer of the phase.
    pub packed: Vec<Buffer>,
}

/// Working space of kernels; the content is not kept from one operator to the next.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Strips of a convolution's input.
    pub copies: Buffer,
    /// Lines of a convolution that are pooled at once.
    pub lines: Buffer,
    /// Working space of crossbars.
    pub crossbar: Workspace,
}

impl Scratch {
    /// Makes the registers large enough for `group` blocks.
    pub fn reserve(&mut self, registers: &[usize], group: usize) {
        self.registers
            .resize_with(registers.len().max(self.registers.len()), Buffer::default);
        for (register, &n) in self.registers.iter_mut().zip(registers) {
            register.reserve(n * group);
        }
    }

    /// The arena's registers, and the kernels' working space.
    pub fn split(&mut self) -> (&mut [Buffer], &mut Space) {
        (&mut self.registers, &mut self.space)
    }
}

/// What an operator sees of the task it runs in: one chip and a few blocks.
pub(super) struct BlockRun<'a> {
    memory: &'a Memory,
    phase: &'a BlockPhase,
    chip: usize,
    first: usize,
    n: usize,
    locals: Vec<&'a mut [f32]>,
}

impl<'a> BlockRun<'a> {
    /// Blocks `first..first + n` of a chip; `locals` are the written whole tensors, then the
    /// arena's registers.
    pub fn new(
        memory: &'a Memory,
        phase: &'a BlockPhase,
        chip: usize,
        first: usize,
        n: usize,
        locals: Vec<&'a mut [f32]>,
    ) -> Self {
        Self {
            memory,
            phase,
            chip,
            first,
            n,
            locals,
        }
    }

    /// Lanes that hold an image in the `i`-th of these blocks.
    pub fn lanes(&self, i: usize) -> usize {
        self.memory.lanes(self.first + i)
    }

    /// Instruction set of kernels.
    pub fn isa(&self) -> Isa {
        self.memory.isa()
    }

    /// An epilogue with its tensors found.
    pub fn epilogue(&self, post: &Post) -> Epilogue<'_> {
        Epilogue {
            scale: post.scale.map(|t| self.flat(t)),
            shift: post.shift.map(|t| self.flat(t)),
            residual: post.residual.map(|t| self.image(t)),
            act: post.act,
            quant: post.quant.map(|q| self.quant(&q)),
        }
    }

    /// A quantizer with its step found.
    pub fn quant(&self, q: &ActQuant) -> Quant {
        Quant {
            step: self.flat(q.scale)[0],
            lo: q.lo as f32,
            hi: q.hi as f32,
            rounding: q.rounding,
        }
    }

    /// The task's chip, by its position in the wave.
    pub fn chip(&self) -> usize {
        self.chip
    }

    /// Arguments of the run.
    pub fn args(&self) -> &RunArgs {
        self.memory.args()
    }

    /// Images of the run.
    pub fn images(&self) -> usize {
        self.memory.images()
    }

    /// First image of every block at hand.
    pub fn first_images(&self) -> impl Iterator<Item = usize> {
        let first = self.args().images.start + self.first * LANES;
        (0..self.n).map(move |i| first + i * LANES)
    }

    /// Chips that a tensor has a slab for in this run.
    pub fn chips_of(&self, t: TensorId) -> usize {
        self.memory.chips_of(t)
    }

    /// Logical shape.
    pub fn shape(&self, t: TensorId) -> Shape {
        self.memory.shape(t)
    }

    /// Values of a block of a map.
    pub fn block_len(&self, t: TensorId) -> usize {
        self.memory.shape(t).len() * LANES
    }

    /// Values of a flat tensor for this chip.
    pub fn flat(&self, t: TensorId) -> &[f32] {
        self.memory.flat(t, self.chip)
    }

    /// All blocks of a map, `[block][c][h][w][lane]`.
    pub fn image(&self, t: TensorId) -> &[f32] {
        match self.phase.local[t.index()] {
            Some(i) => &self.locals[i][..self.n * self.block_len(t)],
            None => self.memory.image(t, self.chip, self.first, self.n),
        }
    }

    /// The blocks of a map one by one, with the number of their lanes that hold an image.
    pub fn blocks(&self, t: TensorId) -> impl Iterator<Item = (usize, &[f32])> {
        let blocks = self.image(t).chunks_exact(self.block_len(t)).enumerate();
        blocks.map(|(i, block)| (self.lanes(i), block))
    }

    /// Lends the outputs, all blocks of each, while inputs stay readable.
    pub fn write<const N: usize>(
        &mut self,
        outs: [TensorId; N],
        f: impl FnOnce(&Self, [&mut [f32]; N]),
    ) {
        // Every written map of a block phase has a local: the plan sees to it.
        let index = outs.map(|t| self.phase.local[t.index()].unwrap_or(usize::MAX));
        let lens = outs.map(|t| self.n * self.block_len(t));
        let mut lent = index.map(|i| std::mem::take(&mut self.locals[i]));
        let mut k = 0;
        let views = lent.each_mut().map(|l| {
            k += 1;
            &mut l[..lens[k - 1]]
        });
        f(self, views);
        for (i, l) in index.into_iter().zip(lent) {
            self.locals[i] = l;
        }
    }
}
