//! Colours that stand for numbers: the scale, its bar, and what can be read on it.

use super::svg::{Anchor, Scale, Svg, ticks, words};

/// Viridis (Smith and van der Walt, 2015, CC0): equal steps of lightness, for every kind of colour
/// vision.
const VIRIDIS: [[u8; 3]; 10] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x28, 0x78],
    [0x3e, 0x49, 0x89],
    [0x31, 0x68, 0x8e],
    [0x26, 0x82, 0x8e],
    [0x1f, 0x9e, 0x89],
    [0x35, 0xb7, 0x79],
    [0x6e, 0xce, 0x58],
    [0xb5, 0xde, 0x2b],
    [0xfd, 0xe7, 0x25],
];

/// Red, green and blue of `t` in 0..=1.
fn rgb(t: f64) -> [u8; 3] {
    let at = t.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let i = (at as usize).min(VIRIDIS.len() - 2);
    let (a, b) = (VIRIDIS[i], VIRIDIS[i + 1]);
    let mix = |a: u8, b: u8| f64::from(a) + (at - i as f64) * (f64::from(b) - f64::from(a));
    std::array::from_fn(|c| mix(a[c], b[c]).round() as u8)
}

/// Colour of `t` in 0..=1.
pub(super) fn colour(t: f64) -> String {
    let [r, g, b] = rgb(t);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Relative luminance of a colour, 0 to 1 (WCAG 2.2).
pub(super) fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = |c: u8| match f64::from(c) / 255.0 {
        c if c <= 0.040_45 => c / 12.92,
        c => ((c + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

/// Contrast of two luminances, 1 to 21 (WCAG 2.2).
pub(super) fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Class of a text on the colour of `t`: whichever of black and white can be read better.
pub(super) fn ink_on(t: f64) -> &'static str {
    let ground = luminance(rgb(t));
    match contrast(ground, 0.0) >= contrast(ground, 1.0) {
        true => "black",
        false => "white",
    }
}

/// Room for the title of a bar.
const ROOM: f64 = 74.0;

/// The vertical bar that says which number a colour stands for.
pub(super) struct ColourBar<'a> {
    pub title: &'a str,
    /// Numbers at the two ends.
    pub values: (f64, f64),
    /// Numbers on the bar for 1 of a value.
    pub factor: f64,
}

impl ColourBar<'_> {
    /// Draws it in the middle of `size` pixels below the corner.
    pub fn draw(&self, svg: &mut Svg, (x, top): (f64, f64), size: f64) {
        const STEPS: usize = 48;
        let height = (size - 20.0).min(300.0);
        let lines = words(self.title, 12.0, ROOM);
        // The title stands above the bar, and in the picture.
        let y = (top + (size - height) / 2.0).max(14.0 * lines.len() as f64 + 12.0);
        let scale = Scale {
            data: self.values,
            pixels: (y + height, y),
        };
        let step = height / STEPS as f64;
        for i in 0..STEPS {
            let t = (i as f64 + 0.5) / STEPS as f64;
            let at = (x, y + height - step * (i + 1) as f64);
            // A little higher than the step: no seams between neighbours.
            svg.rect("", at, (16.0, step + 0.4), Some(&colour(t)), "");
        }
        let ends = (self.factor * self.values.0, self.factor * self.values.1);
        let (marks, decimals) = ticks(ends.0, ends.1, 5);
        for v in marks {
            let at = scale.at(v / self.factor);
            svg.line("axis", (x + 16.0, at), (x + 20.0, at));
            let place = (x + 24.0, at + 4.0);
            svg.text(
                "soft small",
                place,
                Anchor::Start,
                &format!("{v:.decimals$}"),
            );
        }
        for (i, line) in lines.iter().rev().enumerate() {
            let place = (x - 4.0, y - 12.0 - 14.0 * i as f64);
            svg.text("soft small", place, Anchor::Start, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers on a map can be read: WCAG asks for a contrast of 4.5.
    #[test]
    fn text_on_every_colour_can_be_read() {
        for i in 0..=1000 {
            let t = f64::from(i) / 1000.0;
            let ink = match ink_on(t) {
                "black" => 0.0,
                _ => 1.0,
            };
            let found = contrast(luminance(rgb(t)), ink);
            assert!(found >= 4.5, "{t}: {found}");
        }
    }

    /// More is lighter, for every kind of colour vision and in grey.
    #[test]
    fn lightness_rises_with_the_number() {
        let all: Vec<f64> = (0..=200)
            .map(|i| luminance(rgb(f64::from(i) / 200.0)))
            .collect();
        assert!(all.windows(2).all(|w| w[1] > w[0]));
    }
}
