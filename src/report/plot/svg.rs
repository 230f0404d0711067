//! A small SVG writer for plots.
//!
//! Colours and fonts come from a style sheet (`plot.css`), so that one picture is right on paper, on a white and on a
//! dark screen: elements have classes. docs/figures.md says what plotting crates were compared with it.

use std::fmt::Write;

use super::picture::Picture;
use crate::report::text;

/// Number of colours and of markers in the style sheet.
const N_STYLES: usize = 6;

/// Where a text hangs on its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making; coordinates are pixels from the top left corner.
pub(in crate::report) struct Svg {
    body: String,
    /// Width, px.
    pub width: f64,
}

/// A coordinate with as many digits as a screen can show.
pub(super) fn px(x: f64) -> String {
    text::compact(x, 2)
}

/// The class that sets colour (and dash beyond the last colour) of a series.
pub(in crate::report) fn series_class(style: usize) -> String {
    let dashed = if (style / N_STYLES) % 2 == 1 {
        " alt"
    } else {
        ""
    };
    format!("s{}{dashed}", style % N_STYLES)
}

impl Svg {
    pub fn new(width: f64) -> Svg {
        Svg {
            body: String::new(),
            width,
        }
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        if [from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
            let _ = writeln!(
                self.body,
                "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                px(from.0),
                px(from.1),
                px(to.0),
                px(to.1)
            );
        }
    }

    /// A line through all finite points; `closed` makes it an area.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        let mut d = String::new();
        for (x, y) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            let verb = if d.is_empty() { 'M' } else { 'L' };
            let _ = write!(d, "{verb}{} {}", px(*x), px(*y));
        }
        if d.is_empty() {
            return;
        }
        if closed {
            d.push('Z');
        }
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// Straight pieces of a line that is seen on every colour: dark with a light rim.
    pub fn limit(&mut self, dashed: bool, pieces: &[[(f64, f64); 2]]) {
        let mut d = String::new();
        for [from, to] in known(pieces) {
            let _ = write!(
                d,
                "M{} {}L{} {}",
                px(from.0),
                px(from.1),
                px(to.0),
                px(to.1)
            );
        }
        if !d.is_empty() {
            let dash = if dashed { " dash" } else { "" };
            let _ = writeln!(self.body, "<path class=\"rim\" d=\"{d}\"/>");
            let _ = writeln!(self.body, "<path class=\"limit{dash}\" d=\"{d}\"/>");
        }
    }

    /// Many small dots as one path: lines of no length with round ends, a few bytes each.
    pub fn dots(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut d = String::new();
        for (x, y) in points {
            if x.is_finite() && y.is_finite() {
                let _ = write!(d, "M{} {}h0", text::compact(x, 1), text::compact(y, 1));
            }
        }
        if !d.is_empty() {
            let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{d}\"/>");
        }
    }

    /// A rectangle with an optional fill colour (else the class says it) and tooltip.
    pub fn rect(
        &mut self,
        class: &str,
        at: (f64, f64),
        size: (f64, f64),
        fill: Option<&str>,
        tip: &str,
    ) {
        if ![at.0, at.1, size.0, size.1].iter().all(|v| v.is_finite()) {
            return;
        }
        let fill = fill.map_or(String::new(), |f| format!(" style=\"fill:{f}\""));
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{fill}",
            px(at.0),
            px(at.1),
            px(size.0),
            px(size.1)
        );
        self.end(tip, "rect");
    }

    /// A circle.
    pub fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        if centre.0.is_finite() && centre.1.is_finite() && radius.is_finite() {
            let _ = writeln!(
                self.body,
                "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
                px(centre.0),
                px(centre.1),
                px(radius)
            );
        }
    }

    /// The marker of a series with a tooltip.
    pub fn marker(&mut self, style: usize, (x, y): (f64, f64), tip: &str) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        // All of about the same area.
        let outline: &[(f64, f64)] = match style % N_STYLES {
            0 => &[],
            1 => &[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)],
            2 => &[(0.0, -5.6), (5.2, 3.8), (-5.2, 3.8)],
            3 => &[(0.0, -5.8), (5.2, 0.0), (0.0, 5.8), (-5.2, 0.0)],
            4 => &[(0.0, 5.6), (5.2, -3.8), (-5.2, -3.8)],
            _ => &[
                (-5.2, -1.9),
                (-1.9, -1.9),
                (-1.9, -5.2),
                (1.9, -5.2),
                (1.9, -1.9),
                (5.2, -1.9),
                (5.2, 1.9),
                (1.9, 1.9),
                (1.9, 5.2),
                (-1.9, 5.2),
                (-1.9, 1.9),
                (-5.2, 1.9),
            ],
        };
        let class = series_class(style);
        if outline.is_empty() {
            let _ = write!(
                self.body,
                "<circle class=\"marker {class}\" cx=\"{}\" cy=\"{}\" r=\"4.5\"",
                px(x),
                px(y)
            );
            self.end(tip, "circle");
            return;
        }
        let mut d = String::new();
        for (i, (dx, dy)) in outline.iter().enumerate() {
            let verb = if i == 0 { 'M' } else { 'L' };
            let _ = write!(d, "{verb}{} {}", px(x + dx), px(y + dy));
        }
        let _ = write!(self.body, "<path class=\"marker {class}\" d=\"{d}Z\"");
        self.end(tip, "path");
    }

    /// Ends an element, with a tooltip if there is one.
    fn end(&mut self, tip: &str, element: &str) {
        if tip.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(
                self.body,
                "><title>{}</title></{element}>",
                text::escape(tip)
            );
        }
    }

    /// A text; sigma's subscripts are set.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, content: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" class=\"{class}\"")
        };
        let _ = writeln!(
            self.body,
            "<text{class} x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            px(x),
            px(y),
            text::svg(content)
        );
    }

    /// The whole picture. `name` is read out by screen readers.
    pub fn picture(self, height: f64, name: &str) -> Picture {
        Picture {
            body: self.body,
            size: (self.width, height),
            name: name.to_string(),
        }
    }
}

