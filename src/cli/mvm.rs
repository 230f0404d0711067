//! `pimento mvm`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pimento::config::{Experiment, Fidelity};
use pimento::data::npy::{Values, read_npy};
use pimento::energy::Interval;
use pimento::files::{self, outputs};
use pimento::network::npy;
use pimento::sweep::mvm::{self, Answer, Matrix, Problem};
use pimento::{Error, Result};
use serde_json::json;

use super::backend::BackendArgs;
use super::options::OutputArgs;
use super::output;

/// Multiply one matrix with input vectors on one simulated chip, every stage visible
#[derive(Debug, Args)]
#[command(after_help = "\
CHIP.toml is an experiment file; its [chip], [variation], [tuning], [quantize] and seed are used. Weights \
(N, K) are quantized to quantize.weight_bits, inputs (B, K) to quantize.activation_bits (quantize.input_bits, \
which images have, must be set as for a sweep, and is not used); outputs are (B, N). With --conductances the cells are given instead, (cell planes, N, K) relative to G_max: of a \
differential pair the positive cells of slice 0, its negative cells, then slice 1, ... A reference \
column (offset) is not given: its cells are nominal. [tuning] must be \"none\" there.

Stages go to files beside the output, OUTPUT.STAGE.npy:
  input-codes   (B, K)
  weight-codes  (N, K)
  conductances  (planes, N, K), what a converter's plane holds, in levels
  partial-sums  (B, planes, N, row tiles, conversions), what the converters see, in levels
  codes         (B, planes, N, row tiles, conversions), what they say
  ranges        (planes, N, 2), their step and the value of code 0, in levels
  clipped       (B, N), conversions beyond the range
  ideal         (B, N), the exact product of the codes (not of given conductances)

Ranges that are to be calibrated are calibrated on the inputs themselves. With a section [energy] the energy of the products is \
printed.

Examples:
  pimento mvm chip.toml --weights w.npy --inputs x.npy --output y.npy --tap all
  pimento mvm chip.toml --weights w.npy --inputs x.npy --output y.npy --chip 17 --weight-max 1 --input-max 1
  pimento mvm chip.toml --conductances g.npy --inputs v.npy --output i.npy")]
pub struct Mvm {
    /// Experiment file whose chip is used
    #[arg(value_name = "CHIP.toml")]
    chip_file: PathBuf,

    /// Weights (N, K)
    #[arg(
        long,
        value_name = "W.npy",
        required_unless_present = "conductances",
        conflicts_with = "conductances"
    )]
    weights: Option<PathBuf>,

    /// Conductances (cell planes, N, K), relative to G_max, instead of weights
    #[arg(long, value_name = "G.npy")]
    conductances: Option<PathBuf>,

    /// Inputs (B, K), or (K)
    #[arg(long, value_name = "X.npy")]
    inputs: PathBuf,

    /// Outputs to write, (B, N)
    #[arg(long, value_name = "Y.npy")]
    output: PathBuf,

    /// Replace the files of --output and --tap if they exist
    #[arg(long)]
    force: bool,

    /// Chip to use
    #[arg(long, value_name = "K", default_value_t = 0)]
    chip: u32,

    /// Stage to write too; may be given several times
    #[arg(long, value_name = "STAGE", value_enum)]
    tap: Vec<Tap>,

    /// Magnitude that the highest weight code stands for [default: that of the largest weight]
    #[arg(long, value_name = "W", value_parser = positive)]
    weight_max: Option<f32>,

    /// Magnitude that the highest input code stands for [default: that of the largest input]
    #[arg(long, value_name = "X", value_parser = positive)]
    input_max: Option<f32>,

    /// Signed input codes although no input is negative
    #[arg(long)]
    signed: bool,

    /// Seed of all random numbers, instead of the file's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    seed: Option<u64>,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    how: OutputArgs,
}

/// A stage that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tap {
    InputCodes,
    WeightCodes,
    Conductances,
    PartialSums,
    Codes,
    Ranges,
    Clipped,
    Ideal,
    All,
}

fn positive(text: &str) -> std::result::Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("a finite number above 0 is needed".into()),
    }
}

