//! Operators that run on a few blocks of images at a time, in their thread's arena.
//!
//! An arm of [`run_block_op`] gets its maps from a [`BlockRun`]: [`BlockRun::image`] is `n`
//! consecutive blocks of an input as one slice `[block][c][h][w][lane]`, [`BlockRun::flat`] the
//! values of a flat tensor for the task's chip, and [`BlockRun::write`] lends the outputs while
//! the inputs stay readable. Kernels are plain functions on slices in a file of the operator's
//! name.

use super::activation_grad::ActivationGrad;
use super::batch_norm;
use super::buffer::Buffer;
use super::conv2d::{ConvPlan, PLAIN};
use super::crossbar::{Converters, CrossbarPlan, Events, Operands, Output, Sink, Workspace};
use super::layer::LayerPlan;
use super::max_pool::Window;
use super::memory::Memory;
use super::plan::BlockPhase;
use super::post::{Epilogue, Quant};
use super::rearrange::Rearrange;
use super::simd::Isa;
use super::softmax_xent::SoftmaxXent;
use super::{add, avg_pool, binarize_act, max_pool, multiply, pointwise, quantize_act, softmax};
use crate::error::{Error, Result};
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
    copies: Buffer,
    /// Working space of crossbars.
    crossbar: Workspace,
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
    fn epilogue(&self, post: &Post) -> Epilogue<'_> {
        Epilogue {
            scale: post.scale.map(|t| self.flat(t)),
            shift: post.shift.map(|t| self.flat(t)),
            residual: post.residual.map(|t| self.image(t)),
            act: post.act,
            quant: post.quant.map(|q| Quant {
                step: self.flat(q.scale)[0],
                lo: q.lo as f32,
                hi: q.hi as f32,
                rounding: q.rounding,
            }),
        }
    }

    /// What a crossbar reads.
    fn operands<'b>(
        &'b self,
        x: TensorId,
        x_step: TensorId,
        variance: Option<TensorId>,
        packed: &'b [f32],
    ) -> Operands<'b> {
        Operands {
            x: self.image(x),
            x_step: self.flat(x_step)[0],
            packed,
            variance: variance.map(|t| self.flat(t)),
        }
    }

    /// Deviates of every block, for an output map of `pixels` pixels.
    fn events<'b>(&self, spec: &'b Reading, pixels: usize) -> Vec<Events<'b>> {
        let args = self.memory.args();
        let image = |i| args.images.start + (self.first + i) * LANES;
        (0..self.n)
            .map(|i| Events::new(spec, pixels, args, self.chip, image(i)))
            .collect()
    }

    /// Pooling windows over a map.
    fn window(&self, x: TensorId, geo: PoolGeometry) -> Window {
        let (_, h, w) = self.shape(x).chw();
        Window { geo, h, w }
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

/// A layer's tables and the packed weights of the task's chip.
#[derive(Clone, Copy)]
pub(super) struct PackedLayer<'a> {
    /// Tables.
    pub plan: &'a LayerPlan,
    /// Weights.
    pub weights: &'a [f32],
}

impl<'a> PackedLayer<'a> {
    fn conv(layer: Option<Self>, op: &Op) -> Result<(&'a ConvPlan, &'a [f32])> {
        let found = layer.and_then(|l| Some((l.plan.conv()?, l.weights)));
        found.ok_or_else(|| missing(op))
    }

    fn crossbar(layer: Option<Self>, op: &Op) -> Result<(&'a CrossbarPlan, &'a [f32])> {
        let found = layer.and_then(|l| Some((l.plan.crossbar()?, l.weights)));
        found.ok_or_else(|| missing(op))
    }
}

