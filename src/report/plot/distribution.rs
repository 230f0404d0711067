//! The chips of each point along the accuracy or another column: a histogram over one dot per chip.

use super::quantity::Quantity;
use super::svg::{Anchor, Key, Scale, Svg, legend, series_class, text_width, ticks, wrap};
use super::{Figure, chips_phrase, images_phrase};
use crate::report::label;
use crate::report::layout::Layout;
use crate::report::text::count;
use crate::sweep::result::{ChipRow, PointSummary};
use crate::sweep::statistics::quantile;

/// Most rows drawn; the table has the others.
const MAX_ROWS: usize = 16;

/// Most dots in a row: more would only be a smear.
const MAX_DOTS: usize = 1000;

/// Most rows of the CSV behind the plot; `chips.csv` has all.
const MAX_CSV: usize = 20_000;

const WIDTH: f64 = 960.0;
/// Right ends of the columns of numbers.
const MEAN: f64 = WIDTH - 72.0;
const Q05: f64 = WIDTH - 4.0;
const HIST: f64 = 40.0;
const STRIP: f64 = 15.0;
const ROW: f64 = HIST + STRIP + 17.0;
/// Height of a panel's title between rows.
const GROUP: f64 = 30.0;

/// The plot, if there are chips.
pub(in crate::report) fn figure(
    quantity: &Quantity,
    rows: &[ChipRow],
    layout: &Layout,
) -> Option<Figure> {
    let result = quantity.result();
    let shown = layout.representatives(result.points.len(), MAX_ROWS);
    let (svg, height) = draw(quantity, rows, layout, &shown, 0.0)?;
    let points: Vec<PointSummary> = shown.iter().map(|&p| result.points[p].clone()).collect();
    let (title, what, name) = match quantity {
        Quantity::Accuracy(_) => (
            "The chips, one by one".to_string(),
            "accuracy".to_string(),
            "accuracy",
        ),
        Quantity::Value(_, column) => (
            format!("The chips by {}", label::column(column)),
            label::words(column),
            column.name,
        ),
    };
    let mut caption = format!(
        "Each dot is one simulated chip ({} per row, {what} over {}); above the dots their \
         histogram, scaled to its own peak. The mean has its 95 % interval over chips.",
        chips_phrase(&points),
        images_phrase(&points),
    );
    if points.iter().any(|p| p.chips > MAX_DOTS) {
        caption.push_str(&format!(
            " Dots for the first {} only.",
            count(MAX_DOTS as u64, "chip")
        ));
    }
    if shown.len() < result.points.len() {
        caption.push_str(&format!(
            " {} of {} points; the table has all.",
            shown.len(),
            result.points.len()
        ));
    }
    let mut csv = format!("point,chip,{name}\n");
    let inside = |r: &&ChipRow| shown.contains(&r.point) && !quantity.of(r).is_nan();
    for r in rows.iter().filter(inside).take(MAX_CSV) {
        csv.push_str(&format!("{},{},{}\n", r.point, r.chip, quantity.of(r)));
    }
    if rows.iter().filter(inside).count() > MAX_CSV {
        caption.push_str(&format!(
            " The download holds the first {MAX_CSV} rows; chips.csv has all."
        ));
    }
    Some(Figure {
        title,
        picture: svg.picture(height, &format!("Distribution of {what} over chips")),
        narrow: None,
        caption,
        csv,
        file: format!("{name}_chips.csv"),
    })
}

