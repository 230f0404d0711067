//! Crossbar arrays by cooperative matrices (tensor cores): `shaders/crossbar_drives.wgsl`,
//! `crossbar_coop_rows.wgsl` and `crossbar_coop_pack.wgsl`, then `shaders/shared/crossbar_coop.wgsl` for the
//! adapter's matrices.
//!
//! Drives are digits, or whole codes where steps are added up before the conversion: exact in halves. A
//! conductance is the sum of two halves as a weight is ([`super::conv2d_coop`]), of which it loses at most
//! `2^-23` and `2^-27` of the largest of its column and plane; one that is kept in halves is one half, and
//! loses the latter only. Sums over the `k` rows of a row tile are rounded, or cut, at most `2 k` times:
//!
//! ```text
//! |v - sum g d| <= (2 k + 2) 2^-23 sum |g d| + 2^-27 max|g| sum |d|
//! ```
//!
//! Where conductances are whole numbers, as without any error, sums are exact. Read noise, drives of a
//! table and counts of clipped conversions are left to other kernels.

use std::sync::Arc;

use super::conv2d_coop::{ENOUGH, MOST_FILL};
use super::cooperative::Matrices;
use super::dispatch::{Dispatch, LowerContext, Operand, View, Work};
use super::reading::{self, Inputs, Padded, Prepared};
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::program::{Crossbar, InputSigns, LANES};

/// Most conversions of one pass over the rows: eight sums in matrices.
const MOST_STEPS: usize = 4;

/// Matrices of images of a workgroup.
const PAIR: usize = 2;

uniform! {
    /// Twin of `Params` in `shaders/crossbar_drives.wgsl`.
    struct DrivesParams {
        x: View,
        block_words: u32,
        chip_words: u32,
        words: u32,
        h: u32,
        w: u32,
        channels: u32,
        h_in: u32,
        w_in: u32,
        top: u32,
        left: u32,
        lo: f32,
        hi: f32,
        mask: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_coop_rows.wgsl`.
    struct RowsParams {
        g: View,
        rows: u32,
        columns: u32,
        cells: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_coop_pack.wgsl`.
    struct PackParams {
        g: View,
        words: u32,
        side: u32,
        matrices: u32,
        steps: u32,
        planes: u32,
        cells: u32,
        group_out: u32,
        cols: u32,
        rows: u32,
        taps: u32,
        factor_chip: u32,
    }
}

uniform! {
    /// Twin of `Matrices` in `shaders/shared/crossbar_coop.wgsl`.
    struct MatricesParams {
        drives_chip: u32,
        drives_block: u32,
        drives_step: u32,
        drives_group: u32,
        drives_channel: u32,
        pixel_y: u32,
        pixel_x: u32,
        g_chip: u32,
        plane: u32,
        matrices: u32,
        places_at: u32,
        tiles_at: u32,
        factor_chip: u32,
    }
}

/// A step of the sum over a row tile: a matrix of channels at one tap.
struct Step {
    channel: usize,
    tap: usize,
    /// Rows of the tile.
    rows: [usize; 2],
}

/// A layer in matrices.
pub(super) struct Tiles<'a> {
    op: &'a Crossbar,
    side: usize,
    threads: u32,
    padded: Padded,
    steps: Vec<Step>,
    /// First step of every row tile, then their number.
    tiles: Vec<usize>,
    /// Whether codes are added up by a plane of ones.
    ones: bool,
    /// Whether conductances have low halves.
    low: bool,
}

impl<'a> Tiles<'a> {
    /// The layer in matrices, where the adapter's may multiply it.
    pub fn new(op: &'a Crossbar, sums_codes: bool, cx: &LowerContext<'_>) -> Option<Self> {
        let Matrices { side, threads } = cx.matrices?;
        let side = side as usize;
        let sites = side / 4 * (PAIR * side / 4);
        let told = op.clipped.or(op.slope);
        let plain = op.variance.is_none() && told.is_none() && op.spec.dac.table.is_none();
        if !plain || (threads as usize) < sites {
            return None;
        }
        let (geo, arrays) = (&op.geo, &op.spec.arrays);
        let taps = geo.kh * geo.kw;
        let (mut steps, mut tiles) = (Vec::new(), vec![0]);
        for rows in arrays.tile_rows.windows(2) {
            let rows = [rows[0] as usize, rows[1] as usize];
            let (first, last) = (rows[0] / taps, (rows[1] - 1) / taps);
            let has = |channel: usize, tap| {
                let mut all = channel..channel + side;
                all.any(|c| (rows[0]..rows[1]).contains(&(c * taps + tap)))
            };
            for tap in 0..taps {
                let channels = (first..=last).step_by(side);
                let channels = channels.filter(|&c| has(c, tap));
                steps.extend(channels.map(|channel| Step { channel, tap, rows }));
            }
            tiles.push(steps.len());
        }
        let tiles = Self {
            op,
            side,
            threads,
            padded: Padded::new(geo, &op.spec.dac),
            steps,
            tiles,
            ones: sums_codes,
            low: !cx.halves(op.g),
        };
        (cx.kernels == Kernels::Cooperative || tiles.worth(cx)).then_some(tiles)
    }

