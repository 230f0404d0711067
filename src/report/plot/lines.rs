//! Accuracy against the axis with the most values: one line per series, one panel per law.

use super::frame::Frame;
use super::svg::{
    Anchor, Key, Scale, Svg, error_bar, legend, range, series_class, text_width, ticks,
};
use super::{Figure, chips_phrase, images_phrase};
use crate::report::layout::{Layout, Panel};
use crate::report::text::{compact, csv_field, percent, percent_with_interval};
use crate::sweep::result::{PointSummary, SweepResult};

/// Most panels drawn; the table has the others.
const MAX_PANELS: usize = 8;

/// Ratio of largest to smallest positive abscissa beyond which values stand at equal distances.
const MAX_RATIO: f64 = 30.0;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;

/// The plot, if any numeric axis has several values.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let x = layout.x?;
    let (svg, height) = draw(result, layout, 0.0)?;
    let head = layout.axes[x].head();
    let title = format!("Accuracy against {head}");
    let left_out = layout.panels.len().saturating_sub(MAX_PANELS);
    let mut caption = format!(
        "Markers: mean accuracy over {} on {}, bars: 95 % interval of the mean over chips (often \
         smaller than the marker), bands: from the 5 % to the 95 % quantile of the chips. Dashed: \
         the network without variation.",
        chips_phrase(&result.points),
        images_phrase(&result.points),
    );
    if Abscissa::new(layout, &layout.panels).ordinal {
        caption.push_str(" The abscissa is not to scale.");
    }
    if left_out > 0 {
        caption.push_str(&format!(
            " The first {MAX_PANELS} of {} panels; the table has all points.",
            layout.panels.len()
        ));
    }
    Some(Figure {
        svg: svg.inline(height, &title),
        title,
        caption,
        csv: csv(result, layout),
        file: "accuracy_lines.csv".into(),
    })
}

/// Draws all panels, starting `top` pixels down; gives the picture and its height.
pub(super) fn draw(result: &SweepResult, layout: &Layout, top: f64) -> Option<(Svg, f64)> {
    let x = layout.x?;
    let panels = &layout.panels[..layout.panels.len().min(MAX_PANELS)];
    let mut svg = Svg::new(WIDTH);
    let top = top + legend(&mut svg, (LEFT, top), WIDTH - LEFT, &keys(layout, panels)) + 10.0;

    let columns = panels.len().min(2);
    let width = (WIDTH - GAP * (columns as f64 - 1.0)) / columns as f64;
    let titled = panels.iter().any(|p| !p.title.is_empty());
    let head = if titled { 46.0 } else { 28.0 };
    let plot_height = if columns == 1 { 350.0 } else { 280.0 };
    // Tick labels and the axis's title, and room before the next panel's title.
    let foot = 64.0;
    let cell = head + plot_height + foot;

    let y = accuracies(result);
    // One scale for all panels, unless their values are of different magnitudes.
    let ends = || panels.iter().map(|p| p.x.1);
    let shared = ends().fold(f64::INFINITY, f64::min) > 0.5 * ends().fold(0.0, f64::max);
    for (i, panel) in panels.iter().enumerate() {
        let left = (i % columns) as f64 * (width + GAP);
        let cell_top = top + (i / columns) as f64 * cell;
        if !panel.title.is_empty() {
            let place = (left + LEFT, cell_top + 14.0);
            svg.text("strong", place, Anchor::Start, &panel.title);
        }
        let frame = Frame {
            left: left + LEFT,
            right: left + width - 14.0,
            top: cell_top + head,
            bottom: cell_top + head + plot_height,
        };
        let place = (left + 2.0, frame.top - 12.0);
        svg.text("soft small", place, Anchor::Start, "accuracy (%)");
        let ys = frame.percentages(&mut svg, y);
        let abscissa = Abscissa::new(layout, if shared { panels } else { &panels[i..=i] });
        let xs = abscissa.draw(&mut svg, &frame);
        frame.title(&mut svg, &layout.axes[x].title());
        let at = |p| xs.at(abscissa.place(layout.x_of(p)));
        draw_series(&mut svg, result, layout, panel, &at, &ys);
    }
    let rows = panels.len().div_ceil(columns) as f64;
    Some((svg, top + rows * cell))
}

/// The legend: the series of the panels, then what is drawn for each of them.
fn keys<'a>(layout: &'a Layout, panels: &[Panel]) -> Vec<Key<'a>> {
    let series = || panels.iter().flat_map(|p| &p.series);
    let shown = |style: &usize| series().any(|s| s.style == *style);
    let mut keys: Vec<Key> = (0..layout.labels.len())
        .filter(shown)
        .map(|s| Key::Series(s, &layout.labels[s]))
        .collect();
    keys.push(Key::Band("5\u{2013}95 % of chips"));
    keys.push(Key::Bar("95 % interval of the mean"));
    keys.push(Key::Line("ideal", "ideal, no variation"));
    keys
}

/// Range of the ordinate.
fn accuracies(result: &SweepResult) -> (f64, f64) {
    let all = result.points.iter().flat_map(|p| {
        let ci = p.mean_ci95;
        [p.q05, p.q95, ci.lo, ci.hi, p.mean, p.ideal]
    });
    range(all, 0.04, 0.02, (0.0, 1.0))
}

