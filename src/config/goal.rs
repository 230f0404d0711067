//! Which designs a search is for: objectives and constraints in a line.

use std::fmt;

use serde_json::json;
use toml::de::DeValue;

use super::reader::nearest;
use super::rule::{Allowed, Any, Read, Rule};
use crate::choice::{Choice, choices};

choices! {
    /// A number of every chip, of which the mean over the chips counts.
    pub enum ChipMean {
        /// Share of correctly classified images.
        Accuracy = "accuracy",
        /// Mean cross-entropy, nats.
        Loss = "loss",
        /// Share of the images whose class has one of the five largest logits.
        Top5 = "top5",
        /// Brier score.
        Brier = "brier",
        /// Energy of the arrays for an image, pJ.
        EnergyArray = "energy_array_pj",
        /// Energy of the chip for an image by the model of converters that gives the least, pJ.
        EnergyLow = "energy_low_pj",
        /// The same by the model that gives the most.
        EnergyHigh = "energy_high_pj",
    }
}

choices! {
    /// A number that a design has before any chip is made.
    pub enum PlannedCost {
        /// Programmable cells.
        Cells = "cells",
        /// Arrays.
        Arrays = "arrays",
        /// Conversions for an image.
        Conversions = "conversions_per_image",
        /// Digital operations of tuning for an image.
        Operations = "operations_per_image",
        /// Energy for an image of all parts but the arrays by the model of converters that gives the least, pJ.
        PeripheryLow = "periphery_low_pj",
        /// The same by the model that gives the most.
        PeripheryHigh = "periphery_high_pj",
        /// Time for an image by the fastest model of converters, us.
        LatencyLow = "latency_low_us",
        /// The same by the slowest model.
        LatencyHigh = "latency_high_us",
        /// Area by the smallest model of converters, mm^2.
        AreaLow = "area_low_mm2",
        /// The same by the largest model.
        AreaHigh = "area_high_mm2",
    }
}

/// Short names of the upper ends.
const SHORT: [(&str, &str); 4] = [
    ("energy_pj", "energy_high_pj"),
    ("periphery_pj", "periphery_high_pj"),
    ("latency_us", "latency_high_us"),
    ("area_mm2", "area_high_mm2"),
];

/// What a term of a goal is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Share of the chips whose accuracy is at least a limit.
    Yield {
        /// The limit, a fraction.
        limit: f64,
    },
    /// A mean over the chips.
    Mean(ChipMean),
    /// A number that all chips of a design share.
    Cost(PlannedCost),
}

impl Measure {
    /// Whether more of it is better.
    pub fn higher_is_better(self) -> bool {
        matches!(
            self,
            Measure::Yield { .. } | Measure::Mean(ChipMean::Accuracy | ChipMean::Top5)
        )
    }

    /// Whether it needs a section `[energy]`.
    pub(super) fn needs_energy(self) -> bool {
        match self {
            Measure::Mean(mean) => matches!(
                mean,
                ChipMean::EnergyArray | ChipMean::EnergyLow | ChipMean::EnergyHigh
            ),
            Measure::Cost(cost) => matches!(
                cost,
                PlannedCost::PeripheryLow
                    | PlannedCost::PeripheryHigh
                    | PlannedCost::LatencyLow
                    | PlannedCost::LatencyHigh
                    | PlannedCost::AreaLow
                    | PlannedCost::AreaHigh
            ),
            Measure::Yield { .. } => false,
        }
    }

    /// Least and largest value that it can have.
    fn range(self) -> (f64, f64) {
        match self {
            Measure::Yield { .. } | Measure::Mean(ChipMean::Accuracy | ChipMean::Top5) => {
                (0.0, 1.0)
            }
            Measure::Mean(ChipMean::Brier) => (0.0, 2.0),
            Measure::Mean(
                ChipMean::Loss | ChipMean::EnergyArray | ChipMean::EnergyLow | ChipMean::EnergyHigh,
            )
            | Measure::Cost(_) => (0.0, f64::INFINITY),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Measure::Yield { limit } => format!("yield({limit})"),
            Measure::Mean(mean) => mean.name().to_string(),
            Measure::Cost(cost) => cost.name().to_string(),
        };
        f.pad(&text)
    }
}

impl serde::Serialize for Measure {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Which way a constraint bounds its measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `>=`.
    AtLeast,
    /// `<=`.
    AtMost,
}

