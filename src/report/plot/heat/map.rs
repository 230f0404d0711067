//! A panel of a map: its cells, its axes and its lines.

use super::super::abscissa::Abscissa;
use super::super::colour::{colour, ink_on};
use super::super::contour::{Grid, Place};
use super::super::svg::{Anchor, Svg, text_width};
use super::{Heat, Limit, Panel};

/// Sizes of a map, px.
pub(super) struct Shape {
    pub columns: usize,
    pub panel: f64,
    pub left: f64,
    pub cell: (f64, f64),
    /// Whether numbers fit the cells.
    pub numbers: bool,
}

/// A panel as it is drawn.
pub(super) struct Map<'a> {
    pub heat: &'a Heat<'a>,
    pub scales: &'a [Abscissa; 2],
    pub shape: &'a Shape,
    pub range: (f64, f64),
    pub corner: (f64, f64),
    pub height: f64,
}

impl Map<'_> {
    pub fn draw(&self, svg: &mut Svg, panel: &Panel, limits: &[Limit]) {
        let (heat, shape) = (self.heat, self.shape);
        let [nx, ny] = [0, 1].map(|i| self.scales[i].values().len());
        for row in 0..ny {
            for column in 0..nx {
                self.cell(svg, (column, row), panel.cells[row * nx + column]);
            }
        }
        for limit in limits {
            self.limit(svg, panel, limit, (nx, ny));
        }
        let (left, top) = self.corner;
        let bottom = top + self.height;
        let width = shape.panel - 8.0;
        let [x, y] = [heat.x, heat.y].map(|a| heat.layout.axes[a].title_within(width));
        for (i, &v) in self.scales[1].values().iter().enumerate() {
            let at = bottom - (i as f64 + 0.5) * shape.cell.1 + 4.0;
            svg.text(
                "soft small",
                (left - 8.0, at),
                Anchor::End,
                &self.scales[1].label(v),
            );
        }
        // Every label, or every second and so on where they are wider than their cells.
        let labels: Vec<String> = self.scales[0]
            .values()
            .iter()
            .map(|&v| self.scales[0].label(v))
            .collect();
        let widest = labels
            .iter()
            .map(|l| text_width(l, 12.0))
            .fold(0.0, f64::max)
            + 8.0;
        let step = (widest / shape.cell.0).ceil().max(1.0) as usize;
        for (i, label) in labels.iter().enumerate().step_by(step) {
            let at = left + (i as f64 + 0.5) * shape.cell.0;
            svg.text("soft small", (at, bottom + 17.0), Anchor::Middle, label);
        }
        let y = self.scales[1].title(&y);
        svg.text(
            "soft small",
            (left - shape.left + 4.0, top - 9.0),
            Anchor::Start,
            &y,
        );
        let middle = left + nx as f64 * shape.cell.0 / 2.0;
        let x = self.scales[0].title(&x);
        svg.text("soft", (middle, bottom + 38.0), Anchor::Middle, &x);
    }

    /// Upper left corner of a cell.
    fn at(&self, (column, row): (f64, f64)) -> (f64, f64) {
        let (w, h) = self.shape.cell;
        (
            self.corner.0 + column * w,
            self.corner.1 + self.height - (row + 1.0) * h,
        )
    }

    fn cell(&self, svg: &mut Svg, (column, row): (usize, usize), point: Option<usize>) {
        let heat = self.heat;
        let (x, y) = self.at((column as f64, row as f64));
        let size = self.shape.cell;
        let value = heat.point(point).map_or(f64::NAN, |p| heat.statistic.of(p));
        let (Some(p), true) = (point, value.is_finite()) else {
            svg.rect("empty", (x, y), size, None, "not simulated");
            return;
        };
        let t = (value - self.range.0) / (self.range.1 - self.range.0);
        let tip = format!(
            "{}: {}",
            heat.layout.name(p),
            heat.statistic.text_at(&heat.result.points[p], heat.result)
        );
        svg.rect("cell", (x, y), size, Some(&colour(t)), &tip);
        if self.shape.numbers {
            let middle = (x + size.0 / 2.0, y + size.1 / 2.0 + 4.0);
            let text = heat.statistic.text(value, heat.result);
            svg.text(
                &format!("small {}", ink_on(t)),
                middle,
                Anchor::Middle,
                &text,
            );
        }
    }

    /// Draws the line of a limit: along the cells' edges where they have numbers, else through them.
    fn limit(&self, svg: &mut Svg, panel: &Panel, limit: &Limit, (nx, ny): (usize, usize)) {
        let value = |p: &Option<usize>| {
            self.heat
                .point(*p)
                .map_or(f64::NAN, |p| limit.statistic.of(p))
        };
        let values: Vec<f64> = panel.cells.iter().map(value).collect();
        let pieces = match self.shape.numbers {
            true => edges(&values, nx, ny, limit.level),
            false => {
                let grid = Grid {
                    columns: nx,
                    rows: ny,
                    values: &values,
                };
                // Values are in the middle of their cells.
                let middle = |(x, y): Place| (x + 0.5, y - 0.5);
                let pieces = grid.contour(limit.level).into_iter();
                pieces.map(|piece| piece.map(middle)).collect()
            }
        };
        let pieces: Vec<[Place; 2]> = pieces
            .into_iter()
            .map(|piece| piece.map(|p| self.at(p)))
            .collect();
        svg.limit(limit.dashed, &pieces);
    }
}

/// Edges between neighbouring cells on different sides of a level, in columns and rows as [`Map::at`] takes them.
fn edges(values: &[f64], nx: usize, ny: usize, level: f64) -> Vec<[Place; 2]> {
    let side = |x: usize, y: usize| {
        values
            .get(y * nx + x)
            .filter(|v| v.is_finite())
            .map(|v| *v >= level)
    };
    let differ = |a: Option<bool>, b: Option<bool>| a.zip(b).is_some_and(|(a, b)| a != b);
    let mut pieces = vec![];
    for y in 0..ny {
        for x in 0..nx {
            let (column, row) = (x as f64, y as f64);
            if x + 1 < nx && differ(side(x, y), side(x + 1, y)) {
                pieces.push([(column + 1.0, row - 1.0), (column + 1.0, row)]);
            }
            if y + 1 < ny && differ(side(x, y), side(x, y + 1)) {
                pieces.push([(column, row), (column + 1.0, row)]);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stairs go between what reaches the limit and what does not, and nowhere else.
    #[test]
    fn edges_separate_cells() {
        let values = [0.9, 0.7, 0.9, 0.9, f64::NAN, 0.9];
        let found = edges(&values, 3, 2, 0.8);
        assert_eq!(
            found,
            [[(1.0, -1.0), (1.0, 0.0)], [(2.0, -1.0), (2.0, 0.0)]]
        );
        assert!(edges(&values, 3, 2, 0.1).is_empty());
    }
}
