//! How many chips, and over what.

use super::axes::{Design, Trial};
use super::reader::Section;
use super::until::Until;

/// Section `[sweep]`: every point of the designs is one experiment on the same chips.
///
/// Chip `k` is the same chip at every point, as far as the point's sigmas let it: differences
/// between points are paired.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Sweep {
    /// Chips per point; with [`Sweep::until`], the fewest.
    pub chips: usize,
    /// Test images per chip, from the first; 0 for all.
    pub images: usize,
    /// A chip yields when its accuracy (a fraction) is at least this.
    pub yield_limit: f64,
    /// Whether the interval of a mean has a part for chips not yet seen: 3 of as many chips as there
    /// are, at chance level. Left out of results where it is the default.
    #[serde(skip_serializing_if = "is_on")]
    pub unseen: bool,
    /// When a point has chips enough, from [`Sweep::chips`] on and at most [`Sweep::max_chips`];
    /// absent: it has [`Sweep::chips`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Most chips of a point with [`Sweep::until`]. Left out of results where it is the default.
    #[serde(skip_serializing_if = "is_usual")]
    pub max_chips: usize,
    /// The union of these designs; none: one point.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<Design>,
    /// `[sweep.axes]`: one design, instead of [`Sweep::grid`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<Design>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            chips: 100,
            images: 0,
            yield_limit: 0.8,
            unseen: true,
            until: None,
            max_chips: USUAL_MOST,
            grid: Vec::new(),
            axes: None,
        }
    }
}

/// Default of [`Sweep::max_chips`].
const USUAL_MOST: usize = 100_000;

fn is_on(on: &bool) -> bool {
    *on
}

fn is_usual(n: &usize) -> bool {
    *n == USUAL_MOST
}

/// Most chips of a point; a chip's index is a 32-bit word of the generator's counter, and its
/// result is kept in memory.
pub const MAX_CHIPS: usize = 10_000_000;

/// Most points of a sweep.
pub const MAX_POINTS: usize = 10_000;

impl Sweep {
    /// All designs, in the order of their points, each with its place in the file.
    pub(super) fn designs(&self) -> Vec<(String, &Design)> {
        let grids = self.grid.iter().enumerate();
        let grids = grids.map(|(i, d)| (format!("sweep.grid[{i}]"), d));
        let axes = self.axes.iter().map(|d| ("sweep.axes".to_string(), d));
        grids.chain(axes).collect()
    }

    /// Most chips of a point.
    pub fn most_chips(&self) -> usize {
        match self.until {
            Some(_) => self.max_chips,
            None => self.chips,
        }
    }

    /// Number of points.
    pub fn n_points(&self) -> usize {
        match self.designs() {
            designs if designs.is_empty() => 1,
            designs => {
                let counts = designs.iter().map(|(_, design)| design.n_points());
                counts.fold(0, usize::saturating_add)
            }
        }
    }

    /// Reads the section, and the values of its axes, which are yet to be tried.
    pub(super) fn read<'t>(mut s: Section<'t>) -> (Self, Vec<Trial<'t>>) {
        let d = Self::default();
        let mut trials = Vec::new();
        let sweep = Self {
            chips: s.count("chips", d.chips, 1..=MAX_CHIPS),
            images: s.count("images", d.images, 0..=100_000_000),
            yield_limit: s.real("yield_limit", d.yield_limit, 0.0..=1.0),
            unseen: s.bool("unseen", d.unseen),
            until: s.optional("until", Until::read),
            max_chips: s.count("max_chips", d.max_chips, 1..=MAX_CHIPS),
            grid: {
                let tables = s.tables("grid");
                let designs = tables.iter().map(|t| Design::read(t, &s, &mut trials));
                designs.collect()
            },
            axes: {
                let table = s.entries("axes");
                table.map(|t| Design::read(&t, &s, &mut trials))
            },
        };
        if sweep.axes.is_some() && !sweep.grid.is_empty() {
            s.refuse("axes", "there is [[sweep.grid]] too; allowed: one of both");
        }
        if sweep.n_points() > MAX_POINTS {
            let n = sweep.n_points();
            s.refuse(
                if sweep.axes.is_some() { "axes" } else { "grid" },
                format!("{n} points are not allowed; allowed: 1 to {MAX_POINTS}"),
            );
        }
        s.finish();
        (sweep, trials)
    }
}