/// Draws the rows of the points `shown`, starting `top` pixels down; gives the picture and its
/// height.
pub(super) fn draw(
    quantity: &Quantity,
    rows: &[ChipRow],
    layout: &Layout,
    shown: &[usize],
    top: f64,
) -> Option<(Svg, f64)> {
    let chips = chips_by_point(quantity, rows);
    if shown.iter().all(|&p| chips[p].is_empty()) {
        return None;
    }
    let mut svg = Svg::new(WIDTH);
    let left = label_width(quantity, layout, shown);
    let percent = quantity.bad_percent();
    let tail = format!("{} % quantile", percent.trim_start_matches('0'));
    let mut keys = vec![Key::Tick("median", "median chip"), Key::Tick("q05", &tail)];
    if shown.iter().any(|&p| quantity.ideal(p).is_some()) {
        keys.push(Key::Tick("ideal", "ideal, no variation"));
    }
    let legend_height = legend(&mut svg, (left, top), WIDTH - left, &keys);
    let head = top + legend_height + 18.0;
    let unit = quantity.unit();
    svg.text(
        "soft small",
        (MEAN, head),
        Anchor::End,
        &format!("mean{unit}"),
    );
    let tail = format!("q{percent}{unit}");
    svg.text("soft small", (Q05, head), Anchor::End, &tail);

    let values = shown.iter().flat_map(|&p| {
        let own = chips[p].iter().map(|r| quantity.of(r));
        own.chain(quantity.ideal(p))
    });
    let scale = Scale {
        data: quantity.range(values),
        pixels: (left, WIDTH - 186.0),
    };
    let groups = groups(layout, shown);
    let titles = groups.iter().filter(|(title, _)| !title.is_empty()).count();
    let mut row_top = head + 10.0;
    let bottom = row_top + ROW * shown.len() as f64 + GROUP * titles as f64;
    draw_abscissa(&mut svg, quantity, &scale, row_top, bottom);

    let drawn = Rows {
        quantity,
        layout,
        chips,
        scale,
    };
    for (title, points) in groups {
        if !title.is_empty() {
            svg.text("soft strong", (0.0, row_top + 18.0), Anchor::Start, title);
            row_top += GROUP;
        }
        for point in points {
            drawn.draw(&mut svg, point, row_top);
            row_top += ROW;
        }
    }
    Some((svg, bottom + 50.0))
}

/// The chips of every point.
fn chips_by_point<'a>(quantity: &Quantity, rows: &'a [ChipRow]) -> Vec<Vec<&'a ChipRow>> {
    let mut chips = vec![Vec::new(); quantity.result().points.len()];
    for r in rows.iter().filter(|r| quantity.of(r).is_finite()) {
        if let Some(own) = chips.get_mut(r.point) {
            own.push(r);
        }
    }
    chips
}

/// Width of the widest label of these points.
fn label_width(quantity: &Quantity, layout: &Layout, shown: &[usize]) -> f64 {
    let lines = shown.iter().flat_map(|&p| label(quantity, layout, p));
    let widths = lines.map(|(class, line)| {
        let bold = if class == "strong" { 1.1 } else { 1.0 };
        text_width(&line, 13.0) * bold
    });
    widths.fold(60.0, f64::max) + 20.0
}

/// The points in groups: the panels of other plots, with their titles.
fn groups<'a>(layout: &'a Layout, shown: &[usize]) -> Vec<(&'a str, Vec<usize>)> {
    let panels = layout.panels.iter().map(|panel| {
        let inside = |p: &usize| panel.series.iter().any(|s| s.points.contains(p));
        let own: Vec<usize> = shown.iter().copied().filter(inside).collect();
        (panel.title.as_str(), own)
    });
    panels.filter(|(_, own)| !own.is_empty()).collect()
}

/// The axis under the rows, with a grid behind them.
fn draw_abscissa(svg: &mut Svg, quantity: &Quantity, scale: &Scale, top: f64, bottom: f64) {
    let (left, right) = scale.pixels;
    let factor = quantity.factor();
    let (marks, decimals) = ticks(factor * scale.data.0, factor * scale.data.1, 7);
    for v in marks {
        let at = scale.at(v / factor);
        svg.line("grid", (at, top), (at, bottom));
        svg.text(
            "soft small",
            (at, bottom + 18.0),
            Anchor::Middle,
            &format!("{v:.decimals$}"),
        );
    }
    svg.line("axis", (left, bottom), (right, bottom));
    svg.text(
        "soft",
        ((left + right) / 2.0, bottom + 40.0),
        Anchor::Middle,
        &quantity.axis(),
    );
}

/// The lines of text before a row, each with its class: the series, then the abscissa.
fn label(quantity: &Quantity, layout: &Layout, point: usize) -> Vec<(&'static str, String)> {
    const LINE: f64 = 230.0;
    let name = wrap(&quantity.series(layout, point), 13.0 * 1.1, LINE);
    let detail = wrap(&layout.abscissa_phrase(point), 12.0, LINE);
    let strong = name.into_iter().map(|line| ("strong", line));
    let soft = detail.into_iter().map(|line| ("soft small", line));
    strong.chain(soft).collect()
}

