//! What drives the arrays: input codes of every layer for images, on a nominal chip without converters.

use std::ops::Range;

use crate::backend::{Backend, Capacity, RunArgs, Session, TensorId};
use crate::chip::layer::CellLayer;
use crate::error::{Error, Result};
use crate::network::lower::cells::{Tap, Tapped};
use crate::network::lower::inference::{self, Chips, NormMode};
use crate::program::{ConvGeometry, SectionId};
use crate::setup::Images;
use crate::train::Model;

/// Most images of one run.
const CHUNK: usize = 64;

/// The network on a nominal chip, with the inputs of its layers in the open.
pub(super) struct Feed {
    session: Box<dyn Session>,
    section: SectionId,
    images: TensorId,
    labels: TensorId,
    /// Inputs and step of every layer on arrays.
    taps: Vec<(TensorId, TensorId)>,
    chunk: usize,
}

impl Feed {
    /// Prepares the network; `layers` are those of a nominal chip without converters.
    ///
    /// # Errors
    /// A parameter is missing; what does not fit the backend.
    pub fn new(backend: &dyn Backend, model: &Model, layers: &[CellLayer]) -> Result<Self> {
        let chips = Chips::Cell {
            layers,
            taps: &vec![Tap::Inputs; layers.len()],
            count_clips: false,
        };
        let net = inference::lower(
            &model.graph,
            &model.numerics,
            chips,
            NormMode::Frozen,
            false,
        );
        let want = Capacity {
            chips: 1,
            images: CHUNK,
            chunk: CHUNK,
        };
        let capacity = backend.fit(&net.program, want)?;
        let mut session = backend.prepare(&net.program, capacity)?;
        model.parameters.load_into(session.as_mut(), &net.states)?;
        for (tensors, layer) in net.cells.iter().zip(layers) {
            let zeros = vec![0.0; layer.programming.arrays.cell_arrays()];
            session.write(tensors.array, &zeros)?;
        }
        let missing = || Error::Internal("layers on arrays without taps".into());
        let (section, tapped) = net.taps.ok_or_else(missing)?;
        let mut taps = vec![None; layers.len()];
        for tap in tapped {
            if let Tapped::Inputs {
                layer,
                inputs,
                step,
            } = tap
            {
                taps[layer] = Some((inputs, step));
            }
        }
        let taps: Option<Vec<_>> = taps.into_iter().collect();
        // A nominal chip draws nothing: any seed will do.
        session.run(net.fabricate, &RunArgs::wave(0, 0, 1, 0..0))?;
        Ok(Self {
            session,
            section,
            images: net.images,
            labels: net.labels,
            taps: taps.ok_or_else(missing)?,
            chunk: capacity.chunk.min(capacity.images),
        })
    }

    /// Codes of the inputs of every layer on arrays, `[image][c][h][w]`.
    ///
    /// # Errors
    /// The device.
    pub fn codes(&mut self, images: &Images, range: Range<usize>) -> Result<Vec<Vec<i16>>> {
        let mut codes = vec![vec![]; self.taps.len()];
        let mut start = range.start;
        while start < range.end {
            let group = start..(start + self.chunk).min(range.end);
            let (pixels, labels) = images.range(&group);
            self.session.write(self.images, pixels)?;
            self.session.write(self.labels, labels)?;
            let args = RunArgs::wave(0, 0, 1, 0..group.len());
            self.session.run(self.section, &args)?;
            for (codes, &(inputs, step)) in codes.iter_mut().zip(&self.taps) {
                let step = self.session.read(step)?[0];
                let code = |v: f32| match step > 0.0 {
                    true => (v / step).round_ties_even() as i16,
                    false => 0,
                };
                codes.extend(self.session.read(inputs)?.into_iter().map(code));
            }
            start = group.end;
        }
        Ok(codes)
    }
}

/// Where the inputs of a layer's columns are: a convolution is one product a pixel of its output map.
pub(in crate::sweep) struct Patches {
    /// Place in the input map of every value of a vector, `[pixel][group][row]`; padding: none.
    places: Vec<Option<u32>>,
    /// Values of an input map.
    map: usize,
    /// Values of a vector.
    each: usize,
}

