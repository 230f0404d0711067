//! Pooling forward and backward.

use pimento::program::*;

use super::case::*;
use super::reference::pool;

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

/// Map of [`WINDOWS`].
const MAP: [usize; 3] = [3, 7, 6];

const fn window(kh: usize, kw: usize, stride: [usize; 2], pad: [usize; 4]) -> PoolGeometry {
    PoolGeometry {
        kh,
        kw,
        stride,
        pad,
    }
}

/// A random map and window.
fn any_window(rng: &mut Rng) -> ([usize; 3], PoolGeometry) {
    let (kh, kw) = (rng.pick(1, 4), rng.pick(1, 4));
    let geo = PoolGeometry {
        kh,
        kw,
        stride: [rng.pick(1, 3), rng.pick(1, 3)],
        pad: [kh, kw, kh, kw].map(|k| rng.pick(0, k - 1)),
    };
    ([rng.pick(1, 5), rng.pick(4, 9), rng.pick(4, 9)], geo)
}

fn pooled([c, h, w]: [usize; 3], geo: &PoolGeometry) -> [usize; 3] {
    let (h, w) = geo.out(h, w);
    [c, h, w]
}

fn most(under: &[f64]) -> f64 {
    under.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn mean(under: &[f64]) -> f64 {
    under.iter().sum::<f64>() / under.len() as f64
}

/// A permutation of evenly spaced values: no two are within the step of a difference.
fn spaced(case: &mut Case, chw: [usize; 3], scope: Scope) -> TensorId {
    let n = chw.iter().product();
    let mut values = Vec::new();
    for _ in 0..case.count(chw, scope) / n {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_cached_key(|_| case.rng.bits());
        values.extend(order.iter().map(|&i| i as f32 / 256.0 - 0.5));
    }
    case.given(chw, scope, values)
}

/// Operands and results of pooling and its gradient.
struct Tensors {
    x: TensorId,
    dy: TensorId,
    y: TensorId,
    dx: TensorId,
}

fn tensors(case: &mut Case, x: TensorId, chw: [usize; 3], geo: &PoolGeometry) -> Tensors {
    Tensors {
        x,
        dy: case.random(pooled(chw, geo), Scope::PerChip),
        y: case.result(pooled(chw, geo), Scope::PerChip),
        dx: case.result(chw, Scope::PerChip),
    }
}

fn max_ops(t: &Tensors, geo: PoolGeometry) -> Vec<Op> {
    let &Tensors { x, dy, y, dx } = t;
    vec![
        Op::from(MaxPool { x, y, geo }),
        Op::from(MaxPoolGrad { x, y, dy, dx, geo }),
    ]
}

fn avg_ops(t: &Tensors, geo: PoolGeometry) -> Vec<Op> {
    let &Tensors { x, dy, y, dx } = t;
    vec![
        Op::from(AvgPool { x, y, geo }),
        Op::from(AvgPoolGrad { dy, dx, geo }),
    ]
}

/// Wants `f` of every window within a tolerance, and its finite differences.
fn want(case: &mut Case, t: &Tensors, geo: &PoolGeometry, f: fn(&[f64]) -> f64, tolerance: f64) {
    let size = case.program.desc(t.x).shape.chw();
    let y = case.each(Scope::PerChip, |chip, image| {
        pool(&case.at(t.x, chip, image), size, geo, f)
    });
    let dx = case.each(Scope::PerChip, |chip, image| {
        let dy = case.at(t.dy, chip, image);
        differences(&case.at(t.x, chip, image), |x| {
            dot(&pool(x, size, geo, f), &dy)
        })
    });
    case.want(t.y, y, tolerance);
    // Values are further apart than the step of a difference.
    case.want(t.dx, dx, 1e-5);
}

fn random(seed: u64) -> (Case, Tensors, PoolGeometry) {
    let mut rng = Rng(seed);
    let (chw, geo) = any_window(&mut rng);
    let mut case = Case::new(seed + 77, rng.pick(1, 2), rng.pick(1, 20));
    let x = spaced(&mut case, chw, rng.scope());
    let t = tensors(&mut case, x, chw, &geo);
    (case, t, geo)
}

pub fn largest() -> Vec<Case> {
    let cases = (0..30).map(|seed| {
        let (mut case, t, geo) = random(seed);
        case.section(max_ops(&t, geo));
        // A maximum is exact.
        want(&mut case, &t, &geo, most, 0.0);
        // Sums of at most sixteen gradients.
        case.apart[0] = 24.0 * ULP;
        case
    });
    cases.collect()
}

/// Few different values, so that windows have ties.
pub fn largest_of_ties() -> Vec<Case> {
    let cases = WINDOWS.map(|geo| {
        let mut case = wave(1);
        let x = case.drawn(MAP, Scope::PerChip, |rng| {
            (rng.coarse() * 3.0).round() - 2.0
        });
        let t = tensors(&mut case, x, MAP, &geo);
        case.section(max_ops(&t, geo));
        case.compare(t.y);
        case.compare(t.dx);
        // Sums of at most twelve gradients.
        case.apart[0] = 24.0 * ULP;
        case
    });
    cases.into()
}

pub fn means() -> Vec<Case> {
    let cases = (0..30).map(|seed| {
        let (mut case, t, geo) = random(seed);
        case.section(avg_ops(&t, geo));
        // A mean of at most 16 values rounds as often.
        want(&mut case, &t, &geo, mean, 16.0 * EPS);
        case.apart[0] = 44.0 * ULP;
        case
    });
    let fixed = WINDOWS.map(|geo| {
        let mut case = wave(1);
        let x = case.random(MAP, Scope::PerChip);
        let t = tensors(&mut case, x, MAP, &geo);
        case.section(avg_ops(&t, geo));
        case.compare(t.y);
        case.compare(t.dx);
        // Means of up to 42 values of size 1, each partial sum rounded, and a division.
        case.apart[0] = 44.0 * ULP;
        case
    });
    cases.chain(fixed).collect()
}

/// Among equal maxima the first one, row by row, gets the whole gradient.
pub fn first_of_ties() -> Vec<Case> {
    let geo = window(2, 2, [2; 2], [0; 4]);
    let mut case = Case::new(0, 1, 2);
    let values = vec![0.0, 3.0, 3.0, 3.0, -1.0, -2.0, -1.0, -1.0];
    let x = case.given([1, 2, 2], Scope::Shared, values);
    let dy = case.given([1, 1, 1], Scope::Shared, vec![5.0, 7.0]);
    let y = case.result([1, 1, 1], Scope::Shared);
    let dx = case.result([1, 2, 2], Scope::Shared);
    let t = Tensors { x, dy, y, dx };
    case.section(max_ops(&t, geo));
    case.want(dx, vec![0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 0.0], 0.0);
    vec![case]
}
