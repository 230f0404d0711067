//! How often the interval of a mean covers the truth, and how long it is: for laws that accuracies
//! may have, at fixed numbers of chips and where `ci(mean)` stops.
//!
//! The tables of docs/statistics.md have 10,000 repeats, made by the ignored test:
//!
//! ```sh
//! cargo test --release --all-features --lib coverage_tables -- --ignored --nocapture
//! ```

use super::*;
use crate::config::Experiment;
use crate::sweep::result::ChipRow;
use crate::sweep::statistics::{Interval, wilson_interval};

const IMAGES: u32 = 10_000;

/// Accuracy of a chip that guesses one of ten classes.
const CHANCE: f64 = 0.1;

/// The promise.
const PROMISED: f64 = 0.93;

/// Numbers of chips without stopping.
const FIXED: [u32; 4] = [20, 50, 200, 1000];

/// Deterministic random numbers (SplitMix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A law of the accuracy over chips.
#[derive(Debug, Clone, Copy)]
enum Law {
    /// Normal, 90 % with sd 1 point; the share is at chance level.
    Failing(f64),
    /// Normal, 85 % with sd 3 points.
    Normal,
    /// Uniform from 80 to 90 %.
    Uniform,
    /// 95 % less 3 points times gamma of this shape.
    GammaBelow(u32),
    /// 12 % and 3 points times gamma of this shape.
    GammaAbove(u32),
    /// 95 % less 3 points times lognormal of this sigma.
    LognormalBelow(f64),
    /// 12 % and 3 points times lognormal of this sigma.
    LognormalAbove(f64),
    /// This share at 80 %, the others at 90 %.
    TwoPoints(f64),
}

/// Lower point of the laws with two.
const LOW: f64 = 0.8;

/// Scale of the gamma and lognormal laws.
const SCALE: f64 = 0.03;

impl Law {
    fn all() -> Vec<Law> {
        let failing = [0.001, 0.002, 0.005, 0.01, 0.02, 0.1].map(Law::Failing);
        let others = [
            Law::Normal,
            Law::Uniform,
            Law::GammaBelow(1),
            Law::GammaBelow(2),
            Law::GammaAbove(2),
            Law::LognormalBelow(0.5),
            Law::LognormalBelow(1.0),
            Law::LognormalAbove(0.5),
            Law::TwoPoints(0.3),
            Law::TwoPoints(0.9),
        ];
        failing.into_iter().chain(others).collect()
    }

    fn name(self) -> String {
        match self {
            Law::Failing(p) => format!("share {p} at chance level"),
            Law::Normal => "normal, 85 %, sd 3".into(),
            Law::Uniform => "uniform, 80 to 90 %".into(),
            Law::GammaBelow(k) => format!("95 % - 3 gamma({k})"),
            Law::GammaAbove(k) => format!("12 % + 3 gamma({k})"),
            Law::LognormalBelow(s) => format!("95 % - 3 lognormal({s})"),
            Law::LognormalAbove(s) => format!("12 % + 3 lognormal({s})"),
            Law::TwoPoints(p) => format!("share {p} at 80 %, else 90 %"),
        }
    }

    fn draw(self, r: &mut Random) -> f64 {
        let gamma = |r: &mut Random, k| (0..k).map(|_| r.exponential()).sum::<f64>();
        match self {
            Law::Failing(p) if r.uniform() < p => CHANCE,
            Law::Failing(_) => 0.9 + 0.01 * r.normal(),
            Law::Normal => 0.85 + 0.03 * r.normal(),
            Law::Uniform => 0.8 + 0.1 * r.uniform(),
            Law::GammaBelow(k) => 0.95 - SCALE * gamma(r, k),
            Law::GammaAbove(k) => 0.12 + SCALE * gamma(r, k),
            Law::LognormalBelow(s) => 0.95 - SCALE * (s * r.normal()).exp(),
            Law::LognormalAbove(s) => 0.12 + SCALE * (s * r.normal()).exp(),
            Law::TwoPoints(p) => match r.uniform() < p {
                true => LOW,
                false => 0.9,
            },
        }
    }

