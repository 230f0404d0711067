//! `pimento chip`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::backend::Products;
use pimento::choice::Choice;
use pimento::config::{Experiment, Point};
use pimento::sweep::result::{ChipRow, PointSummary};
use pimento::sweep::{self, outdir};
use pimento::{Error, Result};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::{Common, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Rebuild one chip of a sweep alone and measure it again
#[derive(Debug, Args)]
#[command(after_help = "\
A chip is a pure function of the seed and its index, so the row equals the sweep's in chips.csv. Of \
the output directory of a sweep everything is taken that the chip depends on: the configuration, the \
place of the images, the trained networks and, with --backend auto, the adapter. Images or networks \
that have changed since are refused, and the row is compared with that of the sweep. Of an experiment \
file the networks are trained again, unless --run names the directory of a sweep that has them.

Examples:
  pimento chip runs/self_tuning_fashion --point 2 --index 17
  pimento chip experiments/self_tuning_fashion.toml --run runs/self_tuning_fashion --index 17
  pimento chip my.toml --point 3 --index 0 --json")]
pub struct Chip {
    /// Output directory of a sweep, or an experiment file
    #[arg(value_name = "DIR|EXPERIMENT.toml")]
    source: PathBuf,

    #[command(flatten)]
    common: Common,

    /// Index of the chip, from 0
    #[arg(long, value_name = "K")]
    index: u32,

    /// Point of the experiment's grid (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    point: usize,

    /// Output directory of the sweep, for its trained networks, where an experiment file is given
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What was measured.
struct Measured {
    experiment: Experiment,
    point: Point,
    summary: PointSummary,
    row: ChipRow,
    /// The row of the sweep, where there is one.
    recorded: Option<ChipRow>,
    backend: String,
}

impl Measured {
    /// Whether the row is that of the sweep to the last bit.
    fn equal(&self) -> Option<bool> {
        // `NaN` is not equal to itself, its text is.
        let recorded = self.recorded.as_ref();
        recorded.map(|recorded| format!("{recorded:?}") == format!("{:?}", self.row))
    }
}

impl Chip {
    /// Simulates the chip.
    pub fn run(&self) -> Result<()> {
        let run = outdir::run_of(&self.source);
        let measured = match &run {
            Some(dir) => self.of_run(dir)?,
            None if self.source.is_dir() => return Err(no_run(&self.source)),
            None => self.of_file()?,
        };
        match self.output.json {
            true => output::print_json(&measured.json()),
            false if self.output.quiet => Ok(()),
            false => output::print(&measured.text(self.index)),
        }
    }

    /// A chip of an experiment file.
    fn of_file(&self) -> Result<Measured> {
        let mut experiment = Experiment::load(&self.source)?;
        self.common.apply(&mut experiment)?;
        let point = super::options::point(&experiment, self.point)?;
        if let Some(dir) = &self.run {
            outdir::check_run(dir)?;
        }
        let terminal = Terminal::new(self.output.quiet);
        let cache = self.common.cache.as_deref();
        let data = images::load(&experiment.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let place = (self.point, self.index);
        let run = self.run.as_deref();
        let (summary, row) = sweep::one_chip(&*backend, &experiment, &data, place, run, &terminal)?;
        Ok(Measured {
            experiment,
            point,
            summary,
            row,
            recorded: None,
            backend: backend.info().name,
        })
    }

    /// A chip of a run.
    fn of_run(&self, dir: &Path) -> Result<Measured> {
        let given = [
            ("--seed", self.common.seed.is_some()),
            ("--images", self.common.images.is_some()),
            ("--run", self.run.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Error::input(format!(
                "{option}: the run in {} has its own; allowed with an experiment file only",
                dir.display()
            )));
        }
        let (mut experiment, journal) = outdir::open_run(dir)?;
        self.common.apply(&mut experiment)?;
        let point = super::options::point(&experiment, self.point)?;
        let terminal = Terminal::new(self.output.quiet);
        let cache = self.common.cache.as_deref();
        let data = images::load(&experiment.data, cache, &terminal)?;
        let place = (self.point, self.index);
        let adapter = journal.adapter_of(self.point, self.index);
        let products = Products::from_name(&journal.header().products);
        let backend = match adapter {
            Some(adapter) => {
                let (backend, name) = (&adapter.backend, &adapter.name);
                self.backend.open_like(backend, name, products)?
            }
            None => self.backend.open()?,
        };
        let (summary, row) =
            sweep::chip_of_run(&*backend, &experiment, &data, place, &journal, &terminal)?;
        Ok(Measured {
            experiment,
            point,
            summary,
            row,
            recorded: journal.row(self.point, self.index)?,
            backend: backend.info().name,
        })
    }
}

fn no_run(dir: &Path) -> Error {
    Error::input(format!(
        "{}: holds no run (no {}); allowed: the output directory of a sweep, or an experiment file",
        dir.display(),
        outdir::JOURNAL
    ))
}

impl Measured {
    fn json(&self) -> serde_json::Value {
        json!({
            "pimento": env!("CARGO_PKG_VERSION"),
            "experiment": self.experiment.name,
            "seed": self.experiment.seed,
            "backend": self.backend,
            "ideal": self.summary.ideal,
            "chip": self.row,
            "recorded": self.recorded,
            "equal": self.equal(),
        })
    }

    fn text(&self, index: u32) -> String {
        let row = &self.row;
        let label = match self.point.axes.is_empty() {
            true => String::new(),
            false => format!(" ({})", self.point.label()),
        };
        let estimate = match row.eps_hat.is_nan() {
            true => "not estimated".to_string(),
            false => format!("estimated {:+.5}", row.eps_hat),
        };
        let mut text = format!(
            "chip {index} of point {}{label}\n\
             accuracy  {:.2} %, {} of {} images; {:.2} % without variation\n\
             loss      {:.4}\n\
             eps       {:+.5} common to the chip, of it eps_B {:+.5}; {estimate}\n",
            row.point,
            100.0 * row.accuracy,
            row.correct,
            row.images,
            100.0 * self.summary.ideal,
            row.loss,
            row.eps_common,
            row.eps_b,
        );
        if row.has_position() {
            text += &format!(
                "die       ({:+.2}, {:+.2}) mm on wafer {}\n",
                row.die_x_mm, row.die_y_mm, row.wafer
            );
        }
        for (column, value) in row.values.iter() {
            text += &format!("{:<8}  {value:.4}", column.name);
            text += &match column.unit {
                "" => "\n".to_string(),
                unit => format!(" {unit}\n"),
            };
        }
        text += &match (self.equal(), &self.recorded) {
            (Some(true), _) => "sweep     the same to the last bit\n".to_string(),
            (Some(false), Some(r)) => format!(
                "sweep     {} of {} images, loss {}: not the same; computed here on {}\n",
                r.correct, r.images, r.loss, self.backend
            ),
            _ => String::new(),
        };
        text
    }
}
