//! `pimento slices`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::config::{Experiment, Fidelity, Network, NetworkKind, Recipe, Train};
use pimento::files::{outputs, write_atomically};
use pimento::network::file;
use pimento::report::{html, slices};
use pimento::sweep::outdir;
use pimento::sweep::slices::{self as analysis, Options, Report};
use pimento::{Error, Result};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::{Common, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Most chips whose currents are compared.
const MOST_CHIPS: u64 = 100_000;

/// Show what a network's digits demand of arrays: sparsity, column sums, converter bits, non-ideality, compaction
#[derive(Debug, Args)]
#[command(after_help = "\
For every layer on arrays: the share of non-zero digits of each slice and polarity; the exact distribution of the column \
sums that test images give, step by step as the converters of the inputs drive them; the bits of converters that clip none \
of these sums, or few; how far currents of real arrays are from ideal ones (non-ideality factor); tiles before and after zero \
segments are dropped. docs/slices.md has the definitions, docs/columns.md the columns of --json.

Of the output directory of a sweep the configuration and the trained network are taken; of an experiment file the network is \
trained, unless --run names a directory that has it; the file of a network needs --experiment for images and chip.

Examples:
  pimento slices runs/my
  pimento slices runs/my --point 2 --accuracy 1000 --out slices.html
  pimento slices my.toml --run runs/my --chips 10
  pimento slices my.safetensors --experiment my.toml --as-cells --json")]
pub struct Slices {
    /// Output directory of a sweep, an experiment file, or a network (of `pimento train`, ONNX, JSON)
    #[arg(value_name = "RUN|EXPERIMENT.toml|MODEL")]
    source: PathBuf,

    /// Where MODEL is given: experiment with its images, quantizers and chip
    #[arg(long, value_name = "EXPERIMENT.toml")]
    experiment: Option<PathBuf>,

    /// Point of the experiment's grid (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    point: usize,

    /// Test images whose column sums are counted, one of every class in turn (0 for all)
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    images: u32,

    /// Chips whose currents are compared with ideal ones, the first ones of a sweep (0 for none)
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=MOST_CHIPS))]
    chips: u64,

    /// Test images whose currents are compared, at most as many as --images
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    current_images: u32,

    /// Classify this many test images with converters as the sums demand, too (0 for all)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    accuracy: Option<u32>,

    /// Put a network of fidelity "weight" on the arrays of section [chip], which has defaults where the file says nothing
    #[arg(long)]
    as_cells: bool,

    /// Output directory of the sweep, for its trained networks, where an experiment file is given
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// Page with tables and plots to write
    #[arg(long, value_name = "PAGE.html")]
    out: Option<PathBuf>,

    /// Replace the file of --out if it exists
    #[arg(long)]
    force: bool,

    /// Seed of all random numbers, instead of the experiment's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    seed: Option<u64>,

    /// Directory or archive of the images, instead of the experiment's
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,

    /// Directory for decoded images [default: the user's cache directory]
    #[arg(long, value_name = "DIR", env = "PIMENTO_CACHE", hide_env = true)]
    cache: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    how: OutputArgs,
}

/// What the source is.
enum Source {
    Run(PathBuf),
    Experiment,
    Model,
}

impl Slices {
    /// Analyses, prints, writes the page.
    pub fn run(&self) -> Result<()> {
        let source = self.kind()?;
        self.refuse_options(&source)?;
        let terminal = Terminal::new(self.how.quiet);
        let mut report = match &source {
            Source::Run(dir) => self.of_run(dir, &terminal)?,
            Source::Experiment => {
                let mut experiment = Experiment::load(&self.source)?;
                self.change(&mut experiment)?;
                self.of_experiment(&experiment, self.point, &terminal)?
            }
            Source::Model => self.of_model(&terminal)?,
        };
        report.source = self.source.display().to_string();
        report.command = super::command_line();
        if let Some(out) = &self.out {
            write_atomically(out, html::slices::page(&report).as_bytes())?;
        }
        if self.how.json {
            let mut document = serde_json::to_value(&report)
                .map_err(|e| Error::Internal(format!("analysis to JSON: {e}")))?;
            document["page"] = json!(self.out.as_ref().map(|out| out.display().to_string()));
            return output::print_json(&document);
        }
        let mut text = slices::table(&report);
        if let Some(out) = &self.out {
            text += &format!("page: {}\n", out.display());
        }
        self.how.print(&text)
    }

    fn kind(&self) -> Result<Source> {
        if let Some(dir) = outdir::run_of(&self.source) {
            return Ok(Source::Run(dir));
        }
        let ending = self.source.extension().map(|e| e.to_ascii_lowercase());
        match ending.as_ref().and_then(|e| e.to_str()) {
            _ if self.source.is_dir() => Err(Error::input(format!(
                "{}: holds no run (no {}); allowed: the output directory of a sweep, an experiment file, or a network",
                self.source.display(),
                outdir::JOURNAL
            ))),
            Some("safetensors" | "onnx" | "json") => Ok(Source::Model),
            _ => Ok(Source::Experiment),
        }
    }

