//! `pimento inspect --plan`: which arrays a network needs, and how each layer will be simulated.

use std::path::Path;

use bytesize::ByteSize;
use pimento::chip::layer::Route;
use pimento::config::{Experiment, Fidelity};
use pimento::mapping::Counts;
use pimento::network::file::Loaded;
use pimento::program::Storage;
use pimento::setup;
use pimento::tuning::cells::{added_columns, tune};
use pimento::{Error, Result};
use serde_json::{Value, json};

/// A layer on arrays.
struct Row {
    name: String,
    rows: usize,
    cols: usize,
    tiles: (usize, usize),
    slices: String,
    steps: usize,
    counts: Counts,
    route: Route,
    /// How conductances are kept, and what a chip takes while images are evaluated.
    storage: Storage,
    bytes: usize,
}

/// The plan of a network on the chip of an experiment file.
pub struct Plan {
    rows: Vec<Row>,
}

/// Bytes for people.
fn memory(bytes: usize) -> String {
    ByteSize::b(bytes as u64).display().iec().to_string()
}

impl Plan {
    /// Maps every crossbar layer.
    ///
    /// # Errors
    /// A chip that the network does not fit.
    pub fn new(network: &Loaded, chip_file: &Path) -> Result<Self> {
        let experiment = Experiment::load(chip_file)?;
        if experiment.fidelity != Fidelity::Cell {
            return Err(Error::input(format!(
                "{}: fidelity = \"{}\" has no arrays; allowed for a plan: \"cell\"",
                chip_file.display(),
                experiment.fidelity
            )));
        }
        let graph = network.graph.simplified().without_final_softmax();
        // Where only the images could tell, a mean is most often subtracted from them.
        let signed = experiment.data.signed_images().unwrap_or(true);
        let numerics = setup::numerics(&experiment, signed);
        let mut layers = setup::cell_layers(&experiment, &graph, &numerics)?;
        tune(&mut layers, &experiment.tuning)?;
        let columns = added_columns(&experiment.tuning);
        let crossbars = graph.crossbars().into_iter();
        let rows = crossbars.zip(&layers).map(|((id, geo, _), layer)| {
            let arrays = &layer.programming.arrays;
            let slices: Vec<String> = arrays.slice_bits.iter().map(u8::to_string).collect();
            Row {
                name: graph.nodes[id].name.clone(),
                rows: arrays.rows,
                cols: arrays.cols,
                tiles: (arrays.row_tiles(), arrays.col_tiles()),
                slices: slices.join("+"),
                steps: layer.reading.dac.steps(),
                counts: Counts::new(
                    arrays,
                    &experiment.chip.array,
                    &layer.reading.dac,
                    &geo,
                    columns,
                ),
                route: Route::of(layer),
                storage: layer.kept(),
                bytes: layer.bytes(),
            }
        });
        Ok(Self {
            rows: rows.collect(),
        })
    }

    fn bytes(&self) -> usize {
        self.rows.iter().map(|r| r.bytes).sum()
    }

    fn total(&self, of: impl Fn(&Counts) -> usize) -> usize {
        self.rows.iter().map(|r| of(&r.counts)).sum()
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        let layers: Vec<Value> = self
            .rows
            .iter()
            .map(|r| {
                json!({
                    "name": r.name,
                    "rows": r.rows,
                    "columns": r.cols,
                    "row_tiles": r.tiles.0,
                    "column_tiles": r.tiles.1,
                    "slice_bits": r.slices,
                    "steps": r.steps,
                    "arrays": r.counts.arrays,
                    "cells": r.counts.cells,
                    "reference_cells": r.counts.reference_cells,
                    "utilisation": r.counts.utilisation,
                    "conversions_per_image": r.counts.conversions,
                    "route": r.route.name(),
                    "storage": r.storage.as_str(),
                    "bytes_per_chip": r.bytes,
                })
            })
            .collect();
        json!({
            "layers": layers,
            "total": {
                "arrays": self.total(|c| c.arrays),
                "cells": self.total(|c| c.cells),
                "reference_cells": self.total(|c| c.reference_cells),
                "conversions_per_image": self.total(|c| c.conversions),
                "bytes_per_chip": self.bytes(),
            },
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let title = [
            "layer",
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
        let mut lines = vec![title.map(String::from).to_vec()];
        for r in &self.rows {
            lines.push(vec![
                r.name.clone(),
                r.rows.to_string(),
                r.cols.to_string(),
                format!("{} x {}", r.tiles.0, r.tiles.1),
                r.slices.clone(),
                r.steps.to_string(),
                r.counts.arrays.to_string(),
                r.counts.cells.to_string(),
                format!("{:.0} %", 100.0 * r.counts.utilisation),
                r.counts.conversions.to_string(),
                memory(r.bytes),
                match (r.route, r.storage) {
                    (Route::Arrays, Storage::F16) => format!("{}, f16", r.route.name()),
                    (route, _) => route.name().into(),
                },
            ]);
        }
        let mut total = vec![String::new(); title.len()];
        total[0] = "total".into();
        total[6] = self.total(|c| c.arrays).to_string();
        total[7] = self.total(|c| c.cells).to_string();
        total[9] = self.total(|c| c.conversions).to_string();
        total[10] = memory(self.bytes());
        lines.push(total);
        lines
    }
}
