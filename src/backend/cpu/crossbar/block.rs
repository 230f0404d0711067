//! The walk over one block of images: spans of pixels, row tiles, read planes, columns.

use std::ops::Range;

use super::convert::{Convert, Converter, Disturbing, Joined, Total, places};
use super::lookup::Sums;
use super::noise::{Batch, Deviates, Events};
use super::product::Product;
use super::{CrossbarPlan, Operands, Sink, room};
use crate::backend::cpu::partial_sums::Store;
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::tiles::Tiles;
use crate::effects::{ConverterEffects, sum_noise};
use crate::program::LANES;
use crate::random::Purpose;

/// What is computed for a span of pixels.
#[derive(Debug, Default)]
pub(super) struct Span {
    /// Sums `[column at once][pixel][conversion][lane]`.
    sums: Vec<f32>,
    /// Variances of the same.
    variances: Vec<f32>,
    /// Columns `[column][pixel][lane]`.
    totals: Vec<f32>,
    /// The same as sums of codes.
    integers: Vec<i32>,
    /// Clipped conversions or slopes `[column][pixel][lane]`.
    told: Vec<f32>,
    /// Sums of the row tile's and all input codes `[pixel][lane]`.
    inputs: [Vec<f32>; 2],
    /// Indices of [`super::lookup`].
    index: Vec<f32>,
    /// Deviates, `[conversion][pixel][column][lane]`.
    deviates: Vec<f32>,
    /// Deviates of one column, as its sums.
    drawn: Vec<f32>,
}

impl Span {
    /// Makes room for a layer.
    pub fn reserve(&mut self, plan: &CrossbarPlan, sink: &Sink) {
        let sums = plan.cols_at_once * plan.span * plan.spec.dac.conversions() * LANES;
        room(&mut self.sums, sums);
        if plan.noisy && !plan.spec.noise_per_cell {
            room(&mut self.variances, sums);
        }
        let columns = plan.cols * plan.span * LANES;
        if let Sink::Convert(output) = sink {
            room(&mut self.totals, columns);
            if plan.spec.integer {
                room(&mut self.integers, columns);
            }
            if output.told.is_some() {
                room(&mut self.told, columns);
            }
        }
        for inputs in &mut self.inputs {
            room(inputs, plan.span * LANES);
        }
        if let Some(lookup) = &plan.lookup {
            let tiles = plan.spec.arrays.tile_rows.windows(2);
            let most = tiles.map(|t| lookup.groups((t[1] - t[0]) as usize)).max();
            room(&mut self.index, most.unwrap_or(0) * plan.span * LANES);
        }
    }

    /// Clears what is added to.
    fn begin(&mut self, columns: usize) {
        let n = |len: usize| columns.min(len);
        let (totals, integers) = (n(self.totals.len()), n(self.integers.len()));
        self.totals[..totals].fill(0.0);
        self.integers[..integers].fill(0);
        let told = n(self.told.len());
        self.told[..told].fill(0.0);
        self.inputs[1].fill(0.0);
    }
}

/// One block of images.
pub(super) struct Block<'a, 'b> {
    pub plan: &'a CrossbarPlan,
    pub operands: &'a Operands<'a>,
    pub codes: &'a [f32],
    pub drives: &'a [f32],
    /// What read noise is multiplied by, a map a conversion.
    pub noise: &'a [f32],
    pub converters: &'a [Converter],
    pub events: &'a Events<'a>,
    /// Which block.
    pub index: usize,
    pub sink: &'a mut Sink<'b>,
    pub span: &'a mut Span,
}

/// A part of the work: some columns of one row tile and read plane over a span.
struct Part {
    group: usize,
    r: usize,
    p: usize,
    /// Columns in the group.
    cols: Range<usize>,
    pixels: Range<usize>,
}

