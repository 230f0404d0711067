//! What wires make of cells: `shaders/ir_drop.wgsl`, `shaders/ir_drop_separate.wgsl`, and for
//! planes kept in halves `shaders/ir_drop_halves.wgsl`.

use std::sync::Arc;

use super::dispatch::{Dispatch, GROUP, LowerContext, OnGpu, Operand, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{Arrays, Encoding, IrDrop, TensorId, Topology, Wires};

/// Most sweeps where the direct solution is asked for: the iteration settles long before unless the
/// wires take nearly all of the voltage.
const MOST_SWEEPS: u32 = 1000;

/// Largest change of a voltage (of 1) in a sweep that ends the iteration then: half a unit in the
/// last place.
const SETTLED: f32 = f32::EPSILON * 0.5;

/// Rounds of a thread's loops that a call takes at most on any adapter: those of a workgroup follow each other, and
/// no card goes fewer than some hundred thousand of them in the time that a submission may take.
const CALL_ROUNDS: u64 = 60_000;

/// Segments of the kernels' state.
const SEGMENTS: usize = 5;

/// State of one chip that the kernel may use to work on several inputs of an array at once, values.
const CHIP_STATE: usize = 1 << 20;

uniform! {
    /// Twin of `Params` in `shaders/ir_drop.wgsl` and `shaders/ir_drop_separate.wgsl`.
    struct Params {
        g: View,
        out: View,
        rows: u32,
        cols: u32,
        row_tiles: u32,
        col_tiles: u32,
        planes: u32,
        poles: u32,
        slots: u32,
        segment: u32,
        row: f32,
        col: f32,
        driver: f32,
        end: f32,
        sweeps: u32,
        settled: f32,
        activity: f32,
        turns: u32,
        first: u32,
        count: u32,
        begins: u32,
        ends: u32,
    }
}

/// Rounds of a thread's loops for one item of a call, and for one of its sweeps.
#[derive(Debug, Clone, Copy)]
struct Rounds {
    item: u64,
    sweep: u64,
}

impl Rounds {
    /// `inputs` and `outputs`: of the longest tiles.
    fn new(topology: Topology, inputs: usize, outputs: usize) -> Self {
        // Four nodes a round, then those that are left.
        let along = |n: usize| (n / 4 + n % 4) as u64;
        match topology {
            Topology::InputSource => {
                let lines = |n: usize| n.div_ceil(GROUP as usize) as u64;
                let output = |passes: u64| lines(outputs) * (passes * along(inputs) + 1);
                let input = |passes: u64| lines(inputs) * (passes * along(outputs) + 1);
                Self {
                    // Dividers and the drive, the last solution and the currents.
                    item: 1 + output(1) + input(1) + output(1) + output(3),
                    sweep: 1 + output(2) + input(2),
                }
            }
            Topology::SeparateSource => Self {
                // Dividers and the last solution; the drive and the currents, a node a round.
                item: 1 + 4 * along(inputs) + 2 * inputs as u64,
                sweep: 1 + 4 * along(inputs),
            },
        }
    }
}

/// What one call does: items, sweeps, whether it begins and whether it ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    first: u32,
    count: u32,
    sweeps: u32,
    begins: bool,
    ends: bool,
    rounds: u64,
}

/// Cuts `items` of so many sweeps into calls of at most `most` rounds: several items a call where those
/// fit, else some sweeps of one. What takes even more is left to whoever asks whether it fits.
fn calls(items: u32, sweeps: u32, rounds: Rounds, most: u64) -> Vec<Call> {
    let whole = rounds.item + u64::from(sweeps) * rounds.sweep;
    if whole <= most {
        let together = (most / whole).min(u64::from(items)) as u32;
        return (0..items)
            .step_by(together as usize)
            .map(|first| {
                let count = together.min(items - first);
                Call {
                    first,
                    count,
                    sweeps,
                    begins: true,
                    ends: true,
                    rounds: u64::from(count) * whole,
                }
            })
            .collect();
    }
    let share = (most.saturating_sub(rounds.item) / rounds.sweep).max(1) as u32;
    (0..items)
        .flat_map(|first| {
            (0..sweeps).step_by(share as usize).map(move |done| {
                let now = share.min(sweeps - done);
                Call {
                    first,
                    count: 1,
                    sweeps: now,
                    begins: done == 0,
                    ends: done + now == sweeps,
                    rounds: rounds.item + u64::from(now) * rounds.sweep,
                }
            })
        })
        .collect()
}

