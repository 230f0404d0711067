//! The line along which a quantity on a grid has a given value.
//!
//! Marching squares (Lorensen and Cline's method in two dimensions, SIGGRAPH 1987): in every rectangle of four neighbours the
//! line runs straight between the places on its edges where linear interpolation gives the value. A rectangle whose
//! diagonals lie on different sides is decided by the mean of its corners. Rectangles with an unknown corner have no line.

/// A place on the grid, in columns and rows; values are at whole numbers.
pub(super) type Place = (f64, f64);

/// Values on a grid.
pub(super) struct Grid<'a> {
    pub columns: usize,
    pub rows: usize,
    /// Row by row; `NaN` where there is none.
    pub values: &'a [f64],
}

impl Grid<'_> {
    /// The straight pieces of the contour of `level`.
    pub fn contour(&self, level: f64) -> Vec<[Place; 2]> {
        let mut pieces = vec![];
        for y in 0..self.rows.saturating_sub(1) {
            for x in 0..self.columns.saturating_sub(1) {
                self.rectangle(x, y, level, &mut pieces);
            }
        }
        pieces
    }

    fn at(&self, x: usize, y: usize) -> f64 {
        self.values[y * self.columns + x]
    }

    fn rectangle(&self, x: usize, y: usize, level: f64, pieces: &mut Vec<[Place; 2]>) {
        // Around the rectangle.
        let places = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
        let corners = places.map(|(x, y)| self.at(x, y) - level);
        if corners.iter().any(|c| !c.is_finite()) {
            return;
        }
        let cut = |i: usize| {
            let j = (i + 1) % 4;
            let ((a, b), t) = (
                (places[i], places[j]),
                corners[i] / (corners[i] - corners[j]),
            );
            let mix = |a: usize, b: usize| a as f64 + t * (b as f64 - a as f64);
            (mix(a.0, b.0), mix(a.1, b.1))
        };
        let is_cut = |i: &usize| (corners[*i] >= 0.0) != (corners[(i + 1) % 4] >= 0.0);
        let cuts: Vec<usize> = (0..4).filter(is_cut).collect();
        match cuts[..] {
            [a, b] => pieces.push([cut(a), cut(b)]),
            [_, _, _, _] => {
                let middle = corners.iter().sum::<f64>() / 4.0;
                // Edges 3 and 0 meet at corner 0: they are joined where the middle is on the other side.
                let pairs = match (middle >= 0.0) == (corners[0] >= 0.0) {
                    true => [[0, 1], [2, 3]],
                    false => [[3, 0], [1, 2]],
                };
                pieces.extend(pairs.map(|[a, b]| [cut(a), cut(b)]));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(columns: usize, rows: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let at = |i: usize| f((i % columns) as f64, (i / columns) as f64);
        (0..columns * rows).map(at).collect()
    }

    /// Of a plane the line is exact, and it goes through the whole grid.
    #[test]
    fn a_plane_has_a_straight_line() {
        let values = sampled(5, 4, |x, y| 0.3 * x + 0.7 * y - 0.1);
        let grid = Grid {
            columns: 5,
            rows: 4,
            values: &values,
        };
        let pieces = grid.contour(1.05);
        let mut reach = (f64::INFINITY, f64::NEG_INFINITY);
        for (x, y) in pieces.iter().flatten() {
            assert!((0.3 * x + 0.7 * y - 1.15).abs() < 1e-12, "{x} {y}");
            reach = (reach.0.min(*x), reach.1.max(*x));
        }
        assert!(
            reach.0.abs() < 1e-12 && (reach.1 - 3.833).abs() < 1e-3,
            "{reach:?}"
        );
        assert!(grid.contour(9.0).is_empty());
    }

    /// A circle's line is closed, and as long as the circle up to the grid's coarseness.
    #[test]
    fn a_circle_is_closed() {
        let values = sampled(21, 21, |x, y| (x - 10.0).hypot(y - 10.0));
        let grid = Grid {
            columns: 21,
            rows: 21,
            values: &values,
        };
        let pieces = grid.contour(6.3);
        let length: f64 = pieces
            .iter()
            .map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1))
            .sum();
        assert!(
            (length / (std::f64::consts::TAU * 6.3) - 1.0).abs() < 0.01,
            "{length}"
        );
        for end in pieces.iter().flatten() {
            let near = |other: &&Place| (end.0 - other.0).hypot(end.1 - other.1) < 1e-9;
            assert_eq!(pieces.iter().flatten().filter(near).count(), 2, "{end:?}");
        }
    }

    /// A saddle is decided by its middle, and unknown corners have no line.
    #[test]
    fn saddles_and_gaps() {
        let saddle = |low: f64| {
            let values = [1.0, low, low, 1.0];
            let grid = Grid {
                columns: 2,
                rows: 2,
                values: &values,
            };
            grid.contour(0.0)
        };
        let is_near = |found: [Place; 2], want: [Place; 2]| {
            let off = |i: usize| (found[i].0 - want[i].0).abs() + (found[i].1 - want[i].1).abs();
            assert!(off(0) + off(1) < 1e-12, "{found:?}");
        };
        // Corner 0 is above. The middle is, too: the lines cut off the corners that are below.
        is_near(saddle(-0.5)[0], [(2.0 / 3.0, 0.0), (1.0, 1.0 / 3.0)]);
        // The middle is not: they cut off corner 0.
        is_near(saddle(-2.0)[0], [(0.0, 1.0 / 3.0), (1.0 / 3.0, 0.0)]);
        let gap = [1.0, f64::NAN, -1.0, -1.0];
        let grid = Grid {
            columns: 2,
            rows: 2,
            values: &gap,
        };
        assert!(grid.contour(0.0).is_empty());
    }
}
