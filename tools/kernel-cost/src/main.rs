//! `kernel-cost`: what every kernel that `pimento bench` runs costs on a GPU, told without one.
//!
//! Mesa's RADV compiles for AMD GPUs that are not there. This program asks Pimento which kernels the
//! rows of its bench run (`calls`), has them compiled (`spirv`, `radv`), reads the instructions of
//! their loops (`isa`) and says what they leave of a card's peak (`cards`). `figures` keeps the
//! results in the repository and compares. docs/kernel-cost.md says how to read the tables.

mod calls;
mod cards;
mod cost;
mod figures;
mod isa;
mod radv;
mod spirv;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pimento::backend::Kernels;
use pimento::backend::wgpu::PlannedGpu;

/// What went wrong, in words.
type Result<T> = std::result::Result<T, String>;

/// Tell what the kernels of `pimento bench` cost on a GPU, without one
#[derive(Debug, Parser)]
#[command(after_help = "\
Needs Mesa's RADV (Debian: libvulkan1, mesa-vulkan-drivers), no GPU. docs/kernel-cost.md says how to \
read the tables.")]
struct Arguments {
    /// GPU family to compile for, as RADV names it (RADV_FORCE_FAMILY)
    #[arg(long, value_name = "NAME", default_value = "navi21")]
    family: String,

    /// Only the rows of the bench whose name contains TEXT
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Memory that a session may take, GiB
    #[arg(long, value_name = "N", default_value_t = 1)]
    memory: u64,

    /// Kernels for convolutions: tiled and portable take these everywhere, fitting where they are faster
    #[arg(long, value_name = "KIND", default_value = "fitting", value_parser = kernels)]
    kernels: Kernels,

    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,

    /// Write every kernel's WGSL and instructions to this directory
    #[arg(long, value_name = "DIRECTORY")]
    isa: Option<PathBuf>,

    /// Compare with the figures that the repository keeps; fail where a kernel became dearer
    #[arg(long, conflicts_with_all = ["json", "bless", "filter", "kernels"])]
    check: bool,

    /// Keep the figures of this run in the repository
    #[arg(long, conflicts_with_all = ["json", "filter", "kernels"])]
    bless: bool,
}

fn kernels(name: &str) -> Result<Kernels> {
    match name {
        "portable" => Ok(Kernels::Portable),
        "fitting" => Ok(Kernels::Fitting),
        "tiled" => Ok(Kernels::Tiled),
        _ => Err("allowed: portable, fitting, tiled".into()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let compiler = match radv::Compiler::open(&arguments.family) {
        Ok(compiler) => compiler,
        Err(reason) if arguments.check => {
            println!("SKIPPED kernel-cost: {reason}");
            return Ok(());
        }
        Err(reason) => return Err(reason),
    };
    let path = figures::path(&compiler.mesa, &arguments.family);
    if arguments.check && !path.exists() {
        println!(
            "SKIPPED kernel-cost: no figures are kept for Mesa {} and {}",
            compiler.mesa, arguments.family
        );
        return Ok(());
    }
    let gpu = PlannedGpu::new(arguments.memory << 30).with_kernels(arguments.kernels);
    let rows = calls::rows(&arguments.filter, gpu)?;
    let kernels = cost::kernels(&rows, &compiler, arguments.isa.as_deref())?;
    if arguments.check {
        return figures::check(&path, &kernels);
    }
    if arguments.bless {
        return figures::write(&path, &kernels);
    }
    let report = table::Report::new(&compiler, &arguments.family, rows, kernels);
    match arguments.json {
        true => report.print_json(),
        false => {
            print!("{report}");
            Ok(())
        }
    }
}
