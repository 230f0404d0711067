//! Ranges of converters from histograms of the sums that they will see: constant memory, whatever the
//! number of images.

use super::layer::{CellLayer, Pairs};
use super::ranges::{self, Converters};
use crate::config::chip::{Adc, AdcGroup, AdcMethod, AdcRange};

/// Most counters of a layer's histograms (4 MiB of `f32`).
const COUNTERS: usize = 1 << 20;
/// Most and fewest bins of a histogram, odd: zero is the centre of one.
const BINS: std::ops::RangeInclusive<usize> = 255..=16_383;

/// Smallest candidate of the search for the least squared error, as a share of the largest sum.
const SMALLEST: f64 = 1e-3;
/// Candidates of that search per factor of e: neighbours differ by 2 %.
const PER_E: f64 = 50.0;

/// How the ranges of a layer follow from histograms of its sums.
///
/// Sums of nominal cells are multiples of [`ranges::grain`]; a bin is a power of two part or
/// multiple of it wide and has its centre on one, so the histogram of nominal sums loses nothing
/// as long as it has bins enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    converters: Converters,
    rule: RangeRule,
    /// Bins of a histogram.
    pub bins: usize,
    /// Half the width of every group's histogram: the operator's `limit`.
    pub limits: Vec<f32>,
    /// Counts so far, `[group][bin]`.
    counts: Vec<f64>,
}

/// How the ranges of a layer's converters follow the sums that images give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeRule {
    /// How a range is chosen from a histogram.
    pub method: AdcMethod,
    /// Percentile of the magnitudes.
    pub percentile: f64,
    /// Converters that share a range.
    pub per: AdcGroup,
}

impl RangeRule {
    /// The rule of these converters; none where their ranges do not follow sums.
    pub fn of(adc: &Adc) -> Option<Self> {
        let follows = adc.converts() && adc.range == AdcRange::Calibrated;
        follows.then_some(Self {
            method: adc.method,
            percentile: adc.percentile,
            per: adc.per,
        })
    }
}

/// Whether the converters of any layer have ranges that follow the sums of images.
pub fn follow_sums(layers: &[CellLayer]) -> bool {
    layers.iter().any(|layer| layer.rule.is_some())
}

impl Calibration {
    /// Empty histograms of a layer whose ranges follow its sums.
    pub fn of(layer: &CellLayer) -> Option<Self> {
        let (adc, rule) = layer.reading.adc.as_ref().zip(layer.rule)?;
        let converters = Converters::new(&layer.reading.arrays, &layer.reading.dac, adc);
        Some(Self::new(converters, rule))
    }

    /// Empty histograms.
    pub fn new(converters: Converters, rule: RangeRule) -> Self {
        let arrays = converters.arrays();
        let planes = arrays.read_planes();
        let groups = match rule.per {
            AdcGroup::Layer => 1,
            AdcGroup::Slice => planes,
            AdcGroup::Column => planes * arrays.cols,
        };
        let bins = (COUNTERS / groups).clamp(*BINS.start(), *BINS.end());
        let bins = bins - (1 - bins % 2);
        let grain = ranges::grain(arrays);
        let limit = |group: usize| {
            let members = match rule.per {
                AdcGroup::Layer => 0..planes,
                AdcGroup::Slice => group..group + 1,
                AdcGroup::Column => group / arrays.cols..group / arrays.cols + 1,
            };
            let most = members.fold(grain, |m, p| m.max(converters.most(p)));
            // The outermost bin's centre is at or beyond the largest sum.
            let width = most / ((bins - 1) / 2) as f64 / grain;
            let width = grain * 2f64.powf(width.log2().ceil());
            (width * bins as f64 / 2.0) as f32
        };
        Self {
            rule,
            limits: (0..groups).map(limit).collect(),
            counts: vec![0.0; groups * bins],
            bins,
            converters,
        }
    }

