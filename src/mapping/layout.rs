//! Where a trained layer lies in its arrays: columns in another order, and without what holds no weight.
//!
//! # Theory
//! A *place* is a row and a column of the arrays, a *cell* one of the layer's matrix. A layout is a function of the codes
//! alone, so every chip of a network has the same. Random numbers, common deviations, wires and open lines
//! belong to places: the place is what a fab makes. What arrays give is taken back to cells, so nothing behind
//! them knows the layout.
//!
//! *Rearrangement* sorts the columns of a channel group by the sum of their nominal conductances. *Compaction by columns*
//! drops, in every row tile, columns whose weights are all 0 and moves the others to the left; *by rows*
//! it drops, in every column tile, rows of zeros and moves the others together. Both keep the order of
//! what is left. Dropped cells conduct nothing and have no converter.
//!
//! Columns are numbered from the drivers of the rows on, rows towards the converters. In an array that is not
//! full of rows those next to the converters are used, and in one that is not full of columns those next to the
//! drivers; so the wires are those of an array without the rest, but for supply lines of topology "separate-source", which
//! pass free rows first.

use std::sync::Arc;

use super::digits;
use crate::config::chip::{ArraySize, Compact, Rearrange};
use crate::program::{Arrays, NO_SOURCE};

/// Where the cells of a layer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Cell at every place, `[column][row]`; [`NO_SOURCE`]: none.
    pub cells: Arc<[u32]>,
    /// Place of every cell, `[column][row]`; [`NO_SOURCE`]: dropped.
    pub places: Arc<[u32]>,
    /// Column of the arrays that holds a column of the layer in a row tile, `[row tile][column]`;
    /// [`NO_SOURCE`]: none. With rows moved between tiles no converter has one column.
    pub columns: Arc<[u32]>,
    /// Arrays of a plane that hold anything.
    pub tiles: usize,
    /// Whether cells can be dropped: a program then has what that takes, whatever the weights are.
    pub compacts: bool,
}

impl Layout {
    /// Every cell where it is in the matrix: of a layer whose codes are not known yet.
    pub fn natural(a: &Arrays, size: &ArraySize) -> Self {
        Self {
            compacts: size.compact != Compact::No,
            ..Self::of(a, (0..a.plane_len() as u32).collect())
        }
    }

    /// The layout of a layer with these codes `[column][row]`, whose columns are of `groups` channel groups.
    pub fn new(a: &Arrays, size: &ArraySize, groups: usize, codes: &[i32]) -> Self {
        let order = order(a, size.rearrange, groups, codes);
        let by_columns = || by_columns(a, groups, codes, &order);
        let by_rows = || by_rows(a, codes, &order);
        let layout = match size.compact {
            Compact::No => whole(a, &order),
            Compact::Columns => by_columns(),
            Compact::Rows => by_rows(),
            Compact::Smaller => {
                let (columns, rows) = (by_columns(), by_rows());
                match rows.tiles < columns.tiles {
                    true => rows,
                    false => columns,
                }
            }
        };
        Self {
            compacts: size.compact != Compact::No,
            ..layout
        }
    }

    /// From the cell at every place.
    fn of(a: &Arrays, cells: Vec<u32>) -> Self {
        let mut places = vec![NO_SOURCE; cells.len()];
        let mut columns = vec![NO_SOURCE; a.row_tiles() * a.cols];
        let mut used = vec![false; a.row_tiles() * a.col_tiles()];
        let tiles: Vec<usize> = (0..a.rows).map(|row| a.row_tile(row)).collect();
        for (place, &cell) in cells.iter().enumerate().filter(|(_, c)| **c != NO_SOURCE) {
            places[cell as usize] = place as u32;
            let (col, row) = (place / a.rows, place % a.rows);
            columns[tiles[row] * a.cols + cell as usize / a.rows] = col as u32;
            used[tiles[row] * a.col_tiles() + a.col_tile(col)] = true;
        }
        Self {
            cells: cells.into(),
            places: places.into(),
            columns: columns.into(),
            tiles: used.into_iter().filter(|used| *used).count(),
            compacts: false,
        }
    }

