//! Converters of other bits, and of other ranges, in the place of those of an experiment.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::matrix::Matrix;
use super::powers::{Powers, Ratio};
use super::report::{BitsRow, ConverterRow, RangeRow};
use super::rig::{Fab, Level};
use super::stages::{Kind, Part, Stage, unconverted};
use super::{Goal, Options};
use crate::chip::layer::CellLayer;
use crate::chip::ranges::{self, Converters};
use crate::config::LayerSettings;
use crate::config::chip::{AdcBits, AdcCodes, AdcRange};
use crate::effects::CodeRange;
use crate::error::Result;
use crate::setup::Point;
use crate::sweep::cells::CellLevel;
use crate::train::Model;

/// Most bits of a converter.
const MOST: u32 = 14;
/// Most sums of a slice that a range is chosen by.
const SUMS: usize = 1 << 20;
/// Smallest limit that is tried, as a share of the largest sum.
const SMALLEST: f64 = 1e-3;
/// Limits that are tried for every factor of e: neighbours differ by 2 %.
const PER_E: f64 = 50.0;

/// The layers of a point with converters of other bits, as they are asked for.
pub(super) struct Others<'a> {
    point: &'a Point<'a>,
    model: &'a Model,
    fab: &'a Fab<'a>,
    options: &'a Options,
    by_bits: BTreeMap<u32, CellLevel>,
}

/// A point whose layers have other settings.
fn changed<'a>(point: &Point<'a>, change: impl Fn(usize, &mut LayerSettings)) -> Point<'a> {
    let mut point = point.clone();
    let mut layers = point.layers.to_vec();
    layers
        .iter_mut()
        .enumerate()
        .for_each(|(index, own)| change(index, own));
    point.layers = layers.into();
    point
}

/// The stage of a layer as a sweep has it.
fn whole(cells: &CellLevel, at: usize) -> Stage {
    Stage {
        part: Part::Tuning,
        kind: Kind::Cell(Box::new(cells.layers[at].clone())),
        deviates: true,
        tuned: true,
    }
}

impl<'a> Others<'a> {
    pub fn new(
        point: &'a Point<'a>,
        model: &'a Model,
        fab: &'a Fab<'a>,
        options: &'a Options,
    ) -> Self {
        Self {
            point,
            model,
            fab,
            options,
            by_bits: BTreeMap::new(),
        }
    }

    /// Ratio of a layer at a stage.
    fn ratio(&self, matrix: &Matrix, stage: &Stage, of: (&Level, usize)) -> Result<Ratio> {
        let chips = 0..self.options.chips as u32;
        let found = self.fab.outputs(matrix, stage, of, chips)?.outputs;
        let mut powers = Powers::default();
        for chip in found.chunks_exact(matrix.outputs.ideal.len()) {
            powers.push(&matrix.outputs, chip, None);
        }
        Ok(Ratio::over(matrix.outputs.signal(), &powers.total))
    }

    /// Bits and ranges of a layer's converters; `now` is its ratio as it is.
    pub fn row(
        &mut self,
        matrix: &Matrix,
        (level, at): (&Level, usize),
        layer: &CellLayer,
        now: &Ratio,
    ) -> Result<ConverterRow> {
        let without = match unconverted(layer) {
            Some(stage) => Some(self.ratio(matrix, &stage, (level, at))?),
            None => None,
        };
        let goal = match (self.options.goal, &without) {
            (Some(Goal::Reach(db)), _) => Some(db),
            (Some(Goal::Lose(db)), Some(without)) => Some(without.db - db),
            (Some(Goal::Lose(_)), None) | (None, _) => None,
        };
        let (bits, tried) = match goal {
            Some(goal) => self.fewest_bits(matrix, (level, at), goal)?,
            None => (None, vec![]),
        };
        let range = match (&layer.reading.adc, &layer.layout) {
            (None, _) => None,
            (Some(_), Some(layout)) if layout.moves_rows(&layer.reading.arrays) => None,
            (Some(_), _) => Some(self.best_range(matrix, (level, at), layer, now)?),
        };
        Ok(ConverterRow {
            without,
            goal_db: goal.unwrap_or(f64::NAN),
            bits,
            tried,
            range,
        })
    }

