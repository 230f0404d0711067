//! Tables: of a function of the conductance, and of measured cells with where these end.

use pimento::effects::{Sampled, Samples};

/// Targets and deviations of a table of measured cells.
pub type Measured = Vec<(f64, Vec<f64>)>;

/// A table of the targets 0, 0.3, 0.35 and 1.
pub fn measured() -> Measured {
    vec![
        (0.0, vec![0.01, -0.02, 0.005]),
        (0.3, vec![0.1]),
        (0.35, vec![-0.1, 0.04, 0.02, 0.08, -0.03]),
        (1.0, vec![0.05, -0.3]),
    ]
}

/// The same as an effect.
pub fn samples() -> Samples {
    Samples::new(&measured())
}

/// Where a cell of that table ends: quantiles of the two targets around it, mixed.
fn sampled(table: &Samples, g: f64, u: f32) -> f64 {
    assert_eq!(*table, samples(), "the loop knows this table alone");
    let mut levels = measured();
    levels
        .iter_mut()
        .for_each(|(_, own)| own.sort_by(f64::total_cmp));
    let of = |(_, own): &(f64, Vec<f64>)| own[(u * own.len() as f32).floor() as usize];
    let above = levels.iter().position(|(target, _)| g < *target - 1e-7);
    match above {
        None => g + of(&levels[levels.len() - 1]),
        Some(0) => g + of(&levels[0]),
        Some(above) => {
            let (low, high) = (&levels[above - 1], &levels[above]);
            let t = (g - low.0) / (high.0 - low.0);
            g + (1.0 - t) * of(low) + t * of(high)
        }
    }
}

/// Where a cell ends by an effect, from 24 bits.
pub fn reached(effect: &Sampled, target: f64, bits: u32) -> f64 {
    let u = bits as f32 / (1 << 24) as f32;
    let table = effect.table.as_ref();
    table.map_or(target, |table| sampled(table, target, u))
}

/// Value of a table of values at equally spaced conductances.
pub fn curve(values: &[f32], g: f64) -> f64 {
    let place = g.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = (place.floor() as usize).min(values.len() - 2);
    let (a, b) = (f64::from(values[below]), f64::from(values[below + 1]));
    a + (b - a) * (place - below as f64)
}
