//! The command line: one file per subcommand, which parses, calls the library and prints.
//! Results go to standard output, everything else to standard error.
//!
//! It is part of the library so that other programs can have it: the `pimento` program and the Python package call
//! [`run`]. How a backend is named and where images are found is the same for them too ([`backend`], [`images`]).
//!
//! # Examples
//! ```
//! let code = pimento::cli::run(["pimento", "presets", "--quiet"]);
//! assert_eq!(code, 0);
//! ```

mod arrays;
pub mod backend;
mod bench;
mod check;
mod chip;
mod completions;
mod config;
mod demo;
mod design;
mod devices;
mod diff;
mod energy;
mod export;
mod fit;
pub mod images;
mod infer;
mod init;
mod inspect;
mod kernels;
mod log;
mod man;
mod merge;
mod metrics;
mod mvm;
mod options;
mod output;
mod pages;
mod plan;
mod plot;
mod presets;
mod progress;
mod report;
mod signals;
mod slices;
mod snr;
mod sweep;
mod train;
mod worst_case;

pub use check::{Found, found};
pub use inspect::described;
pub use pages::{command_reference, understands};
pub use report::load as load_runs;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use pimento::Error;

const ABOUT: &str = "\
Simulates neural networks on analog in-memory-computing chips.

The weights of a network become conductances of memory cells, and no two chips are fabricated \
alike: every cell deviates (within-chip variation, sigma_W), and so does every chip as a whole \
(between-chip variation, sigma_B). Pimento trains networks that expect it, fabricates thousands \
of chips, lets each of them tune itself, and reports the accuracy over the chips.

An experiment is one TOML file; every run is a pure function of that file and its seed.";

const AFTER: &str = "\
Examples:
  pimento demo                                         two minutes: what variation does, and tuning
  pimento init my.toml                                 an experiment of your own, with comments
  pimento config chip.adc.bits                         what a field means, and what it may be
  pimento presets                                      chips from the literature
  pimento check experiments/self_tuning_fashion.toml   is the file right, and what would it do?
  pimento sweep experiments/self_tuning_fashion.toml   do it: table, chips.csv, report.html
  pimento design experiments/design_digits.toml        the best designs of a space under constraints
  pimento merge shard-1 shard-2 --out all              put the parts of a sweep together
  pimento chip runs/self_tuning_fashion --index 17     one chip of a sweep, measured again
  pimento report runs/before runs/after                several runs on one page
  pimento plot runs/my --x sigma_w --y sigma_b --out map.pdf   a figure for a paper
  pimento diff runs/before runs/after                  what differs, beyond chance?
  pimento worst-case experiments/worst_case_lenet5.toml   the worst chip within a bound
  pimento inspect resnet20.onnx                        a network of yours: what is it?
  pimento infer resnet20.onnx --input x.npy --output y.npy   is it read right?
  pimento mvm chip.toml --weights w.npy --inputs x.npy --output y.npy   one matrix on one chip
  pimento slices runs/self_tuning --accuracy 1000      how sparse are digits, how many bits do converters need?
  pimento fit cells.csv --out device.toml              from measured cells to an experiment file
  pimento devices                                      which adapters are there?
  pimento bench --all                                  and how fast are they?

With --json a failure is a JSON document too: {\"error\": text, \"errors\": list, \"exit_code\": number},
each of the list with code, file, line, field, value, allowed, hint and message (docs/errors.md).

Exit codes:
  0    done
  1    the device failed, or a bug of Pimento
  2    the input is wrong (command line, experiment, data, directories), or too much for the memory
  3    `pimento diff` only: the runs differ
  130  interrupted

Environment:
  PIMENTO_BACKEND    auto, gpu, cpu or all, where --backend does not say
  PIMENTO_DATA       place of the images, where neither --data nor the experiment names one
  PIMENTO_CACHE      directory for compiled kernels, and for decoded images where --cache does not name one
  RAYON_NUM_THREADS  threads of the CPU backend (default: all)
  WGPU_BACKEND       graphics APIs to look for: vulkan, gl, metal, dx12 (a list with commas)
  WGPU_ADAPTER_NAME  adapter to use, any part of its name
  NO_COLOR           no colours when set";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "pimento", version, about = "Simulates neural networks on analog in-memory-computing chips", long_about = ABOUT, after_help = AFTER)]
#[command(arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Config(config::Config),
    Presets(presets::Presets),
    Sweep(sweep::Sweep),
    Design(design::Design),
    Merge(merge::Merge),
    Train(train::Train),
    Chip(chip::Chip),
    Check(check::Check),
    Report(report::Report),
    Plot(plot::Plot),
    Diff(diff::Diff),
    WorstCase(worst_case::WorstCase),
    Inspect(inspect::Inspect),
    Infer(infer::Infer),
    Mvm(mvm::Mvm),
    Slices(slices::Slices),
    Fit(fit::Fit),
    Export(export::Export),
    Devices(devices::Devices),
    Bench(bench::Bench),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Exit code of wrong input, as [`Error::Input`] has.
const INPUT: u8 = 2;

/// Parses a command line, which begins with the program's name, does it, prints errors, and returns the exit code.
pub fn run<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> u8 {
    signals::report_large_files();
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let json = words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--json");
    let command = match Cli::try_parse_from(words) {
        Ok(cli) => cli.command,
        Err(error) => {
            if json && error.use_stderr() {
                let text = error.to_string();
                output::print_json_error(&Error::input(text.trim_end()), error.exit_code());
            }
            // Help that nobody reads any more is no failure.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(INPUT);
        }
    };
    let done = match command {
        Command::Demo(c) => c.run(),
        Command::Init(c) => c.run(),
        Command::Config(c) => c.run(),
        Command::Presets(c) => c.run(),
        Command::Sweep(c) => c.run(),
        Command::Design(c) => c.run(),
        Command::Merge(c) => c.run(),
        Command::Train(c) => c.run(),
        Command::Chip(c) => c.run(),
        Command::Check(c) => c.run(),
        Command::Report(c) => c.run(),
        Command::Plot(c) => c.run(),
        Command::Diff(c) => return ended(c.run(), json),
        Command::WorstCase(c) => c.run(),
        Command::Inspect(c) => c.run(),
        Command::Infer(c) => c.run(),
        Command::Mvm(c) => c.run(),
        Command::Slices(c) => c.run(),
        Command::Fit(c) => c.run(),
        Command::Export(c) => c.run(),
        Command::Devices(c) => c.run(),
        Command::Bench(c) => return ended(c.run(), json),
        Command::Completions(c) => c.run(),
        Command::Man(c) => c.run(),
    };
    ended(done.map(|()| 0), json)
}

/// The exit code of a command; an error is printed.
fn ended(done: pimento::Result<u8>, json: bool) -> u8 {
    match done {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error);
            if json {
                output::print_json_error(&error, error.exit_code().into());
            }
            error.exit_code()
        }
    }
}

/// The file that a name of an array means: an NPY file, or an NPZ file before `:` and the array's name.
fn array_files(name: &Path) -> Vec<PathBuf> {
    let mut files = vec![name.to_path_buf()];
    let text = name.to_string_lossy();
    files.extend(text.rsplit_once(':').map(|(file, _)| PathBuf::from(file)));
    files
}

/// The command line, for provenance; arguments with blanks are quoted.
fn command_line() -> String {
    let words = std::env::args_os().map(|word| {
        let word = word.to_string_lossy().into_owned();
        match word.is_empty() || word.contains(char::is_whitespace) {
            true => format!("{word:?}"),
            false => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
