//! Operators that run on a few blocks of images at a time, in their thread's arena.
//!
//! An arm of [`run_block_op`] gets its maps from a [`BlockRun`]: [`BlockRun::image`] is `n`
//! consecutive blocks of an input as one slice `[block][c][h][w][lane]`, [`BlockRun::flat`] the
//! values of a flat tensor for the task's chip, and [`BlockRun::write`] lends the outputs while
//! the inputs stay readable. Kernels are plain functions on slices in a file of the operator's
//! name.

use super::memory::Memory;
use super::plan::BlockPhase;
use super::{add, binarize_act, quantize_act};
use crate::backend::program::*;
use crate::error::{Error, Result};

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    registers: Vec<Vec<f32>>,
    buffers: Buffers,
}

/// Working space of kernels; the content is not kept from one operator to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers {}

impl Scratch {
    /// Makes the registers large enough for `group` blocks.
    pub fn reserve(&mut self, registers: &[usize], group: usize) {
        self.registers
            .resize_with(registers.len().max(self.registers.len()), Vec::new);
        for (register, &n) in self.registers.iter_mut().zip(registers) {
            if register.len() < n * group {
                register.resize(n * group, 0.0);
            }
        }
    }

    /// The arena's registers and the kernels' working space.
    pub fn split(&mut self) -> (&mut [Vec<f32>], &mut Buffers) {
        (&mut self.registers, &mut self.buffers)
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

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.n
    }

    /// Lanes that hold an image in the `i`-th of these blocks.
    pub fn lanes(&self, i: usize) -> usize {
        self.memory.lanes(self.first + i)
    }

    /// Chips and images of the whole run (the mean's denominator).
    pub fn run_size(&self) -> (usize, usize) {
        (self.memory.chips(), self.memory.images())
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

/// Runs one block-local operator.
pub(super) fn run_block_op(op: &Op, run: &mut BlockRun, _buffers: &mut Buffers) -> Result<()> {
    match *op {
        // -- convolution, pools, element-wise, loss (cpu) --
        Op::Add { a, b, y } => {
            run.write([y], |run, [y]| add::add(run.image(a), run.image(b), y));
            Ok(())
        }

        // -- activation quantizers
        Op::QuantizeAct { x, y, quant } => {
            run.write([y], |run, [y]| {
                quantize_act::forward(run.image(x), run.flat(quant.scale)[0], &quant, y)
            });
            Ok(())
        }
        Op::QuantizeActGrad {
            x,
            dy,
            dx,
            dscale: None,
            quant,
            ste,
        } => {
            run.write([dx], |run, [dx]| {
                let d = run.flat(quant.scale)[0];
                quantize_act::grad(run.image(x), d, run.image(dy), &quant, ste, dx)
            });
            Ok(())
        }
        Op::BinarizeAct { x, y, group } => {
            let (c, h, w) = run.shape(x).chw();
            run.write([y], |run, [y]| {
                binarize_act::forward(run.image(x), h * w, c * h * w, group, y)
            });
            Ok(())
        }
        Op::BinarizeActGrad { x, dy, dx } => {
            run.write([dx], |run, [dx]| {
                binarize_act::grad(run.image(x), run.image(dy), dx)
            });
            Ok(())
        }
        _ => {
            let _ = (run.blocks(), run.lanes(0), run.run_size());
            Err(missing(op))
        }
    }
}

/// An operator that is in the wrong list.
pub(super) fn missing(op: &Op) -> Error {
    Error::Internal(format!("operator {} is not built yet", op.name()))
}