    /// Mean and standard deviation.
    fn moments(self) -> (f64, f64) {
        let lognormal = |s: f64| {
            let mean = (s * s / 2.0).exp();
            (SCALE * mean, SCALE * mean * (s * s).exp_m1().sqrt())
        };
        let two = |p: f64, low: f64| (0.9 - p * (0.9 - low), (0.9 - low) * (p * (1.0 - p)).sqrt());
        match self {
            Law::Failing(p) => {
                let (mean, sd) = two(p, CHANCE);
                (mean, sd.hypot(0.01 * (1.0 - p).sqrt()))
            }
            Law::Normal => (0.85, 0.03),
            Law::Uniform => (0.85, 0.1 / 12f64.sqrt()),
            Law::GammaBelow(k) => (0.95 - SCALE * f64::from(k), SCALE * f64::from(k).sqrt()),
            Law::GammaAbove(k) => (0.12 + SCALE * f64::from(k), SCALE * f64::from(k).sqrt()),
            Law::LognormalBelow(s) => (0.95 - lognormal(s).0, lognormal(s).1),
            Law::LognormalAbove(s) => (0.12 + lognormal(s).0, lognormal(s).1),
            Law::TwoPoints(p) => two(p, LOW),
        }
    }
}

fn push(chips: &mut Census, accuracy: f64) {
    let correct = (accuracy.clamp(0.0, 1.0) * f64::from(IMAGES)).round() as u32;
    let chip = chips.chips() as u32;
    chips.push(&ChipRow::scored(chip, correct, IMAGES));
}

/// What the repeats of one cell of a table came to.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    repeats: usize,
    inside: usize,
    chips: f64,
    lower: f64,
    upper: f64,
}

impl Seen {
    fn note(&mut self, chips: &Census, truth: f64, basis: Basis) {
        let (mean, i) = (chips.accuracy().mean(), chips.mean_interval(basis).ci95);
        self.repeats += 1;
        self.inside += usize::from(i.lo <= truth && truth <= i.hi);
        self.chips += chips.chips() as f64;
        self.lower += mean - i.lo;
        self.upper += i.hi - mean;
    }

    fn covered(&self) -> f64 {
        self.inside as f64 / self.repeats as f64
    }

    /// The binomial interval of the coverage.
    fn interval(&self) -> Interval {
        wilson_interval(self.inside, self.repeats)
    }

    fn mean_chips(&self) -> f64 {
        self.chips / self.repeats as f64
    }

    /// Mean reach below and above the mean, percentage points.
    fn reach(&self) -> [f64; 2] {
        [self.lower, self.upper].map(|sum| 100.0 * sum / self.repeats as f64)
    }
}

fn basis(unseen: bool) -> Basis {
    Basis {
        stratified: false,
        chance: unseen.then_some(CHANCE),
    }
}

/// Repeats with so many chips each: with and without the part for chips not yet seen.
fn fixed(law: Law, chips: u32, repeats: usize) -> [Seen; 2] {
    let mut r = Random(u64::from(chips));
    let mut seen = [Seen::default(); 2];
    for _ in 0..repeats {
        let mut sample = Census::default();
        for _ in 0..chips {
            push(&mut sample, law.draw(&mut r));
        }
        for (seen, unseen) in seen.iter_mut().zip([true, false]) {
            seen.note(&sample, law.moments().0, basis(unseen));
        }
    }
    seen
}

/// Repeats until the interval is so narrow: with and without the part for chips not yet seen,
/// which stops earlier on the same chips.
fn stopped(law: Law, half_width: f64, repeats: usize) -> [Seen; 2] {
    let rule = UntilRule {
        goal: crate::config::Until {
            of: Quantity::Mean,
            half_width,
        },
    };
    let experiment = Experiment::parse("", "x.toml").unwrap();
    let point = experiment.points().unwrap().remove(0);
    let mut r = Random(7);
    let mut seen = [Seen::default(); 2];
    for _ in 0..repeats {
        let (mut before, mut sample) = (Census::default(), Census::default());
        for (seen, unseen) in seen.iter_mut().zip([true, false]).rev() {
            while let Look::Again(until) = rule.look(&point, basis(unseen), &before, &sample) {
                before.clone_from(&sample);
                while sample.chips() < u64::from(until) {
                    push(&mut sample, law.draw(&mut r));
                }
            }
            seen.note(&sample, law.moments().0, basis(unseen));
        }
    }
    seen
}

