//! Which digits are 0, and what of the arrays is left without them.

use std::ops::Range;

use crate::config::chip::ArraySize;
use crate::program::{Arrays, Encoding};

/// Rows of a row tile, columns of a column tile.
pub(super) fn lines(cuts: &[u32], tile: usize) -> Range<usize> {
    cuts[tile] as usize..cuts[tile + 1] as usize
}

/// Name of a cell plane's polarity.
pub(super) fn polarity(arrays: &Arrays, plane: usize) -> &'static str {
    match (arrays.encoding, plane % 2) {
        (Encoding::Offset { .. }, _) => "offset",
        (Encoding::Differential { .. }, 0) => "positive",
        (Encoding::Differential { .. }, _) => "negative",
    }
}

/// Non-zero values of a plane `[column][row]` in every tile, `[row tile][column tile]`.
pub(super) fn non_zero(arrays: &Arrays, plane: &[f32]) -> Vec<u64> {
    let mut found = Vec::with_capacity(arrays.row_tiles() * arrays.col_tiles());
    for r in 0..arrays.row_tiles() {
        let rows = lines(&arrays.tile_rows, r);
        for c in 0..arrays.col_tiles() {
            let columns = lines(&arrays.tile_cols, c);
            let of = |col: usize| {
                let cells = &plane[col * arrays.rows..][rows.clone()];
                cells.iter().filter(|v| **v != 0.0).count() as u64
            };
            found.push(columns.map(of).sum());
        }
    }
    found
}

/// Tiles of a plane before and after compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compaction {
    /// Tiles.
    pub tiles: usize,
    /// Tiles without anything but zeros.
    pub zero: usize,
    /// Tiles that hold what is left when zero column segments are dropped.
    pub by_columns: usize,
    /// The same with row segments.
    pub by_rows: usize,
}

impl Compaction {
    /// Of a plane `[column][row]` of a layer with so many channel groups. A segment is the part of a column (row) in a tile.
    /// Column segments of a row of tiles read the same inputs, so those of a channel group can stand side by side; row
    /// segments of a column of tiles add to the same outputs and can stand one above the other.
    pub fn new(arrays: &Arrays, size: &ArraySize, groups: usize, plane: &[f32]) -> Self {
        let (row_tiles, col_tiles) = (arrays.row_tiles(), arrays.col_tiles());
        let filled = |col: usize, row: usize| plane[col * arrays.rows + row] != 0.0;
        let width = arrays.cols / groups.max(1);
        let by_columns = (0..row_tiles).flat_map(|r| {
            let rows = lines(&arrays.tile_rows, r);
            let left = move |group: usize| {
                let columns = group * width..(group + 1) * width;
                let used = columns.filter(|&col| rows.clone().any(|row| filled(col, row)));
                used.count().div_ceil(size.cols)
            };
            (0..groups).map(left)
        });
        let by_rows = (0..col_tiles).map(|c| {
            let columns = lines(&arrays.tile_cols, c);
            let used = |row: &usize| columns.clone().any(|col| filled(col, *row));
            (0..arrays.rows).filter(used).count().div_ceil(size.rows)
        });
        let found = non_zero(arrays, plane);
        Self {
            tiles: row_tiles * col_tiles,
            zero: found.iter().filter(|n| **n == 0).count(),
            by_columns: by_columns.sum(),
            by_rows: by_rows.sum(),
        }
    }

    /// Tiles after compaction one way, the better one.
    pub fn after(&self) -> usize {
        self.by_columns.min(self.by_rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::chip::Split;
    use crate::mapping::cuts;

    fn arrays(cols: usize, rows: usize, size: &ArraySize, groups: usize) -> Arrays {
        let cut = |n, most| cuts(n, most, size.split);
        let group = cols / groups;
        let starts = |g: usize| {
            let inside = cut(group, size.cols);
            let n = inside.len() - 1;
            inside
                .into_iter()
                .take(n)
                .map(move |c| (g * group + c) as u32)
        };
        let tile_cols = (0..groups).flat_map(starts).chain([cols as u32]);
        Arrays {
            cols,
            rows,
            tile_rows: cut(rows, size.rows).into_iter().map(|r| r as u32).collect(),
            tile_cols: tile_cols.collect(),
            slice_bits: [2].into(),
            equal_slices: 1,
            weight_bits: 3,
            encoding: Encoding::Differential {
                two_sided: false,
                digital: false,
            },
            g_min: 0.0,
            levels: None,
        }
    }

    fn size(rows: usize, cols: usize) -> ArraySize {
        ArraySize {
            rows,
            cols,
            split: Split::Filled,
            ..ArraySize::default()
        }
    }

    #[test]
    fn an_empty_plane_needs_no_tile_and_a_full_one_all() {
        let size = size(4, 3);
        let a = arrays(7, 9, &size, 1);
        let none = Compaction::new(&a, &size, 1, &[0.0; 63]);
        assert_eq!(
            (
                none.tiles,
                none.zero,
                none.by_columns,
                none.by_rows,
                none.after()
            ),
            (9, 9, 0, 0, 0)
        );
        let all = Compaction::new(&a, &size, 1, &[1.0; 63]);
        assert_eq!(
            (all.tiles, all.zero, all.by_columns, all.by_rows),
            (9, 0, 9, 9)
        );
    }

    #[test]
    fn segments_are_packed_within_their_line_of_tiles() {
        // 6 columns x 4 rows in tiles of 2 x 2: in the upper row of tiles one column of each tile is left, three in all: two
        // tiles; in the lower row of tiles nothing. Each column of tiles has one row left, or two: one tile each.
        let size = size(2, 2);
        let a = arrays(6, 4, &size, 1);
        let mut plane = vec![0.0; 24];
        for (col, row) in [(0, 0), (0, 1), (2, 1), (5, 0)] {
            plane[col * 4 + row] = 1.0;
        }
        let c = Compaction::new(&a, &size, 1, &plane);
        assert_eq!((c.tiles, c.zero, c.by_columns, c.by_rows), (6, 3, 2, 3));
        assert_eq!(non_zero(&a, &plane), [2, 1, 1, 0, 0, 0]);
        // Columns of two groups never share a tile: three in one group, one in the other.
        let a = arrays(6, 4, &size, 2);
        assert_eq!(a.tile_cols[..], [0, 2, 3, 5, 6]);
        let c = Compaction::new(&a, &size, 2, &plane);
        assert_eq!((c.tiles, c.by_columns, c.by_rows), (8, 2, 3));
    }

    #[test]
    fn a_tile_of_one_row_is_a_row_segment() {
        let size = size(1, 4);
        let a = arrays(4, 3, &size, 1);
        let mut plane = vec![0.0; 12];
        plane[1] = 2.0;
        let c = Compaction::new(&a, &size, 1, &plane);
        assert_eq!((c.tiles, c.zero, c.by_columns, c.by_rows), (3, 2, 1, 1));
    }
}
