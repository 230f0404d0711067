//! A layer with its effects switched on one after the other.

use crate::chip::layer::{CellLayer, Tuned};
use crate::choice::choices;
use crate::effects::{ConverterEffects, Drift, OpenLines, Stuck};
use crate::network::lower::CellNoise;
use crate::program::{Adc, CodeRange, Storage};

choices! {
    /// What an error of a layer comes from, in the order in which it is switched on.
    pub enum Part {
        /// Level tables, drive tables, rules for filling slices and conductances in halves, on cells that are as they should be.
        Levels = "levels",
        /// Programming errors, within a chip and between chips, as far as the limits of conductance let them.
        Programming = "programming",
        /// Drift.
        Drift = "drift",
        /// Stuck cells and open lines.
        Faults = "faults",
        /// Wires that resist.
        Wires = "wires",
        /// Noise of the cells at a read.
        ReadNoise = "read noise",
        /// Steps of ideal converters whose range has no end.
        Steps = "steps",
        /// The ends of the converters' ranges.
        Clipping = "clipping",
        /// Gain, offset, non-linearity and thermal noise of converters.
        Converters = "converters",
        /// Self-tuning, which takes errors away.
        Tuning = "tuning",
    }
}

/// What makes the chips of a layer at a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Weight level.
    Weight(CellNoise),
    /// Cell level.
    Cell(Box<CellLayer>),
}

/// A layer with the effects of its parts up to one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub part: Part,
    pub kind: Kind,
    /// Whether cells have what they have in common.
    pub deviates: bool,
    /// Whether tuning corrects.
    pub tuned: bool,
}

/// What the chips of a layer are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Whether cells of any chip have a deviation in common.
    pub deviates: bool,
    /// Whether any chip corrects the layer.
    pub corrects: bool,
}

impl Stage {
    /// Whether chips give the same as at the stage before.
    pub fn is_like(&self, before: &Stage, told: Told) -> bool {
        let differ = (self.deviates != before.deviates && told.deviates)
            || (self.tuned != before.tuned && told.corrects);
        let same = match (&self.kind, &before.kind) {
            (Kind::Cell(a), Kind::Cell(b)) => without_route(a) == without_route(b),
            (a, b) => a == b,
        };
        same && !differ
    }

    /// Whether a first stage gives what the layer should.
    pub fn is_ideal(&self, told: Told) -> bool {
        match &self.kind {
            Kind::Weight(noise) => noise.sigma_w == 0.0 && !told.deviates,
            Kind::Cell(layer) => {
                layer.programming.arrays.levels.is_none()
                    && layer.programming.effects.fill.is_digits()
                    && layer.reading.dac.table.is_none()
                    && layer.storage == Storage::F32
            }
        }
    }
}

/// A layer whatever is exactly equivalent to it.
fn without_route(layer: &CellLayer) -> CellLayer {
    let mut layer = layer.clone();
    (layer.reading.exact, layer.reading.integer) = (false, false);
    // The ranges are there already.
    layer.rule = None;
    layer
}

/// The stages of a layer on arrays; the last one is the layer as a sweep has it.
pub(super) fn of_cells(full: &CellLayer) -> Vec<Stage> {
    let mut layer = full.nominal().without_converter();
    layer.wires = None;
    layer.programming.raw = false;
    layer.reading.exact = false;
    let effects = &full.programming.effects;
    let mut stages = vec![];
    let mut add = |part, layer: &CellLayer| {
        stages.push(Stage {
            part,
            kind: Kind::Cell(Box::new(layer.clone())),
            deviates: part != Part::Levels,
            tuned: part == Part::Tuning,
        });
    };
    add(Part::Levels, &layer);
    layer.programming.effects = effects.clone();
    let own = &mut layer.programming.effects;
    (own.drift, own.stuck) = (Drift::default(), Stuck::default());
    own.open_lines = OpenLines::default();
    add(Part::Programming, &layer);
    layer.programming.effects.drift = effects.drift.clone();
    add(Part::Drift, &layer);
    layer.programming.effects = effects.clone();
    add(Part::Faults, &layer);
    layer.wires.clone_from(&full.wires);
    layer.programming.raw = full.programming.raw;
    add(Part::Wires, &layer);
    layer.programming.read_noise = full.programming.read_noise.clone();
    add(Part::ReadNoise, &layer);
    if let Some(adc) = &full.reading.adc {
        let quiet = Adc {
            codes: adc.codes.clone(),
            effects: ConverterEffects::default(),
        };
        layer.errors = full.errors.clone();
        (layer.errors.gain, layer.errors.offset) = (0.0, 0.0);
        let converted = |adc: Adc| {
            let mut layer = layer.clone();
            layer.reading.adc = Some(adc);
            layer.set_ranges(full.ranges.clone());
            layer
        };
        add(Part::Steps, &widened(&quiet, &converted));
        add(Part::Clipping, &converted(quiet));
        layer = converted(adc.clone());
        layer.errors = full.errors.clone();
        add(Part::Converters, &layer);
    }
    add(Part::Tuning, full);
    stages
}

/// Converters with as many codes as there can be, to both sides of their own.
fn widened(adc: &Adc, converted: &dyn Fn(Adc) -> CellLayer) -> CellLayer {
    const MOST: i32 = (1 << 14) - 1;
    let span = |c: &CodeRange| c.hi - c.lo;
    let widest = adc.codes.iter().map(span).max().unwrap_or(0);
    let mut more = (MOST - widest) / 2;
    loop {
        let wide = adc.codes.iter().map(|c| CodeRange {
            lo: c.lo - more,
            hi: c.hi + more,
        });
        let layer = converted(Adc {
            codes: wide.collect(),
            effects: ConverterEffects::default(),
        });
        if more == 0 || layer.reading.is_possible() {
            return layer;
        }
        more /= 2;
    }
}

/// The layer as it is without converters; `None` where tuning acts on them.
pub(super) fn unconverted(full: &CellLayer) -> Option<Stage> {
    let mut layer = full.without_converter();
    layer.tuned = full.tuned;
    layer.reading.exact = false;
    (full.tuned != Tuned::Reference).then(|| Stage {
        part: Part::Tuning,
        kind: Kind::Cell(Box::new(layer)),
        deviates: true,
        tuned: true,
    })
}

/// The stages of a layer at weight level.
pub(super) fn of_weights(full: &CellNoise) -> Vec<Stage> {
    let plain = CellNoise {
        reference_columns: 0,
        ..full.clone()
    };
    let stage = |part, noise, tuned| Stage {
        part,
        kind: Kind::Weight(noise),
        deviates: true,
        tuned,
    };
    vec![
        stage(Part::Programming, plain, false),
        stage(Part::Tuning, full.clone(), true),
    ]
}
