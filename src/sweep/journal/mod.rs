//! The file in which every result is safe as soon as it is there: the source of chips.csv,
//! summary.json and the report (docs/sweeps.md has the format).
//!
//! A journal is a list of records (`frame`): a header, then what happened in the order in which
//! it happened. Each is on the disk before the work goes on, so a process that is killed, a disk
//! that is full or a machine without power cost at most the waves in flight.
//!
//! In memory there is one small entry for every wave; the rows stay in the file.

mod columns;
mod frame;
mod header;
mod lock;
#[cfg(test)]
mod tests;
mod wave;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use header::{Adapter, FORMAT, Header, PlannedPoint, PointFacts, Run};
use lock::lock;
use wave::{WAVE_HEAD, WaveHead};

use super::result::ChipRow;
use super::rows::{RowIter, Rows};
use crate::error::{Error, Result};

const HEADER: u32 = 1;
const RUN: u32 = 2;
const ADAPTER: u32 = 3;
const POINT: u32 = 4;
const WAVE: u32 = 5;
const END: u32 = 6;

/// Names of what is stored of every chip.
pub fn columns() -> Vec<String> {
    columns::NAMES.map(String::from).to_vec()
}

/// A wave in the file.
#[derive(Debug, Clone, Copy)]
struct Wave {
    first: u32,
    chips: u32,
    adapter: u32,
    offset: u64,
}

/// What is known of a point.
#[derive(Debug, Clone, Default)]
struct PointRecord {
    facts: Option<PointFacts>,
    /// Ascending by first chip.
    waves: Vec<Wave>,
    /// Chips of a complete point.
    end: Option<u32>,
    seconds: f64,
}

/// A journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Bytes of an unfinished record that were dropped.
    dropped: u64,
    header: Header,
    adapters: Vec<Adapter>,
    points: Vec<PointRecord>,
    last_run: Option<Run>,
    lazy: bool,
}

/// A journal's file, locked for this process, before anybody looked into it.
#[derive(Debug)]
pub struct Claimed {
    path: PathBuf,
    file: File,
}

impl Claimed {
    /// Opens (or creates) the file and locks it for as long as the result lives.
    ///
    /// # Errors
    /// Another process holds it; it cannot be written.
    pub fn new(path: &Path) -> Result<Self> {
        // No link: beginning anew cuts the file short.
        let file = crate::files::open_lock(path).map_err(|e| Error::io(path, e))?;
        lock(&file, path, File::try_lock)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> Result<bool> {
        let metadata = self.file.metadata().map_err(|e| Error::io(&self.path, e))?;
        Ok(metadata.len() == 0)
    }

    /// Throws away what is there and begins with `header`.
    pub fn begin(self, header: Header) -> Result<Journal> {
        self.file.set_len(0).map_err(|e| Error::io(&self.path, e))?;
        let mut journal = Journal {
            points: vec![PointRecord::default(); header.points.len()],
            path: self.path,
            file: self.file,
            end: 0,
            dropped: 0,
            header,
            adapters: vec![],
            last_run: None,
            lazy: false,
        };
        let payload = json(&journal.header)?;
        journal.append(HEADER, &payload)?;
        crate::files::sync_directory(&journal.path);
        Ok(journal)
    }

    /// Reads what is there. An unfinished record at the end is cut off.
    ///
    /// # Errors
    /// Damage before the end, with its byte; a file that is no journal.
    pub fn open(self) -> Result<Opened> {
        let file = self
            .file
            .try_clone()
            .map_err(|e| Error::io(&self.path, e))?;
        Ok(match Journal::load(file, &self.path)? {
            None => Opened::Nothing(self),
            Some(journal) => {
                let cut = journal.file.set_len(journal.end);
                cut.map_err(|e| Error::io(&journal.path, e))?;
                Opened::Journal(Box::new(journal))
            }
        })
    }
}

/// What [`Claimed::open`] found.
#[derive(Debug)]
pub enum Opened {
    /// A journal to be continued.
    Journal(Box<Journal>),
    /// Not even a whole header: nothing was measured.
    Nothing(Claimed),
}

impl Journal {
    /// Reads a journal that nobody writes, for its rows.
    ///
    /// # Errors
    /// As [`Claimed::open`]; a process that writes it.
    pub fn read(path: &Path) -> Result<Journal> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        lock(&file, path, File::try_lock_shared)?;
        Journal::load(file, path)?.ok_or_else(|| {
            Error::input(format!(
                "{}: not even the header was finished; allowed: the journal of a sweep that has \
                 begun",
                path.display()
            ))
        })
    }

