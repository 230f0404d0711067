//! Searches of made-up designs, against all of their chips.

use super::known::{Costs, Look};
use super::search::{Round, Search, Source, State, Step, beats, ladder};
use crate::config::{Goal, Measure};
use crate::error::Result;
use crate::random::{Purpose, Stream};
use crate::sweep::result::ChipRow;
use crate::sweep::statistics::{Interval, Moments};

/// Designs of which every image of every chip is right or wrong by a draw.
struct Made {
    seed: u64,
    designs: usize,
    chips: u32,
    images: usize,
    /// Images that were asked for, of every chip and design.
    asked: u64,
}

impl Made {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            designs: 60,
            chips: 40,
            images: 256,
            asked: 0,
        }
    }

    fn draw(&self, a: u32, b: u32, at: u32) -> f64 {
        let stream = Stream::new(self.seed, Purpose::Attack, 0, a, b);
        (f64::from(stream.word(at)) + 0.5) / 2f64.powi(32)
    }

    /// Mean accuracy of a design's chips.
    fn level(&self, design: usize) -> f64 {
        0.75 + 0.23 * self.draw(1, 0, design as u32)
    }

    fn costs(&self) -> Vec<Costs> {
        let cost = |design: usize| {
            let better = 200.0 * (self.level(design) - 0.7);
            let cells = (better + 20.0 * self.draw(2, 0, design as u32)).round();
            Costs::from([("cells".to_string(), cells)])
        };
        (0..self.designs).map(cost).collect()
    }

    fn row(&self, design: usize, chip: u32, images: usize) -> ChipRow {
        // What a chip loses is its own; every image is then drawn by itself.
        let own = 0.06 * (self.draw(3, design as u32, chip) - 0.5);
        let level = (self.level(design) + own).clamp(0.0, 1.0);
        let place = design as u32 * self.chips + chip;
        let right = |image: &usize| self.draw(4, place, *image as u32) < level;
        let correct = (0..images).filter(right).count() as u32;
        ChipRow {
            chip,
            accuracy: f64::from(correct) / images as f64,
            correct,
            images: images as u32,
            ..ChipRow::blank()
        }
    }

    fn rows_of(&self, design: usize, step: Step) -> Vec<ChipRow> {
        (0..step.chips)
            .map(|chip| self.row(design, chip, step.images))
            .collect()
    }

    fn whole(&self) -> Step {
        Step {
            chips: self.chips,
            images: self.images,
        }
    }

    fn values(&self, design: usize, measures: &[Measure]) -> Vec<(f64, Interval)> {
        let rows = self.rows_of(design, self.whole());
        let cost = &self.costs()[design];
        let of = |measure: &Measure| match *measure {
            Measure::Yield { limit } => {
                let good = rows.iter().filter(|r| r.accuracy >= limit).count();
                (good as f64 / rows.len() as f64, Interval::UNKNOWN)
            }
            Measure::Mean(_) => {
                let mut m = Moments::default();
                rows.iter().for_each(|r| m.push(r.accuracy));
                (m.mean(), m.mean_interval())
            }
            Measure::Cost(name) => (cost[name.as_str()], Interval::UNKNOWN),
        };
        measures.iter().map(of).collect()
    }

    /// The front of all chips of all designs: objectives smaller the better.
    fn exhaustive(&self, goal: &Goal, failing: u64) -> Vec<usize> {
        let measures = goal.measures();
        let all: Vec<Vec<f64>> = (0..self.designs)
            .map(|d| self.values(d, &measures).iter().map(|v| v.0).collect())
            .collect();
        let least = 1.0 - failing as f64 / f64::from(self.chips);
        let keeps = |d: &usize| match measures
            .iter()
            .position(|m| matches!(m, Measure::Yield { .. }))
        {
            Some(at) => all[*d][at] >= least - 1e-12,
            None => true,
        };
        let objectives = |d: usize| -> Vec<f64> {
            let of = goal.objectives.iter().enumerate();
            of.map(|(i, m)| {
                if m.higher_is_better() {
                    -all[d][i]
                } else {
                    all[d][i]
                }
            })
            .collect()
        };
        let good: Vec<usize> = (0..self.designs).filter(keeps).collect();
        let beaten = |d: &usize| good.iter().any(|o| beats(&objectives(*o), &objectives(*d)));
        good.iter().copied().filter(|d| !beaten(d)).collect()
    }

    fn look(&self, risk: f64) -> Look {
        Look {
            chips: self.chips,
            images: self.images,
            alike: true,
            chance: None,
            risk,
        }
    }
}

impl Source for Made {
    fn rows(&mut self, design: usize, step: Step) -> Result<Vec<ChipRow>> {
        self.asked += u64::from(step.chips) * step.images as u64;
        Ok(self.rows_of(design, step))
    }

    fn complete(&mut self, design: usize, measures: &[Measure]) -> Result<Vec<(f64, Interval)>> {
        Ok(self.values(design, measures))
    }

    fn round(&mut self, _: &Round) {}
}

fn front(search: &Search) -> Vec<usize> {
    let all = 0..search.designs.len();
    all.filter(|d| search.designs[*d].state == State::Front)
        .collect()
}

/// Searches of each goal.
const SEEDS: u64 = 8;

