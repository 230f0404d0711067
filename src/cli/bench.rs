//! `pimento bench`.

use std::path::{Path, PathBuf};

use clap::Args;
use pimento::backend::cpu::CpuBackend;
use pimento::bench::{self, BenchOptions, BenchReport, Comparison, Failure, Target};
use pimento::{Error, Result};

use super::backend::BackendArgs;
use super::options::OutputArgs;
use super::output;
use super::progress::Terminal;

/// Exit code where a row is slower.
const SLOWER: u8 = 3;

/// Measure what this machine does with Pimento's work, and its share of what it can do at most
#[derive(Debug, Args)]
#[command(after_help = "\
Rows have stable names, so that the --json of several machines can be compared. `peak/fma` and \
`peak/copy` are what the adapter can do at most, measured by kernels that do nothing else; every \
other row says which share of it is reached. Run it on a machine that does nothing else.

--compare measures nothing: it reads reports that --json wrote, A B or in alternation A B A B ..., and \
gives for every row the rate of B over that of A. With two pairs or more it has an interval, and the exit \
code is 3 where a row is slower beyond --tolerance by the whole interval. Fifteen pairs resolve some percent \
on a quiet machine.

Examples:
  pimento bench                           what --backend auto would take
  pimento bench --all --json > mine.json  the CPU and every adapter
  pimento bench --quick --filter lenet5
  pimento bench --adapter llvmpipe
  pimento bench --compare mine.json yours.json")]
pub struct Bench {
    /// Little work and few repeats: seconds instead of a minute, good to a factor of two
    #[arg(long)]
    quick: bool,

    #[command(flatten)]
    how: OutputArgs,

    /// Measure the CPU and every adapter, software ones too, whatever --backend says
    #[arg(long, conflicts_with = "adapter")]
    all: bool,

    /// Measure only rows whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    #[command(flatten)]
    backend: BackendArgs,

    /// Compare reports instead of measuring: A B, or pairs in alternation
    #[arg(long, value_name = "FILE", num_args = 2.., conflicts_with_all = ["all", "quick", "filter"])]
    compare: Vec<PathBuf>,

    /// With --compare: difference in percent that does not matter
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0, requires = "compare",
        value_parser = percent)]
    tolerance: f64,
}

impl Bench {
    /// Measures or compares, and prints.
    pub fn run(&self) -> Result<u8> {
        match self.compare.is_empty() {
            true => self.measure().map(|()| 0),
            false => self.comparison(),
        }
    }

    fn comparison(&self) -> Result<u8> {
        let reports: Result<Vec<_>> = self.compare.iter().map(|path| read(path)).collect();
        let comparison = Comparison::of(&reports?, self.tolerance / 100.0)?;
        match self.how.json {
            true => output::print_json(&comparison)?,
            false => self.how.print(&comparison.table())?,
        }
        Ok(match comparison.is_slower() {
            true => SLOWER,
            false => 0,
        })
    }

    fn measure(&self) -> Result<()> {
        let (targets, unopened) = if self.all {
            every_target()
        } else {
            let backend = self.backend.open_measurable()?;
            (vec![Target { backend }], vec![])
        };
        let options = BenchOptions {
            quick: self.quick,
            filter: self.filter.clone(),
        };
        let mut report = bench::run(&targets, &options, &Terminal::new(self.how.quiet))?;
        report.failures.extend(unopened);
        self.print(&report)?;
        match report.failures.len() {
            0 => Ok(()),
            n => Err(Error::device(format!(
                "{n} of the measurements failed, see above"
            ))),
        }
    }

    fn print(&self, report: &BenchReport) -> Result<()> {
        match self.how.json {
            true => output::print_json(report),
            false => self.how.print(&report.table()),
        }
    }
}

/// A percentage of a tolerance.
fn percent(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if (0.0..100.0).contains(&v) => Ok(v),
        _ => Err("allowed: 0 to below 100".into()),
    }
}

/// A report that `--json` wrote.
fn read(path: &Path) -> Result<BenchReport> {
    let failed = |why: String| Error::input(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    serde_json::from_str(&text)
        .map_err(|e| failed(format!("not a report of `pimento bench --json`: {e}")))
}

/// The CPU and all adapters, and those that cannot be opened.
fn every_target() -> (Vec<Target>, Vec<Failure>) {
    let mut targets = vec![Target {
        backend: Box::new(CpuBackend::new()),
    }];
    let mut failures = vec![];
    for (adapter, opened) in adapters() {
        match opened {
            Ok(target) => targets.push(target),
            Err(error) => failures.push(Failure {
                name: "all rows".into(),
                adapter,
                error: error.to_string(),
            }),
        }
    }
    (targets, failures)
}

#[cfg(feature = "gpu")]
fn adapters() -> Vec<(String, Result<Target>)> {
    let target = |gpu| Target {
        backend: Box::new(gpu),
    };
    pimento::backend::wgpu::WgpuBackend::open_all()
        .into_iter()
        .map(|(name, opened)| (name, opened.map(target)))
        .collect()
}

#[cfg(not(feature = "gpu"))]
fn adapters() -> Vec<(String, Result<Target>)> {
    vec![]
}
