//! Vector form of open lines.

use super::OpenLines;
use crate::effects::{Batch, Buffers, Columns, Layer, Step};
use crate::random::Purpose;

/// The open lines of a layer on a chip.
pub(super) struct Broken<'a> {
    layer: &'a Layer<'a>,
    /// Open rows, `[cell plane][column tile][row]`, if any can be.
    rows: Vec<bool>,
    /// Open columns, `[cell plane][row tile][column]`.
    cols: Vec<bool>,
}

impl<'a> Broken<'a> {
    pub fn new(open: OpenLines, layer: &'a Layer<'a>) -> Self {
        let l = &layer.lines;
        let (mut rows, mut cols) = (Vec::new(), Vec::new());
        if open.row > 0.0 {
            let stream = layer.stream(Purpose::OpenRow, 0);
            for plane in 0..l.planes {
                for c in 0..l.col_tiles() {
                    for row in 0..l.rows {
                        let address = l.array(plane, l.row_tile(row), c) * l.rows + row;
                        rows.push(stream.uniform(address as u32) < open.row);
                    }
                }
            }
        }
        if open.col > 0.0 {
            let stream = layer.stream(Purpose::OpenColumn, 0);
            for plane in 0..l.planes {
                for r in 0..l.tile_rows.len() - 1 {
                    for col in 0..l.cols {
                        let address = l.array(plane, r, l.col_tile(col)) * l.cols + col;
                        cols.push(stream.uniform(address as u32) < open.col);
                    }
                }
            }
        }
        Self { layer, rows, cols }
    }

    fn row_is_open(&self, plane: usize, tile: usize, row: usize) -> bool {
        let l = &self.layer.lines;
        let at = (plane * l.col_tiles() + tile) * l.rows + row;
        self.rows.get(at).is_some_and(|open| *open)
    }

    fn column_is_open(&self, plane: usize, row_tile: usize, col: usize) -> bool {
        let l = &self.layer.lines;
        let at = (plane * (l.tile_rows.len() - 1) + row_tile) * l.cols + col;
        self.cols.get(at).is_some_and(|open| *open)
    }
}

impl Step for Broken<'_> {
    fn apply(&self, batch: &Batch, cells: &mut Buffers) {
        let (l, plane) = (&self.layer.lines, batch.plane);
        let closed = |open: bool| if open { 0.0 } else { 1.0 };
        cells.closed.clear();
        match &batch.columns {
            Columns::Own(range) => cells.closed.extend(range.clone().map(|i| {
                let (col, row) = (i / l.rows, i % l.rows);
                let open = self.row_is_open(plane, l.col_tile(col), row)
                    || self.column_is_open(plane, l.row_tile(row), col);
                closed(open)
            })),
            Columns::Reference(tile) => {
                let rows = (0..l.rows).map(|row| closed(self.row_is_open(plane, *tile, row)));
                cells.closed.extend(rows);
            }
        }
        for (g, closed) in cells.g.iter_mut().zip(&cells.closed) {
            *g *= closed;
        }
    }
}
