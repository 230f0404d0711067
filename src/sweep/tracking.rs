//! How far a sweep is, for whoever watches.

use super::census::{Basis, Census};
use super::journal::Journal;
use super::result::ChipRow;
use super::shard::Shard;
use crate::config::Point;
use crate::error::Result;
use crate::progress::{Observer, SweepProgress};

/// What is told after every wave. Sums are exact integers, so the order of waves does not matter.
pub(super) struct Progress {
    points: usize,
    shard: Option<Shard>,
    /// Chips of all points that are done, and of all there will be.
    all: (u64, u64),
    point: usize,
    label: String,
    chips: u32,
    basis: Basis,
    census: Census,
}

impl Progress {
    pub fn new(points: usize, shard: Option<Shard>, journal: &Journal) -> Self {
        let planned = journal.header().points.iter().enumerate();
        let all = planned.map(|(i, p)| match journal.ended(i) {
            Some(_) => (journal.chips(i), journal.chips(i)),
            None => (journal.chips(i), share(p.chips, shard)),
        });
        Self {
            points,
            shard,
            all: all.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            point: 0,
            label: String::new(),
            chips: 0,
            basis: Basis::default(),
            census: Census::default(),
        }
    }

    /// Begins with the chips of a point that are there.
    pub fn begin(&mut self, point: &Point, journal: &Journal) -> Result<()> {
        self.point = point.index;
        self.label = point.label();
        self.chips = share(journal.header().points[point.index].chips, self.shard) as u32;
        self.basis = journal.header().points[point.index].basis;
        self.census = Census::default();
        for row in journal.rows(point.index, journal.share(point.index)) {
            self.census.push(&row?);
        }
        Ok(())
    }

    pub fn add(&mut self, rows: &[ChipRow]) {
        self.all.0 += rows.len() as u64;
        for row in rows {
            self.census.push(row);
        }
    }

    pub fn show(&self, observer: &dyn Observer) {
        let interval = self.census.mean_interval(self.basis).ci95;
        observer.sweep(&SweepProgress {
            point: self.point,
            points: self.points,
            label: self.label.clone(),
            chips_done: self.census.chips() as usize,
            chips: self.chips as usize,
            all_done: self.all.0,
            all: self.all.1,
            mean: self.census.accuracy().mean(),
            interval: [interval.lo, interval.hi],
        });
    }
}

/// Chips of a point that a shard has.
pub(super) fn share(chips: u32, shard: Option<Shard>) -> u64 {
    shard.map_or(u64::from(chips), |s| s.range(chips).len() as u64)
}
