//! Energy, latency and area of a whole chip.

use serde::Serialize;

use super::{Point, cell_layers};
use crate::chip::ChipVariation;
use crate::chip::layer::CellLayer;
use crate::choice::Choice;
use crate::config::{Experiment, LayerSettings, TuningMethod};
use crate::energy::{self, Digital, Interval, LayerEstimate, OnArrays, Part, Rates};
use crate::error::Result;
use crate::network::Graph;
use crate::network::lower::Numerics;
use crate::tuning::TuningCost;
use crate::tuning::cells::{CellTuner, Held, TunedLayer, tune};

/// Operations of a multiply-accumulate.
pub const OPERATIONS: f64 = 2.0;

/// What a chip takes, without images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChipEstimate {
    /// The technology.
    pub technology: String,
    /// Node in nm.
    pub node_nm: f64,
    /// Crossbar layers, in order.
    pub layers: Vec<LayerEstimate>,
    /// Energy of tuning for every image.
    pub tuning_pj: Interval,
    /// Energy of tuning once for a chip.
    pub tuning_once_pj: Interval,
}

impl ChipEstimate {
    /// Energy of a part for an image.
    pub fn energy_pj_of(&self, part: Part) -> Interval {
        match part {
            Part::Tuning => self.tuning_pj,
            Part::Arrays
            | Part::Drivers
            | Part::SampleHold
            | Part::Converters
            | Part::ShiftAdd
            | Part::Buffers
            | Part::Interconnect
            | Part::Digital => self.layers.iter().map(|l| l.part(part).energy_pj).sum(),
        }
    }

    /// Area of a part.
    pub fn area_um2_of(&self, part: Part) -> Interval {
        self.layers.iter().map(|l| l.part(part).area_um2).sum()
    }

    /// Energy for an image.
    pub fn energy_pj(&self) -> Interval {
        Part::ALL.iter().map(|part| self.energy_pj_of(*part)).sum()
    }

    /// Energy for an image of everything but the arrays.
    pub fn periphery_pj(&self) -> Interval {
        let others = Part::ALL.iter().filter(|part| **part != Part::Arrays);
        others.map(|part| self.energy_pj_of(*part)).sum()
    }

    /// Area.
    pub fn area_um2(&self) -> Interval {
        self.layers.iter().map(LayerEstimate::area_um2).sum()
    }

    /// Time for an image, layer after layer, of the layers on arrays.
    pub fn latency_ns(&self) -> Interval {
        self.layers.iter().filter_map(|l| l.latency_ns).sum()
    }

    /// Time from one image to the next where every layer on arrays works on an image of its own: that of the slowest.
    pub fn interval_ns(&self) -> Interval {
        let layers = self.layers.iter().filter_map(|l| l.latency_ns);
        layers.fold(Interval::default(), |a, b| Interval {
            low: a.low.max(b.low),
            high: a.high.max(b.high),
        })
    }

    /// Operations for an image: two a multiply-accumulate.
    pub fn operations(&self) -> f64 {
        let macs = self.layers.iter().map(|l| l.macs as f64);
        OPERATIONS * macs.sum::<f64>()
    }

    /// Operations a second and watt, in 10^12.
    pub fn tops_per_w(&self) -> Interval {
        self.energy_pj().under(self.operations())
    }

    /// Operations a second, in 10^12, of the layers on arrays; `time_ns` is that for an image.
    pub fn tops(&self, time_ns: Interval) -> Interval {
        let on_arrays = self.layers.iter().filter(|l| l.latency_ns.is_some());
        let macs: f64 = on_arrays.map(|l| l.macs as f64).sum();
        time_ns.under(1e-3 * OPERATIONS * macs)
    }
}

/// What the chips of an experiment take, `None` where it has no section `[energy]`. `layers` are those on arrays, tuned.
///
/// # Errors
/// A technology that cannot be read or knows no such converters; an impossible wafer.
pub fn estimate(
    experiment: &Experiment,
    settings: &[LayerSettings],
    layers: &[CellLayer],
    graph: &Graph,
    numerics: &Numerics,
) -> Result<Option<ChipEstimate>> {
    let Some(wanted) = &experiment.energy else {
        return Ok(None);
    };
    let rates = Rates::new(wanted)?;
    let crossbars = graph.crossbars();
    let last = crossbars.len().saturating_sub(1);
    let of_layer = |(index, own): (usize, &LayerSettings)| {
        let (id, geo, _) = crossbars[index];
        let node = &graph.nodes[id];
        let bits = numerics.of(&node.name);
        let input = bits.input_bits_of(graph, node.inputs[0], &geo);
        let output = if index == last { 0 } else { numerics.act_bits };
        let on_arrays = layers.iter().find(|layer| layer.index() == index);
        match on_arrays {
            None => {
                let digital = Digital {
                    geo: &geo,
                    bits: [bits.weight_bits, input, output],
                };
                Ok(energy::digital(&rates, &own.name, &digital))
            }
            Some(layer) => {
                let on_arrays = OnArrays {
                    arrays: &layer.reading.arrays,
                    dac: &layer.reading.dac,
                    geo: &geo,
                    settings: own,
                    bits: [input, output],
                };
                energy::on_arrays(&rates, &on_arrays)
            }
        }
    };
    let estimates: Result<Vec<LayerEstimate>> = settings.iter().enumerate().map(of_layer).collect();
    let mut found = ChipEstimate {
        technology: rates.technology.title.clone(),
        node_nm: rates.node_nm,
        layers: estimates?,
        tuning_pj: Interval::default(),
        tuning_once_pj: Interval::default(),
    };
    if let Some(cost) = tuning(experiment, layers, graph)? {
        let conversions = found.layers.iter().filter_map(|l| l.conversion_pj);
        let conversion = Interval::around(conversions).unwrap_or_default();
        let takes = |conversions: u64, operations: u64| {
            let digital = Interval::one(rates.operations(operations as f64));
            conversion * conversions as f64 + digital
        };
        found.tuning_pj = takes(cost.conversions_per_image, cost.operations_per_image);
        let images = found.energy_pj() * cost.images_once as f64;
        // Conversions of the images are in the energy of the images.
        let converted = if cost.images_once > 0 {
            0
        } else {
            cost.conversions_once
        };
        found.tuning_once_pj = images + takes(converted, cost.operations_once);
    }
    Ok(Some(found))
}

/// What tuning costs.
fn tuning(
    experiment: &Experiment,
    layers: &[CellLayer],
    graph: &Graph,
) -> Result<Option<TuningCost>> {
    if experiment.tuning.method == TuningMethod::None {
        return Ok(None);
    }
    let crossbars = graph.crossbars();
    let layers = layers.iter().map(|cells| TunedLayer {
        geo: crossbars[cells.index()].1,
        cells: cells.clone(),
        held: Held::default(),
    });
    let chips = ChipVariation::new(&experiment.variation)?;
    let tuner = CellTuner::new(&experiment.tuning, &chips, layers.collect());
    Ok(tuner.with_norms(graph).cost())
}

impl Point<'_> {
    /// What its chips take, `None` where the experiment has no section `[energy]`.
    ///
    /// # Errors
    /// See [`estimate()`].
    pub fn energy(&self) -> Result<Option<ChipEstimate>> {
        let (experiment, graph) = (self.experiment(), &self.start.graph);
        if experiment.energy.is_none() {
            return Ok(None);
        }
        let mut layers = cell_layers(&self.layers, graph, &self.numerics)?;
        tune(&mut layers, &experiment.tuning)?;
        estimate(experiment, &self.layers, &layers, graph, &self.numerics)
    }
}
