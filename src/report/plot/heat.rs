//! A statistic over two numeric axes as a map, with the line where the yield limit is reached.

mod map;

use super::abscissa::Abscissa;
use super::colour::ColourBar;
use super::lines::title_lines;
use super::statistic::Statistic;
use super::svg::{Anchor, Key, Svg, legend, text_width};
use super::{Figure, NARROW, WIDTH};
use crate::report::layout::Layout;
use crate::report::text::{compact, csv_field};
use crate::sweep::result::{PointSummary, SweepResult};
use map::{Map, Shape};

/// Most panels drawn; the data have the others.
const MAX_PANELS: usize = 12;

/// Fewest values of an axis of a map that the page draws by itself.
const FEWEST: usize = 3;

const GAP: f64 = 30.0;
/// Room of the colour scale to the right.
const BAR: f64 = 92.0;
/// Size of the numbers in the cells, px.
const NUMBER: f64 = 12.0;

/// What is drawn.
pub(in crate::report) struct Heat<'a> {
    pub result: &'a SweepResult,
    pub layout: &'a Layout,
    pub statistic: Statistic,
    /// Axes, by their indices.
    pub x: usize,
    pub y: usize,
    /// Value of the line, where it is not the yield limit.
    pub limit: Option<f64>,
    /// Width of the picture, px.
    pub width: f64,
}

/// A line of the map: where a statistic has a value.
struct Limit {
    statistic: Statistic,
    level: f64,
    dashed: bool,
    label: String,
}

impl Limit {
    fn new(statistic: Statistic, level: f64, dashed: bool) -> Self {
        let at = compact(statistic.factor() * level, 4);
        let label = match statistic {
            Statistic::Q05 => format!("95 % of the chips reach {at} %"),
            Statistic::Yield => format!("{at} % of the chips yield"),
            s if s.is_accuracy() => format!("{} {at} %", s.words()),
            s => format!("{} {at}", s.words()),
        };
        Self {
            statistic,
            level,
            dashed,
            label,
        }
    }
}

/// A panel: points by column and row of the grid.
struct Panel {
    title: Vec<String>,
    cells: Vec<Option<usize>>,
}

/// The map of the mean accuracy, where two numeric axes make a grid of at least three by three.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let x = layout.x?;
    let heat = |y: usize, width: f64| Heat {
        result,
        layout,
        statistic: Statistic::Mean,
        x,
        y,
        limit: None,
        width,
    };
    let others = layout.varying.iter().copied();
    let others = others.filter(|&y| y != x && heat(y, WIDTH).is_grid());
    let y = others.max_by_key(|&a| (layout.axes[a].n_distinct(), usize::MAX - a))?;
    Some(Figure {
        narrow: Some(heat(y, NARROW).figure().picture),
        ..heat(y, WIDTH).figure()
    })
}

