//! Energy for an image by layer and part, as a point's plan has it: what is the same for all of its chips.
//!
//! The arrays' energy depends on the chip and its images: here it is the interval that codes and drives allow, in the
//! columns `energy_array_pj`, `energy_low_pj` and `energy_high_pj` what was measured (docs/energy.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::energy::{Interval, Part};
use crate::error::Result;
use crate::mapping::Counts;
use crate::setup::{OPERATIONS, Point};

/// Energy of a point by layer and part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// The technology.
    pub technology: String,
    /// Its node, nm.
    pub node_nm: f64,
    /// Layers with weights, in order.
    pub layers: Vec<LayerEnergy>,
    /// Energy of tuning for every image, pJ.
    pub tuning_pj: Interval,
}

/// Energy of a layer for an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerEnergy {
    /// Its name.
    pub name: String,
    /// Multiply-accumulates for an image.
    pub macs: u64,
    /// Arrays; 0 where it is executed digitally.
    pub arrays: u64,
    /// Analog-to-digital conversions for an image.
    pub conversions: u64,
    /// Energies in pJ by the names of [`Part`]; what takes none is left out.
    pub parts: BTreeMap<String, Interval>,
}

impl LayerEnergy {
    /// Energy of a part, pJ.
    pub fn of(&self, part: Part) -> Interval {
        self.parts.get(part.as_str()).copied().unwrap_or_default()
    }
}

impl Breakdown {
    /// Of a point; `None` where its experiment has no section `[energy]`.
    ///
    /// # Errors
    /// An impossible chip; a technology that cannot be read.
    pub fn of(point: &Point) -> Result<Option<Self>> {
        let Some(chip) = point.energy()? else {
            return Ok(None);
        };
        let crossbars = point.start.graph.crossbars();
        let on_arrays = point.cell_layers()?;
        let layers = chip.layers.iter().enumerate().map(|(index, layer)| {
            let cells = on_arrays.iter().find(|cells| cells.index() == index);
            let counts = cells.map(|cells| {
                let (reading, (_, geo, _)) = (&cells.reading, crossbars[index]);
                let array = &point.layers[index].chip.array;
                Counts::new(&reading.arrays, array, &reading.dac, &geo, 0)
            });
            let parts = layer.parts.iter().filter(|p| p.energy_pj.high > 0.0);
            LayerEnergy {
                name: layer.name.clone(),
                macs: layer.macs,
                arrays: counts.as_ref().map_or(0, |c| c.arrays as u64),
                conversions: counts.as_ref().map_or(0, |c| c.conversions as u64),
                parts: parts
                    .map(|p| (p.part.as_str().to_string(), p.energy_pj))
                    .collect(),
            }
        });
        Ok(Some(Self {
            technology: chip.technology.clone(),
            node_nm: chip.node_nm,
            layers: layers.collect(),
            tuning_pj: chip.tuning_pj,
        }))
    }

    /// Energy of a part of all layers, pJ.
    pub fn part(&self, part: Part) -> Interval {
        match part {
            Part::Tuning => self.tuning_pj,
            Part::Arrays
            | Part::Drivers
            | Part::SampleHold
            | Part::Converters
            | Part::ShiftAdd
            | Part::Buffers
            | Part::Interconnect
            | Part::Digital => self.layers.iter().map(|layer| layer.of(part)).sum(),
        }
    }

    /// Operations for an image: two a multiply-accumulate.
    pub fn operations(&self) -> f64 {
        OPERATIONS
            * self
                .layers
                .iter()
                .map(|layer| layer.macs as f64)
                .sum::<f64>()
    }
}
