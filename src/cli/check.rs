//! `pimento check`.

use bytesize::ByteSize;
use clap::Args;
use pimento::backend::Backend;
use pimento::config::{Experiment, Point, Stage, n_trainings};
use pimento::data::Split;
use pimento::setup::setup;
use pimento::sweep::prepare::Waves;
use pimento::{Error, Result, design, sweep};
use serde_json::json;

use super::backend::{BackendArgs, MemoryArgs};
use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Check an experiment file, its data and its networks, and say what a sweep of it would do
#[derive(Debug, Args)]
#[command(after_help = "\
Everything that a sweep needs is built, short of training: networks, images, chips, programs, memory. \
What a sweep would refuse is refused here, in the same words. Every mistake of the file is printed at \
once, each as FILE:LINE with the field, its value and what is allowed; with --json as objects of these parts.

Examples:
  pimento check experiments/self_tuning_fashion.toml
  pimento check my.toml --chips 50 --json
  pimento check my.toml --expand > written_out.toml")]
pub struct Check {
    #[command(flatten)]
    experiment: ExperimentArgs,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    memory: MemoryArgs,

    /// Print the experiment with the parts of every training written out in place of recipes, and nothing else: a file
    /// with the same results
    #[arg(long)]
    expand: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Check {
    /// Checks and prints the plan, or the experiment.
    pub fn run(&self) -> Result<()> {
        if self.expand {
            return self.print_expanded();
        }
        match self.checked() {
            Err(e) if self.how.json => {
                output::print_json(&failure(&self.experiment, &e))?;
                Err(e)
            }
            Ok(Found { document, plan }) => match self.how.json {
                true => output::print_json(&document),
                false => self.how.print(&plan),
            },
            Err(e) => Err(e),
        }
    }

    fn print_expanded(&self) -> Result<()> {
        let mut expanded = self.experiment.load()?.expanded()?;
        expanded.make_paths_absolute();
        match self.how.json {
            true => output::print_json(&expanded),
            false => self.how.print(&expanded.to_toml()?),
        }
    }

    fn checked(&self) -> Result<Found> {
        let experiment = self.experiment.load()?;
        let cache = self.experiment.cache();
        let data = images::load(&experiment.data, cache, &Terminal::new(self.how.quiet))?;
        let backends = self.backend.open_several(self.memory.bytes())?;
        let backends: Vec<&dyn Backend> = backends.iter().map(|b| &**b).collect();
        found(&backends, &experiment, &data)
    }
}

/// What a check found, as a document and for people.
#[derive(Debug, Clone)]
pub struct Found {
    /// What `pimento check --json` prints.
    pub document: serde_json::Value,
    /// What `pimento check` prints.
    pub plan: String,
}

/// Builds everything that a sweep needs, short of training, and says what it would do.
///
/// # Errors
/// What the sweep would refuse.
pub fn found(backends: &[&dyn Backend], experiment: &Experiment, data: &Split) -> Result<Found> {
    if experiment.design.is_some() {
        design::check(experiment)?;
    }
    let setup = setup(experiment, data)?;
    let waves = sweep::prepare(backends, &setup.points)?;
    let points: Vec<Point> = setup.points.iter().map(|p| p.config.clone()).collect();
    let checked = Checked {
        e: experiment,
        data,
        constants: setup.inputs.normalise.constants(),
        points: &points,
        waves,
        adapters: backends.iter().map(|b| b.info().name).collect(),
        budgets: backends
            .iter()
            .filter_map(|b| Some((b.info().name, b.memory()?)))
            .map(|(name, memory)| format!("they may take {memory} on {name}"))
            .collect(),
    };
    Ok(Found {
        document: document(&checked),
        plan: plan(&checked),
    })
}

/// What a check found.
struct Checked<'a> {
    e: &'a Experiment,
    data: &'a Split,
    constants: &'a [(f64, f64)],
    points: &'a [Point],
    waves: Waves,
    adapters: Vec<String>,
    /// What their waves may take, in words.
    budgets: Vec<String>,
}

/// What is wrong, as a document.
fn failure(experiment: &ExperimentArgs, error: &Error) -> serde_json::Value {
    json!({
        "file": experiment.experiment.display().to_string(),
        "valid": false,
        "errors": error.mistakes(),
        "exit_code": error.exit_code(),
    })
}

