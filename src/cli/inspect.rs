//! `pimento inspect`.

use std::path::PathBuf;

use clap::Args;
use pimento::backend::Backend;
use pimento::config::{Experiment, Fidelity};
use pimento::network::file::Loaded;
use pimento::network::graph::{Layer, Node};
use pimento::sweep::snr::Report;
use pimento::{Error, Result};
use serde_json::{Value, json};

use super::backend::BackendArgs;
use super::options::{ModelArgs, OutputArgs, point};
use super::output;
use super::progress::Terminal;
use super::slices::with_network;
use super::snr::SnrArgs;
use super::{arrays, energy, kernels, snr};

/// Memory cells for one weight in differential mapping.
const CELLS_PER_WEIGHT: usize = 2;

/// Show a network: layers, shapes, parameters, work, and the crossbars it needs
#[derive(Debug, Args)]
#[command(after_help = "\
A layer on crossbars has one column for every output channel and one row for every input that is \
summed into it, once for every group of channels; a signed weight takes two cells (the differential \
mapping). Everything else is computed digitally.

Examples:
  pimento inspect resnet20.onnx
  pimento inspect resnet20.onnx --fold-batch-norm
  pimento inspect resnet20.onnx --plan chip.toml
  pimento inspect fashion.safetensors --plan my.toml --snr --snr-chips 20
  pimento inspect fashion.safetensors --json")]
pub struct Inspect {
    #[command(flatten)]
    model: ModelArgs,

    /// Show how each layer will be simulated instead, on a graphics adapter by which kernels, and with
    /// fidelity = "cell" the arrays of the chip: an experiment file, of which [chip], [quantize], [layer]
    /// and [energy] are used; with [energy] also energy, time and area of every layer and part
    #[arg(long, value_name = "CHIP.toml")]
    plan: Option<PathBuf>,

    #[command(flatten)]
    snr: SnrArgs,

    /// With --snr: point of the grid of CHIP.toml (see `pimento check`)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "snr")]
    point: usize,

    #[command(flatten)]
    backend: BackendArgs,

    #[command(flatten)]
    how: OutputArgs,
}

/// What is shown of a node.
struct Row {
    name: String,
    kind: &'static str,
    inputs: Vec<String>,
    shape: (usize, usize, usize),
    parameters: usize,
    macs: usize,
    /// `(groups, rows, columns)` of the crossbars.
    array: Option<(usize, usize, usize)>,
    cells: usize,
}

impl Inspect {
    /// Prints the table.
    pub fn run(&self) -> Result<()> {
        let network = self.model.load()?;
        if self.snr.snr && self.plan.is_none() {
            return Err(Error::input(
                "--snr: a network alone has no chips and no images; allowed: --plan EXPERIMENT.toml beside it",
            ));
        }
        if let Some(chip) = &self.plan {
            return self.plan(&network, &Experiment::load(chip)?);
        }
        if self.how.json {
            return output::print_json(&described(&network));
        }
        self.how.print(&table(&network, &rows(&network)))
    }

    /// Prints how the layers are simulated on the chip of an experiment.
    fn plan(&self, network: &Loaded, experiment: &Experiment) -> Result<()> {
        let backend = self.backend.open()?;
        let (mut document, mut text) = match experiment.fidelity {
            Fidelity::Cell => {
                let plan = arrays::Plan::new(network, experiment, &*backend)?;
                let mut text = aligned(&plan.lines(), 1, plan.numbers());
                if let Some(chip) = &plan.energy {
                    text += &energy::text(chip);
                }
                (plan.json(), text)
            }
            Fidelity::Weight => {
                let plan = kernels::Plan::new(network, experiment, &*backend)?;
                (plan.json(), aligned(&plan.lines(), 1, 5))
            }
        };
        if self.snr.snr {
            let ratios = self.ratios(experiment, &*backend)?;
            document["snr"] = snr::json(&ratios)?;
            text += &format!("\n{}", snr::text(&ratios));
        }
        match self.how.json {
            true => output::print_json(&document),
            false => self.how.print(&text),
        }
    }

    /// Measures signal-to-noise ratios of the network on chips of a point of an experiment.
    fn ratios(&self, experiment: &Experiment, backend: &dyn Backend) -> Result<Report> {
        let experiment = point(experiment, self.point)?.experiment;
        let sizes = self.model.input_shape.iter().map(|&n| n as usize);
        let how = (self.model.fold_batch_norm, sizes.collect());
        let experiment = with_network(&experiment, &self.model.model, how)?;
        let terminal = Terminal::new(self.how.quiet);
        self.snr.of_experiment(backend, experiment, &terminal)
    }
}

fn rows(network: &Loaded) -> Vec<Row> {
    let nodes = network.graph.nodes.iter();
    nodes.map(|node| row(network, node)).collect()
}

/// The layers of a network with their parameters and work: what `pimento inspect --json` prints.
pub fn described(network: &Loaded) -> Value {
    document(network, &rows(network))
}