    fn load(file: File, path: &Path) -> Result<Option<Journal>> {
        let mut journal: Option<Journal> = None;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let handle = file.try_clone().map_err(|e| Error::io(path, e))?;
        let mut handle = Some(handle);
        let end = frame::scan(&file, path, |offset, kind, payload| {
            match (&mut journal, handle.take()) {
                (Some(journal), _) => journal.take_in(offset, kind, payload),
                (None, Some(file)) if kind == HEADER => {
                    let header: Header = parse(path, offset, payload)?;
                    journal = Some(Journal {
                        points: vec![PointRecord::default(); header.points.len()],
                        path: path.to_path_buf(),
                        file,
                        end: 0,
                        dropped: 0,
                        header,
                        adapters: vec![],
                        last_run: None,
                        lazy: false,
                    });
                    Ok(())
                }
                _ => Err(senseless(path, offset, "it stands before the header")),
            }
        })?;
        // The lock belongs to the handle that was locked: keep that one.
        if let Some(journal) = &mut journal {
            journal.file = file;
            journal.end = end;
            journal.dropped = length - end;
        }
        Ok(journal)
    }

    /// Takes in a record that was read.
    fn take_in(&mut self, offset: u64, kind: u32, payload: &[u8]) -> Result<()> {
        let path = self.path.clone();
        let bad = |why: &str| Err(senseless(&path, offset, why));
        match kind {
            RUN => self.last_run = Some(parse(&path, offset, payload)?),
            ADAPTER => self.adapters.push(parse(&path, offset, payload)?),
            POINT => {
                let facts: PointFacts = parse(&path, offset, payload)?;
                match self.points.get_mut(facts.point) {
                    Some(point) => point.facts = Some(facts),
                    None => return bad("its point does not exist"),
                }
            }
            WAVE => {
                let Some(head) = WaveHead::decode(payload) else {
                    return bad("its wave is too short");
                };
                let known = (head.adapter as usize) < self.adapters.len();
                let end = head.first.checked_add(head.chips);
                let planned = self.header.points.get(head.point as usize);
                if !known || end.is_none() || planned.is_none_or(|p| end > Some(p.chips)) {
                    return bad("its adapter, point or chips do not exist");
                }
                match self.place(&head) {
                    Some(at) => self.insert(&head, at, offset),
                    None => return bad("its chips were there before"),
                }
            }
            END => {
                let (point, chips): (usize, u32) = parse(&path, offset, payload)?;
                match self.points.get_mut(point) {
                    Some(point) => point.end = Some(chips),
                    None => return bad("its point does not exist"),
                }
            }
            _ => return bad("its kind is unknown"),
        }
        Ok(())
    }

    /// Where a wave belongs in the index of its point, unless chips of it are there.
    fn place(&self, head: &WaveHead) -> Option<usize> {
        let waves = &self.points[head.point as usize].waves;
        let at = waves.partition_point(|w| w.first < head.first);
        let before = at.checked_sub(1).map(|i| waves[i]);
        let overlaps = before.is_some_and(|w| w.first + w.chips > head.first)
            || waves
                .get(at)
                .is_some_and(|w| head.first + head.chips > w.first);
        (!overlaps).then_some(at)
    }

    /// Enters a wave into the index.
    fn insert(&mut self, head: &WaveHead, at: usize, offset: u64) {
        let point = &mut self.points[head.point as usize];
        let wave = Wave {
            first: head.first,
            chips: head.chips,
            adapter: head.adapter,
            offset,
        };
        point.waves.insert(at, wave);
        point.seconds += head.seconds;
    }

    /// Writes a record and waits until the disk has it. Where that fails the file is as before.
    fn append(&mut self, kind: u32, payload: &[u8]) -> Result<u64> {
        if payload.len() > frame::MOST {
            return Err(Error::Internal(format!(
                "a record of {} bytes, at most {} fit the journal",
                payload.len(),
                frame::MOST
            )));
        }
        let bytes = frame::encode(kind, payload);
        let offset = self.end;
        let mut file = &self.file;
        let written = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(&bytes))
            .and_then(|()| match self.lazy {
                true => Ok(()),
                false => file.sync_data(),
            });
        if let Err(e) = written {
            // A half-written record would be dropped on reading; this is for tidiness.
            let _ = self.file.set_len(offset);
            let text = format!(
                "{e}; what was measured before is safe there: make room, then continue with --resume"
            );
            return Err(Error::io(&self.path, std::io::Error::new(e.kind(), text)));
        }
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    /// Waits for the disk only when a point ends: for what can be made again in no time.
    pub fn relax(&mut self) {
        self.lazy = true;
    }

    /// Notes which process writes from here on.
    pub fn note_run(&mut self, run: Run) -> Result<()> {
        self.append(RUN, &json(&run)?)?;
        self.last_run = Some(run);
        Ok(())
    }

    /// Number of an adapter in this journal.
    pub fn adapter(&mut self, adapter: &Adapter) -> Result<u32> {
        if let Some(at) = self.adapters.iter().position(|a| a == adapter) {
            return Ok(at as u32);
        }
        self.append(ADAPTER, &json(adapter)?)?;
        self.adapters.push(adapter.clone());
        Ok(self.adapters.len() as u32 - 1)
    }

    /// Notes what a point needs beside its chips, before its first wave.
    pub fn begin_point(&mut self, facts: PointFacts) -> Result<()> {
        self.append(POINT, &json(&facts)?)?;
        let point = facts.point;
        self.points[point].facts = Some(facts);
        Ok(())
    }

