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
    /// `{ points = [[0, y0], [g1, y1], .., [1, yn]] }`: linear between points with ascending `g`; two points at the same
    /// `g` are a step, at which the second counts.
    Points(Vec<[f64; 2]>),
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
            Curve::Points(points) => {
                let after = points.partition_point(|[x, _]| *x <= g);
                between(points, after, g)
            }
        }
    }

    /// Limit of the values at smaller conductances.
    fn before(&self, g: f64) -> f64 {
        match self {
            Curve::Points(points) => {
                let after = points.partition_point(|[x, _]| *x < g);
                between(points, after, g)
            }
            Curve::Constant(_)
            | Curve::Table(_)
            | Curve::Polynomial(_)
            | Curve::Log(_)
            | Curve::Power(_)
            | Curve::Saturating(_) => self.at(g),
        }
    }

    /// Straight pieces `[start, rise]` over equally wide intervals of conductance. An interval with a step inside
    /// keeps the value of its beginning.
    pub(in crate::config) fn pieces(&self) -> Vec<[f64; 2]> {
        let steps: Vec<f64> = match self {
            Curve::Points(points) => {
                let pairs = points.windows(2).filter(|pair| pair[0][0] == pair[1][0]);
                pairs.map(|pair| pair[0][0]).collect()
            }
            Curve::Constant(c) => return vec![[*c, 0.0]],
            Curve::Table(values) => {
                let pairs = values.windows(2);
                return pairs.map(|pair| [pair[0], pair[1] - pair[0]]).collect();
            }
            Curve::Polynomial(_) | Curve::Log(_) | Curve::Power(_) | Curve::Saturating(_) => vec![],
        };
        pieces(|g| self.at(g), |g| self.before(g), &steps)
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
            Curve::Points(points) => points.iter().all(|[_, y]| *y == 0.0),
            Curve::Log(_) | Curve::Power(_) | Curve::Saturating(_) => false,
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
            "points" => POINTS.read(list).map(Curve::Points),
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
            Curve::Points(points) => check_points(points)?,
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
                       { log = [a, b, min, max] }, { power = [a, p, max] }, { saturating = [a, b] }, { points = [[0, y0], .., [1, yn]] }";
const VALUES: List<RangeInclusive<f64>> = List {
    each: NUMBER,
    length: 2..=4096,
};
const COEFFICIENTS: List<RangeInclusive<f64>> = List {
    each: NUMBER,
    length: 1..=16,
};

const POINTS: List<Each<RangeInclusive<f64>>> = List {
    each: Each(NUMBER),
    length: 2..=4096,
};

/// Explains points that are not in order from 0 to 1.
fn check_points(points: &[[f64; 2]]) -> Result<(), String> {
    let ends = [points.first(), points.last()].map(|p| p.map(|[x, _]| *x));
    let in_order = points.windows(2).all(|pair| pair[0][0] <= pair[1][0]);
    let single = points.windows(3).all(|three| three[0][0] < three[2][0]);
    match ends == [Some(0.0), Some(1.0)] && in_order && single {
        true => Ok(()),
        false => Err(
            "points that do not go from 0 to 1 are not allowed; allowed: ascending conductances, the first 0 and the \
             last 1, at most two points at the same one"
                .into(),
        ),
    }
}

/// Value between the point `after` and the one before it.
fn between(points: &[[f64; 2]], after: usize, g: f64) -> f64 {
    let last = points.len() - 1;
    if after == 0 || after > last {
        return points[after.min(last)][1];
    }
    let ([x0, y0], [x1, y1]) = (points[after - 1], points[after]);
    y0 + (g - x0) / (x1 - x0) * (y1 - y0)
}

/// Straight pieces of a function with steps at known places.
pub(in crate::config) fn pieces(
    at: impl Fn(f64) -> f64,
    before: impl Fn(f64) -> f64,
    steps: &[f64],
) -> Vec<[f64; 2]> {
    let place = |i: usize| i as f64 / INTERVALS as f64;
    let piece = |i: usize| {
        let (from, to) = (place(i), place(i + 1));
        let start = at(from);
        let whole = steps.iter().all(|step| *step <= from || *step >= to);
        let rise = if whole { before(to) - start } else { 0.0 };
        [start, rise]
    };
    (0..INTERVALS).map(piece).collect()
}

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
            "points": {"type": "array", "items": numbers(2, 2), "minItems": 2, "maxItems": 4096},
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
        Curve::Polynomial(_)
        | Curve::Log(_)
        | Curve::Power(_)
        | Curve::Saturating(_)
        | Curve::Points(_) => curve.sampled_with(f),
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
        let points = vec![[0.0, 1.0], [0.25, 1.0], [0.25, 3.0], [1.0, 0.0]];
        let steps = Curve::Points(points.clone());
        close(steps.at(0.2), 1.0);
        close(steps.at(0.25), 3.0);
        close(steps.before(0.25), 1.0);
        close(steps.at(0.5), 2.0);
        close(steps.at(1.0), 0.0);
        let pieces = steps.pieces();
        close(pieces[INTERVALS / 4 - 1][1], 0.0);
        close(pieces[INTERVALS / 4][0], 3.0);
        close(pieces[INTERVALS / 4][1], -4.0 / INTERVALS as f64);
        assert!(check_points(&points).is_ok());
        for wrong in [
            &points[1..],
            &points[..3],
            &[points[0], points[3], points[1], points[3]],
        ] {
            assert!(check_points(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(table.pieces(), [[1.0, 2.0], [3.0, -1.0]]);
        assert_eq!(Curve::Constant(3.0).sampled(), [3.0, 3.0]);
        assert_eq!(log.sampled().len(), INTERVALS + 1);
        close(log.sampled()[INTERVALS / 8], log.at(0.125));
    }
}
