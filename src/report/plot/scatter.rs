//! Points of a random design against each of its axes, with the main effects.
//!
//! The points of a Latin hypercube share no values, so no line joins them. The mean accuracy is fitted by least squares
//! as a sum of one linear term an axis (of its logarithm where the axis is logarithmic) and a constant for every series;
//! the effect of an axis is the fitted change from the smallest to the largest value that occurs, all else equal. Its
//! interval is Student's t over points: it holds the scatter that no linear term explains as well as that of the chips.

use nalgebra::{DMatrix, DVector};

use super::abscissa::Abscissa;
use super::frame::Frame;
use super::statistic::Statistic;
use super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, series_class};
use super::{Figure, NARROW, WIDTH};
use crate::report::layout::{Layout, UNNAMED};
use crate::report::text::{compact, csv_field};
use crate::sweep::result::SweepResult;
use crate::sweep::statistics::{Interval, student_t975};

/// Fewest points of a random design.
const FEWEST: usize = 8;

/// Most axes drawn: those with the largest effects.
const MAX_PANELS: usize = 9;

const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;

/// An axis with what it does.
struct Effect {
    axis: usize,
    scale: Abscissa,
    /// Change over the axis, in units of the statistic.
    change: f64,
    ci95: Interval,
}

/// The fit of all axes.
struct Fit {
    /// Largest effect first.
    effects: Vec<Effect>,
    /// Fitted value in the middle of all axes, by series.
    middle: Vec<f64>,
    /// Part of the variance over points that the fit explains.
    r2: f64,
    points: usize,
}

/// The axes of a random design, where the points are from one: at least two whose values hardly repeat.
pub(in crate::report) fn axes(layout: &Layout) -> Vec<usize> {
    let points = layout.style.len();
    let scattered = |&a: &usize| {
        let axis = &layout.axes[a];
        axis.is_abscissa() && 10 * axis.n_distinct() >= 4 * points
    };
    let found: Vec<usize> = layout.varying.iter().copied().filter(scattered).collect();
    match points >= FEWEST && found.len() > 1 {
        true => found,
        false => vec![],
    }
}

/// The plot, if the points are from a random design.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let axes = axes(layout);
    let fit = Fit::new(result, layout, &axes)?;
    let (svg, height) = draw(result, layout, &fit, WIDTH);
    let (narrow, narrow_height) = draw(result, layout, &fit, NARROW);
    let title = "Accuracy against every axis of the design";
    let left_out = fit.effects.len().saturating_sub(MAX_PANELS);
    let mut caption = format!(
        "Markers: mean accuracy of a point, bars: its 95 % interval. Lines: least squares over {} points, linear in every \
         axis, all other axes in their middle; the fit explains {} % of the variance over points. Above a panel the \
         change over its axis, all else equal, with its 95 % interval (Student t over points). Interactions and curvature \
         are not in it. {}",
        fit.points,
        compact(100.0 * fit.r2, 0),
        Statistic::Mean.basis(result)
    );
    let effects = fit
        .effects
        .iter()
        .map(|e| format!("{} {}", layout.axes[e.axis].words(), change(e)));
    caption.push_str(&format!(
        " Changes: {}.",
        effects.collect::<Vec<_>>().join("; ")
    ));
    if left_out > 0 {
        caption.push_str(&format!(" The {left_out} smallest have no panel."));
    }
    Some(Figure {
        title: title.into(),
        narrow: Some(narrow.picture(narrow_height, title)),
        picture: svg.picture(height, title),
        caption,
        csv: csv(result, layout, &fit),
        file: "accuracy_design.csv".into(),
    })
}

impl Fit {
    fn new(result: &SweepResult, layout: &Layout, axes: &[usize]) -> Option<Self> {
        let points: Vec<usize> = (0..result.points.len())
            .filter(|&p| result.points[p].mean.is_finite())
            .collect();
        let series = layout.labels.len();
        let terms = axes.len() + series;
        if axes.is_empty() || points.len() < terms + 3 {
            return None;
        }
        let scales: Vec<Abscissa> = axes
            .iter()
            .map(|&a| {
                Abscissa::new(
                    &layout.axes[a],
                    points.iter().filter_map(|&p| layout.axes[a].number(p)),
                )
            })
            .collect();
        // Every axis from -1/2 to 1/2, so that a coefficient is the change over it.
        let term = |p: usize, t: usize| match t.checked_sub(axes.len()) {
            Some(style) => f64::from(u8::from(layout.style[p] == style)),
            None => {
                let value = layout.axes[axes[t]].number(p).unwrap_or(f64::NAN);
                let (lo, hi) = scales[t].ends();
                (scales[t].place(value) - (lo + hi) / 2.0) / (hi - lo)
            }
        };
        let x = DMatrix::from_fn(points.len(), terms, |i, t| term(points[i], t));
        let y = DVector::from_fn(points.len(), |i, _| result.points[points[i]].mean);
        let inverse = (x.transpose() * &x).try_inverse()?;
        let beta = &inverse * x.transpose() * &y;
        let residual = (&y - &x * &beta).norm_squared();
        let free = (points.len() - terms) as f64;
        let total = y.add_scalar(-y.mean()).norm_squared();
        let effects = scales.into_iter().enumerate().map(|(t, scale)| {
            let half = student_t975(free as u64) * (residual / free * inverse[(t, t)]).sqrt();
            Effect {
                axis: axes[t],
                scale,
                change: beta[t],
                ci95: Interval {
                    lo: beta[t] - half,
                    hi: beta[t] + half,
                },
            }
        });
        let mut effects: Vec<Effect> = effects.collect();
        effects.sort_by(|a, b| b.change.abs().total_cmp(&a.change.abs()));
        Some(Self {
            effects,
            middle: (0..series).map(|s| beta[axes.len() + s]).collect(),
            r2: 1.0 - residual / total,
            points: points.len(),
        })
    }
}

