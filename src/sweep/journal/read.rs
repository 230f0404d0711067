//! Taking in the records of a file that anybody may have written: every count is held against the
//! header and the record's length before memory is taken for it.

use std::fs::File;
use std::path::Path;

use super::wave::{WAVE_HEAD, WaveHead};
use super::{
    ADAPTER, END, FILES, HEADER, Header, Journal, MOST_CHIPS, POINT, PointFacts, RUN, Slot, WAVE,
    Wave, frame,
};
use crate::error::{Error, Result};

/// Most names and digests of a record of files; a run has six files.
const MOST_FILES: usize = 64;

impl Journal {
    /// Reads a whole file; nothing where not even the header is there.
    pub(super) fn load(file: File, path: &Path) -> Result<Option<Journal>> {
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let own = file.try_clone().map_err(|e| Error::io(path, e))?;
        // The lock belongs to the handle that was locked: the journal keeps that one.
        let mut journal = Journal::empty(file, path);
        let end = frame::scan(&own, path, |offset, kind, payload| {
            journal
                .take_in(offset, kind, payload)
                .map_err(|why| senseless(path, offset, &why))
        })?;
        journal.end = end;
        journal.dropped = length - end;
        Ok((!journal.layouts.is_empty()).then_some(journal))
    }

    /// Takes in a record that was read, or says why it cannot be meant.
    fn take_in(
        &mut self,
        offset: u64,
        kind: u32,
        payload: &[u8],
    ) -> std::result::Result<(), String> {
        if self.layouts.is_empty() && kind != HEADER {
            return Err("it stands before the header".into());
        }
        match kind {
            HEADER => self.take_header(payload)?,
            RUN => self.last_run = Some(parse(payload)?),
            ADAPTER => self.adapters.push(parse(payload)?),
            POINT => {
                let (slot, facts): (usize, PointFacts) = parse(payload)?;
                if !(0.0..=1.0).contains(&facts.ideal) {
                    return Err(format!("an accuracy of {}", facts.ideal));
                }
                self.slot(slot)?.facts = Some(facts);
            }
            WAVE => self.take_wave(offset, payload)?,
            END => self.take_end(payload)?,
            FILES => {
                let digests: Vec<(String, String)> = parse(payload)?;
                if digests.len() > MOST_FILES {
                    return Err("it names too many files".into());
                }
                self.know_files(&digests);
                self.noted = true;
            }
            _ => return Err("its kind is unknown".into()),
        }
        Ok(())
    }

    fn slot(&mut self, slot: usize) -> std::result::Result<&mut Slot, String> {
        let found = self.slots.get_mut(slot);
        found.ok_or_else(|| "its point does not exist".into())
    }

    fn take_header(&mut self, payload: &[u8]) -> std::result::Result<(), String> {
        // Another format may have other fields: its number is looked at first.
        #[derive(serde::Deserialize)]
        struct Format {
            format: u32,
        }
        let found = parse::<Format>(payload)?.format;
        if found != super::FORMAT {
            return Err(format!(
                "its format is {found}, this version of Pimento reads {}",
                super::FORMAT
            ));
        }
        let header: Header = parse(payload)?;
        let layout = header.check()?;
        self.enter(header, layout);
        Ok(())
    }

    fn take_wave(&mut self, offset: u64, payload: &[u8]) -> std::result::Result<(), String> {
        let head = WaveHead::decode(payload).ok_or("its wave is too short")?;
        let slot = self.slot(head.slot as usize)?;
        let Some(planned) = slot.planned else {
            return Err("its point is not in the plan of the header before it".into());
        };
        if slot.facts.is_none() {
            return Err(format!(
                "the record of point {} (kind {POINT}) is not before its chips",
                head.slot
            ));
        }
        if head.adapter as usize >= self.adapters.len() {
            return Err(format!("its adapter {} does not exist", head.adapter));
        }
        let end = head.first.checked_add(head.chips);
        let planned = self.header.points[planned].chips;
        if !(1..=MOST_CHIPS).contains(&head.chips) {
            return Err(format!(
                "a wave of {} chips; allowed: 1 to {MOST_CHIPS}",
                head.chips
            ));
        }
        if end.is_none_or(|end| end > planned) {
            return Err(format!(
                "{} chips from chip {} of a point of {planned} chips",
                head.chips, head.first
            ));
        }
        if !(head.seconds >= 0.0 && head.seconds.is_finite()) {
            return Err(format!("a wave of {} seconds", head.seconds));
        }
        let layout = &self.layouts[self.layouts.len() - 1];
        let columns = payload.get(WAVE_HEAD..).unwrap_or_default();
        layout.check(columns, head.chips as usize, self.header.images)?;
        let at = self.place(&head).ok_or("its chips were there before")?;
        self.insert(&head, at, offset);
        Ok(())
    }

    fn take_end(&mut self, payload: &[u8]) -> std::result::Result<(), String> {
        let (slot, end): (usize, u32) = parse(payload)?;
        let Some(planned) = self.slot(slot)?.planned else {
            return Err("its point is not in the plan of the header before it".into());
        };
        if self.slots[slot].facts.is_none() {
            return Err(format!(
                "the record of point {slot} (kind {POINT}) is not before its end"
            ));
        }
        let share = self.share(planned);
        if !(share.start..=share.end).contains(&end) {
            return Err(format!(
                "an end before chip {end} of chips {} to {}",
                share.start, share.end
            ));
        }
        if let Some(gap) = self.missing(planned, share.start..end).first() {
            return Err(format!(
                "chips {} to {} before its end are not there",
                gap.start,
                gap.end - 1
            ));
        }
        self.slots[slot].end = Some(end);
        self.noted = false;
        Ok(())
    }

    /// Where a wave belongs in the index of its point, unless chips of it are there.
    pub(super) fn place(&self, head: &WaveHead) -> Option<usize> {
        let waves = &self.slots[head.slot as usize].waves;
        let at = waves.partition_point(|w| w.first < head.first);
        let before = at.checked_sub(1).map(|i| waves[i]);
        let overlaps = before.is_some_and(|w| w.end() > head.first)
            || waves
                .get(at)
                .is_some_and(|w| head.first + head.chips > w.first);
        (!overlaps).then_some(at)
    }

    /// Enters a wave into the index.
    pub(super) fn insert(&mut self, head: &WaveHead, at: usize, offset: u64) {
        let wave = Wave {
            first: head.first,
            chips: head.chips,
            adapter: head.adapter,
            layout: self.layouts.len() as u32 - 1,
            offset,
        };
        let slot = &mut self.slots[head.slot as usize];
        slot.waves.insert(at, wave);
        slot.seconds += head.seconds;
    }
}

fn parse<T: serde::de::DeserializeOwned>(payload: &[u8]) -> std::result::Result<T, String> {
    serde_json::from_slice(payload).map_err(|e| e.to_string())
}

/// A record that is whole but cannot be meant so: written by another version, or by another program.
pub(super) fn senseless(path: &Path, offset: u64, why: &str) -> Error {
    Error::input(format!(
        "{}: the record at byte {offset} makes no sense: {why}; allowed: a journal of this version \
         of Pimento",
        path.display()
    ))
}