impl Kernel for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let plan = self.plan;
        let a = &plan.spec.arrays;
        let (converts, corrects) = match self.sink {
            Sink::Convert(output) => (true, output.converters.correct.is_some()),
            Sink::Store(_) => (false, false),
        };
        let base = converts && (corrects || a.digital_base() != 0.0);
        let tiles = Tiles::new(plan.cols, plan.cols_at_once);
        for group in 0..plan.groups {
            for first in (0..plan.pixels.len()).step_by(plan.span) {
                let pixels = first..(first + plan.span).min(plan.pixels.len());
                self.span.begin(plan.cols * plan.span * LANES);
                for r in 0..a.row_tiles() {
                    if base {
                        self.sum_inputs(group, r, &pixels);
                    }
                    self.index(group, r, &pixels);
                    for p in 0..a.read_planes() {
                        for tile in 0..tiles.count {
                            let part = Part {
                                group,
                                r,
                                p,
                                cols: tiles.rows(tile),
                                pixels: pixels.clone(),
                            };
                            self.sums(s, &part);
                            if plan.noisy && plan.spec.noise_per_cell {
                                self.noise_of_cells(&part);
                            } else if plan.noisy {
                                self.variances_of_sums(s, &part);
                                if !converts || plan.joined.is_none() {
                                    self.noise_of_sums(&part);
                                }
                            }
                            match converts {
                                true => self.convert(s, &part),
                                false => self.store(&part),
                            }
                        }
                    }
                }
                if converts {
                    self.finish(s, group, &pixels);
                }
            }
        }
    }
}

impl Block<'_, '_> {
    /// Columns of the layer.
    fn cols(&self, part: &Part) -> Range<usize> {
        let first = part.group * self.plan.cols;
        first + part.cols.start..first + part.cols.end
    }

    /// Makes the row tile's indices.
    #[inline(always)]
    fn index(&mut self, group: usize, r: usize, pixels: &Range<usize>) {
        let plan = self.plan;
        if let Some(lookup) = &plan.lookup {
            let offsets = &plan.offsets[plan.rows(r)];
            let spread = &self.drives[group * plan.group_in..];
            let pixels = &plan.pixels[pixels.clone()];
            lookup.index(spread, offsets, pixels, &mut self.span.index);
        }
    }

    /// Sums of all conversions.
    #[inline(always)]
    fn sums<S: Simd>(&mut self, s: S, part: &Part) {
        let at = self.plan.packed_at(part.group, part.r, part.p);
        let sums = &mut self.span.sums;
        Self::weighted(
            self.plan,
            s,
            part,
            &self.operands.packed[at..],
            self.drives,
            &self.span.index,
            sums,
        );
    }

    /// Sums of packed weights or variances.
    #[inline(always)]
    fn weighted<S: Simd>(
        plan: &CrossbarPlan,
        s: S,
        part: &Part,
        packed: &[f32],
        drives: &[f32],
        index: &[f32],
        sums: &mut [f32],
    ) {
        let rows = plan.rows(part.r);
        let Some(lookup) = &plan.lookup else {
            let product = Product {
                plan,
                w: packed,
                rows,
                pixels: part.pixels.clone(),
                group: part.group,
            };
            return product.run(s, drives, sums);
        };
        let n = plan.rows_len(rows.len());
        let groups = lookup.groups(rows.len());
        let conversions = plan.spec.dac.conversions();
        let column = plan.span * conversions * LANES;
        let tiles = plan.col_tiles(S::ROWS);
        let first = (0..tiles.count).find(|&t| tiles.rows(t).start == part.cols.start);
        let mut sums = sums;
        for tile in first.unwrap_or(0)..tiles.count {
            let cols = tiles.rows(tile);
            if cols.end > part.cols.end {
                break;
            }
            let (own, rest) = sums.split_at_mut(cols.len() * column);
            sums = rest;
            Sums {
                tables: &packed[cols.start * n..cols.end * n],
                index: &index[..part.pixels.len() * groups * LANES],
                groups,
                cols: cols.len(),
                steps: conversions,
                column,
                sums: own,
            }
            .compute(s);
        }
    }

    /// The input codes of a row tile, added up; and added to those of all.
    #[inline(always)]
    fn sum_inputs(&mut self, group: usize, r: usize, pixels: &Range<usize>) {
        let offsets = &self.plan.offsets[self.plan.rows(r)];
        let codes = &self.codes[group * self.plan.group_in..];
        let [tile, all] = &mut self.span.inputs;
        let sums = tile
            .chunks_exact_mut(LANES)
            .zip(all.chunks_exact_mut(LANES));
        for (&(from, _), (tile, all)) in self.plan.pixels[pixels.clone()].iter().zip(sums) {
            let mut sum = [0.0; LANES];
            for &offset in offsets {
                let codes = &codes[(from + offset) as usize..][..LANES];
                for (sum, code) in sum.iter_mut().zip(codes) {
                    *sum += code;
                }
            }
            for ((tile, all), sum) in tile.iter_mut().zip(all).zip(sum) {
                *tile = sum;
                *all += sum;
            }
        }
    }

