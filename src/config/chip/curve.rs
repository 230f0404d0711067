//! Quantities that depend on a cell's conductance.

use std::ops::RangeInclusive;

use serde_json::json;
use toml::de::{DeTable, DeValue};

use crate::config::rule::{Allowed, Any, Each, List, Maybe, Read, Rule, either};

/// A function of the conductance `g` relative to `G_max`, from 0 to 1: a number, a list of values at
/// equally spaced `g` (both ends included, linear between), or a table with one formula.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// `{ polynomial = [c0, c1, ...] }`: `max(c0 + c1 g + c2 g^2 + ..., 0)`.
    Polynomial(Vec<f64>),
    /// `{ log = [a, b, min, max] }`: `a ln g + b`, limited to `min ..= max`.
    Log([f64; 4]),
    /// `{ power = [a, p, max] }`: `a g^p`, at most `max`.
    Power([f64; 3]),
    /// `{ saturating = [a, b] }`: `a (1 - exp(-g/b))`.
    Saturating([f64; 2]),
    /// The same for every conductance.
    #[serde(untagged)]
    Constant(f64),
    /// Values at equally spaced conductances.
    #[serde(untagged)]
    Table(Vec<f64>),
}

/// Intervals at which a formula is sampled: the chord of `ln g` is then off by 1e-7 at half of
/// `G_max`, by 1e-3 at a hundredth of it.
const INTERVALS: usize = 1024;

const NUMBER: RangeInclusive<f64> = -1e6..=1e6;

impl Curve {
    /// Value at a conductance.
    pub fn at(&self, g: f64) -> f64 {
        match self {
            Curve::Constant(c) => *c,
            Curve::Table(values) => {
                let place = g.clamp(0.0, 1.0) * (values.len() - 1) as f64;
                let below = (place as usize).min(values.len() - 2);
                let part = place - below as f64;
                values[below] + part * (values[below + 1] - values[below])
            }
            Curve::Polynomial(c) => c.iter().rev().fold(0.0, |sum, c| sum * g + c).max(0.0),
            Curve::Log([a, b, min, max]) => {
                (a * g.max(f64::MIN_POSITIVE).ln() + b).clamp(*min, *max)
            }
            // g = 0 with a negative power is infinite, hence the limit.
            Curve::Power([a, p, max]) => (a * g.powf(*p)).min(*max),
            Curve::Saturating([a, b]) => -a * (-g / b).exp_m1(),
        }
    }

    /// The values at equally spaced conductances that operators take: a table's own, else enough
    /// of them.
    pub fn sampled(&self) -> Vec<f64> {
        sampled(self, |g| self.at(g))
    }

    /// As [`Curve::sampled`], of a function made of this curve.
    pub fn sampled_with(&self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..=INTERVALS)
            .map(|i| f(i as f64 / INTERVALS as f64))
            .collect()
    }

    /// Whether it is 0 everywhere.
    pub fn is_zero(&self) -> bool {
        match self {
            Curve::Constant(c) => *c == 0.0,
            Curve::Table(values) | Curve::Polynomial(values) => values.iter().all(|v| *v == 0.0),
            _ => false,
        }
    }

    /// The smallest value at a conductance of the sampled ones.
    fn smallest(&self) -> f64 {
        self.sampled().into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The curve of a table with one formula.
    fn formula(table: &DeTable) -> Read<Self> {
        let mut entries = table.iter();
        let (Some((name, list)), None) = (entries.next(), entries.next()) else {
            return Err(format!(
                "a table of {} entries is not allowed; allowed: {ALLOWED}",
                table.len()
            )
            .into());
        };
        let list = list.get_ref();
        match name.get_ref().as_ref() {
            "polynomial" => COEFFICIENTS.read(list).map(Curve::Polynomial),
            "log" => Each(NUMBER).read(list).map(Curve::Log),
            "power" => Each(NUMBER).read(list).map(Curve::Power),
            "saturating" => Each(NUMBER).read(list).map(Curve::Saturating),
            other => Err(format!("formula \"{other}\" is not allowed; allowed: {ALLOWED}").into()),
        }
    }

    /// Explains a curve that has a negative value or no meaning.
    fn check(&self) -> Result<(), String> {
        match self {
            Curve::Log([.., min, max]) if min > max => {
                return Err(format!(
                    "a smallest value of {min} above the largest of {max} is not allowed; allowed: min <= max"
                ));
            }
            Curve::Saturating([_, b]) if *b <= 0.0 => {
                return Err(format!("b = {b} is not allowed; allowed: above 0"));
            }
            Curve::Log(_)
            | Curve::Saturating(_)
            | Curve::Polynomial(_)
            | Curve::Power(_)
            | Curve::Constant(_)
            | Curve::Table(_) => {}
        }
        match self.smallest() {
            smallest if smallest >= 0.0 => Ok(()),
            smallest => Err(format!(
                "the value {smallest} is not allowed; allowed: 0 and more for every conductance from 0 to 1"
            )),
        }
    }
}

