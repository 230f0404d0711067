//! How conductances fall with time: `g(t) = g(t0) (t / t0)^-nu`, with an exponent of every cell.

use serde::Serialize;

use super::cells::{Cell, Level};
use super::intervals::{self, Estimate, MeanSquare};
use super::spread::reads;

/// Exponents of a level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Conductance that was to be programmed, microsiemens.
    pub target_us: f64,
    /// Cells with an exponent.
    pub cells: usize,
    /// Cells without one: a read at or below 0.
    pub without: usize,
    /// Mean exponent.
    pub nu: Estimate,
    /// Its standard deviation over cells; `None` where nothing tells it from errors of the reads.
    pub sigma_nu: Option<Estimate>,
    /// How far the logarithms of conductances are from straight lines, as the ratio of what remains around the lines to
    /// what read noise explains; `None` where one of both is not known.
    pub bend: Option<f64>,
}

/// A line through the logarithms of a cell's conductances.
struct Line {
    nu: f64,
    /// Remaining squares and their degrees of freedom.
    squares: f64,
    df: f64,
    /// Factor from the variance of a logarithm to that of the exponent.
    error: f64,
    /// Factor from the variance of a read, relative to the conductance, to that of the exponent, and to the remaining
    /// squares.
    read_error: f64,
    read_squares: f64,
}

fn line(cell: &Cell) -> Option<Line> {
    let points: Vec<(f64, f64, f64)> = cell
        .visits
        .iter()
        .map(|v| (v.time_s.ln(), v.mean(), v.values.len() as f64))
        .collect();
    if points.iter().any(|p| p.1 <= 0.0) {
        return None;
    }
    let n = points.len() as f64;
    let x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let y = points.iter().map(|p| p.1.ln()).sum::<f64>() / n;
    let xx: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let xy: f64 = points.iter().map(|p| (p.0 - x) * (p.1.ln() - y)).sum();
    let slope = xy / xx;
    let rest = |p: &(f64, f64, f64)| (p.1.ln() - y - slope * (p.0 - x)).powi(2);
    // Variance of a logarithm in units of that of a relative read.
    let of_read = |p: &(f64, f64, f64)| 1.0 / p.2;
    let read_error = points.iter().map(|p| ((p.0 - x) / xx).powi(2) * of_read(p));
    let leverage = |p: &(f64, f64, f64)| 1.0 - 1.0 / n - (p.0 - x).powi(2) / xx;
    Some(Line {
        nu: -slope,
        squares: points.iter().map(rest).sum(),
        df: n - 2.0,
        error: 1.0 / xx,
        read_error: read_error.sum(),
        read_squares: points.iter().map(|p| leverage(p) * of_read(p)).sum(),
    })
}

/// Exponents of all levels that have some. Where cells are stuck at a target itself they look like cells without
/// drift, so such a level tells nothing while another does.
pub(super) fn of_levels(levels: &[Level]) -> Vec<Drift> {
    let told = |moves: bool| -> Vec<Drift> {
        let levels = levels.iter().filter(|l| !moves || l.still == 0.0);
        levels.filter_map(drift).collect()
    };
    let found = told(true);
    match found.is_empty() {
        true => told(false),
        false => found,
    }
}

/// Exponents of the cells of a level that were read at several times; `None` of fewer than two.
fn drift(level: &Level) -> Option<Drift> {
    let seen: Vec<&Cell> = level.cells.iter().filter(|c| c.visits.len() > 1).collect();
    let lines: Vec<Line> = seen.iter().filter_map(|c| line(c)).collect();
    let exponents: Vec<f64> = lines.iter().map(|l| l.nu).collect();
    let nu = intervals::mean(&exponents)?;
    let n = lines.len() as f64;
    let squares: f64 = exponents.iter().map(|e| (e - nu.value).powi(2)).sum();
    let of = MeanSquare::new(squares, n - 1.0)?;
    let per_cell = |f: &dyn Fn(&Line) -> f64| lines.iter().map(f).sum::<f64>() / n;
    let rest = MeanSquare::new(
        lines.iter().map(|l| l.squares).sum(),
        lines.iter().map(|l| l.df).sum(),
    );
    let noise = reads(level).and_then(|noise| noise.relative).map(|p| p.of);
    let less = match (rest, noise) {
        (Some(ms), _) => Some((per_cell(&|l| l.error), ms)),
        (None, Some(ms)) => Some((per_cell(&|l| l.read_error), ms)),
        (None, None) => None,
    };
    let bend = rest.zip(noise).and_then(|(rest, noise)| {
        let explained = noise.value * lines.iter().map(|l| l.read_squares).sum::<f64>() / rest.df;
        (explained > 0.0).then(|| rest.value / explained)
    });
    Some(Drift {
        target_us: level.target_us,
        cells: lines.len(),
        without: seen.len() - lines.len(),
        nu,
        sigma_nu: less.map(|less| intervals::spread(of, &[less])),
        bend,
    })
}
