//! A sweep whose chips are asked for step by step, by whoever decides which points go on: a search of designs.
//!
//! Chips on all images are those of the sweep, in a journal that the sweep itself continues. Chips on some of the
//! images, drawn at random, are in journals of their own beside it (`screen-64.bin` of 64 images). Either way what was measured once is
//! not measured again.

use std::path::{Path, PathBuf};

use super::identity::{header, this_run};
use super::journal::{Claimed, Header, Journal, Opened};
use super::models::Models;
use super::outcome::{self, Write};
use super::outdir::{self, Existing};
use super::prepare::prepare;
use super::result::{ChipRow, PointSummary, SweepResult};
use super::rows::Rows;
use super::runner::{Sweep, SweepOptions, tell, what_is_safe};
use crate::backend::Backend;
use crate::config::Experiment;
use crate::data::{Split, permutation};
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::setup::{Images, Point, Setup, setup};

/// Number of the permutation that draws images; epochs of a training have small numbers, calibration has the largest.
const DRAW: u32 = u32::MAX - 1;

/// The points of a sweep, chips of which are simulated as they are asked for.
pub struct Stepwise<'a> {
    setup: Setup<'a>,
    out: PathBuf,
    whole: Desk<'a>,
    screens: Vec<Desk<'a>>,
}

/// Chips on a number of images.
struct Desk<'a> {
    images: usize,
    sweep: Sweep<'a>,
    journal: Journal,
}

impl Desk<'_> {
    fn rows(&mut self, point: &Point, chips: u32) -> Result<Vec<ChipRow>> {
        self.sweep.first_chips(point, chips, &mut self.journal)?;
        let rows = self.journal.rows(point.config.index, 0..chips);
        rows.collect()
    }
}

impl SweepOptions {
    /// Options of a run that leaves no results of a sweep but its journal.
    pub fn of_journal(out: impl Into<PathBuf>, command: impl Into<String>) -> Self {
        fn nothing(_: &Path, _: &SweepResult, _: &dyn Rows) -> Result<()> {
            Ok(())
        }
        let write: Write = nothing;
        Self::new(out, command, write)
    }
}

impl<'a> Stepwise<'a> {
    /// Claims the output directory. `some` says on which numbers of images, fewer than all, chips will be asked for.
    ///
    /// # Errors
    /// As [`super::run`] before anything is simulated.
    pub fn new(
        backends: &'a [&'a dyn Backend],
        experiment: &'a Experiment,
        data: &'a Split,
        options: &'a SweepOptions,
        observer: &'a dyn Observer,
        some: &dyn Fn(&[Point]) -> Vec<usize>,
    ) -> Result<Self> {
        let setup = setup(experiment, data)?;
        prepare(backends, &setup.points)?;
        let images = setup.points[0].test_images()?;
        let plan = header(backends, &setup, options)?;
        let models = options.models.clone();
        let models = models.unwrap_or_else(|| options.out.join(outdir::MODELS));
        let journal = outdir::claim(
            &options.out,
            plan.clone(),
            options.existing,
            &options.inputs,
        )?;
        let desk = |images: Images, mut journal: Journal| -> Result<Desk<'a>> {
            tell(&journal, observer);
            journal.note_run(this_run(&options.command))?;
            let models = Models::new(backends[0], Some(models.clone()), observer);
            let n = images.len();
            let mut sweep = Sweep::new(backends, images, models, options, observer, &journal);
            sweep.expect(&setup.points, &journal)?;
            Ok(Desk {
                images: n,
                sweep,
                journal,
            })
        };
        let order = permutation(images.len(), experiment.seed, DRAW);
        let mut screens = Vec::new();
        for n in some(&setup.points) {
            let journal = screen(&options.out, &plan, n, options.existing)?;
            screens.push(desk(images.chosen(&order[..n]), journal)?);
        }
        let whole = desk(images, journal)?;
        Ok(Self {
            whole,
            screens,
            out: options.out.clone(),
            setup,
        })
    }

    /// The points.
    pub fn points(&self) -> &[Point<'a>] {
        &self.setup.points
    }

    /// Number of test images.
    pub fn images(&self) -> usize {
        self.whole.images
    }

    /// Rows of the first `chips` chips of a point, on all images or on some: one of the numbers that this was made with.
    ///
    /// # Errors
    /// The disk; the device; an interruption.
    pub fn rows(
        &mut self,
        point: usize,
        chips: u32,
        images: Option<usize>,
    ) -> Result<Vec<ChipRow>> {
        let desk = match images {
            None => &mut self.whole,
            Some(n) => {
                let desk = self.screens.iter_mut().find(|desk| desk.images == n);
                desk.ok_or_else(|| Error::Internal(format!("no journal of {n} images")))?
            }
        };
        let rows = desk.rows(&self.setup.points[point], chips);
        rows.map_err(|e| what_is_safe(e, &desk.journal, &self.out))
    }

    /// Ends a point whose chips are all there, and summarises it.
    ///
    /// # Errors
    /// The disk; chips that are missing.
    pub fn end(&mut self, point: usize) -> Result<PointSummary> {
        let journal = &mut self.whole.journal;
        if journal.ended(point).is_none() {
            let end = journal.header().points[point].chips;
            if !journal.missing(point, 0..end).is_empty() {
                return Err(Error::Internal(format!("point {point} lacks chips")));
            }
            journal.end_point(point, end)?;
        }
        outcome::summary(journal, point)
    }
}

/// The journal of chips on `n` of the images.
fn screen(out: &Path, plan: &Header, n: usize, existing: Existing) -> Result<Journal> {
    let path = out.join(format!("screen-{n}.bin"));
    let claimed = Claimed::new(&path)?;
    let mut plan = plan.clone();
    plan.images = n as u32;
    match existing {
        Existing::Replace => claimed.begin(plan),
        Existing::Refuse if claimed.is_empty()? => claimed.begin(plan),
        Existing::Refuse => Err(Error::input(format!(
            "{}: is of another search; allowed: another --out, --resume to continue it, or --force to replace it",
            path.display()
        ))),
        Existing::Continue => match claimed.open()? {
            Opened::Nothing(claimed) => claimed.begin(plan),
            Opened::Journal(mut journal) => {
                outdir::may_continue(&journal, &plan)?;
                journal.replan(plan)?;
                Ok(*journal)
            }
        },
    }
}
