//! Names of a network's states: `NODE.PART`, such as `conv1.weight`. Everything that writes such a
//! name or reads one does it here.

use crate::choice::{Choice, choices};

choices! {
    /// Which of a node's states a tensor is: the part of its name after the last dot.
    pub enum Part {
        /// Weights of a crossbar layer.
        Weight = "weight",
        /// Bias of a crossbar layer.
        Bias = "bias",
        /// Steps of a crossbar layer's weight quantizer.
        WeightStep = "weight_step",
        /// Step of the quantizer of a crossbar layer's inputs.
        InputStep = "input_step",
        /// Gain of a batch norm.
        Gamma = "gamma",
        /// Offset of a batch norm.
        Beta = "beta",
        /// Running mean of a batch norm.
        Mean = "mean",
        /// Running variance of a batch norm.
        Var = "var",
        /// Factor of every channel.
        Scale = "scale",
        /// Offset of every channel.
        Shift = "shift",
        /// Step of a quantizer that the network itself has.
        Step = "step",
        /// Reference of all converters, where it is learned: see [`CONVERTERS`].
        Reference = "reference",
    }
}

/// What stands for a node in the name of the converters' reference: the largest sum that does not clip, in fully conducting cells
/// at one level of drive. All layers have it.
pub const CONVERTERS: &str = "converters";

impl Part {
    /// The states of a batch norm, in the order of its operands.
    pub const NORM: [Part; 4] = [Part::Gamma, Part::Beta, Part::Mean, Part::Var];

    /// The name of this state of a node.
    pub fn of(self, node: &str) -> String {
        format!("{node}.{self}")
    }

    /// The node and the part that a name tells; `None` of a name that no state has.
    pub fn parse(name: &str) -> Option<(&str, Part)> {
        let (node, part) = name.rsplit_once('.')?;
        Some((node, Part::from_name(part)?))
    }

    /// Whether the state of this name satisfies a condition.
    pub fn any(name: &str, is: impl Fn(Part) -> bool) -> bool {
        Part::parse(name).is_some_and(|(_, part)| is(part))
    }

    /// Whether it is a quantizer step of a crossbar layer or the reference of converters, which training chooses: absent
    /// before.
    pub fn is_chosen(self) -> bool {
        matches!(self, Part::WeightStep | Part::InputStep | Part::Reference)
    }

    /// Whether it is a statistic of a batch norm, which moves without gradient.
    pub fn is_statistic(self) -> bool {
        matches!(self, Part::Mean | Part::Var)
    }

    /// Whether it is never below 0.
    fn is_non_negative(self) -> bool {
        self == Part::Var || self.is_chosen()
    }

    /// Smallest value that a state of this name may have.
    pub fn least(name: &str) -> f32 {
        match Part::any(name, Part::is_non_negative) {
            true => 0.0,
            false => f32::NEG_INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for &part in Part::ALL {
            for node in ["conv1", "layer1.0.conv"] {
                assert_eq!(Part::parse(&part.of(node)), Some((node, part)));
            }
        }
        for none in [
            "weight",
            "conv1.weight_step.average",
            "converters.0.range",
            "",
        ] {
            assert_eq!(Part::parse(none), None, "{none}");
        }
    }
}