/// Test images of every chip.
fn n_images(experiment: &Experiment, data: &Split) -> usize {
    match experiment.sweep.images {
        0 => data.test.len(),
        n => n.min(data.test.len()),
    }
}

fn document(checked: &Checked) -> serde_json::Value {
    let Checked {
        e,
        data,
        constants,
        points,
        waves,
        ..
    } = *checked;
    let trainings = n_trainings(points);
    let points: Vec<_> = points
        .iter()
        .map(|p| {
            let axes = p.axes.iter().map(|(axis, v)| (axis.to_string(), json!(v)));
            serde_json::Value::Object(axes.collect())
        })
        .collect();
    json!({
        "experiment": e.name,
        "valid": true,
        "train_images": data.train.len(),
        "test_images": data.test.len(),
        "mean": constants.iter().map(|c| c.0).collect::<Vec<_>>(),
        "std": constants.iter().map(|c| c.1).collect::<Vec<_>>(),
        "trainings": trainings,
        "chips": e.sweep.most_chips(),
        "images": n_images(e, data),
        "adapters": checked.adapters,
        "waves": waves,
        "remarks": data.remarks(),
        "points": points,
        "config": e,
    })
}

fn plan(checked: &Checked) -> String {
    let Checked {
        e,
        data,
        constants,
        points,
        waves,
        ..
    } = *checked;
    let (trainings, images) = (n_trainings(points), n_images(e, data));
    let total = points.len() as f64 * e.sweep.most_chips() as f64 * images as f64;
    let mut text = format!("{}: valid\n", e.name);
    if !e.title.is_empty() {
        text += &format!("{}\n", e.title);
    }
    if !e.about.is_empty() {
        text += &format!("\n{}\n\n", e.about.trim());
    }
    text += &format!(
        "data      {}: {} training and {} test images of {}{} x {}, {} classes\n",
        images::name(&e.data),
        data.train.len(),
        data.test.len(),
        match data.train.c {
            1 | 3 => String::new(),
            c => format!("{c} x "),
        },
        data.train.h,
        data.train.w,
        data.train.classes
    );
    let list = |of: fn(&(f64, f64)) -> f64| {
        let numbers: Vec<String> = constants.iter().map(|c| format!("{:.5}", of(c))).collect();
        numbers.join(", ")
    };
    text += &format!("          mean {}; std {}\n", list(|c| c.0), list(|c| c.1));
    text += &format!("network   {}, width {}\n", e.network.kind, e.network.width);
    text += &format!(
        "training  {}, {} each\n",
        plural(trainings, "network"),
        epochs(e)
    );
    text += &format!(
        "sweep     {} x {} x {} = {:.3e} inferences\n",
        plural(points.len(), "point"),
        match e.sweep.until {
            Some(until) => format!(
                "until {until}, at most {}",
                plural(e.sweep.max_chips, "chip")
            ),
            None => plural(e.sweep.chips, "chip"),
        },
        plural(images, "image"),
        total
    );
    if let Some(design) = &e.design {
        text += &format!("design    {}\n", design.goal);
    }
    text += &format!(
        "memory    waves of {} and more on {}, {} at most\n",
        plural(waves.chips, "chip"),
        checked.adapters.join(", "),
        ByteSize::b(waves.bytes).display().iec()
    );
    for budget in &checked.budgets {
        text += &format!("          {budget}\n");
    }
    for point in points {
        if !point.axes.is_empty() {
            text += &format!("{:>9} {}\n", point.index, point.label());
        }
    }
    text
}

/// Epochs of a training in words, stage by stage where it has some.
fn epochs(e: &Experiment) -> String {
    let stages = e.stages().unwrap_or_default();
    let of = |stage: &Stage| format!("{} {}", stage.name, stage.experiment.train.epochs);
    let total: usize = stages.iter().map(|s| s.experiment.train.epochs).sum();
    match e.train.stage.is_empty() {
        true => format!("{} epochs", e.train.epochs),
        false => {
            let stages: Vec<String> = stages.iter().map(of).collect();
            format!("{total} epochs ({})", stages.join(", "))
        }
    }
}

/// `n` things, with the noun's plural where due.
pub fn plural(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}
