//! Reference columns: what they take from a read plane.

use super::{Cells, Part, tiles};
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
    /// Reference columns, so many an array.
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
            part.e.resize(a.rows, 0.0);
            // With a level table the nominal conductance is the table's.
            let nominal = match (&a.levels, real) {
                (Some(levels), false) => {
                    let v = part.digits[0];
                    let below = v as usize;
                    0.5 * (levels[below] + levels[below + usize::from(v.fract() > 0.0)])
                }
                _ => self.ideal(plane)(part.digits[0]),
            };
            for c in 0..a.col_tiles() {
                for (r, rows) in tiles(a, 0..a.rows) {
                    part.e[rows].fill(self.deviation(plane, r, c));
                }
                for j in 0..n as usize {
                    let copy = (plane * a.col_tiles() + c) * n as usize + j;
                    self.write(plane, flags, copy * a.rows, &mut part);
                    let own = c * a.rows..(c + 1) * a.rows;
                    let sums = mean[own.clone()].iter_mut().zip(&mut variance[own]);
                    for (row, ((mean, variance), g)) in sums.zip(&part.g).enumerate() {
                        let open = self.row_is_open(plane, c, row);
                        let closed = if open { 0.0 } else { 1.0 };
                        *mean += sign * share * (closed * g - nominal);
                        *variance += share * share * closed * self.variance(&part, row);
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
