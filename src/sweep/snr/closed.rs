//! Closed forms of errors, in `f64`: what measured powers are held against.

use statrs::function::erf::erfc;

use crate::chip::layer::CellLayer;

/// Power that the steps of a layer's converters would have if their errors were uniform and independent: of every
/// conversion `lsb^2/12` times the square of its place value; mean over the outputs, whose units are `unit`. `None` without
/// converters.
///
/// Errors are neither uniform nor independent where sums are whole numbers of steps (then there are none) or where few
/// different sums occur.
pub fn steps(layer: &CellLayer, unit: &[f64]) -> Option<f64> {
    let ranges = layer.ranges.as_ref()?;
    let (arrays, dac) = (&layer.reading.arrays, &layer.reading.dac);
    let drives = match dac.analog_sum {
        true => 1.0,
        false => (0..dac.steps())
            .map(|t| f64::from(dac.place(t)).powi(2))
            .sum::<f64>(),
    };
    let of = |o: usize| {
        let plane = |p: usize| {
            let lsb = f64::from(ranges[p * arrays.cols + o][0]);
            (f64::from(arrays.place(p)) * lsb).powi(2) / 12.0
        };
        let planes: f64 = (0..arrays.read_planes()).map(plane).sum();
        let scale = unit[o] / arrays.equal_slices as f64;
        planes * arrays.row_tiles() as f64 * drives * scale.powi(2)
    };
    let outputs = arrays.cols.max(1);
    Some((0..arrays.cols).map(of).sum::<f64>() / outputs as f64)
}

/// Mean square of what a clip at `limit` to both sides takes from a normal sum: of the upper tail
/// `sigma^2 [(1 + a^2) Q(a) - a phi(a)]` with `a = (limit - mean)/sigma`, `Q` and `phi` tail and density of the normal
/// distribution, of the lower one the same with `a = (limit + mean)/sigma`.
///
/// ```
/// use pimento::sweep::snr::clipping;
///
/// assert_eq!(clipping(0.0, 2.0, 0.0), 4.0); // everything
/// assert!(clipping(0.0, 1.0, 4.0) < 1e-4);
/// ```
pub fn clipping(mean: f64, sigma: f64, limit: f64) -> f64 {
    let tail = |a: f64| {
        let above = 0.5 * erfc(a * std::f64::consts::FRAC_1_SQRT_2);
        let density = (-0.5 * a * a).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (1.0 + a * a) * above - a * density
    };
    let ends = [limit - mean, limit + mean];
    ends.iter()
        .map(|end| sigma * sigma * tail(end / sigma))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a sum over a fine grid.
    #[test]
    fn clipping_is_the_integral_over_the_tails() {
        for (mean, sigma, limit) in [(0.0, 1.0, 0.5), (0.7, 2.0, 3.0), (-0.9, 0.3, 0.8)] {
            let n = 400_000;
            let width = 24.0 * sigma / f64::from(n);
            let part = |i: i32| {
                let z = (f64::from(i) + 0.5) * width - 12.0 * sigma;
                let root = (2.0 * std::f64::consts::PI).sqrt();
                let density = (-0.5 * (z / sigma).powi(2)).exp() / (sigma * root);
                ((mean + z).abs() - limit).max(0.0).powi(2) * density * width
            };
            let want: f64 = (0..n).map(part).sum();
            let found = clipping(mean, sigma, limit);
            assert!((found - want).abs() < 1e-6 * want, "{found} for {want}");
        }
    }
}
