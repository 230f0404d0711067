//! Numbers of a technology from measured cells: tables are made by the model with known numbers, which the intervals must
//! cover as often as they say.

use std::fmt::Write;

use pimento::config::Experiment;
use pimento::fit::{Estimate, Fit, Form, Measurements, Options};
use pimento::program::Law;
use statrs::distribution::{ContinuousCDF, Normal};

/// Uniform and normal deviates of the tables (SplitMix64).
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        Normal::standard().inverse_cdf(self.uniform())
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.uniform() * (high - low + 1) as f64) as usize
    }
}

/// A technology and how it is measured.
#[derive(Debug, Clone)]
struct Truth {
    law: Law,
    targets: Vec<f64>,
    chips: usize,
    arrays: usize,
    cells: usize,
    repeats: usize,
    times: Vec<f64>,
    sigma_w: f64,
    sigma_b: f64,
    sigma_array: f64,
    read: f64,
    nu: f64,
    sigma_nu: f64,
    stuck_off: f64,
    stuck_on: f64,
    places: Option<Places>,
}

/// Cells on a grid of rows and columns, instead of as many of every target, and what their places add; in the unit of
/// `sigma_w`.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    rows: usize,
    columns: usize,
    sigma_row: f64,
    sigma_column: f64,
    over_rows: f64,
    over_columns: f64,
}

impl Places {
    fn random(d: &mut Draws) -> Self {
        let mut sigma = || [0.0, d.between(0.005, 0.03)][usize::from(d.uniform() < 0.7)];
        Self {
            sigma_row: sigma(),
            sigma_column: sigma(),
            over_rows: d.between(-0.03, 0.03),
            over_columns: d.between(-0.03, 0.03),
            rows: d.count(8, 16),
            columns: d.count(6, 14),
        }
    }

    /// Deviations of all places of an array, row by row.
    fn draw(&self, d: &mut Draws) -> Vec<f64> {
        let line = |n: usize, sigma: f64, change: f64, d: &mut Draws| -> Vec<f64> {
            let place = |i: usize| change * (i as f64 / (n - 1) as f64 - 0.5);
            (0..n).map(|i| place(i) + sigma * d.normal()).collect()
        };
        let rows = line(self.rows, self.sigma_row, self.over_rows, d);
        let columns = line(self.columns, self.sigma_column, self.over_columns, d);
        rows.iter()
            .flat_map(|r| columns.iter().map(move |c| r + c))
            .collect()
    }
}

impl Truth {
    fn random(d: &mut Draws) -> Self {
        let law = match d.uniform() < 0.5 {
            true => Law::WeightProportional,
            false => Law::LayerFixed,
        };
        let levels = d.count(3, 4);
        let nu = d.between(0.04, 0.1);
        Self {
            law,
            targets: (1..=levels)
                .map(|i| 60.0 * i as f64 / levels as f64)
                .collect(),
            chips: d.count(4, 16),
            arrays: d.count(2, 4),
            cells: d.count(12, 30),
            repeats: d.count(2, 3),
            times: [20.0, 400.0, 5e3, 1e5][..d.count(1, 4)].to_vec(),
            sigma_w: d.between(0.01, 0.03),
            sigma_b: d.between(0.01, 0.05),
            sigma_array: [0.0, d.between(0.005, 0.03)][usize::from(d.uniform() < 0.7)],
            read: d.between(0.004, 0.02),
            nu,
            sigma_nu: d.between(0.1, 0.2) * nu,
            stuck_off: d.between(0.0, 0.02),
            stuck_on: d.between(0.0, 0.02),
            places: None,
        }
    }

    /// One whose cells have places.
    fn placed(d: &mut Draws) -> Self {
        Self {
            places: Some(Places::random(d)),
            chips: d.count(3, 8),
            times: vec![20.0],
            ..Self::random(d)
        }
    }

    /// Smallest target and range.
    fn range(&self) -> (f64, f64) {
        let (low, high) = (self.targets[0], self.targets[self.targets.len() - 1]);
        (low, high - low)
    }

    fn table(&self, d: &mut Draws) -> String {
        let mut text = match self.places {
            None => String::from("chip,array,cell,target_us,value_us,time_s\n"),
            Some(_) => String::from("chip,array,row,col,target_us,value_us,time_s\n"),
        };
        for chip in 0..self.chips {
            let e_chip = self.sigma_b * d.normal();
            for array in 0..self.arrays {
                let e = e_chip + self.sigma_array * d.normal();
                let Some(places) = self.places else {
                    for (level, &t) in self.targets.iter().enumerate() {
                        for cell in 0..self.cells {
                            let name = format!("{chip},{array},{level}.{cell}");
                            self.cell(&mut text, &name, (t, e), d);
                        }
                    }
                    continue;
                };
                for (i, own) in places.draw(d).into_iter().enumerate() {
                    let t = self.targets[d.count(0, self.targets.len() - 1)];
                    let (row, column) = (i / places.columns, i % places.columns);
                    self.cell(
                        &mut text,
                        &format!("{chip},{array},{row},{column}"),
                        (t, e + own),
                        d,
                    );
                }
            }
        }
        text
    }

