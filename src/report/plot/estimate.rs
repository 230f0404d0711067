//! What self-tuning estimated against what was true.

use super::Figure;
use super::svg::{Anchor, Scale, Svg, range, series_class, ticks, wrap};
use crate::report::layout::Layout;
use crate::report::text::compact;
use crate::sweep::result::{ChipRow, SweepResult};

/// Most panels drawn.
const MAX_PANELS: usize = 6;

/// Most dots in a panel.
const MAX_DOTS: usize = 2000;

const WIDTH: f64 = 960.0;

/// A point with its chips that have estimates.
type Estimated<'a> = (usize, Vec<&'a ChipRow>);

/// The plot, if chips have estimates.
pub(in crate::report) fn figure(
    result: &SweepResult,
    rows: &[ChipRow],
    layout: &Layout,
) -> Option<Figure> {
    let (panels, more) = choose(rows, layout);
    if panels.is_empty() {
        return None;
    }
    let mut caption = format!(
        "One dot a chip ({} per point): the deviation all its cells share against what its test \
         cells or reference columns told. On the dashed line the estimate is right.",
        super::chips_phrase(&result.points)
    );
    let mut views: Vec<View> = panels.iter().map(estimates).collect();
    if let [panel] = &panels[..] {
        // A lone plot leaves room to look closer.
        views.push(errors(result, panel));
        caption
            .push_str(" Right: the error, with two predicted standard deviations to either side.");
    }
    if more > 0 {
        caption.push_str(&format!(" {more} further points are in the table."));
    }
    let (svg, height) = draw(layout, &views);
    Some(Figure {
        title: "What the chips know of themselves".into(),
        picture: svg.picture(height, "Estimates against true deviations"),
        narrow: None,
        caption,
        csv: csv(&panels),
        file: "estimates.csv".into(),
    })
}

/// The points that are drawn, and the number of further ones. Points that measured the same chips in
/// the same way (other recipes, same tuning) have the same estimates: only the first is taken.
fn choose<'a>(rows: &'a [ChipRow], layout: &Layout) -> (Vec<Estimated<'a>>, usize) {
    let mut panels: Vec<Estimated> = Vec::new();
    let mut more = 0;
    for p in layout.levels().into_iter().flatten() {
        let own: Vec<&ChipRow> = rows
            .iter()
            .filter(|r| r.point == p && r.eps_hat.is_finite() && r.eps_common.is_finite())
            .take(MAX_DOTS)
            .collect();
        let same = |(_, other): &Estimated| {
            let pair = |r: &ChipRow| (r.chip, r.eps_hat.to_bits(), r.eps_common.to_bits());
            other.len() == own.len() && other.iter().zip(&own).all(|(a, b)| pair(a) == pair(b))
        };
        if own.is_empty() || panels.iter().any(same) {
            continue;
        }
        if panels.len() == MAX_PANELS {
            more += 1;
        } else {
            panels.push((p, own));
        }
    }
    panels.sort_by_key(|(p, _)| *p);
    (panels, more)
}

fn csv(panels: &[Estimated]) -> String {
    let mut csv = String::from("point,chip,eps_common,eps_hat\n");
    for (p, own) in panels {
        for r in own {
            csv.push_str(&format!("{p},{},{},{}\n", r.chip, r.eps_common, r.eps_hat));
        }
    }
    csv
}

/// Range of an axis. Each panel has its own: the laws' deviations are of different magnitudes.
fn around(values: impl Iterator<Item = f64>) -> (f64, f64) {
    range(values, 0.06, 1e-3, (-1e6, 1e6))
}

/// Estimates over true deviations.
fn estimates((point, chips): &Estimated) -> View {
    let x = around(chips.iter().map(|r| r.eps_common));
    let y = around(chips.iter().flat_map(|r| [r.eps_hat, r.eps_common]));
    View {
        point: *point,
        label: "estimate",
        dots: chips.iter().map(|r| (r.eps_common, r.eps_hat)).collect(),
        x,
        y,
        lines: vec![(x.0.max(y.0), x.1.min(y.1), 1.0, 0.0)],
    }
}

