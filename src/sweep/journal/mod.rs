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
mod query;
mod read;
#[cfg(test)]
mod tests;
mod wave;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use columns::{StoredColumn, Type, stored};
pub use header::{Adapter, FORMAT, Header, PlannedPoint, PointFacts, REVISION, Run};
use lock::lock;
use wave::WaveHead;

use super::outdir::EXPERIMENT;
use super::result::ChipRow;
use crate::error::{Error, Result};
use columns::Layout;

const HEADER: u32 = 1;
const RUN: u32 = 2;
const ADAPTER: u32 = 3;
const POINT: u32 = 4;
const WAVE: u32 = 5;
const END: u32 = 6;
const FILES: u32 = 7;

/// Most chips of a wave; no wave of a sweep has more.
pub(super) const MOST_CHIPS: u32 = 4096;

/// A wave in the file.
#[derive(Debug, Clone, Copy)]
struct Wave {
    first: u32,
    chips: u32,
    adapter: u32,
    /// Number of its header.
    layout: u32,
    offset: u64,
}

impl Wave {
    fn end(&self) -> u32 {
        self.first + self.chips
    }
}

/// What is known of a point. Points are counted in the order in which headers first had them: that
/// number, which is in the records, never changes. Outside of the journal a point has its number in
/// the present plan.
#[derive(Debug, Clone, Default)]
struct Slot {
    facts: Option<PointFacts>,
    /// Ascending by first chip.
    waves: Vec<Wave>,
    /// Chips of a complete point, under the last header.
    end: Option<u32>,
    seconds: f64,
    /// Its number in the present plan.
    planned: Option<usize>,
}

/// Digests that a file of the run has had, by its name.
type Files = HashMap<String, HashSet<String>>;

