//! Points against each other on the same chips.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::result::{ChipRow, PointSummary};
use super::spread::{ColumnDifference, ColumnPairs};
use super::statistics::paired::{Paired, PairedSummary};
use crate::error::Result;

/// How point `b` compares with point `a`, chip by chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Index of the point compared with.
    pub a: usize,
    /// Index of the point compared.
    pub b: usize,
    /// Statistics of the differences `b - a`; beside the indices in the JSON.
    #[serde(flatten)]
    pub difference: PairedSummary,
    /// Differences of the columns that only some experiments have, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnDifference>,
}

/// The chips that two points have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// Their accuracies.
    pub accuracy: Paired,
    /// The columns that both points have besides, by name.
    columns: BTreeMap<&'static str, ColumnPairs>,
}

impl Pairs {
    /// Takes in a chip at `a` and at `b`, in ascending order of chips; `limits` are those of the yield.
    fn push(&mut self, a: &ChipRow, b: &ChipRow, limits: [f64; 2]) {
        let yields = [a.accuracy >= limits[0], b.accuracy >= limits[1]];
        self.accuracy.push(a.chip, [a.correct, b.correct], yields);
        for (column, x) in a.values.iter() {
            let Some(y) = b.values.get(column.name) else {
                continue;
            };
            if x.is_finite() && y.is_finite() {
                let own = self.columns.entry(column.name);
                let own = own.or_insert_with(|| ColumnPairs::new(column));
                own.push(a.chip, x, y);
            }
        }
    }

    /// The statistics of the columns, by name. `stratified`: the chips' eps_B are.
    pub fn columns(&self, stratified: bool) -> BTreeMap<String, ColumnDifference> {
        let columns = self.columns.iter();
        columns
            .map(|(name, own)| (name.to_string(), own.summary(stratified)))
            .collect()
    }
}

/// Compares points whose chips deviate alike (same law, sigmas and so on) and which differ in what
/// is done about it: recipe, tuning, bits. In each such group every point is compared with the
/// first and with the one before it. `rows` gives the rows of a point in ascending order of chips.
///
/// # Errors
/// Those of `rows`.
pub fn comparisons<I: Iterator<Item = Result<ChipRow>>>(
    points: &[PointSummary],
    rows: impl Fn(usize) -> Result<I>,
) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    for group in groups(points) {
        for (i, &b) in group.iter().enumerate().skip(1) {
            found.push(compare(points, (group[0], b), &rows)?);
            if i > 1 {
                found.push(compare(points, (group[i - 1], b), &rows)?);
            }
        }
    }
    Ok(found)
}

/// Indices of the points whose chips deviate alike, in groups.
pub fn groups(points: &[PointSummary]) -> Vec<Vec<usize>> {
    let chips = |p: &PointSummary| {
        let a = &p.axes;
        let physics = |name: &str| {
            ["variation.", "chip.", "fidelity"]
                .iter()
                .any(|r| name.starts_with(r))
        };
        let extra: Vec<_> = a.extra.iter().filter(|(name, _)| physics(name)).collect();
        let names = [&a.law, &a.mapping, &a.distribution];
        format!(
            "{names:?} {} {} {extra:?} {}",
            a.sigma_w, a.sigma_b, p.images
        )
    };
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (i, p) in points.iter().enumerate() {
        let key = chips(p);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(i),
            None => groups.push((key, vec![i])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Compares point `b` with point `a`; `rows` as in [`comparisons`].
///
/// # Errors
/// Those of `rows`.
pub fn compare<I: Iterator<Item = Result<ChipRow>>>(
    points: &[PointSummary],
    (a, b): (usize, usize),
    rows: &impl Fn(usize) -> Result<I>,
) -> Result<Comparison> {
    let limits = [points[a].yield_limit, points[b].yield_limit];
    let pairs = pair(rows(a)?, rows(b)?, limits)?;
    let stratified = points[a].stratified && points[b].stratified;
    Ok(Comparison {
        a,
        b,
        difference: pairs.accuracy.summary(points[a].images, stratified),
        columns: pairs.columns(stratified),
    })
}

/// The chips that both have; `limits` are those of the yield.
pub fn pair(
    a: impl Iterator<Item = Result<ChipRow>>,
    b: impl Iterator<Item = Result<ChipRow>>,
    limits: [f64; 2],
) -> Result<Pairs> {
    let (mut a, mut b) = (a.fuse(), b.fuse());
    let mut pairs = Pairs::default();
    let (mut x, mut y) = (a.next().transpose()?, b.next().transpose()?);
    while let (Some(one), Some(other)) = (&x, &y) {
        let (left, right) = (one.chip, other.chip);
        if left == right {
            pairs.push(one, other, limits);
        }
        if left <= right {
            x = a.next().transpose()?;
        }
        if right <= left {
            y = b.next().transpose()?;
        }
    }
    Ok(pairs)
}