/// Lowest coverage that so many repeats may show: six standard errors below the promise.
fn bar(repeats: usize) -> f64 {
    PROMISED - 6.0 * (PROMISED * (1.0 - PROMISED) / repeats as f64).sqrt()
}

#[test]
fn the_interval_of_a_mean_covers_whatever_the_law() {
    for law in Law::all() {
        for (chips, repeats) in FIXED.into_iter().zip([1000, 1000, 500, 100]) {
            let [with, _] = fixed(law, chips, repeats);
            let c = with.covered();
            assert!(c > bar(repeats), "{}, {chips} chips: {c}", law.name());
        }
    }
    // Without the part for chips not yet seen this is wrong more often than right.
    let plain = fixed(Law::Failing(0.01), 50, 1000)[1].covered();
    assert!(plain < 0.5, "{plain}");
}

#[test]
fn the_interval_of_a_mean_covers_where_it_stops() {
    for law in Law::all() {
        let repeats = 300;
        let c = stopped(law, 0.01, repeats)[0].covered();
        assert!(c > bar(repeats), "{} at 1 point: {c}", law.name());
    }
    let rare = stopped(Law::Failing(0.002), 0.002, 100)[0].covered();
    assert!(rare > bar(100), "{rare}");
}

/// Student's interval of a fixed number of chips is as narrow with `(1.96 sd / half width)^2`.
#[test]
fn without_chips_not_yet_seen_stopping_takes_hardly_more_than_students_interval() {
    for law in [Law::Normal, Law::Uniform] {
        for plain in [130.0, 190.0, 300.0, 700.0] {
            let half_width = 1.959_964 * law.moments().1 / f64::sqrt(plain);
            let [_, seen] = stopped(law, half_width, 200);
            let ratio = seen.mean_chips() / plain;
            assert!(ratio < 1.3, "{}, {plain} chips: {ratio}", law.name());
            let c = seen.covered();
            assert!(c > bar(200), "{}, {plain} chips: {c}", law.name());
        }
    }
}

/// The tables of docs/statistics.md; its cells hold coverage in percent.
#[test]
#[ignore = "10,000 repeats: minutes"]
fn coverage_tables() {
    const REPEATS: usize = 10_000;
    let cells = |law: Law| -> Vec<(String, [Seen; 2])> {
        let mut cells = Vec::new();
        for n in FIXED {
            cells.push((format!("{n} chips"), fixed(law, n, REPEATS)));
        }
        for half_width in [0.01, 0.002] {
            let seen = stopped(law, half_width, REPEATS);
            cells.push((format!("until {} points", 100.0 * half_width), seen));
        }
        cells
    };
    let laws = Law::all();
    let rows = std::thread::scope(|scope| {
        let (left, right) = laws.split_at(laws.len() / 2);
        let rows = |laws: &[Law]| laws.iter().map(|&l| (l, cells(l))).collect::<Vec<_>>();
        let other = scope.spawn(move || rows(right));
        let mut all = rows(left);
        all.extend(other.join().unwrap());
        all
    });
    for (law, cells) in &rows {
        for (what, [with, without]) in cells {
            let i = with.interval();
            let [below, above] = with.reach();
            let [student, _] = without.reach();
            println!(
                "| {} | {what} | {:.1} ({:.1} to {:.1}) | {:.0} | {below:.2} / {above:.2} | {:.1} | {:.0} | {student:.2} |",
                law.name(),
                100.0 * with.covered(),
                100.0 * i.lo,
                100.0 * i.hi,
                with.mean_chips(),
                100.0 * without.covered(),
                without.mean_chips(),
            );
        }
    }
    for (law, cells) in rows {
        for (what, [with, _]) in cells {
            let hi = with.interval().hi;
            assert!(hi >= PROMISED, "{}, {what}: at most {hi}", law.name());
        }
    }
}
