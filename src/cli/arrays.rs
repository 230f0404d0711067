//! `pimento inspect --plan`: which arrays a network needs, and how each layer will be simulated.

use bytesize::ByteSize;
use pimento::Result;
use pimento::backend::Backend;
use pimento::chip::layer::Route;
use pimento::config::Experiment;
use pimento::mapping::Counts;
use pimento::network::Graph;
use pimento::network::file::Loaded;
use pimento::network::lower::inference::Chips;
use pimento::network::state::Part;
use pimento::program::{ConvGeometry, Products, Storage, Winograd};
use pimento::setup::{self, ChipEstimate};
use pimento::tuning::cells::{added_columns, tune};
use serde_json::{Value, json};

use super::{energy, kernels};

/// A layer on arrays.
struct Row {
    /// Position among the crossbar layers.
    index: usize,
    name: String,
    /// Bits of a weight, of an input, and of the converters, lowest slice first; no converter: 0.
    bits: [u32; 2],
    adc_bits: Vec<u32>,
    rows: usize,
    cols: usize,
    tiles: (usize, usize),
    slices: String,
    steps: usize,
    counts: Counts,
    /// Tiles that are filled, where the layer has a layout of its own.
    laid: Option<Laid>,
    route: Route,
    products: Products,
    /// How conductances are kept, and what a chip takes while images are evaluated.
    storage: Storage,
    bytes: usize,
}

/// A layout of a layer.
#[derive(Clone, Copy)]
enum Laid {
    /// Arrays that hold anything.
    Arrays(usize),
    /// The network has no codes yet.
    Unknown,
}

impl Laid {
    /// Arrays, where they are known.
    fn arrays(self) -> Option<usize> {
        match self {
            Laid::Arrays(n) => Some(n),
            Laid::Unknown => None,
        }
    }
}

/// A layer that is executed digitally.
struct Digital {
    /// Position among the crossbar layers.
    index: usize,
    name: String,
    /// Bits of a weight and of an input.
    bits: [u32; 2],
    products: Products,
}

/// The plan of a network on the chip of an experiment file.
pub struct Plan {
    rows: Vec<Row>,
    digital: Vec<Digital>,
    /// Of every crossbar layer, where the backend has several kinds.
    kernels: Vec<String>,
    /// Energy, latency and area, where the experiment has a section `[energy]`.
    pub energy: Option<ChipEstimate>,
}

/// Bits for people.
pub fn in_bits(bits: u32) -> String {
    match bits {
        0 => "float".into(),
        bits => format!("{bits} bits"),
    }
}

/// Whether the weights of a network have codes, and so a layout: one that was not trained here has none.
fn has_codes(network: &Loaded, graph: &Graph) -> bool {
    let has_steps = |(id, ..): &(usize, ConvGeometry, bool)| {
        let name = Part::WeightStep.of(&graph.nodes[*id].name);
        network.parameters.tensors.contains_key(&name)
    };
    graph.crossbars().iter().all(has_steps)
}

/// How the products of a layer are summed.
fn products(geo: &ConvGeometry) -> Products {
    match Winograd::forward(geo) {
        Some(_) => Products::Winograd,
        None => Products::Direct,
    }
}

/// A route for people.
fn worded(route: &str, products: Products) -> String {
    match products {
        Products::Winograd => format!("{route}, by Winograd's algorithm"),
        Products::Direct => route.into(),
    }
}

/// Bits of converters for people.
fn converter(bits: &[u32]) -> String {
    let all: Vec<String> = bits.iter().map(u32::to_string).collect();
    match bits {
        [0] => "none".into(),
        [_] => format!("{} bits", all[0]),
        _ => format!("{} bits", all.join("+")),
    }
}

/// Bits of converters, a list only where slices have their own.
fn one_or_all(bits: &[u32]) -> Value {
    match bits {
        [one] => json!(one),
        all => json!(all),
    }
}

/// Bytes for people.
fn memory(bytes: usize) -> String {
    ByteSize::b(bytes as u64).display().iec().to_string()
}

