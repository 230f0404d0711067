//! Energy for an image as stacked bars: of every point by part, and of one point by layer and part.

use super::Figure;
use super::abscissa::decimal;
use super::svg::{Anchor, Key, Scale, Svg, legend, series_class, text_width, ticks, wrap};
use super::{NARROW, WIDTH};
use crate::choice::Choice;
use crate::energy::{Interval, Part};
use crate::report::layout::Layout;
use crate::report::text::{compact, csv_field, thousands};
use crate::sweep::breakdown::Breakdown;
use crate::sweep::result::{PointSummary, SweepResult};

/// Most bars drawn; the data have all.
const MAX_ROWS: usize = 24;

/// Column with the measured energy of the arrays.
pub(in crate::report) const ARRAYS: &str = "energy_array_pj";

/// Parts that are drawn as one, in the order of the colours.
const GROUPS: [(&str, &[Part]); 6] = [
    (
        "converters, sample and hold, shift and add",
        &[Part::Converters, Part::SampleHold, Part::ShiftAdd],
    ),
    ("drivers", &[Part::Drivers]),
    (
        "buffers and interconnect",
        &[Part::Buffers, Part::Interconnect],
    ),
    ("digital", &[Part::Digital]),
    ("arrays", &[Part::Arrays]),
    ("tuning", &[Part::Tuning]),
];

/// A bar: its name and the energies of [`GROUPS`], pJ.
struct Bar {
    name: String,
    groups: [Interval; 6],
}

impl Bar {
    fn total(&self) -> Interval {
        self.groups.iter().copied().sum()
    }
}

/// Units of an energy with what one of them has of a pJ.
const UNITS: [(&str, f64); 4] = [("pJ", 1.0), ("nJ", 1e3), ("\u{b5}J", 1e6), ("mJ", 1e9)];

/// The largest unit of which the energy has at least one, and what one has of a pJ.
pub(in crate::report) fn unit(pj: f64) -> (&'static str, f64) {
    let fits = UNITS.iter().rev().find(|(_, of)| pj >= *of);
    *fits.unwrap_or(&UNITS[0])
}

/// Energy of the arrays as it was measured: the mean over the chips.
pub(in crate::report) fn measured(p: &PointSummary) -> Option<Interval> {
    let mean = p.columns.get(ARRAYS)?.mean;
    mean.is_finite().then(|| Interval::one(mean))
}

/// The points that know their energies.
fn known(result: &SweepResult) -> impl Iterator<Item = (usize, &Breakdown)> {
    let points = result.points.iter().enumerate();
    points.filter_map(|(p, point)| Some((p, point.energy.as_ref()?)))
}

/// The point whose layers are shown: the most accurate one, of equal ones the first.
pub(in crate::report) fn chosen(result: &SweepResult) -> Option<usize> {
    let better = |a: usize, b: usize| result.points[b].mean > result.points[a].mean;
    known(result)
        .map(|(p, _)| p)
        .reduce(|a, b| if better(a, b) { b } else { a })
}

/// Every point by part, where several differ.
pub(in crate::report) fn points(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let all: Vec<(usize, &Breakdown)> = known(result).collect();
    if all.len() < 2 {
        return None;
    }
    let shown = layout.representatives(result.points.len(), MAX_ROWS);
    let bar = |(p, energy): (usize, &Breakdown)| {
        let of = |part: Part| match part {
            Part::Arrays => measured(&result.points[p]).unwrap_or_else(|| energy.part(part)),
            _ => energy.part(part),
        };
        Bar {
            name: layout.settings(p),
            groups: GROUPS.map(|(_, parts)| parts.iter().map(|part| of(*part)).sum()),
        }
    };
    let bars: Vec<Bar> = all
        .iter()
        .filter(|(p, _)| shown.contains(p))
        .map(|&(p, energy)| bar((p, energy)))
        .collect();
    let left_out = match all.len() - bars.len() {
        0 => String::new(),
        _ => format!(
            " {} of {} points; the data have all.",
            bars.len(),
            all.len()
        ),
    };
    let title = "Energy of an image by part";
    let chips = super::chips_phrase(&result.points);
    Some(Figure {
        title: title.into(),
        picture: drawn(&bars, WIDTH, title),
        narrow: Some(drawn(&bars, NARROW, title)),
        caption: format!(
            "Each bar is a point: its parts at the upper end of what the models of converters say; the tick is the lower end of the \
             sum. Arrays: measured, mean over {chips} on {}. The interval says how far the models are apart, it is no \
             confidence interval. Technology: {}, at {} nm.{left_out}",
            super::images_phrase(&result.points),
            all[0].1.technology,
            compact(all[0].1.node_nm, 1),
        ),
        csv: csv(result, layout, &all),
        file: "energy_parts.csv".into(),
    })
}

