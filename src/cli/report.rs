//! `pimento report`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::files::{outputs, write_atomically};
use pimento::report::combine::{Run, combine};
use pimento::report::trainings::{Trained, Trainings};
use pimento::report::{chips, html, summary, verify};
use pimento::sweep::outdir;
use pimento::sweep::snr::Report as Ratios;
use pimento::{Error, Result, train};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::OutputArgs;
use super::output;
use super::progress::Terminal;
use super::snr::{self, SnrArgs};

/// Make one page of one or several runs, or trained networks, to compare them
#[derive(Debug, Args)]
#[command(after_help = "\
Reads summary.json and chips.csv of each directory, and refuses them where journal.bin beside them \
recorded other files. With several, the run is one more axis of every \
table and plot, and runs of the same seed are compared chip by chip.

Files of `pimento train` make a page of how their trainings went.

Examples:
  pimento report runs/before runs/after --out comparison.html
  pimento report runs/demo                 makes its report.html again
  pimento report runs/demo --snr           with signal-to-noise ratios of the layers at every point
  pimento report seed1.safetensors seed2.safetensors --out trainings.html")]
pub struct Report {
    /// Output directories of sweeps, or files of trained networks
    #[arg(value_name = "DIR|FILE.safetensors", required = true)]
    runs: Vec<PathBuf>,

    /// Page to write [default: report.html in the directory; comparison.html here for several, trainings.html for files]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Replace the file of --out if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    snr: SnrArgs,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    how: OutputArgs,
}

impl Report {
    /// Writes the page.
    pub fn run(&self) -> Result<()> {
        if self.runs.iter().any(|path| path.is_file()) {
            return self.of_files();
        }
        self.check_snr()?;
        let runs = load(&self.runs)?;
        let (result, rows) = combine(runs)?;
        let out = match (&self.out, &self.runs[..]) {
            (Some(out), _) => out.clone(),
            (None, [one]) => one.join(outdir::REPORT),
            (None, _) => PathBuf::from("comparison.html"),
        };
        self.check(&out)?;
        let ratios = self.ratios()?;
        let page = html::page_with(&result, &rows, &ratios);
        write_atomically(&out, page.as_bytes())?;
        if !self.how.json {
            let tables: String = ratios.iter().map(snr::text).collect();
            return (self.how).print(&format!("{tables}report: {}\n", out.display()));
        }
        let mut document = json!({
            "pimento": env!("CARGO_PKG_VERSION"),
            "report": out.display().to_string(),
            "points": result.points.len(),
        });
        if self.snr.snr {
            let all: Result<Vec<_>> = ratios.iter().map(snr::json).collect();
            document["snr"] = json!(all?);
        }
        output::print_json(&document)
    }

    /// Signal-to-noise ratios of all points, where they are asked for.
    fn ratios(&self) -> Result<Vec<Ratios>> {
        match (&self.runs[..], self.snr.snr) {
            ([run], true) => {
                let backend = self.backend.open()?;
                let terminal = Terminal::new(self.how.quiet);
                let run = outdir::open_run(run)?;
                self.snr.of_run(&*backend, run, &terminal)
            }
            _ => Ok(vec![]),
        }
    }
}

impl Report {
    /// Refuses signal-to-noise ratios of anything but one run.
    fn check_snr(&self) -> Result<()> {
        match (&self.runs[..], self.snr.snr) {
            (_, false) => Ok(()),
            ([one], true) if one.is_dir() => Ok(()),
            ([one], true) => Err(Error::input(format!(
                "--snr of {}, which is no run; allowed: the output directory of a sweep (a network alone: pimento \
                 inspect MODEL --plan EXPERIMENT.toml --snr)",
                one.display()
            ))),
            (several, true) => Err(Error::input(format!(
                "--snr of {} runs; allowed: one run",
                several.len()
            ))),
        }
    }

    /// Writes the page of trained networks.
    fn of_files(&self) -> Result<()> {
        self.check_snr()?;
        if let Some(dir) = self.runs.iter().find(|path| !path.is_file()) {
            return Err(Error::input(format!(
                "{}: is no file of a trained network, as others are; allowed: only files of `pimento train`, or only \
                 directories of sweeps",
                dir.display()
            )));
        }
        let out = self.out.clone().unwrap_or_else(|| "trainings.html".into());
        let ours = std::fs::read(&out).is_ok_and(|page| outdir::is_page(&page));
        outputs::check(&out, &self.runs, self.force || ours, "--out")?;
        let trainings = Trainings {
            experiment: String::new(),
            adapter: String::new(),
            all: self
                .runs
                .iter()
                .map(|path| trained(path))
                .collect::<Result<_>>()?,
            command: super::command_line(),
            config_toml: String::new(),
        };
        write_atomically(&out, html::trainings::page(&trainings).as_bytes())?;
        match self.how.json {
            true => output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "report": out.display().to_string(),
                "trainings": trainings.all.len(),
            })),
            false => self.how.print(&format!("report: {}\n", out.display())),
        }
    }

    /// Refuses to replace what is read, and what is no page of Pimento.
    fn check(&self, out: &Path) -> Result<()> {
        let mut inputs = vec![];
        for dir in &self.runs {
            let kept = [
                outdir::SUMMARY,
                outdir::CHIPS,
                outdir::JOURNAL,
                outdir::EXPERIMENT,
            ];
            inputs.extend(kept.map(|name| dir.join(name)));
        }
        let ours = std::fs::read(out).is_ok_and(|page| outdir::is_page(&page));
        outputs::check(out, &inputs, self.force || ours, "--out")
    }
}

/// A trained network from its file.
fn trained(path: &Path) -> Result<Trained> {
    let (key, record) = train::record_of(path)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    Trained::new(name.to_string_lossy(), &key, record)
}

/// Reads runs; two of the same name are told apart by their numbers.
///
/// # Errors
/// A directory without a run, or with files that its journal has not recorded.
pub fn load(dirs: &[PathBuf]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = vec![];
    for dir in dirs {
        let mut name = name(dir);
        if runs.iter().any(|r| r.name == name) {
            name = format!("{name} ({})", runs.len() + 1);
        }
        if !dir.join(outdir::SUMMARY).is_file() {
            let what = match dir.exists() {
                true => format!("holds no {}", outdir::SUMMARY),
                false => "no such file or directory".into(),
            };
            return Err(Error::input(format!(
                "{}: {what}; allowed: the output directory of a sweep",
                dir.display()
            )));
        }
        let mut result = summary::read(&dir.join(outdir::SUMMARY))?;
        let path = dir.join(outdir::CHIPS);
        let rows = chips::read(&path)?;
        // After reading: what cannot be a row is named with its line.
        outdir::check_files(dir)?;
        verify::run(&result, &rows)
            .map_err(|what| Error::input(format!("{}: {what}", path.display())))?;
        result.directory = Some(dir.clone());
        runs.push(Run { name, result, rows });
    }
    Ok(runs)
}

fn name(dir: &Path) -> String {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let last = whole.file_name().map(|n| n.to_string_lossy().into_owned());
    last.unwrap_or_else(|| dir.display().to_string())
}
