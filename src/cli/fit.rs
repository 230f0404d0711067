//! `pimento fit`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::config::Experiment;
use pimento::files::{self, outputs};
use pimento::fit::{Estimate, Fit as Fitted, Form, Measurements, Options, Spread};
use pimento::report::html::fit::{About, page};
use pimento::{Error, Result};
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// Fit the numbers of a technology to measured cells: an experiment file with [chip] and [variation]
#[derive(Debug, Args)]
#[command(after_help = "\
MEASUREMENTS.csv has a row for every read of a cell and these columns, in any order:
  target_us    conductance that was to be programmed, uS (needed)
  value_us     conductance that was read, uS (needed)
  chip, array  names or numbers: which chip, and which array of it
  cell         name or number of the cell in its array; or row and col
  time_s       seconds since programming
Lines that begin with # and columns whose names begin with _ are not read. Repeated reads (one cell, one time) tell read
noise, several times tell drift, several chips and arrays what their cells have in common (docs/fit.md).

Examples:
  pimento fit cells.csv
  pimento fit cells.csv --out device.toml && pimento sweep device.toml
  pimento fit cells.csv --json")]
pub struct Fit {
    /// Measured cells
    #[arg(value_name = "MEASUREMENTS.csv")]
    measurements: PathBuf,

    /// Experiment file to write; a page of plots gets the same name with .html
    #[arg(long, value_name = "DEVICE.toml")]
    out: Option<PathBuf>,

    /// Replace the files of --out if they exist
    #[arg(long)]
    force: bool,

    /// Largest conductance of the technology, uS [default: the largest target]
    #[arg(long, value_name = "US", value_parser = positive)]
    g_max_us: Option<f64>,

    #[command(flatten)]
    how: OutputArgs,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("a finite number above 0 is needed".into()),
    }
}

impl Fit {
    /// Reads, fits, writes, prints.
    pub fn run(&self) -> Result<()> {
        let outs = self.out.as_deref().map(destinations).transpose()?;
        for out in outs.iter().flatten() {
            files::check_destination(out)?;
            let inputs = std::slice::from_ref(&self.measurements);
            outputs::check(out, inputs, self.force, "--out")?;
        }
        let options = Options {
            g_max_us: self.g_max_us,
        };
        let place = self.measurements.display().to_string();
        let found = Measurements::load(&self.measurements)?;
        let fit = Fitted::new(&found, &options).map_err(|e| e.context(place.clone()))?;
        let text = fit.device(&place);
        // What is written is read again by whoever uses it.
        Experiment::parse(&text, "device.toml")
            .map_err(|e| Error::Internal(format!("the fitted file is none: {e}")))?;
        if let Some([device, plots]) = &outs {
            let about = About {
                source: &place,
                pimento: env!("CARGO_PKG_VERSION"),
                command: &super::command_line(),
                device: &text,
            };
            files::write_atomically(device, text.as_bytes())?;
            files::write_atomically(plots, page(&fit, &about).as_bytes())?;
        }
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "measurements": place,
                "fit": fit,
                "device": text,
            }));
        }
        let mut told = table(&fit);
        match &outs {
            Some([device, plots]) => {
                told += &format!("\nwritten: {}, {}\n", device.display(), plots.display());
            }
            None => told += "\nwith --out DEVICE.toml this becomes an experiment file\n",
        }
        self.how.print(&told)
    }
}

/// The experiment file, and the page beside it.
fn destinations(out: &Path) -> Result<[PathBuf; 2]> {
    let page = out.with_extension("html");
    match page == out {
        true => Err(Error::input(format!(
            "--out {}: the page of plots has this name; allowed: an experiment file, such as device.toml",
            out.display()
        ))),
        false => Ok([out.to_path_buf(), page]),
    }
}

/// What was found, for people.
fn table(fit: &Fitted) -> String {
    let [chips, arrays, cells, reads] = fit.counts;
    let mut out = format!(
        "{reads} reads of {cells} cells in {arrays} arrays of {chips} chips; 95 % intervals in brackets\n\n"
    );
    let mut row = |name: &str, text: String| out += &format!("{name:<28}{text}\n");
    row("largest conductance", format!("{} uS", fit.g_max_us));
    for (i, level) in fit.levels.iter().enumerate() {
        let part = |s: &Option<Spread>| s.as_ref().and_then(|s| s.by_level[i]);
        let text = |name: &str, e: Option<Estimate>| match e {
            Some(e) => format!(", {name} {}", estimate(&e)),
            None => String::new(),
        };
        let mean = level
            .mean_us
            .map_or("mean not told".into(), |e| format!("mean {}", estimate(&e)));
        let (spread, noise) = (part(&fit.spread), part(&fit.read_noise));
        let widths = text("spread", spread) + &text("reads", noise);
        row(
            &format!("target {} uS", level.target_us),
            format!("{} cells, {mean}{widths}", level.cells),
        );
    }
    row("programming", spread(&fit.spread));
    row("read noise", spread(&fit.read_noise));
    let shared = |e: Option<Estimate>| e.map_or("not told".into(), |e| estimate(&e));
    let common = fit.common.as_ref();
    let law = common.map_or(String::new(), |c| format!(" ({})", c.law));
    row("between chips", shared(common.and_then(|c| c.chip)) + &law);
    row("between arrays", shared(common.and_then(|c| c.array)));
    if let Some(spatial) = &fit.spatial {
        for (name, e) in spatial.parts() {
            row(name, format!("{} {}", estimate(&e), spatial.unit()));
        }
        row("rest of a cell", shared(spatial.cells));
    }
    row("stuck off", shared(fit.stuck_off));
    row("stuck on", shared(fit.stuck_on));
    for d in &fit.drift {
        let sigma = d.sigma_nu.map_or("not told".into(), |e| estimate(&e));
        row(
            &format!("drift at {} uS", d.target_us),
            format!("nu {}, its spread {sigma}", estimate(&d.nu)),
        );
    }
    for note in &fit.notes {
        out += &format!("\nnote: {note}");
    }
    if !fit.notes.is_empty() {
        out.push('\n');
    }
    out
}

fn estimate(e: &Estimate) -> String {
    let [low, high] = e.interval;
    format!("{:.4} ({low:.4} to {high:.4})", e.value)
}

fn spread(s: &Option<Spread>) -> String {
    let Some(s) = s else {
        return "not told".into();
    };
    let p = |p: Option<f64>| p.map_or("-".into(), |p| format!("{p:.2}"));
    let (kind, e) = match s.form {
        Form::Proportional => ("relative to the target", s.proportional),
        Form::Fixed => ("relative to the range", s.fixed),
        Form::Table => ("by a value for every target", None),
    };
    let value = e.map_or(String::new(), |e| format!("{} ", estimate(&e)));
    format!(
        "{value}{kind} (p = {} if proportional, {} if fixed)",
        p(s.p_proportional),
        p(s.p_fixed)
    )
}
