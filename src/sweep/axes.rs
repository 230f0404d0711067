//! The coordinates of a point: from its experiment to the names of the results.

use super::result::Axes;
use crate::config::{Point, TuningMethod};
use crate::train::Model;

/// The coordinates of a point; axes that have no name of their own are beside the others.
pub(super) fn axes(point: &Point, model: &Model) -> Axes {
    let e = &point.experiment;
    let n = &model.numerics;
    let bits = |b: u32| if b == 0 { 32 } else { b };
    let mut extra = serde_json::Map::new();
    let named = [
        "recipe",
        "law",
        "mapping",
        "distribution",
        "sigma_w",
        "sigma_b",
        "weight_bits",
        "activation_bits",
        "tuning",
        "test_cells",
        "train_variation",
        "train_seed",
    ];
    for (axis, value) in &point.axes {
        if !named.contains(&axis.as_str()) {
            let value = serde_json::to_value(value).unwrap_or_default();
            extra.insert(axis.clone(), value);
        }
    }
    let self_tuned = e.tuning.method == TuningMethod::SelfTuning;
    let noisy = e.train.recipe.sees_variation();
    Axes {
        recipe: e.train.recipe.to_string(),
        law: e.variation.law.to_string(),
        mapping: e.variation.mapping.to_string(),
        sigma_w: e.variation.sigma_w,
        sigma_b: e.variation.sigma_b,
        tuning: e.tuning.method.to_string(),
        weight_bits: bits(n.weight_bits),
        activation_bits: bits(n.act_bits),
        train_variation: if noisy {
            e.train.variation.to_string()
        } else {
            "none".into()
        },
        train_seed: e.training_seed(),
        distribution: e.variation.distribution.to_string(),
        test_cells: if self_tuned {
            e.tuning.test_cells as u32
        } else {
            0
        },
        extra,
    }
}
