//! `pimento plot`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::files::{check_destination, outputs, write_atomically};
use pimento::report::combine::{Run, combine};
use pimento::report::export::Format;
use pimento::report::figures::{self, Request, WIDTH_MM};
use pimento::report::plot::Figure;
use pimento::report::tabled;
use pimento::sweep::outdir;
use pimento::sweep::result::{ChipRow, SweepResult};
use pimento::{Error, Result};
use serde_json::json;

use super::options::OutputArgs;
use super::output;
use super::report::load;

/// Draw a figure for a paper
#[derive(Debug, Args)]
#[command(after_help = "\
An axis is a field that the sweep varies; a result is a statistic of the accuracy (accuracy, median, q05, worst, \
yield), another column, or a cost. Without --out the figures, axes and results of the run are listed.

Two numeric axes make a map, with the line where the yield limit is reached (solid: the mean, dashed: the 5 % \
quantile, so that 95 % of the chips yield). A result over one axis makes lines, a panel for every series where there \
are more than three. Times are labelled 1 s, 1 h, 1 d, 1 y; values of different magnitudes are on a logarithmic axis.

A table of chips is a chips.csv with the fields that the sweep varied, or any CSV file with the columns chip, correct and images; \
its other columns are axes. Yield and the network without variation are not known then.

The caption that is printed says how many chips and images there are, how intervals are made, and what is not in them.

Examples:
  pimento plot runs/my
  pimento plot runs/my --x sigma_w --y sigma_b --facet tuning --out map.pdf --out map.csv
  pimento plot runs/my --x chip.drift.time_s --y q05 --only tuning=none --width 88 --out drift.svg
  pimento plot runs/before runs/after --figure accuracy_chips --out chips.png
  pimento plot chips.csv --x chip.adc.bits --facet chip.array.rows --out bits.svg")]
pub struct Plot {
    /// Output directories of sweeps, or tables of chips; of several, the run is one more axis
    #[arg(value_name = "DIR|CHIPS.csv", required = true)]
    runs: Vec<PathBuf>,

    /// Numeric axis from left to right
    #[arg(long, value_name = "AXIS")]
    x: Option<String>,

    /// Second numeric axis, for a map, or the result drawn over --x [default: accuracy]
    #[arg(long, value_name = "AXIS|RESULT", requires = "x")]
    y: Option<String>,

    /// An axis with a panel for every value; may be repeated
    #[arg(long, value_name = "AXIS", requires = "x")]
    facet: Vec<String>,

    /// The result that a map shows [default: accuracy]
    #[arg(long, value_name = "RESULT", requires = "x")]
    value: Option<String>,

    /// Value of the line on a map, in the unit of its numbers [default: the yield limit, on maps of accuracies]
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "y",
        allow_negative_numbers = true
    )]
    limit: Option<f64>,

    /// Draw only the points with this value of an axis; may be repeated
    #[arg(long, value_name = "AXIS=VALUE")]
    only: Vec<String>,

    /// A figure of the report instead of axes
    #[arg(long, value_name = "NAME", conflicts_with = "x")]
    figure: Option<String>,

    /// File to write: .svg, .pdf, .png (the picture) or .csv (its numbers); may be repeated
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,

    /// Width of the picture in millimetres: 88 for a column of most journals; labels are 8 points high
    #[arg(long, value_name = "MM", default_value_t = WIDTH_MM)]
    width: f64,

    /// Replace files of --out that exist
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    how: OutputArgs,
}

impl Plot {
    /// Draws, or lists what can be drawn.
    pub fn run(&self) -> Result<()> {
        let formats = self.formats()?;
        let (result, rows) = combine(self.load()?)?;
        if formats.is_empty() && self.x.is_none() && self.figure.is_none() {
            return self.list(&result, &rows);
        }
        if formats.is_empty() {
            return Err(Error::input(
                "no file was given; allowed: --out FILE.svg, .pdf, .png or .csv",
            ));
        }
        let figure = figures::figure(&result, &rows, &self.request()?)?;
        for (path, format) in &formats {
            write_atomically(path, &figure.file(*format, self.width)?)?;
        }
        self.report(&figure, &formats)
    }