    /// Adds consecutive chips of one point, which took so many seconds on the adapter of that
    /// number.
    ///
    /// # Errors
    /// The disk; chips that are there already.
    pub fn add(&mut self, rows: &[ChipRow], adapter: u32, seconds: f64) -> Result<()> {
        let Some(&ChipRow { point, chip, .. }) = rows.first() else {
            return Ok(());
        };
        let head = WaveHead {
            point: point as u32,
            first: chip,
            chips: rows.len() as u32,
            adapter,
            seconds,
        };
        let Some(at) = self.place(&head) else {
            return Err(Error::Internal(format!(
                "chips {chip} to {} of point {point} were simulated twice",
                chip + rows.len() as u32 - 1
            )));
        };
        let mut payload = head.encode();
        columns::encode(rows, &mut payload);
        let offset = self.append(WAVE, &payload)?;
        self.insert(&head, at, offset);
        Ok(())
    }

    /// Notes that a point is complete with its first `chips` chips (those of the shard).
    pub fn end_point(&mut self, point: usize, chips: u32) -> Result<()> {
        self.append(END, &json(&(point, chips))?)?;
        self.file
            .sync_data()
            .map_err(|e| Error::io(&self.path, e))?;
        self.points[point].end = Some(chips);
        Ok(())
    }

    /// The header.
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

    /// Chips that each adapter simulated.
    pub fn chips_by_adapter(&self) -> Vec<u64> {
        let mut chips = vec![0; self.adapters.len()];
        for wave in self.points.iter().flat_map(|p| &p.waves) {
            chips[wave.adapter as usize] += u64::from(wave.chips);
        }
        chips
    }

    /// What was noted when a point began.
    pub fn facts(&self, point: usize) -> Option<&PointFacts> {
        self.points[point].facts.as_ref()
    }

    /// Chips of a complete point.
    pub fn ended(&self, point: usize) -> Option<u32> {
        self.points[point].end
    }

    /// Seconds spent on a point's chips.
    pub fn seconds(&self, point: usize) -> f64 {
        self.points[point].seconds
    }

    /// Chips of a point that are there.
    pub fn chips(&self, point: usize) -> u64 {
        let waves = self.points[point].waves.iter();
        waves.map(|w| u64::from(w.chips)).sum()
    }

    /// Ranges of chips of a point that are there, ascending, touching ones joined.
    pub fn covered(&self, point: usize) -> Vec<Range<u32>> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for w in &self.points[point].waves {
            let end = w.first + w.chips;
            match ranges.last_mut().filter(|r| r.end == w.first) {
                Some(last) => last.end = end,
                None => ranges.push(w.first..end),
            }
        }
        ranges
    }

    /// The parts of `range` that are not there, ascending.
    pub fn missing(&self, point: usize, range: Range<u32>) -> Vec<Range<u32>> {
        let mut missing = Vec::new();
        let mut next = range.start;
        for there in self.covered(point) {
            let (start, end) = (there.start.min(range.end), there.end.min(range.end));
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
        let waves = &self.points[point].waves;
        let from = waves.partition_point(|w| w.first + w.chips <= start);
        let inside = waves[from..].iter().take_while(move |w| w.first < end);
        inside.flat_map(move |w| {
            let rows = self.wave(point, w).map_or_else(
                |e| vec![Err(e)],
                |rows| rows.into_iter().map(Ok).collect::<Vec<_>>(),
            );
            rows.into_iter().filter(move |row| match row {
                Ok(row) => (start..end).contains(&row.chip),
                Err(_) => true,
            })
        })
    }

    /// Every wave of a point: its rows, its adapter's number and its seconds.
    pub fn waves(
        &self,
        point: usize,
    ) -> impl Iterator<Item = Result<(Vec<ChipRow>, u32, f64)>> + '_ {
        self.points[point].waves.iter().map(move |w| {
            let (_, payload) = frame::read_at(&self.file, &self.path, w.offset)?;
            let seconds = WaveHead::decode(&payload).map_or(0.0, |h| h.seconds);
            Ok((self.wave(point, w)?, w.adapter, seconds))
        })
    }

    fn wave(&self, point: usize, w: &Wave) -> Result<Vec<ChipRow>> {
        let (_, payload) = frame::read_at(&self.file, &self.path, w.offset)?;
        let columns = payload.get(WAVE_HEAD..).unwrap_or_default();
        columns::decode(columns, point, w.first, w.chips as usize)
            .ok_or_else(|| senseless(&self.path, w.offset, "its columns do not fit its chips"))
    }
}

impl Rows for Journal {
    fn of_point(&self, point: usize) -> Result<RowIter<'_>> {
        let end = self.points[point].end.unwrap_or(u32::MAX);
        Ok(Box::new(self.rows(point, 0..end)))
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Internal(format!("record to JSON: {e}")))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, offset: u64, payload: &[u8]) -> Result<T> {
    serde_json::from_slice(payload).map_err(|e| senseless(path, offset, &e.to_string()))
}

/// A record that is whole but cannot be meant so: written by another version, or by another program.
fn senseless(path: &Path, offset: u64, why: &str) -> Error {
    Error::input(format!(
        "{}: the record at byte {offset} makes no sense: {why}; allowed: a journal of this version \
         of Pimento",
        path.display()
    ))
}
