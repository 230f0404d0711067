//! From bytes to the inputs of a network.

use super::dataset::Dataset;
use crate::error::{Error, Result};

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
    pub fn new(data: &Dataset, mean: &[f32], std: &[f32]) -> Result<Self> {
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
        let of =
            |values: &[f32], c: usize| f64::from(values[if values.len() == 1 { 0 } else { c }]);
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
        // 0.2f32 is not 1/5: one rounding of it, relative 2^-24, on values up to 5.
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
            // Mean and std are rounded to f32.
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
            (&[f32::NAN][..], &[1.0][..], "mean NaN"),
            (&[0.0][..], &[1.0, 0.0][..], "std 0"),
            (&[0.0][..], &[f32::INFINITY][..], "std inf"),
        ] {
            let message = Normalise::new(&d, mean, std).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }
}