impl Patches {
    /// Of a layer.
    pub fn new(geo: &ConvGeometry) -> Self {
        let (channels, rows) = (geo.c_in / geo.groups, geo.rows());
        let inside = |at: usize, pad: usize, most: usize| at.checked_sub(pad).filter(|x| *x < most);
        let mut places = Vec::with_capacity(geo.h_out() * geo.w_out() * geo.groups * rows);
        for oy in 0..geo.h_out() {
            for ox in 0..geo.w_out() {
                for c in 0..geo.groups * channels {
                    for ky in 0..geo.kh {
                        for kx in 0..geo.kw {
                            let y = oy * geo.stride[0] + ky * geo.dilation[0];
                            let x = ox * geo.stride[1] + kx * geo.dilation[1];
                            let y = inside(y, geo.pad[0], geo.h_in);
                            let x = inside(x, geo.pad[1], geo.w_in);
                            let place = |(y, x)| ((c * geo.h_in + y) * geo.w_in + x) as u32;
                            places.push(y.zip(x).map(place));
                        }
                    }
                }
            }
        }
        Self {
            places,
            map: geo.c_in * geo.h_in * geo.w_in,
            each: geo.groups * rows,
        }
    }

    /// Vectors of so many images.
    pub fn count(&self, images: usize) -> usize {
        images * self.places.len() / self.each
    }

    /// These vectors of maps `[image][c][h][w]`, each `[group][row]`; padding is 0.
    pub fn chosen(&self, maps: &[f32], vectors: &[usize]) -> Vec<f32> {
        let per_image = self.count(1);
        let mut out = Vec::with_capacity(vectors.len() * self.each);
        for vector in vectors {
            let map = &maps[vector / per_image * self.map..][..self.map];
            let places = &self.places[vector % per_image * self.each..][..self.each];
            out.extend(
                places
                    .iter()
                    .map(|at| at.map_or(0.0, |at| map[at as usize])),
            );
        }
        out
    }

    /// Some of the vectors of maps `[image][c][h][w]`, each `[group][row]`; padding is code 0.
    pub fn vectors(&self, maps: &[i16], range: Range<usize>) -> Vec<f32> {
        let per_image = self.count(1);
        let mut out = Vec::with_capacity(range.len() * self.each);
        for vector in range {
            let map = &maps[vector / per_image * self.map..][..self.map];
            let places = &self.places[vector % per_image * self.each..][..self.each];
            let code = |place: &Option<u32>| place.map_or(0.0, |at| f32::from(map[at as usize]));
            out.extend(places.iter().map(code));
        }
        out
    }
}

/// The same columns as a layer that sees one vector at a time, `[group][row]`.
pub(in crate::sweep) fn as_linear(geo: &ConvGeometry) -> ConvGeometry {
    ConvGeometry {
        groups: geo.groups,
        ..ConvGeometry::linear(geo.groups * geo.rows(), geo.c_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_what_a_convolution_multiplies() {
        let geo = ConvGeometry {
            c_in: 4,
            h_in: 5,
            w_in: 4,
            c_out: 6,
            kh: 3,
            kw: 2,
            stride: [2, 1],
            dilation: [1, 2],
            pad: [1, 0, 0, 2],
            groups: 2,
        };
        assert!(geo.is_possible());
        let maps: Vec<i16> = (0..2 * 80).map(|i| (i * 37 % 23) as i16 - 9).collect();
        let patches = Patches::new(&geo);
        let (h, w) = (geo.h_out(), geo.w_out());
        assert_eq!(patches.count(2), 2 * h * w);
        let all = patches.vectors(&maps, 0..patches.count(2));
        // The definition, value by value.
        let mut at = 0;
        for image in 0..2i64 {
            for oy in 0..h as i64 {
                for ox in 0..w as i64 {
                    for c in 0..4i64 {
                        for ky in 0..3i64 {
                            for kx in 0..2i64 {
                                let (y, x) = (2 * oy + ky - 1, ox + 2 * kx);
                                let inside = (0..5).contains(&y) && (0..4).contains(&x);
                                let want = match inside {
                                    true => maps[(((image * 4 + c) * 5 + y) * 4 + x) as usize],
                                    false => 0,
                                };
                                assert_eq!(all[at], f32::from(want), "value {at}");
                                at += 1;
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(at, all.len());
        let n = geo.groups * geo.rows();
        assert_eq!(patches.vectors(&maps, 3..7), all[3 * n..7 * n]);
        let floats: Vec<f32> = maps.iter().map(|&v| f32::from(v)).collect();
        let some = [&all[5 * n..6 * n], &all[..n]].concat();
        assert_eq!(patches.chosen(&floats, &[5, 0]), some);
        assert_eq!(as_linear(&geo).rows(), geo.rows());
        assert!(as_linear(&geo).is_possible());
    }
}
