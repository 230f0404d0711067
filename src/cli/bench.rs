//! `pimento bench`.

use clap::Args;
use pimento::backend::cpu::CpuBackend;
use pimento::bench::{self, BenchOptions, BenchReport, Failure, Target};
use pimento::{Error, Result};

use super::backend::BackendArgs;
use super::options::OutputArgs;
use super::output;
use super::progress::Terminal;

/// Measure what this machine does with Pimento's work, and its share of what it can do at most
#[derive(Debug, Args)]
#[command(after_help = "\
Rows have stable names, so that the --json of several machines can be compared. `peak/fma` and \
`peak/copy` are what the adapter can do at most, measured by kernels that do nothing else; every \
other row says which share of it is reached. Run it on a machine that does nothing else.

Examples:
  pimento bench                           what --backend auto would take
  pimento bench --all --json > mine.json  the CPU and every adapter
  pimento bench --quick --filter lenet5
  pimento bench --adapter llvmpipe")]
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
}

impl Bench {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
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
