//! `{ kind = "group-lasso" }` of `train.loss`.

use super::composition::Problems;
use super::{Composition, LossPart};
use crate::choice::choices;
use crate::config::section::section;
use crate::config::{Experiment, Fidelity};

choices! {
    /// Weights of a layer that go to 0 together. A layer is a matrix with a row for every input and a column for
    /// every output channel.
    pub enum LassoGroups {
        /// A column: the weights of an output channel.
        Filters = "filters",
        /// The rows of an input channel: its pixels of the kernels, in every output channel.
        Channels = "channels",
        /// A row: one input, in every output channel.
        Rows = "rows",
        /// Pieces of a column, of as many rows as [`GroupLasso::segment`] says (XCS).
        ColumnSegments = "column-segments",
        /// Pieces of a row, of as many columns as [`GroupLasso::segment`] says (XRS).
        RowSegments = "row-segments",
    }
}

section! {
    /// Part `{ kind = "group-lasso" }` of `train.loss`: adds `weight` times the sum over groups of weights of
    /// `sqrt(sum w^2)`, which empties whole groups (Wen et al., arXiv 1608.03665). Weights of all crossbar
    /// layers, before any transform.
    pub struct GroupLasso {
        /// Factor.
        weight: f64 = 1e-4, 0.0..=1e3;
        /// Weights that go together.
        groups: LassoGroups = LassoGroups::Filters;
        /// Weights of a segment; 0: as long as an array of `[chip.array]`.
        segment: usize = 0, 0..=65_536;
    }
}

impl LassoGroups {
    /// Whether groups have a length of their own.
    pub fn are_segments(self) -> bool {
        match self {
            LassoGroups::ColumnSegments | LassoGroups::RowSegments => true,
            LassoGroups::Filters | LassoGroups::Channels | LassoGroups::Rows => false,
        }
    }
}

impl GroupLasso {
    /// Weights of a segment with the arrays of an experiment; 0 for groups that are no segments.
    pub fn segment_in(&self, e: &Experiment) -> usize {
        let array = &e.chip.array;
        match (self.groups, self.segment) {
            (LassoGroups::ColumnSegments, 0) => array.rows,
            (LassoGroups::RowSegments, 0) => array.cols,
            (_, n) => n,
        }
    }
}

const FIELDS: &[&str] = &[
    "train.loss.group-lasso.segment",
    "train.loss.group-lasso",
    "train.loss",
];

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let Some(lasso) = c.loss.iter().find_map(|part| match part {
        LossPart::GroupLasso(lasso) => Some(lasso),
        LossPart::L1(_)
        | LossPart::SliceL1(_)
        | LossPart::Distill(_)
        | LossPart::Ovf(_)
        | LossPart::Irs(_)
        | LossPart::Heads(_) => None,
    }) else {
        return;
    };
    let segments = lasso.groups.are_segments();
    if segments && lasso.segment == 0 && e.fidelity != Fidelity::Cell {
        found.add(
            FIELDS,
            format!(
                "0 takes \"{}\" from the arrays, and there are none at fidelity \"weight\"; allowed: 1 \
                 to 65536, or fidelity \"cell\"",
                lasso.groups
            ),
        );
    }
    if !segments && lasso.segment > 0 {
        found.add(
            FIELDS,
            format!(
                "{} of groups = \"{}\", which are no segments; allowed: 0",
                lasso.segment, lasso.groups
            ),
        );
    }
}
