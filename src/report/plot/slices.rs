//! Digits, column sums and currents of a network on arrays.

use super::Figure;
use super::frame::Frame;
use super::svg::{Anchor, Key, Scale, Svg, legend, range, series_class, text_width, ticks};
use crate::report::slices::{factor, share};
use crate::report::text::{compact, count, csv_field, thousands};
use crate::sweep::slices::{ArrayRow, LayerRow, ReadRow, Report};

/// Narrower than other plots: two stand side by side, and a phone shows one at a size that can be read.
const WIDTH: f64 = 500.0;
const RIGHT: f64 = 18.0;
/// Height of a line of a slice in a row of a layer, and the space between rows.
const LINE: f64 = 13.0;
const BETWEEN: f64 = 11.0;
/// Most layers drawn; the tables have the others.
const MOST_ROWS: usize = 60;
/// Most arrays drawn.
const MOST_DOTS: usize = 6_000;
/// Most arrays drawn as markers with their numbers.
const MOST_MARKERS: usize = 400;
/// Height of a plot with a scale of its own to the left.
const HEIGHT: f64 = 270.0;

/// Labels of slices, 0 first.
fn labels(report: &Report) -> Vec<String> {
    let last = report.slices.len().saturating_sub(1);
    let label = |slice: usize| match slice {
        0 if last == 0 => "the only slice".to_string(),
        0 => "slice 0 (lowest)".to_string(),
        s if s == last => format!("slice {s} (highest)"),
        s => format!("slice {s}"),
    };
    (0..=last).map(label).collect()
}

fn keys(labels: &[String]) -> Vec<Key<'_>> {
    let series = labels.iter().enumerate();
    series.map(|(i, label)| Key::Series(i, label)).collect()
}

/// Words that the caption of a plot with too many layers ends with.
fn left_out(report: &Report) -> String {
    match report.layers.len() {
        n if n > MOST_ROWS => format!(" The first {MOST_ROWS} of {n} layers; the table has all."),
        _ => String::new(),
    }
}

/// A plot with a row for every layer: names to the left, a scale below.
struct Rows<'a> {
    layers: &'a [LayerRow],
    lines: usize,
    frame: Frame,
}

impl<'a> Rows<'a> {
    /// Under a legend that ends at `top`.
    fn new(report: &'a Report, top: f64) -> Self {
        let layers = &report.layers[..report.layers.len().min(MOST_ROWS)];
        let lines = report.slices.len().max(1);
        let names = layers.iter().map(|l| text_width(&l.name, 13.0));
        let left = names.fold(0.0, f64::max).min(150.0) + 16.0;
        let height = layers.len() as f64 * (lines as f64 * LINE + BETWEEN);
        let frame = Frame {
            left,
            right: WIDTH - RIGHT,
            top,
            bottom: top + height,
        };
        Self {
            layers,
            lines,
            frame,
        }
    }

    /// Middle of the line of a slice of a layer.
    fn y(&self, layer: usize, slice: usize) -> f64 {
        let row = self.lines as f64 * LINE + BETWEEN;
        self.frame.top + layer as f64 * row + BETWEEN / 2.0 + (slice as f64 + 0.5) * LINE
    }

    /// Draws names, rules and the scale.
    fn draw(&self, svg: &mut Svg, data: (f64, f64), n: usize, title: &str) -> Scale {
        let f = &self.frame;
        let scale = Scale {
            data,
            pixels: (f.left, f.right),
        };
        let (marks, decimals) = ticks(data.0, data.1, n);
        for v in marks {
            let at = scale.at(v);
            svg.line("grid", (at, f.top), (at, f.bottom));
            f.mark(svg, at, &format!("{v:.decimals$}"));
        }
        let row = self.lines as f64 * LINE + BETWEEN;
        for (i, layer) in self.layers.iter().enumerate() {
            let top = f.top + i as f64 * row;
            if i > 0 {
                svg.line("grid", (0.0, top), (f.right, top));
            }
            let at = (f.left - 12.0, top + row / 2.0 + 4.5);
            svg.text("", at, Anchor::End, &short(&layer.name, f.left - 14.0));
        }
        svg.line("axis", (f.left, f.bottom), (f.right, f.bottom));
        f.title(svg, title);
        scale
    }
}

