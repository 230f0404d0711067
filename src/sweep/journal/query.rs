//! What a journal knows. Points are numbered as in the plan of its last header.

use std::ops::Range;
use std::path::Path;

use super::read::senseless;
use super::wave::{WAVE_HEAD, WaveHead};
use super::{Adapter, Header, Journal, PointFacts, Slot, Wave, frame};
use crate::error::{Error, Result};
use crate::sweep::result::{ChipRow, EpochRecord};
use crate::sweep::rows::{RowIter, Rows};

impl Journal {
    fn of(&self, point: usize) -> &Slot {
        &self.slots[self.plan[point]]
    }

    /// The header that counts now.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of an unfinished record that were dropped when it was read.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adapters that took waves, by number.
    pub fn adapters(&self) -> &[Adapter] {
        &self.adapters
    }

    /// Points with chips that are not in the plan.
    pub fn left_out(&self) -> usize {
        let out = |s: &&Slot| s.planned.is_none() && !s.waves.is_empty();
        self.slots.iter().filter(out).count()
    }

    /// The chips of a point that this run has when the point is complete: all, or those of the shard.
    pub fn share(&self, point: usize) -> Range<u32> {
        let chips = self.header.points[point].chips;
        match self.header.shard {
            Some(shard) => shard.range(chips),
            None => 0..chips,
        }
    }

    /// [`Journal::share`], as far as the point goes if it is complete.
    fn used(&self, point: usize) -> Range<u32> {
        let share = self.share(point);
        share.start..self.of(point).end.unwrap_or(share.end)
    }

    /// Chips of the results that each adapter simulated.
    pub fn chips_by_adapter(&self) -> Vec<u64> {
        let mut chips = vec![0; self.adapters.len()];
        for point in 0..self.plan.len() {
            let used = self.used(point);
            for wave in &self.of(point).waves {
                let (first, end) = (wave.first.max(used.start), wave.end().min(used.end));
                chips[wave.adapter as usize] += u64::from(end.saturating_sub(first));
            }
        }
        chips
    }

    /// The adapter that simulated a chip.
    pub fn adapter_of(&self, point: usize, chip: u32) -> Option<&Adapter> {
        let waves = &self.of(point).waves;
        let wave = waves.iter().find(|w| (w.first..w.end()).contains(&chip))?;
        self.adapters.get(wave.adapter as usize)
    }

    /// What was noted when a point began.
    pub fn facts(&self, point: usize) -> Option<&PointFacts> {
        self.of(point).facts.as_ref()
    }

    /// How the network with these parameters was trained, if any point says so.
    pub fn history(&self, model_sha256: &str) -> Option<&[EpochRecord]> {
        let facts = self.slots.iter().filter_map(|s| s.facts.as_ref());
        let mut own = facts.filter(|f| f.model_sha256 == model_sha256 && !f.history.is_empty());
        own.next().map(|f| &f.history[..])
    }

    /// The chip before which a complete point ends.
    pub fn ended(&self, point: usize) -> Option<u32> {
        self.of(point).end
    }

    /// Seconds spent on a point's chips.
    pub fn seconds(&self, point: usize) -> f64 {
        self.of(point).seconds
    }

    /// Chips of a point's share that are there.
    pub fn chips(&self, point: usize) -> u64 {
        let ranges = self.covered(point).into_iter();
        ranges.map(|r| r.len() as u64).sum()
    }

    /// Ranges of chips of a point's share that are there, ascending, touching ones joined.
    pub fn covered(&self, point: usize) -> Vec<Range<u32>> {
        let used = self.used(point);
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for w in &self.of(point).waves {
            let (first, end) = (w.first.max(used.start), w.end().min(used.end));
            if first >= end {
                continue;
            }
            match ranges.last_mut().filter(|r| r.end == first) {
                Some(last) => last.end = end,
                None => ranges.push(first..end),
            }
        }
        ranges
    }

    /// The parts of `range` that are not there, ascending.
    pub fn missing(&self, point: usize, range: Range<u32>) -> Vec<Range<u32>> {
        let mut missing = Vec::new();
        let mut next = range.start;
        for w in &self.of(point).waves {
            let (start, end) = (w.first.min(range.end), w.end().min(range.end));
            if start > next {
                missing.push(next..start);
            }
            next = next.max(end);
        }
        if next < range.end {
            missing.push(next..range.end);
        }
        missing
    }

    /// Rows of the chips in `range` that are there, ascending.
    pub fn rows(&self, point: usize, range: Range<u32>) -> impl Iterator<Item = Result<ChipRow>> {
        let (start, end) = (range.start, range.end);
        let waves = &self.of(point).waves;
        let from = waves.partition_point(|w| w.end() <= start);
        let inside = waves[from..].iter().take_while(move |w| w.first < end);
        inside.flat_map(move |w| {
            let rows = self.wave(point, w).map_or_else(
                |e| vec![Err(e)],
                |(rows, _)| rows.into_iter().map(Ok).collect::<Vec<_>>(),
            );
            rows.into_iter().filter(move |row| match row {
                Ok(row) => (start..end).contains(&row.chip),
                Err(_) => true,
            })
        })
    }

    /// Every wave of the chips that [`Rows::of_point`] gives: its rows, its adapter's number and its
    /// seconds.
    pub fn waves(
        &self,
        point: usize,
    ) -> impl Iterator<Item = Result<(Vec<ChipRow>, u32, f64)>> + '_ {
        let used = self.used(point);
        let waves = self.of(point).waves.iter();
        waves.filter_map(move |w| {
            let inside = w.first < used.end && w.end() > used.start;
            inside.then(|| {
                let (mut rows, seconds) = self.wave(point, w)?;
                rows.retain(|row| used.contains(&row.chip));
                Ok((rows, w.adapter, seconds))
            })
        })
    }

    fn wave(&self, point: usize, w: &Wave) -> Result<(Vec<ChipRow>, f64)> {
        let (_, payload) = frame::read_at(&self.file, &self.path, w.offset)?;
        let seconds = WaveHead::decode(&payload).map_or(0.0, |h| h.seconds);
        let columns = payload.get(WAVE_HEAD..).unwrap_or_default();
        let layout = &self.layouts[w.layout as usize];
        let rows = layout.decode(columns, point, w.first, w.chips as usize);
        let lost = || {
            let why = "its columns do not fit its chips";
            senseless(&self.path, w.offset, why)
        };
        Ok((rows.ok_or_else(lost)?, seconds))
    }

    /// The row of one chip, if it is there.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn row(&self, point: usize, chip: u32) -> Result<Option<ChipRow>> {
        let end = chip.checked_add(1);
        let end = end.ok_or_else(|| Error::input(format!("chip {chip}: no such chip")))?;
        self.rows(point, chip..end).next().transpose()
    }
}

impl Rows for Journal {
    fn of_point(&self, point: usize) -> Result<RowIter<'_>> {
        Ok(Box::new(self.rows(point, self.used(point))))
    }
}