    /// Number of histograms.
    pub fn groups(&self) -> usize {
        self.limits.len()
    }

    /// Adds what [`crate::program::Histogram`] counted.
    pub fn add(&mut self, counts: &[f32]) {
        for (sum, n) in self.counts.iter_mut().zip(counts) {
            *sum += f64::from(*n);
        }
    }

    /// Counts of a group.
    pub fn histogram(&self, group: usize) -> Histogram<'_> {
        Histogram {
            counts: &self.counts[group * self.bins..][..self.bins],
            limit: f64::from(self.limits[group]),
        }
    }

    /// Whether no sum but 0 was seen, in any group.
    pub fn saw_nothing(&self) -> bool {
        (0..self.groups()).all(|g| self.histogram(g).percentile(100.0) == 0.0)
    }

    /// Pairs `(lsb, lo)`, `[read plane][column]`, of the counts so far. Converters that saw nothing but
    /// 0 could meet anything later: they get the full range, or with `least` the smallest one (where
    /// it has no say in the end).
    pub fn ranges(&self, least: bool) -> Pairs {
        let arrays = self.converters.arrays();
        let limits: Vec<Option<f64>> = (0..self.groups()).map(|g| self.limit(g)).collect();
        let pair = |i: usize| {
            let plane = i / arrays.cols;
            let (group, signs) = match self.rule.per {
                AdcGroup::Layer => (0, self.any_signs()),
                AdcGroup::Slice => (plane, self.converters.has_signs(plane)),
                AdcGroup::Column => (i, self.converters.has_signs(plane)),
            };
            let codes = self.converters.codes(plane);
            match (limits[group], least) {
                (Some(limit), _) => ranges::of_limit(codes, signs, limit),
                (None, true) => ranges::of_limit(codes, signs, ranges::grain(arrays)),
                (None, false) => self.full(plane, signs),
            }
            .map(|x| x as f32)
        };
        (0..arrays.read_planes() * arrays.cols).map(pair).collect()
    }

    /// Largest magnitude inside the range of a group; `None` where it saw nothing but 0.
    fn limit(&self, group: usize) -> Option<f64> {
        let arrays = self.converters.arrays();
        let plane = match self.rule.per {
            AdcGroup::Layer => self.first_of_both_signs(),
            AdcGroup::Slice => group,
            AdcGroup::Column => group / arrays.cols,
        };
        let histogram = self.histogram(group);
        let largest = histogram.percentile(100.0);
        if largest == 0.0 {
            return None;
        }
        // Where more of the sums than the percentile are 0 it says nothing of the others.
        let percentile = || match histogram.percentile(self.rule.percentile) {
            0.0 => largest,
            limit => limit,
        };
        Some(match self.rule.method {
            AdcMethod::Percentile => percentile(),
            AdcMethod::PowerOfTwo => {
                let full = arrays.rows as f64 * self.converters.unit(plane);
                power_of_two(percentile(), full)
            }
            AdcMethod::Mse => histogram.least_squares(
                |limit| self.converters.of_limit(plane, limit),
                self.converters.codes(plane).ends(),
                ranges::grain(arrays),
            ),
        })
    }

    /// One range for all planes is one of both signs if any plane has both: the first of them, or the first
    /// of all.
    fn first_of_both_signs(&self) -> usize {
        let mut planes = 0..self.converters.arrays().read_planes();
        planes.find(|p| self.converters.has_signs(*p)).unwrap_or(0)
    }

    fn any_signs(&self) -> bool {
        self.converters.has_signs(self.first_of_both_signs())
    }

    /// The full range of the group that a plane is in.
    fn full(&self, plane: usize, signs: bool) -> [f64; 2] {
        if self.rule.per != AdcGroup::Layer {
            return self.converters.full_of(plane);
        }
        let planes = 0..self.converters.arrays().read_planes();
        let most = planes.fold(0.0, |m, p| self.converters.most(p).max(m));
        let first = self.first_of_both_signs();
        match most == self.converters.most(first) {
            // Steps that make products exact, where all converters have the same.
            true if self.converters.codes(first) == self.converters.codes(plane) => {
                self.converters.full_of(first)
            }
            _ => ranges::of_limit(self.converters.codes(plane), signs, most),
        }
    }
}

