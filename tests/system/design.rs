//! Searches of designs against sweeps of all of them.

use pimento::backend::cpu::CpuBackend;
use pimento::config::{Experiment, Goal, Measure};
use pimento::data::{Embedded, Split};
use pimento::design::{self, Found, State};
use pimento::sweep::{self, Measured, SweepOptions};

/// A few designs of a small network; `{seed}`, `{goal}` and axes follow.
fn space(seed: u64, goal: &str, more: &str) -> Experiment {
    let text = format!(
        "seed = {seed}\nfidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
         activation = \"relu\"\n[quantize]\nweight_bits = 5\nactivation_bits = 3\ninput_bits = 3\n\
         [train]\nrecipe = \"qat\"\nepochs = 6\nbatch = 32\noptimizer = \"adam\"\nlearning_rate = 8e-3\n\
         [variation]\nlaw = \"weight-proportional\"\nsigma_w = 0.2\nsigma_b = 0.05\n[chip.array]\ncols = 16\n\
         [chip.adc]\nrange = \"calibrated\"\n[energy]\n[design]\ngoal = \"{goal}\"\n\
         [sweep]\nchips = 30\nimages = 192\n{more}"
    );
    Experiment::parse(&text, "space").unwrap()
}

const AXES: &str = "[sweep.axes]\n\"chip.adc.bits\" = [2, 3, 4, 6]\n\"chip.array.rows\" = [16, 64]\n\
                    \"chip.cells.slice_bits\" = [[4], [2, 2]]\n";

const GOAL: &str = "energy_pj min, area_mm2 min, yield(0.6) >= 0.8";

fn searched(space: &Experiment, data: &Split) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let options = SweepOptions::of_journal(folder.path().join("out"), "test");
    let backend = CpuBackend::new();
    design::run(
        &[&backend],
        space,
        data,
        &options,
        design::keep_nothing,
        &(),
    )
    .unwrap()
}

/// The sweep of all designs.
fn swept(space: &Experiment, data: &Split) -> Vec<Measured> {
    let mut all = space.clone();
    all.design = None;
    sweep::in_memory(&CpuBackend::new(), &all, data, &()).unwrap()
}

/// The value of a measure of a design, and half of its 95 % interval; yields by their exact one.
fn value(measure: Measure, design: &Measured) -> (f64, f64) {
    let s = &design.summary;
    match measure {
        Measure::Yield { limit } => {
            let good = design.chips.iter().filter(|c| c.accuracy >= limit).count();
            (good as f64 / design.chips.len() as f64, 0.0)
        }
        Measure::Mean(mean) => match s.columns.get(mean.as_str()) {
            Some(column) => (column.mean, column.ci95.half()),
            None => (s.mean, s.mean_ci95.half()),
        },
        Measure::Cost(cost) => (s.costs[cost.as_str()], 0.0),
    }
}

/// Whether all constraints are kept; a yield of 0.8 by few enough failing chips, counted here by the binomial sum.
fn keeps(goal: &Goal, design: &Measured) -> bool {
    goal.constraints.iter().all(|c| match c.measure {
        Measure::Yield { .. } => {
            let n = design.chips.len();
            let bad = n - (value(c.measure, design).0 * n as f64).round() as usize;
            let mut term = c.value.powi(n as i32);
            let mut sum = term;
            for k in 0..bad {
                term *= (n - k) as f64 / (k + 1) as f64 * (1.0 - c.value) / c.value;
                sum += term;
            }
            sum <= 0.05
        }
        Measure::Mean(_) | Measure::Cost(_) => value(c.measure, design).0 <= c.value,
    })
}

/// The objectives of a design, smaller ones better.
fn objectives(goal: &Goal, design: &Measured) -> Vec<(f64, f64)> {
    let of = |m: &Measure| {
        let (x, half) = value(*m, design);
        (if m.higher_is_better() { -x } else { x }, half)
    };
    goal.objectives.iter().map(of).collect()
}

fn beats(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let pairs = || a.iter().zip(b);
    pairs().all(|(a, b)| a.0 <= b.0) && pairs().any(|(a, b)| a.0 < b.0)
}

/// What a comparison of a search with the sweep of all its designs says.
struct Compared {
    /// Whether both have the same front.
    same: bool,
    /// Whether a design of the sweep beats one of the found front beyond the intervals, or one of the sweep's front is neither found nor
    /// within its interval of a design that was.
    wrong: bool,
    front: usize,
    share: f64,
}