    /// Options that say what the source says already.
    fn refuse_options(&self, source: &Source) -> Result<()> {
        let (what, allowed) = match source {
            Source::Run(_) => ("a run has its own", "with an experiment file or a network"),
            Source::Experiment => ("the experiment is named already", "with a network only"),
            Source::Model => (
                "the network is named already",
                "with an experiment file only",
            ),
        };
        let given = [
            (
                "--seed",
                self.seed.is_some(),
                matches!(source, Source::Run(_)),
            ),
            (
                "--experiment",
                self.experiment.is_some(),
                !matches!(source, Source::Model),
            ),
            (
                "--run",
                self.run.is_some(),
                !matches!(source, Source::Experiment),
            ),
        ];
        match given.iter().find(|(_, given, refused)| *given && *refused) {
            None => Ok(()),
            Some((option, ..)) => Err(Error::input(format!(
                "{option}: {what} ({}); allowed {allowed}",
                self.source.display()
            ))),
        }
    }

    /// What the command line changes of an experiment.
    fn change(&self, experiment: &mut Experiment) -> Result<()> {
        let common = Common {
            seed: self.seed,
            images: None,
            data: self.data.clone(),
            cache: self.cache.clone(),
        };
        common.apply(experiment)?;
        match (experiment.fidelity, self.as_cells) {
            (Fidelity::Weight, true) => experiment.fidelity = Fidelity::Cell,
            (Fidelity::Weight, false) => {
                return Err(Error::input(format!(
                    "the experiment `{}` has fidelity = \"{}\": no arrays, so no digits and no columns; allowed: \"{}\", or \
                     --as-cells, which takes the arrays of section [chip] (its defaults where the file says nothing)",
                    experiment.name,
                    Fidelity::Weight,
                    Fidelity::Cell
                )));
            }
            (Fidelity::Cell, _) => {}
        }
        Ok(())
    }

    fn options(&self) -> Options {
        Options {
            images: self.images as usize,
            chips: self.chips as usize,
            current_images: self.current_images as usize,
            accuracy: self.accuracy.map(|n| n as usize),
        }
    }

    /// Refuses to replace what is read, and what is no page of Pimento.
    fn check_page(&self, mut inputs: Vec<PathBuf>) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        inputs.extend([self.source.clone()]);
        inputs.extend(self.experiment.clone());
        let ours = std::fs::read(out).is_ok_and(|page| outdir::is_page(&page));
        outputs::check(out, &inputs, self.force || ours, "--out")
    }

    fn of_run(&self, dir: &Path, terminal: &Terminal) -> Result<Report> {
        let (mut experiment, journal) = outdir::open_run(dir)?;
        self.change(&mut experiment)?;
        super::options::point(&experiment, self.point)?;
        self.check_page(images::files(&experiment))?;
        let data = images::load(&experiment.data, self.cache.as_deref(), terminal)?;
        let backend = self.backend.open()?;
        let options = self.options();
        analysis::of_run(
            &*backend,
            &experiment,
            &data,
            self.point,
            &journal,
            &options,
            terminal,
        )
    }

    fn of_experiment(
        &self,
        experiment: &Experiment,
        point: usize,
        terminal: &Terminal,
    ) -> Result<Report> {
        super::options::point(experiment, point)?;
        if let Some(dir) = &self.run {
            outdir::check_run(dir)?;
        }
        self.check_page(images::files(experiment))?;
        let data = images::load(&experiment.data, self.cache.as_deref(), terminal)?;
        let backend = self.backend.open()?;
        let (run, options) = (self.run.as_deref(), self.options());
        analysis::run(&*backend, experiment, &data, point, run, &options, terminal)
    }

    /// The network of a file in the place of the experiment's.
    fn of_model(&self, terminal: &Terminal) -> Result<Report> {
        let Some(path) = &self.experiment else {
            return Err(Error::input(format!(
                "{}: a network alone has no images and no chip; allowed: --experiment EXPERIMENT.toml beside it",
                self.source.display()
            )));
        };
        let mut experiment = Experiment::load(path)?;
        self.change(&mut experiment)?;
        let experiment = super::options::point(&experiment, self.point)?.experiment;
        let network = &experiment.network;
        let how = (network.fold_batch_norm, network.input.clone());
        let experiment = with_network(&experiment, &self.source, how)?;
        self.of_experiment(&experiment, 0, terminal)
    }
}

/// An experiment of one point with the network of a file, deployed as it is, in the place of its own; `fold` multiplies batch norm
/// into weights, `input` gives free sizes.
pub fn with_network(
    experiment: &Experiment,
    path: &Path,
    (fold, input): (bool, Vec<usize>),
) -> Result<Experiment> {
    let given = Some(input.as_slice()).filter(|sizes| !sizes.is_empty());
    let loaded = file::load(path, fold, given)?;
    let mut experiment = experiment.clone();
    experiment.network = Network {
        file: Some(path.to_path_buf()),
        fold_batch_norm: fold,
        input,
        ..Network::of(NetworkKind::File)
    };
    let train = &experiment.train;
    experiment.train = Train {
        // Steps that the file has are taken as they are; a network without is quantized after training.
        recipe: match loaded.numerics.quantizes_weights() {
            true => Recipe::Qat,
            false => Recipe::Ptq,
        },
        epochs: 0,
        seed: train.seed,
        batch: train.batch,
        calibration_batches: train.calibration_batches,
        ..Train::default()
    };
    Ok(experiment)
}
