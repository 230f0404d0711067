//! Options that several subcommands share.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::config::{Experiment, MAX_CHIPS, Place, Point, Until};
use pimento::network::file::{self, Loaded};
use pimento::{Error, Result};

use super::output;

/// Names the place of the images where neither `--data` nor the experiment does.
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

/// An experiment file of which one point is wanted.
#[derive(Debug, Args)]
pub struct PointArgs {
    /// Experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub experiment: PathBuf,

    #[command(flatten)]
    pub common: Common,

    /// Point of the experiment's grid (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub point: usize,
}

impl PointArgs {
    /// Reads the file and applies the changes.
    pub fn load(&self) -> Result<Experiment> {
        let mut experiment = Experiment::load(&self.experiment)?;
        self.common.apply(&mut experiment)?;
        Ok(experiment)
    }
}

impl ExperimentArgs {
    /// Where decoded images are kept, if not where the user's are.
    pub fn cache(&self) -> Option<&Path> {
        self.overrides.common.cache.as_deref()
    }

    /// Reads the file and applies the changes.
    pub fn load(&self) -> Result<Experiment> {
        let mut experiment = Experiment::load(&self.experiment)?;
        self.overrides.apply(&mut experiment)?;
        Ok(experiment)
    }
}

/// Changes to any experiment.
#[derive(Debug, Args)]
pub struct Common {
    /// Seed of all random numbers, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Test images per chip (0 for all), instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    pub images: Option<u64>,

    /// Directory or archive of the images, instead of the experiment's
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// Directory for decoded images [default: the user's cache directory]
    #[arg(long, value_name = "DIR", env = "PIMENTO_CACHE", hide_env = true)]
    pub cache: Option<PathBuf>,
}

/// Changes to an experiment that is swept.
#[derive(Debug, Args)]
pub struct Overrides {
    #[command(flatten)]
    pub common: Common,

    /// Chips per point, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_CHIPS as u64))]
    pub chips: Option<u64>,

    /// Simulate chips until the 95 % interval is so narrow to either side, e.g. "ci(mean) < 0.2pt"
    /// or "ci(yield) < 1pt", from --chips on
    #[arg(long, value_name = "GOAL")]
    pub until: Option<Until>,

    /// Most chips per point with --until, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_CHIPS as u64))]
    pub max_chips: Option<u64>,
}

impl Overrides {
    /// Changes the experiment.
    pub fn apply(&self, experiment: &mut Experiment) -> Result<()> {
        if let Some(chips) = self.chips {
            experiment.sweep.chips = chips as usize;
        }
        if self.until.is_some() {
            experiment.sweep.until = self.until;
        }
        if let Some(most) = self.max_chips {
            experiment.sweep.max_chips = most as usize;
        }
        let sweep = &experiment.sweep;
        if sweep.until.is_some() && sweep.max_chips < sweep.chips {
            return Err(Error::input(format!(
                "--max-chips {}: below the {} chips of a point; allowed: as many or more",
                sweep.max_chips, sweep.chips
            )));
        }
        self.common.apply(experiment)
    }
}

impl Common {
    /// Changes the experiment.
    pub fn apply(&self, experiment: &mut Experiment) -> Result<()> {
        if let Some(seed) = self.seed {
            experiment.seed = seed;
        }
        if let Some(images) = self.images {
            experiment.sweep.images = images as usize;
        }
        let data = &mut experiment.data;
        let (what, key) = match data.kind.place() {
            Place::None => {
                return match &self.data {
                    None => Ok(()),
                    Some(path) => Err(Error::input(format!(
                        "--data {}: the experiment `{}` uses the embedded set \"{}\"; allowed with another data.kind only",
                        path.display(),
                        experiment.name,
                        data.set
                    ))),
                };
            }
            Place::Directory => ("a directory with", "data.dir"),
            Place::File => ("an archive with", "data.file"),
        };
        let variable = std::env::var_os(DATA_VARIABLE).filter(|v| !v.is_empty());
        let path = self
            .data
            .clone()
            .or(data.source().map(PathBuf::from))
            .or(variable.map(PathBuf::from));
        let Some(path) = path else {
            return Err(Error::input(format!(
                "the experiment `{}` needs {what} the images: set {key} in the file, --data PATH or {DATA_VARIABLE}",
                experiment.name
            )));
        };
        data.set_source(path);
        Ok(())
    }
}

/// A network in a file.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Network: ONNX, safetensors of `pimento train`, or the JSON description that goes with a
    /// safetensors file (docs/networks.md)
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// Multiply batch norm into the weights before it, so that it lives on the crossbars
    #[arg(long)]
    pub fold_batch_norm: bool,

    /// Sizes of one input, for an ONNX model that leaves them free: 3,224,224
    #[arg(long, value_name = "C,H,W", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub input_shape: Vec<u32>,
}

impl ModelArgs {
    /// Reads the network.
    pub fn load(&self) -> Result<Loaded> {
        let sizes: Vec<usize> = self.input_shape.iter().map(|&n| n as usize).collect();
        let given = (!sizes.is_empty()).then_some(sizes.as_slice());
        file::load(&self.model, self.fold_batch_norm, given)
    }
}

/// What is said, the same for every subcommand.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,

    /// Print nothing but errors (and the document of --json): no progress, no warnings, no table
    #[arg(long, short)]
    pub quiet: bool,
}

impl OutputArgs {
    /// Writes a text for people to standard output, unless nothing is to be said.
    pub fn print(&self, text: &str) -> Result<()> {
        match self.quiet {
            true => Ok(()),
            false => output::print(text),
        }
    }
}

/// A point of the experiment's sweep.
pub fn point(experiment: &Experiment, index: usize) -> Result<Point> {
    let mut points = experiment.points()?;
    if index >= points.len() {
        return Err(Error::input(format!(
            "--point {index}: the experiment `{}` has no such point; allowed: 0 to {}",
            experiment.name,
            points.len() - 1
        )));
    }
    Ok(points.swap_remove(index))
}