impl Mvm {
    /// Reads, computes, writes.
    pub fn run(&self) -> Result<()> {
        let mut experiment = Experiment::load(&self.chip_file)?;
        if experiment.fidelity != Fidelity::Cell {
            return Err(Error::input(format!(
                "{}: fidelity = \"{}\" has no arrays; allowed for `pimento mvm`: \"cell\"",
                self.chip_file.display(),
                experiment.fidelity
            )));
        }
        if let Some(seed) = self.seed {
            experiment.seed = seed;
        }
        let (input_shape, inputs) = floats(&self.inputs)?;
        let (vectors, n_in) = match input_shape[..] {
            [k] => (1, k),
            [b, k] => (b, k),
            _ => return Err(shape_error(&self.inputs, &input_shape, "(B, K) or (K)")),
        };
        if vectors == 0 || n_in == 0 {
            return Err(Error::input(format!(
                "{}: {vectors} vectors of {n_in} inputs; allowed: at least 1 of each",
                self.inputs.display()
            )));
        }
        let (matrix, n_out) = self.matrix(&experiment, n_in)?;
        self.check_outputs(&experiment)?;
        let problem = Problem {
            matrix,
            size: (n_out, n_in),
            inputs,
            weight_max: self.weight_max,
            input_max: self.input_max,
            signed: self.signed.then_some(true),
        };
        let backend = self.backend.open()?;
        let answer = mvm::solve(&*backend, &experiment, &problem, self.chip)?;
        let written = self.write(&answer, (vectors, n_out, n_in))?;
        self.report(&experiment, &answer, &written, vectors)
    }

    /// The matrix and its outputs.
    fn matrix(&self, experiment: &Experiment, n_in: usize) -> Result<(Matrix, usize)> {
        if let Some(path) = &self.conductances {
            let (shape, g) = floats(path)?;
            let slices = experiment
                .chip
                .cells
                .slices(experiment.quantize.weight_bits);
            let polarities = match experiment.chip.cells.encoding {
                pimento::config::chip::CellEncoding::Differential => 2,
                pimento::config::chip::CellEncoding::Offset => 1,
            };
            let planes = slices.len() * polarities;
            if let Some(i) = g.iter().position(|g| !(*g >= 0.0 && g.is_finite())) {
                return Err(Error::input(format!(
                    "{}: value {} at position {i}; allowed: finite conductances of at least 0",
                    path.display(),
                    g[i]
                )));
            }
            return match shape[..] {
                [_, 0, _] => Err(no_outputs(path)),
                [p, n, k] if p == planes && k == n_in => Ok((Matrix::Conductances(g), n)),
                _ => Err(shape_error(
                    path,
                    &shape,
                    &format!("({planes}, N, {n_in}): cell planes, outputs, inputs"),
                )),
            };
        }
        // clap asks for one of the two.
        let path = self.weights.as_deref().unwrap_or(Path::new(""));
        let (shape, w) = floats(path)?;
        match shape[..] {
            [0, _] => Err(no_outputs(path)),
            [n, k] if k == n_in => Ok((Matrix::Weights(w), n)),
            _ => Err(shape_error(path, &shape, &format!("(N, {n_in})"))),
        }
    }

    /// Whether a stage is to be written: because it was asked for, or with all others.
    fn taps(&self, tap: Tap) -> bool {
        self.tap.contains(&tap) || self.tap.contains(&Tap::All)
    }

    /// Whether there are these stages with this chip and matrix.
    fn has(&self, tap: Tap, experiment: &Experiment) -> bool {
        let weights = self.conductances.is_none();
        match tap {
            Tap::WeightCodes | Tap::Ideal => weights,
            Tap::Codes | Tap::Ranges => experiment.chip.adc.converts(),
            _ => true,
        }
    }

    /// Refuses stages that do not exist and files that cannot be written, before any is.
    fn check_outputs(&self, experiment: &Experiment) -> Result<()> {
        for tap in &self.tap {
            if !self.has(*tap, experiment) {
                let name = tap.to_possible_value();
                let name = name.as_ref().map_or("", |v| v.get_name());
                return Err(Error::input(format!(
                    "--tap {name}: there is no such stage (no converters, or conductances instead of weights)"
                )));
            }
        }
        let mut inputs = vec![self.chip_file.clone()];
        let arrays = [&self.weights, &self.conductances].into_iter().flatten();
        for array in arrays.chain([&self.inputs]) {
            inputs.extend(super::array_files(array));
        }
        let check = |path: &Path| {
            files::check_destination(path)?;
            outputs::check(path, &inputs, self.force, "--output")
        };
        check(&self.output)?;
        let written = Tap::value_variants()
            .iter()
            .filter(|tap| **tap != Tap::All && self.taps(**tap) && self.has(**tap, experiment));
        for value in written.filter_map(ValueEnum::to_possible_value) {
            check(&stage(&self.output, value.get_name()))?;
        }
        Ok(())
    }

