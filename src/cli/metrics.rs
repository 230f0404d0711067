//! Measurements of a long run as JSON Lines: one object for each epoch of a training and each wave of a sweep.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use pimento::progress::{EpochProgress, SweepProgress};
use pimento::{Error, Result};
use serde_json::{Value, json};

/// Whether a file is empty or its first line is one of ours.
fn is_metrics(path: &Path) -> bool {
    let mut line = String::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_line(&mut line));
    let event = serde_json::from_str::<Value>(&line).is_ok_and(|v| v.get("event").is_some());
    read.is_ok() && (line.is_empty() || event)
}

/// A file of JSON objects, one a line, each with the time in UTC (`time`) and its kind (`event`).
pub struct Metrics {
    file: Mutex<File>,
}

impl Metrics {
    /// Opens (or creates) a file to append to. A file with anything else in it stays as it is.
    pub fn append(path: &Path) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|there| there.is_file()) && !is_metrics(path) {
            return Err(Error::input(format!(
                "--metrics {}: exists and holds no measurements; allowed: a new file, or a file of an earlier --metrics \
                 to append to",
                path.display()
            )));
        }
        let file = File::options().append(true).create(true).open(path);
        Ok(Self {
            file: Mutex::new(file.map_err(|e| Error::io(path, e))?),
        })
    }

    /// Writes an epoch of a training.
    pub fn epoch(&self, p: &EpochProgress) {
        let held_out = p.held_out.map(|v| {
            json!({
                "images": v.images,
                "ideal": v.ideal,
                "mean": v.mean,
                "std": v.std,
                "chips": v.chips,
            })
        });
        self.line(json!({
            "event": "epoch",
            "training": p.label,
            "stage": (!p.stage.is_empty()).then_some(&p.stage),
            "epoch": p.epoch,
            "epochs": p.epochs,
            "step": p.step,
            "learning_rate": p.learning_rate,
            "loss": p.loss,
            "accuracy": p.accuracy,
            "held_out": held_out,
        }));
    }

    /// Writes how far a point of a sweep is. Numbers that do not exist yet are `null`.
    pub fn wave(&self, p: &SweepProgress) {
        self.line(json!({
            "event": "wave",
            "point": p.point,
            "points": p.points,
            "label": p.label,
            "chips_done": p.chips_done,
            "chips": p.chips,
            "mean": p.mean,
            "mean_ci95": p.interval,
            "all_done": p.all_done,
            "all": p.all,
        }));
    }

    /// A line of its own, whole or not at all. Measurements that cannot be written are no reason to lose a run.
    fn line(&self, mut object: Value) {
        let at = humantime::format_rfc3339_millis(SystemTime::now());
        object["time"] = at.to_string().into();
        let mut file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        let _ = file.write_all(format!("{object}\n").as_bytes());
    }
}