/// Longest tile.
fn longest(cuts: &[u32]) -> usize {
    let lengths = cuts.windows(2).map(|w| (w[1] - w[0]) as usize);
    lengths.max().unwrap_or(0)
}

/// Cells that one read takes the difference of.
fn poles(arrays: &Arrays) -> u32 {
    match arrays.encoding {
        Encoding::Differential { digital: false, .. } => 2,
        _ => 1,
    }
}

/// Row tiles, column tiles, level units of the read planes.
fn table(arrays: &Arrays) -> Arc<[u32]> {
    let units = (0..arrays.read_planes()).map(|p| arrays.level_units(arrays.slice_of(p)).to_bits());
    let cuts = [&arrays.tile_rows, &arrays.tile_cols];
    let cuts = cuts.into_iter().flat_map(|cuts| cuts.iter().copied());
    cuts.chain(units).collect()
}

uniform! {
    /// Twin of `Params` in `shaders/ir_drop_halves.wgsl`.
    struct HalvesParams {
        x: View,
        out: View,
    }
}

/// Read planes before they are rounded to halves.
struct FloatPlanes {
    view: View,
    operand: Operand,
}

impl FloatPlanes {
    fn new(out: TensorId, cx: &LowerContext<'_>) -> Self {
        let slab = cx.shape(out).len().next_multiple_of(4);
        let view = View {
            chip_stride: if cx.per_chip(out) { slab as u32 } else { 0 },
            ..cx.view(out)
        };
        let operand = Operand::Scratch {
            index: 1,
            floats: (slab * cx.slabs(out)) as u64,
        };
        Self { view, operand }
    }

    /// One thread four values.
    fn round(&self, out: TensorId, cx: &LowerContext<'_>) -> Dispatch {
        let params = HalvesParams {
            x: self.view,
            out: cx.view(out),
        };
        let work = Work::flat(cx.shape(out).len().div_ceil(4)).per_chip(cx.per_chip(out));
        Dispatch::new("ir_drop_halves", work)
            .params(&params)
            .read(self.operand)
            .write(out)
    }
}

/// How the work of a chip is cut: one workgroup some inputs of an array, or one thread an output line.
struct Cut {
    shader: &'static str,
    /// Inputs of an array that are solved at a time, and how often until all are.
    slots: usize,
    turns: usize,
    /// Segments of a part.
    segment: usize,
    /// Values of a chip's parts: their segments and last changes.
    state: usize,
    work: Work,
}

impl Cut {
    /// For arrays whose longest tile has so many inputs and outputs.
    fn new(arrays: &Arrays, topology: Topology, inputs: usize, outputs: usize) -> Self {
        match topology {
            Topology::InputSource => {
                let reads = arrays.row_tiles() * arrays.col_tiles() * arrays.read_planes();
                let segment = inputs * outputs;
                let fit = CHIP_STATE / (SEGMENTS * segment * reads).max(1);
                let slots = fit.clamp(1, inputs);
                Self {
                    shader: "ir_drop",
                    slots,
                    turns: inputs.div_ceil(slots),
                    segment,
                    state: (SEGMENTS * segment + 1) * reads * slots,
                    work: Work::groups(reads * slots),
                }
            }
            Topology::SeparateSource => {
                let lines = arrays.converters();
                let segment = arrays.read_planes() * arrays.plane_len();
                Self {
                    shader: "ir_drop_separate",
                    slots: 1,
                    turns: 1,
                    segment,
                    state: SEGMENTS * segment + lines,
                    work: Work::flat(lines),
                }
            }
        }
    }
}

