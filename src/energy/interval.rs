//! Intervals between what several models say.

use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::{Deserialize, Serialize};

/// From the lowest to the highest value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Interval {
    /// Lowest value.
    pub low: f64,
    /// Highest value, not below the lowest.
    pub high: f64,
}

impl Interval {
    /// A single value.
    pub const fn one(value: f64) -> Self {
        Self {
            low: value,
            high: value,
        }
    }

    /// The interval between two values, in either order.
    pub fn between(a: f64, b: f64) -> Self {
        Self {
            low: a.min(b),
            high: a.max(b),
        }
    }

    /// The smallest interval that holds all of these; `None` of nothing.
    pub fn around(all: impl IntoIterator<Item = Interval>) -> Option<Self> {
        all.into_iter().reduce(|a, b| Self {
            low: a.low.min(b.low),
            high: a.high.max(b.high),
        })
    }

    /// The middle.
    pub fn middle(self) -> f64 {
        (self.low + self.high) / 2.0
    }

    /// A number over every value of the interval.
    #[must_use]
    pub fn under(self, numerator: f64) -> Self {
        Self::between(numerator / self.low, numerator / self.high)
    }
}

impl Add for Interval {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            high: self.high + other.high,
        }
    }
}

impl Sum for Interval {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl Mul<f64> for Interval {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self::between(self.low * factor, self.high * factor)
    }
}

impl Mul for Interval {
    type Output = Self;

    /// Of intervals without negative values.
    fn mul(self, other: Self) -> Self {
        Self {
            low: self.low * other.low,
            high: self.high * other.high,
        }
    }
}
