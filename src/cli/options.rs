//! Options that several subcommands share.

use std::path::PathBuf;

use clap::Args;
use pimento::config::{DataKind, Experiment, MAX_CHIPS, Point};
use pimento::{Error, Result};

/// Names the data directory where neither `--data` nor the experiment does.
const DATA_VARIABLE: &str = "PIMENTO_DATA";

/// An experiment file, with changes.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// Experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub experiment: PathBuf,

    #[command(flatten)]
    pub overrides: Overrides,
}

impl ExperimentArgs {
    /// Reads the file and applies the changes.
    pub fn load(&self) -> Result<Experiment> {
        let mut experiment = Experiment::load(&self.experiment)?;
        self.overrides.apply(&mut experiment)?;
        Ok(experiment)
    }
}

/// Changes to an experiment.
#[derive(Debug, Args)]
pub struct Overrides {
    /// Seed of all random numbers, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Chips per point, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_CHIPS as u64))]
    pub chips: Option<u64>,

    /// Test images per chip (0 for all), instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    pub images: Option<u64>,

    /// Directory of the IDX files, instead of the experiment's
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Overrides {
    /// Changes the experiment.
    pub fn apply(&self, experiment: &mut Experiment) -> Result<()> {
        if let Some(seed) = self.seed {
            experiment.seed = seed;
        }
        if let Some(chips) = self.chips {
            experiment.sweep.chips = chips as usize;
        }
        if let Some(images) = self.images {
            experiment.sweep.images = images as usize;
        }
        let data = &mut experiment.data;
        match (data.kind, &self.data) {
            (DataKind::Embedded, Some(dir)) => Err(Error::input(format!(
                "--data {}: the experiment `{}` uses the embedded set \"{}\"; allowed with data.kind = \"idx\" only",
                dir.display(),
                experiment.name,
                data.set
            ))),
            (DataKind::Embedded, None) => Ok(()),
            (DataKind::Idx, given) => {
                let variable = std::env::var_os(DATA_VARIABLE).filter(|v| !v.is_empty());
                let dir = given
                    .clone()
                    .or(data.dir.take())
                    .or(variable.map(PathBuf::from));
                data.dir = Some(dir.ok_or_else(|| {
                    Error::input(format!(
                        "the experiment `{}` needs a directory with the IDX files: set data.dir in the file, --data DIR or {DATA_VARIABLE}",
                        experiment.name
                    ))
                })?);
                Ok(())
            }
        }
    }
}

/// What is said.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,

    /// No progress on standard error
    #[arg(long, short)]
    pub quiet: bool,
}

/// A point of the experiment's grid.
pub fn point(experiment: &Experiment, index: usize) -> Result<Point> {
    let mut points = experiment.points();
    if index >= points.len() {
        return Err(Error::input(format!(
            "--point {index}: the experiment `{}` has no such point; allowed: 0 to {}",
            experiment.name,
            points.len() - 1
        )));
    }
    Ok(points.swap_remove(index))
}
