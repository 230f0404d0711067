//! `{ kind = "mask" }` of `train.weights`.

use super::composition::Problems;
use super::{Composition, WeightPart};
use crate::choice::choices;
use crate::config::section::section;
use crate::config::{Experiment, Fidelity};

choices! {
    /// Weights of a layer that are removed together. A layer is a matrix with a row for every input and a column
    /// for every output channel.
    pub enum MaskGroups {
        /// Every weight for itself: magnitude pruning.
        Weights = "weights",
        /// Columns, the filters of a layer, and with each the rows that the next layers read its map with (C/F).
        /// The last layer keeps its columns: they are the classes.
        Filters = "filters",
        /// Pieces of a column, of as many rows as [`MaskWeights::segment`] says (XCS).
        ColumnSegments = "column-segments",
        /// Pieces of a row, of as many columns as [`MaskWeights::segment`] says (XRS).
        RowSegments = "row-segments",
    }
}

section! {
    /// Part `{ kind = "mask" }` of `train.weights`: at the beginning of the stage the groups of every layer with the
    /// smallest `sqrt(sum w^2)` are removed, and stay 0 in every step and in the network that is deployed. A
    /// stage before it trains what is removed, stages after it that keep the mask list it, too.
    pub struct MaskWeights {
        /// Weights that are removed together.
        groups: MaskGroups = MaskGroups::Weights;
        /// Share of a layer's groups that are removed, rounded down.
        sparsity: f64 = 0.5, 0.0..=0.999;
        /// Weights of a segment; 0: as long as an array of `[chip.array]`.
        segment: usize = 0, 0..=65_536;
    }
}

impl MaskWeights {
    /// Weights of a segment with the arrays of an experiment; 0 for groups that are no segments.
    pub fn segment_in(&self, e: &Experiment) -> usize {
        let array = &e.chip.array;
        match (self.groups, self.segment) {
            (MaskGroups::ColumnSegments, 0) => array.rows,
            (MaskGroups::RowSegments, 0) => array.cols,
            (_, n) => n,
        }
    }
}

const FIELDS: &[&str] = &[
    "train.weights.mask.segment",
    "train.weights.mask",
    "train.weights",
];

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let Some(mask) = c.mask() else {
        return;
    };
    let segments = match mask.groups {
        MaskGroups::ColumnSegments | MaskGroups::RowSegments => true,
        MaskGroups::Weights | MaskGroups::Filters => false,
    };
    if segments && mask.segment == 0 && e.fidelity != Fidelity::Cell {
        found.add(
            FIELDS,
            format!(
                "0 takes \"{}\" from the arrays, and there are none at fidelity \"weight\"; allowed: 1 to 65536, or \
                 fidelity \"cell\"",
                mask.groups
            ),
        );
    }
    if !segments && mask.segment > 0 {
        found.add(
            FIELDS,
            format!(
                "{} of groups = \"{}\", which are no segments; allowed: 0",
                mask.segment, mask.groups
            ),
        );
    }
    let quantizes = c.quantizes_weights() || c.quantizes_afterwards().is_some();
    if quantizes && e.quantize.weight_bits == 1 {
        found.add(
            &["train.weights.mask", "train.weights", "quantize.weight_bits"],
            "one bit has no code for a weight that is removed; allowed: quantize.weight_bits from 2 to 8".into(),
        );
    }
}

impl Composition {
    /// The mask of the weights, if there is one.
    pub fn mask(&self) -> Option<&MaskWeights> {
        self.weights.iter().find_map(|part| match part {
            WeightPart::Mask(mask) => Some(mask),
            WeightPart::Clip(_) | WeightPart::Quantize(_) => None,
        })
    }
}