/// Pieces without those that have an unknown end.
fn known(pieces: &[[(f64, f64); 2]]) -> impl Iterator<Item = [(f64, f64); 2]> + '_ {
    let whole = |piece: &&[(f64, f64); 2]| piece.iter().all(|p| p.0.is_finite() && p.1.is_finite());
    pieces.iter().filter(whole).copied()
}

/// Estimated width of a text at a font size: averages of common sans-serif fonts, a little wide so
/// that nothing is cut off with another font.
pub(in crate::report) fn text_width(content: &str, size: f64) -> f64 {
    let em: f64 = content
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '\'' | '.' | ',' | ':' | ';' | '|' | '!' => 0.30,
            'f' | 't' | 'r' | ' ' | '(' | ')' | '-' | '/' | 'I' | '_' => 0.38,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.90,
            'A'..='Z' => 0.69,
            '0'..='9' => 0.58,
            _ => 0.57,
        })
        .sum();
    em * size
}

/// Breaks a text at its commas into lines of about `width` pixels at a font size.
pub(super) fn wrap(content: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in content.split(", ").filter(|p| !p.is_empty()) {
        match lines.last_mut() {
            Some(line) if text_width(line, size) + text_width(part, size) < width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => lines.push(part.to_string()),
        }
    }
    lines
}

/// Words in lines of about `width` pixels at a font size.
pub(super) fn words(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// A scale from data to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Scale {
    /// Data at the two ends.
    pub data: (f64, f64),
    /// Pixels at the two ends.
    pub pixels: (f64, f64),
}

impl Scale {
    /// Pixel of a value.
    pub fn at(&self, x: f64) -> f64 {
        let (a, b) = self.data;
        let t = if b > a { (x - a) / (b - a) } else { 0.5 };
        self.pixels.0 + t * (self.pixels.1 - self.pixels.0)
    }
}

/// Round values that divide `lo..=hi` into about `n` parts, with the decimals they need.
pub(super) fn ticks(lo: f64, hi: f64, n: usize) -> (Vec<f64>, usize) {
    let span = hi - lo;
    if !(span.is_finite() && span > 0.0) {
        return (vec![lo], 2);
    }
    let raw = span / n.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(10.0 * power);
    let decimals = (-step.log10()).ceil().max(0.0) as usize;
    let slack = step * 1e-9;
    let (first, last) = (
        ((lo - slack) / step).ceil() as i64,
        ((hi + slack) / step).floor() as i64,
    );
    ((first..=last).map(|i| i as f64 * step).collect(), decimals)
}

/// The range of finite values, widened by `pad` of its length, at least `least` long and inside
/// `limits`.
pub(in crate::report) fn range(
    values: impl IntoIterator<Item = f64>,
    pad: f64,
    least: f64,
    limits: (f64, f64),
) -> (f64, f64) {
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for v in values.into_iter().filter(|v| v.is_finite()) {
        lo = lo.min(v);
        hi = hi.max(v);
    }
    if lo > hi {
        return (limits.0.max(0.0), limits.1.min(1.0));
    }
    let middle = (lo + hi) / 2.0;
    let half = ((hi - lo) * (0.5 + pad)).max(least / 2.0);
    ((middle - half).max(limits.0), (middle + half).min(limits.1))
}

