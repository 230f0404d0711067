//! A statistic against a numeric axis: one line per series, one panel per law or other panel axis; more series
//! than can be told apart in one panel have a panel each.

use super::abscissa::Abscissa;
use super::frame::Frame;
use super::statistic::Statistic;
use super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, series_class, text_width};
use super::{Figure, NARROW, WIDTH};
use crate::report::layout::{Axis, Layout, Panel, Series, UNNAMED};
use crate::report::text::csv_field;
use crate::sweep::result::{PointSummary, SweepResult};

/// Most panels drawn; the table has the others.
const MAX_PANELS: usize = 12;

/// Most series with their bands in one panel: more bands on each other are one grey.
const MAX_SERIES: usize = 3;

/// Most series whose bands are filled.
const MAX_FILLED: usize = 2;

/// Distance of the markers of several series at one abscissa, px.
const APART: f64 = 6.0;

const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;

/// What is drawn.
pub(in crate::report) struct Lines<'a> {
    pub result: &'a SweepResult,
    pub layout: &'a Layout,
    pub statistic: Statistic,
    /// Width of the picture, px.
    pub width: f64,
}

/// The plot of the mean accuracy, if any numeric axis has several values.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let lines = |width| Lines {
        result,
        layout,
        statistic: Statistic::Mean,
        width,
    };
    Some(Figure {
        narrow: lines(NARROW).figure().map(|f| f.picture),
        ..lines(WIDTH).figure()?
    })
}

/// One panel of the picture: some of its series in colour, the others behind them.
struct Part<'a> {
    title: Vec<String>,
    panel: &'a Panel,
    drawn: Vec<&'a Series>,
    behind: Vec<&'a Series>,
}

