//! From bytes to the inputs of a network.

use rayon::prelude::*;

use super::augment::Augment;
use super::dataset::{Dataset, Pixels};
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};

/// Maps a pixel `p` of channel `c` to `(p / pixel_max - mean[c]) / std[c]`, computed in `f64` and
/// rounded once: for bytes one table of 256 values a channel, the same on every machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalise {
    tables: Vec<[f32; 256]>,
    /// `(mean, std)` of each channel.
    constants: Vec<(f64, f64)>,
    top: f64,
}

impl Normalise {
    /// Tables for the channels of `data`. One mean (or one standard deviation) serves all channels.
    ///
    /// # Errors
    /// When the number of values is neither 1 nor the number of channels, a mean is not finite, or
    /// a standard deviation is not finite and positive.
    pub fn new(data: &Dataset, mean: &[f64], std: &[f64]) -> Result<Self> {
        for (what, values) in [("mean", mean), ("std", std)] {
            if values.len() != 1 && values.len() != data.c {
                return Err(Error::input(format!(
                    "{}: normalisation has {} values of {what}, expected 1 or {} (channels)",
                    data.name,
                    values.len(),
                    data.c
                )));
            }
        }
        if let Some(m) = mean.iter().find(|m| !m.is_finite()) {
            return Err(Error::input(format!(
                "{}: normalisation mean {m}, expected a finite number",
                data.name
            )));
        }
        if let Some(s) = std.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(Error::input(format!(
                "{}: normalisation std {s}, expected a finite number above 0",
                data.name
            )));
        }
        let of = |values: &[f64], c: usize| values[if values.len() == 1 { 0 } else { c }];
        let top = f64::from(data.pixel_max);
        Ok(Self::of_constants(
            (0..data.c).map(|c| (of(mean, c), of(std, c))).collect(),
            top,
        ))
    }

    fn of_constants(constants: Vec<(f64, f64)>, top: f64) -> Self {
        let table =
            |&(m, s): &(f64, f64)| std::array::from_fn(|p| ((p as f64 / top - m) / s) as f32);
        Self {
            tables: constants.iter().map(table).collect(),
            constants,
            top,
        }
    }

    /// Pixels to `[0, 1]`.
    pub fn unit(data: &Dataset) -> Self {
        Self::of_constants(vec![(0.0, 1.0); data.c], f64::from(data.pixel_max))
    }

    /// Zero mean and unit variance over `data` (which should be the training set), per channel. A
    /// constant channel becomes 0.
    pub fn standard(data: &Dataset) -> Result<Self> {
        Self::with(data, None, None)
    }

    /// [`Normalise::new`] where what is `None` is measured on `data` (which should be the training
    /// set), channel by channel. The standard deviation of a constant channel is taken as 1.
    ///
    /// # Errors
    /// As [`Normalise::new`].
    pub fn with(data: &Dataset, mean: Option<&[f64]>, std: Option<&[f64]>) -> Result<Self> {
        let (measured_mean, mut measured_std) = match (mean, std) {
            (Some(_), Some(_)) => Default::default(),
            _ => data.statistics(),
        };
        for s in &mut measured_std {
            if *s == 0.0 {
                *s = 1.0;
            }
        }
        Self::new(
            data,
            mean.unwrap_or(&measured_mean),
            std.unwrap_or(&measured_std),
        )
    }

    /// Refuses images of which a pixel is not finite once it is normalised.
    ///
    /// # Errors
    /// Names the set, the image, its channel and the pixel.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        let plane = data.h * data.w;
        let value = |at: usize| match &data.images {
            Pixels::Bytes(all) => f64::from(all[at]),
            Pixels::Floats(all) => f64::from(all[at]),
        };
        let normalised = |at: usize| {
            let (mean, std) = self.constants[at / plane % data.c];
            ((value(at) / self.top - mean) / std) as f32
        };
        let broken = match &data.images {
            // Every pixel is one of 256.
            Pixels::Bytes(_) if self.tables.iter().flatten().all(|x| x.is_finite()) => None,
            all => (0..all.len())
                .into_par_iter()
                .find_first(|&at| !normalised(at).is_finite()),
        };
        let Some(at) = broken else {
            return Ok(());
        };
        let (mean, std) = self.constants[at / plane % data.c];
        Err(Error::input(format!(
            "{}: image {}, channel {}: the pixel {} becomes {} with data.mean {mean} and data.std {std}; \
             allowed: finite numbers",
            data.name,
            at / data.pixels(),
            at / plane % data.c,
            value(at),
            normalised(at)
        )))
    }

    /// Mean and standard deviation of each channel, as given or measured.
    pub fn constants(&self) -> &[(f64, f64)] {
        &self.constants
    }

    /// The value of pixel `p` of channel `c`.
    pub fn value(&self, c: usize, p: u8) -> f32 {
        self.tables[c][usize::from(p)]
    }

    /// Image `i` of `data`, `[c][h][w]`.
    fn write(&self, data: &Dataset, i: usize, out: &mut [f32]) {
        let plane = data.h * data.w;
        let range = data.range(i);
        match &data.images {
            Pixels::Bytes(all) => {
                let channels = all[range]
                    .chunks_exact(plane)
                    .zip(out.chunks_exact_mut(plane));
                for ((channel, out), table) in channels.zip(&self.tables) {
                    for (o, &p) in out.iter_mut().zip(channel) {
                        *o = table[usize::from(p)];
                    }
                }
            }
            Pixels::Floats(all) => {
                let channels = all[range]
                    .chunks_exact(plane)
                    .zip(out.chunks_exact_mut(plane));
                for ((channel, out), (mean, std)) in channels.zip(&self.constants) {
                    for (o, &p) in out.iter_mut().zip(channel) {
                        *o = ((f64::from(p) / self.top - mean) / std) as f32;
                    }
                }
            }
        }
    }
}