/// A name that fits a width: the end tells layers apart.
fn short(name: &str, width: f64) -> String {
    if text_width(name, 13.0) <= width {
        return name.to_string();
    }
    let mut end = name;
    while let Some(c) = end.chars().next() {
        end = &end[c.len_utf8()..];
        if text_width(end, 13.0) + 10.0 <= width {
            break;
        }
    }
    format!("\u{2026}{end}")
}

/// Share of non-zero digits by layer and slice.
pub(in crate::report) fn shares(report: &Report) -> Figure {
    let labels = labels(report);
    let mut svg = Svg::new(WIDTH);
    let top = legend(&mut svg, (0.0, 0.0), WIDTH, &keys(&labels)) + 12.0;
    let rows = Rows::new(report, top);
    let found = |layer: &LayerRow, slice: usize| {
        let cells = layer.cells.iter().filter(|c| c.slice == slice);
        let (all, filled) = cells.fold((0, 0), |(a, f), c| (a + c.cells, f + c.non_zero));
        (all > 0).then_some((all, filled))
    };
    let part = |(all, filled): (u64, u64)| filled as f64 / all as f64;
    let all = report.layers.iter().flat_map(|l| &l.cells);
    let most = all.map(|c| c.share).fold(0.0, f64::max);
    let scale = rows.draw(
        &mut svg,
        (0.0, (108.0 * most).clamp(0.1, 100.0)),
        6,
        "non-zero digits (%)",
    );
    let mut csv = String::from("layer,slice,cells,non_zero,share\n");
    for (i, layer) in rows.layers.iter().enumerate() {
        for (slice, label) in labels.iter().enumerate() {
            let Some((all, filled)) = found(layer, slice) else {
                continue;
            };
            let (x, y) = (scale.at(100.0 * part((all, filled))), rows.y(i, slice));
            let class = format!("bar {}", series_class(slice));
            svg.line(&class, (rows.frame.left, y), (x, y));
            let tip = format!(
                "{}, {label}: {} of {} digits are not 0 ({} %)",
                layer.name,
                thousands(filled),
                thousands(all),
                share(part((all, filled)))
            );
            svg.marker(slice, (x, y), &tip);
        }
    }
    for layer in &report.layers {
        for slice in 0..labels.len() {
            if let Some((all, filled)) = found(layer, slice) {
                let (name, part) = (csv_field(&layer.name), part((all, filled)));
                csv += &format!("{name},{slice},{all},{filled},{part}\n");
            }
        }
    }
    let title = "Non-zero digits".to_string();
    Figure {
        picture: svg.picture(rows.frame.bottom + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Share of the cells of a slice that hold another digit than 0, both polarities together.{}",
            left_out(report)
        ),
        csv,
        file: "non_zero_digits.csv".into(),
    }
}

/// Share of the sums that a converter of so many bits clips, over all layers.
pub(in crate::report) fn beyond(report: &Report) -> Option<Figure> {
    let labels = labels(report);
    let all = || (0..report.slices.len()).flat_map(|slice| fractions(report, slice));
    all().next()?;
    let least = all().map(|(_, p)| p).fold(1.0, f64::min);
    let mut svg = Svg::new(WIDTH);
    let top = legend(&mut svg, (0.0, 0.0), WIDTH, &keys(&labels)) + 34.0;
    let frame = Frame {
        left: 76.0,
        right: WIDTH - RIGHT,
        top,
        bottom: top + HEIGHT,
    };
    let (xs, ys) = clipping_scales(&mut svg, &frame, report, least);
    for (slice, label) in labels.iter().enumerate() {
        let place = |(bits, p): (usize, f64)| (xs.at(bits as f64), ys.at(p.log10()));
        let points: Vec<(f64, f64)> = fractions(report, slice).map(place).collect();
        svg.polyline(&format!("line {}", series_class(slice)), &points, false);
        let row = &report.slices[slice];
        for ((bits, _), at) in fractions(report, slice).zip(points) {
            let tip = format!(
                "{label}: {} of {} sums do not fit {bits} bits",
                thousands(row.beyond[bits]),
                thousands(row.sums)
            );
            svg.marker(slice, at, &tip);
        }
    }
    let mut csv = String::from("slice,bits,sums_beyond,sums\n");
    for row in &report.slices {
        for (bits, n) in row.beyond.iter().enumerate() {
            csv += &format!("{},{bits},{n},{}\n", row.slice, row.sums);
        }
    }
    let title = "Sums that a converter would clip".to_string();
    Some(Figure {
        picture: svg.picture(frame.bottom + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Share of all sums in front of converters whose magnitude does not fit so many bits, over all layers, {} images. A line \
             ends with its last sum: one bit more clips nothing.",
            thousands(report.sums.images as u64)
        ),
        csv,
        file: "sums_beyond.csv".into(),
    })
}