/// A journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Bytes of an unfinished record that were dropped.
    dropped: u64,
    /// Whether they are still in the file and go before anything is written.
    cut: bool,
    /// The last one.
    header: Header,
    layouts: Vec<Layout>,
    adapters: Vec<Adapter>,
    slots: Vec<Slot>,
    /// Slots by the hash of the point.
    ids: HashMap<String, usize>,
    /// The slot of every point of the plan.
    plan: Vec<usize>,
    files: Files,
    /// Whether files were recorded since the last point ended.
    noted: bool,
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
        let mut journal = Journal::empty(self.file, &self.path);
        journal.replan(header)?;
        crate::files::sync_directory(&journal.path);
        Ok(journal)
    }

    /// What is there, to be looked at only; nothing if it is no journal of this format.
    pub fn peek(&self) -> Option<Journal> {
        let file = self.file.try_clone().ok()?;
        Journal::load(file, &self.path).ok().flatten()
    }

    /// Reads what is there. An unfinished record at the end is left out, and cut off when something
    /// is written.
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
            Some(mut journal) => {
                journal.cut = journal.dropped > 0;
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
        Journal::load(file, path)?.ok_or_else(|| headless(path))
    }

    /// Reads a journal that a process may be writing; what it has not finished is left out.
    ///
    /// # Errors
    /// As [`Claimed::open`]; a file without a whole header.
    pub fn look(path: &Path) -> Result<Journal> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        Journal::load(file, path)?.ok_or_else(|| headless(path))
    }

    fn empty(file: File, path: &Path) -> Self {
        Journal {
            path: path.to_path_buf(),
            file,
            end: 0,
            dropped: 0,
            cut: false,
            header: Header::default(),
            layouts: vec![],
            adapters: vec![],
            slots: vec![],
            ids: HashMap::new(),
            plan: vec![],
            files: Files::new(),
            noted: false,
            last_run: None,
            lazy: false,
        }
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
        if self.cut {
            let cut = self.file.set_len(offset);
            cut.map_err(|e| Error::io(&self.path, e))?;
            self.cut = false;
        }
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

    /// Goes on with another plan: the header is written where it is not the same.
    ///
    /// # Errors
    /// The disk; a header that would be refused when it is read.
    pub fn replan(&mut self, header: Header) -> Result<()> {
        if !self.layouts.is_empty() && self.header.same_plan(&header) {
            return Ok(());
        }
        header
            .check()
            .map_err(|why| Error::Internal(format!("header of the journal: {why}")))?;
        self.append(HEADER, &json(&header)?)?;
        self.adopt(header)
    }

    /// Takes the points of `header` as the plan, without writing anything.
    pub fn adopt(&mut self, header: Header) -> Result<()> {
        let layout = header.check();
        let layout = layout.map_err(|why| Error::Internal(format!("header: {why}")))?;
        self.enter(header, layout);
        Ok(())
    }

    fn enter(&mut self, header: Header, layout: Layout) {
        for slot in self.plan.drain(..) {
            let slot = &mut self.slots[slot];
            (slot.end, slot.planned) = (None, None);
        }
        for (planned, point) in header.points.iter().enumerate() {
            let next = self.slots.len();
            let slot = *self.ids.entry(point.id.clone()).or_insert(next);
            if slot == next {
                self.slots.push(Slot::default());
            }
            self.slots[slot].planned = Some(planned);
            self.plan.push(slot);
        }
        self.layouts.push(layout);
        let config = header.provenance.config_sha256.clone();
        self.know_files(&[(EXPERIMENT.to_string(), config)]);
        self.header = header;
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
    pub fn begin_point(&mut self, point: usize, facts: PointFacts) -> Result<()> {
        let slot = self.plan[point];
        self.append(POINT, &json(&(slot, &facts))?)?;
        self.slots[slot].facts = Some(facts);
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
            slot: self.plan[point] as u32,
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
        let layout = &self.layouts[self.layouts.len() - 1];
        layout.encode(rows, &mut payload);
        let offset = self.append(WAVE, &payload)?;
        self.insert(&head, at, offset);
        Ok(())
    }

    /// Notes that a point is complete with the chips before `end` (those of the shard).
    pub fn end_point(&mut self, point: usize, end: u32) -> Result<()> {
        let slot = self.plan[point];
        self.append(END, &json(&(slot, end))?)?;
        self.file
            .sync_data()
            .map_err(|e| Error::io(&self.path, e))?;
        self.slots[slot].end = Some(end);
        self.noted = false;
        Ok(())
    }

    /// Notes that the results of the run are about to be replaced by files with these digests.
    pub fn note_files(&mut self, digests: &[(String, String)]) -> Result<()> {
        let new = |(name, digest): &&(String, String)| !self.wrote(name, digest);
        if digests.iter().all(|d| !new(&d)) {
            return Ok(());
        }
        self.append(FILES, &json(&digests)?)?;
        self.file
            .sync_data()
            .map_err(|e| Error::io(&self.path, e))?;
        self.know_files(digests);
        self.noted = true;
        Ok(())
    }

    fn know_files(&mut self, digests: &[(String, String)]) {
        for (name, digest) in digests {
            let known = self.files.entry(name.clone()).or_default();
            known.insert(digest.clone());
        }
    }

    /// Whether this run wrote a file of that name with that SHA-256.
    pub fn wrote(&self, name: &str, digest: &str) -> bool {
        let known = self.files.get(name);
        known.is_some_and(|digests| digests.contains(digest))
    }

    /// Why the journal cannot tell whether a file of that name is the run's: its end is lost, or
    /// every chip is there and no record of files, which follows the last chip.
    pub fn lost_files(&self, name: &str) -> Option<String> {
        let at = self.end;
        if self.dropped > 0 {
            return Some(format!(
                "the record at byte {at}, the last one, is damaged or cut off, so it does not tell \
                 whether `{name}` is as the run wrote it"
            ));
        }
        let complete = (0..self.plan.len()).all(|point| self.ended(point).is_some());
        (complete && !self.noted).then(|| {
            format!(
                "ends at byte {at} without the record of the run's files, so it does not tell whether \
                 `{name}` is as the run wrote it"
            )
        })
    }
}

fn headless(path: &Path) -> Error {
    Error::input(format!(
        "{}: not even the header was finished; allowed: the journal of a sweep that has begun",
        path.display()
    ))
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Internal(format!("record to JSON: {e}")))
}
