//! Sections of the same step under other deviations, or through other converters.

use super::super::training::{CellTraining, TrainSpec, Training};
use super::*;

/// What a section of the step has of its own; everything else is that of the program.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// As [`TrainSpec::noise`].
    pub noise: Vec<Option<CellNoise>>,
    /// As [`TrainSpec::cells`].
    pub cells: Option<CellTraining>,
    /// As [`TrainSpec::passes`].
    pub passes: Vec<Pass>,
}

/// The program of the step with a section for every variant, of which the first takes the place of the step's; they share
/// all tensors. `whole` lowers the step of one of them.
pub(in crate::network::lower) fn add(
    training: &mut Training,
    spec: &TrainSpec,
    whole: impl Fn(&TrainSpec) -> Training,
) {
    for variant in &spec.variants {
        let Variant {
            noise,
            cells,
            passes,
        } = variant.clone();
        let own = whole(&TrainSpec {
            noise,
            cells,
            passes,
            variants: vec![],
            ..spec.clone()
        });
        let Program {
            tensors, sections, ..
        } = own.program;
        assert!(
            tensors == training.program.tensors,
            "deviations and codes change no tensor of a step"
        );
        let ops = sections.into_iter().nth(own.step.0);
        let ops = ops.map_or(vec![], |section| section.ops);
        let id = match training.variants.is_empty() {
            true => {
                training.program.sections[training.step.0].ops = ops;
                training.step
            }
            false => training.program.section("step", ops),
        };
        training.variants.push(id);
    }
}
