//! Which designs go on, which leave, and why.
//!
//! Rounds are those of successive halving (Jamieson and Talwalkar, AISTATS 2016, 240-248): all designs that are left take a
//! step, more images or more chips, then the best quarter goes on to the next. But a design that waits has not left: when the better ones have all
//! their chips, the others are taken up again. A design leaves only when its bounds say that the whole sweep would not
//! have it on the front. Of those that waited the best quarter is taken up at a time.

use serde::Serialize;

use super::bounds::most_failing;
use super::known::{Costs, Known, Look, planned};
use crate::config::{Constraint, Goal, Measure, Side};
use crate::error::Result;
use crate::sweep::result::ChipRow;
use crate::sweep::statistics::Interval;

/// One in this many of the designs that took a step and have not left goes on at once: the best ones.
const KEPT: usize = 4;

/// How much of a design is looked at in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Chips, from the first.
    pub chips: u32,
    /// Images: the first of a random order, or all.
    pub images: usize,
}

/// What a search asks chips of.
pub(super) trait Source {
    /// Rows of the chips of a step, in order.
    fn rows(&mut self, design: usize, step: Step) -> Result<Vec<ChipRow>>;

    /// Values of the measures of a design whose chips are all there, with their 95 % intervals.
    fn complete(&mut self, design: usize, measures: &[Measure]) -> Result<Vec<(f64, Interval)>>;

    /// Told after every round.
    fn round(&mut self, round: &Round);
}

/// Where a design stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// Not all of its chips were simulated yet.
    Open,
    /// The whole sweep does not keep this constraint, whatever the other chips do.
    Fails {
        /// Number of the constraint in the goal.
        constraint: usize,
    },
    /// All chips are there, and this constraint is not shown to be kept.
    NotShown {
        /// Number of the constraint in the goal.
        constraint: usize,
    },
    /// Another design that keeps all constraints is better.
    Beaten {
        /// That design.
        by: usize,
    },
    /// On the front.
    Front,
}

/// A design and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// What is known of each measure of the goal.
    pub known: Vec<Known>,
    /// 95 % intervals of the measures over chips, of a design with all of its chips.
    pub intervals: Option<Vec<Interval>>,
    /// Costs before any chip.
    pub costs: Costs,
    /// The last step that it took.
    pub step: Option<Step>,
    /// Steps taken.
    taken: usize,
    /// Where it stands.
    pub state: State,
}

impl Design {
    pub(super) fn new(costs: Costs, measures: &[Measure]) -> Self {
        Self {
            known: measures.iter().map(|m| planned(*m, &costs)).collect(),
            intervals: None,
            costs,
            step: None,
            taken: 0,
            state: State::Open,
        }
    }
}

/// What a round did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Round {
    /// Designs that took a step.
    pub designs: usize,
    /// Designs left by a constraint, in this round.
    pub failed: usize,
    /// Designs left as another is better, in this round.
    pub beaten: usize,
    /// Designs that are open behind it.
    pub open: usize,
    /// Designs that have all their chips and keep the constraints.
    pub complete: usize,
    /// Chips times images that were simulated, in this round.
    pub chip_images: u64,
}

/// A search.
pub(super) struct Search<'g> {
    goal: &'g Goal,
    measures: Vec<Measure>,
    /// Values from which on constraints are kept.
    thresholds: Vec<f64>,
    look: Look,
    ladder: Vec<Step>,
    pub designs: Vec<Design>,
    pub rounds: Vec<Round>,
}

/// What a constraint says of a design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Open,
    Fails,
}

impl<'g> Search<'g> {
    /// `look.risk` is that of the whole search.
    pub fn new(goal: &'g Goal, costs: Vec<Costs>, mut look: Look, ladder: Vec<Step>) -> Self {
        let measures = goal.measures();
        let threshold = |c: &Constraint| match c.measure {
            // Without enough chips nothing shows the yield, as the check of the file said.
            Measure::Yield { .. } => {
                let failing = most_failing(look.chips.into(), c.value);
                let good = failing.map(|n| f64::from(look.chips) - n as f64);
                good.unwrap_or(f64::INFINITY) / f64::from(look.chips)
            }
            Measure::Mean(_) | Measure::Cost(_) => c.value,
        };
        let thresholds = goal.constraints.iter().map(threshold).collect();
        let designs = costs.into_iter().map(|c| Design::new(c, &measures));
        let mut search = Self {
            designs: designs.collect(),
            thresholds,
            measures,
            goal,
            look,
            ladder,
            rounds: Vec::new(),
        };
        let mut plan = Round::default();
        search.leave(&mut plan);
        plan.open = search.open().count();
        // Bonferroni: bounds of every measure that chips tell, of every design that is left, at every look hold together.
        let uncertain = search
            .measures
            .iter()
            .filter(|m| !matches!(m, Measure::Cost(_)));
        let bounds = uncertain.count() * plan.open * (search.ladder.len() - 1).max(1);
        look.risk /= bounds.max(1) as f64;
        search.look = look;
        search.rounds.push(plan);
        search
    }