    /// Whether matrices gain by it: row tiles of few rows fill them up with zeros, few workgroups leave a
    /// GPU idle.
    fn worth(&self, cx: &LowerContext<'_>) -> bool {
        let (geo, arrays) = (&self.op.geo, &self.op.spec.arrays);
        let filled = self.steps.len() * self.side * self.matrices() * self.side;
        let useful = arrays.rows * (geo.c_out / geo.groups);
        let pixels = cx.run_blocks() * geo.h_out() * geo.w_out();
        let calls = pixels.div_ceil(self.slots()) * self.matrices() * geo.groups;
        filled as f64 <= MOST_FILL * useful as f64 && calls * cx.slabs(self.op.y) >= ENOUGH
    }

    /// Matrices of a group's columns.
    fn matrices(&self) -> usize {
        (self.op.geo.c_out / self.op.geo.groups).div_ceil(self.side)
    }

    /// Blocks of images at a pixel of a workgroup.
    fn slots(&self) -> usize {
        PAIR * self.side / LANES
    }

    /// Planes with that of ones.
    fn planes(&self) -> usize {
        self.op.spec.arrays.read_planes() + usize::from(self.ones)
    }

    /// Halves of a plane.
    fn plane(&self) -> usize {
        self.steps.len() * if self.low { 2 } else { 1 } * self.side * self.side
    }

    /// Halves of a channel of the drives, and of a conversion.
    fn drives(&self) -> [usize; 2] {
        let channel = self.padded.h * self.padded.w * LANES;
        // A matrix may begin at the last channel.
        [channel, (self.op.geo.c_in + self.side) * channel]
    }

    /// Conversions of a pass.
    fn pass(&self) -> usize {
        let conversions = self.op.spec.dac.conversions();
        conversions.div_ceil(conversions.div_ceil(MOST_STEPS))
    }

    /// The drives; where they are.
    fn drives_call(&self, cx: &LowerContext<'_>) -> (Dispatch, Operand) {
        let (op, geo, dac) = (self.op, &self.op.geo, &self.op.spec.dac);
        let words = self.drives()[1] / 2;
        let block = words * dac.conversions();
        let per_chip = cx.per_chip(op.x);
        let chip = block * cx.run_blocks();
        let operand = Operand::Scratch {
            index: 0,
            floats: (chip * cx.slabs(op.x)) as u64,
        };
        let (lo, hi) = dac.codes().into_inner();
        let params = DrivesParams {
            x: cx.view(op.x),
            block_words: block as u32,
            chip_words: if per_chip { chip as u32 } else { 0 },
            words: words as u32,
            h: self.padded.h as u32,
            w: self.padded.w as u32,
            channels: geo.c_in as u32,
            h_in: geo.h_in as u32,
            w_in: geo.w_in as u32,
            top: geo.pad[0] as u32,
            left: geo.pad[1] as u32,
            lo: lo as f32,
            hi: hi as f32,
            mask: (1 << dac.input_bits) - 1,
        };
        let work = Work::flat(words / 2).per_block().per_chip(per_chip);
        let call = Dispatch::new("crossbar_drives", work)
            .params(&params)
            .rounds(dac.conversions() as u64)
            .constant("SIGNED", dac.signs == Some(InputSigns::SignMagnitude))
            .constant("DAC_BITS", dac.dac_bits)
            .constant("ANALOG_SUM", dac.analog_sum)
            .constant("CONVERSIONS", dac.conversions() as u32)
            .read(op.x)
            .read(op.x_step)
            .write(operand);
        (call, operand)
    }