impl Plan {
    /// Maps every crossbar layer.
    ///
    /// # Errors
    /// A chip that the network does not fit; a network that does not fit the backend.
    pub fn new(network: &Loaded, experiment: &Experiment, backend: &dyn Backend) -> Result<Self> {
        let graph = network.graph.simplified().without_final_softmax();
        // Where only the images could tell, a mean is most often subtracted from them.
        let signed = experiment.data.signed_images().unwrap_or(true);
        let settings = setup::layers(experiment, &graph)?;
        let numerics = setup::numerics(experiment, &settings, signed);
        let mut layers = setup::cell_layers(&settings, &graph, &numerics)?;
        let has_codes = has_codes(network, &graph);
        if has_codes {
            setup::lay_out(&mut layers, &settings, (&graph, &network.parameters))?;
        }
        tune(&mut layers, &experiment.tuning)?;
        let columns = added_columns(&experiment.tuning);
        let crossbars = graph.crossbars();
        let bits = |(id, geo, _): (usize, ConvGeometry, bool)| {
            let node = &graph.nodes[id];
            let n = numerics.of(&node.name);
            let input = n.input_bits_of(&graph, node.inputs[0], &geo);
            (node.name.clone(), [n.weight_bits, input])
        };
        let digital = settings.iter().enumerate().filter(|(_, own)| own.digital);
        let digital = digital.map(|(index, _)| {
            let (name, bits) = bits(crossbars[index]);
            let products = products(&crossbars[index].1);
            Digital {
                index,
                name,
                bits,
                products,
            }
        });
        let digital = digital.collect();
        let rows = layers.iter().map(|layer| {
            let (_, geo, _) = crossbars[layer.index()];
            let own = &settings[layer.index()];
            let arrays = &layer.programming.arrays;
            let slices: Vec<String> = arrays.slice_bits.iter().map(u8::to_string).collect();
            let (name, bits) = bits(crossbars[layer.index()]);
            Row {
                index: layer.index(),
                name,
                bits,
                adc_bits: own.chip.adc.bits.each().to_vec(),
                rows: arrays.rows,
                cols: arrays.cols,
                tiles: (arrays.row_tiles(), arrays.col_tiles()),
                slices: slices.join("+"),
                steps: layer.reading.dac.steps(),
                counts: Counts::new(
                    arrays,
                    &own.chip.array,
                    &layer.reading.dac,
                    &geo,
                    if own.tuned { columns } else { 0 },
                ),
                laid: layer.layout.as_ref().map(|layout| match has_codes {
                    true => Laid::Arrays(layout.tiles * arrays.cell_planes()),
                    false => Laid::Unknown,
                }),
                route: Route::of(layer),
                products: match Route::of(layer) {
                    Route::Product => products(&geo),
                    Route::Counting | Route::Arrays => Products::Direct,
                },
                storage: layer.kept(),
                bytes: layer.bytes(),
            }
        });
        let chips = Chips::Cell {
            layers: &layers,
            taps: &[],
            count_clips: false,
        };
        Ok(Self {
            rows: rows.collect(),
            digital,
            energy: setup::estimate(experiment, &settings, &layers, &graph, &numerics)?,
            kernels: kernels::of_layers(backend, &graph, &numerics, chips)?,
        })
    }

    fn bytes(&self) -> usize {
        self.rows.iter().map(|r| r.bytes).sum()
    }

    fn total(&self, of: impl Fn(&Counts) -> usize) -> usize {
        self.rows.iter().map(|r| of(&r.counts)).sum()
    }

    /// Arrays that are filled, where that is known.
    fn arrays_laid(&self) -> Option<usize> {
        self.rows.iter().map(Row::arrays_laid).sum()
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        let layers: Vec<Value> = self
            .rows
            .iter()
            .map(|r| {
                json!({
                    "name": r.name,
                    "weight_bits": r.bits[0],
                    "input_bits": r.bits[1],
                    "adc_bits": one_or_all(&r.adc_bits),
                    "rows": r.rows,
                    "columns": r.cols,
                    "row_tiles": r.tiles.0,
                    "column_tiles": r.tiles.1,
                    "slice_bits": r.slices,
                    "steps": r.steps,
                    "arrays": r.counts.arrays,
                    "arrays_laid": r.arrays_laid(),
                    "cells": r.counts.cells,
                    "reference_cells": r.counts.reference_cells,
                    "utilisation": r.counts.utilisation,
                    "conversions_per_image": r.counts.conversions,
                    "route": r.route.name(),
                    "kernels": self.kernels.get(r.index),
                    "products": r.products,
                    "storage": r.storage.as_str(),
                    "bytes_per_chip": r.bytes,
                })
            })
            .collect();
        let digital = self.digital.iter().map(|d| {
            json!({
                "name": d.name,
                "weight_bits": d.bits[0],
                "input_bits": d.bits[1],
                "kernels": self.kernels.get(d.index),
                "products": d.products,
            })
        });
        let digital: Vec<Value> = digital.collect();
        let mut document = json!({
            "layers": layers,
            "digital_layers": digital,
            "total": {
                "arrays": self.total(|c| c.arrays),
                "arrays_laid": self.arrays_laid(),
                "cells": self.total(|c| c.cells),
                "reference_cells": self.total(|c| c.reference_cells),
                "conversions_per_image": self.total(|c| c.conversions),
                "bytes_per_chip": self.bytes(),
            },
        });
        if let Some(chip) = &self.energy {
            document["energy"] = energy::json(chip);
        }
        document
    }