    /// Whether a design has steps to take.
    fn is_open(&self, design: &Design) -> bool {
        design.state == State::Open && design.taken < self.ladder.len()
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        let all = self.designs.iter().enumerate();
        all.filter(|(_, d)| self.is_open(d)).map(|(i, _)| i)
    }

    /// Goes on until every design has left or has all of its chips.
    ///
    /// # Errors
    /// The source's.
    pub fn run(&mut self, source: &mut dyn Source) -> Result<()> {
        source.round(&self.rounds[0]);
        if self.measures.iter().all(|m| matches!(m, Measure::Cost(_))) {
            self.designs
                .iter_mut()
                .for_each(|d| d.taken = self.ladder.len());
        }
        loop {
            let mut pool: Vec<usize> = self.open().collect();
            if pool.is_empty() {
                break;
            }
            if self.rounds.len() > 1 {
                self.best_of(&mut pool);
            }
            while !pool.is_empty() {
                let mut round = Round {
                    designs: pool.len(),
                    ..Round::default()
                };
                for &design in &pool {
                    self.step(design, source, &mut round)?;
                }
                self.leave(&mut round);
                round.open = self.open().count();
                let done = |d: &&Design| d.state == State::Open && d.taken == self.ladder.len();
                round.complete = self.designs.iter().filter(done).count();
                source.round(&round);
                self.rounds.push(round);
                pool.retain(|&design| self.is_open(&self.designs[design]));
                self.best_of(&mut pool);
            }
        }
        for design in &mut self.designs {
            if design.state == State::Open {
                design.state = State::Front;
            }
        }
        Ok(())
    }

    /// Takes the next step of a design.
    fn step(&mut self, design: usize, source: &mut dyn Source, round: &mut Round) -> Result<()> {
        let own = &mut self.designs[design];
        let step = self.ladder[own.taken];
        let rows = source.rows(design, step)?;
        let all_images = step.images == self.look.images;
        // Chips on all images are there from earlier steps, chips on some are looked at again.
        let there = match own.step {
            Some(before) if all_images && before.images == step.images => before.chips,
            _ => 0,
        };
        round.chip_images += u64::from(step.chips - there) * step.images as u64;
        for (measure, known) in self.measures.iter().zip(&mut own.known) {
            *known = self.look.known(*measure, *known, &rows);
        }
        own.step = Some(step);
        own.taken += 1;
        if own.taken == self.ladder.len() {
            let complete = source.complete(design, &self.measures)?;
            own.known = complete
                .iter()
                .map(|(value, _)| Known::exactly(*value))
                .collect();
            own.intervals = Some(complete.into_iter().map(|(_, interval)| interval).collect());
        }
        Ok(())
    }

