//! Partial sums as a map of their own: what the converters of [`super::crossbar`] would see.

use std::ops::Range;

use super::block::{BlockRun, Space};
use super::crossbar::{ArrayLayer, CrossbarPlan, Sink};
use super::step::{LayerOp, OnCpu, Packing, Step, Target};
use crate::error::Result;
use crate::program::{LANES, PartialSums, Reading, TensorId};

impl OnCpu for PartialSums {
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
        Step::layer(Layer { arrays, y: self.y })
    }
}

/// Arrays whose sums are the result.
struct Layer {
    arrays: ArrayLayer,
    y: TensorId,
}

impl LayerOp for Layer {
    fn packing(&self) -> &dyn Packing {
        &self.arrays
    }

    fn run(&self, packed: &[f32], run: &mut BlockRun<'_>, space: &mut Space) {
        run.write([self.y], |run, [y]| {
            self.arrays.read(packed, run, &mut Sink::Store(y), space)
        });
    }
}

/// Sums of one row tile and read plane over a span of pixels.
pub(super) struct Store<'a> {
    /// The layer.
    pub spec: &'a Reading,
    /// Sums `[column][pixel][conversion][lane]`.
    pub sums: &'a [f32],
    /// Pixels from one column to the next.
    pub span: usize,
    /// Which pixels they are.
    pub pixels: Range<usize>,
    /// Values of a channel.
    pub map: usize,
}

impl Store<'_> {
    /// Copies the sums of some columns to their channels of a block.
    pub fn copy(&self, r: usize, p: usize, cols: Range<usize>, y: &mut [f32]) {
        let a = &self.spec.arrays;
        let conversions = self.spec.dac.conversions();
        let columns = self.sums.chunks_exact(self.span * conversions * LANES);
        for (o, sums) in cols.zip(columns) {
            let channel = ((p * a.cols + o) * a.row_tiles() + r) * conversions;
            let pixels = self
                .pixels
                .clone()
                .zip(sums.chunks_exact(conversions * LANES));
            for (pixel, sums) in pixels {
                for (t, from) in sums.chunks_exact(LANES).enumerate() {
                    let to = (channel + t) * self.map + pixel * LANES;
                    y[to..to + LANES].copy_from_slice(from);
                }
            }
        }
    }
}
