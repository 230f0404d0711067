//! The front of a search of designs: two objectives, or an objective and what bounds it.

use super::Figure;
use super::frame::Frame;
use super::svg::{Key, Scale, Svg, error_bar, legend, range, series_class, ticks};
use crate::config::Measure;
use crate::design::{DesignResult, Found, State};
use crate::report::designs::{is_share, state, unit};
use crate::report::label;
use crate::report::text::{compact, csv_field};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const HEIGHT: f64 = 320.0;

/// The plot, where the goal has two measures.
pub(in crate::report) fn figure(found: &Found) -> Option<Figure> {
    let (x, y) = (0, 1);
    let [first, second] = [*found.measures.first()?, *found.measures.get(1)?];
    let seen: Vec<&DesignResult> = found.designs.iter().filter(|d| both(d, x, y)).collect();
    if seen.is_empty() {
        return None;
    }
    let mut svg = Svg::new(WIDTH);
    let keys = [
        Key::Series(0, "front"),
        Key::Bar("95 % interval"),
        Key::Series(1, "all chips, not on the front"),
        Key::Tick("bar neutral", "left before: estimate so far"),
    ];
    let top = legend(&mut svg, (LEFT, 0.0), WIDTH - LEFT, &keys) + 26.0;
    let frame = Frame {
        left: LEFT,
        right: WIDTH - 14.0,
        top,
        bottom: top + HEIGHT,
    };
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let of = |at: usize| {
        seen.iter()
            .map(move |d| scaled(found.measures[at], d.known[at].estimate))
    };
    let ys = frame.ordinate(&mut svg, range(of(y), 0.06, 1e-9, all), 6);
    let xs = Scale {
        data: range(of(x), 0.06, 1e-9, all),
        pixels: (frame.left + 10.0, frame.right - 10.0),
    };
    let (marks, decimals) = ticks(xs.data.0, xs.data.1, 6);
    for mark in marks {
        frame.mark(&mut svg, xs.at(mark), &format!("{mark:.decimals$}"));
    }
    frame.title(&mut svg, &name(first));
    svg.text(
        "soft small",
        (2.0, top - 12.0),
        super::Anchor::Start,
        &name(second),
    );
    for design in &seen {
        let place = |at: usize, scale: &Scale| {
            scale.at(scaled(found.measures[at], design.known[at].estimate))
        };
        let (px, py) = (place(x, &xs), place(y, &ys));
        let tip = format!("design {}: {}; {}", design.point, design.label, design.why);
        match (&design.state, &design.intervals) {
            (State::Front, Some(intervals)) => {
                let ends = [intervals[y].lo, intervals[y].hi].map(|v| ys.at(scaled(second, v)));
                let class = format!("bar {}", series_class(0));
                error_bar(&mut svg, &class, px, ends[1], ends[0]);
                svg.marker(0, (px, py), &tip);
            }
            (State::Front, None) => svg.marker(0, (px, py), &tip),
            (_, Some(_)) => svg.marker(1, (px, py), &tip),
            (_, None) => svg.line("bar neutral", (px, py - 3.0), (px, py + 3.0)),
        }
    }
    let title = "Front of the designs";
    Some(Figure {
        picture: svg.picture(frame.bottom + 52.0, title),
        narrow: None,
        title: title.into(),
        caption: format!(
            "{} against {} of the designs of which any chips were simulated. A design that left has the estimate of the chips and \
             images that it came to.",
            name(second),
            name(first)
        ),
        csv: csv(found, &seen, (x, y)),
        file: "front.csv".into(),
    })
}

fn both(design: &DesignResult, x: usize, y: usize) -> bool {
    let seen = design.step.is_some() || design.state == State::Front;
    seen && [x, y]
        .iter()
        .all(|&at| design.known[at].estimate.is_finite())
}

fn scaled(measure: Measure, x: f64) -> f64 {
    if is_share(measure) { 100.0 * x } else { x }
}

/// A measure as the title of an axis.
pub(in crate::report) fn name(measure: Measure) -> String {
    let name = measure.to_string();
    match (measure, label::declared(&name)) {
        (_, Some(column)) => label::column(column),
        (Measure::Yield { limit }, None) => {
            format!("chips with at least {} % (%)", compact(100.0 * limit, 4))
        }
        (Measure::Mean(_) | Measure::Cost(_), None) => match unit(measure) {
            "" => name.replace('_', " "),
            unit => format!("{} ({})", name.replace('_', " "), label::sign(unit)),
        },
    }
}

fn csv(found: &Found, seen: &[&DesignResult], (x, y): (usize, usize)) -> String {
    let mut out = format!(
        "design,label,state,{},{}\n",
        csv_field(&found.measures[x].to_string()),
        csv_field(&found.measures[y].to_string())
    );
    for design in seen {
        out += &format!(
            "{},{},{},{},{}\n",
            design.point,
            csv_field(&design.label),
            state(&design.state),
            design.known[x].estimate,
            design.known[y].estimate
        );
    }
    out
}