    /// What is searched.
    pub fn goal(&self) -> &'g Goal {
        self.goal
    }

    fn index(&self, measure: Measure) -> usize {
        let found = self.measures.iter().position(|m| *m == measure);
        found.unwrap_or_default()
    }

    /// What a constraint says.
    fn verdict(&self, design: &Design, constraint: usize) -> Verdict {
        let Constraint { measure, side, .. } = self.goal.constraints[constraint];
        let (at, threshold) = (self.index(measure), self.thresholds[constraint]);
        let known = design.known[at];
        let keeps = |value: f64| match side {
            Side::AtLeast => value >= threshold,
            Side::AtMost => value <= threshold,
        };
        let (worst, best) = match side {
            Side::AtLeast => (known.lo, known.hi),
            Side::AtMost => (known.hi, known.lo),
        };
        match (measure, &design.intervals) {
            _ if !keeps(best) => Verdict::Fails,
            // A mean keeps its bound where its interval does.
            (Measure::Mean(_), Some(intervals)) => {
                let Interval { lo, hi } = intervals[at];
                match keeps(if side == Side::AtLeast { lo } else { hi }) {
                    true => Verdict::Holds,
                    false => Verdict::Fails,
                }
            }
            (Measure::Mean(_), None) => Verdict::Open,
            _ if keeps(worst) => Verdict::Holds,
            _ => Verdict::Open,
        }
    }

    /// Whether all constraints are kept for certain.
    fn holds(&self, design: &Design) -> bool {
        let mut constraints = 0..self.goal.constraints.len();
        constraints.all(|c| self.verdict(design, c) == Verdict::Holds)
    }

    /// The objectives of a design, smaller ones better: at the worst, or at the best that they can be.
    fn objectives(&self, design: &Design, worst: bool) -> Vec<f64> {
        let of = |measure: &Measure| {
            let known = design.known[self.index(*measure)];
            match (measure.higher_is_better(), worst) {
                (true, true) => -known.lo,
                (true, false) => -known.hi,
                (false, true) => known.hi,
                (false, false) => known.lo,
            }
        };
        self.goal.objectives.iter().map(of).collect()
    }

    /// Lets the designs leave whose bounds say so.
    fn leave(&mut self, round: &mut Round) {
        for i in 0..self.designs.len() {
            if self.designs[i].state != State::Open {
                continue;
            }
            let mut constraints = 0..self.goal.constraints.len();
            let design = &self.designs[i];
            let failing = constraints.find(|&c| self.verdict(design, c) == Verdict::Fails);
            if let Some(constraint) = failing {
                round.failed += 1;
                self.designs[i].state = match design.intervals {
                    Some(_) => State::NotShown { constraint },
                    None => State::Fails { constraint },
                };
            }
        }
        let open = |d: &&Design| d.state == State::Open;
        let sure = self.designs.iter().enumerate();
        let sure = sure.filter(|(_, d)| open(d) && self.holds(d));
        let sure: Vec<(usize, Vec<f64>)> = sure
            .map(|(i, d)| (i, self.objectives(d, true)))
            .filter(|(_, worst)| worst.iter().all(|x| x.is_finite()))
            .collect();
        for i in 0..self.designs.len() {
            if self.designs[i].state != State::Open {
                continue;
            }
            let best = self.objectives(&self.designs[i], false);
            let better = sure
                .iter()
                .find(|(j, worst)| *j != i && beats(worst, &best));
            if let Some(&(by, _)) = better {
                round.beaten += 1;
                self.designs[i].state = State::Beaten { by };
            }
        }
    }

    /// Leaves those of a pool that go on at once, the most promising.
    fn best_of(&self, pool: &mut Vec<usize>) {
        self.sort(pool);
        pool.truncate(pool.len().div_ceil(KEPT));
    }

    /// The most promising first: those that keep the constraints by their estimates, then those that fewest others beat.
    fn sort(&self, pool: &mut [usize]) {
        let estimate = |design: usize, measure: Measure| {
            let known = self.designs[design].known[self.index(measure)];
            if known.estimate.is_nan() {
                known.lo
            } else {
                known.estimate
            }
        };
        let missing = |design: usize| {
            let bounds = self.goal.constraints.iter().zip(&self.thresholds);
            let miss = bounds.map(|(c, threshold)| {
                let by = match c.side {
                    Side::AtLeast => threshold - estimate(design, c.measure),
                    Side::AtMost => estimate(design, c.measure) - threshold,
                };
                by.max(0.0) / threshold.abs().max(f64::MIN_POSITIVE)
            });
            miss.sum::<f64>()
        };
        let objectives = |design: usize| {
            let of = |m: &Measure| {
                let value = estimate(design, *m);
                if m.higher_is_better() { -value } else { value }
            };
            self.goal.objectives.iter().map(of).collect::<Vec<f64>>()
        };
        let all: Vec<(usize, f64, Vec<f64>)> = pool
            .iter()
            .map(|&d| (d, missing(d), objectives(d)))
            .collect();
        let rank = |own: &(usize, f64, Vec<f64>)| {
            all.iter()
                .filter(|other| other.1 <= own.1 && beats(&other.2, &own.2))
                .count()
        };
        let mut ranked: Vec<(f64, usize, usize)> =
            all.iter().map(|own| (own.1, rank(own), own.0)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for (place, (_, _, design)) in pool.iter_mut().zip(ranked) {
            *place = design;
        }
    }
}

/// Whether `a` is as good as `b` in everything and better in something; smaller is better.
pub(super) fn beats(a: &[f64], b: &[f64]) -> bool {
    let all = a.iter().zip(b).all(|(a, b)| a <= b);
    all && a.iter().zip(b).any(|(a, b)| a < b)
}

/// The steps of a search: images four times as many in each, then chips twice as many, then all.
///
/// `first_images` is 0 where the experiment does not say; `drawn`: whether some of the images tell of the others.
pub(super) fn ladder(
    (first_chips, first_images): (usize, usize),
    (chips, images): (u32, usize),
    drawn: bool,
) -> Vec<Step> {
    const LEAST: usize = 64;
    let mut at = (first_chips as u32).min(chips);
    let mut steps = Vec::new();
    let mut some = match first_images {
        0 => LEAST.max(images.div_ceil(16)),
        n => n,
    };
    // Not worth a step of its own where it is half of the images already.
    while drawn && 2 * some <= images {
        steps.push(Step {
            chips: at,
            images: some,
        });
        some *= 4;
    }
    loop {
        steps.push(Step { chips: at, images });
        if at == chips {
            return steps;
        }
        // A last step of a few chips is none.
        at = match at.saturating_mul(2) {
            next if next.saturating_mul(10) < chips.saturating_mul(9) => next,
            _ => chips,
        };
    }
}
