//! The network with converters as the sums demand, against full ones, image by image.

use super::counts::bits;
use super::layers::{Layer, of_settings, without_errors};
use super::report::{AccuracyRow, ReadRow};
use crate::backend::{Backend, Capacity, RunArgs};
use crate::chip::layer::CellLayer;
use crate::chip::ranges::{self, Converters};
use crate::effects::ConverterEffects;
use crate::error::{Error, Result};
use crate::network::lower::cells::write_ranges;
use crate::network::lower::inference::{self, Chips, NormMode};
use crate::program::{Adc, CodeRange};
use crate::progress::Observer;
use crate::setup::{Images, Point};
use crate::sweep::statistics::binomial::paired_proportions_interval;
use crate::sweep::statistics::wilson_interval;
use crate::train::Model;

/// Most images of one run.
const CHUNK: usize = 256;
/// Most bits of a converter without the sign's: it has fewer than 2^14 codes.
const MOST_BITS: usize = 13;

/// Bits of the converters of a layer, by slice; with whether there is a sign.
#[derive(Debug, Clone, PartialEq)]
struct Bits {
    /// Bits of the magnitude; `None`: sums are not converted.
    magnitudes: Option<Vec<usize>>,
    signs: Vec<bool>,
}

/// A kind of converters.
type Kind = (&'static str, fn(&ReadRow) -> u64);

/// What is compared with full converters.
const KINDS: [Kind; 4] = [
    ("max", |r| r.max),
    ("q9999", |r| r.q9999),
    ("q999", |r| r.q999),
    ("q99", |r| r.q99),
];

/// Measures full converters and every kind.
///
/// # Errors
/// Converters of more bits than there are; what does not fit the backend; an interruption.
pub(super) fn accuracies(
    backend: &dyn Backend,
    (point, model): (&Point, &Model),
    layers: &[(&Layer, &[ReadRow])],
    images: &Images,
    observer: &dyn Observer,
) -> Result<Vec<AccuracyRow>> {
    let nominal = of_settings(point, model, &without_errors)?;
    let full: Vec<Bits> = nominal.iter().map(full).collect();
    let mut wanted = vec![("full", full)];
    for (name, of) in KINDS {
        let of_layer = |(nominal, (layer, reads)): (&CellLayer, &(&Layer, &[ReadRow]))| {
            needed(nominal, layer, reads, of)
        };
        let bits: Result<Vec<Bits>> = nominal.iter().zip(layers).map(of_layer).collect();
        wanted.push((name, bits?));
    }
    let mut rows: Vec<AccuracyRow> = vec![];
    let mut full_hits = vec![];
    for (name, bits) in wanted {
        let layers: Result<Vec<CellLayer>> = nominal
            .iter()
            .zip(&bits)
            .map(|(layer, bits)| converted(layer, bits))
            .collect();
        let hits = classify(backend, model, &layers?, images, observer)?;
        if rows.is_empty() {
            full_hits.clone_from(&hits);
        }
        rows.push(row(name, &bits, &full_hits, &hits));
    }
    Ok(rows)
}

/// Converters that clip nothing, where there are such; else none.
fn full(layer: &CellLayer) -> Bits {
    let reading = &layer.reading;
    let converters = Converters::new(&reading.arrays, &reading.dac, &Adc::with_codes(0, 1));
    let found = by_slice(layer, |plane| possible(&converters, plane));
    match found.iter().all(|bits| *bits <= MOST_BITS) {
        true => Bits::new(layer, &converters, Some(found)),
        false => Bits::new(layer, &converters, None),
    }
}

/// Bits, without the sign's, of the largest sum that a read plane's nominal cells can give.
pub(super) fn possible(converters: &Converters, plane: usize) -> usize {
    let most = converters.most(plane) / ranges::grain(converters.arrays());
    bits(most.round_ties_even() as u64)
}

/// The most of every slice's read planes.
fn by_slice(layer: &CellLayer, of: impl Fn(usize) -> usize) -> Vec<usize> {
    let a = &layer.reading.arrays;
    let mut found = vec![0; a.slices()];
    for plane in 0..a.read_planes() {
        let slot = &mut found[a.slice_of(plane)];
        *slot = (*slot).max(of(plane));
    }
    found
}

/// What the sums of a layer demand.
fn needed(
    nominal: &CellLayer,
    layer: &Layer,
    reads: &[ReadRow],
    of: fn(&ReadRow) -> u64,
) -> Result<Bits> {
    let reading = &nominal.reading;
    let converters = Converters::new(&reading.arrays, &reading.dac, &Adc::with_codes(0, 1));
    // A converter without any bit is none: arrays that only give 0 have the smallest.
    let found = by_slice(nominal, |plane| bits(of(&reads[plane])).max(1));
    match found.iter().position(|bits| *bits > MOST_BITS) {
        None => Ok(Bits::new(nominal, &converters, Some(found))),
        Some(slice) => Err(Error::input(format!(
            "--accuracy: layer `{}`, slice {slice}: its sums need converters of {} bits beside the sign's; allowed: up to \
             {MOST_BITS} (fewer chip.array.rows, smaller slices, or fewer bits a step in chip.dac.bits)",
            layer.name, found[slice]
        ))),
    }
}

impl Bits {
    fn new(layer: &CellLayer, converters: &Converters, magnitudes: Option<Vec<usize>>) -> Self {
        let a = &layer.reading.arrays;
        let mut signs = vec![false; a.slices()];
        for plane in 0..a.read_planes() {
            signs[a.slice_of(plane)] |= converters.has_signs(plane);
        }
        Self { magnitudes, signs }
    }

    /// With the sign's.
    fn all(&self) -> Vec<usize> {
        match &self.magnitudes {
            None => vec![0; self.signs.len()],
            Some(bits) => {
                let both = bits.iter().zip(&self.signs);
                both.map(|(bits, sign)| bits + usize::from(*sign)).collect()
            }
        }
    }
}

/// A layer with such converters, one code a level.
fn converted(layer: &CellLayer, bits: &Bits) -> Result<CellLayer> {
    let mut layer = layer.clone();
    let Some(magnitudes) = &bits.magnitudes else {
        return Ok(layer);
    };
    let codes = magnitudes.iter().zip(&bits.signs).map(|(bits, sign)| {
        let hi = (1i32 << bits) - 1;
        let lo = if *sign { -hi } else { 0 };
        CodeRange { lo, hi }
    });
    let adc = Adc {
        codes: codes.collect(),
        effects: ConverterEffects::default(),
    };
    let converters = Converters::new(&layer.reading.arrays, &layer.reading.dac, &adc);
    layer.reading.adc = Some(adc);
    (layer.errors.gain, layer.errors.offset) = (0.0, 0.0);
    layer.set_ranges(Some(converters.granular()));
    match layer.reading.is_possible() {
        true => Ok(layer),
        false => Err(Error::input(format!(
            "--accuracy: codes of layer {} at their highest do not fit 32 bits (2147483647) when they are added; allowed: \
             fewer input bits",
            layer.index()
        ))),
    }
}

/// Which images the network on a nominal chip classifies rightly.
fn classify(
    backend: &dyn Backend,
    model: &Model,
    layers: &[CellLayer],
    images: &Images,
    observer: &dyn Observer,
) -> Result<Vec<bool>> {
    let chips = Chips::Cell {
        layers,
        taps: &[],
        count_clips: false,
    };
    let net = inference::lower(&model.graph, &model.numerics, chips, NormMode::Frozen, true);
    let want = Capacity {
        chips: 1,
        images: CHUNK,
        chunk: CHUNK,
    };
    let capacity = backend.fit(&net.program, want)?;
    let mut session = backend.prepare(&net.program, capacity)?;
    model.parameters.load_into(session.as_mut(), &net.states)?;
    write_ranges(session.as_mut(), &net.cells, layers)?;
    for (tensors, layer) in net.cells.iter().zip(layers) {
        let zeros = vec![0.0; layer.programming.arrays.cell_arrays()];
        session.write(tensors.array, &zeros)?;
    }
    let logits = net.logits;
    let logits = logits.ok_or_else(|| Error::Internal("a program without logits".into()))?;
    session.run(net.fabricate, &RunArgs::wave(0, 0, 1, 0..0))?;
    let chunk = capacity.chunk.min(capacity.images);
    let mut hits = Vec::with_capacity(images.len());
    for start in (0..images.len()).step_by(chunk) {
        if observer.interrupted() {
            return Err(Error::Interrupted("the analysis was interrupted".into()));
        }
        let group = start..(start + chunk).min(images.len());
        let (pixels, labels) = images.range(&group);
        session.write(net.images, pixels)?;
        session.write(net.labels, labels)?;
        session.run(net.evaluate, &RunArgs::wave(0, 0, 1, 0..group.len()))?;
        let found = session.read(logits)?;
        let classes = found.len() / group.len();
        let right = found.chunks_exact(classes.max(1)).zip(labels);
        hits.extend(right.map(|(logits, label)| first_largest(logits) == *label as usize));
    }
    Ok(hits)
}

/// The first of the largest logits.
fn first_largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in logits.iter().enumerate() {
        if *v > logits[best] {
            best = i;
        }
    }
    best
}

fn row(name: &str, bits: &[Bits], full: &[bool], hits: &[bool]) -> AccuracyRow {
    let count = |of: &dyn Fn(bool, bool) -> bool| {
        let both = full.iter().zip(hits);
        both.filter(|(full, hit)| of(**full, **hit)).count()
    };
    let images = hits.len();
    let correct = count(&|_, hit| hit);
    let (lost, won) = (
        count(&|full, hit| full && !hit),
        count(&|full, hit| !full && hit),
    );
    let interval = wilson_interval(correct, images);
    let difference = paired_proportions_interval(won as u64, lost as u64, images as u64);
    AccuracyRow {
        correct: correct as u64,
        images: images as u64,
        accuracy: correct as f64 / images as f64,
        accuracy_lo95: interval.lo,
        accuracy_hi95: interval.hi,
        lost: lost as u64,
        won: won as u64,
        difference: (won as f64 - lost as f64) / images as f64,
        difference_lo95: difference.lo,
        difference_hi95: difference.hi,
        converters: name.to_string(),
        bits: bits.iter().map(Bits::all).collect(),
    }
}
