//! The log of a long run: one line a wave.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use pimento::progress::SweepProgress;
use pimento::{Error, Result};

use super::progress::clock;

/// Whether a file is empty or begins with the time of a line.
fn is_log(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TIME as u64).read_to_end(&mut start));
    let time = std::str::from_utf8(&start)
        .ok()
        .map(humantime::parse_rfc3339);
    read.is_ok() && (start.is_empty() || time.is_some_and(|time| time.is_ok()))
}

/// Characters of the time of a line, as in `2026-01-02T03:04:05.678Z`.
const TIME: usize = 24;

/// A file of lines, each with the time in UTC.
pub struct Log {
    file: Mutex<File>,
    /// When the first wave of this process was reported, and the chips that were there by then.
    since: Mutex<Option<(Instant, u64)>>,
}

impl Log {
    /// Opens (or creates) a file to append to. A file that is no log stays as it is.
    pub fn append(path: &Path) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|there| there.is_file()) && !is_log(path) {
            return Err(Error::input(format!(
                "--log {}: exists and is no log of a sweep; allowed: a new file, or a log to append to",
                path.display()
            )));
        }
        let file = File::options().append(true).create(true).open(path);
        Ok(Self {
            file: Mutex::new(file.map_err(|e| Error::io(path, e))?),
            since: Mutex::new(None),
        })
    }

    /// Writes a line. A log that cannot be written is no reason to lose a sweep.
    pub fn line(&self, text: &str) {
        let at = humantime::format_rfc3339_millis(SystemTime::now());
        let mut file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        let _ = file.write_all(format!("{at} {text}\n").as_bytes());
    }

    /// Writes how far a sweep is.
    pub fn sweep(&self, p: &SweepProgress, accuracy: &str) {
        let mut since = self.since.lock().unwrap_or_else(|e| e.into_inner());
        let (at, first) = *since.get_or_insert_with(|| (Instant::now(), p.all_done));
        drop(since);
        let rate = p.all_done.saturating_sub(first) as f64 / at.elapsed().as_secs_f64();
        let left = match rate > 0.0 {
            true => clock(p.all.saturating_sub(p.all_done) as f64 / rate),
            false => "unknown".into(),
        };
        self.line(&format!(
            "point {}: {} of {} chips, {} of {} in all; {accuracy}; {rate:.1} chips/s, {left} left",
            p.point, p.chips_done, p.chips, p.all_done, p.all
        ));
    }
}