/// Errors of the estimates over true deviations.
fn errors(result: &SweepResult, (point, chips): &Estimated) -> View {
    let predicted = result.points[*point].estimate;
    let sd = predicted.map_or(f64::NAN, |e| e.predicted_variance.sqrt());
    let error = |r: &&ChipRow| r.eps_hat - r.eps_common;
    let x = around(chips.iter().map(|r| r.eps_common));
    let bounds = [2.0 * sd, -2.0 * sd];
    View {
        point: *point,
        label: "estimate minus truth",
        dots: chips.iter().map(|r| (r.eps_common, error(r))).collect(),
        x,
        y: around(chips.iter().map(error).chain(bounds)),
        lines: [0.0, 2.0 * sd, -2.0 * sd]
            .map(|level| (x.0, x.1, 0.0, level))
            .to_vec(),
    }
}

/// One panel: dots and straight lines over the true deviation.
struct View {
    point: usize,
    /// Name of the ordinate.
    label: &'static str,
    dots: Vec<(f64, f64)>,
    /// Range of the abscissa.
    x: (f64, f64),
    /// Range of the ordinate.
    y: (f64, f64),
    /// Dashed lines: from and to on the abscissa, slope, level.
    lines: Vec<(f64, f64, f64, f64)>,
}

/// Draws the panels; gives the picture and its height.
fn draw(layout: &Layout, views: &[View]) -> (Svg, f64) {
    const LINE: f64 = 15.0;
    const FOOT: f64 = 64.0;
    const MARGIN: f64 = 52.0;
    const GAP: f64 = 28.0;
    let columns = if views.len() == 4 {
        2
    } else {
        views.len().clamp(2, 3)
    };
    let cell = (WIDTH - GAP * (columns as f64 - 1.0)) / columns as f64;
    let size = cell - MARGIN - 8.0;
    let height = size * 0.8;
    let details: Vec<Vec<String>> = views
        .iter()
        .map(|view| wrap(&layout.detail(view.point), 12.0, size))
        .collect();
    let most = details.iter().map(Vec::len).max().unwrap_or(0);
    let head = 48.0 + LINE * most as f64;
    let mut svg = Svg::new(WIDTH);
    for (i, view) in views.iter().enumerate() {
        let left = (i % columns) as f64 * (cell + GAP) + MARGIN;
        let top = (i / columns) as f64 * (head + height + FOOT) + head;
        let (right, bottom) = (left + size, top + height);
        let name = layout.series_label(view.point);
        let first = top - head + 14.0;
        svg.text("strong", (left, first), Anchor::Start, name);
        for (line, detail) in details[i].iter().enumerate() {
            let y = first + 2.0 + LINE * (line + 1) as f64;
            svg.text("soft small", (left, y), Anchor::Start, detail);
        }
        let corner = (left - MARGIN + 2.0, top - 10.0);
        svg.text("soft small", corner, Anchor::Start, view.label);
        let xs = Scale {
            data: view.x,
            pixels: (left, right),
        };
        let ys = Scale {
            data: view.y,
            pixels: (bottom, top),
        };
        let (marks, d) = ticks(view.y.0, view.y.1, 5);
        for v in marks {
            let at = ys.at(v);
            svg.line("grid", (left, at), (right, at));
            let place = (left - 7.0, at + 4.0);
            svg.text("soft small", place, Anchor::End, &signed(v, d));
        }
        let (marks, d) = ticks(view.x.0, view.x.1, 5);
        for v in marks {
            let at = xs.at(v);
            svg.line("grid", (at, top), (at, bottom));
            let place = (at, bottom + 18.0);
            svg.text("soft small", place, Anchor::Middle, &signed(v, d));
        }
        svg.line("axis", (left, bottom), (right, bottom));
        let middle = ((left + right) / 2.0, bottom + 38.0);
        let truth = "true common deviation \u{3b5}";
        svg.text("soft", middle, Anchor::Middle, truth);
        let class = format!("dots {}", series_class(layout.style[view.point]));
        let dots = view.dots.iter().map(|&(a, b)| (xs.at(a), ys.at(b)));
        svg.dots(&class, dots);
        for &(from, to, slope, level) in &view.lines {
            let at = |v: f64| (xs.at(v), ys.at(slope * v + level));
            svg.line("ideal", at(from), at(to));
        }
    }
    let lines = views.len().div_ceil(columns) as f64;
    (svg, lines * (head + height + FOOT))
}

/// A tick with the true minus sign.
fn signed(v: f64, decimals: usize) -> String {
    compact(v, decimals).replace('-', "\u{2212}")
}
