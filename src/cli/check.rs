//! `pimento check`.

use clap::Args;
use pimento::Result;
use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::{Experiment, Point, n_trainings};
use pimento::data::Split;
use pimento::train::settings;
use serde_json::json;

use super::options::{ExperimentArgs, OutputArgs};
use super::progress::Terminal;
use super::{images, output};

/// Check an experiment file and its data, and say what a sweep of it would do
#[derive(Debug, Args)]
#[command(after_help = "\
Every mistake is printed at once, each as FILE:LINE with the field, its value and what is allowed.

Examples:
  pimento check experiments/self_tuning_fashion.toml
  pimento check my.toml --chips 50 --json")]
pub struct Check {
    #[command(flatten)]
    experiment: ExperimentArgs,

    #[command(flatten)]
    how: OutputArgs,
}

impl Check {
    /// Checks and prints the plan.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let cache = self.experiment.cache();
        let data = images::load(&experiment.data, cache, &Terminal::new(self.how.quiet))?;
        let points = experiment.points()?;
        let normalise = settings::normalise(&experiment, &data.train)?;
        let constants = normalise.constants();
        if self.how.json {
            return output::print_json(&document(&experiment, &data, constants, &points));
        }
        self.how
            .print(&plan(&experiment, &data, constants, &points))
    }
}

/// Test images of every chip.
fn n_images(experiment: &Experiment, data: &Split) -> usize {
    match experiment.sweep.images {
        0 => data.test.len(),
        n => n.min(data.test.len()),
    }
}

fn document(
    e: &Experiment,
    data: &Split,
    constants: &[(f64, f64)],
    points: &[Point],
) -> serde_json::Value {
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
        "points": points,
        "config": e,
    })
}

fn plan(e: &Experiment, data: &Split, constants: &[(f64, f64)], points: &[Point]) -> String {
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
        "data      {}: {} training and {} test images of {} x {}, {} classes\n",
        images::name(&e.data),
        data.train.len(),
        data.test.len(),
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
        "training  {}, {} epochs each\n",
        plural(trainings, "network"),
        e.train.epochs
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
    if let Some(memory) = CpuBackend::new().memory() {
        text += &format!("memory    chips of a wave may take {memory} on the CPU\n");
    }
    for point in points {
        if !point.axes.is_empty() {
            text += &format!("{:>9} {}\n", point.index, point.label());
        }
    }
    text
}

fn plural(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}