/// One point by layer and part.
pub(in crate::report) fn layers(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let p = chosen(result)?;
    let energy = result.points[p].energy.as_ref()?;
    let bars = energy.layers.iter().take(MAX_ROWS).map(|layer| Bar {
        name: layer.name.clone(),
        groups: GROUPS.map(|(_, parts)| parts.iter().map(|part| layer.of(*part)).sum()),
    });
    let bars: Vec<Bar> = bars.collect();
    let title = "Energy of an image by layer and part";
    let point = match layout.settings(p) {
        none if none.is_empty() => String::new(),
        name => format!("The point with the highest mean accuracy ({name}). "),
    };
    let left_out = match energy.layers.len() {
        n if n > MAX_ROWS => format!(" The first {MAX_ROWS} of {n} layers; the data have all."),
        _ => String::new(),
    };
    Some(Figure {
        title: title.into(),
        picture: drawn(&bars, WIDTH, title),
        narrow: Some(drawn(&bars, NARROW, title)),
        caption: format!(
            "{point}Parts at the upper end of what the models of converters say, the tick is the lower end of the sum. Arrays of \
             single layers are not measured: they are shown from what their codes and drives can be at least to what they can \
             be at most; the table has what was measured of all arrays together.{left_out}"
        ),
        csv: csv(result, layout, &[(p, energy)]),
        file: "energy_layers.csv".into(),
    })
}

/// Height of a bar, and of a line of its name.
const BAR: f64 = 18.0;
const LINE: f64 = 15.0;

/// Horizontal bars; on a phone names stand above them.
struct Stack<'a> {
    bars: &'a [Bar],
    /// Names in lines.
    names: Vec<Vec<String>>,
    /// Groups that some bar has.
    present: Vec<usize>,
    /// Whether names stand beside the bars.
    wide: bool,
    /// Unit of the numbers, with what one has of a pJ.
    unit: (&'static str, f64),
    /// Left end of the bars, and right end of the longest.
    ends: (f64, f64),
}

fn drawn(bars: &[Bar], width: f64, title: &str) -> super::Picture {
    let mut svg = Svg::new(width);
    let stack = Stack::new(bars, width);
    let mut keys: Vec<Key> = stack
        .present
        .iter()
        .map(|&g| Key::Area(g, GROUPS[g].0))
        .collect();
    keys.push(Key::Tick("median", "lower end of the sum"));
    let top = legend(&mut svg, (0.0, 0.0), width, &keys) + 12.0;
    let bottom = top + (0..bars.len()).map(|i| stack.height(i)).sum::<f64>();
    let scale = stack.abscissa(&mut svg, top, bottom);
    let mut y = top;
    for i in 0..bars.len() {
        stack.bar(&mut svg, &scale, i, y);
        y += stack.height(i);
    }
    svg.picture(bottom + 48.0, title)
}

impl<'a> Stack<'a> {
    fn new(bars: &'a [Bar], width: f64) -> Self {
        let wide = width > 600.0;
        let room = if wide { 0.36 * width } else { width };
        let names = bars.iter().map(|bar| wrap(&bar.name, 13.0, room - 16.0));
        let names: Vec<Vec<String>> = names.collect();
        let lines = names.iter().flatten();
        let widest = lines
            .map(|line| text_width(line, 13.0))
            .fold(40.0, f64::max);
        let most = bars.iter().map(|b| b.total().high).fold(0.0, f64::max);
        let unit = unit(most);
        let values = bars.iter().map(|bar| value(bar.total(), unit.1));
        let labels = values.map(|v| text_width(&v, 12.0)).fold(0.0, f64::max) + 10.0;
        let is_there = |g: &usize| bars.iter().any(|bar| bar.groups[*g].high > 0.0);
        Self {
            bars,
            names,
            present: (0..GROUPS.len()).filter(is_there).collect(),
            wide,
            unit,
            ends: (
                if wide { widest.min(room) + 16.0 } else { 4.0 },
                width - labels,
            ),
        }
    }

    /// Height of a row.
    fn height(&self, i: usize) -> f64 {
        let lines = LINE * self.names[i].len() as f64;
        match self.wide {
            true => (lines + 8.0).max(BAR + 8.0),
            false => lines + BAR + 14.0,
        }
    }