    fn write(
        &self,
        a: &Answer,
        (b, n, k): (usize, usize, usize),
    ) -> Result<Vec<(String, PathBuf, Vec<usize>)>> {
        let mut written = vec![];
        let mut put = |name: &str, path: PathBuf, shape: &[usize], values: &[f32]| {
            npy::write(&path, shape, values)?;
            written.push((name.to_string(), path, shape.to_vec()));
            Ok::<(), Error>(())
        };
        let planes = a.arrays.read_planes();
        let sums = [b, planes, n, a.arrays.row_tiles(), a.conversions];
        let stages: [(Tap, &str, &[usize], &[f32]); 8] = [
            (Tap::InputCodes, "input-codes", &[b, k], &a.input_codes),
            (Tap::WeightCodes, "weight-codes", &[n, k], &a.weight_codes),
            (
                Tap::Conductances,
                "conductances",
                &[planes, n, k],
                &a.planes,
            ),
            (Tap::PartialSums, "partial-sums", &sums, &a.sums),
            (Tap::Codes, "codes", &sums, &a.codes),
            (Tap::Ranges, "ranges", &[planes, n, 2], &a.ranges),
            (Tap::Clipped, "clipped", &[b, n], &a.clipped),
            (Tap::Ideal, "ideal", &[b, n], &a.ideal),
        ];
        for (tap, name, shape, values) in stages {
            // Of all that there is, what there is.
            if self.taps(tap) && !values.is_empty() {
                put(name, stage(&self.output, name), shape, values)?;
            }
        }
        put("output", self.output.clone(), &[b, n], &a.outputs)?;
        Ok(written)
    }

    fn report(
        &self,
        experiment: &Experiment,
        a: &Answer,
        written: &[(String, PathBuf, Vec<usize>)],
        vectors: usize,
    ) -> Result<()> {
        // Conductances have no codes, and so no exact product.
        let errors = (!a.ideal.is_empty()).then(|| {
            let error = |of: fn(f64, f64) -> f64| {
                let pairs = a.outputs.iter().zip(&a.ideal);
                pairs.fold(0.0, |m, (y, i)| of(m, f64::from(y - i)))
            };
            let squares = error(|m, e| m + e * e) / a.outputs.len().max(1) as f64;
            (error(|m, e| m.max(e.abs())), squares.sqrt())
        });
        let conversions = a.arrays.converters() * a.conversions * vectors;
        let converts = !a.ranges.is_empty();
        let clipped: f64 = a.clipped.iter().map(|c| f64::from(*c)).sum();
        if self.how.json {
            let files: serde_json::Map<String, serde_json::Value> = written
                .iter()
                .map(|(name, path, shape)| {
                    (
                        name.clone(),
                        json!({"file": path.display().to_string(), "shape": shape}),
                    )
                })
                .collect();
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "seed": experiment.seed,
                "chip": self.chip,
                "weight_step": a.steps.0,
                "input_step": a.steps.1,
                "row_tiles": a.arrays.row_tiles(),
                "column_tiles": a.arrays.col_tiles(),
                "read_planes": a.arrays.read_planes(),
                "cells": a.arrays.cells(),
                "conversions": if converts { conversions } else { 0 },
                "clipped": if converts { Some(clipped) } else { None },
                "max_error": errors.map(|e| e.0),
                "rms_error": errors.map(|e| e.1),
                "energy": a.energy,
                "files": files,
            }));
        }
        let mut text = format!(
            "{} x {} cells a plane in {} x {} arrays, {} read planes\n",
            a.arrays.rows,
            a.arrays.cols,
            a.arrays.row_tiles(),
            a.arrays.col_tiles(),
            a.arrays.read_planes()
        );
        if converts {
            text += &format!("{conversions} conversions, {clipped} beyond their range\n");
        }
        if let Some((most, rms)) = errors {
            text += &format!(
                "difference from the exact product of the codes: rms {rms:.4e}, largest {most:.4e}\n"
            );
        }
        if let Some(energy) = &a.energy {
            let mean = energy.arrays_pj.iter().sum::<f64>() / vectors as f64;
            let all = energy.others_pj + Interval::one(mean);
            text += &format!(
                "energy of a vector: arrays {mean:.4} pJ in the mean, all parts {:.4} to {:.4} pJ\n",
                all.low, all.high
            );
        }
        for (name, path, shape) in written {
            let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
            text += &format!("{name}: {} ({})\n", path.display(), shape.join(", "));
        }
        self.how.print(&text)
    }
}

/// `y.npy` and `codes`: `y.codes.npy`.
fn stage(output: &Path, name: &str) -> PathBuf {
    output.with_extension(format!("{name}.npy"))
}

fn floats(path: &Path) -> Result<(Vec<usize>, Vec<f32>)> {
    let array = read_npy(path)?;
    let values = match array.values {
        Values::Floats(v) => v,
        Values::Bytes(v) => v.into_iter().map(f32::from).collect(),
        Values::Integers(v) => v.into_iter().map(|v| v as f32).collect(),
    };
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::input(format!(
            "{}: value {} at position {i}; allowed: finite numbers",
            path.display(),
            values[i]
        )));
    }
    Ok((array.shape, values))
}

fn no_outputs(path: &Path) -> Error {
    Error::input(format!(
        "{}: a matrix with 0 outputs; allowed: at least 1",
        path.display()
    ))
}

fn shape_error(path: &Path, shape: &[usize], allowed: &str) -> Error {
    Error::input(format!(
        "{}: an array of shape {shape:?}; allowed: {allowed}",
        path.display()
    ))
}