/// What the rows of the plot show.
struct Rows<'a> {
    quantity: &'a Quantity<'a>,
    layout: &'a Layout,
    /// The chips of every point.
    chips: Vec<Vec<&'a ChipRow>>,
    /// Of the quantity.
    scale: Scale,
}

impl Rows<'_> {
    /// Draws the row of a point: its label, its chips, its quantiles, its numbers.
    fn draw(&self, svg: &mut Svg, point: usize, top: f64) {
        let quantity = self.quantity;
        let baseline = top + 6.0 + HIST;
        self.draw_chips(svg, point, baseline);
        for (class, value) in [
            ("ideal", quantity.ideal(point)),
            ("q05", Some(quantity.bad_quantile(point))),
            ("median", Some(quantity.median(point))),
        ] {
            let Some(value) = value else { continue };
            let at = self.scale.at(value);
            svg.line(class, (at, top + 6.0), (at, baseline + STRIP + 2.0));
        }
        let lines = label(quantity, self.layout, point);
        let first_line = baseline + 4.0 - 8.0 * lines.len() as f64;
        for (i, (class, line)) in lines.iter().enumerate() {
            let y = first_line + 16.0 * i as f64;
            svg.text(class, (0.0, y), Anchor::Start, line);
        }
        let y = baseline - 4.0;
        let mean = quantity.text(quantity.mean(point));
        svg.text("strong", (MEAN, y), Anchor::End, &mean);
        let interval = quantity.interval(point);
        svg.text("soft small", (MEAN, y + 15.0), Anchor::End, &interval);
        let tail = quantity.text(quantity.bad_quantile(point));
        svg.text("", (Q05, y), Anchor::End, &tail);
    }

    /// Histogram on the baseline, dots under it.
    fn draw_chips(&self, svg: &mut Svg, point: usize, baseline: f64) {
        let (chips, scale) = (&self.chips[point], &self.scale);
        let class = series_class(self.layout.style[point]);
        let mut sorted: Vec<f64> = chips.iter().map(|r| self.quantity.of(r)).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&lo), Some(&hi)) = (sorted.first(), sorted.last()) else {
            return;
        };
        let width = bin_width(&sorted, scale, self.quantity.step(&sorted, chips[0]));
        // The bins are centred on the chips, and reach beyond neither end of the axis.
        let n = ((hi - lo) / width).floor() as usize + 1;
        let start = (lo + hi - width * n as f64) / 2.0;
        let mut bins = vec![0u32; n];
        for a in &sorted {
            bins[(((a - start) / width) as usize).min(n - 1)] += 1;
        }
        let peak = bins.iter().copied().max().unwrap_or(1).max(1);
        let at = |x: f64| scale.at(x.clamp(scale.data.0, scale.data.1));
        let mut outline = vec![(at(start), baseline)];
        for (i, &count) in bins.iter().enumerate() {
            let y = baseline - HIST * f64::from(count) / f64::from(peak);
            let from = start + width * i as f64;
            outline.push((at(from), y));
            outline.push((at(from + width), y));
        }
        outline.push((at(start + width * n as f64), baseline));
        svg.polyline(&format!("hist {class}"), &outline, true);
        // Heights in the strip by the golden ratio: even, and the same in every run.
        let dots = chips.iter().take(MAX_DOTS).enumerate().map(|(i, r)| {
            let jitter = (i as f64 * 0.618_033_988_749_895).fract();
            (
                scale.at(self.quantity.of(r)),
                baseline + 4.0 + jitter * (STRIP - 4.0),
            )
        });
        svg.dots(&format!("dots {class}"), dots);
    }
}

/// Width of a bin by Freedman and Diaconis (Z. Wahrscheinlichkeitstheorie 57, 1981, 453-476), a
/// whole number of steps, at least two pixels. At most one 36th of the axis: the rule is for one
/// hump, and chips often fall into two.
fn bin_width(sorted: &[f64], scale: &Scale, step: f64) -> f64 {
    let iqr = quantile(sorted, 0.75) - quantile(sorted, 0.25);
    let rule = 2.0 * iqr / (sorted.len() as f64).cbrt();
    let axis = scale.data.1 - scale.data.0;
    let pixel = axis / (scale.pixels.1 - scale.pixels.0);
    let width = rule.min(axis / 36.0).max(2.0 * pixel);
    match step.is_finite() {
        true => (width / step).round().max(1.0) * step,
        false => width,
    }
}