impl Lines<'_> {
    /// The plot, if any numeric axis has several values.
    pub fn figure(&self) -> Option<Figure> {
        let x = &self.layout.axes[self.layout.x?];
        let (svg, height) = self.draw(0.0)?;
        let head = x.words();
        let what = match self.statistic {
            Statistic::Mean => "Accuracy".to_string(),
            other => super::sentence(&other.words()),
        };
        let title = format!("{what} against {head}");
        Some(Figure {
            picture: svg.picture(height, &title),
            narrow: None,
            title,
            caption: self.caption(x),
            csv: self.csv(),
            file: format!("{}_lines.csv", self.statistic.name()),
        })
    }

    fn caption(&self, x: &Axis) -> String {
        let (result, layout) = (self.result, self.layout);
        let mut text = format!("Markers: {}", self.statistic.words());
        let interval = self.statistic.interval_words();
        if !interval.is_empty() {
            text.push_str(&format!(
                ", bars: {interval} (often smaller than the marker)"
            ));
        }
        if self.has_bands() {
            text.push_str(", bands (of three series their edges): from the 5 % to the 95 % quantile of the chips");
        }
        text.push('.');
        if self.has_ideal() {
            text.push_str(" Dashed: the network without variation.");
        }
        if !self.is_multiple() && layout.labels.len() > 1 {
            text.push_str(" Series at one abscissa are drawn beside each other.");
        }
        if self.is_multiple() {
            text.push_str(" Thin grey lines: the other series, in every panel the same.");
        }
        text.push_str(Abscissa::new(x, self.xs(&layout.panels)).note());
        text.push_str(&format!(" {}", self.statistic.basis(result)));
        let left_out = self.parts().len().saturating_sub(MAX_PANELS);
        if left_out > 0 {
            text.push_str(&format!(
                " {left_out} further panels are in the table and in the data."
            ));
        }
        text
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let s = self.statistic;
        self.result.points.iter().flat_map(move |p| {
            let (ci, spread) = (s.interval(p), s.spread(p).unwrap_or((f64::NAN, f64::NAN)));
            [s.of(p), ci.lo, ci.hi, spread.0, spread.1, s.ideal(p)]
        })
    }

    fn has_bands(&self) -> bool {
        self.result
            .points
            .iter()
            .any(|p| self.statistic.spread(p).is_some())
    }

    fn has_ideal(&self) -> bool {
        let ideals = self.result.points.iter().map(|p| self.statistic.ideal(p));
        ideals.into_iter().any(|x| x.is_finite())
    }

    /// Whether series have panels of their own.
    fn is_multiple(&self) -> bool {
        self.layout
            .panels
            .iter()
            .any(|p| p.series.len() > MAX_SERIES)
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let each = self.is_multiple();
        let parts = self.layout.panels.iter().flat_map(|panel| {
            let all: Vec<&Series> = panel.series.iter().collect();
            let title = |label: Option<&str>| {
                let parts = [Some(panel.title.as_str()), label].into_iter().flatten();
                parts
                    .filter(|t| !t.is_empty() && *t != UNNAMED)
                    .map(String::from)
                    .collect()
            };
            if !each {
                return vec![Part {
                    title: title(None),
                    panel,
                    drawn: all,
                    behind: vec![],
                }];
            }
            let each = all.iter().map(|&s| Part {
                title: title(Some(&s.label)),
                panel,
                drawn: vec![s],
                behind: all.iter().copied().filter(|o| o.style != s.style).collect(),
            });
            each.collect()
        });
        parts.collect()
    }

    /// Abscissas of the points of some panels.
    fn xs<'p>(&'p self, panels: &'p [Panel]) -> impl Iterator<Item = f64> + 'p {
        let series = panels.iter().flat_map(|p| &p.series);
        series.flat_map(|s| &s.points).map(|&p| self.layout.x_of(p))
    }

    /// Draws all panels, starting `top` pixels down; gives the picture and its height.
    pub fn draw(&self, top: f64) -> Option<(Svg, f64)> {
        let axis = &self.layout.axes[self.layout.x?];
        let mut parts = self.parts();
        parts.truncate(MAX_PANELS);
        let mut svg = Svg::new(self.width);
        let keys = self.keys(&parts);
        let top = top + legend(&mut svg, (LEFT, top), self.width - LEFT, &keys) + 10.0;
        let most = if self.is_multiple() { 3.0 } else { 2.0 };
        let narrow = if self.is_multiple() { 180.0 } else { 330.0 };
        let columns = (self.width / narrow).floor().clamp(1.0, most);
        let columns = columns.min(parts.len() as f64).max(1.0) as usize;
        let width = (self.width - GAP * (columns as f64 - 1.0)) / columns as f64;
        let titles: Vec<Vec<String>> = parts
            .iter()
            .map(|p| title_lines(&p.title, width - 6.0))
            .collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let head = 28.0 + 17.0 * lines as f64;
        let plot_height = match (self.is_multiple(), columns) {
            (false, 1) => 350.0f64.min(0.8 * width),
            (false, _) => 280.0f64.min(0.75 * width),
            (true, _) => 200.0f64.min(0.75 * width),
        };
        // Tick labels and the axis's title, and room before the next panel's title.
        let foot = 64.0;
        let cell = head + plot_height + foot;
        let y = self.statistic.range(self.values(), 0.04);
        // One scale for all panels, unless their values are of different magnitudes.
        let ends = || parts.iter().map(|p| p.panel.x.1);
        let shared = ends().fold(f64::INFINITY, f64::min) > 0.5 * ends().fold(0.0, f64::max);
        for (i, part) in parts.iter().enumerate() {
            let left = (i % columns) as f64 * (width + GAP);
            let cell_top = top + (i / columns) as f64 * cell;
            for (line, text) in titles[i].iter().enumerate() {
                let place = (left + 2.0, cell_top + 14.0 + 17.0 * line as f64);
                svg.text("strong", place, Anchor::Start, text);
            }
            let frame = Frame {
                left: left + LEFT,
                right: left + width - 14.0,
                top: cell_top + head,
                bottom: cell_top + head + plot_height,
            };
            let own = std::slice::from_ref(part.panel);
            let xs = self.xs(if shared { &self.layout.panels } else { own });
            let abscissa = Abscissa::new(axis, xs);
            self.draw_part(&mut svg, part, &frame, &abscissa, y);
            // In the middle of the plot, which lies right of the panel's.
            frame.title(&mut svg, &abscissa.title(&axis.title_within(width - LEFT)));
        }
        let rows = parts.len().div_ceil(columns) as f64;
        Some((svg, top + rows * cell))
    }

    fn draw_part(
        &self,
        svg: &mut Svg,
        part: &Part,
        frame: &Frame,
        abscissa: &Abscissa,
        y: (f64, f64),
    ) {
        let factor = self.statistic.factor();
        let place = (frame.left - LEFT + 2.0, frame.top - 12.0);
        svg.text("soft small", place, Anchor::Start, &self.statistic.title());
        let numbers = frame.ordinate(svg, (factor * y.0, factor * y.1), 6);
        let ys = Scale { data: y, ..numbers };
        let xs = abscissa.draw(svg, frame);
        let at = |p: usize| xs.at(abscissa.place(self.layout.x_of(p)));
        for s in &part.behind {
            let means = s.points.iter();
            let means = means.map(|&p| (at(p), ys.at(self.statistic.of(&self.result.points[p]))));
            svg.polyline("behind", &means.collect::<Vec<_>>(), false);
        }
        self.draw_series(svg, &part.drawn, &at, &ys);
    }

    /// The legend: the series of the panels, then what is drawn for each of them.
    fn keys<'k>(&'k self, parts: &[Part]) -> Vec<Key<'k>> {
        let labels = &self.layout.labels;
        let mut keys: Vec<Key> = vec![];
        if self.is_multiple() {
            keys.push(Key::Line("behind", "other series"));
        } else {
            let shown = |style: &usize| {
                parts
                    .iter()
                    .any(|p| p.drawn.iter().any(|s| s.style == *style))
            };
            let named = labels.len() > 1 || labels.iter().any(|l| l != UNNAMED);
            let styles = (0..labels.len()).filter(shown).filter(|_| named);
            keys.extend(styles.map(|s| Key::Series(s, &labels[s])));
        }
        if self.has_bands() {
            let filled = parts.iter().all(|p| p.drawn.len() <= MAX_FILLED);
            keys.push(match filled {
                true => Key::Band("5\u{2013}95 % of chips"),
                false => Key::Line("edge neutral", "5 % and 95 % of chips"),
            });
        }
        let interval = self.statistic.interval_words();
        if !interval.is_empty() {
            keys.push(Key::Bar(interval));
        }
        if self.has_ideal() {
            keys.push(Key::Line("ideal", "ideal, no variation"));
        }
        keys
    }

    /// Bands under lines under error bars under markers, so that nothing hides a mean.
    fn draw_series(
        &self,
        svg: &mut Svg,
        series: &[&Series],
        at: &dyn Fn(usize) -> f64,
        ys: &Scale,
    ) {
        // Beside each other, so that no marker or bar hides another one.
        let middle = (series.len().max(1) - 1) as f64 / 2.0;
        let moved = |i: usize, p: usize| at(p) + APART * (i as f64 - middle);
        let (points, statistic) = (&self.result.points, self.statistic);
        // Fills of three bands on each other would be one grey: then their edges alone.
        let filled = series.len() <= MAX_FILLED;
        for s in series {
            let class = series_class(s.style);
            let spread = |p: usize| statistic.spread(&points[p]).unwrap_or((f64::NAN, f64::NAN));
            let lower: Vec<(f64, f64)> = s
                .points
                .iter()
                .map(|&p| (at(p), ys.at(spread(p).0)))
                .collect();
            svg.polyline(&format!("edge {class}"), &lower, false);
            let upper = s.points.iter().map(|&p| (at(p), ys.at(spread(p).1)));
            let outline: Vec<(f64, f64)> = upper.chain(lower.iter().rev().copied()).collect();
            match filled {
                true => svg.polyline(&format!("band {class}"), &outline, true),
                false => svg.polyline(&format!("edge {class}"), &outline[..lower.len()], false),
            }
        }
        for (i, s) in series.iter().enumerate() {
            let class = series_class(s.style);
            let line = |value: &dyn Fn(&PointSummary) -> f64| -> Vec<(f64, f64)> {
                let places = s
                    .points
                    .iter()
                    .map(|&p| (moved(i, p), ys.at(value(&points[p]))));
                places.collect()
            };
            svg.polyline(
                &format!("thin {class}"),
                &line(&|p| statistic.ideal(p)),
                false,
            );
            svg.polyline(&format!("line {class}"), &line(&|p| statistic.of(p)), false);
        }
        for (i, s) in series.iter().enumerate() {
            let class = format!("bar {}", series_class(s.style));
            for &p in &s.points {
                let ci = statistic.interval(&points[p]);
                error_bar(svg, &class, moved(i, p), ys.at(ci.hi), ys.at(ci.lo));
            }
            for &p in &s.points {
                let tip = format!(
                    "{}: {}",
                    self.layout.name(p),
                    statistic.text_at(&points[p], self.result)
                );
                svg.marker(
                    s.style,
                    (moved(i, p), ys.at(statistic.of(&points[p]))),
                    &tip,
                );
            }
        }
    }

    /// One row per marker.
    fn csv(&self) -> String {
        let (layout, statistic) = (self.layout, self.statistic);
        let x = layout.x.map_or("x", |x| layout.axes[x].name.as_str());
        let (x, name) = (csv_field(x), statistic.name());
        let mut out =
            format!("point,panel,series,{x},{name},lo95,hi95,q05,q95,ideal,chips,images\n");
        for panel in &layout.panels {
            for s in &panel.series {
                for &p in &s.points {
                    let point = &self.result.points[p];
                    let (ci, spread) = (statistic.interval(point), statistic.spread(point));
                    let (q05, q95) = spread.unwrap_or((f64::NAN, f64::NAN));
                    out.push_str(&format!(
                        "{p},{},{},{},{},{},{},{q05},{q95},{},{},{}\n",
                        csv_field(&panel.title),
                        csv_field(&s.label),
                        layout.x_of(p),
                        statistic.of(point),
                        ci.lo,
                        ci.hi,
                        statistic.ideal(point),
                        point.chips,
                        point.images
                    ));
                }
            }
        }
        out.replace("NaN", "")
    }
}

/// The parts of a title in lines that fit `width` pixels.
pub(super) fn title_lines(parts: &[String], width: f64) -> Vec<String> {
    let bold = 13.0 * 1.1;
    let whole = parts.join(", ");
    if whole.is_empty() || text_width(&whole, bold) < width {
        return parts.first().map(|_| whole).into_iter().collect();
    }
    let lines = parts
        .iter()
        .flat_map(|part| super::svg::wrap(part, bold, width));
    lines
        .flat_map(|line| super::svg::words(&line, bold, width))
        .collect()
}
