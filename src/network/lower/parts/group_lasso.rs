//! Terms of the loss that draw groups of weights to 0.

use super::*;

/// Weights of a layer's matrix (a row an input, a column an output channel) that go to 0 together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Every weight for itself: L1.
    Weights,
    /// Columns.
    Filters,
    /// The rows of an input channel.
    Channels,
    /// Rows.
    Rows,
    /// Pieces of a column with so many rows.
    ColumnSegments(usize),
    /// Pieces of a row with so many columns.
    RowSegments(usize),
}

/// `factor` times the sum over groups of the root of their squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalty {
    /// What goes together.
    pub groups: Groups,
    /// Factor.
    pub factor: f32,
}

impl Penalty {
    /// Adds the gradient of the term to `dw`.
    pub(super) fn lower(&self, geo: &ConvGeometry, w: TensorId, dw: TensorId) -> Op {
        let (cols, rows) = (geo.c_out, geo.rows());
        let tile = match self.groups {
            Groups::Weights => (1, 1),
            Groups::Filters => (1, rows),
            Groups::Channels => (cols, geo.kh * geo.kw),
            Groups::Rows => (cols, 1),
            Groups::ColumnSegments(n) => (1, n),
            Groups::RowSegments(n) => (n, 1),
        };
        Op::from(GroupLassoGrad {
            w,
            dw,
            rows,
            tile,
            factor: self.factor,
        })
    }
}
