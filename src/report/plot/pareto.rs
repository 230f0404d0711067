//! Accuracy against what a chip costs, with the front of points that no other one beats in both.

use super::lines::Frame;
use super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, range, series_class, ticks};
use super::{Figure, chips_phrase, images_phrase};
use crate::report::layout::Layout;
use crate::report::text::{compact, csv_field, percent_with_interval};
use crate::sweep::compare::groups;
use crate::sweep::result::SweepResult;

/// Most costs drawn, each in a panel of its own.
const MAX_PANELS: usize = 4;

/// Ratio of largest to smallest cost beyond which the abscissa is logarithmic.
const LOG_RATIO: f64 = 8.0;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;
const HEIGHT: f64 = 280.0;

/// The points with the same chips that differ most in cost, and the costs in which they do.
struct Choice {
    points: Vec<usize>,
    costs: Vec<String>,
}

impl Choice {
    fn new(result: &SweepResult) -> Option<Choice> {
        let choices = groups(&result.points).into_iter().map(|points| {
            let varies = |name: &&String| {
                let mut all: Vec<f64> = points
                    .iter()
                    .filter_map(|&p| cost(result, p, name))
                    .collect();
                all.sort_by(f64::total_cmp);
                all.dedup();
                all.len() > 1
            };
            let names = points.first().map(|&p| &result.points[p].costs);
            let costs = names
                .into_iter()
                .flat_map(|c| c.keys())
                .filter(varies)
                .cloned();
            Choice {
                costs: costs.take(MAX_PANELS).collect(),
                points,
            }
        });
        // Of several, the last: sweeps go from mild to hard.
        let best = choices.max_by_key(|c| {
            if c.costs.is_empty() {
                0
            } else {
                c.points.len()
            }
        });
        best.filter(|c| !c.costs.is_empty())
    }
}

fn cost(result: &SweepResult, point: usize, name: &str) -> Option<f64> {
    result.points[point].costs.get(name).copied()
}

/// Whether no other point is at most as costly and at least as accurate, and better in one.
fn on_front(
    result: &SweepResult,
    points: &[usize],
    name: &str,
    p: usize,
    of: fn(&crate::sweep::result::PointSummary) -> f64,
) -> bool {
    let value = |p: usize| Some((cost(result, p, name)?, of(&result.points[p])));
    let Some((c, a)) = value(p) else {
        return false;
    };
    !points
        .iter()
        .filter_map(|&o| value(o))
        .any(|(oc, oa)| oc <= c && oa >= a && (oc < c || oa > a))
}

/// The plot, if points with the same chips differ in a cost.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let choice = Choice::new(result)?;
    let mut svg = Svg::new(WIDTH);
    let mut keys: Vec<Key> = Vec::new();
    let mut styles: Vec<usize> = choice.points.iter().map(|&p| layout.style[p]).collect();
    styles.sort_unstable();
    styles.dedup();
    keys.extend(styles.iter().map(|&s| Key::Series(s, &layout.labels[s])));
    keys.push(Key::Bar("95 % interval of the mean"));
    keys.push(Key::Line("front", "front: nothing is cheaper and better"));
    let top = legend(&mut svg, (LEFT, 0.0), WIDTH - LEFT, &keys) + 10.0;
    let y = range(
        choice.points.iter().flat_map(|&p| {
            let p = &result.points[p];
            [p.mean, p.mean_ci95.lo, p.mean_ci95.hi]
        }),
        0.06,
        0.01,
        (0.0, 1.0),
    );
    let columns = choice.costs.len().min(2);
    let width = (WIDTH - GAP * (columns as f64 - 1.0)) / columns as f64;
    let cell = HEIGHT + 28.0 + 52.0;
    for (i, name) in choice.costs.iter().enumerate() {
        let left = (i % columns) as f64 * (width + GAP);
        let up = top + (i / columns) as f64 * cell + 28.0;
        let frame = Frame {
            left: left + LEFT,
            right: left + width - 14.0,
            top: up,
            bottom: up + HEIGHT,
        };
        svg.text(
            "soft small",
            (left + 2.0, up - 12.0),
            Anchor::Start,
            "mean accuracy (%)",
        );
        panel(&mut svg, result, layout, &choice.points, name, &frame, y);
    }
    let rows = choice.costs.len().div_ceil(columns) as f64;
    let title = "Accuracy against cost";
    let alike = choice.points.first().map(|&p| {
        let a = &result.points[p].axes;
        format!(
            "{} law, \u{3c3}_W = {}, \u{3c3}_B = {}",
            a.law,
            compact(a.sigma_w, 6),
            compact(a.sigma_b, 6)
        )
    });
    Some(Figure {
        svg: svg.inline(top + rows * cell, title),
        title: title.into(),
        caption: format!(
            "The points with {}: mean accuracy over {} on {} against what one chip costs, tuning \
             included. The steps join the points that no other one beats at the same or a lower cost; \
             the numbers also tell the front of the 5 % quantile.",
            alike.unwrap_or_default(),
            chips_phrase(&result.points),
            images_phrase(&result.points),
        ),
        csv: csv(result, layout, &choice),
        file: "accuracy_cost.csv",
    })
}