    fn batch(&self, part: &Part) -> Batch {
        Batch {
            r: part.r,
            p: part.p,
            pixels: part.pixels.clone(),
            cols: self.cols(part),
        }
    }

    /// Variances of the sums' read noise.
    #[inline(always)]
    fn variances_of_sums<S: Simd>(&mut self, s: S, part: &Part) {
        let plan = self.plan;
        let at = plan.planes_len() + plan.packed_at(part.group, part.r, part.p);
        let packed = &self.operands.packed[at..];
        let variances = &mut self.span.variances;
        // Tables hold the squares of the drives themselves.
        let squares = if plan.lookup.is_some() {
            self.drives
        } else {
            self.noise
        };
        Self::weighted(plan, s, part, packed, squares, &self.span.index, variances);
    }

    /// Adds read noise drawn once per conversion, with the sums' variances.
    #[inline(always)]
    fn noise_of_sums(&mut self, part: &Part) {
        let plan = self.plan;
        let batch = self.batch(part);
        let conversions = plan.spec.dac.conversions();
        let n = batch.len();
        let values = room(&mut self.span.deviates, conversions * n);
        for (t, values) in values.chunks_exact_mut(n).enumerate() {
            self.events
                .fill(Purpose::ReadNoise, None, &batch, t, values);
        }
        let variances = &self.span.variances;
        let column = plan.span * conversions * LANES;
        let used = part.pixels.len() * conversions;
        for (o, sums) in (0..part.cols.len()).zip(self.span.sums.chunks_exact_mut(column)) {
            let variances = &variances[o * column..][..used * LANES];
            let z = Deviates::new(values, &batch, o);
            let lanes = sums
                .chunks_exact_mut(LANES)
                .zip(variances.chunks_exact(LANES));
            for (i, (sums, variances)) in lanes.enumerate() {
                sum_noise::add(sums, variances, z.lanes(i % conversions, i / conversions));
            }
        }
    }

    /// Adds read noise drawn for every cell.
    #[inline(always)]
    fn noise_of_cells(&mut self, part: &Part) {
        let Some(variance) = self.operands.variance else {
            return;
        };
        let plan = self.plan;
        let a = &plan.spec.arrays;
        let batch = self.batch(part);
        let conversions = plan.spec.dac.conversions();
        let values = room(&mut self.span.deviates, batch.len());
        let pixels = &plan.pixels[part.pixels.clone()];
        let column = plan.span * conversions * LANES;
        for k in plan.rows(part.r) {
            let offset = plan.offsets[k] as usize + part.group * plan.group_in;
            for t in 0..conversions {
                self.events
                    .fill(Purpose::ReadCell, Some(k), &batch, t, values);
                let drives = &self.noise[t * plan.x_len..][offset..];
                let columns = self.span.sums.chunks_exact_mut(column);
                for (o, sums) in batch.cols.clone().zip(columns) {
                    let sigma = variance[(part.p * a.cols + o) * a.rows + k].sqrt();
                    let z = Deviates::new(values, &batch, o - batch.cols.start);
                    for (i, &(from, to)) in pixels.iter().enumerate() {
                        let sums = &mut sums[to as usize + t * LANES..][..LANES];
                        let drives = &drives[from as usize..][..LANES];
                        sum_noise::add_of_cell(sums, sigma, drives, z.lanes(0, i));
                    }
                }
            }
        }
    }

