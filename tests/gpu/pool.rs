use pimento::program::*;

use super::harness::*;

/// Windows that tile, overlap, leave gaps, drop an incomplete window, differ by direction and
/// side, and one for the whole map.
const WINDOWS: [PoolGeometry; 7] = [
    window(2, 2, [2, 2], [0; 4]),
    window(3, 2, [1, 1], [1; 4]),
    window(2, 3, [3, 3], [1; 4]),
    window(1, 1, [2, 2], [0; 4]),
    window(3, 4, [2, 1], [2, 0, 1, 3]),
    window(4, 1, [1, 3], [0, 0, 3, 0]),
    window(7, 6, [1, 1], [0; 4]),
];

const fn window(kh: usize, kw: usize, stride: [usize; 2], pad: [usize; 4]) -> PoolGeometry {
    PoolGeometry {
        kh,
        kw,
        stride,
        pad,
    }
}

const MAP: [usize; 3] = [3, 7, 6];

fn pooled(geo: &PoolGeometry) -> [usize; 3] {
    let (h, w) = geo.out(MAP[1], MAP[2]);
    [MAP[0], h, w]
}

/// Few different values, so that windows have ties.
fn coarse(n: usize, seed: u64) -> Vec<f32> {
    values(n, seed)
        .iter()
        .map(|v| (v * 3.0).round() - 2.0)
        .collect()
}

#[test]
fn max_pool_and_its_gradient_match_cpu() {
    for geo in WINDOWS {
        let mut case = Case::new();
        let x = case.input_of(MAP, Scope::PerChip, coarse);
        let dy = case.input(pooled(&geo), Scope::PerChip);
        let y = case.output(pooled(&geo), Scope::PerChip);
        let dx = case.output(MAP, Scope::PerChip);
        case.section(vec![
            Op::from(MaxPool { x, y, geo }),
            Op::from(MaxPoolGrad { x, y, dy, dx, geo }),
        ]);
        // Sums of at most twelve gradients.
        case.compare(&format!("max {geo:?}"), 24.0 * EPS);
    }
}

#[test]
fn avg_pool_and_its_gradient_match_cpu() {
    for geo in WINDOWS {
        let mut case = Case::new();
        let x = case.input(MAP, Scope::PerChip);
        let dy = case.input(pooled(&geo), Scope::PerChip);
        let y = case.output(pooled(&geo), Scope::PerChip);
        let dx = case.output(MAP, Scope::PerChip);
        case.section(vec![
            Op::from(AvgPool { x, y, geo }),
            Op::from(AvgPoolGrad { dy, dx, geo }),
        ]);
        // Means of up to 42 values of size 1, each partial sum rounded, and a division.
        case.compare(&format!("avg {geo:?}"), 44.0 * EPS);
    }
}
