//! The rectangle of a plot with its axes.

use super::svg::{Anchor, Scale, Svg, ticks};

/// The rectangle of the data.
pub(super) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame {
    /// Draws horizontal grid lines with about `n` numbers; gives the scale of `data`.
    pub fn ordinate(&self, svg: &mut Svg, data: (f64, f64), n: usize) -> Scale {
        let scale = Scale {
            data,
            pixels: (self.bottom, self.top),
        };
        let (values, decimals) = ticks(data.0, data.1, n);
        for v in values {
            let at = scale.at(v);
            svg.line("grid", (self.left, at), (self.right, at));
            let place = (self.left - 8.0, at + 4.0);
            svg.text("soft small", place, Anchor::End, &format!("{v:.decimals$}"));
        }
        svg.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        scale
    }

    /// Draws horizontal grid lines with percentages; gives the scale of the fractions `data`.
    pub fn percentages(&self, svg: &mut Svg, data: (f64, f64)) -> Scale {
        let percent = self.ordinate(svg, (100.0 * data.0, 100.0 * data.1), 6);
        Scale { data, ..percent }
    }

    /// Draws a mark of the abscissa with its label.
    pub fn mark(&self, svg: &mut Svg, x: f64, label: &str) {
        svg.line("axis", (x, self.bottom), (x, self.bottom + 5.0));
        let under = (x, self.bottom + 19.0);
        svg.text("soft small", under, Anchor::Middle, label);
    }

    /// Writes the abscissa's title.
    pub fn title(&self, svg: &mut Svg, title: &str) {
        let middle = (self.left + self.right) / 2.0;
        svg.text("soft", (middle, self.bottom + 40.0), Anchor::Middle, title);
    }
}
