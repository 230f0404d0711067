//! Everything that a sweep needs, built and measured before anything is trained or written.
//!
//! `check`, `--dry-run` and the sweep itself begin here, so that what one of them refuses the others
//! refuse too. Points that differ in nothing that shapes a program are built once.

use std::collections::HashSet;

use super::wave;
use crate::backend::Backend;
use crate::config::{self, Fidelity};
use crate::error::{Error, Result};
use crate::setup::{Point, at_point};
use crate::train;

/// Memory of the largest waves that the points of a sweep have on a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Waves {
    /// Chips of a wave: the fewest of all points.
    pub chips: usize,
    /// Bytes of a wave: the most of all points.
    pub bytes: u64,
}

/// Builds what the points need, short of training: networks, programs, chips, converters; sees that
/// images and labels fit them, and that they fit the memory of one of `backends` at least. Takes no
/// memory for any of it.
///
/// # Errors
/// What a sweep of these points would refuse, with the point's axes.
pub fn prepare(backends: &[&dyn Backend], points: &[Point]) -> Result<Waves> {
    let mut waves = Waves::default();
    let (mut wafers, mut cells, mut built) = (HashSet::new(), HashSet::new(), HashSet::new());
    for point in points {
        let at = |e: Error| at_point(e, &point.config);
        if built.is_empty() {
            // The images, and how they are normalised, are the same at all points.
            let (data, normalise) = (point.inputs.data, &point.inputs.normalise);
            normalise.check(&data.train)?;
            normalise.check(&data.test)?;
        }
        if built.insert(shape_of(&point.config)) {
            let (chips, bytes) = build(backends, point).map_err(at)?;
            waves.bytes = waves.bytes.max(bytes);
            waves.chips = match waves.chips {
                0 => chips,
                n => n.min(chips),
            };
        }
        // What depends on the values of a point, and not only on which of them are 0. A wafer's
        // field takes long to be factorised.
        if wafers.insert(axes_of(&point.config, &WAFER)) && wafers.len() > 1 {
            point.chips().map_err(at)?;
        }
        if cells.insert(axes_of(&point.config, &CELLS)) {
            cell_values(point).map_err(at)?;
        }
    }
    Ok(waves)
}

/// Builds a point on every backend; one that can suffices, as a sweep goes on without the others.
fn build(backends: &[&dyn Backend], point: &Point) -> Result<(usize, u64)> {
    let one = |backend: &&dyn Backend| -> Result<(usize, u64)> {
        // Weights first: what has none of the memory needs no look at its cells.
        let waves = wave::check(*backend, point)?;
        train::check(*backend, point)?;
        Ok(waves)
    };
    let mut first = None;
    let mut able: Option<(usize, u64)> = None;
    for found in backends.iter().map(one) {
        match found {
            Ok((chips, bytes)) => {
                let (fewest, most) = able.unwrap_or((chips, 0));
                able = Some((fewest.min(chips), most.max(bytes)));
            }
            // What is wrong on every adapter is no question of which.
            Err(e) if !e.is_of_adapter() => return Err(e),
            Err(e) => _ = first.get_or_insert(e),
        }
    }
    able.ok_or_else(|| first.unwrap_or_else(|| Error::Internal("a sweep without a backend".into())))
}

/// Sees that the arrays of a point can be.
fn cell_values(point: &Point) -> Result<()> {
    let e = point.experiment();
    let at_cells = e.fidelity == Fidelity::Cell || e.any_stage(|t| t.level == Fidelity::Cell);
    if at_cells {
        point.cell_layers()?;
    }
    point.energy()?;
    Ok(())
}

/// Fields, or sections, that a wafer is made from.
const WAFER: [&str; 1] = ["variation.wafer"];

/// Fields, or sections, that arrays of cells are made from.
const CELLS: [&str; 9] = [
    "energy",
    "tuning",
    "layer",
    "chip",
    "variation",
    "quantize",
    "network",
    "fidelity",
    "train.level",
];

/// The axes in these sections, as a key.
fn axes_of<'p>(point: &'p config::Point, sections: &[&str]) -> Vec<(&'p str, String)> {
    let within = |path: &str| {
        let of = |section: &&str| {
            let rest = path.strip_prefix(*section);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        sections.iter().any(of)
    };
    let of = point.axes.iter().filter(|(path, _)| within(path));
    of.map(|(path, value)| (path.as_str(), value.to_string()))
        .collect()
}

/// Fields whose whole numbers shape no program: they count steps or chips, or name random numbers.
const COUNTS: [&str; 9] = [
    "train.epochs",
    "train.seed",
    "train.step_epochs",
    "train.warmup_epochs",
    "train.calibration_batches",
    "train.evaluate_every",
    "tuning.test_cells",
    "sweep.chips",
    "worst_case.random_chips",
];

/// Chips from which on a wave is as large as it can be.
const MANY_CHIPS: f64 = 4096.0;

/// What of a point's axes shapes its programs, as a key: which real numbers are 0, below 1, 1 or
/// above, and everything else as it is.
fn shape_of(point: &config::Point) -> Vec<(&str, String)> {
    let class = |x: f64| match x {
        0.0 => "0",
        1.0 => "1",
        _ if x.is_infinite() => "inf",
        _ if x < 0.0 => "negative",
        _ if x < 1.0 => "part",
        _ => "more",
    };
    let axes = point.axes.iter().map(|(path, value)| {
        let text = value.to_string();
        let key = match value.real() {
            // The width of a network is a real number and its shape.
            _ if path.starts_with("network.") => text,
            Some(_) if path == "sweep.yield_limit" => String::new(),
            Some(n) if path == "sweep.chips" && n < MANY_CHIPS => text,
            Some(n) if COUNTS.contains(&path.as_str()) => (n > 0.0).to_string(),
            Some(x) if !value.is_whole() => class(x).to_string(),
            _ => text,
        };
        (path.as_str(), key)
    });
    axes.collect()
}