    /// Columns of [`Plan::lines`] up to the last one of numbers.
    pub fn numbers(&self) -> usize {
        14 + usize::from(self.lays_out())
    }

    /// Whether a layer has a layout of its own.
    fn lays_out(&self) -> bool {
        self.rows.iter().any(|r| r.laid.is_some())
    }

    /// For people.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let title = [
            "layer",
            "weight",
            "input",
            "converter",
            "rows",
            "columns",
            "tiles",
            "slices",
            "steps",
            "arrays",
            "cells",
            "used",
            "conversions",
            "memory/chip",
            "simulated as",
        ];
        let on_arrays = self.rows.iter().map(|r| (r.index, r.line()));
        let digital = self.digital.iter().map(|d| (d.index, d.line(title.len())));
        let mut layers: Vec<(usize, Vec<String>)> = on_arrays.chain(digital).collect();
        layers.sort_by_key(|(index, _)| *index);
        let indices: Vec<usize> = layers.iter().map(|(index, _)| *index).collect();
        let mut lines = vec![title.map(String::from).to_vec()];
        lines.extend(layers.into_iter().map(|(_, line)| line));
        let mut total = vec![String::new(); title.len()];
        total[0] = "total".into();
        total[9] = self.total(|c| c.arrays).to_string();
        total[10] = self.total(|c| c.cells).to_string();
        total[12] = self.total(|c| c.conversions).to_string();
        total[13] = memory(self.bytes());
        lines.push(total);
        if self.lays_out() {
            let known = |n: Option<usize>| n.map_or("after training".into(), |n| n.to_string());
            let of = |index| self.rows.iter().find(|r| r.index == index);
            let column = indices.iter().map(|&index| match of(index) {
                Some(row) => known(row.arrays_laid()),
                None => String::new(),
            });
            let column: Vec<String> = std::iter::once("as laid out".into())
                .chain(column)
                .chain([known(self.arrays_laid())])
                .collect();
            for (line, cell) in lines.iter_mut().zip(column) {
                line.insert(10, cell);
            }
        }
        if !self.kernels.is_empty() {
            let column = std::iter::once("kernels").chain(self.kernels.iter().map(String::as_str));
            let column = column.chain(std::iter::once(""));
            for (line, cell) in lines.iter_mut().zip(column) {
                line.push(cell.to_owned());
            }
        }
        lines
    }
}

impl Row {
    /// Arrays that are filled, where that is known.
    fn arrays_laid(&self) -> Option<usize> {
        match self.laid {
            None => Some(self.counts.arrays),
            Some(laid) => laid.arrays(),
        }
    }

    /// Its line of the table.
    fn line(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            in_bits(self.bits[0]),
            in_bits(self.bits[1]),
            converter(&self.adc_bits),
            self.rows.to_string(),
            self.cols.to_string(),
            format!("{} x {}", self.tiles.0, self.tiles.1),
            self.slices.clone(),
            self.steps.to_string(),
            self.counts.arrays.to_string(),
            self.counts.cells.to_string(),
            format!("{:.0} %", 100.0 * self.counts.utilisation),
            self.counts.conversions.to_string(),
            memory(self.bytes),
            match (self.route, self.storage) {
                (Route::Arrays, Storage::F16) => format!("{}, f16", self.route.name()),
                (route, _) => worded(route.name(), self.products),
            },
        ]
    }
}

impl Digital {
    /// Its line of the table of so many columns.
    fn line(&self, columns: usize) -> Vec<String> {
        let mut line = vec![String::new(); columns];
        line[0].clone_from(&self.name);
        (line[1], line[2]) = (in_bits(self.bits[0]), in_bits(self.bits[1]));
        line[columns - 1] = worded("digital", self.products);
        line
    }
}
