//! A finished picture: part of a page, a file for screens, or a file for paper.

use super::svg::px;
use crate::report::text;

/// Style sheet of every plot.
pub(in crate::report) const STYLE: &str = include_str!("plot.css");

/// Pixels of a millimetre of paper: labels of 13 pixels are then 8 points high.
pub(in crate::report) const PX_PER_MM: f64 = 13.0 / (8.0 * 25.4 / 72.0);

/// A picture whose elements have the classes of [`STYLE`].
#[derive(Debug, Clone)]
pub(in crate::report) struct Picture {
    /// The elements.
    pub(super) body: String,
    /// Width and height, px.
    pub(super) size: (f64, f64),
    /// Read out by screen readers.
    pub(super) name: String,
}

impl Picture {
    /// The element, for a page whose style sheet has [`STYLE`].
    pub fn inline(&self) -> String {
        format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" \
             role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            px(self.size.0),
            px(self.size.1),
            text::escape(&self.name),
            self.body
        )
    }

    /// Whether it would be small print on half a page.
    pub fn is_tall(&self) -> bool {
        self.size.1 > 0.8 * self.size.0
    }

    /// A file of its own, right on light and on dark screens: with style sheet, background and margins.
    pub fn standalone(&self) -> String {
        const PAD: f64 = 18.0;
        let size = self.size;
        let (w, h) = (px(size.0 + 2.0 * PAD), px(size.1 + 2.0 * PAD));
        let (name, corner) = (text::escape(&self.name), px(-PAD));
        format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"{corner} {corner} {w} {h}\" role=\"img\" aria-label=\"{name}\">\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" x=\"{corner}\" y=\"{corner}\" \
             width=\"{w}\" height=\"{h}\"/>\n{}</svg>\n",
            self.body
        )
    }

    /// A file for paper: in millimetres, colours written out, text in `font`. Programs that know no CSS variables
    /// (most that draw vector graphics) show it as it is meant.
    pub fn paper(&self, width_mm: f64, font: &str) -> String {
        const PAD: f64 = 4.0;
        let (w, h) = (self.size.0 + 2.0 * PAD, self.size.1 + 2.0 * PAD);
        let height_mm = width_mm * h / w;
        let (name, corner) = (text::escape(&self.name), px(-PAD));
        let (w, h) = (px(w), px(h));
        format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" \
             viewBox=\"{corner} {corner} {w} {h}\" role=\"img\" aria-label=\"{name}\">\n\
             <style>{}</style>\n<rect class=\"paper\" x=\"{corner}\" y=\"{corner}\" \
             width=\"{w}\" height=\"{h}\"/>\n{}</svg>\n",
            px(width_mm),
            px(height_mm),
            paper_style(font),
            // An invisible character of its own in few fonts: paper needs none to hang the shift on.
            self.body
        )
    }
}

/// [`STYLE`] with the colours of light pages in the place of variables, and text in one family.
pub(in crate::report) fn paper_style(font: &str) -> String {
    let light = match (STYLE.find("@media"), STYLE.find("\n}\n.plot {")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &STYLE[..from], &STYLE[to + 3..]),
        _ => STYLE.to_string(),
    };
    let mut out = String::new();
    let mut values: Vec<(String, String)> = vec![];
    for line in light.lines() {
        if line.trim_start().starts_with("--") {
            for part in line.split(';') {
                if let Some((name, value)) = part.split_once(':') {
                    values.push((name.trim().into(), value.trim().into()));
                }
            }
            continue;
        }
        match line.split_once(" system-ui,") {
            Some((before, _)) => out.push_str(&format!("{before} {font}; }}\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    for (name, value) in values {
        out = out.replace(&format!("var({name})"), &value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_has_colours_and_no_variables() {
        let style = paper_style("'Some Sans', sans-serif");
        assert!(!style.contains("var(") && !style.contains("--") && !style.contains("@media"));
        for said in [
            ".plot .s0 { color: #0072b2; }",
            ".plot .paper { fill: #ffffff; }",
            ".plot { font: 13px 'Some Sans', sans-serif; }",
        ] {
            assert!(style.contains(said), "{said}\n{style}");
        }
    }
}
