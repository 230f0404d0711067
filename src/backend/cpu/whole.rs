//! Operators over whole tensors, one after the other, each parallel inside. See
//! [`Memory`](super::Memory) for how they read and write.
//!
//! Sums over images, chips and blocks are made in a fixed order: parallel over what is written,
//! never over what is summed (or over parts whose number depends on shapes only).

use super::block::missing;
use super::memory::Memory;
use super::tally;
use crate::backend::program::*;
use crate::error::Result;

/// Runs one operator that is not block-local.
pub(super) fn run_whole_op(op: &Op, memory: &mut Memory, args: &RunArgs) -> Result<()> {
    let _ = (&memory, args);
    match *op {
        // -- weights (param): e.g.
        // Op::QuantizeWeight { w, scale, q, bits } => {
        //     memory.each_chip([q], |m, chip, [q]| quantize_weight::forward(m.flat(w, chip), m.flat(scale, chip), bits, q));
        // }
        // Op::WeightScale, Op::QuantizeWeight, Op::QuantizeWeightGrad
        // Op::Fabricate (chip index = args.first_chip + chip), Op::FabricateGrad

        // -- batch norm (param): Op::BatchNormStats, Op::BatchNormFold, Op::BatchNormGrad
        // sums: each_chip over the flat outputs, then `for chip in 0..m.chips_of(x)`,
        // `for block in 0..m.blocks()`, m.block(x, chip, block), lanes below m.lanes(block);
        // dx: each_block([dx], |m, chip, block, [dx]| ..)

        // -- calibration (param): Op::MaxAbs, Op::Lerp, Op::QuantizeActGrad { dscale: Some }

        // -- optimizers (param): Op::Zero, Op::Sgd, Op::Adam

        // -- gradients of convolutions, sums, tally (cpu)
        Op::Tally { hit, loss, tally } => {
            memory.each_chip([tally], |m, chip, [tally]| {
                tally::accumulate(m, hit, loss, chip, tally)
            });
            Ok(())
        }
        _ => Err(missing(op)),
    }
}