/// Runs one block-local operator. `layer` is given for those with packed weights.
pub(super) fn run_block_op(
    op: &Op,
    layer: Option<PackedLayer>,
    run: &mut BlockRun,
    space: &mut Space,
) -> Result<()> {
    let isa = run.isa();
    match *op {
        Op::Conv2d { x, y, ref post, .. } => {
            let (plan, w) = PackedLayer::conv(layer, op)?;
            run.write([y], |run, [y]| {
                let epilogue = run.epilogue(post);
                plan.run(isa, w, run.image(x), y, &epilogue, &mut space.copies);
            });
        }
        Op::Conv2dGradInput { dy, dx, .. } => {
            let (plan, w) = PackedLayer::conv(layer, op)?;
            run.write([dx], |run, [dx]| {
                plan.run(isa, w, run.image(dy), dx, &PLAIN, &mut space.copies);
            });
        }
        Op::Crossbar {
            x,
            x_step,
            variance,
            w_step,
            adc,
            range,
            correct,
            y,
            clipped,
            ref post,
            ref spec,
            ..
        } => {
            let (plan, packed) = PackedLayer::crossbar(layer, op)?;
            let space = &mut space.crossbar;
            let mut all = |run: &BlockRun, y: &mut [f32], clipped: Option<&mut [f32]>| {
                let mut sink = Sink::Convert(Output {
                    converters: Converters {
                        adc: adc.map(|t| run.flat(t)),
                        range: range.map(|t| run.flat(t)),
                        correct: correct.map(|t| run.flat(t)),
                    },
                    w_step: run.flat(w_step),
                    y,
                    clipped,
                    epilogue: run.epilogue(post),
                });
                let operands = run.operands(x, x_step, variance, packed);
                let events = run.events(spec, y_pixels(run, op));
                plan.run(isa, &operands, &events, &mut sink, space);
            };
            match clipped {
                Some(c) => run.write([y, c], |run, [y, c]| all(run, y, Some(c))),
                None => run.write([y], |run, [y]| all(run, y, None)),
            }
        }
        Op::PartialSums {
            x,
            x_step,
            variance,
            y,
            ref spec,
            ..
        } => {
            let (plan, packed) = PackedLayer::crossbar(layer, op)?;
            let space = &mut space.crossbar;
            run.write([y], |run, [y]| {
                let operands = run.operands(x, x_step, variance, packed);
                let events = run.events(spec, y_pixels(run, op));
                plan.run(isa, &operands, &events, &mut Sink::Store(y), space);
            });
        }
        Op::Pointwise { x, y, ref post } => {
            let (c, h, w) = run.shape(x).chw();
            run.write([y], |run, [y]| {
                pointwise::pointwise(isa, run.image(x), y, c, h * w, &run.epilogue(post));
            });
        }
        Op::ActivationGrad {
            y,
            dy,
            dx,
            act,
            scale,
        } => {
            let (channels, h, w) = run.shape(y).chw();
            run.write([dx], |run, [dx]| {
                ActivationGrad {
                    y: run.image(y),
                    dy: run.image(dy),
                    dx,
                    act,
                    scale: scale.map(|s| run.flat(s)),
                    channels,
                    pixels: h * w,
                }
                .compute(isa);
            });
        }
        Op::Add { a, b, y } => run.write([y], |run, [y]| add::add(run.image(a), run.image(b), y)),
        Op::Multiply { a, b, y } => {
            let (_, h, w) = run.shape(a).chw();
            let by_channel = run.shape(b) != run.shape(a);
            run.write([y], |run, [y]| {
                let (a, b) = (run.image(a), run.image(b));
                match by_channel {
                    true => multiply::by_channel(a, b, h * w, y),
                    false => multiply::multiply(a, b, y),
                }
            });
        }
        Op::Softmax { x, y } => {
            let (c, h, w) = run.shape(x).chw();
            run.write([y], |run, [y]| {
                softmax::softmax(isa, run.image(x), y, c, h * w)
            });
        }
        Op::Rearrange {
            x,
            y,
            first,
            ref table,
            fill,
        } => {
            let rearrange = Rearrange {
                table,
                first,
                fill,
                from: run.shape(x).len(),
                to: run.shape(y).len(),
            };
            run.write([y], |run, [y]| rearrange.copy(run.image(x), y));
        }
        Op::MaxPool { x, y, geo } => {
            let window = run.window(x, geo);
            run.write([y], |run, [y]| {
                max_pool::forward(isa, window, run.image(x), y)
            });
        }
        Op::MaxPoolGrad { x, y, dy, dx, geo } => {
            let window = run.window(x, geo);
            run.write([dx], |run, [dx]| {
                let (x, y, dy) = (run.image(x), run.image(y), run.image(dy));
                max_pool::backward(isa, window, x, y, dy, dx);
            });
        }
        Op::AvgPool { x, y, geo } => {
            let window = run.window(x, geo);
            run.write([y], |run, [y]| {
                avg_pool::forward(isa, window, run.image(x), y)
            });
        }
        Op::AvgPoolGrad { dy, dx, geo } => {
            let window = run.window(dx, geo);
            run.write([dx], |run, [dx]| {
                avg_pool::backward(isa, window, run.image(dy), dx)
            });
        }
        Op::BatchNormGrad {
            x,
            mean,
            var,
            gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        } => {
            let (channels, h, w) = run.shape(x).chw();
            let chips = run.memory.chips_of(x).max(run.memory.chips_of(dy));
            run.write([dx], |run, [dx]| {
                let grad = batch_norm::Grad {
                    mean: run.flat(mean),
                    var: run.flat(var),
                    gamma: run.flat(gamma),
                    dgamma: run.flat(dgamma),
                    dbeta: run.flat(dbeta),
                    eps,
                    count: (h * w * run.memory.images() * chips) as f32,
                };
                let block = channels * h * w * LANES;
                let maps = run
                    .image(x)
                    .chunks_exact(block)
                    .zip(run.image(dy).chunks_exact(block));
                for (i, (dx, (x, dy))) in dx.chunks_exact_mut(block).zip(maps).enumerate() {
                    grad.input(x, dy, run.lanes(i), dx);
                }
            });
        }
        Op::SoftmaxXent {
            logits,
            labels,
            loss,
            hit,
            dlogits,
            smoothing,
        } => {
            let weight = 1.0 / (run.memory.images() * run.memory.chips_of(logits)) as f32;
            let block = run.block_len(logits);
            let all = |run: &BlockRun, loss: &mut [f32], hit: &mut [f32], dz: &mut [f32]| {
                let maps = loss
                    .chunks_exact_mut(LANES)
                    .zip(hit.chunks_exact_mut(LANES));
                let mut dz = dz.chunks_exact_mut(block);
                for (i, (loss, hit)) in maps.enumerate() {
                    SoftmaxXent {
                        logits: &run.image(logits)[i * block..][..block],
                        labels: &run.image(labels)[i * LANES..][..LANES],
                        images: run.lanes(i),
                        smoothing,
                        weight,
                        loss,
                        hit,
                        dlogits: dz.next().unwrap_or_default(),
                    }
                    .compute(isa);
                }
            };
            match dlogits {
                Some(d) => run.write([loss, hit, d], |run, [l, h, d]| all(run, l, h, d)),
                None => run.write([loss, hit], |run, [l, h]| all(run, l, h, &mut [])),
            }
        }

        // -- activation quantizers
        Op::QuantizeAct { x, y, quant } => {
            run.write([y], |run, [y]| {
                quantize_act::forward(run.image(x), run.flat(quant.scale)[0], &quant, y)
            });
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
        }
        Op::BinarizeAct { x, y, group } => {
            let (c, h, w) = run.shape(x).chw();
            run.write([y], |run, [y]| {
                binarize_act::forward(run.image(x), h * w, c * h * w, group, y)
            });
        }
        Op::BinarizeActGrad { x, dy, dx } => {
            run.write([dx], |run, [dx]| {
                binarize_act::grad(run.image(x), run.image(dy), dx)
            });
        }
        _ => return Err(missing(op)),
    }
    Ok(())
}

/// Pixels of the operator's output.
fn y_pixels(run: &BlockRun, op: &Op) -> usize {
    let (_, h, w) = run.shape(op.writes()[0]).chw();
    h * w
}

/// An operator that is in the wrong list.
pub(super) fn missing(op: &Op) -> Error {
    Error::Internal(format!("operator {} is not built yet", op.name()))
}
