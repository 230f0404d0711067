//! What the chips of a point cost: named numbers, any of which can be set against accuracy.

use std::collections::BTreeMap;

use crate::config::{Experiment, Mapping, OffsetReference};
use crate::network::Graph;
use crate::tuning::TuningCost;

/// Costs of one chip by name, tuning included:
/// * `cells`: programmable cells: weights times the cells of one (two if differential; an offset
///   column of real cells adds its copies for every row), and those of tuning;
/// * `conversions_per_image`: analog-to-digital ones at least: one an output of a crossbar layer,
///   as if every column were one array's, and those of tuning;
/// * `operations_per_image`: digital additions and multiplications of tuning alone.
pub fn costs(
    experiment: &Experiment,
    graph: &Graph,
    tuning: Option<TuningCost>,
) -> BTreeMap<String, f64> {
    let v = &experiment.variation;
    let layers = graph.crossbars();
    let sum = |of: &dyn Fn(&crate::backend::program::ConvGeometry) -> usize| -> f64 {
        layers.iter().map(|(_, geo, _)| of(geo) as f64).sum()
    };
    let cells = match v.mapping {
        Mapping::Ideal => sum(&|g| g.weights()),
        Mapping::Differential => 2.0 * sum(&|g| g.weights()),
        Mapping::Offset => {
            let copies = match v.offset_reference {
                OffsetReference::Digital => 0,
                OffsetReference::Column => v.reference_copies as usize,
            };
            sum(&|g| g.weights() + copies * g.rows())
        }
    };
    let conversions = sum(&|g| g.h_out() * g.w_out() * g.c_out);
    let tuning = tuning.unwrap_or_default();
    BTreeMap::from([
        ("cells".to_string(), cells + tuning.cells as f64),
        (
            "conversions_per_image".to_string(),
            conversions + tuning.conversions_per_image as f64,
        ),
        (
            "operations_per_image".to_string(),
            tuning.operations_per_image as f64,
        ),
    ])
}
