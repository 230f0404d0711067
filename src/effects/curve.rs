//! Functions of a conductance as tables.

use std::sync::Arc;

/// A function of the relative conductance `g` in 0..=1 as values at equally spaced `g`, both ends
/// included, linear between; constant beyond the ends. At least two values.
pub type Curve = Arc<[f32]>;

/// Value of a curve in `f64`.
pub fn at(curve: &Curve, g: f64) -> f64 {
    let place = g.clamp(0.0, 1.0) * (curve.len() - 1) as f64;
    let below = (place as usize).min(curve.len() - 2);
    let [low, high] = [curve[below], curve[below + 1]].map(f64::from);
    low + (place - below as f64) * (high - low)
}
