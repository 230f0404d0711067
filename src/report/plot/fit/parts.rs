//! Parts of the variance with their intervals.

use super::super::Figure;
use super::super::frame::Frame;
use super::super::svg::{Anchor, Key, Scale, Svg, legend, text_width, ticks};
use super::{RIGHT, both};
use crate::fit::{Estimate, Fit, Form, Spread};
use crate::report::text::rounded;

const ROW: f64 = 30.0;

/// A part: its name, the style that says what it is relative to, the number in percent.
struct Part {
    name: String,
    style: usize,
    e: Estimate,
}

/// What parts are relative to, by style.
const UNITS: [&str; 3] = [
    "% of the target or conductance",
    "% of the range of targets",
    "% of the level's own standard deviation",
];

fn style(form: Form) -> usize {
    match form {
        Form::Proportional => 0,
        Form::Fixed => 1,
        Form::Table => 2,
    }
}

/// All parts that the fit knows.
fn all(fit: &Fit) -> Vec<Part> {
    let mut found = vec![];
    let mut add = |name: &str, style: usize, e: Option<Estimate>| {
        if let Some(e) = e {
            found.push(Part {
                name: name.into(),
                style,
                e: e.times(100.0),
            });
        }
    };
    let own = |s: &Option<Spread>| match s.as_ref().map(|s| (s.form, s)) {
        Some((Form::Proportional, s)) => (0, s.proportional),
        Some((Form::Fixed, s)) => (1, s.fixed),
        _ => (0, None),
    };
    let (at, e) = own(&fit.spread);
    add("programming", at, e);
    if let Some(common) = &fit.common {
        let at = match common.law {
            crate::program::Law::WeightProportional => 0,
            crate::program::Law::LayerFixed => 1,
        };
        add("between chips", at, common.chip);
        add("between arrays", at, common.array);
    }
    if let Some(spatial) = &fit.spatial {
        for (name, e) in spatial.parts() {
            add(name, style(spatial.form), Some(e));
        }
        add("rest of a cell", style(spatial.form), spatial.cells);
    }
    let (at, e) = own(&fit.read_noise);
    add("read noise", at, e);
    found
}

/// Every part as a mark with its interval; `None` where there is none.
pub(in crate::report) fn figure(fit: &Fit) -> Option<Figure> {
    both(|wide| draw(fit, wide))
}

fn draw(fit: &Fit, wide: f64) -> Option<Figure> {
    let parts = all(fit);
    if parts.is_empty() {
        return None;
    }
    let mut svg = Svg::new(wide);
    let used = (0..UNITS.len()).filter(|at| parts.iter().any(|p| p.style == *at));
    let keys: Vec<Key> = used.map(|at| Key::Series(at, UNITS[at])).collect();
    let top = legend(&mut svg, (0.0, 0.0), wide, &keys) + 12.0;
    let names = parts.iter().map(|p| text_width(&p.name, 13.0));
    let f = Frame {
        left: names.fold(0.0, f64::max) + 26.0,
        right: wide - RIGHT,
        top,
        bottom: top + ROW * parts.len() as f64,
    };
    let ends = || parts.iter().flat_map(|p| p.e.interval);
    let data = (
        ends().fold(0.0, f64::min) * 1.05,
        ends().fold(1e-6, f64::max) * 1.05,
    );
    let scale = Scale {
        data,
        pixels: (f.left, f.right - 8.0),
    };
    let (marks, decimals) = ticks(data.0, data.1, 6);
    for v in marks {
        let at = scale.at(v);
        svg.line("grid", (at, f.top), (at, f.bottom));
        f.mark(&mut svg, at, &format!("{v:.decimals$}"));
    }
    svg.line("axis", (f.left, f.bottom), (f.right, f.bottom));
    f.title(&mut svg, "standard deviation or change (%)");
    let mut csv = String::from("part,relative_to,value,lo95,hi95,degrees_of_freedom\n");
    for (i, part) in parts.iter().enumerate() {
        let y = f.top + (i as f64 + 0.5) * ROW;
        svg.text("", (f.left - 12.0, y + 4.5), Anchor::End, &part.name);
        let class = format!("bar s{}", part.style);
        let [low, high] = part.e.interval.map(|end| scale.at(end));
        svg.line(&class, (low, y), (high, y));
        for end in [low, high] {
            svg.line(&class, (end, y - 4.0), (end, y + 4.0));
        }
        let width = 0.5 * (part.e.interval[1] - part.e.interval[0]);
        let text = |x: f64| rounded(x, width);
        let [lo, hi] = part.e.interval;
        let tip = format!(
            "{}: {} % ({} to {})",
            part.name,
            text(part.e.value),
            text(lo),
            text(hi)
        );
        svg.marker(part.style, (scale.at(part.e.value), y), &tip);
        csv += &format!(
            "{},{},{},{lo},{hi},{}\n",
            part.name, UNITS[part.style], part.e.value, part.e.df
        );
    }
    let title = "Parts of the variance".to_string();
    Some(Figure {
        picture: svg.picture(f.bottom + 50.0, &title),
        narrow: None,
        title,
        caption: "Standard deviations, and changes over an array, with their 95 % intervals. The error of programming holds what rows \
                  and columns share; the rest of a cell does not."
            .into(),
        csv,
        file: "parts.csv".into(),
    })
}