impl OnGpu for IrDrop {
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { g, out, spec } = self;
        let Wires {
            arrays, topology, ..
        } = spec;
        let (inputs, outputs) = (longest(&arrays.tile_rows), longest(&arrays.tile_cols));
        let per_chip = cx.per_chip(*out);
        let Cut {
            shader,
            slots,
            turns,
            segment,
            state,
            work,
        } = Cut::new(arrays, *topology, inputs, outputs);
        let (sweeps, settled) = match spec.sweeps {
            0 => (MOST_SWEEPS, SETTLED),
            // Nothing settles below 0.
            sweeps => (sweeps, -1.0),
        };
        let params = Params {
            g: cx.view(*g),
            out: cx.view(*out),
            rows: arrays.rows as u32,
            cols: arrays.cols as u32,
            row_tiles: arrays.row_tiles() as u32,
            col_tiles: arrays.col_tiles() as u32,
            planes: arrays.read_planes() as u32,
            poles: poles(arrays),
            slots: slots as u32,
            segment: segment as u32,
            row: spec.row,
            col: spec.col,
            driver: spec.row + spec.row_terminal,
            end: spec.col + spec.col_terminal,
            sweeps,
            settled,
            activity: spec.activity,
            turns: turns as u32,
            ..Params::default()
        };
        let state = Operand::Scratch {
            index: 0,
            floats: (state * cx.slabs(*out)) as u64,
        };
        // Neighbours of a word come from different threads, and the second of two cells is subtracted
        // from the first: floats first, then halves.
        let floats = cx.halves(*out).then(|| FloatPlanes::new(*out, cx));
        let params = Params {
            out: floats.as_ref().map_or(params.out, |f| f.view),
            ..params
        };
        let to = floats.as_ref().map_or((*out).into(), |f| f.operand);
        let rounds = Rounds::new(*topology, inputs, outputs);
        let table = table(arrays);
        let most = cx.rounds.min(CALL_ROUNDS);
        let solve = calls(params.poles * params.turns, sweeps, rounds, most)
            .into_iter()
            .map(|call| {
                let params = Params {
                    first: call.first,
                    count: call.count,
                    sweeps: call.sweeps,
                    begins: u32::from(call.begins),
                    ends: u32::from(call.ends),
                    ..params
                };
                Dispatch::new(shader, work.per_chip(per_chip))
                    .params(&params)
                    .rounds(call.rounds)
                    .read(*g)
                    .table(&table)
                    .write(state)
                    .write(to)
            });
        let round = floats.map(|f| f.round(*out, cx));
        Ok(solve.chain(round).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_is_cut_into_calls() {
        let rounds = Rounds {
            item: 10,
            sweep: 20,
        };
        // 210 rounds an item: four items a call, the last three.
        let cut = calls(7, 10, rounds, 1000);
        assert_eq!(cut.len(), 2);
        assert_eq!((cut[0].first, cut[0].count, cut[0].rounds), (0, 4, 840));
        assert_eq!((cut[1].first, cut[1].count), (4, 3));
        assert!(cut.iter().all(|c| c.begins && c.ends && c.sweeps == 10));
        // Four sweeps a call, the last two, for each item.
        let cut = calls(2, 10, rounds, 100);
        let item: Vec<_> = cut[..3]
            .iter()
            .map(|c| (c.sweeps, c.begins, c.ends))
            .collect();
        assert_eq!(
            item,
            [(4, true, false), (4, false, false), (2, false, true)]
        );
        assert!(cut.iter().all(|c| c.count == 1 && c.rounds <= 100));
        assert_eq!((cut.len(), cut[3].first), (6, 1));
        // Without a limit all at once; beyond every limit the plan refuses it.
        assert_eq!(calls(7, 10, rounds, u64::MAX).len(), 1);
        assert!(calls(1, 1, rounds, 15)[0].rounds > 15);
    }
}
