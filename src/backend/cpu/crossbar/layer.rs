//! [`Crossbar`] with its tables, and what it shares with
//! [`PartialSums`](crate::program::PartialSums).

use super::{Converters, CrossbarPlan, Events, Operands, Output, Sink, thread_values};
use crate::backend::cpu::block::{BlockRun, Space};
use crate::backend::cpu::memory::Memory;
use crate::backend::cpu::step::{LayerOp, OnCpu, Packing, Step, Target};
use crate::error::Result;
use crate::program::{ConvGeometry, Crossbar, TensorId};

/// The arrays of a layer, their tables and what drives them.
pub(in crate::backend::cpu) struct ArrayLayer {
    /// Tables.
    pub plan: CrossbarPlan,
    /// Geometry.
    pub geo: ConvGeometry,
    /// Input map.
    pub x: TensorId,
    /// Its step.
    pub x_step: TensorId,
    /// Read planes.
    pub g: TensorId,
    /// Variances of read noise.
    pub variance: Option<TensorId>,
}

impl Packing for ArrayLayer {
    fn weights(&self) -> Vec<TensorId> {
        [Some(self.g), self.variance]
            .into_iter()
            .flatten()
            .collect()
    }

    fn packed_len(&self) -> usize {
        self.plan.packed_len()
    }

    fn pack(&self, memory: &Memory, chip: usize, packed: &mut [f32]) {
        let variance = self.variance.map(|t| memory.flat(t, chip));
        let g = memory.planes(self.g, chip);
        self.plan.pack(memory.isa(), g, variance, packed);
    }

    fn thread_values(&self) -> (usize, usize) {
        thread_values(&self.geo, &self.plan.spec, self.variance.is_some())
    }
}

impl ArrayLayer {
    /// Reads the blocks at hand.
    pub fn read(&self, packed: &[f32], run: &BlockRun<'_>, sink: &mut Sink<'_>, space: &mut Space) {
        let operands = Operands {
            x: run.image(self.x),
            x_step: run.flat(self.x_step)[0],
            packed,
            variance: self.variance.map(|t| run.flat(t)),
        };
        let pixels = self.geo.h_out() * self.geo.w_out();
        let (spec, args, chip) = (&self.plan.spec, run.args(), run.chip());
        let events = run.first_images();
        let events = events.map(|image| Events::new(spec, pixels, args, chip, image));
        let events: Vec<_> = events.collect();
        let space = &mut space.crossbar;
        self.plan.run(run.isa(), &operands, &events, sink, space);
    }
}

impl OnCpu for Crossbar {
    fn step(self, target: Target) -> Result<Step> {
        let plan = CrossbarPlan::new(target.isa, &self.geo, &self.spec, self.variance.is_some())?;
        let arrays = ArrayLayer {
            plan,
            geo: self.geo,
            x: self.x,
            x_step: self.x_step,
            g: self.g,
            variance: self.variance,
        };
        Step::layer(Layer { op: self, arrays })
    }
}

/// Arrays with converters.
struct Layer {
    op: Crossbar,
    arrays: ArrayLayer,
}

impl Layer {
    fn convert(
        &self,
        packed: &[f32],
        run: &BlockRun<'_>,
        y: &mut [f32],
        told: Option<&mut [f32]>,
        space: &mut Space,
    ) {
        let output = Output {
            converters: Converters {
                adc: self.op.adc.map(|t| run.flat(t)),
                range: self.op.range.map(|t| run.flat(t)),
                correct: self.op.correct.map(|t| run.flat(t)),
            },
            w_step: run.flat(self.op.w_step),
            y,
            told,
            slopes: self.op.slope.is_some(),
            epilogue: run.epilogue(&self.op.post),
        };
        self.arrays
            .read(packed, run, &mut Sink::Convert(output), space);
    }
}

impl LayerOp for Layer {
    fn packing(&self) -> &dyn Packing {
        &self.arrays
    }

    fn run(&self, packed: &[f32], run: &mut BlockRun<'_>, space: &mut Space) {
        let y = self.op.y;
        match self.op.clipped.or(self.op.slope) {
            Some(told) => run.write([y, told], |run, [y, told]| {
                self.convert(packed, run, y, Some(told), space)
            }),
            None => run.write([y], |run, [y]| self.convert(packed, run, y, None, space)),
        }
    }
}