fn row(network: &Loaded, node: &Node) -> Row {
    let prefix = format!("{}.", node.name);
    let own = |name: &str| name.strip_prefix(&prefix).is_some_and(|p| !p.contains('.'));
    let tensors = network.parameters.tensors.iter();
    let (mut macs, mut array, mut cells) = (0, None, 0);
    if let Layer::Conv { geo, .. } = &node.layer {
        macs = geo.macs();
        array = Some((geo.groups, geo.rows(), geo.c_out / geo.groups));
        cells = CELLS_PER_WEIGHT * geo.weights();
    }
    let nodes = &network.graph.nodes;
    Row {
        name: node.name.clone(),
        kind: node.layer.kind(),
        inputs: node.inputs.iter().map(|&i| nodes[i].name.clone()).collect(),
        shape: node.shape,
        parameters: tensors
            .filter(|(name, _)| own(name))
            .map(|(_, t)| t.data.len())
            .sum(),
        macs,
        array,
        cells,
    }
}

fn document(network: &Loaded, rows: &[Row]) -> Value {
    let nodes: Vec<Value> = rows
        .iter()
        .map(|r| {
            let array = r.array.map(
                |(groups, rows, columns)| json!({"groups": groups, "rows": rows, "columns": columns}),
            );
            json!({
                "name": r.name,
                "kind": r.kind,
                "inputs": r.inputs,
                "shape": [r.shape.0, r.shape.1, r.shape.2],
                "parameters": r.parameters,
                "macs": r.macs,
                "crossbar": array,
                "cells": r.cells,
            })
        })
        .collect();
    json!({
        "pimento": env!("CARGO_PKG_VERSION"),
        "name": network.graph.name,
        "weight_bits": network.numerics.weight_bits,
        "activation_bits": network.numerics.act_bits,
        "layers": own_formats(network),
        "nodes": nodes,
        "total": {
            "parameters": total(rows, |r| r.parameters),
            "crossbar_layers": network.graph.crossbars().len(),
            "weights": network.graph.weights(),
            "macs": network.graph.macs(),
            "cells": total(rows, |r| r.cells),
        },
    })
}

/// Layers with number formats of their own.
fn own_formats(network: &Loaded) -> Value {
    let own = network.numerics.own.iter().flat_map(|own| own.iter());
    let own = own.map(|(name, n)| {
        json!({
            "name": name,
            "weight_bits": n.weight_bits,
            "activation_bits": n.act_bits,
            "input_bits": n.input_bits,
        })
    });
    own.collect()
}

fn total(rows: &[Row], of: impl Fn(&Row) -> usize) -> usize {
    rows.iter().map(of).sum()
}

fn table(network: &Loaded, rows: &[Row]) -> String {
    let count = |n: usize| if n == 0 { String::new() } else { grouped(n) };
    let titles = [
        "node",
        "kind",
        "output",
        "parameters",
        "MACs",
        "rows x columns",
        "cells",
    ];
    let mut lines = vec![titles.map(String::from).to_vec()];
    for r in rows {
        let (c, h, w) = r.shape;
        let array = r.array.map(|(groups, rows, columns)| match groups {
            1 => format!("{rows} x {columns}"),
            _ => format!("{groups} of {rows} x {columns}"),
        });
        lines.push(vec![
            r.name.clone(),
            r.kind.to_string(),
            format!("{c} x {h} x {w}"),
            count(r.parameters),
            count(r.macs),
            array.unwrap_or_default(),
            count(r.cells),
        ]);
    }
    let crossbars = network.graph.crossbars().len();
    lines.push(vec![
        "total".into(),
        format!("{crossbars} on crossbars"),
        String::new(),
        count(total(rows, |r| r.parameters)),
        count(network.graph.macs()),
        String::new(),
        count(total(rows, |r| r.cells)),
    ]);
    let mut text = format!("{}\n", network.graph.name);
    text += &aligned(&lines, 3, 7);
    let n = &network.numerics;
    if n.weight_bits > 0 || n.act_bits > 0 {
        text += &format!(
            "quantized: {} bits for weights, {} for activations (0 for none)\n",
            n.weight_bits, n.act_bits
        );
    }
    for (name, n) in n.own.iter().flat_map(|own| own.iter()) {
        text += &format!(
            "{name}: {} bits for weights, {} for activations, {} for images\n",
            n.weight_bits, n.act_bits, n.input_bits
        );
    }
    text + "cells: two for a weight (differential mapping)\n"
}

/// Lines with a title and a total, in columns: the first `left` and those from `text` on to the
/// left, numbers to the right.
pub(super) fn aligned(lines: &[Vec<String>], left: usize, text: usize) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |i: usize| {
        lines
            .iter()
            .map(|l| l[i].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at == 1 || at + 1 == lines.len() {
            out += &format!("{}\n", rule.join("  "));
        }
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, &w))| match i < left || i >= text {
                true => format!("{cell:<w$}"),
                false => format!("{cell:>w$}"),
            })
            .collect();
        out += &format!("{}\n", cells.join("  ").trim_end());
    }
    out
}

/// A number with its digits in groups of three.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}
