//! From bytes to the inputs of a network.

use super::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};

/// Maps a pixel `p` of channel `c` to `(p / pixel_max - mean[c]) / std[c]`, computed in `f64` and
/// rounded once: one table of 256 values a channel, the same on every machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalise {
    tables: Vec<[f32; 256]>,
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
        let tables = (0..data.c)
            .map(|c| {
                let (m, s) = (of(mean, c), of(std, c));
                std::array::from_fn(|p| ((p as f64 / top - m) / s) as f32)
            })
            .collect();
        Ok(Self { tables })
    }

    /// Pixels to `[0, 1]`.
    pub fn unit(data: &Dataset) -> Self {
        let top = f64::from(data.pixel_max);
        let table = std::array::from_fn(|p| (p as f64 / top) as f32);
        Self {
            tables: vec![table; data.c],
        }
    }

    /// Zero mean and unit variance over `data` (which should be the training set), per channel. A
    /// constant channel becomes 0.
    pub fn standard(data: &Dataset) -> Result<Self> {
        let (mean, mut std) = data.statistics();
        for s in &mut std {
            if *s == 0.0 {
                *s = 1.0;
            }
        }
        Self::new(data, &mean, &std)
    }

    /// The value of pixel `p` of channel `c`.
    pub fn value(&self, c: usize, p: u8) -> f32 {
        self.tables[c][usize::from(p)]
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
        let plane = self.h * self.w;
        for i in indices {
            for (channel, table) in self.image(i).chunks_exact(plane).zip(&normalise.tables) {
                out.extend(channel.iter().map(|&p| table[usize::from(p)]));
            }
        }
    }

    /// Appends the labels with these indices to `out`, as `f32`: the labels of
    /// [`crate::backend::program::Op::SoftmaxXent`].
    pub fn gather_labels(&self, indices: impl IntoIterator<Item = usize>, out: &mut Vec<f32>) {
        out.extend(indices.into_iter().map(|i| f32::from(self.labels[i])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Dataset {
        let images = vec![0, 255, 51, 102, 255, 0, 0, 204];
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
        let flat = Dataset::new("t", vec![3; 4], vec![0], (1, 2, 2), 1, 255).unwrap();
        let norm = Normalise::standard(&flat).unwrap();
        assert!(norm.value(0, 3).abs() < 1e-6);
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
