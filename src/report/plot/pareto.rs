//! Accuracy against what a chip costs, with the front of points that no other one beats in both.

use super::frame::Frame;
use super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, range, series_class, ticks};
use super::{Figure, chips_phrase, images_phrase};
use crate::report::label;
use crate::report::layout::Layout;
use crate::report::text::{compact, csv_field, percent_with_interval};
use crate::sweep::result::{PointSummary, SweepResult};

/// Most costs drawn, each in a panel of its own.
const MAX_PANELS: usize = 4;

/// What a section `[energy]` adds, drawn before other costs: upper ends, of energies the mean over the chips.
const FIRST: [&str; 3] = ["energy_high_pj", "area_high_mm2", "latency_high_us"];
/// What it adds besides: parts and lower ends of the same.
const BESIDE: [&str; 4] = [
    "periphery_low_pj",
    "periphery_high_pj",
    "latency_low_us",
    "area_low_mm2",
];

/// Ratio of largest to smallest cost beyond which the abscissa is logarithmic.
const LOG_RATIO: f64 = 8.0;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;
const HEIGHT: f64 = 280.0;

/// The points to which the same happens that differ most in cost, and the costs in which they do.
struct Choice {
    points: Vec<usize>,
    costs: Vec<String>,
}

impl Choice {
    fn new(result: &SweepResult) -> Option<Choice> {
        let choices = alike(&result.points).into_iter().map(|points| {
            let varies = |name: &&str| {
                let mut all: Vec<f64> = points
                    .iter()
                    .filter_map(|&p| cost(result, p, name))
                    .collect();
                all.sort_by(f64::total_cmp);
                all.dedup();
                all.len() > 1
            };
            let names = points.first().map(|&p| &result.points[p].costs);
            let others = names.into_iter().flat_map(|c| c.keys().map(String::as_str));
            let others = others.filter(|name| !FIRST.contains(name) && !BESIDE.contains(name));
            let costs = FIRST
                .into_iter()
                .chain(others)
                .filter(varies)
                .map(String::from);
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

/// Parts of a chip that are designed; everything else of a chip happens to it.
const DESIGNED: [&str; 4] = ["chip.array.", "chip.cells.", "chip.adc.", "chip.dac."];

/// The points of which one could be built instead of another, in groups: those to which the same happens.
fn alike(points: &[PointSummary]) -> Vec<Vec<usize>> {
    let fate = |p: &PointSummary| {
        let a = &p.axes;
        let happens = |name: &&String| {
            let of_chip = name.starts_with("variation.") || name.starts_with("chip.");
            (of_chip || name.as_str() == "fidelity")
                && !DESIGNED.iter().any(|part| name.starts_with(part))
        };
        let extra: Vec<_> = a.extra.iter().filter(|(name, _)| happens(name)).collect();
        let names = [&a.law, &a.mapping, &a.distribution];
        format!(
            "{names:?} {} {} {extra:?} {}",
            a.sigma_w, a.sigma_b, p.images
        )
    };
    let mut groups: Vec<(String, Vec<usize>)> = vec![];
    for (i, p) in points.iter().enumerate() {
        let fate = fate(p);
        match groups.iter_mut().find(|(other, _)| *other == fate) {
            Some((_, group)) => group.push(i),
            None => groups.push((fate, vec![i])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn cost(result: &SweepResult, point: usize, name: &str) -> Option<f64> {
    let point = &result.points[point];
    let mean = || point.columns.get(name).map(|column| column.mean);
    let found = point.costs.get(name).copied().or_else(mean);
    found.filter(|cost| cost.is_finite())
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

/// The plot, if points to which the same happens differ in a cost.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let choice = Choice::new(result)?;
    let mut svg = Svg::new(WIDTH);
    let keys = keys(layout, &choice.points);
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
        let panel = Panel {
            result,
            layout,
            points: &choice.points,
            cost: name,
        };
        panel.draw(&mut svg, &frame, y);
    }
    let rows = choice.costs.len().div_ceil(columns) as f64;
    let title = "Accuracy against cost";
    let alike = choice.points.first().map(|&p| {
        let a = &result.points[p].axes;
        // A table of chips may not tell them.
        let law = (!a.law.is_empty()).then(|| format!("{} law", a.law));
        let sigma = |sign: &str, x: f64| {
            (!x.is_nan()).then(|| format!("\u{3c3}_{sign} = {}", compact(x, 6)))
        };
        let known = [law, sigma("W", a.sigma_w), sigma("B", a.sigma_b)];
        known.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let which = match alike {
        Some(alike) if !alike.is_empty() => format!("The points with {alike}: mean"),
        _ => "Mean".into(),
    };
    Some(Figure {
        picture: svg.picture(top + rows * cell, title),
        narrow: None,
        title: title.into(),
        caption: format!(
            "{which} accuracy over {} on {} against what one chip costs, tuning \
             included. The steps join the points that no other one beats at the same or a lower cost; \
             the numbers also tell the front of the 5 % quantile.",
            chips_phrase(&result.points),
            images_phrase(&result.points),
        ),
        csv: csv(result, layout, &choice),
        file: "accuracy_cost.csv".into(),
    })
}

/// The legend: the series of the points, then what is drawn for each of them.
fn keys<'a>(layout: &'a Layout, points: &[usize]) -> Vec<Key<'a>> {
    let mut styles: Vec<usize> = points.iter().map(|&p| layout.style[p]).collect();
    styles.sort_unstable();
    styles.dedup();
    let series = styles.iter().map(|&s| Key::Series(s, &layout.labels[s]));
    let drawn = [
        Key::Bar("95 % interval of the mean"),
        Key::Line("front", "front: nothing is cheaper and better"),
    ];
    series.chain(drawn).collect()
}

/// A cost's panel.
struct Panel<'a> {
    result: &'a SweepResult,
    layout: &'a Layout,
    points: &'a [usize],
    /// Name of the cost.
    cost: &'a str,
}

impl Panel<'_> {
    fn draw(&self, svg: &mut Svg, frame: &Frame, accuracies: (f64, f64)) {
        let ys = frame.percentages(svg, accuracies);
        let costs = self.points.iter().filter_map(|&p| self.of(p));
        let costs: Vec<f64> = costs.collect();
        let (lo, hi) = costs.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), &c| {
            (lo.min(c), hi.max(c))
        });
        let log = lo > 0.0 && hi / lo > LOG_RATIO;
        let place = |c: f64| if log { c.log10() } else { c };
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let xs = Scale {
            data: range(costs.iter().map(|&c| place(c)), 0.06, 1e-9, all),
            pixels: (frame.left + 10.0, frame.right - 10.0),
        };
        for (at, label) in marks(xs.data, log) {
            frame.mark(svg, xs.at(at), &label);
        }
        let logarithmic = if log { " (logarithmic)" } else { "" };
        let title = label::result(self.cost);
        frame.title(svg, &format!("{title}{logarithmic}"));
        let at = |p: usize| {
            let cost = self.of(p)?;
            Some((xs.at(place(cost)), ys.at(self.result.points[p].mean)))
        };
        self.draw_front(svg, frame, &at);
        self.draw_points(svg, &ys, &at);
    }

    fn of(&self, point: usize) -> Option<f64> {
        cost(self.result, point, self.cost)
    }

    /// Steps that join the points of the front.
    fn draw_front(&self, svg: &mut Svg, frame: &Frame, at: &dyn Fn(usize) -> Option<(f64, f64)>) {
        let on_front = |&&p: &&usize| on_front(self.result, self.points, self.cost, p, |p| p.mean);
        let front = self.points.iter().filter(on_front);
        let mut front: Vec<(f64, f64)> = front.filter_map(|&p| at(p)).collect();
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
    }

    fn draw_points(&self, svg: &mut Svg, ys: &Scale, at: &dyn Fn(usize) -> Option<(f64, f64)>) {
        for &p in self.points {
            let (Some((x, y)), point) = (at(p), &self.result.points[p]) else {
                continue;
            };
            let style = self.layout.style[p];
            let ci = point.mean_ci95;
            let class = format!("bar {}", series_class(style));
            error_bar(svg, &class, x, ys.at(ci.hi), ys.at(ci.lo));
            let tip = format!(
                "{}: {} %, {}: {}",
                self.layout.name(p),
                percent_with_interval(point.mean, ci, 2),
                label::result(self.cost),
                self.of(p).unwrap_or(f64::NAN),
            );
            svg.marker(style, (x, y), &tip);
        }
    }
}

/// Places and labels of the abscissa: powers of ten and their halves and fifths where logarithmic.
fn marks((lo, hi): (f64, f64), log: bool) -> Vec<(f64, String)> {
    if !log {
        let (values, decimals) = ticks(lo, hi, 5);
        let label = |v: f64| match v.abs() >= 1e3 {
            true => short(v),
            false => format!("{v:.decimals$}"),
        };
        return values.into_iter().map(|v| (v, label(v))).collect();
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