/// A bound that every design of the front keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constraint {
    /// Of what.
    pub measure: Measure,
    /// Which way.
    pub side: Side,
    /// The bound.
    pub value: f64,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::AtLeast => ">=",
            Side::AtMost => "<=",
        };
        write!(f, "{} {side} {}", self.measure, self.value)
    }
}

/// What a search of designs looks for: `energy_pj min, yield(0.9) >= 0.99, area_mm2 <= 2`.
///
/// # Examples
/// ```
/// use pimento::config::{Goal, Measure};
///
/// let goal: Goal = "area_mm2 min, yield(0.9) >= 0.99".parse().unwrap();
/// assert_eq!(goal.to_string(), "area_high_mm2 min, yield(0.9) >= 0.99");
/// assert_eq!(goal.constraints[0].measure, Measure::Yield { limit: 0.9 });
/// assert!("area min".parse::<Goal>().unwrap_err().contains("area_mm2"));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Goal {
    /// What is to be as good as it can be: small, or where more is better large.
    pub objectives: Vec<Measure>,
    /// What must hold.
    pub constraints: Vec<Constraint>,
}

impl Goal {
    /// Everything that the goal is about, each once, in the order of the terms: objectives first.
    pub fn measures(&self) -> Vec<Measure> {
        let mut found: Vec<Measure> = Vec::new();
        let bounds = self.constraints.iter().map(|c| c.measure);
        for measure in self.objectives.iter().copied().chain(bounds) {
            if !found.contains(&measure) {
                found.push(measure);
            }
        }
        found
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |m: &Measure| if m.higher_is_better() { "max" } else { "min" };
        let objectives = self.objectives.iter().map(|m| format!("{m} {}", way(m)));
        let terms = objectives.chain(self.constraints.iter().map(Constraint::to_string));
        f.write_str(&terms.collect::<Vec<_>>().join(", "))
    }
}

impl serde::Serialize for Goal {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// What a goal may be, in words.
const ALLOWED: &str = "terms with commas between them, each `MEASURE min`, `MEASURE max`, `MEASURE >= NUMBER` or `MEASURE <= NUMBER`";

/// Most characters of a goal, and of a term in a message.
const MOST: usize = 2000;
const SHOWN: usize = 60;

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Names of all measures but the yield, short ones first.
fn names() -> Vec<&'static str> {
    let short = SHORT.iter().map(|(short, _)| *short);
    let means = ChipMean::ALL.iter().map(|m| m.name());
    let costs = PlannedCost::ALL.iter().map(|c| c.name());
    short.chain(means).chain(costs).collect()
}

fn measure(text: &str) -> Result<Measure, String> {
    if let Some(inside) = text.strip_prefix("yield") {
        let inside = inside.trim();
        let limit = inside
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|limit| limit.trim().parse::<f64>().ok())
            .filter(|limit| (0.0..=1.0).contains(limit));
        return match limit {
            Some(limit) => Ok(Measure::Yield { limit: limit + 0.0 }),
            None => Err(format!(
                "`{}` has no limit; allowed: yield(LIMIT), the accuracy from which on a chip is good, 0 to 1",
                shown(text)
            )),
        };
    }
    let full = SHORT.iter().find(|(short, _)| *short == text);
    let full = full.map_or(text, |(_, full)| full);
    if let Some(mean) = ChipMean::from_name(full) {
        return Ok(Measure::Mean(mean));
    }
    if let Some(cost) = PlannedCost::from_name(full) {
        return Ok(Measure::Cost(cost));
    }
    let names = names();
    let hint =
        nearest(text, &names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Err(format!(
        "`{}` is no measure{hint}; allowed: yield(LIMIT), {}",
        shown(text),
        names.join(", ")
    ))
}

/// A term of a goal.
enum Term {
    Objective(Measure),
    Constraint(Constraint),
}

fn term(text: &str) -> Result<Term, String> {
    let unclear = || format!("term `{}` is not allowed; allowed: {ALLOWED}", shown(text));
    let sides = [(">=", Side::AtLeast), ("<=", Side::AtMost)];
    for (sign, side) in sides {
        let Some((name, number)) = text.split_once(sign) else {
            continue;
        };
        let measure = measure(name.trim())?;
        let value = number.trim().parse::<f64>().map_err(|_| unclear())?;
        let (least, most) = measure.range();
        if !(value.is_finite() && (least..=most).contains(&value)) {
            let range = match most.is_finite() {
                true => format!("{least} to {most}"),
                false => format!("{least} or more"),
            };
            return Err(format!(
                "term `{}`: {value} is nothing that `{measure}` can be; allowed: {range}",
                shown(text)
            ));
        }
        let bound = Constraint {
            measure,
            side,
            value: value + 0.0,
        };
        if matches!(measure, Measure::Yield { .. }) && side == Side::AtMost {
            return Err(format!(
                "term `{}` asks for few good chips; allowed: `{measure} >= SHARE`",
                shown(text)
            ));
        }
        return Ok(Term::Constraint(bound));
    }
    let (name, way) = text.rsplit_once(char::is_whitespace).ok_or_else(unclear)?;
    let most = match way {
        "min" => false,
        "max" => true,
        _ => return Err(unclear()),
    };
    let measure = measure(name.trim())?;
    match measure.higher_is_better() == most {
        true => Ok(Term::Objective(measure)),
        false => {
            let good = if most { "min" } else { "max" };
            Err(format!(
                "term `{}` asks for the worst designs; allowed: `{measure} {good}`",
                shown(text)
            ))
        }
    }
}

