//! Where the weights of a layer are: which arrays, which slice, which cell, and back (docs/cells.md).
//!
//! A layer's matrix has one row per input of a column and one column per output channel. It is cut
//! into row and column tiles no larger than an array; columns of different channel groups see
//! different inputs and never share an array. Every tile holds one array for each cell plane (slice and
//! polarity). [`digits`] says which digit every cell holds.
//!
//! # Examples
//! ```
//! use pimento::config::chip::Split;
//! use pimento::mapping::cuts;
//!
//! // 100 rows in arrays of 48: three tiles, as equal as possible.
//! assert_eq!(cuts(100, 48, Split::Even), [0, 34, 67, 100]);
//! ```

pub mod digits;
pub mod layout;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::chip::{ArraySize, CellEncoding, Cells, Split, Subtraction};
use crate::error::{Error, Result};
use crate::program::{Arrays, ConvGeometry, Dac, Encoding, MOST_SLICES};

/// First line of every tile of `n` lines cut into tiles of at most `most`, then `n`. Even: the fewest
/// tiles, the first ones one line longer where they cannot be equal.
pub fn cuts(n: usize, most: usize, split: Split) -> Vec<usize> {
    let tiles = n.div_ceil(most).max(1);
    let start = |t: usize| match split {
        Split::Even => t * (n / tiles) + t.min(n % tiles),
        Split::Filled => (t * most).min(n),
    };
    (0..=tiles).map(start).collect()
}

/// The arrays of a layer.
///
/// # Errors
/// More cells than an address holds, slices that do not cover the code, an impossible geometry.
pub fn arrays(
    geo: &ConvGeometry,
    size: &ArraySize,
    cells: &Cells,
    weight_bits: u32,
) -> Result<Arrays> {
    if !geo.is_possible() || !(1..=8).contains(&weight_bits) {
        return Err(Error::Internal(format!(
            "no arrays for {weight_bits} bits of {geo:?}"
        )));
    }
    let slice_bits = cells.slices(weight_bits);
    let equal_slices = cells.equal_slices as usize;
    let (sum, needed) = (cells.bits(weight_bits), cells.needed(weight_bits));
    if slice_bits.len() > MOST_SLICES {
        return Err(Error::input(format!(
            "chip.cells.equal_slices: {equal_slices} slices of every place value are {} of a weight; allowed: at most \
             {MOST_SLICES} together",
            slice_bits.len()
        )));
    }
    if !(needed..=16).contains(&sum) {
        return Err(Error::input(format!(
            "chip.cells.slice_bits: slices of {slice_bits:?} bits, {sum} together, for codes of {weight_bits} \
             bits that need {needed}; allowed: {needed} to 16 bits together"
        )));
    }
    let (cols, rows) = (geo.c_out, geo.rows());
    let polarities = match cells.encoding {
        CellEncoding::Differential => 2,
        CellEncoding::Offset => 1,
    };
    let count = [cols, rows, slice_bits.len(), polarities]
        .iter()
        .try_fold(1usize, |n, f| n.checked_mul(*f));
    if count.is_none_or(|n| u32::try_from(n).is_err()) {
        return Err(Error::input(format!(
            "a layer of {cols} columns x {rows} rows x {} slices x {polarities} cells = {} cells is not less than \
             the {} an address holds; allowed: smaller layers, or fewer slices",
            slice_bits.len(),
            count.map_or("more than 2^64".into(), |n| n.to_string()),
            1u64 << 32,
        )));
    }
    let group = cols / geo.groups;
    let mut tile_cols: Vec<u32> = (0..geo.groups)
        .flat_map(|g| {
            let inside = cuts(group, size.cols, size.split);
            let starts = inside[..inside.len() - 1].to_vec();
            starts.into_iter().map(move |c| (g * group + c) as u32)
        })
        .collect();
    tile_cols.push(cols as u32);
    let tile_rows = cuts(rows, size.rows, size.split);
    Ok(Arrays {
        cols,
        rows,
        tile_rows: tile_rows.into_iter().map(|r| r as u32).collect(),
        tile_cols: tile_cols.into(),
        slice_bits: Arc::from(slice_bits),
        equal_slices,
        weight_bits,
        encoding: match cells.encoding {
            CellEncoding::Differential => Encoding::Differential {
                two_sided: cells.two_sided,
                digital: cells.subtraction == Subtraction::Digital,
            },
            CellEncoding::Offset => Encoding::Offset {
                reference: cells.reference,
            },
        },
        g_min: cells.g_min() as f32,
        levels: (!cells.levels.is_empty())
            .then(|| cells.levels.iter().map(|g| *g as f32).collect()),
    })
}

/// What a layer costs in hardware and work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Arrays of cells.
    pub arrays: usize,
    /// Cells that hold digits, without reference columns.
    pub cells: usize,
    /// Cells of the offset encoding's and self-tuning's reference columns.
    pub reference_cells: usize,
    /// Share of the cells of all arrays that hold digits.
    pub utilisation: f64,
    /// Conversions per image.
    pub conversions: usize,
}

impl Counts {
    /// Of one layer; `reference_columns` are those of self-tuning.
    pub fn new(
        arrays: &Arrays,
        size: &ArraySize,
        dac: &Dac,
        geo: &ConvGeometry,
        reference_columns: u32,
    ) -> Self {
        let offset = match arrays.encoding {
            Encoding::Offset { reference } => reference,
            Encoding::Differential { .. } => 0,
        };
        let columns = (offset + reference_columns) as usize * arrays.col_tiles();
        let places = arrays.cell_arrays() as f64 * (size.rows * size.cols) as f64;
        Self {
            arrays: arrays.cell_arrays(),
            cells: arrays.cells(),
            reference_cells: columns * arrays.cell_planes() * arrays.rows,
            utilisation: arrays.cells() as f64 / places,
            conversions: arrays.converters() * dac.conversions() * geo.h_out() * geo.w_out(),
        }
    }
}