/// Draws the panels; gives the picture and its height.
fn draw(result: &SweepResult, layout: &Layout, fit: &Fit, width: f64) -> (Svg, f64) {
    const HEAD: f64 = 58.0;
    const HEIGHT: f64 = 210.0;
    const FOOT: f64 = 62.0;
    let shown = &fit.effects[..fit.effects.len().min(MAX_PANELS)];
    let mut svg = Svg::new(width);
    let named = |s: &usize| layout.labels.len() > 1 || layout.labels[*s] != UNNAMED;
    let keys = (0..layout.labels.len()).filter(named);
    let keys: Vec<Key> = keys.map(|s| Key::Series(s, &layout.labels[s])).collect();
    let top = legend(&mut svg, (LEFT, 0.0), width - LEFT, &keys) + 6.0;
    let columns = ((width / 260.0).floor().clamp(1.0, 3.0) as usize)
        .min(shown.len())
        .max(1);
    let panel = (width - GAP * (columns as f64 - 1.0)) / columns as f64;
    let values = result
        .points
        .iter()
        .flat_map(|p| [p.mean, p.mean_ci95.lo, p.mean_ci95.hi]);
    let y = Statistic::Mean.range(values, 0.04);
    for (i, effect) in shown.iter().enumerate() {
        let left = (i % columns) as f64 * (panel + GAP);
        let up = top + (i / columns) as f64 * (HEAD + HEIGHT + FOOT);
        let frame = Frame {
            left: left + LEFT,
            right: left + panel - 14.0,
            top: up + HEAD,
            bottom: up + HEAD + HEIGHT,
        };
        let axis = &layout.axes[effect.axis];
        svg.text(
            "strong",
            (frame.left, up + 14.0),
            Anchor::Start,
            &axis.words(),
        );
        svg.text(
            "soft small",
            (frame.left, up + 31.0),
            Anchor::Start,
            &change(effect),
        );
        let corner = (left + 2.0, frame.top - 8.0);
        svg.text("soft small", corner, Anchor::Start, "mean accuracy (%)");
        let ys = frame.percentages(&mut svg, y);
        let xs = effect.scale.draw(&mut svg, &frame);
        frame.title(
            &mut svg,
            &effect.scale.title(&axis.title_within(panel - LEFT)),
        );
        points(&mut svg, result, layout, effect, (&xs, &ys));
        let (lo, hi) = effect.scale.ends();
        for (style, middle) in fit.middle.iter().enumerate() {
            let at = |t: f64| {
                (
                    xs.at(lo + t * (hi - lo)),
                    ys.at(middle + (t - 0.5) * effect.change),
                )
            };
            let class = format!("line {}", series_class(style));
            let ends = [at(0.0), at(1.0)].map(|(x, y)| (x, y.clamp(frame.top, frame.bottom)));
            svg.line(&class, ends[0], ends[1]);
        }
    }
    let rows = shown.len().div_ceil(columns) as f64;
    (svg, top + rows * (HEAD + HEIGHT + FOOT))
}

fn points(
    svg: &mut Svg,
    result: &SweepResult,
    layout: &Layout,
    effect: &Effect,
    (xs, ys): (&Scale, &Scale),
) {
    for (p, point) in result.points.iter().enumerate() {
        let Some(value) = layout.axes[effect.axis].number(p) else {
            continue;
        };
        let at = xs.at(effect.scale.place(value));
        let ci = point.mean_ci95;
        let class = format!("edge {}", series_class(layout.style[p]));
        error_bar(svg, &class, at, ys.at(ci.hi), ys.at(ci.lo));
        let tip = format!(
            "{}: {}",
            layout.name(p),
            Statistic::Mean.text_at(point, result)
        );
        svg.marker(layout.style[p], (at, ys.at(point.mean)), &tip);
    }
}

/// An effect in words.
fn change(effect: &Effect) -> String {
    let points = |x: f64| {
        let sign = if x < 0.0 { "\u{2212}" } else { "+" };
        format!("{sign}{:.1}", 100.0 * x.abs())
    };
    format!(
        "{} points ({} to {})",
        points(effect.change),
        points(effect.ci95.lo),
        points(effect.ci95.hi)
    )
}

/// One row per point.
fn csv(result: &SweepResult, layout: &Layout, fit: &Fit) -> String {
    let names = fit
        .effects
        .iter()
        .map(|e| csv_field(&layout.axes[e.axis].name));
    let names: Vec<String> = names.collect();
    let mut out = format!(
        "point,series,{},mean,lo95,hi95,chips,images\n",
        names.join(",")
    );
    for (p, point) in result.points.iter().enumerate() {
        let values = fit.effects.iter().map(|e| layout.axes[e.axis].number(p));
        let values: Vec<String> = values
            .map(|v| v.map_or(String::new(), |v| v.to_string()))
            .collect();
        let ci = point.mean_ci95;
        out.push_str(&format!(
            "{p},{},{},{},{},{},{},{}\n",
            csv_field(layout.series_label(p)),
            values.join(","),
            point.mean,
            ci.lo,
            ci.hi,
            point.chips,
            point.images
        ));
    }
    out.replace("NaN", "")
}
