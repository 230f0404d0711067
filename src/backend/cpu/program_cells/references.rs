//! Reference columns: what they take from a read plane.

use super::{Cells, Part};
use crate::effects::{Batch, Columns, levels, tiles};
use crate::program::Encoding;
use crate::random::{OFFSET_REFERENCE, REFERENCE};

/// What reference columns take from a read plane, per column tile and row.
#[derive(Debug)]
pub(super) struct Subtracted {
    /// Digit of the offset that a reference column holds, and what digit 0 conducts there.
    pub digit: f32,
    /// Mean deviation of their conductance.
    pub mean: Option<Vec<f32>>,
    /// Their variance relative to `G_max`.
    pub variance: Vec<f32>,
}

/// Columns that are programmed like the layer's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Copies {
    /// The layer's own.
    None,
    /// Reference columns: how many an array has, and the bits of their purpose.
    Reference(u32, u32),
}

impl Cells<'_> {
    /// What reference columns take from a read plane.
    pub(super) fn subtracted(&self, p: usize, poles: &[(usize, f32)]) -> Subtracted {
        let spec = self.layer.spec;
        let a = &spec.arrays;
        let units = a.level_units(a.slice_of(p));
        let real = matches!(a.encoding, Encoding::Offset { reference: 1.. });
        let digit = match a.encoding {
            Encoding::Offset { reference: 1.. } => self.digit(p, 0),
            Encoding::Differential { digital: false, .. } => 0.0,
            // Nothing takes what digit 0 conducts from a cell that is read alone.
            _ => -(a.g_min * units),
        };
        let copies = match (spec.reference_columns, a.encoding) {
            (0, Encoding::Offset { reference: n @ 1.. }) => Copies::Reference(n, OFFSET_REFERENCE),
            (0, _) => Copies::None,
            (n, _) => Copies::Reference(n, REFERENCE),
        };
        let Copies::Reference(n, flags) = copies else {
            return Subtracted {
                digit,
                mean: None,
                variance: Vec::new(),
            };
        };
        let mut mean = vec![0.0; a.col_tiles() * a.rows];
        let mut variance = mean.clone();
        let share = 1.0 / n as f32;
        for &(plane, sign) in poles {
            let mut part = Part::default();
            part.digits.resize(a.rows, self.digit(plane, 0));
            let mut common = vec![0.0; a.rows];
            // With a level table the nominal conductance is the table's.
            let nominal = match (&a.levels, real) {
                (Some(table), false) => levels::by_table(table, part.digits[0]),
                _ => self.ideal(plane)(part.digits[0]),
            };
            for c in 0..a.col_tiles() {
                for (r, rows) in tiles(&a.tile_rows, 0..a.rows) {
                    common[rows].fill(self.deviation(plane, r, c));
                }
                for j in 0..n as usize {
                    let copy = (plane * a.col_tiles() + c) * n as usize + j;
                    let batch = Batch {
                        plane,
                        columns: Columns::Reference(c),
                        first: (copy * a.rows) as u32,
                        flags,
                        common: &common,
                    };
                    self.write(&batch, &mut part);
                    let own = c * a.rows..(c + 1) * a.rows;
                    let sums = mean[own.clone()].iter_mut().zip(&mut variance[own]);
                    for (row, ((mean, variance), g)) in sums.zip(&part.cells.g).enumerate() {
                        *mean += sign * share * (g - nominal);
                        *variance += share * share * part.closed(row) * self.variance(&part, row);
                    }
                }
            }
        }
        Subtracted {
            digit,
            mean: Some(mean),
            variance,
        }
    }
}