/// The order of `n` training images in an epoch: a Fisher-Yates shuffle whose swap partner of
/// position `i` comes from word `i` of the shuffle stream of (seed, epoch), by multiply-shift
/// (bias below `n / 2^32`). A resumed run therefore sees the images in the same order.
pub fn permutation(n: usize, seed: u64, epoch: u32) -> Vec<usize> {
    let words = Stream::new(seed, Purpose::Shuffle, 0, 0, epoch);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let below = (u64::from(words.word(i as u32)) * (i as u64 + 1)) >> 32;
        order.swap(i, below as usize);
    }
    order
}

impl Dataset {
    /// Appends the images with these indices to `out`, `[image][c][h][w]`, as
    /// [`crate::backend::Session::write`] takes them.
    pub fn gather(
        &self,
        indices: impl IntoIterator<Item = usize>,
        normalise: &Normalise,
        out: &mut Vec<f32>,
    ) {
        for i in indices {
            let start = out.len();
            out.resize(start + self.pixels(), 0.0);
            normalise.write(self, i, &mut out[start..]);
        }
    }

    /// Replaces `out` by the images with these indices, `[image][c][h][w]`, each moved as `augment`
    /// draws it for (seed, epoch, index); without, as [`Dataset::gather`]. Images are made in
    /// parallel; the values do not depend on how many threads there are.
    pub fn gather_moved(
        &self,
        indices: &[usize],
        normalise: &Normalise,
        augment: Option<(&Augment, u64, u32)>,
        out: &mut Vec<f32>,
    ) {
        // Below this many values a thread costs more than it saves.
        const VALUES: usize = 1 << 14;
        let n = self.pixels();
        let shape = (self.c, self.h, self.w);
        let outside: Vec<f32> = (0..self.c).map(|c| normalise.value(c, 0)).collect();
        out.resize(indices.len() * n, 0.0);
        out.par_chunks_exact_mut(n)
            .zip(indices)
            .with_min_len((VALUES / n).max(1))
            .for_each_init(Vec::new, |scratch, (out, &i)| match augment {
                None => normalise.write(self, i, out),
                Some((augment, seed, epoch)) => {
                    scratch.resize(n, 0.0);
                    normalise.write(self, i, scratch);
                    augment
                        .draw(seed, epoch, i)
                        .apply(scratch, shape, &outside, out);
                }
            });
    }