/// Shares of the sums of a slice that do not fit so many bits, as far as there are any.
fn fractions(report: &Report, slice: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let s = &report.slices[slice];
    let shares = s.beyond.iter().map(move |n| *n as f64 / s.sums as f64);
    shares.enumerate().filter(|(_, p)| *p > 0.0)
}

/// Draws bits below and powers of ten, down to `least`, to the left; gives the scales.
fn clipping_scales(svg: &mut Svg, frame: &Frame, report: &Report, least: f64) -> (Scale, Scale) {
    let place = (2.0, frame.top - 14.0);
    svg.text("soft small", place, Anchor::Start, "sums beyond (%)");
    let decades = least.log10().floor().min(-1.0);
    let ys = Scale {
        data: (decades, 0.0),
        pixels: (frame.bottom, frame.top),
    };
    for decade in decades as i32..=0 {
        let at = ys.at(f64::from(decade));
        svg.line("grid", (frame.left, at), (frame.right, at));
        let label = compact(100.0 * 10f64.powi(decade), 9);
        let place = (frame.left - 8.0, at + 4.0);
        svg.text("soft small", place, Anchor::End, &label);
    }
    let lengths = report.slices.iter().map(|s| s.beyond.len());
    let longest = lengths.max().unwrap_or(1);
    let xs = Scale {
        data: (0.0, (longest - 1).max(1) as f64),
        pixels: (frame.left + 14.0, frame.right - 20.0),
    };
    let long = |bits: usize| match bits {
        0 => "0".to_string(),
        n => format!("{n} (\u{2264} {})", thousands((1u64 << n) - 1)),
    };
    let room = (xs.pixels.1 - xs.pixels.0) / (longest - 1).max(1) as f64;
    let fits = text_width(&long(longest - 1), 12.0) + 12.0 <= room;
    for bits in 0..longest {
        let label = if fits { long(bits) } else { bits.to_string() };
        frame.mark(svg, xs.at(bits as f64), &label);
    }
    let (left, right) = ((frame.left, frame.bottom), (frame.right, frame.bottom));
    svg.line("axis", left, right);
    frame.title(svg, "bits of the magnitude, without the sign's");
    (xs, ys)
}

/// Bits of converters by layer and slice.
pub(in crate::report) fn bits(report: &Report) -> Figure {
    let labels = labels(report);
    let mut keys = keys(&labels);
    keys.push(Key::Tick("median", "no sum clips"));
    let mut svg = Svg::new(WIDTH);
    let top = legend(&mut svg, (0.0, 0.0), WIDTH, &keys) + 12.0;
    let rows = Rows::new(report, top);
    // The converters of a slice's polarities are alike.
    let most = |layer: &LayerRow, slice: usize, of: fn(&ReadRow) -> usize| {
        let reads = layer.reads.iter().filter(|r| r.slice == slice);
        reads.map(of).max()
    };
    let highest = report.layers.iter().flat_map(|l| &l.reads);
    let highest = highest.map(|r| r.bits_max).max().unwrap_or(0).max(1) as f64;
    let n = (highest as usize + 1).min(15);
    let scale = rows.draw(
        &mut svg,
        (0.0, highest + 0.4),
        n,
        "bits of a converter, with the sign's",
    );
    for (i, layer) in rows.layers.iter().enumerate() {
        for (slice, label) in labels.iter().enumerate() {
            let (Some(all), Some(few)) = (
                most(layer, slice, |r| r.bits_max),
                most(layer, slice, |r| r.bits_q999),
            ) else {
                continue;
            };
            let y = rows.y(i, slice);
            let (x, end) = (scale.at(few as f64), scale.at(all as f64));
            svg.line(&format!("bar {}", series_class(slice)), (x, y), (end, y));
            let tip = format!(
                "{}, {label}: {few} bits hold 99.9 % of the sums, {all} bits all that were counted",
                layer.name
            );
            svg.marker(slice, (x, y), &tip);
            svg.line("median", (end, y - 6.0), (end, y + 6.0));
        }
    }
    let mut csv =
        String::from("layer,plane,slice,bits_max,bits_q9999,bits_q999,bits_q99,bits_possible\n");
    for layer in &report.layers {
        for r in &layer.reads {
            csv += &format!(
                "{},{},{},{},{},{},{},{}\n",
                csv_field(&layer.name),
                r.plane,
                r.slice,
                r.bits_max,
                r.bits_q9999,
                r.bits_q999,
                r.bits_q99,
                r.bits_possible
            );
        }
    }
    let title = "Converter bits that follow".to_string();
    Figure {
        picture: svg.picture(rows.frame.bottom + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Markers: bits with which at most 0.1 % of the sums clip; ticks: with which none of the sums that were counted does.{}",
            left_out(report)
        ),
        csv,
        file: "converter_bits.csv".into(),
    }
}

