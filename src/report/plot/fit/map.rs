//! Deviations over the places of an array.

use std::collections::BTreeMap;

use super::super::Figure;
use super::super::colour::{ColourBar, colour};
use super::super::svg::{Anchor, Svg};
use super::both;
use crate::fit::Fit;
use crate::report::text::{compact, count};

/// Most rows or columns of the map; more are joined.
const MOST: usize = 48;
const LEFT: f64 = 46.0;
/// Room of the colour scale to the right.
const BAR: f64 = 92.0;

/// Cells at a place: their number and the sum of their deviations.
#[derive(Default, Clone, Copy)]
struct Sum {
    n: usize,
    sum: f64,
}

/// Rows or columns that are joined into one of the map.
struct Axis {
    first: u32,
    joined: u32,
    n: usize,
}

impl Axis {
    fn new(places: impl Iterator<Item = u32> + Clone) -> Option<Self> {
        let (first, last) = (places.clone().min()?, places.max()?);
        let all = (last - first) as usize + 1;
        let joined = all.div_ceil(MOST);
        Some(Self {
            first,
            joined: joined as u32,
            n: all.div_ceil(joined),
        })
    }

    fn of(&self, place: u32) -> usize {
        ((place - self.first) / self.joined) as usize
    }

    fn label(&self, i: usize) -> String {
        (self.first + i as u32 * self.joined).to_string()
    }
}

/// Mean deviation at every place over all arrays; `None` where no places are known.
pub(in crate::report) fn figure(fit: &Fit) -> Option<Figure> {
    both(|wide| draw(fit, wide))
}

/// Deviations of cells with a place, place by place and square by square.
struct Sums {
    rows: Axis,
    columns: Axis,
    squares: Vec<Sum>,
    places: BTreeMap<[u32; 2], Sum>,
    arrays: usize,
}

impl Sums {
    fn new(fit: &Fit) -> Option<Self> {
        let placed = || {
            let samples = fit.samples.iter();
            samples.filter_map(|s| Some((s, s.place?, s.deviate?)))
        };
        let rows = Axis::new(placed().map(|(_, [row, _], _)| row))?;
        let columns = Axis::new(placed().map(|(_, [_, col], _)| col))?;
        let mut squares = vec![Sum::default(); rows.n * columns.n];
        let mut places: BTreeMap<[u32; 2], Sum> = BTreeMap::new();
        let mut arrays: Vec<(u32, u32)> = vec![];
        for (sample, [row, col], z) in placed() {
            let square = rows.of(row) * columns.n + columns.of(col);
            for at in [&mut squares[square], places.entry([row, col]).or_default()] {
                at.n += 1;
                at.sum += z;
            }
            arrays.push((sample.chip, sample.array));
        }
        arrays.sort_unstable();
        arrays.dedup();
        (rows.n > 1 || columns.n > 1).then_some(Self {
            rows,
            columns,
            squares,
            places,
            arrays: arrays.len(),
        })
    }
}

impl Sum {
    fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }
}

fn draw(fit: &Fit, wide: f64) -> Option<Figure> {
    let sums = Sums::new(fit)?;
    let (rows, columns) = (&sums.rows, &sums.columns);
    let cell = ((wide - LEFT - BAR) / columns.n as f64)
        .min(340.0 / rows.n as f64)
        .min(34.0);
    let (width, height) = (cell * columns.n as f64, cell * rows.n as f64);
    let top = 34.0;
    let mut svg = Svg::new(wide);
    svg.text("soft small", (2.0, top - 12.0), Anchor::Start, "row");
    let known = sums.squares.iter().filter(|s| s.n > 0);
    let most = known.map(|s| s.mean().abs()).fold(1e-9, f64::max);
    for (i, sum) in sums.squares.iter().enumerate() {
        let (row, column) = (i / columns.n, i % columns.n);
        let at = (LEFT + column as f64 * cell, top + row as f64 * cell);
        if sum.n == 0 {
            svg.rect("empty", at, (cell, cell), None, "");
            continue;
        }
        let tip = format!(
            "row {}, column {}: {} standard deviations, {}",
            rows.label(row),
            columns.label(column),
            compact(sum.mean(), 2),
            count(sum.n as u64, "cell")
        );
        let fill = colour(0.5 + 0.5 * sum.mean() / most);
        svg.rect("cell", at, (cell, cell), Some(&fill), &tip);
    }
    labels(&mut svg, (rows, columns), cell, top);
    let bar = ColourBar {
        title: "mean (sd)",
        values: (-most, most),
        factor: 1.0,
    };
    let tall = height.max(170.0);
    bar.draw(&mut svg, (LEFT + width + 20.0, top), tall);
    let mut csv = String::from("row,col,cells,mean_deviation\n");
    for ([row, col], sum) in &sums.places {
        csv += &format!("{row},{col},{},{}\n", sum.n, sum.mean());
    }
    let title = "Deviations over rows and columns".to_string();
    let joined = match rows.joined.max(columns.joined) {
        1 => String::new(),
        _ => format!(
            " A square stands for {} x {} places.",
            rows.joined, columns.joined
        ),
    };
    Some(Figure {
        picture: svg.picture(top + tall + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Mean deviation from the mean of the same target in the same array, in standard deviations of the target, over {}.{joined}",
            count(sums.arrays as u64, "array")
        ),
        csv,
        file: "places.csv".into(),
    })
}

/// Numbers of rows and columns, as many as have room.
fn labels(svg: &mut Svg, (rows, columns): (&Axis, &Axis), cell: f64, top: f64) {
    let step = |room: f64| (room / cell).ceil().max(1.0) as usize;
    for i in (0..rows.n).step_by(step(16.0)) {
        let at = (LEFT - 8.0, top + (i as f64 + 0.5) * cell + 4.0);
        svg.text("soft small", at, Anchor::End, &rows.label(i));
    }
    let bottom = top + rows.n as f64 * cell;
    for i in (0..columns.n).step_by(step(34.0)) {
        let at = (LEFT + (i as f64 + 0.5) * cell, bottom + 17.0);
        svg.text("soft small", at, Anchor::Middle, &columns.label(i));
    }
    let middle = LEFT + columns.n as f64 * cell / 2.0;
    svg.text("soft", (middle, bottom + 38.0), Anchor::Middle, "column");
}