    /// Cells that are dropped.
    pub fn dropped(&self) -> usize {
        self.places.iter().filter(|p| **p == NO_SOURCE).count()
    }

    /// Values of cells `[column][row]` at their places, 0 where no cell is.
    pub fn placed(&self, values: &[f32]) -> Vec<f32> {
        let at = |&cell: &u32| match cell {
            NO_SOURCE => 0.0,
            cell => values[cell as usize],
        };
        self.cells.iter().map(at).collect()
    }

    /// Rows and columns of every tile that hold anything, `[row tile][column tile]`.
    pub fn used(&self, a: &Arrays) -> Vec<[usize; 2]> {
        let is_held = |col: u32, row: u32| {
            let place = col as usize * a.rows + row as usize;
            self.cells[place] != NO_SOURCE
        };
        let mut used = Vec::with_capacity(a.row_tiles() * a.col_tiles());
        for rows in a.tile_rows.windows(2).map(|w| w[0]..w[1]) {
            for columns in a.tile_cols.windows(2).map(|w| w[0]..w[1]) {
                let row = |row: &u32| columns.clone().any(|col| is_held(col, *row));
                let column = |col: &u32| rows.clone().any(|row| is_held(*col, row));
                used.push([
                    rows.clone().filter(row).count(),
                    columns.clone().filter(column).count(),
                ]);
            }
        }
        used
    }

    /// Whether rows are in other row tiles than in the matrix, so that no sum of an array is one of the matrix.
    pub fn moves_rows(&self, a: &Arrays) -> bool {
        let tile = |at: usize| a.row_tile(at % a.rows);
        let mut places = self.places.iter().enumerate();
        places.any(|(cell, &place)| place != NO_SOURCE && tile(cell) != tile(place as usize))
    }

    /// Cells of every plane that are there, 1, or not, 0, by place: what a raw conductance is multiplied by.
    pub fn present(&self) -> Arc<[u32]> {
        let cells = self.cells.iter().enumerate();
        let own = cells.map(|(place, &cell)| match cell {
            NO_SOURCE => NO_SOURCE,
            _ => place as u32,
        });
        own.collect()
    }
}

/// The columns of the layer in the order in which they lie in the arrays.
fn order(a: &Arrays, rearrange: Rearrange, groups: usize, codes: &[i32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..a.cols).collect();
    if rearrange == Rearrange::No {
        return order;
    }
    let sums: Vec<f64> = codes
        .chunks(a.rows)
        .map(|column| column.iter().map(|&code| conductance(a, code)).sum())
        .collect();
    for group in order.chunks_mut(a.cols / groups.max(1)) {
        group.sort_by(|&x, &y| match rearrange {
            Rearrange::LightFirst => sums[x].total_cmp(&sums[y]),
            Rearrange::No | Rearrange::HeavyFirst => sums[y].total_cmp(&sums[x]),
        });
    }
    order
}

/// Nominal conductances of all cells of a weight together, relative to `G_max`.
fn conductance(a: &Arrays, code: i32) -> f64 {
    let digits = digits::of_code(a, code).into_iter().enumerate();
    let cell = |(plane, digit): (usize, f32)| a.target(plane / a.polarities(), digit.into());
    digits.map(cell).sum()
}

fn whole(a: &Arrays, order: &[usize]) -> Layout {
    let column = |&col: &usize| (0..a.rows).map(move |row| (col * a.rows + row) as u32);
    Layout::of(a, order.iter().flat_map(column).collect())
}

