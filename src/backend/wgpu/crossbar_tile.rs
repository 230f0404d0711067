//! How crossbars share products among threads: what a thread has in registers ([`Tile`]), and in which order
//! conductances are packed for it ([`Order`]). Sums are the same for every choice: a row that is added for
//! nothing has conductances of 0.

use super::dispatch::{GROUP, LowerContext, QUADS, Work};
use super::reading::{Inputs, column_tiles, work};
use crate::backend::Kernels;
use crate::program::{Arrays, ConvGeometry};

/// Fours of columns times steps of one pass over the rows: without tiles, and on GPUs, where more registers
/// than for 16 accumulators of four images let a processor hold too few threads.
const MOST_PORTABLE: usize = 8;
const MOST: usize = 4;

/// Rows of a round of the loop of `shaders/crossbar_wide.wgsl`.
const ROWS: usize = 4;

/// Threads of a workgroup that have work where it has columns of its own, at least, in per cent.
const BUSY: usize = 75;

/// Rows in the order in which conductances are packed.
pub(super) struct Order {
    /// Row of the array, or [`NO_ROW`].
    pub rows: Vec<u32>,
    /// Where each row tile begins, and the end.
    pub tiles: Vec<u32>,
    /// Rows of the array.
    own: usize,
}

/// Stands for a row that is not there.
const NO_ROW: u32 = u32::MAX;

impl Order {
    /// Every row tile is filled up to a multiple of the rows of a round; the others keep their order.
    pub fn new(arrays: &Arrays, tile: Tile) -> Self {
        let mut rows = Vec::new();
        let mut tiles = vec![0];
        for tile_rows in arrays.tile_rows.windows(2) {
            rows.extend(tile_rows[0]..tile_rows[1]);
            rows.resize(rows.len().next_multiple_of(tile.rows()), NO_ROW);
            tiles.push(rows.len() as u32);
        }
        Self {
            rows,
            tiles,
            own: arrays.rows,
        }
    }

    /// Whether some rows are not there.
    pub fn padded(&self) -> bool {
        self.rows.len() > self.own
    }
}

/// What a thread of the products has in registers, and where it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// Fours of columns: 1 in `shaders/crossbar.wgsl`, 2 in `shaders/crossbar_wide.wgsl`.
    pub fours: usize,
    /// Conversions of a pass over the rows.
    pub steps: usize,
    /// Whether all threads of a workgroup have the same columns.
    pub shared: bool,
}

impl Tile {
    /// Four columns, and as many steps as are needed or have room.
    pub fn portable(input: &Inputs<'_>) -> Self {
        let noisy = input.variance.is_some();
        let most = match (noisy, input.spec.noise_per_cell) {
            (false, _) => MOST_PORTABLE,
            // The variances have accumulators of their own.
            (true, false) => MOST_PORTABLE / 2,
            // Deviates of cells cost far more than another pass over the rows.
            (true, true) => 1,
        };
        Self::narrow(input, most, false)
    }

    fn narrow(input: &Inputs<'_>, most: usize, shared: bool) -> Self {
        let conversions = input.spec.dac.conversions();
        Self {
            fours: 1,
            steps: conversions.div_ceil(conversions.div_ceil(most)),
            shared,
        }
    }

    /// For crossbars; `plain`: only sums of one kind are kept for every column, and no deviates are drawn
    /// for conversions.
    pub fn new(input: &Inputs<'_>, plain: bool, cx: &LowerContext<'_>) -> Self {
        if cx.kernels == Kernels::Portable {
            return Self::portable(input);
        }
        let geo = input.geo;
        let slots = cx.run_blocks() * geo.h_out() * geo.w_out() * QUADS;
        let shared = 100 * slots >= BUSY * slots.next_multiple_of(GROUP as usize);
        let most = if input.variance.is_some() { 1 } else { MOST };
        let narrow = Self::narrow(input, most, shared);
        if !(shared && plain) {
            return narrow;
        }
        let wide = [1, 2].map(|steps| Self {
            fours: 2,
            steps,
            shared,
        });
        let conversions = input.spec.dac.conversions();
        // Instructions for a row: products, two for every drive, loads. What is beyond the last column or
        // conversion is for nothing.
        let cost = |tile: &Self| {
            let row = 16 * tile.fours * tile.steps + 8 * tile.steps + 2;
            row * column_tiles(geo).div_ceil(tile.fours) * conversions.div_ceil(tile.steps)
        };
        let all = wide.into_iter().chain([narrow]);
        all.min_by_key(cost).unwrap_or(narrow)
    }

    /// Rows of a round of the loop over them.
    fn rows(self) -> usize {
        if self.fours > 1 { ROWS } else { 1 }
    }

    /// Threads of the sums.
    pub fn work(self, geo: &ConvGeometry) -> Work {
        if !self.shared {
            return work(geo);
        }
        let slots = Work::flat(geo.h_out() * geo.w_out() * QUADS).per_block();
        slots.repeated(column_tiles(geo).div_ceil(self.fours) * geo.groups)
    }
}