fn searched<'g>(made: &mut Made, goal: &'g Goal, risk: f64) -> Search<'g> {
    let steps = ladder((4, 64), (made.chips, made.images), true);
    let mut search = Search::new(goal, made.costs(), made.look(risk), steps);
    search.run(made).unwrap();
    search
}

#[test]
fn the_front_is_that_of_all_chips_at_a_part_of_their_cost() {
    let goals: [Goal; 3] = [
        "cells min, yield(0.85) >= 0.8".parse().unwrap(),
        "cells min, accuracy max".parse().unwrap(),
        "accuracy max, cells <= 30".parse().unwrap(),
    ];
    // At 40 chips a yield of 80 % is shown with three failing chips at most.
    let failing = super::bounds::most_failing(40, 0.8).unwrap();
    assert_eq!(failing, 3);
    for (goal, share) in goals.iter().zip([0.3, 0.8, 0.2]) {
        let (mut same, mut simulated, mut all) = (0, 0, 0);
        for seed in 0..SEEDS {
            let mut made = Made::new(seed);
            let search = searched(&mut made, goal, 0.05);
            let keeps = |d: &usize| {
                goal.constraints.iter().all(|c| match c.measure {
                    Measure::Cost(_) => made.costs()[*d]["cells"] <= c.value,
                    Measure::Yield { .. } | Measure::Mean(_) => true,
                })
            };
            let mut want = made.exhaustive(goal, failing);
            if goal
                .constraints
                .iter()
                .any(|c| matches!(c.measure, Measure::Cost(_)))
            {
                let best = |d: &usize| made.values(*d, &goal.measures())[0].0;
                let kept: Vec<usize> = (0..made.designs).filter(keeps).collect();
                let most = kept.iter().map(best).fold(0.0, f64::max);
                want = kept.into_iter().filter(|d| best(d) == most).collect();
            }
            same += u64::from(front(&search) == want);
            simulated += search.rounds.iter().map(|r| r.chip_images).sum::<u64>();
            all += made.designs as u64 * u64::from(made.chips) * made.images as u64;
        }
        // Each with a probability of 95 % at least; bounds that add up are wide, so all of them.
        assert_eq!(same, SEEDS, "{goal}");
        assert!(
            (simulated as f64) < share * all as f64,
            "{goal}: {simulated} of {all}"
        );
    }
}

#[test]
fn a_search_that_would_rather_be_wrong_takes_fewer_chips() {
    let goal: Goal = "cells min, accuracy max".parse().unwrap();
    let cost = |risk: f64| {
        let search = |seed| {
            let mut made = Made::new(seed);
            let search = searched(&mut made, &goal, risk);
            search.rounds.iter().map(|r| r.chip_images).sum::<u64>()
        };
        (0..5).map(search).sum::<u64>()
    };
    assert!(cost(0.5) < cost(1e-9));
}

#[test]
fn what_no_chip_can_change_is_decided_by_the_plan() {
    let goal: Goal = "cells min, cells >= 20".parse().unwrap();
    let mut made = Made::new(3);
    let search = searched(&mut made, &goal, 0.05);
    assert_eq!(made.asked, 0);
    let cells = |d: usize| made.costs()[d]["cells"];
    let least = (0..made.designs)
        .map(cells)
        .filter(|c| *c >= 20.0)
        .fold(f64::INFINITY, f64::min);
    assert!(!front(&search).is_empty() && front(&search).iter().all(|d| cells(*d) == least));
}

#[test]
fn chips_that_are_not_alike_are_counted_and_not_estimated() {
    let goal: Goal = "cells min, yield(0.85) >= 0.8".parse().unwrap();
    let mut made = Made::new(5);
    let steps = ladder((4, 64), (made.chips, made.images), false);
    assert!(steps.iter().all(|s| s.images == made.images));
    let look = Look {
        alike: false,
        ..made.look(0.05)
    };
    let mut search = Search::new(&goal, made.costs(), look, steps);
    search.run(&mut made).unwrap();
    assert_eq!(front(&search), made.exhaustive(&goal, 3));
    // A design left when more than three chips had failed, not before.
    for (d, design) in search.designs.iter().enumerate() {
        if let (State::Fails { .. }, Some(step)) = (&design.state, design.step) {
            let bad = made
                .rows_of(d, step)
                .iter()
                .filter(|r| r.accuracy < 0.85)
                .count();
            assert!(bad > 3, "design {d}: {bad}");
        }
    }
}

#[test]
fn steps_grow_in_images_and_then_in_chips() {
    let text = |first, all, drawn| {
        let steps = ladder(first, all, drawn).into_iter();
        let steps: Vec<String> = steps.map(|s| format!("{}x{}", s.chips, s.images)).collect();
        steps.join(" ")
    };
    assert_eq!(
        text((8, 0), (100, 360), true),
        "8x64 8x360 16x360 32x360 64x360 100x360"
    );
    assert_eq!(
        text((8, 0), (299, 10_000), true),
        "8x625 8x2500 8x10000 16x10000 32x10000 64x10000 128x10000 256x10000 299x10000"
    );
    assert_eq!(
        text((8, 0), (100, 360), false),
        "8x360 16x360 32x360 64x360 100x360"
    );
    assert_eq!(text((8, 0), (5, 100), true), "5x100");
    assert_eq!(text((16, 32), (16, 64), true), "16x32 16x64");
}