    /// Draws the scale below the bars.
    fn abscissa(&self, svg: &mut Svg, top: f64, bottom: f64) -> Scale {
        let most = self.bars.iter().map(|b| b.total().high);
        let most = most.fold(f64::MIN_POSITIVE, f64::max);
        let scale = Scale {
            data: (0.0, most / self.unit.1),
            pixels: self.ends,
        };
        let (marks, decimals) = ticks(0.0, scale.data.1, if self.wide { 6 } else { 3 });
        for v in marks {
            let at = scale.at(v);
            svg.line("grid", (at, top), (at, bottom));
            let place = (at, bottom + 18.0);
            svg.text("soft small", place, Anchor::Middle, &decimal(v, decimals));
        }
        let (left, right) = self.ends;
        svg.line("axis", (left, bottom), (right, bottom));
        let middle = ((left + right) / 2.0, bottom + 38.0);
        let title = format!("energy of an image ({})", self.unit.0);
        svg.text("soft", middle, Anchor::Middle, &title);
        scale
    }

    /// Draws a bar in its row below `y`.
    fn bar(&self, svg: &mut Svg, scale: &Scale, i: usize, y: f64) {
        let (bar, lines, (unit, of)) = (&self.bars[i], &self.names[i], self.unit);
        let (height, count) = (self.height(i), lines.len() as f64);
        let (left, first, up) = match self.wide {
            true => (
                0.0,
                y + height / 2.0 - LINE / 2.0 * (count - 1.0) + 4.5,
                y + (height - BAR) / 2.0,
            ),
            false => (self.ends.0, y + 14.0, y + LINE * count + 4.0),
        };
        for (n, line) in lines.iter().enumerate() {
            let place = (left, first + LINE * n as f64);
            svg.text("", place, Anchor::Start, line);
        }
        let mut from = 0.0;
        for &g in &self.present {
            let part = bar.groups[g];
            let (a, b) = (scale.at(from / of), scale.at((from + part.high) / of));
            from += part.high;
            let (name, energy) = (GROUPS[g].0, value(part, of));
            let tip = format!("{}, {name}: {energy} {unit}", bar.name);
            let class = format!("area {}", series_class(g));
            svg.rect(&class, (a, up), (b - a, BAR), None, &tip);
        }
        let total = bar.total();
        let low = scale.at(total.low / of);
        svg.line("median", (low, up - 3.0), (low, up + BAR + 3.0));
        let place = (scale.at(total.high / of) + 6.0, up + BAR / 2.0 + 4.0);
        svg.text("soft small", place, Anchor::Start, &value(total, of));
    }
}

/// An interval in a unit, three digits.
pub(in crate::report) fn value(i: Interval, of: f64) -> String {
    let (low, high) = (digits(i.low / of), digits(i.high / of));
    match low == high {
        true => high,
        false => format!("{low} to {high}"),
    }
}

/// Three digits.
fn digits(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return "0".into();
    }
    match x.abs().log10().floor() as i32 {
        places if places >= 3 => thousands(x.abs().round() as u64),
        places => format!("{x:.*}", (2 - places).clamp(0, 9) as usize),
    }
}

/// One row for every point, layer and part.
fn csv(result: &SweepResult, layout: &Layout, all: &[(usize, &Breakdown)]) -> String {
    let mut out =
        String::from("point,name,layer,macs,arrays,conversions,part,low_pj,high_pj,basis,chips\n");
    for &(p, energy) in all {
        let name = csv_field(&layout.name(p));
        for layer in &energy.layers {
            let start = format!(
                "{p},{name},{},{},{},{}",
                csv_field(&layer.name),
                layer.macs,
                layer.arrays,
                layer.conversions
            );
            for part in Part::ALL.iter().filter(|part| layer.of(**part).high > 0.0) {
                let Interval { low, high } = layer.of(*part);
                let basis = match part {
                    Part::Arrays => "bounds",
                    _ => "models",
                };
                out += &format!("{start},{},{low},{high},{basis},\n", part.as_str());
            }
        }
        if energy.tuning_pj.high > 0.0 {
            let Interval { low, high } = energy.tuning_pj;
            out += &format!("{p},{name},,,,,tuning,{low},{high},models,\n");
        }
        if let Some(arrays) = result.points[p].columns.get(ARRAYS) {
            out += &format!(
                "{p},{name},,,,,arrays,{},{},measured mean and its 95 % interval,{}\n",
                arrays.ci95.lo, arrays.ci95.hi, arrays.n
            );
        }
    }
    out.replace("NaN", "")
}
