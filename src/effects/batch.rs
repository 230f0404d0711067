//! Cells that the CPU programs together.

use std::ops::Range;

use crate::random::{Purpose, Stream};

/// How the cells of a layer lie in arrays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lines<'a> {
    /// Rows of the layer.
    pub rows: usize,
    /// Columns of the layer.
    pub cols: usize,
    /// First row of every row tile, then `rows`.
    pub tile_rows: &'a [u32],
    /// First column of every column tile, then `cols`.
    pub tile_cols: &'a [u32],
    /// Cell planes: arrays on the same tile.
    pub planes: usize,
    /// Smallest conductance of a working cell.
    pub g_min: f32,
}

impl Lines<'_> {
    /// Column tiles.
    pub fn col_tiles(&self) -> usize {
        self.tile_cols.len() - 1
    }

    /// Row tile of a row.
    pub fn row_tile(&self, row: usize) -> usize {
        self.tile_rows.partition_point(|&t| t as usize <= row) - 1
    }

    /// Column tile of a column.
    pub fn col_tile(&self, col: usize) -> usize {
        self.tile_cols.partition_point(|&t| t as usize <= col) - 1
    }

    /// Index of the array of a plane at a row tile and a column tile.
    pub fn array(&self, plane: usize, r: usize, c: usize) -> usize {
        (r * self.col_tiles() + c) * self.planes + plane
    }
}

/// What selects the random numbers of a chip's layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Key of all random numbers.
    pub seed: u64,
    /// Or-ed into every purpose.
    pub flags: u32,
    /// Address of the layer.
    pub layer: u32,
    /// Chip index.
    pub chip: u32,
}

/// One layer on one chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer<'a> {
    /// Where its cells are.
    pub lines: Lines<'a>,
    /// Its random numbers.
    pub keys: Keys,
}

impl Layer<'_> {
    /// Numbers of a purpose; `flags` beside those of [`Keys`].
    pub fn stream(&self, purpose: Purpose, flags: u32) -> Stream {
        let k = self.keys;
        Stream::new(k.seed, purpose, k.flags | flags, k.layer, k.chip)
    }
}

/// Which columns a batch belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// The layer's own: these cells of a plane, `column * rows + row`.
    Own(Range<usize>),
    /// A reference column of a column tile: a cell for every row.
    Reference(usize),
}

/// Cells of one plane at consecutive addresses.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// Cell plane.
    pub plane: usize,
    /// Their columns.
    pub columns: Columns,
    /// Address of the first one's random numbers.
    pub first: u32,
    /// Bits of the purpose for what is drawn cell by cell.
    pub flags: u32,
    /// Common deviations of their arrays.
    pub common: &'a [f32],
}

/// Values of the cells of a batch, and working space.
#[derive(Debug, Default)]
pub struct Buffers {
    /// Conductances so far.
    pub g: Vec<f32>,
    /// Conductances as programmed; empty where no noise goes by them.
    pub programmed: Vec<f32>,
    /// 0 where a line of the cell is open, else 1; empty where none can be.
    pub closed: Vec<f32>,
    /// For deviates, one a cell; the content is not kept from one step to the next.
    pub draws: Vec<f32>,
}

/// An effect at work on the cells of a layer.
pub trait Step: Sync {
    /// Changes the cells of a batch.
    fn apply(&self, batch: &Batch, cells: &mut Buffers);
}

/// Row tiles of a range of rows, with the rows of each; `tile_rows` are the cuts.
pub fn tiles(tile_rows: &[u32], rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let cut = move |(r, tile): (usize, &[u32])| {
        let part = (tile[0] as usize).max(rows.start)..(tile[1] as usize).min(rows.end);
        (!part.is_empty()).then_some((r, part))
    };
    tile_rows.windows(2).enumerate().filter_map(cut)
}

/// A [`Curve`](super::Curve) at a conductance.
pub fn curve(values: &[f32], g: f32) -> f32 {
    let last = values.len() - 1;
    let place = g.clamp(0.0, 1.0) * last as f32;
    let below = (place as usize).min(last - 1);
    let rest = place - below as f32;
    values[below] + rest * (values[below + 1] - values[below])
}
