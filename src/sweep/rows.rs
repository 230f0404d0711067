//! Rows of chips without holding all of them.

use super::result::ChipRow;
use crate::error::Result;

/// Rows as they come.
pub type RowIter<'a> = Box<dyn Iterator<Item = Result<ChipRow>> + 'a>;

/// The rows of a sweep: in memory, or read from a journal as they are wanted.
pub trait Rows {
    /// The rows of a point in ascending order of the chips.
    ///
    /// # Errors
    /// A row that cannot be read.
    fn of_point(&self, point: usize) -> Result<RowIter<'_>>;

    /// The rows of the first `points` points, one point after another.
    fn of_points(&self, points: usize) -> RowIter<'_> {
        let of_point = |point| -> RowIter<'_> {
            let rows = self.of_point(point);
            rows.unwrap_or_else(|e| Box::new(std::iter::once(Err(e))))
        };
        Box::new((0..points).flat_map(of_point))
    }

    /// At most the first `most` rows of each of `points` points.
    ///
    /// # Errors
    /// A row that cannot be read.
    fn first(&self, points: usize, most: usize) -> Result<Vec<ChipRow>> {
        let mut rows = Vec::new();
        for point in 0..points {
            for row in self.of_point(point)?.take(most) {
                rows.push(row?);
            }
        }
        Ok(rows)
    }
}

impl Rows for Vec<ChipRow> {
    fn of_point(&self, point: usize) -> Result<RowIter<'_>> {
        let mut own: Vec<ChipRow> = self.iter().filter(|r| r.point == point).cloned().collect();
        own.sort_by_key(|r| r.chip);
        Ok(Box::new(own.into_iter().map(Ok)))
    }
}