    /// Converts the sums.
    #[inline(always)]
    fn convert<S: Simd>(&mut self, s: S, part: &Part) {
        let batch = self.batch(part);
        let Sink::Convert(output) = &mut *self.sink else {
            return;
        };
        let plan = self.plan;
        let (spec, a) = (&plan.spec, &plan.spec.arrays);
        let conversions = spec.dac.conversions();
        let mut place = [1.0; 8];
        for (to, from) in place.iter_mut().zip(places(spec)) {
            *to = from as f32;
        }
        let none = ConverterEffects::default();
        let effects = spec.adc.as_ref().map_or(&none, |adc| &adc.effects);
        let drawn = conversions * batch.len();
        let rest = effects.active().skip(usize::from(plan.joined.is_some()));
        let rest: Vec<_> = rest.collect();
        let purposes = plan.joined.map(|_| Purpose::ReadNoise);
        let purposes = purposes.into_iter();
        let purposes = purposes.chain(rest.iter().filter_map(|effect| effect.draws()));
        let draws = purposes.clone().count();
        let values = room(&mut self.span.deviates, drawn * draws);
        for (values, purpose) in values.chunks_exact_mut(drawn).zip(purposes) {
            for (t, values) in values.chunks_exact_mut(batch.len()).enumerate() {
                self.events.fill(purpose, None, &batch, t, values);
            }
        }
        let first = (part.r * a.read_planes() + part.p) * a.cols;
        let column = plan.span * LANES;
        let n = part.pixels.len() * LANES;
        for (i, o) in part.cols.clone().enumerate() {
            let at = o * column..o * column + n;
            let told = match output.told.is_some() {
                true => Some(&mut self.span.told[at.clone()]),
                false => None,
            };
            let sums = i * column * conversions..i * column * conversions + n * conversions;
            let values = values.chunks_exact(drawn);
            let mut values = values.map(|v| Deviates::new(v, &batch, i));
            let joined = plan.joined.and_then(|sigma| {
                let z = values.next()?;
                let variances = &self.span.variances[sums.clone()];
                Some(Joined {
                    variances,
                    sigma,
                    z,
                })
            });
            let disturbing = rest.iter().map(|&effect| {
                let values = effect.draws().and_then(|_| values.next());
                (effect, values)
            });
            let disturbing: Vec<Disturbing> = disturbing.collect();
            let convert = Convert {
                converter: self.converters[first + batch.cols.start + i],
                joined,
                effects: &disturbing,
                places: &place[..conversions],
                sums: &mut self.span.sums[sums],
                space: &mut self.span.drawn,
                inputs: &self.span.inputs[0],
                told,
                slopes: output.slopes,
            };
            let total = match spec.integer {
                true => Total::Integer(&mut self.span.integers[at]),
                false => Total::Float(&mut self.span.totals[at]),
            };
            convert.add_to(s, total);
        }
    }

    /// Writes the sums.
    #[inline(always)]
    fn store(&mut self, part: &Part) {
        let cols = self.cols(part);
        let Sink::Store(y) = &mut *self.sink else {
            return;
        };
        let spec = &self.plan.spec;
        let map = self.plan.pixels.len() * LANES;
        let block = spec.arrays.converters() * spec.dac.conversions() * map;
        Store {
            spec,
            sums: &self.span.sums,
            span: self.plan.span,
            pixels: part.pixels.clone(),
            map,
        }
        .copy(part.r, part.p, cols, &mut y[self.index * block..][..block]);
    }

    /// Writes the outputs.
    #[inline(always)]
    fn finish<S: Simd>(&mut self, s: S, group: usize, pixels: &Range<usize>) {
        let Sink::Convert(output) = &mut *self.sink else {
            return;
        };
        let plan = self.plan;
        let spec = &plan.spec;
        let base = spec.arrays.digital_base();
        let lsb = output.converters.range.map_or(1.0, |range| range[0]);
        let column = plan.span * LANES;
        let map = plan.pixels.len() * LANES;
        let n = pixels.len() * LANES;
        for o in 0..plan.cols {
            let at = o * column..o * column + n;
            let col = group * plan.cols + o;
            let w_step = match output.w_step {
                [only] => *only,
                steps => steps[col],
            };
            let scale = w_step * self.operands.x_step;
            let totals = &mut self.span.totals[at.clone()];
            if spec.integer {
                for (u, &i) in totals.iter_mut().zip(&self.span.integers[at.clone()]) {
                    *u = lsb * i as f32;
                }
            }
            if base != 0.0 {
                for (u, sum) in totals.iter_mut().zip(&self.span.inputs[1]) {
                    *u -= base * sum;
                }
            }
            let start = (self.index * spec.arrays.cols + col) * map + pixels.start * LANES;
            let y = &mut output.y[start..start + n];
            for (y, u) in y.iter_mut().zip(&*totals) {
                *y = scale * u;
            }
            output.epilogue.apply(s, col, start, y);
            if let Some(told) = &mut output.told {
                told[start..start + n].copy_from_slice(&self.span.told[at]);
            }
        }
    }
}
