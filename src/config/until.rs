//! How precisely a sweep is to know its points.

use std::fmt;

use serde_json::json;
use toml::de::DeValue;

use super::rule::{Allowed, Any, Read, Rule};
use crate::choice::{Choice, choices};

choices! {
    /// What is estimated over the chips of a point.
    pub enum Quantity {
        /// The mean accuracy.
        Mean = "mean",
        /// The yield at `sweep.yield_limit`.
        Yield = "yield",
    }
}

/// A goal such as `ci(mean) < 0.2pt`: a point has chips enough when the 95 % interval is at most
/// this many percentage points to either side: of a mean the farther end counts, of a yield half of the
/// interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Until {
    /// What the interval is of.
    pub of: Quantity,
    /// Farthest that the interval may reach, a fraction.
    pub half_width: f64,
}

/// Smallest and largest goal, percentage points.
const POINTS: std::ops::RangeInclusive<f64> = 0.001..=50.0;

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fraction was made from a number of points: so many digits give that number back.
        let points: f64 = format!("{:.9}", 100.0 * self.half_width)
            .parse()
            .unwrap_or(0.0);
        write!(f, "ci({}) < {points}pt", self.of)
    }
}

impl serde::Serialize for Until {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl std::str::FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let parsed = (|| {
            let (name, rest) = plain.strip_prefix("ci(")?.split_once(')')?;
            let points = rest.strip_prefix('<')?.strip_suffix("pt")?;
            let points: f64 = points.parse().ok()?;
            let of = Quantity::from_name(name)?;
            POINTS.contains(&points).then_some(Until {
                of,
                half_width: points / 100.0,
            })
        })();
        let (lo, hi) = POINTS.into_inner();
        parsed.ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            format!(
                "value {shown:?} is not allowed; allowed: \"ci(mean) < Xpt\" or \"ci(yield) < Xpt\", \
                 X from {lo} to {hi} percentage points to either side"
            )
        })
    }
}

impl Rule<Until> for Any {
    fn read(&self, value: &DeValue) -> Read<Until> {
        Ok(value.as_str().unwrap_or_default().parse::<Until>()?)
    }

    fn allowed(&self) -> Allowed {
        let (lo, hi) = POINTS.into_inner();
        let values = format!(
            "\"ci(mean) < Xpt\" or \"ci(yield) < Xpt\", X from {lo} to {hi} percentage points"
        );
        let pattern = r"^\s*ci\s*\(\s*(mean|yield)\s*\)\s*<\s*[0-9.eE+-]+\s*pt\s*$";
        Allowed::new(
            "text",
            values,
            json!({"type": "string", "pattern": pattern}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_read_and_written() {
        for (text, of, half_width, back) in [
            (
                "ci(mean) < 0.2pt",
                Quantity::Mean,
                0.002,
                "ci(mean) < 0.2pt",
            ),
            ("ci(yield)<1.0 pt", Quantity::Yield, 0.01, "ci(yield) < 1pt"),
            (
                "ci(mean) < 0.07pt",
                Quantity::Mean,
                0.07 / 100.0,
                "ci(mean) < 0.07pt",
            ),
        ] {
            let goal: Until = text.parse().unwrap();
            assert_eq!(goal, Until { of, half_width });
            assert_eq!(goal.to_string(), back);
            assert_eq!(back.parse::<Until>().unwrap(), goal);
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "ci(mean)",
            "ci(median) < 1pt",
            "ci(mean) < 1",
            "ci(mean) < 0pt",
            "ci(mean) < nanpt",
            "ci(mean) > 1pt",
        ] {
            let message = text.parse::<Until>().unwrap_err();
            assert!(message.contains("allowed: \"ci(mean) < Xpt\""), "{message}");
        }
    }
}
