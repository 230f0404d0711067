//! Real inputs of every crossbar layer: those of the quantized network without chips.

use crate::backend::{Backend, Capacity, RunArgs};
use crate::error::{Error, Result};
use crate::network::lower::inference::inputs::{LayerInputs, lower};
use crate::network::lower::layer_address;
use crate::program::ConvGeometry;
use crate::progress::Observer;
use crate::random::{Purpose, Stream};
use crate::setup::Images;
use crate::sweep::slices::Patches;
use crate::train::Model;

/// Most images of one run.
const CHUNK: usize = 64;

/// Input vectors of a layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Vectors {
    /// As the layer's quantizer sees them, `[vector][group][row]`.
    pub raw: Vec<f32>,
    /// As the layer multiplies them.
    pub quantized: Vec<f32>,
    /// What one code stands for, where they are codes.
    pub step: Option<f32>,
    /// How many there are.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

/// Which of all vectors are looked at: one of each of `wanted` equal stretches, drawn; all where there are no more.
pub(super) fn choose(seed: u64, layer: usize, all: usize, wanted: usize) -> Vec<usize> {
    if all <= wanted {
        return (0..all).collect();
    }
    let stream = Stream::new(seed, Purpose::Vectors, 0, layer_address(layer), 0);
    let one = |i: usize| {
        let (start, end) = (i * all / wanted, (i + 1) * all / wanted);
        let share = u64::from(stream.word(i as u32)) * (end - start) as u64;
        start + (share >> 32) as usize
    };
    (0..wanted).map(one).collect()
}

/// The vectors of every crossbar layer for images.
///
/// # Errors
/// What does not fit the backend; the device; an interruption.
pub(super) fn vectors(
    backend: &dyn Backend,
    (model, seed): (&Model, u64),
    images: &Images,
    wanted: usize,
    observer: &dyn Observer,
) -> Result<Vec<Vectors>> {
    let net = lower(&model.graph, &model.numerics);
    let want = Capacity {
        chips: 1,
        images: CHUNK,
        chunk: CHUNK,
    };
    let capacity = backend.fit(&net.program, want)?;
    let mut session = backend.prepare(&net.program, capacity)?;
    model.parameters.load_into(session.as_mut(), &net.states)?;
    session.run(net.quantize, &RunArgs::wave(0, 0, 1, 0..0))?;
    let crossbars = model.graph.crossbars();
    let layers: Vec<Layer> = (crossbars.iter().enumerate())
        .map(|(index, (_, geo, _))| Layer::new((seed, index), geo, images.len(), wanted))
        .collect();
    let mut found: Vec<Vectors> = layers.iter().map(Layer::empty).collect();
    let chunk = capacity.chunk.min(capacity.images);
    for start in (0..images.len()).step_by(chunk) {
        if observer.interrupted() {
            return Err(Error::Interrupted("the analysis was interrupted".into()));
        }
        let group = start..(start + chunk).min(images.len());
        session.write(net.images, images.range(&group).0)?;
        session.run(net.run, &RunArgs::wave(0, 0, 1, 0..group.len()))?;
        for ((layer, tensors), found) in layers.iter().zip(&net.layers).zip(&mut found) {
            let LayerInputs {
                raw,
                quantized,
                step,
            } = *tensors;
            let chosen = layer.chosen(&group);
            for (tensor, values) in [(raw, &mut found.raw), (quantized, &mut found.quantized)] {
                let maps = session.read(tensor)?;
                values.extend(layer.patches.chosen(&maps, &chosen));
            }
            found.step = step.map(|t| session.read(t)).transpose()?.map(|s| s[0]);
        }
    }
    Ok(found)
}

/// Which vectors of a layer are looked at.
struct Layer {
    patches: Patches,
    chosen: Vec<usize>,
    all: usize,
}

impl Layer {
    fn new((seed, index): (u64, usize), geo: &ConvGeometry, images: usize, wanted: usize) -> Self {
        let patches = Patches::new(geo);
        let all = patches.count(images);
        Self {
            chosen: choose(seed, index, all, wanted),
            patches,
            all,
        }
    }

    fn empty(&self) -> Vectors {
        Vectors {
            count: self.chosen.len(),
            of: self.all,
            ..Vectors::default()
        }
    }

    /// Those of some images, counted from the first of them.
    fn chosen(&self, images: &std::ops::Range<usize>) -> Vec<usize> {
        let (first, end) = (
            self.patches.count(images.start),
            self.patches.count(images.end),
        );
        let inside = self.chosen.iter().filter(|v| (first..end).contains(v));
        inside.map(|v| v - first).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_one_of_every_stretch() {
        assert_eq!(choose(1, 0, 5, 5), [0, 1, 2, 3, 4]);
        assert_eq!(choose(1, 0, 3, 8), [0, 1, 2]);
        let chosen = choose(7, 2, 1000, 64);
        assert_eq!(chosen.len(), 64);
        for (i, v) in chosen.iter().enumerate() {
            assert!((i * 1000 / 64..(i + 1) * 1000 / 64).contains(v));
        }
        assert_eq!(chosen, choose(7, 2, 1000, 64));
        assert_ne!(chosen, choose(8, 2, 1000, 64));
        assert_ne!(chosen, choose(7, 3, 1000, 64));
    }
}
