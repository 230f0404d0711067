//! The corrections of a single tile against closed forms and against all choices of bounds.

use super::*;

/// A pair with one moving side and different deviations: docs/cells.md 7.
#[test]
fn what_a_pair_keeps_has_a_closed_form() {
    for (g_min, plus, minus, f) in [(0.0f32, 0.1, -0.05, 1.0), (0.25, -0.2, 0.1, 0.6)] {
        let top = 7.0f64;
        let levels: Vec<i32> = (-7..=7).collect();
        let variance = |of: fn(f64) -> f64| {
            let values: Vec<f64> = levels.iter().map(|&v| of(f64::from(v))).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
        };
        let share: f64 = (plus - minus) / (2.0 + plus + minus);
        let d = share * share * variance(f64::abs) / variance(|v| v);
        let want = variance(|v| v) * d / (1.0 + d);
        let units = top / (1.0 - f64::from(g_min));
        let conducts = |v: f64, e: f64| {
            f * (f64::from(g_min) + (1.0 - f64::from(g_min)) * v.max(0.0) / top) * (1.0 + e)
        };
        let tile = Tile {
            shown: vec![
                levels
                    .iter()
                    .map(|&v| f64::from(v))
                    .map(|v| units * (conducts(v, plus) - conducts(-v, minus)))
                    .collect(),
            ],
            wanted: levels.iter().map(|&v| f64::from(v)).collect(),
            weight: vec![1.0; levels.len()],
            place: vec![1.0],
            own: vec![0.0],
            full: units,
        };
        let cells = programming();
        let fit = Fit {
            cells: &cells,
            held: &Held::default(),
            floor: 0.1,
            offsets: true,
        };
        let mut pairs = [Pair {
            gain: 1.0,
            offset: 0.0,
        }];
        fit.minimise(&tile, &mut pairs);
        let found = tile.errors(&pairs).norm_squared();
        // Rounding of f64 in normal equations.
        assert!((found / want - 1.0).abs() < 1e-9, "{found}, {want}");
    }
}

/// How the cells of a plain layer are programmed.
fn programming() -> Programming {
    let text =
        "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n";
    let e = Experiment::parse(text, "test").unwrap();
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let geo = ConvGeometry::linear(8, 6);
    let layer = cells::layer(&e.chip, &e.variation, &geo, 4, input, 0).unwrap();
    layer.programming
}

/// Least error of a tile with every gain at a bound or free, of all choices whose free gains are allowed.
fn least_of_choices(tile: &Tile, start: &[f64], bounds: [f64; 2], offsets: bool) -> (f64, bool) {
    let (planes, codes) = (start.len(), tile.wanted.len());
    let mut least = (f64::INFINITY, false);
    for choice in 0..3usize.pow(planes as u32) {
        let of = |p: usize| bounds.get(choice / 3usize.pow(p as u32) % 3).copied();
        let free: Vec<usize> = (0..planes).filter(|&p| of(p).is_none()).collect();
        let n = free.len() + usize::from(offsets);
        let column = |p: usize, i: usize| match i < codes {
            true => tile.weight[i].sqrt() * tile.place[p] * tile.shown[p][i],
            false if i - codes == p => tile.own[p].sqrt(),
            false => 0.0,
        };
        let matrix = DMatrix::from_fn(codes + planes, n, |i, k| match free.get(k) {
            Some(&p) => column(p, i),
            None if i < codes => tile.weight[i].sqrt(),
            None => 0.0,
        });
        let wanted = DVector::from_fn(codes + planes, |i, _| {
            let to = match i < codes {
                true => tile.weight[i].sqrt() * tile.wanted[i],
                false => tile.own[i - codes].sqrt() * start[i - codes],
            };
            let fixed = (0..planes).filter_map(|p| Some(of(p)? * column(p, i)));
            to - fixed.sum::<f64>()
        });
        let (allowed, error) = match n {
            0 => (true, wanted.norm_squared()),
            _ => {
                let best = matrix
                    .clone()
                    .svd(true, true)
                    .solve(&wanted, 1e-12)
                    .unwrap();
                let gains = best.rows(0, free.len());
                let allowed = gains.iter().all(|g| (bounds[0]..=bounds[1]).contains(g));
                (allowed, (matrix * best - wanted).norm_squared())
            }
        };
        if allowed && error < least.0 {
            least = (error, free.len() < planes);
        }
    }
    least
}

/// Gains of planes that show alike depend on each other: to cut each by itself is not the least.
#[test]
fn bounded_corrections_are_the_least_of_all_choices_of_bounds() {
    let cells = programming();
    let mut at_bounds = 0;
    for number in 0..60 {
        let mut d = Draw::new(1_000 + number);
        let mut uniform = || f64::from(random::uniform(d.word()));
        let (planes, codes) = (3, 12);
        let shown: Vec<Vec<f64>> = (0..planes)
            .map(|_| (0..codes).map(|_| 4.0 * uniform() - 1.0).collect())
            .collect();
        let factors: Vec<f64> = (0..planes).map(|_| 0.6 + 0.9 * uniform()).collect();
        let tile = Tile {
            wanted: (0..codes)
                .map(|q| {
                    let sum = (0..planes).map(|p| f64::from(1 << p) * factors[p] * shown[p][q]);
                    sum.sum::<f64>() + 2.0 * uniform()
                })
                .collect(),
            shown,
            weight: (0..codes).map(|_| 0.1 + uniform()).collect(),
            place: vec![1.0, 2.0, 4.0],
            own: vec![uniform(); planes],
            full: 20.0,
        };
        for offsets in [false, true] {
            let floor = 0.9;
            let fit = Fit {
                cells: &cells,
                held: &Held::default(),
                floor,
                offsets,
            };
            let start = [1.0; 3];
            let mut pairs = vec![
                Pair {
                    gain: 1.0,
                    offset: 0.0
                };
                planes
            ];
            fit.minimise(&tile, &mut pairs);
            let bounds = [LEAST_GAIN, 1.0 / floor];
            let (least, bounded) = least_of_choices(&tile, &start, bounds, offsets);
            let found = tile.error(&start, &pairs);
            assert!(
                pairs
                    .iter()
                    .all(|p| (bounds[0]..=bounds[1]).contains(&p.gain))
            );
            // Rounding of f64 in normal equations.
            assert!(
                (found / least - 1.0).abs() < 1e-9,
                "{number}: {found}, {least}"
            );
            at_bounds += usize::from(bounded);
        }
    }
    assert!(at_bounds > 40, "{at_bounds}");
}