/// The smallest power of two fraction of `full` that is at least `limit` (never more than `full`).
fn power_of_two(limit: f64, full: f64) -> f64 {
    full / 2f64.powf((full / limit).log2().floor().max(0.0))
}

/// Counts of sums in equal bins from `-limit` to `limit`.
#[derive(Debug, Clone, Copy)]
pub struct Histogram<'a> {
    /// Counts.
    pub counts: &'a [f64],
    /// Half the width.
    pub limit: f64,
}

impl Histogram<'_> {
    /// Centre of a bin: the sum that its counts stand for.
    pub fn centre(&self, bin: usize) -> f64 {
        self.limit * ((2 * bin + 1) as f64 / self.counts.len() as f64 - 1.0)
    }

    /// The smallest magnitude that at least `percent` of the sums do not exceed; 0 of none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut by_magnitude: Vec<(f64, f64)> = (0..self.counts.len())
            .map(|i| (self.centre(i).abs(), self.counts[i]))
            .filter(|(_, n)| *n > 0.0)
            .collect();
        by_magnitude.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = by_magnitude.iter().map(|(_, n)| n).sum::<f64>() * percent / 100.0;
        let mut seen = 0.0;
        for (magnitude, n) in &by_magnitude {
            seen += n;
            if seen >= wanted {
                return *magnitude;
            }
        }
        by_magnitude.last().map_or(0.0, |(m, _)| *m)
    }

    /// The limit with the least squared error of converted sums, `pair` giving `(lsb, lo)` of a
    /// limit: the best of limits 2 % apart from the largest sum down to a thousandth of it, and of
    /// those with which a step is a power of two times `grain` (which convert nominal sums
    /// exactly where they do not clip). The smaller one on ties; 0 of none.
    pub fn least_squares(
        &self,
        pair: impl Fn(f64) -> [f64; 2],
        [lo, hi]: [f64; 2],
        grain: f64,
    ) -> f64 {
        let seen: Vec<(f64, f64)> = (0..self.counts.len())
            .map(|i| (self.centre(i), self.counts[i]))
            .filter(|(_, n)| *n > 0.0)
            .collect();
        let most = seen.iter().fold(0.0f64, |m, (v, _)| m.max(v.abs()));
        if most == 0.0 {
            return 0.0;
        }
        let error = |limit: f64| -> f64 {
            let [lsb, zero] = pair(limit);
            let square = |&(v, n): &(f64, f64)| {
                let code = ((v - zero) / lsb).round_ties_even().clamp(lo, hi);
                n * (code * lsb + zero - v).powi(2)
            };
            seen.iter().map(square).sum()
        };
        let steps = (-SMALLEST.ln() * PER_E).ceil() as i32;
        let geometric = (0..=steps).map(|i| most * (-f64::from(i) / PER_E).exp());
        // The limit is proportional to the step.
        let per_step = 1.0 / pair(1.0)[0];
        let powers = (-8..=24).map(|k| grain * 2f64.powi(k) * per_step);
        let powers = powers.filter(|limit| *limit >= SMALLEST * most && *limit <= 2.0 * most);
        let candidates = geometric.chain(powers).map(|limit| (error(limit), limit));
        let best = candidates.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        best.map_or(most, |(_, limit)| limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Adc as Codes, Arrays, Dac, Encoding};

    fn converters(codes: (i32, i32), slices: &[u8], rows: u32) -> Converters {
        let arrays = Arrays {
            cols: 3,
            rows: rows as usize,
            tile_rows: [0, rows].into(),
            tile_cols: [0, 3].into(),
            slice_bits: slices.into(),
            equal_slices: 1,
            weight_bits: 4,
            encoding: Encoding::Differential {
                two_sided: false,
                digital: false,
            },
            g_min: 0.0,
            levels: None,
        };
        let dac = Dac {
            input_bits: 8,
            dac_bits: 1,
            signs: None,
            table: None,
            analog_sum: false,
        };
        Converters::new(&arrays, &dac, &Codes::with_codes(codes.0, codes.1))
    }

    /// The operator's counts of values in every group.
    fn counted(c: &Calibration, group: usize, values: &[f64]) -> Vec<f32> {
        let mut counts = vec![0.0; c.groups() * c.bins];
        for v in values {
            let x = (v / f64::from(c.limits[group]) + 1.0) / 2.0 * c.bins as f64;
            counts[group * c.bins + (x.floor() as usize).min(c.bins - 1)] += 1.0;
        }
        counts
    }

    fn rule(method: AdcMethod, percentile: f64, per: AdcGroup) -> RangeRule {
        RangeRule {
            method,
            percentile,
            per,
        }
    }

    #[test]
    fn nominal_sums_are_the_centres_of_bins() {
        for (slices, rows) in [
            (&[4u8, 2][..], 100),
            (&[8], 300),
            (&[1, 1, 1], 7),
            (&[8], 4000),
        ] {
            for per in [AdcGroup::Layer, AdcGroup::Slice, AdcGroup::Column] {
                let c = converters((-127, 127), slices, rows);
                let top = c.span(0)[1];
                let c = Calibration::new(c, rule(AdcMethod::Mse, 99.0, per));
                for v in [0.0, 1.0, -3.0, top, -top] {
                    let counts = counted(&c, 0, &[v]);
                    let bin = counts.iter().position(|n| *n > 0.0).unwrap();
                    let width = 2.0 * f64::from(c.limits[0]) / c.bins as f64;
                    let nearest = c.histogram(0).centre(bin);
                    // Bins wider than a level hold several.
                    let slack = if width <= 1.0 { 1e-3 } else { 0.5001 * width };
                    assert!(
                        (nearest - v).abs() <= slack,
                        "{nearest} for {v}, width {width}"
                    );
                }
            }
        }
    }

    #[test]
    fn percentiles_are_order_statistics_of_magnitudes() {
        let c = converters((-127, 127), &[4], 100);
        let mut c = Calibration::new(c, rule(AdcMethod::Percentile, 90.0, AdcGroup::Layer));
        let values: Vec<f64> = (1..=100)
            .map(|i| f64::from(if i % 2 == 0 { i } else { -i }))
            .collect();
        let counts = counted(&c, 0, &values);
        c.add(&counts);
        c.add(&counts);
        assert!((c.histogram(0).percentile(90.0) - 90.0).abs() < 1e-3);
        assert!((c.histogram(0).percentile(100.0) - 100.0).abs() < 1e-3);
        let [lsb, lo] = c.ranges(false)[2];
        assert!((lsb - 90.0 / 127.0).abs() < 1e-5 && lo == 0.0);
    }

    #[test]
    fn a_power_of_two_of_the_rows_as_in_crosssim() {
        // 100 rows of 15 levels: 1500; the magnitude 100 lies below 1500/8.
        let c = converters((-127, 127), &[4], 100);
        let mut c = Calibration::new(c, rule(AdcMethod::PowerOfTwo, 100.0, AdcGroup::Slice));
        let counts = counted(&c, 0, &[100.0, -7.0]);
        c.add(&counts);
        assert!((c.ranges(false)[0][0] - 1500.0 / 8.0 / 127.0).abs() < 1e-5);
        assert_eq!(power_of_two(3000.0, 1500.0), 1500.0);
        assert_eq!(power_of_two(375.0, 1500.0), 375.0);
    }

    #[test]
    fn least_squares_finds_exact_steps_and_beats_every_other_limit() {
        // Sums of both signs up to 100 fit 127 codes of one level: no error is possible and reached.
        let pair = |limit: f64| [limit / 127.0, 0.0];
        let counts = vec![1.0; 201];
        let few = Histogram {
            counts: &counts,
            limit: 100.5,
        };
        assert!((few.least_squares(pair, [-127.0, 127.0], 1.0) - 127.0).abs() < 1e-9);
        // A bell over 15 codes: no limit of a fine grid is much better.
        let bell: Vec<f64> = (-500..=500)
            .map(|i| (-f64::from(i * i) / 2e4).exp() * 1e6)
            .collect();
        let bell = Histogram {
            counts: &bell,
            limit: 500.5,
        };
        let pair = |limit: f64| [limit / 7.0, 0.0];
        let error = |limit: f64| -> f64 {
            let square = |i: usize| {
                let (v, lsb) = (bell.centre(i), limit / 7.0);
                bell.counts[i] * ((v / lsb).round_ties_even().clamp(-7.0, 7.0) * lsb - v).powi(2)
            };
            (0..bell.counts.len()).map(square).sum()
        };
        let best = bell.least_squares(pair, [-7.0, 7.0], 1.0);
        let finest = (1..=5000)
            .map(|i| error(f64::from(i) * 0.1))
            .fold(f64::INFINITY, f64::min);
        assert!(error(best) <= 1.01 * finest, "{} of {finest}", error(best));
        // Max, IRE Trans. IT 6, 7 (1960): 15 equal levels of a normal, step 0.35 sigma.
        assert!((7.0 * 33.0..7.0 * 37.0).contains(&best), "{best}");
    }

    #[test]
    fn converters_that_saw_only_zeros_have_the_full_range() {
        for method in [AdcMethod::Percentile, AdcMethod::PowerOfTwo, AdcMethod::Mse] {
            for per in [AdcGroup::Layer, AdcGroup::Slice, AdcGroup::Column] {
                let of = converters((-127, 127), &[4, 2], 100);
                let full = of.full();
                let mut c = Calibration::new(of.clone(), rule(method, 99.0, per));
                assert!(c.saw_nothing());
                // A whole number of slices of equal range: one range for the layer is the largest.
                let largest = full.iter().map(|p| p[0]).fold(0.0, f32::max);
                for (got, want) in c.ranges(false).iter().zip(&full) {
                    let want = match per {
                        AdcGroup::Layer => largest,
                        _ => want[0],
                    };
                    assert_eq!((got[0], got[1]), (want, 0.0), "{method} {per}");
                }
                // Zeros are not more than nothing; where the second slice is at work only it knows.
                let mut counts = vec![0.0; c.groups() * c.bins];
                counts[c.bins / 2] = 1e6;
                c.add(&counts);
                assert!(c.saw_nothing());
                if per == AdcGroup::Slice {
                    let counts = counted(&c, 1, &[50.0; 10]);
                    c.add(&counts);
                    assert!(!c.saw_nothing());
                    assert_eq!(c.ranges(false)[0], full[0]);
                    assert!(c.ranges(false)[3][0] < full[3][0]);
                    assert!(c.ranges(true)[0][0] < full[0][0]);
                }
            }
        }
    }

    #[test]
    fn a_percentile_of_mostly_zeros_does_not_hide_the_rest() {
        for method in [AdcMethod::Percentile, AdcMethod::PowerOfTwo] {
            let c = converters((-127, 127), &[4], 100);
            let mut c = Calibration::new(c, rule(method, 90.0, AdcGroup::Layer));
            let mut counts = counted(&c, 0, &[200.0, -7.0]);
            counts[c.bins / 2] = 1000.0;
            c.add(&counts);
            let lsb = f64::from(c.ranges(false)[0][0]);
            assert!(lsb * 127.0 >= 200.0 * (1.0 - 1e-6), "{method}: {lsb}");
        }
    }
}