impl Heat<'_> {
    /// The map.
    pub fn figure(&self) -> Figure {
        let (svg, height) = self.draw();
        let [x, y] = [self.x, self.y].map(|a| self.layout.axes[a].words());
        let title = format!(
            "{} over {x} and {y}",
            super::sentence(&self.statistic.words())
        );
        Figure {
            picture: svg.picture(height, &title),
            narrow: None,
            title,
            caption: self.caption(),
            csv: self.csv(),
            file: format!("{}_map.csv", self.statistic.name()),
        }
    }

    /// Whether the points fill most cells: settings that follow each other, or points of a random design, do not.
    fn is_grid(&self) -> bool {
        let numeric = [self.x, self.y]
            .iter()
            .all(|&a| self.layout.axes[a].is_abscissa());
        if !numeric {
            return false;
        }
        let scales = self.scales();
        let panels = self.panels(&scales);
        let [nx, ny] = [0, 1].map(|i| scales[i].values().len());
        let filled = panels.iter().flat_map(|p| &p.cells).flatten().count();
        nx.min(ny) >= FEWEST
            && panels.len() <= MAX_PANELS
            && 10 * filled >= 6 * panels.len() * nx * ny
    }

    fn scales(&self) -> [Abscissa; 2] {
        [self.x, self.y].map(|a| {
            let axis = &self.layout.axes[a];
            let numbers = (0..axis.values.len()).filter_map(|p| axis.number(p));
            Abscissa::new(axis, numbers)
        })
    }

    /// Lines of the map: those with points on both sides.
    fn limits(&self) -> Vec<Limit> {
        let mut lines = self.levels();
        lines.retain(|l| self.side(l).is_none());
        lines
    }

    /// Whether all points are on one side of a line, and on which.
    fn side(&self, limit: &Limit) -> Option<bool> {
        let values = self.result.points.iter().map(|p| limit.statistic.of(p));
        let mut sides = values.filter(|v| v.is_finite()).map(|v| v >= limit.level);
        let first = sides.next()?;
        sides.all(|side| side == first).then_some(first)
    }

    /// Lines that are asked for, wherever the points are.
    fn levels(&self) -> Vec<Limit> {
        if let Some(level) = self.limit {
            let level = level / self.statistic.factor();
            return vec![Limit::new(self.statistic, level, false)];
        }
        let points = &self.result.points;
        let first = points.first().map_or(f64::NAN, |p| p.yield_limit);
        if !self.statistic.is_accuracy() || !points.iter().all(|p| p.yield_limit == first) {
            return vec![];
        }
        match self.statistic {
            Statistic::Mean => vec![
                Limit::new(Statistic::Mean, first, false),
                Limit::new(Statistic::Q05, first, true),
            ],
            other => vec![Limit::new(other, first, other == Statistic::Q05)],
        }
    }

    /// The panels: one for every combination of values of the other axes.
    fn panels(&self, scales: &[Abscissa; 2]) -> Vec<Panel> {
        let others = self.layout.beside(&[self.x, self.y]);
        let mut panels: Vec<(String, Panel)> = vec![];
        let [nx, ny] = [0, 1].map(|i| scales[i].values().len());
        for p in 0..self.result.points.len() {
            let title = self.layout.phrase_of(&others, p);
            let place = [(self.x, 0), (self.y, 1)].map(|(axis, i)| {
                let value = self.layout.axes[axis].number(p)?;
                scales[i].values().iter().position(|v| *v == value)
            });
            let [Some(column), Some(row)] = place else {
                continue;
            };
            let found = panels.iter().position(|(own, _)| *own == title);
            let i = found.unwrap_or_else(|| {
                let cells = vec![None; nx * ny];
                let lines = if title.is_empty() {
                    vec![]
                } else {
                    vec![title.clone()]
                };
                panels.push((
                    title,
                    Panel {
                        title: lines,
                        cells,
                    },
                ));
                panels.len() - 1
            });
            panels[i].1.cells[row * nx + column].get_or_insert(p);
        }
        panels.into_iter().map(|(_, panel)| panel).collect()
    }

    fn point(&self, p: Option<usize>) -> Option<&PointSummary> {
        self.result.points.get(p?)
    }

    fn caption(&self) -> String {
        let scales = self.scales();
        let panels = self.panels(&scales);
        let shape = self.shape(&scales, panels.len());
        let limits = self.limits();
        let mut text = super::sentence(&format!("{} by colour", self.statistic.words()));
        if shape.numbers {
            text.push_str(" and number");
        }
        text.push_str(". Cells are equally wide, whatever the distance of their values.");
        for limit in &limits {
            let line = if limit.dashed { "dashed" } else { "solid" };
            text.push_str(&format!(" The {line} line: {}", limit.label));
            text.push_str(match shape.numbers {
                true => ", between cells on either side of it.",
                false => ", interpolated linearly between the points.",
            });
        }
        for limit in self.levels() {
            match self.side(&limit) {
                Some(true) => text.push_str(&format!(" At every point at least: {}.", limit.label)),
                Some(false) => text.push_str(&format!(" At no point: {}.", limit.label)),
                None => {}
            }
        }
        if panels.iter().any(|p| p.cells.contains(&None)) {
            text.push_str(" Empty cells were not simulated.");
        }
        text.push_str(&format!(
            " {} The intervals are in the data.",
            self.statistic.basis(self.result)
        ));
        if panels.len() > MAX_PANELS {
            text.push_str(&format!(
                " {} further panels are in the data.",
                panels.len() - MAX_PANELS
            ));
        }
        text
    }

    /// One row per cell.
    fn csv(&self) -> String {
        let [x, y] = [self.x, self.y].map(|a| csv_field(&self.layout.axes[a].name));
        let others = self.layout.beside(&[self.x, self.y]);
        let name = self.statistic.name();
        let mut out = format!("point,panel,{x},{y},{name},lo95,hi95,yield_limit,chips,images\n");
        for (p, point) in self.result.points.iter().enumerate() {
            let ci = self.statistic.interval(point);
            let at = [self.x, self.y].map(|a| {
                let number = self.layout.axes[a].number(p);
                number.map_or(String::new(), |v| v.to_string())
            });
            out.push_str(&format!(
                "{p},{},{},{},{},{},{},{},{},{}\n",
                csv_field(&self.layout.phrase_of(&others, p)),
                at[0],
                at[1],
                self.statistic.of(point),
                ci.lo,
                ci.hi,
                point.yield_limit,
                point.chips,
                point.images
            ));
        }
        out.replace("NaN", "")
    }

    fn shape(&self, scales: &[Abscissa; 2], panels: usize) -> Shape {
        let labels = scales[1]
            .values()
            .iter()
            .map(|&v| text_width(&scales[1].label(v), 12.0));
        let left = labels.fold(0.0, f64::max) + 14.0;
        let columns = ((self.width - BAR) / 330.0).floor().clamp(1.0, 3.0) as usize;
        let columns = columns.min(panels).max(1);
        let room = self.width - BAR - GAP * (columns as f64 - 1.0);
        let panel = room / columns as f64;
        let [nx, ny] = [0, 1].map(|i| scales[i].values().len().max(1) as f64);
        let cell = (panel - left) / nx;
        let cell = (cell, (0.62 * cell).clamp(20.0, 44.0).min(420.0 / ny));
        let points = self.result.points.iter();
        let widest = points.map(|p| {
            text_width(
                &self.statistic.text(self.statistic.of(p), self.result),
                NUMBER,
            )
        });
        let numbers = widest.fold(0.0, f64::max) + 6.0 < cell.0 && cell.1 >= NUMBER + 6.0;
        Shape {
            columns,
            panel,
            left,
            cell,
            numbers,
        }
    }

    /// Draws the panels; gives the picture and its height.
    fn draw(&self) -> (Svg, f64) {
        const HEAD: f64 = 26.0;
        const FOOT: f64 = 62.0;
        let scales = self.scales();
        let mut panels = self.panels(&scales);
        panels.truncate(MAX_PANELS);
        let shape = self.shape(&scales, panels.len());
        let mut svg = Svg::new(self.width);
        let limits = self.limits();
        let keys: Vec<Key> = limits
            .iter()
            .map(|l| Key::Limit(l.dashed, &l.label))
            .collect();
        let top = legend(&mut svg, (shape.left, 0.0), self.width - shape.left, &keys) + 8.0;
        let titles: Vec<Vec<String>> = panels
            .iter()
            .map(|p| title_lines(&p.title, shape.panel - shape.left))
            .collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let head = HEAD + 17.0 * lines as f64;
        let ny = scales[1].values().len() as f64;
        let height = ny * shape.cell.1;
        let row = head + height + FOOT;
        let values = self.result.points.iter().map(|p| self.statistic.of(p));
        let range = self.statistic.range(values, 0.0);
        for (i, panel) in panels.iter().enumerate() {
            let left = (i % shape.columns) as f64 * (shape.panel + GAP) + shape.left;
            let up = top + (i / shape.columns) as f64 * row;
            for (line, text) in titles[i].iter().enumerate() {
                let place = (left, up + 14.0 + 17.0 * line as f64);
                svg.text("strong", place, Anchor::Start, text);
            }
            let map = Map {
                heat: self,
                scales: &scales,
                shape: &shape,
                range,
                corner: (left, up + head),
                height,
            };
            map.draw(&mut svg, panel, &limits);
        }
        let bar = ColourBar {
            title: &self.statistic.title(),
            values: range,
            factor: self.statistic.factor(),
        };
        bar.draw(
            &mut svg,
            (self.width - BAR + 22.0, top + head),
            height.max(120.0),
        );
        let rows = panels.len().div_ceil(shape.columns).max(1) as f64;
        (svg, top + (rows * row).max(head + 190.0))
    }
}