    /// Appends the labels with these indices to `out`, as `f32`: the labels of
    /// [`crate::program::SoftmaxXent`].
    pub fn gather_labels(&self, indices: impl IntoIterator<Item = usize>, out: &mut Vec<f32>) {
        out.extend(indices.into_iter().map(|i| f32::from(self.labels[i])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Dataset {
        let images = vec![0u8, 255, 51, 102, 255, 0, 0, 204];
        Dataset::new("t", images, vec![1, 0], (2, 1, 2), 2, 255).unwrap()
    }

    #[test]
    fn batches_are_image_channel_row_column() {
        let d = data();
        let norm = Normalise::new(&d, &[0.5, 0.0], &[0.5, 0.2]).unwrap();
        let (mut x, mut y) = (Vec::new(), Vec::new());
        d.gather([1, 0], &norm, &mut x);
        d.gather_labels([1, 0], &mut y);
        // One rounding to f32 on values up to 4.
        for (found, expected) in x.iter().zip([1., -1., 0., 4., -1., 1., 1., 2.]) {
            assert!((found - expected).abs() < 1e-6, "{x:?}");
        }
        assert_eq!(x.len(), 8);
        assert_eq!(y, [0.0, 1.0]);
    }

    #[test]
    fn pixels_that_overflow_are_named() {
        let floats = vec![0.5f32, 1.0, -2.0, 3e38, 1e38, 0.0, 0.0, 3e38];
        let d = Dataset::new("t", floats, vec![1, 0], (2, 1, 2), 2, 1).unwrap();
        Normalise::new(&d, &[0.0], &[1.0])
            .unwrap()
            .check(&d)
            .unwrap();
        let message = Normalise::new(&d, &[0.0], &[1.0, 1e-3]).unwrap().check(&d);
        assert_eq!(
            message.unwrap_err().to_string(),
            format!(
                "t: image 0, channel 1: the pixel {} becomes inf with data.mean 0 and data.std 0.001; \
                 allowed: finite numbers",
                f64::from(3e38f32)
            )
        );
        let bytes = data();
        Normalise::standard(&bytes).unwrap().check(&bytes).unwrap();
    }

    #[test]
    fn standard_gives_zero_mean_and_unit_variance() {
        let d = data();
        let norm = Normalise::standard(&d).unwrap();
        let mut x = Vec::new();
        d.gather(0..d.len(), &norm, &mut x);
        for c in 0..2 {
            let v: Vec<f64> = x
                .chunks(2)
                .skip(c)
                .step_by(2)
                .flatten()
                .map(|&v| v.into())
                .collect();
            let mean = v.iter().sum::<f64>() / 4.0;
            let var = v.iter().map(|x| x * x).sum::<f64>() / 4.0;
            // Values are rounded to f32.
            assert!(
                mean.abs() < 1e-6 && (var - 1.0).abs() < 1e-6,
                "{mean} {var}"
            );
        }
        let flat = Dataset::new("t", vec![3u8; 4], vec![0], (1, 2, 2), 1, 255).unwrap();
        let norm = Normalise::standard(&flat).unwrap();
        assert!(norm.value(0, 3).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_given_is_measured() {
        let d = data();
        let (mean, std) = d.statistics();
        let half = Normalise::with(&d, None, Some(&[0.5])).unwrap();
        assert_eq!(half.constants(), [(mean[0], 0.5), (mean[1], 0.5)]);
        let half = Normalise::with(&d, Some(&[0.25, 0.5]), None).unwrap();
        assert_eq!(half.constants(), [(0.25, std[0]), (0.5, std[1])]);
    }

    #[test]
    fn floats_are_normalised_as_they_are() {
        let d = Dataset::new("t", vec![-1.0f32, 0.5, 2.0, 4.0], vec![0], (2, 1, 2), 1, 1).unwrap();
        let norm = Normalise::new(&d, &[0.5, 1.0], &[0.5, 2.0]).unwrap();
        let mut x = Vec::new();
        d.gather([0], &norm, &mut x);
        assert_eq!(x, [-3.0, 0.0, 0.5, 1.5]);
        assert_eq!(norm.value(0, 0), -1.0);
    }

    #[test]
    fn moved_batches_are_their_images_moved_whatever_the_batch() {
        let all = crate::data::Embedded::Digits8x8.load().unwrap().train;
        let norm = Normalise::unit(&all);
        let augment = Augment {
            pad: 2,
            flip: true,
            rotate_degrees: 20.0,
        };
        let indices: Vec<usize> = (0..600).map(|i| (i * 7) % all.len()).collect();
        let (mut plain, mut still, mut moved) = (vec![], vec![1.0; 3], vec![]);
        all.gather(indices.iter().copied(), &norm, &mut plain);
        all.gather_moved(&indices, &norm, None, &mut still);
        assert_eq!(plain, still);
        all.gather_moved(&indices, &norm, Some((&augment, 3, 5)), &mut moved);
        let n = all.pixels();
        for (k, &i) in indices.iter().enumerate() {
            let (mut source, mut expected) = (vec![], vec![0.0; n]);
            all.gather([i], &norm, &mut source);
            let motion = augment.draw(3, 5, i);
            motion.apply(&source, (1, 8, 8), &[0.0], &mut expected);
            assert_eq!(moved[k * n..(k + 1) * n], expected, "image {i}");
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let mut alone = vec![];
        pool.install(|| all.gather_moved(&indices, &norm, Some((&augment, 3, 5)), &mut alone));
        assert_eq!(alone, moved);
        all.gather_moved(&indices, &norm, Some((&augment, 3, 6)), &mut alone);
        assert_ne!(alone, moved);
    }

    #[test]
    fn permutations_depend_on_seed_and_epoch_only() {
        let a = permutation(1000, 5, 3);
        assert_eq!(a, permutation(1000, 5, 3));
        assert_ne!(a, permutation(1000, 5, 4));
        assert_ne!(a, permutation(1000, 6, 3));
        let mut sorted = a;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_eq!(permutation(1, 0, 0), [0]);
        assert!(permutation(0, 0, 0).is_empty());
    }

    #[test]
    fn every_value_is_equally_often_at_every_position() {
        const N: usize = 5;
        const ROUNDS: u32 = 20_000;
        let mut counts = [[0u32; N]; N];
        for epoch in 0..ROUNDS {
            for (position, value) in permutation(N, 1, epoch).into_iter().enumerate() {
                counts[position][value] += 1;
            }
        }
        // z = 6 standard errors of a binomial count with p = 1/N.
        let (expected, p) = (f64::from(ROUNDS) / N as f64, 1.0 / N as f64);
        let bar = 6.0 * (f64::from(ROUNDS) * p * (1.0 - p)).sqrt();
        for count in counts.into_iter().flatten() {
            assert!((f64::from(count) - expected).abs() < bar, "{counts:?}");
        }
    }

    #[test]
    fn unit_uses_the_full_pixel_range() {
        let mut d = data();
        assert_eq!(Normalise::unit(&d).value(1, 255), 1.0);
        d.pixel_max = 16;
        assert_eq!(Normalise::unit(&d).value(0, 8), 0.5);
    }

    #[test]
    fn useless_constants_are_refused() {
        let d = data();
        for (mean, std, says) in [
            (&[0.0; 3][..], &[1.0][..], "3 values of mean"),
            (&[0.0][..], &[][..], "0 values of std"),
            (&[f64::NAN][..], &[1.0][..], "mean NaN"),
            (&[0.0][..], &[1.0, 0.0][..], "std 0"),
            (&[0.0][..], &[f64::INFINITY][..], "std inf"),
        ] {
            let message = Normalise::new(&d, mean, std).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }
}
