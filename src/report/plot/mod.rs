//! The plots of the report, each a picture with its caption and its numbers.

pub(super) mod distribution;
pub(super) mod estimate;
mod frame;
pub(super) mod front;
pub(super) mod lines;
pub(super) mod pareto;
pub(super) mod quantity;
pub(super) mod slices;
mod svg;
pub(super) mod training;
pub(super) mod wafer;

use super::layout::Layout;
use super::text::{count, thousands};
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use quantity::Quantity;
use svg::Anchor;

pub(super) use svg::{STYLE, Scale, Svg, range, series_class};

/// Most points whose chips are drawn one by one in the headline picture.
const HEADLINE_ROWS: usize = 8;

/// A plot ready for the page.
pub(super) struct Figure {
    /// Heading.
    pub title: String,
    /// The picture.
    pub svg: String,
    /// What is shown, with the numbers of chips and images; plain text.
    pub caption: String,
    /// The numbers shown, as CSV.
    pub csv: String,
    /// Name of the file the numbers download as.
    pub file: String,
}

/// One standalone SVG picture of the sweep, with title and caption, right on light and on dark
/// pages: the chips one by one while there are few points, else the means against the axis with
/// the most values.
pub fn headline_svg(result: &SweepResult, rows: &[ChipRow]) -> String {
    const TOP: f64 = 62.0;
    let layout = Layout::new(&result.points);
    let few = result.points.len() <= HEADLINE_ROWS || layout.x.is_none();
    let shown = layout.representatives(result.points.len(), HEADLINE_ROWS);
    let accuracy = Quantity::Accuracy(result);
    let chips = || distribution::draw(&accuracy, rows, &layout, &shown, TOP);
    let lines = || lines::draw(result, &layout, TOP);
    let drawn = if few { chips() } else { lines().or_else(chips) };
    let (mut svg, height) = drawn.unwrap_or((Svg::new(960.0), TOP));
    let per = if few {
        "in each row, one dot a chip"
    } else {
        "at each point"
    };
    let mut facts = format!(
        "{} {per}, {}, seed {}",
        chips_phrase(&result.points),
        images_phrase(&result.points),
        result.seed
    );
    if let Some(sigmas) = layout.constant_sigmas() {
        facts = format!("{sigmas}; {facts}");
    }
    svg.text("head", (0.0, 20.0), Anchor::Start, &result.title);
    svg.text("soft", (0.0, 42.0), Anchor::Start, &facts);
    svg.standalone(height, &result.title)
}

/// `200 chips`, or `100 to 200 chips`.
pub(super) fn chips_phrase(points: &[PointSummary]) -> String {
    spread(points.iter().map(|p| p.chips as u64), "chip")
}

/// `2,000 images`.
pub(super) fn images_phrase(points: &[PointSummary]) -> String {
    spread(points.iter().map(|p| u64::from(p.images)), "image")
}

fn spread(counts: impl Iterator<Item = u64> + Clone, noun: &str) -> String {
    let (lo, hi) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if lo == hi {
        count(hi, noun)
    } else {
        format!("{} to {}", thousands(lo), count(hi, noun))
    }
}
