//! What energy, latency and area are estimated with.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::json;
use toml::de::DeValue;

use super::network::Sha;
use super::reader::nearest;
use super::rule::{Allowed, Maybe, Read, Relative, Rule};
use super::section::section;
use super::technology::{self, Technology};
use crate::error::{Code, Error, Mistake, Result};

section! {
    /// Section `[energy]`: energy, latency and area of the chip, at `fidelity = "cell"`; without the section
    /// nothing is estimated. docs/energy.md has the equations. Columns that share a converter are
    /// `chip.adc.sharing`, conductances come from `chip.cells`.
    pub struct Energy {
        /// Constants of the parts: a technology that comes with the program.
        technology: &'static str = "reference-32nm", Name;
        /// A technology file instead.
        file: Option<PathBuf> = None, Relative;
        /// The file's SHA-256: noted when the experiment is read, or what it must be.
        file_sha256: Option<String> = None, Maybe(Sha);
        /// Node that the constants are scaled to; by default the technology's.
        node_nm: Option<f64> = None, Maybe(NODE), "nm";
        /// Voltage of the highest drive of a row; the others are in proportion. By default ISAAC's.
        read_v: f64 = 0.2, 1e-3..=10.0, "V";
        /// How long the rows are driven in a step.
        pulse_ns: f64 = 10.0, 1e-3..=1e9, "ns";
        /// Time before and after that in which nothing is driven or converted.
        settle_ns: f64 = 0.0, 0.0..=1e9, "ns";
        /// Conversions of one converter in a second, in millions: the rate of the survey's model.
        conversion_mhz: f64 = 100.0, 1e-3..=1e5, "MHz";
        /// Columns are sampled, and converted while the rows are driven with the next step.
        overlap: bool = false;
        /// Share of its largest value that the squared drive of a row has in the mean, for estimates of arrays without
        /// images; by default an interval from 0 to 1.
        activity: Option<f64> = None, Maybe(0.0..=1.0);
        /// Mean conductance of a cell, for estimates without chips; by default an interval between the means that
        /// codes can have.
        mean_cell_us: Option<f64> = None, Maybe(0.0..=1e6), "uS";
    }
}

/// Allowed nodes.
const NODE: RangeInclusive<f64> = 1.0..=1000.0;

/// The name of a technology.
struct Name;

impl Rule<&'static str> for Name {
    fn read(&self, value: &DeValue) -> Read<&'static str> {
        let name = value.as_str().unwrap_or_default();
        let names = technology::names();
        let found = names.iter().find(|known| **known == name);
        found.copied().ok_or_else(|| {
            let hint = nearest(name, &names).map(str::to_string);
            let mistake = Mistake::new(Code::NotAllowed, format!("no technology {name:?}"));
            let mistake = mistake.value(format!("{name:?}")).hint(hint);
            mistake.allowed(names.join(", ")).into()
        })
    }

    fn allowed(&self) -> Allowed {
        let names = technology::names();
        Allowed::new("text", names.join(", "), json!({"enum": names}))
    }
}

impl Energy {
    /// The constants: of the file, where there is one.
    ///
    /// # Errors
    /// A file that cannot be read, and every mistake in it.
    pub fn constants(&self) -> Result<Technology> {
        let Some(file) = &self.file else {
            return Technology::find(self.technology);
        };
        let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?;
        Technology::parse(&text, &file.display().to_string())
    }
}
