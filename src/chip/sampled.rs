//! Cells that are drawn from a table of measurements.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use crate::config;
use crate::effects::sampled::MOST_SAMPLES;
use crate::effects::{Sampled, Samples};
use crate::error::{Error, Result};
use crate::fit::Measurements;
use crate::program::Arrays;

/// What a table says, by target.
type Levels = Vec<(f64, Vec<f64>)>;

/// The last table that was read: all layers of all points have the same one.
static LAST: Mutex<Option<(PathBuf, String, Levels)>> = Mutex::new(None);

/// Largest difference of a target from the end of the range, relative to `G_max`, by which numbers of a table may be rounded.
const ROUNDED: f64 = 1e-4;

/// The table of an experiment, relative to its largest conductance.
///
/// # Errors
/// A file that cannot be read, is another one than the experiment noted or no table; targets that leave a conductance out that
/// cells are programmed to; cells that deviate by a law, too.
pub(super) fn sampled(
    chip: &config::Chip,
    variation: &config::Variation,
    arrays: &Arrays,
) -> Result<Sampled> {
    let cells = &chip.cells;
    let Some(path) = &cells.sampled else {
        return Ok(Sampled::default());
    };
    // A layer may have another variation than the experiment, whose checks say the same.
    if variation.sigma_w > 0.0 || chip.programming.sigma.is_some() {
        return Err(Error::input(
            "chip.cells.sampled: the cells of a table have their own deviations; allowed beside it: variation.sigma_w = 0, and no \
             chip.programming.sigma, of every layer",
        ));
    }
    let levels = read(path, cells.sampled_sha256.as_deref())?;
    let shown = path.display();
    let all: usize = levels.iter().map(|(_, cells)| cells.len()).sum();
    if all > MOST_SAMPLES {
        return Err(Error::input(format!(
            "chip.cells.sampled: {shown} has {all} cells; allowed: at most {MOST_SAMPLES}"
        )));
    }
    let g_max = cells.g_max_us;
    let relative = |(target, values): &(f64, Vec<f64>)| {
        let deviations = values.iter().map(|g| (g - target) / g_max).collect();
        (target / g_max, deviations)
    };
    let relative: Levels = levels.iter().map(relative).collect();
    let [low, high] = [0, relative.len() - 1].map(|i| relative[i].0);
    let [least, most] = range(arrays);
    if low > least + ROUNDED || high < most - ROUNDED {
        let us = |g: f64| format!("{:?}", (g * g_max * 1e6).round() / 1e6);
        return Err(Error::input(format!(
            "chip.cells.sampled: {shown} has targets from {} to {} uS, and cells are programmed to {} to {} uS (chip.cells.g_max_us, \
             on_off_ratio, levels); allowed: a table that holds both ends",
            us(low),
            us(high),
            us(least),
            us(most)
        )));
    }
    Ok(Sampled {
        table: Some(Samples::new(&relative)),
    })
}

/// Smallest and largest conductance that cells are programmed to.
fn range(arrays: &Arrays) -> [f64; 2] {
    let levels = arrays.levels.iter().flat_map(|levels| levels.iter());
    let levels = levels.map(|g| f64::from(*g));
    match arrays.levels.is_some() {
        true => levels.fold([f64::INFINITY, 0.0], |[lo, hi], g| [lo.min(g), hi.max(g)]),
        false => [f64::from(arrays.g_min), 1.0],
    }
}

/// Reads a table, once for all that ask for it one after the other.
fn read(path: &Path, wanted: Option<&str>) -> Result<Levels> {
    let mut last = LAST
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let (Some(wanted), Some((known, sha256, levels))) = (wanted, &*last)
        && known == path
        && sha256 == wanted
    {
        return Ok(levels.clone());
    }
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(Error::input(format!(
            "{}: its SHA-256 is {found}; chip.cells.sampled_sha256 wants {wanted}",
            path.display()
        )));
    }
    let table = Measurements::from_reader(&bytes[..], &path.display().to_string())?;
    let levels = table.by_target();
    *last = Some((path.to_path_buf(), found, levels.clone()));
    Ok(levels)
}
