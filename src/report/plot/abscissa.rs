//! Where the values of a numeric axis lie on a plot: to scale, by their logarithms, or ages by theirs.

use super::frame::Frame;
use super::svg::{Scale, Svg, text_width, ticks};
use crate::config::field_path;
use crate::report::label::{self, TIMES, age};
use crate::report::layout::Axis;
use crate::report::text::compact;

/// Ratio of largest to smallest positive value beyond which a linear scale hides the small ones.
const MAX_RATIO: f64 = 30.0;

/// Ratio from which values with equal ratios lie at equal distances.
const GEOMETRIC: f64 = 8.0;

/// Room that 0 has to the left of a logarithmic scale, as a part of it.
const APART: f64 = 0.12;

/// The values of an axis.
pub(super) struct Abscissa {
    /// Ascending, each once.
    values: Vec<f64>,
    log: bool,
    /// Whether they are seconds, which people read as hours and years.
    seconds: bool,
}

impl Abscissa {
    /// Values that occur on an axis; logarithmic where they ask for it.
    pub fn new(axis: &Axis, values: impl IntoIterator<Item = f64>) -> Self {
        let seconds = label::unit(field_path(&axis.name)) == "s";
        Self::of(values, seconds)
    }

    fn of(values: impl IntoIterator<Item = f64>, seconds: bool) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let positive: Vec<f64> = values.iter().copied().filter(|v| *v > 0.0).collect();
        let log = values.first().is_some_and(|v| *v >= 0.0) && is_log(&positive);
        Self {
            values,
            log,
            seconds,
        }
    }

    /// Ascending, each once.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Position of a value on the scale.
    pub fn place(&self, x: f64) -> f64 {
        match (self.log, x > 0.0) {
            (false, _) => x,
            (true, true) => x.log10(),
            (true, false) => self.zero(),
        }
    }

    /// Positions of the smallest and the largest value.
    pub fn ends(&self) -> (f64, f64) {
        match (self.values.first(), self.values.last()) {
            (Some(&lo), Some(&hi)) => (self.place(lo), self.place(hi)),
            _ => (0.0, 1.0),
        }
    }

    /// Where 0 is on a logarithmic scale: apart from it.
    fn zero(&self) -> f64 {
        let positive = self.values.iter().copied().find(|v| *v > 0.0);
        let lo = positive.unwrap_or(1.0).log10();
        let hi = self.values.last().copied().unwrap_or(1.0).log10();
        lo - APART * (hi - lo).max(0.5)
    }

    fn has_zero_apart(&self) -> bool {
        self.log && self.values.first() == Some(&0.0)
    }

    /// A value as the axis names it.
    pub fn label(&self, x: f64) -> String {
        match self.seconds {
            true => age(x),
            false => number(x),
        }
    }

    /// The title of an axis without the unit that the labels have.
    pub fn title(&self, title: &str) -> String {
        match title.strip_suffix(" (s)") {
            Some(words) if self.seconds => words.to_string(),
            _ => title.to_string(),
        }
    }

    /// What a reader must know of the scale.
    pub fn note(&self) -> &'static str {
        match (self.log, self.has_zero_apart()) {
            (false, _) => "",
            (true, false) => " The abscissa is logarithmic.",
            (true, true) => " The abscissa is logarithmic; 0 stands apart from it.",
        }
    }

    /// Draws marks and labels under the frame; gives the scale of [`Abscissa::place`].
    pub fn draw(&self, svg: &mut Svg, frame: &Frame) -> Scale {
        let scale = Scale {
            data: self.ends(),
            pixels: (frame.left + 16.0, frame.right - 16.0),
        };
        for (at, label) in self.marks(&scale) {
            frame.mark(svg, at, &label);
        }
        if self.has_zero_apart() {
            let zero = scale.at(self.zero());
            let first = self.values.get(1).map_or(zero, |v| scale.at(v.log10()));
            // Two strokes across the axis: here it is interrupted.
            for at in [-2.5, 2.5].map(|d| (zero + first) / 2.0 + d) {
                let (from, to) = (
                    (at - 3.0, frame.bottom + 5.0),
                    (at + 3.0, frame.bottom - 5.0),
                );
                svg.line("axis", from, to);
            }
        }
        scale
    }

    /// Places of marks in pixels with their labels: the values themselves where they fit, else every second, third
    /// and so on of a logarithmic scale, round numbers of a linear one.
    fn marks(&self, scale: &Scale) -> Vec<(f64, String)> {
        let own = |step: usize| -> Vec<(f64, String)> {
            let last = self.values.len().saturating_sub(1);
            let shown = (0..self.values.len()).filter(|i| (last - i).is_multiple_of(step));
            let values = shown.map(|i| self.values[i]);
            values
                .map(|v| (scale.at(self.place(v)), self.label(v)))
                .collect()
        };
        if fits(&own(1)) {
            return own(1);
        }
        if self.log {
            let decades = self.decades(scale);
            if decades.len() > 1 && fits(&decades) {
                return decades;
            }
            let steps = 2..=self.values.len().max(2);
            return steps.map(own).find(|marks| fits(marks)).unwrap_or_default();
        }
        let round = |n: usize| -> Vec<(f64, String)> {
            let (values, decimals) = ticks(scale.data.0, scale.data.1, n);
            let label = |v: f64| match self.seconds {
                true => age(v),
                false => format!("{v:.decimals$}"),
            };
            let marks = values.into_iter().map(|v| (scale.at(v), label(v)));
            marks.collect()
        };
        let counts = (2..=8).rev();
        counts.map(round).find(|m| fits(m)).unwrap_or_default()
    }

    /// Powers of ten inside the scale, with 0 where it stands apart; of seconds the units of time.
    fn decades(&self, scale: &Scale) -> Vec<(f64, String)> {
        let (_, hi) = scale.data;
        let positive = self.values.iter().copied().find(|v| *v > 0.0);
        let lo = positive.unwrap_or(1.0).log10();
        let values: Vec<f64> = match self.seconds && hi > 3.5 {
            true => TIMES.iter().map(|(s, _)| *s).collect(),
            false => (lo.floor() as i32..=hi.ceil() as i32)
                .map(|d| 10f64.powi(d))
                .collect(),
        };
        let inside = |v: &f64| v.log10() > lo - 1e-9 && v.log10() < hi + 1e-9;
        let zero = self.has_zero_apart().then_some(0.0);
        let values = zero.into_iter().chain(values.into_iter().filter(inside));
        values
            .map(|v| (scale.at(self.place(v)), self.label(v)))
            .collect()
    }
}