/// Bands under lines under error bars under markers, so that nothing hides a mean.
fn draw_series(
    svg: &mut Svg,
    result: &SweepResult,
    layout: &Layout,
    panel: &Panel,
    at: &dyn Fn(usize) -> f64,
    ys: &Scale,
) {
    let points = &result.points;
    for s in &panel.series {
        let class = series_class(s.style);
        let edge: Vec<(f64, f64)> = s
            .points
            .iter()
            .map(|&p| (at(p), ys.at(points[p].q05)))
            .collect();
        svg.polyline(&format!("edge {class}"), &edge, false);
        let upper = s.points.iter().map(|&p| (at(p), ys.at(points[p].q95)));
        let lower = s
            .points
            .iter()
            .rev()
            .map(|&p| (at(p), ys.at(points[p].q05)));
        let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
        svg.polyline(&format!("band {class}"), &outline, true);
    }
    for s in &panel.series {
        let class = series_class(s.style);
        let line = |value: fn(&PointSummary) -> f64| -> Vec<(f64, f64)> {
            s.points
                .iter()
                .map(|&p| (at(p), ys.at(value(&points[p]))))
                .collect()
        };
        svg.polyline(&format!("thin {class}"), &line(|p| p.ideal), false);
        svg.polyline(&format!("line {class}"), &line(|p| p.mean), false);
    }
    for s in &panel.series {
        let class = format!("bar {}", series_class(s.style));
        for &p in &s.points {
            let ci = points[p].mean_ci95;
            error_bar(svg, &class, at(p), ys.at(ci.hi), ys.at(ci.lo));
        }
        for &p in &s.points {
            let point = &points[p];
            let tip = format!(
                "{}: mean {} %, 5 % quantile {} %, worst {} %",
                layout.name(p),
                percent_with_interval(point.mean, point.mean_ci95, 2),
                percent(point.q05, 2),
                percent(point.min, 2)
            );
            svg.marker(s.style, (at(p), ys.at(point.mean)), &tip);
        }
    }
}

/// The abscissa: to scale, or its values at equal distances.
struct Abscissa {
    /// Ascending distinct values.
    values: Vec<f64>,
    ordinal: bool,
}

impl Abscissa {
    /// The values of the points of some panels.
    fn new(layout: &Layout, panels: &[Panel]) -> Abscissa {
        let points = panels
            .iter()
            .flat_map(|p| &p.series)
            .flat_map(|s| &s.points);
        let mut values: Vec<f64> = points.map(|&p| layout.x_of(p)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let mut positive = values.iter().copied().filter(|v| *v > 0.0);
        let smallest = positive.next().unwrap_or(1.0);
        let largest = positive.next_back().unwrap_or(smallest);
        Abscissa {
            values,
            ordinal: largest / smallest > MAX_RATIO,
        }
    }

    /// Position of a value on the scale.
    fn place(&self, x: f64) -> f64 {
        if self.ordinal {
            self.values
                .iter()
                .position(|v| *v == x)
                .map_or(f64::NAN, |i| i as f64)
        } else {
            x
        }
    }

    /// Draws ticks and labels under the frame; gives the scale of [`Abscissa::place`].
    fn draw(&self, svg: &mut Svg, frame: &Frame) -> Scale {
        let (first, last) = (self.values[0], self.values[self.values.len() - 1]);
        let (lo, hi) = (self.place(first), self.place(last));
        let scale = Scale {
            data: (lo, hi),
            pixels: (frame.left + 16.0, frame.right - 16.0),
        };
        // The values themselves where they fit, round numbers where they do not.
        let own: Vec<(f64, String)> = self
            .values
            .iter()
            .map(|&v| (self.place(v), compact(v, 4)))
            .collect();
        let fits = own.windows(2).all(|w| {
            let room = (text_width(&w[0].1, 12.0) + text_width(&w[1].1, 12.0)) / 2.0 + 10.0;
            scale.at(w[1].0) - scale.at(w[0].0) >= room
        });
        let marks = if fits || self.ordinal {
            own
        } else {
            let (values, decimals) = ticks(lo, hi, 8);
            values
                .into_iter()
                .map(|v| (v, format!("{v:.decimals$}")))
                .collect()
        };
        for (v, label) in marks {
            frame.mark(svg, scale.at(v), &label);
        }
        scale
    }
}

/// One row per marker.
fn csv(result: &SweepResult, layout: &Layout) -> String {
    let x = layout.x.map_or("x", |x| layout.axes[x].name.as_str());
    let mut out = format!(
        "point,panel,series,{},mean,mean_lo95,mean_hi95,q05,q95,ideal,chips,images\n",
        csv_field(x)
    );
    for panel in &layout.panels {
        for s in &panel.series {
            for &p in &s.points {
                let point = &result.points[p];
                out.push_str(&format!(
                    "{p},{},{},{},{},{},{},{},{},{},{},{}\n",
                    csv_field(&panel.title),
                    csv_field(&s.label),
                    layout.x_of(p),
                    point.mean,
                    point.mean_ci95.lo,
                    point.mean_ci95.hi,
                    point.q05,
                    point.q95,
                    point.ideal,
                    point.chips,
                    point.images
                ));
            }
        }
    }
    out.replace("NaN", "")
}