    /// The runs, from directories and from tables of chips.
    fn load(&self) -> Result<Vec<Run>> {
        let mut runs: Vec<Run> = vec![];
        for path in &self.runs {
            let run = match path.is_file() {
                true => {
                    let (result, rows) = tabled::read(path)?;
                    let name = result.experiment.clone();
                    Run { name, result, rows }
                }
                false => load(std::slice::from_ref(path))?.swap_remove(0),
            };
            let name = match runs.iter().any(|other| other.name == run.name) {
                true => format!("{} ({})", run.name, runs.len() + 1),
                false => run.name.clone(),
            };
            runs.push(Run { name, ..run });
        }
        Ok(runs)
    }

    fn formats(&self) -> Result<Vec<(&Path, Format)>> {
        let mut inputs = vec![];
        for dir in &self.runs {
            inputs.push(dir.clone());
            let kept = [
                outdir::SUMMARY,
                outdir::CHIPS,
                outdir::JOURNAL,
                outdir::EXPERIMENT,
            ];
            inputs.extend(kept.map(|name| dir.join(name)));
        }
        let checked = self.out.iter().map(|path| {
            let format = Format::of(path)?;
            outputs::check(path, &inputs, self.force, "--out")?;
            check_destination(path)?;
            Ok((path.as_path(), format))
        });
        checked.collect()
    }

    fn request(&self) -> Result<Request> {
        let only = self.only.iter().map(|text| {
            let pair = text.split_once('=').filter(|(axis, _)| !axis.is_empty());
            let pair = pair.map(|(axis, value)| (axis.to_string(), value.to_string()));
            pair.ok_or_else(|| {
                Error::input(format!(
                    "--only {text}: is no axis with a value; allowed: AXIS=VALUE"
                ))
            })
        });
        Ok(Request {
            name: self.figure.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            facets: self.facet.clone(),
            value: self.value.clone(),
            limit: self.limit,
            only: only.collect::<Result<_>>()?,
            width_mm: self.width,
        })
    }

    /// What was written, with the caption.
    fn report(&self, figure: &Figure, formats: &[(&Path, Format)]) -> Result<()> {
        let files: Vec<String> = formats
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        match self.how.json {
            true => output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "title": figure.title(),
                "caption": figure.caption(),
                "files": files,
            })),
            false => self.how.print(&format!(
                "figure: {}\n\n{}. {}\n",
                files.join(", "),
                figure.title(),
                figure.caption()
            )),
        }
    }

    /// What can be drawn.
    fn list(&self, result: &SweepResult, rows: &[ChipRow]) -> Result<()> {
        let (axes, results) = (figures::axes(result), figures::results(result));
        let figures = figures::of_page(result, rows);
        if self.how.json {
            let axes = axes.iter().map(|(name, values, numeric)| {
                json!({ "name": name, "values": values, "numeric": numeric })
            });
            let figures = figures
                .iter()
                .map(|f| json!({ "name": f.name(), "title": f.title() }));
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "axes": axes.collect::<Vec<_>>(),
                "results": results,
                "figures": figures.collect::<Vec<_>>(),
            }));
        }
        let mut text = String::from("axes (--x, --y, --facet, --only)\n");
        for (name, values, numeric) in &axes {
            let kind = if *numeric { "numbers" } else { "names" };
            text += &format!("  {name:<32} {values} {kind}\n");
        }
        if axes.is_empty() {
            text += "  none: the run has one point\n";
        }
        text += &format!("results (--y, --value)\n  {}\n", results.join(", "));
        text += "figures of the report (--figure)\n";
        for figure in &figures {
            text += &format!("  {:<32} {}\n", figure.name(), figure.title());
        }
        self.how.print(&text)
    }
}
