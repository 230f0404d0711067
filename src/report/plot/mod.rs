//! The plots of the report, each a picture with its caption and its numbers.

mod abscissa;
pub(super) mod breakdown;
mod colour;
mod contour;
pub(super) mod difference;
pub(super) mod distribution;
pub(super) mod estimate;
pub(super) mod fit;
mod frame;
pub(super) mod front;
pub(super) mod heat;
pub(super) mod lines;
pub(super) mod pareto;
mod picture;
pub(super) mod quantity;
pub(super) mod scatter;
pub(super) mod slices;
pub(super) mod statistic;
mod svg;
pub(super) mod training;
pub(super) mod wafer;
pub(super) mod worst;

use super::layout::Layout;
use super::text::{count, thousands};
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use quantity::Quantity;
use svg::Anchor;

pub(super) use picture::{PX_PER_MM, Picture, STYLE, paper_style};
pub(super) use svg::{Scale, Svg, range, series_class, text_width};

/// Width of the pictures of a page, px.
const WIDTH: f64 = 960.0;

/// Width of the pictures of a page on a phone, px.
const NARROW: f64 = 372.0;

/// Most points whose chips are drawn one by one in the headline picture.
const HEADLINE_ROWS: usize = 8;

/// A plot with its caption and its numbers.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Heading.
    pub(super) title: String,
    /// The picture.
    pub(super) picture: Picture,
    /// The same for a phone, where there is one.
    pub(super) narrow: Option<Picture>,
    /// What is shown, with the numbers of chips and images; plain text.
    pub(super) caption: String,
    /// The numbers shown, as CSV.
    pub(super) csv: String,
    /// Name of the file the numbers download as.
    pub(super) file: String,
}

impl Figure {
    /// Its name: that of its files without ending.
    pub fn name(&self) -> &str {
        self.file.trim_end_matches(".csv")
    }

    /// Its heading.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What is shown: how many chips and images, which intervals, and what is not in them.
    pub fn caption(&self) -> &str {
        &self.caption
    }

    /// The numbers shown, as CSV.
    pub fn csv(&self) -> &str {
        &self.csv
    }
}

/// With a capital at the beginning.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// One standalone SVG picture of the sweep, with title and caption, right on light and on dark
/// pages: the chips one by one while there are few points, else the means against the axis with
/// the most values.
pub fn headline_svg(result: &SweepResult, rows: &[ChipRow]) -> String {
    const TOP: f64 = 62.0;
    let layout = Layout::new(&result.points);
    let few = result.points.len() <= HEADLINE_ROWS
        || layout.x.is_none()
        || !scatter::axes(&layout).is_empty();
    let shown = layout.representatives(result.points.len(), HEADLINE_ROWS);
    let accuracy = Quantity::Accuracy(result);
    let chips = || distribution::draw(&accuracy, rows, &layout, &shown, TOP);
    let lines = || {
        let lines = lines::Lines {
            result,
            layout: &layout,
            statistic: statistic::Statistic::Mean,
            width: WIDTH,
        };
        lines.draw(TOP)
    };
    let drawn = if few { chips() } else { lines().or_else(chips) };
    let (mut svg, height) = drawn.unwrap_or((Svg::new(WIDTH), TOP));
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
    svg.picture(height, &result.title).standalone()
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
