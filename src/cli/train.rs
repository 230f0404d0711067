//! `pimento train`.

use std::path::PathBuf;

use clap::Args;
use pimento::files::{check_destination, outputs, write_atomically};
use pimento::report::html;
use pimento::report::trainings::{Trained, Trainings};
use pimento::setup;
use pimento::sweep::models::training_label;
use pimento::train::{self, Job};
use pimento::{Error, Result};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::{OutputArgs, PointArgs};
use super::progress::Terminal;
use super::{images, output};

/// Train the network of one point and write it as safetensors
#[derive(Debug, Args)]
#[command(after_help = "\
A sweep trains what it needs by itself; this is for the network alone. The file holds the weights, \
the batch norm statistics, the quantizer steps and, as metadata, the configuration that made it. \
Ctrl-C saves the training beside it (FILE.partial); --resume continues, through the same bits.

Examples:
  pimento train experiments/self_tuning_fashion.toml --out fashion.safetensors
  pimento train experiments/lenet5_mnist_a1w1.toml --data ~/mnist --point 9 --out lenet5.safetensors
  pimento train my.toml --out my.safetensors --resume
  pimento train my.toml --point 1 --out two.safetensors --report two.html
  pimento report my.safetensors two.safetensors --out trainings.html     several on one page")]
pub struct Train {
    #[command(flatten)]
    experiment: PointArgs,

    /// File to write
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    /// Continue an interrupted training from FILE.partial
    #[arg(long)]
    resume: bool,

    /// Append a JSON object for each epoch to a file
    #[arg(long, value_name = "FILE.jsonl")]
    metrics: Option<PathBuf>,

    /// Write a page: loss and accuracy by epoch, stages, settings
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    output: OutputArgs,
}

impl Train {
    /// Trains and writes.
    pub fn run(&self) -> Result<()> {
        let experiment = self.experiment.load()?;
        let point = super::options::point(&experiment, self.experiment.point)?.experiment;
        let partial = self.out.with_extension("partial");
        let mut inputs = images::files(&point);
        inputs.push(self.experiment.experiment.clone());
        outputs::check(&self.out, &inputs, self.force, "--out")?;
        outputs::refuse_inputs(&partial, &inputs)?;
        if let Some(page) = &self.report {
            if *page == self.out || *page == partial {
                return Err(Error::input(
                    "--report: is the file of --out; allowed: another file",
                ));
            }
            outputs::check(page, &inputs, self.force, "--report")?;
            check_destination(page)?;
        }
        if let Some(metrics) = &self.metrics {
            outputs::refuse_inputs(metrics, &inputs)?;
        }
        let folder = self.out.parent().filter(|f| !f.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|f| !f.is_dir()) {
            return Err(Error::input(format!(
                "{}: no such directory; allowed for --out: a file in an existing one",
                folder.display()
            )));
        }
        let terminal = Terminal::new(self.output.quiet).with_metrics(self.metrics.as_deref())?;
        let cache = self.experiment.common.cache.as_deref();
        let data = images::load(&point.data, cache, &terminal)?;
        let backend = self.backend.open()?;
        let ready = setup::point(&experiment, &data, self.experiment.point)?;
        let model = train::train(&Job {
            backend: &*backend,
            point: &ready,
            label: training_label(&point),
            checkpoint: Some(partial.clone()),
            resume: self.resume,
            observer: &terminal,
        })?;
        drop(terminal);
        let key = train::training_key(&ready, backend.products())?;
        train::save_model(&self.out, &model, &key)?;
        if partial.exists() {
            std::fs::remove_file(&partial).map_err(|e| Error::io(&partial, e))?;
        }
        if let Some(page) = &self.report {
            let name = self.out.file_stem().unwrap_or(self.out.as_os_str());
            let trained = Trained::new(name.to_string_lossy(), &key, model.record.clone())?;
            let trainings = Trainings {
                experiment: experiment.name.clone(),
                adapter: backend.info().name,
                all: vec![trained],
                command: super::command_line(),
                config_toml: point.to_toml()?,
            };
            write_atomically(page, html::trainings::page(&trainings).as_bytes())?;
        }
        let record = &model.record;
        if self.output.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "experiment": experiment.name,
                "training": training_label(&point),
                "file": self.out.display().to_string(),
                "record": record,
                "config": point,
            }));
        }
        self.output.print(&format!(
            "{}: {} steps in {:.1} s, loss {:.4}, training accuracy {:.2} % in the last epoch\n{}\n",
            training_label(&point),
            record.steps,
            record.elapsed_s,
            record.loss,
            100.0 * record.accuracy,
            self.out.display()
        ))
    }
}