    /// The conductances in matrices; where they are, and the factors of their columns.
    fn weight_calls(&self, cx: &LowerContext<'_>) -> ([Dispatch; 2], Operand, Operand) {
        let (op, geo, arrays) = (self.op, &self.op.geo, &self.op.spec.arrays);
        let (per_chip, slabs) = (cx.per_chip(op.g), cx.slabs(op.g));
        let columns = self.planes() * arrays.cols;
        let words = self.words();
        let packed = Operand::Scratch {
            index: 1,
            floats: (words * slabs) as u64,
        };
        let factors = Operand::Scratch {
            index: 2,
            floats: (2 * columns * slabs) as u64,
        };
        let rows = RowsParams {
            g: cx.view(op.g),
            rows: arrays.rows as u32,
            columns: columns as u32,
            cells: (arrays.read_planes() * arrays.cols) as u32,
        };
        let work = Work::groups(columns).per_chip(per_chip);
        let scaling = Dispatch::new("crossbar_coop_rows", work)
            .params(&rows)
            .rounds((arrays.rows.div_ceil(256) + 16) as u64)
            .constant("HALF", cx.halves(op.g))
            .read(op.g)
            .write(factors);
        let params = PackParams {
            g: cx.view(op.g),
            words: words as u32,
            side: self.side as u32,
            matrices: self.matrices() as u32,
            steps: self.steps.len() as u32,
            planes: self.planes() as u32,
            cells: arrays.read_planes() as u32,
            group_out: (geo.c_out / geo.groups) as u32,
            cols: arrays.cols as u32,
            rows: arrays.rows as u32,
            taps: (geo.kh * geo.kw) as u32,
            factor_chip: if per_chip { columns as u32 } else { 0 },
        };
        let places = self.steps.iter().flat_map(|step| {
            let all = [step.channel, step.tap, step.rows[0], step.rows[1]];
            all.map(|v| v as u32)
        });
        let pairs = words / if self.low { 2 } else { 1 };
        let packing = Dispatch::new("crossbar_coop_pack", Work::flat(pairs).per_chip(per_chip))
            .params(&params)
            .constant("HALF", cx.halves(op.g))
            .constant("LOW", self.low)
            .read(op.g)
            .read(factors)
            .table(&places.collect::<Vec<u32>>().into())
            .write(packed);
        ([scaling, packing], packed, factors)
    }

    /// Words of a chip's conductances.
    fn words(&self) -> usize {
        self.op.geo.groups * self.matrices() * self.planes() * self.plane() / 2
    }

    /// The reading's table with the places of steps in the drives, and the first step of every tile.
    fn table(&self, before: &Arc<[u32]>) -> (Arc<[u32]>, [u32; 2]) {
        let (geo, [channel, _]) = (&self.op.geo, self.drives());
        let mut all = before.to_vec();
        let places_at = all.len() as u32;
        all.extend(self.steps.iter().map(|step| {
            let [y, x] = [
                step.tap / geo.kw * geo.dilation[0],
                step.tap % geo.kw * geo.dilation[1],
            ];
            (step.channel * channel + (y * self.padded.w + x) * LANES) as u32
        }));
        let tiles_at = all.len() as u32;
        all.extend(self.tiles.iter().map(|&step| step as u32));
        (all.into(), [places_at, tiles_at])
    }

    /// Everything before the sums, and their parameters; what the sums' kernel reads first.
    pub fn prepare(
        &self,
        prepared: &mut Prepared,
        cx: &LowerContext<'_>,
    ) -> (MatricesParams, [Operand; 3]) {
        let (drives, at) = self.drives_call(cx);
        let (weights, packed, factors) = self.weight_calls(cx);
        prepared.calls = vec![drives];
        prepared.calls.extend(weights);
        let (table, [places_at, tiles_at]) = self.table(&prepared.table);
        prepared.table = table;
        let (op, geo, [channel, step]) = (self.op, &self.op.geo, self.drives());
        let block = step * op.spec.dac.conversions();
        let columns = self.planes() * op.spec.arrays.cols;
        let per_chip = |yes: bool, stride: usize| if yes { stride as u32 } else { 0 };
        let params = MatricesParams {
            drives_chip: per_chip(cx.per_chip(op.x), block * cx.run_blocks()),
            drives_block: block as u32,
            drives_step: step as u32,
            drives_group: (geo.c_in / geo.groups * channel) as u32,
            drives_channel: channel as u32,
            pixel_y: (geo.stride[0] * self.padded.w * LANES) as u32,
            pixel_x: (geo.stride[1] * LANES) as u32,
            g_chip: per_chip(cx.per_chip(op.g), 2 * self.words()),
            plane: self.plane() as u32,
            matrices: self.matrices() as u32,
            places_at,
            tiles_at,
            factor_chip: per_chip(cx.per_chip(op.g), columns),
        };
        (params, [at, packed, factors])
    }

    /// The call of the sums without its operands.
    pub fn sums(&self, input: &Inputs<'_>, cx: &LowerContext<'_>) -> Dispatch {
        let (op, geo) = (self.op, &self.op.geo);
        let work = Work {
            group: self.slots() as u32,
            ..Work::flat(geo.h_out() * geo.w_out())
        };
        let work = work
            .repeated(self.matrices() * geo.groups)
            .per_block()
            .per_chip(cx.per_chip(op.y));
        let shader = match self.side {
            8 => "crossbar_coop8",
            _ => "crossbar_coop16",
        };
        let (passes, conversions) = (
            op.spec.dac.conversions().div_ceil(self.pass()),
            op.spec.dac.conversions(),
        );
        // A tile's rows in all planes and passes; its conversions.
        let tiles = op.spec.arrays.row_tiles();
        let rounds =
            self.planes() * (self.steps.len() * passes + tiles * (passes + 1 + 5 * conversions));
        reading::digits(Dispatch::new(shader, work), input)
            .rounds(rounds as u64)
            .constant("THREADS", self.threads)
            .constant("STEPS", self.pass() as u32)
            .constant("LOW", self.low)
    }
}
