//! How many chips, and over what.

use serde::ser::SerializeStruct;
use serde_json::json;

use super::axes::Design;
use super::reader::Section;
use super::reference::{self, Field, Table};
use super::rule::{Allowed, Any, List, Maybe};
use super::schema::DESIGN;
use super::section::{Entry, section};
use super::until::Until;
use crate::choice::Choice;
use crate::program::Metric;

section! {
    /// Section `[sweep]`: every point of the designs is one experiment on the same chips.
    ///
    /// Chip `k` is the same chip at every point, as far as the point's sigmas let it: differences
    /// between points are paired.
    pub struct Sweep {
        /// Chips per point; with `until`, the fewest.
        chips: usize = 100, 1..=MAX_CHIPS, "chips";
        /// Test images per chip, from the first; 0 for all.
        images: usize = 0, 0..=100_000_000, "images";
        /// A chip yields when its accuracy (a fraction) is at least this.
        yield_limit: f64 = 0.8, 0.0..=1.0;
        /// Whether the interval of a mean has a part for chips not yet seen: 3 of as many chips as there
        /// are, at chance level.
        [quiet] unseen: bool = true;
        /// Metrics that are measured besides accuracy and loss: columns of their own in all results
        /// (docs/columns.md). Each may be there once.
        [quiet] metrics: Vec<Metric> = vec![], List { each: Any, length: 0..=Metric::ALL.len() };
        /// When a point has chips enough, from `chips` on and at most `max_chips`; absent: it has `chips`.
        until: Option<Until> = None, Maybe(Any);
        /// Most chips of a point with `until`.
        [quiet] max_chips: usize = 100_000, 1..=MAX_CHIPS, "chips";
        /// Designs, `[[sweep.grid]]`: the points of the sweep are their union; none: one point. Keys as in
        /// `[sweep.axes]`.
        grid: Vec<Design> => Grid;
        /// One design, instead of `grid`. `mode` says how its axes make points ("grid", "zip" or
        /// "latin-hypercube", which needs `samples`); every other key is an axis: a short name such as
        /// `sigma_w` or the path of any field, its value a list, one value, or, in a Latin hypercube,
        /// `{ from, to, log, integer }` (docs/sweeps.md).
        axes: Option<Design> => Axes;
    }
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

    /// A plan that cannot be: the field and the reason.
    pub(super) fn misplaced(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.axes.is_some() && !self.grid.is_empty() {
            let text = "there is [[sweep.grid]] too; allowed: one of both";
            found.push(("sweep.axes", text.into()));
        }
        let mut metrics = self.metrics.iter().enumerate();
        let again = metrics.find(|(i, metric)| self.metrics[..*i].contains(metric));
        if let Some((_, metric)) = again {
            let text = format!("\"{metric}\" is there twice; allowed: every metric once");
            found.push(("sweep.metrics", text));
        }
        let n = self.n_points();
        if n > MAX_POINTS {
            let field = match self.axes {
                Some(_) => "sweep.axes",
                None => "sweep.grid",
            };
            let text = format!("{n} points are not allowed; allowed: 1 to {MAX_POINTS}");
            found.push((field, text));
        }
        found
    }
}

/// An array of designs.
struct Grid;

impl Entry<Vec<Design>> for Grid {
    fn take(&self, s: &mut Section, key: &'static str, _: Vec<Design>) -> Vec<Design> {
        let tables = s.tables(key);
        tables.iter().map(|table| Design::read(table, s)).collect()
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Vec<Design>,
    ) -> Result<(), M::Error> {
        match value.is_empty() {
            true => Ok(()),
            false => map.serialize_field(key, value),
        }
    }

    fn describe(&self, mut field: Field, _: &Vec<Design>, book: &mut Vec<Table>) {
        let schema = json!({"type": "array", "items": {"$ref": DESIGN}});
        field.set_allowed(Allowed::new("array of tables", "designs", schema));
        reference::add(book, field);
    }
}

/// One design.
struct Axes;

impl Entry<Option<Design>> for Axes {
    fn take(&self, s: &mut Section, key: &'static str, _: Option<Design>) -> Option<Design> {
        let table = s.entries(key)?;
        Some(Design::read(&table, s))
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Option<Design>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) => map.serialize_field(key, value),
            None => Ok(()),
        }
    }

    fn describe(&self, mut field: Field, _: &Option<Design>, book: &mut Vec<Table>) {
        field.set_allowed(Allowed::new("table", "a design", json!({"$ref": DESIGN})));
        reference::add(book, field);
    }
}
