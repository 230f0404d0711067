//! `{ kind = "mask" }` of `train.weights`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::json;
use toml::de::DeValue;

use super::composition::Problems;
use super::{Composition, WeightPart};
use crate::choice::choices;
use crate::config::layers::rank;
use crate::config::path;
use crate::config::reader::nearest;
use crate::config::rule::{Allowed, Read, Rule, wrong_type};
use crate::config::section::section;
use crate::config::{Experiment, Fidelity};
use crate::error::{Code, Mistake};

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
    /// stage before it trains what is removed, stages after it that keep the mask list it, too. Digital layers
    /// (`[layer.NAME]`) and layers of heads keep all their weights.
    pub struct MaskWeights {
        /// Weights that are removed together.
        groups: MaskGroups = MaskGroups::Weights;
        /// Share of a layer's groups that are removed, rounded down.
        sparsity: f64 = 0.5, SHARE;
        /// The same of single layers, by name or pattern as sections `[layer.NAME]` have them: `{ fc = 0 }` spares
        /// layer `fc`, and `sparsity = 0` with `{ "conv*" = 0.8 }` masks convolutions alone.
        [quiet] sparsities: BTreeMap<String, f64> = BTreeMap::new(), Sparsities;
        /// Weights of a segment; 0: as long as an array of `[chip.array]`.
        segment: usize = 0, 0..=65_536;
    }
}

/// Shares of the groups of a layer: one group stays.
const SHARE: RangeInclusive<f64> = 0.0..=0.999;

/// Most names and patterns.
const MOST: usize = 1024;

/// A table from names of layers, and patterns, to shares.
struct Sparsities;

impl Rule<BTreeMap<String, f64>> for Sparsities {
    fn read(&self, value: &DeValue) -> Read<BTreeMap<String, f64>> {
        let allowed = Rule::allowed(self).values;
        let table = value.as_table();
        let table = table.ok_or_else(|| wrong_type(value, "a table", &allowed))?;
        if table.len() > MOST {
            let mistake = Mistake::new(Code::NotAllowed, "too many layers");
            return Err(mistake
                .value(table.len().to_string())
                .allowed(allowed)
                .into());
        }
        let share = |(name, share): (
            &toml::Spanned<std::borrow::Cow<str>>,
            &toml::Spanned<DeValue>,
        )| {
            let share = SHARE.read(share.get_ref());
            share.map(|share| (name.get_ref().to_string(), share))
        };
        table.iter().map(share).collect()
    }

    fn allowed(&self) -> Allowed {
        let share = SHARE.allowed();
        let values = format!(
            "names and patterns of layers, up to {MOST}, each with {}",
            share.values
        );
        let schema = json!({
            "type": "object", "additionalProperties": share.schema, "maxProperties": MOST,
        });
        Allowed::new("table of numbers", values, schema)
    }
}

impl MaskWeights {
    /// The share of the groups of a layer that are removed.
    ///
    /// # Errors
    /// Two patterns that say different shares and know the layer equally well.
    pub fn sparsity_of(&self, layer: &str) -> Result<f64, Box<Mistake>> {
        let own = self.sparsities.iter();
        let own = own.filter_map(|(pattern, share)| Some((rank(pattern, layer)?, pattern, share)));
        let own: Vec<_> = own.collect();
        let Some(best) = own.iter().map(|(rank, ..)| *rank).max() else {
            return Ok(self.sparsity);
        };
        let mut best = own.iter().filter(|(rank, ..)| *rank == best);
        let Some((_, pattern, share)) = best.next() else {
            return Ok(self.sparsity);
        };
        match best.find(|(_, _, other)| other != share) {
            None => Ok(**share),
            Some((_, other, _)) => Err(Mistake::worded(
                Code::Contradiction,
                &format!(
                    "`{pattern}` and `{other}` say different shares for layer `{layer}`, and have as many literal \
                     characters; allowed: one share, or the name of the layer"
                ),
            )
            .into()),
        }
    }

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

/// A layer on crossbars as masks see it.
#[derive(Debug, Clone, Copy)]
pub struct MaskedLayer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Executed digitally, so that masks spare it.
    pub digital: bool,
    /// Rows and columns of its matrix.
    pub shape: (usize, usize),
}

impl MaskWeights {
    /// Sees that the mask fits the layers of a network, of which the last gives the classes; `segment` is that of
    /// [`MaskWeights::segment_in`].
    ///
    /// # Errors
    /// A name or pattern of no layer, or of layers that no mask touches; classes that are removed for certain.
    /// The mistake's field is one of the part.
    pub fn check(&self, layers: &[MaskedLayer], segment: usize) -> Result<(), Box<Mistake>> {
        for (pattern, share) in &self.sparsities {
            let field = format!("sparsities.{}", path::part(pattern));
            self.check_pattern(pattern, *share, layers)
                .map_err(|m| within(&field, *m))?;
        }
        for layer in layers {
            self.sparsity_of(layer.name)
                .map_err(|m| within("sparsities", *m))?;
        }
        self.check_classes(layers, segment)
    }

    fn check_pattern(
        &self,
        pattern: &str,
        share: f64,
        layers: &[MaskedLayer],
    ) -> Result<(), Box<Mistake>> {
        let names: Vec<&str> = layers.iter().map(|layer| layer.name).collect();
        let of = layers
            .iter()
            .filter(|layer| rank(pattern, layer.name).is_some());
        let of: Vec<_> = of.collect();
        let mistake = |problem: &str| Mistake::new(Code::NotAllowed, problem);
        if of.is_empty() {
            let hint = nearest(pattern, &names).map(str::to_string);
            let mistake = mistake("the network has no such layer on crossbars");
            return Err(mistake.allowed(names.join(", ")).hint(hint).into());
        }
        if share > 0.0 && of.iter().all(|layer| layer.digital) {
            let mistake = mistake(&format!(
                "{share} has no effect, masks spare digital layers"
            ))
            .value(share.to_string());
            return Err(mistake.allowed("0, or a layer on arrays").into());
        }
        let last = layers.last().map(|last| last.name);
        let keeps = |layer: &&MaskedLayer| layer.digital || Some(layer.name) == last;
        if share > 0.0 && self.groups == MaskGroups::Filters && of.iter().all(keeps) {
            let mistake = mistake(&format!(
                "{share} of the last layer, which keeps its filters: they are the classes"
            ));
            return Err(mistake.value(share.to_string()).allowed("0").into());
        }
        Ok(())
    }

    /// Refuses segments that are whole columns of the last layer, of which some are removed.
    fn check_classes(&self, layers: &[MaskedLayer], segment: usize) -> Result<(), Box<Mistake>> {
        let Some(last) = layers.last().filter(|last| !last.digital) else {
            return Ok(());
        };
        let (rows, cols) = last.shape;
        let removed = (self.sparsity_of(last.name)? * cols as f64).floor() as usize;
        if self.groups != MaskGroups::ColumnSegments || segment < rows || removed == 0 {
            return Ok(());
        }
        let problem = format!(
            "segments of {segment} rows are whole columns of the last layer, `{}`, which has {rows}: {removed} of its \
             {cols} outputs would lose all weights",
            last.name
        );
        let spared = format!(
            "sparsities = {{ {} = 0 }}, or segments below {rows}",
            path::part(last.name)
        );
        Err(Mistake::new(Code::Contradiction, problem)
            .allowed(spared)
            .into())
    }
}

/// The same mistake in a field.
fn within(field: &str, mistake: Mistake) -> Box<Mistake> {
    let field = Some(field.to_string());
    Mistake { field, ..mistake }.into()
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