/// An entry of a legend.
pub(super) enum Key<'a> {
    /// A series: line with marker.
    Series(usize, &'a str),
    /// Any other line: its class.
    Line(&'a str, &'a str),
    /// A vertical tick: its class.
    Tick(&'a str, &'a str),
    /// A grey area.
    Band(&'a str),
    /// An area in the colour of a series.
    Area(usize, &'a str),
    /// An error bar.
    Bar(&'a str),
    /// A line over a map: whether it is dashed.
    Limit(bool, &'a str),
}

/// Draws a legend in rows from `(x, y)`, no wider than `width`; returns its height.
pub(super) fn legend(svg: &mut Svg, (x, y): (f64, f64), width: f64, keys: &[Key]) -> f64 {
    const ROW: f64 = 22.0;
    let (mut cx, mut cy) = (x, y);
    for key in keys {
        let (Key::Series(_, label)
        | Key::Line(_, label)
        | Key::Tick(_, label)
        | Key::Band(label)
        | Key::Area(_, label)
        | Key::Limit(_, label)
        | Key::Bar(label)) = key;
        let glyph = match key {
            Key::Series(..) | Key::Line(..) | Key::Limit(..) => 28.0,
            _ => 16.0,
        };
        let needs = glyph + 7.0 + text_width(label, 13.0);
        if cx > x && cx + needs > x + width {
            cx = x;
            cy += ROW;
        }
        let middle = cy + ROW / 2.0;
        match key {
            Key::Series(style, _) => {
                let class = format!("line {}", series_class(*style));
                svg.line(&class, (cx, middle), (cx + glyph, middle));
                svg.marker(*style, (cx + glyph / 2.0, middle), "");
            }
            Key::Line(class, _) => svg.line(class, (cx, middle), (cx + glyph, middle)),
            Key::Limit(dashed, _) => {
                svg.limit(*dashed, &[[(cx, middle), (cx + glyph, middle)]]);
            }
            Key::Tick(class, _) => {
                let at = cx + glyph / 2.0;
                svg.line(class, (at, middle - 8.0), (at, middle + 8.0));
            }
            Key::Band(_) => svg.rect("band neutral", (cx, middle - 6.0), (glyph, 12.0), None, ""),
            Key::Area(style, _) => {
                let class = format!("area {}", series_class(*style));
                svg.rect(&class, (cx, middle - 6.0), (glyph, 12.0), None, "");
            }
            Key::Bar(_) => error_bar(
                svg,
                "bar neutral",
                cx + glyph / 2.0,
                middle - 7.0,
                middle + 7.0,
            ),
        }
        svg.text("", (cx + glyph + 7.0, middle + 4.5), Anchor::Start, label);
        cx += needs + 22.0;
    }
    if keys.is_empty() { 0.0 } else { cy + ROW - y }
}

/// A vertical error bar with caps.
pub(super) fn error_bar(svg: &mut Svg, class: &str, x: f64, top: f64, bottom: f64) {
    svg.line(class, (x, top), (x, bottom));
    svg.line(class, (x - 4.0, top), (x + 4.0, top));
    svg.line(class, (x - 4.0, bottom), (x + 4.0, bottom));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let (t, d) = ticks(43.2, 91.0, 5);
        assert_eq!(t, [50.0, 60.0, 70.0, 80.0, 90.0]);
        assert_eq!(d, 0);
        let (t, d) = ticks(0.0, 0.31, 4);
        assert_eq!(t.len(), 4);
        assert!((t[3] - 0.3).abs() < 1e-12);
        assert_eq!(d, 1);
        assert_eq!(ticks(5.0, 5.0, 4).0, [5.0]);
        assert_eq!(ticks(f64::NAN, 1.0, 4).0.len(), 1);
    }

    #[test]
    fn ranges_keep_their_limits() {
        assert_eq!(range([0.5, f64::NAN, 1.0], 0.1, 0.0, (0.0, 1.0)).1, 1.0);
        let (lo, hi) = range([0.9], 0.1, 0.02, (0.0, 1.0));
        assert!((hi - lo - 0.02).abs() < 1e-12);
        assert_eq!(range([], 0.1, 0.02, (0.0, 1.0)), (0.0, 1.0));
    }

    #[test]
    fn what_is_not_finite_is_not_drawn() {
        let mut svg = Svg::new(10.0);
        svg.line("a", (f64::NAN, 0.0), (1.0, 1.0));
        svg.marker(0, (0.0, f64::INFINITY), "tip");
        svg.polyline("a", &[(f64::NAN, 1.0)], true);
        svg.dots("a", [(f64::NAN, 1.0)]);
        assert_eq!(svg.body, "");
    }
}