    /// The fewest bits whose ratio reaches `goal`, and all that were tried.
    fn fewest_bits(
        &mut self,
        matrix: &Matrix,
        (level, at): (&Level, usize),
        goal: f64,
    ) -> Result<(Option<u32>, Vec<BitsRow>)> {
        let least = match self.point.layers[matrix.index].chip.adc.codes {
            AdcCodes::SignMagnitude => 2,
            AdcCodes::Uniform => 1,
        };
        let mut tried = vec![];
        for bits in least..=MOST {
            if !self.by_bits.contains_key(&bits) {
                let cells = self.with_bits(bits)?;
                self.by_bits.insert(bits, cells);
            }
            // Chips are tuned by what their cells are, whatever the converters.
            let stage = whole(&self.by_bits[&bits], at);
            let snr = self.ratio(matrix, &stage, (level, at))?;
            tried.push(BitsRow { bits, snr });
            if snr.reaches(goal) {
                return Ok((Some(bits), tried));
            }
        }
        Ok((None, tried))
    }

    /// All layers with converters of `bits` bits, whose ranges follow as those of the experiment do.
    fn with_bits(&self, bits: u32) -> Result<CellLevel> {
        let point = changed(self.point, |_, own| {
            let adc = &mut own.chip.adc;
            adc.bits = AdcBits::Same(bits.max(match adc.codes {
                AdcCodes::SignMagnitude => 2,
                AdcCodes::Uniform => 1,
            }));
            // A non-linearity is that of the codes of the experiment.
            adc.inl.clear();
        });
        CellLevel::new(&point, self.model, &self.fab.variation)
    }

    /// The limits with the least squared error of the sums that chips give, and what comes of them.
    fn best_range(
        &self,
        matrix: &Matrix,
        of: (&Level, usize),
        layer: &CellLayer,
        now: &Ratio,
    ) -> Result<RangeRow> {
        let (limits, sums) = self.limits(matrix, of, layer)?;
        let index = matrix.index;
        let mut point = changed(self.point, |i, own| {
            if i == index {
                own.chip.adc.range = AdcRange::Fixed;
                own.chip.adc.limit.clone_from(&limits);
            }
        });
        point.config.experiment.chip.adc.shared = false;
        let cells = CellLevel::new(&point, self.model, &self.fab.variation)?;
        let snr = self.ratio(matrix, &whole(&cells, of.1), of)?;
        Ok(RangeRow {
            limit: limits,
            sums,
            snr,
            gain_db: snr.db - now.db,
        })
    }

    /// The best limit of every slice in fully conducting cells, and the sums that each was chosen by.
    fn limits(
        &self,
        matrix: &Matrix,
        of: (&Level, usize),
        layer: &CellLayer,
    ) -> Result<(Vec<f64>, u64)> {
        let stage = unconverted(layer).unwrap_or_else(|| Stage {
            part: Part::Tuning,
            kind: Kind::Cell(Box::new(layer.without_converter())),
            deviates: true,
            tuned: false,
        });
        let reading = &layer.reading;
        let arrays = &reading.arrays;
        let each = arrays.cols * arrays.row_tiles() * reading.dac.conversions();
        let planes = arrays.read_planes();
        let of_slice = planes / arrays.slices();
        let chips = self.options.chips.clamp(1, SUMS);
        let count = (SUMS / (each * of_slice * chips)).clamp(1, matrix.vectors.count);
        let mut sums: Vec<Vec<f32>> = vec![vec![]; planes];
        for chip in 0..chips {
            let all = self.fab.sums(matrix, &stage, of, (chip as u32, count))?;
            for (i, some) in all.chunks_exact(each).enumerate() {
                sums[i % planes].extend_from_slice(some);
            }
            if sums[0].len() * of_slice >= SUMS {
                break;
            }
        }
        let adc = reading.adc.as_ref();
        let adc = adc.ok_or_else(|| crate::error::Error::Internal("no converters".into()))?;
        let converters = Converters::new(arrays, &reading.dac, adc);
        let limit = |slice: usize| {
            let of = (0..planes).filter(|p| arrays.slice_of(*p) == slice);
            let of: Vec<Plane> = of
                .map(|p| Plane {
                    sums: &sums[p],
                    codes: converters.codes(p),
                    signs: converters.has_signs(p),
                })
                .collect();
            let first = (0..planes).find(|p| arrays.slice_of(*p) == slice);
            let unit = first.map_or(1.0, |p| converters.unit(p));
            let grain = ranges::grain(arrays);
            let full = converters.most(first.unwrap_or(0)).max(grain);
            least_squares(&of, grain).unwrap_or(full) / unit
        };
        let limits = (0..arrays.slices()).map(limit).collect();
        Ok((limits, sums.iter().map(|s| s.len() as u64).sum()))
    }
}