fn by_columns(a: &Arrays, groups: usize, codes: &[i32], order: &[usize]) -> Layout {
    let mut cells = vec![NO_SOURCE; a.plane_len()];
    let width = a.cols / groups.max(1);
    for rows in a.tile_rows.windows(2) {
        let rows = rows[0] as usize..rows[1] as usize;
        for (group, order) in order.chunks(width).enumerate() {
            let filled = |&&col: &&usize| {
                let column = &codes[col * a.rows..][rows.clone()];
                column.iter().any(|code| *code != 0)
            };
            for (at, &col) in order.iter().filter(filled).enumerate() {
                for row in rows.clone() {
                    cells[(group * width + at) * a.rows + row] = (col * a.rows + row) as u32;
                }
            }
        }
    }
    Layout::of(a, cells)
}

fn by_rows(a: &Arrays, codes: &[i32], order: &[usize]) -> Layout {
    let mut cells = vec![NO_SOURCE; a.plane_len()];
    for columns in a.tile_cols.windows(2) {
        let columns = columns[0] as usize..columns[1] as usize;
        let own = &order[columns.clone()];
        let filled = |row: &usize| own.iter().any(|col| codes[col * a.rows + row] != 0);
        let mut left: Vec<usize> = (0..a.rows).filter(filled).collect();
        for tile in a.tile_rows.windows(2) {
            let (first, end) = (tile[0] as usize, tile[1] as usize);
            let rest = left.split_off(left.len().min(end - first));
            for (row, &held) in (end - left.len()..end).zip(&left) {
                for (place, &col) in columns.clone().zip(own) {
                    cells[place * a.rows + row] = (col * a.rows + held) as u32;
                }
            }
            left = rest;
        }
    }
    Layout::of(a, cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::chip::{Cells, Split};
    use crate::mapping;
    use crate::program::ConvGeometry;

    const GONE: u32 = NO_SOURCE;

    /// A layer of 6 columns x 4 rows in arrays of 2 x 2, and codes with zeros.
    fn layer(rearrange: Rearrange, compact: Compact) -> (Arrays, ArraySize) {
        let size = ArraySize {
            rows: 2,
            cols: 2,
            split: Split::Filled,
            rearrange,
            compact,
        };
        let geo = ConvGeometry::linear(4, 6);
        let arrays = mapping::arrays(&geo, &size, &Cells::default(), 4);
        (arrays.unwrap(), size)
    }

    #[rustfmt::skip]
    const CODES: [i32; 24] = [
        1, 0, 0, 0,
        0, 0, 0, 0,
        0, -7, 0, 5,
        0, 0, 0, 0,
        0, 0, 2, 0,
        3, 3, 0, 0,
    ];

    fn laid(rearrange: Rearrange, compact: Compact, groups: usize) -> Layout {
        let (a, size) = layer(rearrange, compact);
        Layout::new(&a, &size, groups, &CODES)
    }

    /// Column of the cells of every column of places, where they are of one.
    fn held(layout: &Layout) -> Vec<Vec<Option<u32>>> {
        let column = |cells: &[u32]| {
            let of = |tile: &[u32]| tile.iter().find(|c| **c != GONE).map(|c| c / 4);
            cells.chunks(2).map(of).collect()
        };
        layout.cells.chunks(4).map(column).collect()
    }

    #[test]
    fn columns_lie_by_their_conductances() {
        let order = |rearrange, groups| -> Vec<u32> {
            let layout = laid(rearrange, Compact::No, groups);
            assert_eq!((layout.tiles, layout.dropped()), (6, 0));
            layout.cells.iter().step_by(4).map(|c| c / 4).collect()
        };
        // Sums 1, 0, 12, 0, 2, 6; of two equal ones the first stays first.
        assert_eq!(order(Rearrange::No, 1), [0, 1, 2, 3, 4, 5]);
        assert_eq!(order(Rearrange::HeavyFirst, 1), [2, 5, 4, 0, 1, 3]);
        assert_eq!(order(Rearrange::LightFirst, 1), [1, 3, 0, 4, 5, 2]);
        assert_eq!(order(Rearrange::HeavyFirst, 2), [2, 0, 1, 5, 4, 3]);
    }

    #[test]
    fn columns_without_weights_are_dropped_tile_by_tile() {
        let layout = laid(Rearrange::No, Compact::Columns, 1);
        let gone = [None; 2];
        let want: [[Option<u32>; 2]; 6] = [
            [Some(0), Some(2)],
            [Some(2), Some(4)],
            [Some(5), None],
            gone,
            gone,
            gone,
        ];
        assert_eq!(held(&layout), want);
        // Two arrays above, one below.
        assert_eq!(layout.tiles, 3);
        assert_eq!(layout.columns[..6], [0, GONE, 1, GONE, GONE, 2]);
        assert_eq!(layout.columns[6..], [GONE, GONE, 0, GONE, 1, GONE]);
        // Groups never share an array.
        let layout = laid(Rearrange::No, Compact::Columns, 2);
        assert_eq!(layout.columns[..6], [0, GONE, 1, GONE, GONE, 3]);
        let heavy = laid(Rearrange::HeavyFirst, Compact::Columns, 1);
        assert_eq!(heavy.columns[..6], [2, GONE, 0, GONE, GONE, 1]);
    }

    #[test]
    fn rows_without_weights_are_dropped_and_the_rest_is_next_to_the_converters() {
        let layout = laid(Rearrange::No, Compact::Rows, 1);
        let rows: Vec<Vec<u32>> = layout.cells.chunks(4).map(|c| c.to_vec()).collect();
        let at = |col: u32, rows: [u32; 4]| {
            rows.map(|row| if row == GONE { GONE } else { 4 * col + row })
                .to_vec()
        };
        // One row of the first two columns, two of the next, three of the last.
        assert_eq!(rows[0], at(0, [GONE, 0, GONE, GONE]));
        assert_eq!(rows[1], at(1, [GONE, 0, GONE, GONE]));
        assert_eq!(rows[2], at(2, [1, 3, GONE, GONE]));
        assert_eq!(rows[5], at(5, [0, 1, GONE, 2]));
        assert_eq!(layout.tiles, 4);
        let (a, _) = layer(Rearrange::No, Compact::Rows);
        assert_eq!(
            layout.used(&a),
            [[1, 2], [2, 2], [2, 2], [0, 0], [0, 0], [1, 2]]
        );
        let columns = laid(Rearrange::No, Compact::Columns, 1);
        assert_eq!(
            columns.used(&a),
            [[2, 2], [2, 1], [0, 0], [2, 2], [0, 0], [0, 0]]
        );
        let values: Vec<f32> = (0..24u8).map(f32::from).collect();
        assert_eq!(layout.placed(&values)[8..12], [9.0, 11.0, 0.0, 0.0]);
        // Three arrays by columns, four by rows.
        let smaller = laid(Rearrange::No, Compact::Smaller, 1);
        assert_eq!(smaller, laid(Rearrange::No, Compact::Columns, 1));
        assert!(smaller.compacts);
        let (a, _) = layer(Rearrange::No, Compact::No);
        assert!(layout.moves_rows(&a) && !smaller.moves_rows(&a));
    }

    /// Cells and places are inverse to each other, whatever is asked for, and only zeros are dropped.
    #[test]
    fn every_weight_has_one_place() {
        for &rearrange in <Rearrange as crate::choice::Choice>::ALL {
            for &compact in <Compact as crate::choice::Choice>::ALL {
                for groups in [1, 2, 3] {
                    let layout = laid(rearrange, compact, groups);
                    let mut seen = 0;
                    for (cell, &place) in layout.places.iter().enumerate() {
                        match place {
                            GONE => assert_eq!(CODES[cell], 0),
                            place => {
                                assert_eq!(layout.cells[place as usize], cell as u32);
                                seen += 1;
                            }
                        }
                    }
                    let held = layout.cells.iter().filter(|c| **c != GONE).count();
                    assert_eq!((seen, 24 - seen), (held, layout.dropped()));
                }
            }
        }
        let (a, size) = layer(Rearrange::No, Compact::No);
        assert_eq!(
            Layout::natural(&a, &size),
            laid(Rearrange::No, Compact::No, 1)
        );
    }
}