/// Non-ideality factor of every array against its share of non-zero digits.
pub(in crate::report) fn factors(report: &Report) -> Option<Figure> {
    let labels = labels(report);
    let arrays: Vec<(&LayerRow, &ArrayRow)> = report
        .layers
        .iter()
        .flat_map(|l| l.arrays.iter().map(move |a| (l, a)))
        .filter(|(_, a)| a.nf.is_finite())
        .collect();
    if arrays.is_empty() {
        return None;
    }
    let mut svg = Svg::new(WIDTH);
    let top = legend(&mut svg, (0.0, 0.0), WIDTH, &keys(&labels)) + 34.0;
    let frame = Frame {
        left: 60.0,
        right: WIDTH - RIGHT,
        top,
        bottom: top + HEIGHT,
    };
    let place = (2.0, top - 14.0);
    svg.text(
        "soft small",
        place,
        Anchor::Start,
        "non-ideality factor (%)",
    );
    let most = arrays.iter().map(|(_, a)| 100.0 * a.nf).fold(0.0, f64::max);
    let end = if most > 0.0 { 1.06 * most } else { 1.0 };
    let ys = frame.ordinate(&mut svg, (0.0, end), 6);
    let densities = arrays.iter().map(|(_, a)| 100.0 * a.density);
    let x = range(densities, 0.05, 1.0, (0.0, 100.0));
    let xs = Scale {
        data: x,
        pixels: (frame.left + 8.0, frame.right - 8.0),
    };
    let (marks, decimals) = ticks(x.0, x.1, 7);
    for v in marks {
        frame.mark(&mut svg, xs.at(v), &format!("{v:.decimals$}"));
    }
    frame.title(&mut svg, "non-zero digits of the array (%)");
    draw_factors(&mut svg, &labels, &arrays, (xs, ys));
    let mut csv = String::from("layer,row_tile,column_tile,slice,plane,density,nf,nf_std\n");
    for (layer, a) in &arrays {
        csv += &format!(
            "{},{},{},{},{},{},{},{}\n",
            csv_field(&layer.name),
            a.row_tile,
            a.column_tile,
            a.slice,
            a.plane,
            a.density,
            a.nf,
            a.nf_std
        );
    }
    let title = "Non-ideality against density".to_string();
    Some(Figure {
        picture: svg.picture(frame.bottom + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "One mark an array: mean |I0 - I| / |I0| over its currents (I0: the ideal one) and {}, {}; {}.",
            count(report.chips as u64, "chip"),
            count(report.currents.images as u64, "image"),
            count(arrays.len() as u64, "array")
        ),
        csv: csv.replace("NaN", ""),
        file: "non_ideality.csv".into(),
    })
}

/// Few arrays as markers with their numbers, many as dots.
fn draw_factors(
    svg: &mut Svg,
    labels: &[String],
    arrays: &[(&LayerRow, &ArrayRow)],
    (xs, ys): (Scale, Scale),
) {
    let at = |a: &ArrayRow| (xs.at(100.0 * a.density), ys.at(100.0 * a.nf));
    let every = arrays.len().div_ceil(MOST_DOTS).max(1);
    for (slice, label) in labels.iter().enumerate() {
        let shown = arrays.iter().step_by(every);
        let shown = shown.filter(|(_, a)| a.slice == slice);
        if arrays.len() > MOST_MARKERS {
            let class = format!("dots {}", series_class(slice));
            svg.dots(&class, shown.map(|(_, a)| at(a)));
            continue;
        }
        for (layer, a) in shown {
            let tip = format!(
                "{}, row tile {}, column tile {}, {label}, {}: {} %, {} % non-zero",
                layer.name,
                a.row_tile,
                a.column_tile,
                a.plane,
                factor(a.nf, a.nf_std),
                share(a.density)
            );
            svg.marker(slice, at(a), &tip);
        }
    }
}