fn panel(
    svg: &mut Svg,
    result: &SweepResult,
    layout: &Layout,
    points: &[usize],
    name: &str,
    frame: &Frame,
    y: (f64, f64),
) {
    let ys = frame.ordinate(svg, y);
    let costs: Vec<f64> = points
        .iter()
        .filter_map(|&p| cost(result, p, name))
        .collect();
    let (lo, hi) = costs.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), &c| {
        (lo.min(c), hi.max(c))
    });
    let log = lo > 0.0 && hi / lo > LOG_RATIO;
    let place = |c: f64| if log { c.log10() } else { c };
    let data = range(
        costs.iter().map(|&c| place(c)),
        0.06,
        1e-9,
        (f64::NEG_INFINITY, f64::INFINITY),
    );
    let xs = Scale {
        data,
        pixels: (frame.left + 10.0, frame.right - 10.0),
    };
    for (at, label) in marks(data, log) {
        let x = xs.at(at);
        svg.line("axis", (x, frame.bottom), (x, frame.bottom + 5.0));
        svg.text(
            "soft small",
            (x, frame.bottom + 19.0),
            Anchor::Middle,
            &label,
        );
    }
    let what = name.replace('_', " ");
    let what = if log {
        format!("{what} (logarithmic)")
    } else {
        what
    };
    svg.text(
        "soft",
        ((frame.left + frame.right) / 2.0, frame.bottom + 40.0),
        Anchor::Middle,
        &what,
    );
    let at =
        |p: usize| cost(result, p, name).map(|c| (xs.at(place(c)), ys.at(result.points[p].mean)));
    let mut front: Vec<(f64, f64)> = points
        .iter()
        .filter(|&&p| on_front(result, points, name, p, |p| p.mean))
        .filter_map(|&p| at(p))
        .collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for &(x, y) in &front {
        if let Some(&(_, before)) = steps.last() {
            steps.push((x, before));
        }
        steps.push((x, y));
    }
    if let Some(&(_, last)) = steps.last() {
        steps.push((frame.right, last));
    }
    svg.polyline("front", &steps, false);
    for &p in points {
        let (Some((x, y)), point) = (at(p), &result.points[p]) else {
            continue;
        };
        let style = layout.style[p];
        let ci = point.mean_ci95;
        error_bar(
            svg,
            &format!("bar {}", series_class(style)),
            x,
            ys.at(ci.hi),
            ys.at(ci.lo),
        );
        let tip = format!(
            "{}: {} %, {} {}",
            layout.name(p),
            percent_with_interval(point.mean, ci, 2),
            cost(result, p, name).unwrap_or(f64::NAN),
            name.replace('_', " ")
        );
        svg.marker(style, (x, y), &tip);
    }
}

/// Places and labels of the abscissa: powers of ten and their halves and fifths where logarithmic.
fn marks((lo, hi): (f64, f64), log: bool) -> Vec<(f64, String)> {
    if !log {
        let (values, _) = ticks(lo, hi, 5);
        return values.into_iter().map(|v| (v, short(v))).collect();
    }
    let decades = (lo.floor() as i32)..=(hi.ceil() as i32);
    let all = decades.flat_map(|d| [1.0, 2.0, 5.0].map(|m: f64| m * 10f64.powi(d)));
    let inside: Vec<f64> = all.filter(|v| (lo..=hi).contains(&v.log10())).collect();
    let sparse = inside.len() > 8;
    let decade = |v: &&f64| !sparse || (v.log10() - v.log10().round()).abs() < 1e-9;
    inside
        .iter()
        .filter(decade)
        .map(|&v| (v.log10(), short(v)))
        .collect()
}

/// `1.5M`, `20k`, `300`.
fn short(x: f64) -> String {
    match x.abs() {
        a if a >= 1e9 => format!("{}G", compact(x / 1e9, 2)),
        a if a >= 1e6 => format!("{}M", compact(x / 1e6, 2)),
        a if a >= 1e3 => format!("{}k", compact(x / 1e3, 2)),
        _ => compact(x, 2),
    }
}

fn csv(result: &SweepResult, layout: &Layout, choice: &Choice) -> String {
    let mut out = String::from(
        "point,name,cost,value,mean,mean_lo95,mean_hi95,q05,front_of_mean,front_of_q05\n",
    );
    for name in &choice.costs {
        for &p in &choice.points {
            let point = &result.points[p];
            out.push_str(&format!(
                "{p},{},{name},{},{},{},{},{},{},{}\n",
                csv_field(&layout.name(p)),
                cost(result, p, name).unwrap_or(f64::NAN),
                point.mean,
                point.mean_ci95.lo,
                point.mean_ci95.hi,
                point.q05,
                on_front(result, &choice.points, name, p, |p| p.mean),
                on_front(result, &choice.points, name, p, |p| p.q05),
            ));
        }
    }
    out.replace("NaN", "")
}