/// Whether positive values, ascending, ask for a logarithmic scale.
fn is_log(positive: &[f64]) -> bool {
    let [lo, .., hi] = positive else {
        return false;
    };
    let ratios = || positive.windows(2).map(|w| (w[1] / w[0]).ln());
    let (least, most) = (
        ratios().fold(f64::INFINITY, f64::min),
        ratios().fold(0.0, f64::max),
    );
    let is_geometric = positive.len() > 2 && hi / lo >= GEOMETRIC && most < 1.25 * least;
    hi / lo > MAX_RATIO || is_geometric
}

/// Whether neighbouring labels leave room between them.
fn fits(marks: &[(f64, String)]) -> bool {
    marks.windows(2).all(|w| {
        let room = (text_width(&w[0].1, 12.0) + text_width(&w[1].1, 12.0)) / 2.0 + 10.0;
        (w[1].0 - w[0].0).abs() >= room
    })
}

/// A number with its decimals and the true minus sign.
pub(super) fn decimal(x: f64, decimals: usize) -> String {
    format!("{x:.decimals$}").replace('-', "\u{2212}")
}

/// A number with four digits, very large and small ones with a power of ten.
fn number(x: f64) -> String {
    match x.abs() {
        a if a != 0.0 && a < 1e-3 => format!("{x:.0e}"),
        a if a >= 1e6 => format!("{}M", compact(x / 1e6, 2)),
        a if a >= 1e4 => format!("{}k", compact(x / 1e3, 2)),
        _ => compact(x, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_follows_the_values() {
        let log = |values: &[f64]| Abscissa::of(values.iter().copied(), false).log;
        assert!(!log(&[0.0, 0.1, 0.2, 0.3]));
        assert!(!log(&[4.0, 5.0, 6.0, 8.0]));
        assert!(!log(&[64.0, 128.0, 256.0]));
        assert!(log(&[16.0, 64.0, 256.0]) && log(&[1.0, 10.0, 1000.0]));
        assert!(log(&[0.0, 1.0, 1000.0]) && !log(&[-1.0, 1.0, 1000.0]));
        assert!(!log(&[]) && !log(&[5.0]));
    }

    /// Equal factors are equal distances, and 0 is left of all.
    #[test]
    fn zero_stands_apart_from_logarithms() {
        let a = Abscissa::of([0.0, 1.0, 10.0, 100.0], false);
        assert!((a.place(10.0) - a.place(1.0) - (a.place(100.0) - a.place(10.0))).abs() < 1e-12);
        assert!(a.place(0.0) < a.place(1.0) && a.place(0.0).is_finite());
        assert!(a.note().contains("0 stands apart"));
    }

    /// A year in seconds has marks that people know, and no two lie on each other.
    #[test]
    fn a_year_has_marks_of_time() {
        let values = (0..200).map(|i| 10f64.powf(7.5 * f64::from(i) / 199.0));
        let a = Abscissa::of(values, true);
        let scale = Scale {
            data: a.ends(),
            pixels: (0.0, 500.0),
        };
        let labels: Vec<String> = a.marks(&scale).into_iter().map(|(_, l)| l).collect();
        assert_eq!(labels, ["1 s", "1 min", "1 h", "1 d", "1 y"]);
    }
}