/// Sums of a read plane, and the codes of its converters.
struct Plane<'a> {
    sums: &'a [f32],
    codes: CodeRange,
    signs: bool,
}

impl Plane<'_> {
    /// Squared error of all sums with converters of a limit.
    fn error(&self, limit: f64) -> f64 {
        let [lsb, zero] = ranges::of_limit(self.codes, self.signs, limit);
        let [lo, hi] = self.codes.ends();
        let square = |&v: &f32| {
            let v = f64::from(v);
            let code = ((v - zero) / lsb).round_ties_even().clamp(lo, hi);
            (code * lsb + zero - v).powi(2)
        };
        self.sums.iter().map(square).sum()
    }
}

/// The limit with the least squared error of the sums of some planes: of limits 2 % apart, from twice the largest sum down to
/// a thousandth of it, and of those whose step is a power of two times `grain`. The smaller one of equals; `None` where all sums
/// are 0.
fn least_squares(planes: &[Plane], grain: f64) -> Option<f64> {
    let all = planes.iter().flat_map(|plane| plane.sums);
    let most = all.fold(0.0f64, |m, v| m.max(f64::from(v.abs())));
    let first = planes.first().filter(|_| most > 0.0)?;
    let steps = ((2.0 / SMALLEST).ln() * PER_E).ceil() as i32;
    let even = (0..=steps).map(|i| 2.0 * most * (-f64::from(i) / PER_E).exp());
    let per_step = 1.0 / ranges::of_limit(first.codes, first.signs, 1.0)[0];
    let powers = (-8..=24).map(|k| grain * 2f64.powi(k) * per_step);
    let powers = powers.filter(|limit| (SMALLEST * most..=2.0 * most).contains(limit));
    let candidates: Vec<f64> = even.chain([most]).chain(powers).collect();
    let errors = candidates.into_par_iter().map(|limit| {
        let error: f64 = planes.iter().map(|plane| plane.error(limit)).sum();
        (error, limit)
    });
    let best = errors.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    best.map(|(_, limit)| limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(sums: &[f32], codes: (i32, i32)) -> Plane<'_> {
        Plane {
            sums,
            codes: CodeRange {
                lo: codes.0,
                hi: codes.1,
            },
            signs: codes.0 < 0,
        }
    }

    /// Whole sums that the codes hold one by one are converted without error, and by no wider a range than they need.
    #[test]
    fn whole_sums_get_whole_steps() {
        let sums: Vec<f32> = (-7..=7).map(|v| v as f32).collect();
        let limit = least_squares(&[plane(&sums, (-7, 7))], 1.0).unwrap();
        assert_eq!(limit, 7.0);
        assert_eq!(plane(&sums, (-7, 7)).error(limit), 0.0);
        assert_eq!(least_squares(&[plane(&[0.0, 0.0], (-7, 7))], 1.0), None);
    }

    /// Normal sums: the best limit of 15 codes is that of a uniform quantizer with an odd number of levels, between those of
    /// 8 and 16 levels in J. Max, IRE Transactions on Information Theory 6, 1960, 7-12 (half a step beyond the last level:
    /// 2.344 and 2.681 standard deviations).
    #[test]
    fn normal_sums_are_clipped_where_it_costs_least() {
        let stream = crate::random::Stream::new(5, crate::random::Purpose::Cell, 0, 1, 0);
        let sums: Vec<f32> = (0..200_000).map(|i| stream.normal(i)).collect();
        let limit = least_squares(&[plane(&sums, (-7, 7))], 1e-9).unwrap();
        let end = limit * 7.5 / 7.0;
        assert!((2.344..2.681 * 1.02).contains(&end), "{end}");
        // Less than a grid of limits to both sides.
        let of = |limit| plane(&sums, (-7, 7)).error(limit);
        assert!(of(limit) < of(limit * 1.1) && of(limit) < of(limit * 0.9));
        // Two planes share one limit: that of the sums of both.
        let wide: Vec<f32> = sums.iter().map(|v| 3.0 * v).collect();
        let both = [plane(&sums, (-7, 7)), plane(&wide, (-7, 7))];
        let shared = least_squares(&both, 1e-9).unwrap();
        assert!(shared > limit && shared < 3.1 * limit);
    }
}
