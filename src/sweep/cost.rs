//! What the chips of a point cost: named numbers, any of which can be set against accuracy.

use std::collections::BTreeMap;

use crate::column::{Better, Column, Kind};
use crate::config::{Fidelity, Mapping, OffsetReference, Variation};
use crate::error::Result;
use crate::mapping::Counts;
use crate::program::ConvGeometry;
use crate::setup::Point;
use crate::tuning::TuningCost;

use super::wave::{self, Simulator};

/// Costs that a point may have, in order.
pub const COSTS: [Column; 11] = [
    cost(
        "cells",
        "cells of a chip",
        "",
        "Programmable cells of a chip: weights times the cells of one (two if differential; an offset column of real \
         cells adds its copies for every row), and cells of tuning. At cell level the cells of the arrays.",
    ),
    cost(
        "conversions_per_image",
        "conversions for an image",
        "",
        "Analog-to-digital conversions at least: one an output of a crossbar layer, as if every column were one \
         array's, and conversions of tuning. At cell level the conversions of all arrays, steps and slices.",
    ),
    cost(
        "operations_per_image",
        "operations of tuning for an image",
        "",
        "Digital additions and multiplications of tuning alone.",
    ),
    cost(
        "arrays",
        "arrays of a chip",
        "",
        "Arrays of a chip, at cell level.",
    ),
    cost(
        "clipped_share",
        "share of clipped conversions",
        "",
        "Part of the conversions that is beyond the converters' range, on a few chips and images: at cell level, where \
         they are counted (`chip.adc.count_clips`).",
    ),
    cost(
        "periphery_low_pj",
        "energy beside the arrays, lower end",
        "pJ",
        "Energy for an image of all parts but the arrays, by the model of converters that gives the least, with a section \
         `[energy]` (docs/energy.md).",
    ),
    cost(
        "periphery_high_pj",
        "energy beside the arrays, upper end",
        "pJ",
        "The same by the model that gives the most.",
    ),
    cost(
        "latency_low_us",
        "time for an image, lower end",
        "us",
        "Time for an image of the layers on arrays, one after the other, by the fastest model of converters.",
    ),
    cost(
        "latency_high_us",
        "time for an image, upper end",
        "us",
        "The same by the slowest model.",
    ),
    cost(
        "area_low_mm2",
        "area, lower end",
        "mm^2",
        "Area of arrays, drivers, converters and what serves them, by the smallest model of converters.",
    ),
    cost(
        "area_high_mm2",
        "area, upper end",
        "mm^2",
        "The same by the largest model.",
    ),
];

const fn cost(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    about: &'static str,
) -> Column {
    Column {
        name,
        title,
        unit,
        about,
        kind: Kind::Optional,
        better: Some(Better::Lower),
    }
}

/// The [`COSTS`] of a point by name, tuning included.
///
/// # Errors
/// At cell level an impossible chip; the device.
pub fn costs(point: &Point, simulator: &mut Simulator) -> Result<BTreeMap<String, f64>> {
    let experiment = point.experiment();
    let mut found = of_tuned(point, simulator.cost().unwrap_or_default())?;
    if experiment.fidelity == Fidelity::Cell
        && experiment.chip.adc.count_clips
        && let Some(share) = simulator.clipped_share()?
    {
        found.insert("clipped_share".to_string(), share);
    }
    Ok(found)
}

/// The [`COSTS`] that a point has before anything is trained: all but the share of clipped conversions.
///
/// # Errors
/// An impossible chip.
pub fn planned(point: &Point) -> Result<BTreeMap<String, f64>> {
    of_tuned(point, wave::tuning_cost(point)?.unwrap_or_default())
}

fn of_tuned(point: &Point, tuning: TuningCost) -> Result<BTreeMap<String, f64>> {
    if point.experiment().fidelity == Fidelity::Cell {
        let mut found = of_arrays(point, tuning)?;
        found.extend(of_parts(point)?);
        return Ok(found);
    }
    let crossbars = point.start.graph.crossbars();
    let on_crossbars = crossbars.iter().zip(point.layers.iter());
    let on_crossbars = on_crossbars.filter(|(_, layer)| !layer.digital);
    let (mut cells, mut conversions) = (0.0, 0.0);
    for ((_, geo, _), layer) in on_crossbars {
        cells += cells_of(geo, &layer.variation) as f64;
        conversions += (geo.h_out() * geo.w_out() * geo.c_out) as f64;
    }
    Ok(with_tuning(cells, conversions, tuning))
}

/// Cells of a layer at weight level.
fn cells_of(geo: &ConvGeometry, v: &Variation) -> usize {
    match v.mapping {
        Mapping::Ideal => geo.weights(),
        Mapping::Differential => 2 * geo.weights(),
        Mapping::Offset => {
            let copies = match v.offset_reference {
                OffsetReference::Digital => 0,
                OffsetReference::Column => v.reference_copies as usize,
            };
            geo.weights() + copies * geo.rows()
        }
    }
}

fn with_tuning(cells: f64, conversions: f64, tuning: TuningCost) -> BTreeMap<String, f64> {
    let named = [
        ("cells", cells + tuning.cells as f64),
        (
            "conversions_per_image",
            conversions + tuning.conversions_per_image as f64,
        ),
        ("operations_per_image", tuning.operations_per_image as f64),
    ];
    named.map(|(name, n)| (name.to_string(), n)).into()
}

fn of_arrays(point: &Point, tuning: TuningCost) -> Result<BTreeMap<String, f64>> {
    let layers = point.cell_layers()?;
    let (mut arrays, mut cells, mut conversions) = (0, 0, 0);
    let crossbars = point.start.graph.crossbars();
    for layer in &layers {
        let (_, geo, _) = crossbars[layer.index()];
        let reading = &layer.reading;
        // Reference columns of tuning are in its own cost.
        let counts = Counts::new(
            &reading.arrays,
            &point.layers[layer.index()].chip.array,
            &reading.dac,
            &geo,
            0,
        );
        arrays += counts.arrays;
        cells += counts.cells + counts.reference_cells;
        conversions += counts.conversions;
    }
    let mut found = with_tuning(cells as f64, conversions as f64, tuning);
    found.insert("arrays".to_string(), arrays as f64);
    Ok(found)
}

/// What a section `[energy]` adds.
fn of_parts(point: &Point) -> Result<BTreeMap<String, f64>> {
    let Some(chip) = point.energy()? else {
        return Ok(BTreeMap::new());
    };
    let (energy, time, area) = (chip.periphery_pj(), chip.latency_ns(), chip.area_um2());
    let named = [
        ("periphery_low_pj", energy.low),
        ("periphery_high_pj", energy.high),
        ("latency_low_us", 1e-3 * time.low),
        ("latency_high_us", 1e-3 * time.high),
        ("area_low_mm2", 1e-6 * area.low),
        ("area_high_mm2", 1e-6 * area.high),
    ];
    Ok(named.map(|(name, n)| (name.to_string(), n)).into())
}