impl std::str::FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MOST {
            return Err(format!(
                "a goal of {} bytes; allowed: at most {MOST}",
                text.len()
            ));
        }
        let mut goal = Goal::default();
        for part in text.split(',') {
            match term(part.trim())? {
                Term::Objective(measure) if goal.objectives.contains(&measure) => {
                    return Err(format!(
                        "the objective `{measure}` is there twice; allowed: every objective once"
                    ));
                }
                Term::Objective(measure) => goal.objectives.push(measure),
                Term::Constraint(bound) => goal.constraints.push(bound),
            }
        }
        if goal.objectives.is_empty() {
            return Err(
                "nothing is to be minimal or maximal; allowed: one objective and more, such as `energy_pj min`, besides \
                 constraints"
                    .into(),
            );
        }
        Ok(goal)
    }
}

impl Rule<Goal> for Any {
    fn read(&self, value: &DeValue) -> Read<Goal> {
        Ok(value.as_str().unwrap_or_default().parse::<Goal>()?)
    }

    fn allowed(&self) -> Allowed {
        let values = format!("{ALLOWED}; measures: yield(LIMIT), {}", names().join(", "));
        Allowed::new("text", values, json!({"type": "string", "minLength": 1}))
    }

    fn written(&self, value: &Goal) -> Option<toml::Value> {
        (!value.objectives.is_empty()).then(|| toml::Value::String(value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_read_and_written() {
        let text = " energy_pj min ,accuracy max, yield( 0.90 )>=0.99, area_mm2 <= 2,loss<=1e-1";
        let goal: Goal = text.parse().unwrap();
        let want =
            "energy_high_pj min, accuracy max, yield(0.9) >= 0.99, area_high_mm2 <= 2, loss <= 0.1";
        assert_eq!(goal.to_string(), want);
        assert_eq!(want.parse::<Goal>().unwrap(), goal);
        assert_eq!(goal.measures().len(), 5);
    }

    #[test]
    fn every_name_is_a_measure_and_every_measure_has_its_good_direction() {
        for name in names() {
            let found = measure(name).unwrap();
            let way = if found.higher_is_better() {
                "max"
            } else {
                "min"
            };
            let wrong = if found.higher_is_better() {
                "min"
            } else {
                "max"
            };
            assert!(format!("{name} {way}").parse::<Goal>().is_ok(), "{name}");
            let message = format!("{name} {wrong}").parse::<Goal>().unwrap_err();
            assert!(message.contains("asks for the worst"), "{message}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for (text, wanted) in [
            ("", "allowed: terms"),
            ("accuracy", "allowed: terms"),
            ("accuracy best", "allowed: terms"),
            ("accurcy max", "did you mean `accuracy`?"),
            ("energy_p min", "did you mean `energy_pj`?"),
            ("yield max", "allowed: yield(LIMIT)"),
            ("yield(90) max", "allowed: yield(LIMIT)"),
            ("accuracy >= 0.9", "one objective and more"),
            ("accuracy max, accuracy max", "there twice"),
            ("accuracy max, accuracy >= 95", "allowed: 0 to 1"),
            ("accuracy max, area_mm2 <= -1", "allowed: 0 or more"),
            ("accuracy max, area_mm2 <= x", "allowed: terms"),
            ("accuracy max, area_mm2 <= nan", "allowed: 0 or more"),
            ("accuracy max, yield(0.9) <= 0.5", "few good chips"),
            ("accuracy max,", "allowed: terms"),
        ] {
            let message = text.parse::<Goal>().unwrap_err();
            assert!(message.contains(wanted), "{text}: {message}");
            assert!(message.contains("allowed: "), "{text}: {message}");
        }
    }
}