fn compared(goal: &Goal, found: &Found, all: &[Measured]) -> Compared {
    let good: Vec<usize> = (0..all.len()).filter(|d| keeps(goal, &all[*d])).collect();
    let of = |d: usize| objectives(goal, &all[d]);
    let beaten = |d: &usize| good.iter().any(|o| beats(&of(*o), &of(*d)));
    let front: Vec<usize> = good.iter().copied().filter(|d| !beaten(d)).collect();
    let mut own = found.front.clone();
    own.sort_unstable();
    // Beyond the intervals: even with both ends against it.
    let clearly = |a: usize, b: usize| {
        let (a, b) = (of(a), of(b));
        let pairs = || a.iter().zip(&b);
        pairs().all(|(a, b)| a.0 + a.1 <= b.0 - b.1) && pairs().any(|(a, b)| a.0 + a.1 < b.0 - b.1)
    };
    let dominated = own.iter().any(|&d| good.iter().any(|&o| clearly(o, d)));
    let near = |a: usize, b: usize| {
        let (a, b) = (of(a), of(b));
        a.iter().zip(&b).all(|(a, b)| a.0 <= b.0 + a.1 + b.1)
    };
    let held = |d: &usize| own.contains(d) || own.iter().any(|&o| near(o, *d));
    Compared {
        same: own == front,
        wrong: dominated || !front.iter().all(held) || own.iter().any(|d| !good.contains(d)),
        front: front.len(),
        share: found.chip_images as f64 / found.all_chip_images as f64,
    }
}

#[test]
fn a_search_finds_the_front_of_the_sweep_and_its_numbers() {
    let data = Embedded::Digits8x8.load().unwrap();
    let space = space(3, GOAL, AXES);
    let (found, all) = (searched(&space, &data), swept(&space, &data));
    assert_eq!(all.len(), 16);
    let goal = &found.goal;
    let both = compared(goal, &found, &all);
    assert!(both.same && !both.wrong, "{:?}", found.front);
    assert!(
        both.front >= 2 && both.share < 0.7,
        "{} {}",
        both.front,
        both.share
    );
    for (design, point) in found.designs.iter().zip(&all) {
        for (at, measure) in found.measures.iter().enumerate() {
            let known = design.known[at];
            let (truth, _) = value(*measure, point);
            let slack = 1e-12 * truth.abs();
            assert!(
                known.lo <= truth + slack && truth - slack <= known.hi,
                "design {} {measure}: {truth} outside {known:?}",
                design.point
            );
            if design.intervals.is_some() {
                // The same chips, added up in the same order.
                assert_eq!(known.estimate.to_bits(), truth.to_bits(), "{measure}");
            }
        }
        for (name, cost) in &design.costs {
            assert_eq!(*cost, point.summary.costs[name], "{name} by the plan");
        }
        assert!(design.file.is_some() == (design.state == State::Front));
    }
    // A file of the front is the design.
    let first = &found.designs[found.front[0]];
    let own = Experiment::parse(first.file.as_ref().unwrap(), "front").unwrap();
    let again = sweep::in_memory(&CpuBackend::new(), &own, &data, &()).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].summary.mean, all[first.point].summary.mean);
    assert_eq!(again[0].summary.yield_limit, 0.6);
}

#[test]
fn a_front_of_means_is_that_of_the_sweep_with_noise_and_wafers_too() {
    let data = Embedded::Digits8x8.load().unwrap();
    let goal = "accuracy max, energy_pj min";
    let axes = "[sweep.axes]\n\"chip.adc.bits\" = [2, 3, 5]\n\"chip.array.rows\" = [16, 64]\n";
    let mut plain = space(1, goal, axes);
    (plain.sweep.chips, plain.sweep.images) = (18, 128);
    let mut noisy = plain.clone();
    noisy.chip.read.fixed = 0.02;
    let mut wafers = plain.clone();
    wafers.variation.wafer = Some(Default::default());
    for (space, screens) in [(plain, true), (noisy, false), (wafers, false)] {
        let found = searched(&space, &data);
        assert_eq!(found.steps.iter().any(|s| s.images < found.images), screens);
        let both = compared(&found.goal, &found, &swept(&space, &data));
        assert!(both.same, "{:?}", found.front);
    }
}

/// 1,944 designs, ten seeds, against sweeps of all of them.
#[test]
#[ignore = "takes an hour: sweeps of all designs of a large space"]
fn ten_searches_of_a_large_space_find_the_fronts_of_its_sweeps() {
    let data = Embedded::Digits8x8.load().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut space = Experiment::load(root.join("experiments/design_digits.toml")).unwrap();
    let (mut right, mut same, mut most) = (0, 0, 0.0);
    for seed in 1..=10 {
        space.seed = seed;
        let found = searched(&space, &data);
        let all = swept(&space, &data);
        let both = compared(&found.goal, &found, &all);
        println!(
            "seed {seed}: {} designs, front {} (of the sweep {}), same {}, wrong {}, {:.2} % of {} chips times images",
            all.len(),
            found.front.len(),
            both.front,
            both.same,
            both.wrong,
            100.0 * both.share,
            found.all_chip_images
        );
        right += usize::from(!both.wrong && both.share <= 0.2);
        most = both.share.max(most);
        same += usize::from(both.same);
    }
    println!(
        "right at a fifth of the cost {right} of 10, the very same front {same} of 10, largest share {most:.3}"
    );
    assert!(same >= 8, "{same} of 10");
    assert!(right >= 8, "{right} of 10");
}