const ALLOWED: &str = "a number, a list of 2 to 4096 numbers, or one of { polynomial = [c0, ..] }, \
                       { log = [a, b, min, max] }, { power = [a, p, max] }, { saturating = [a, b] }";
const VALUES: List<RangeInclusive<f64>> = List {
    each: NUMBER,
    length: 2..=4096,
};
const COEFFICIENTS: List<RangeInclusive<f64>> = List {
    each: NUMBER,
    length: 1..=16,
};

impl Rule<Curve> for Any {
    fn read(&self, value: &DeValue) -> Read<Curve> {
        let curve = if value.as_array().is_some() {
            Curve::Table(VALUES.read(value)?)
        } else if let Some(table) = value.as_table() {
            Curve::formula(table)?
        } else {
            let number = NUMBER.read(value);
            Curve::Constant(number.map_err(|m| m.also(&format!(", or {ALLOWED}")))?)
        };
        curve.check()?;
        Ok(curve)
    }

    fn allowed(&self) -> Allowed {
        let numbers = |least: usize, most: usize| {
            json!({"type": "array", "items": Rule::<f64>::allowed(&NUMBER).schema,
                "minItems": least, "maxItems": most})
        };
        let formulas = json!({
            "polynomial": numbers(1, 16),
            "log": numbers(4, 4),
            "power": numbers(3, 3),
            "saturating": numbers(2, 2),
        });
        let formula = json!({"type": "object", "properties": formulas,
            "additionalProperties": false, "minProperties": 1, "maxProperties": 1});
        let schema = json!({"anyOf": [
            Rule::<f64>::allowed(&NUMBER).schema,
            numbers(2, 4096),
            formula,
        ]});
        Allowed::new("curve", ALLOWED, schema)
    }
}

/// A curve; the text "none" is no curve.
pub(super) struct OrNone;

impl Rule<Option<Curve>> for OrNone {
    fn read(&self, value: &DeValue) -> Read<Option<Curve>> {
        match value.as_str() {
            Some("none") => Ok(None),
            Some(_) => Any
                .read(value)
                .map(Some)
                .map_err(|m| m.also(", or \"none\"").into()),
            None => Any.read(value).map(Some),
        }
    }

    fn allowed(&self) -> Allowed {
        let none = Allowed::new("text", "\"none\"", json!({"enum": ["none"]}));
        Allowed {
            kind: "curve".into(),
            ..either(&Rule::<Curve>::allowed(&Any), &none)
        }
    }

    fn written(&self, value: &Option<Curve>) -> Option<toml::Value> {
        Maybe(Any).written(value)
    }
}

fn sampled(curve: &Curve, f: impl Fn(f64) -> f64) -> Vec<f64> {
    match curve {
        Curve::Constant(c) => vec![*c; 2],
        Curve::Table(values) => values.clone(),
        _ => curve.sampled_with(f),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_what_they_say() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        let table = Curve::Table(vec![1.0, 3.0, 2.0]);
        close(table.at(0.25), 2.0);
        close(table.at(1.0), 2.0);
        close(table.at(7.0), 2.0);
        close(Curve::Polynomial(vec![1.0, -2.0, 4.0]).at(0.5), 1.0);
        close(Curve::Polynomial(vec![-1.0]).at(0.5), 0.0);
        let log = Curve::Log([-0.0155, 0.0244, 0.049, 0.1]);
        close(log.at(0.0), 0.1);
        close(log.at(1.0), 0.049);
        close(log.at(0.1), -0.0155 * 0.1f64.ln() + 0.0244);
        let power = Curve::Power([0.0088, -0.65, 0.2]);
        close(power.at(0.0), 0.2);
        close(power.at(1.0), 0.0088);
        close(
            Curve::Saturating([2.0, 0.5]).at(0.5),
            2.0 * (1.0 - (-1.0f64).exp()),
        );
        assert_eq!(Curve::Constant(3.0).sampled(), [3.0, 3.0]);
        assert_eq!(log.sampled().len(), INTERVALS + 1);
        close(log.sampled()[INTERVALS / 8], log.at(0.125));
    }
}