    /// All reads of a cell with a target and what others share with it.
    fn cell(&self, text: &mut String, name: &str, (t, e): (f64, f64), d: &mut Draws) {
        let (low, span) = self.range();
        let unit = match self.law {
            Law::WeightProportional => t,
            Law::LayerFixed => span,
        };
        let g = t + unit * (e + self.sigma_w * d.normal());
        let nu = (self.nu + self.sigma_nu * d.normal()).max(0.0);
        let stuck = d.uniform();
        for time in &self.times {
            let aged = g * (time / self.times[0]).powf(-nu);
            let now = match stuck {
                u if u < self.stuck_off => low,
                u if u >= 1.0 - self.stuck_on => low + span,
                _ => aged,
            };
            for _ in 0..self.repeats {
                let value = now * (1.0 + self.read * d.normal());
                writeln!(text, "{name},{t},{value},{time}").unwrap();
            }
        }
    }
}

fn fit(text: &str) -> Fit {
    let found = Measurements::from_reader(text.as_bytes(), "t.csv").unwrap();
    Fit::new(&found, &Options::default()).unwrap()
}

/// How often an interval held the truth.
#[derive(Default)]
struct Coverage(Vec<(&'static str, usize, usize, bool)>);

impl Coverage {
    fn see(&mut self, name: &'static str, e: Option<Estimate>, truth: f64, at_a_bound: bool) {
        let Some(e) = e else {
            return;
        };
        let held = e.interval[0] <= truth && truth <= e.interval[1];
        match self
            .0
            .iter_mut()
            .find(|(known, _, _, b)| *known == name && *b == at_a_bound)
        {
            Some((_, k, n, _)) => (*k, *n) = (*k + usize::from(held), *n + 1),
            None => self.0.push((name, usize::from(held), 1, at_a_bound)),
        }
    }
}

fn coverage(settings: u64) -> (Coverage, [usize; 3]) {
    let mut seen = Coverage::default();
    let mut laws = [0; 3];
    for seed in 0..settings {
        let mut d = Draws(seed << 32);
        let truth = Truth::random(&mut d);
        let found = fit(&truth.table(&mut d));
        let spread = found.spread.unwrap();
        let common = found.common.unwrap();
        let (right, own) = match truth.law {
            Law::WeightProportional => (Form::Proportional, spread.proportional),
            Law::LayerFixed => (Form::Fixed, spread.fixed),
        };
        laws[0] += usize::from(spread.form == right);
        // Weak shared parts say nothing about their law.
        if common.better_by.is_some_and(|by| by >= 20.0) {
            laws[1] += 1;
            laws[2] += usize::from(common.law == truth.law);
        }
        seen.see("sigma_w", own, truth.sigma_w, false);
        if common.law == truth.law {
            seen.see("sigma_b", common.chip, truth.sigma_b, false);
            let none = truth.sigma_array == 0.0;
            seen.see("sigma_array", common.array, truth.sigma_array, none);
        }
        seen.see(
            "read",
            found.read_noise.unwrap().proportional,
            truth.read,
            false,
        );
        for level in &found.drift {
            seen.see("nu", Some(level.nu), truth.nu, false);
            seen.see("sigma_nu", level.sigma_nu, truth.sigma_nu, false);
        }
        seen.see("stuck_off", found.stuck_off, truth.stuck_off, true);
        seen.see("stuck_on", found.stuck_on, truth.stuck_on, true);
    }
    (seen, laws)
}

/// The same of cells on grids: what rows and columns share, changes over the array, and what is left.
fn coverage_of_places(settings: u64) -> Coverage {
    let mut seen = Coverage::default();
    for seed in 0..settings {
        let mut d = Draws((seed << 32) + 0x5eed);
        let truth = Truth::placed(&mut d);
        let found = fit(&truth.table(&mut d));
        let places = truth.places.unwrap();
        let spatial = found.spatial.unwrap();
        let right = match truth.law {
            Law::WeightProportional => Form::Proportional,
            Law::LayerFixed => Form::Fixed,
        };
        if spatial.form != right {
            continue;
        }
        for (name, e, truth) in [
            ("rows", spatial.rows, places.sigma_row),
            ("columns", spatial.columns, places.sigma_column),
        ] {
            seen.see(name, e, truth, truth == 0.0);
        }
        seen.see("over rows", spatial.over_rows, places.over_rows, false);
        seen.see(
            "over columns",
            spatial.over_columns,
            places.over_columns,
            false,
        );
        // Stuck cells that cannot be told are in what is left, and a note says so.
        if found.blind_us.is_empty() {
            seen.see("cells", spatial.cells, truth.sigma_w, false);
        }
    }
    seen
}

fn tell(seen: &Coverage) {
    for (name, k, n, bound) in &seen.0 {
        println!(
            "{name}: {k} of {n}{}",
            if *bound {
                ", at a bound or a share"
            } else {
                ""
            }
        );
    }
}

/// Shares within four standard errors of 95 %; at a bound, and of counts, at least that.
fn check(seen: &Coverage) {
    for &(name, k, n, at_a_bound) in &seen.0 {
        let share = k as f64 / n as f64;
        let error = (0.95 * 0.05 / n as f64).sqrt();
        assert!(share >= 0.95 - 4.0 * error, "{name}: {k} of {n}");
        assert!(
            at_a_bound || share <= 0.95 + 4.0 * error,
            "{name}: {k} of {n}"
        );
    }
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let (seen, laws) = coverage(150);
    tell(&seen);
    check(&seen);
    assert!(laws[0] >= 140, "the form of the spread: {laws:?}");
    assert!(
        laws[1] >= 75 && laws[2] >= laws[1] - 2,
        "the law of what is shared: {laws:?}"
    );
}

/// As above, as many as decide about a point of a percent (minutes).
#[test]
#[ignore = "minutes: scripts/test --full"]
fn intervals_hold_the_truth_in_many_settings() {
    let (seen, laws) = coverage(2_000);
    tell(&seen);
    println!("laws {laws:?}");
    check(&seen);
}

#[test]
fn intervals_of_places_hold_the_truth() {
    let seen = coverage_of_places(100);
    tell(&seen);
    check(&seen);
    assert_eq!(seen.0.len(), 7, "parts with and without rows and columns");
}

/// As above, as many as decide about a point of a percent (minutes).
#[test]
#[ignore = "minutes: scripts/test --full"]
fn intervals_of_places_hold_the_truth_in_many_settings() {
    let seen = coverage_of_places(2_000);
    tell(&seen);
    check(&seen);
}

/// Without randomness, rows and columns alone: what they share is told exactly, and nothing is left.
#[test]
fn rows_and_columns_without_noise_are_told_exactly() {
    let (rows, columns) = ([0.02, -0.04, 0.02], [0.01, -0.02, 0.01]);
    let mut text = String::from("array,row,col,target_us,value_us\n");
    for array in 0..2 {
        for (i, r) in rows.iter().enumerate() {
            for (j, c) in columns.iter().enumerate() {
                for (cell, target) in [10.0, 50.0].into_iter().enumerate() {
                    // Two cells of a place, side by side, in every row and column.
                    let col = 10 * j + cell;
                    let value = target * (1.0 + r + c);
                    writeln!(text, "{array},{},{col},{target},{value}", 2 * i).unwrap();
                }
            }
        }
    }
    let found = fit(&text);
    let spatial = found.spatial.unwrap();
    assert_eq!(spatial.form, Form::Proportional);
    // Three rows less a mean and a straight line leave one degree of freedom: 0.02, -0.04, 0.02 has the mean square 24e-4.
    let rows = spatial.rows.unwrap();
    assert!((rows.value - 24e-4f64.sqrt()).abs() < 1e-9, "{rows:?}");
    for e in [spatial.over_rows, spatial.cells].into_iter().flatten() {
        assert!(e.value.abs() < 1e-6, "{e:?}");
    }
    assert!(
        found.notes.iter().any(|n| n.contains("by places (rows")),
        "{:?}",
        found.notes
    );
}

/// From a table to an experiment that a sweep takes.
#[test]
fn what_was_fitted_is_an_experiment() {
    let mut d = Draws(7);
    let truth = Truth {
        law: Law::LayerFixed,
        times: vec![20.0, 1e3, 1e5],
        ..Truth::random(&mut d)
    };
    let found = fit(&truth.table(&mut d));
    let text = found.device("cells.csv");
    let e = Experiment::parse(&text, "device.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(e.variation.law, Law::LayerFixed);
    let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.25;
    assert!(near(e.variation.sigma_w, truth.sigma_w), "{text}");
    let read = e.chip.read.proportional;
    assert!(near(read, truth.read), "{text}");
    assert!(near(e.chip.drift.nu.at(0.5), truth.nu), "{text}");
    assert!(
        near(e.chip.drift.sigma_nu.at(0.5), truth.sigma_nu),
        "{text}"
    );
}
