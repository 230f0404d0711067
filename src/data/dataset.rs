//! Images and labels in memory.

use crate::error::{Error, Result};

/// Labelled 8-bit images of one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Name for messages and provenance.
    pub name: String,
    /// Pixels `[image][c][h][w]`.
    pub images: Vec<u8>,
    /// Class of each image, below [`Dataset::classes`].
    pub labels: Vec<u16>,
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Number of classes.
    pub classes: usize,
    /// The pixel value that stands for 1.0: 255, or 16 for the 8x8 digits.
    pub pixel_max: u8,
}

/// A training and a test part of the same shape and classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// What a network learns from.
    pub train: Dataset,
    /// What its accuracy is measured on.
    pub test: Dataset,
}

impl Dataset {
    /// Puts pixels and labels together.
    ///
    /// # Errors
    /// When there is no image, a dimension is 0, the number of pixels is not labels times image
    /// size, or a label is not below `classes`.
    pub fn new(
        name: impl Into<String>,
        images: Vec<u8>,
        labels: Vec<u16>,
        (c, h, w): (usize, usize, usize),
        classes: usize,
        pixel_max: u8,
    ) -> Result<Self> {
        let name = name.into();
        let fail = |what: String| Err(Error::input(format!("{name}: {what}")));
        if labels.is_empty() {
            return fail("no images; at least 1 is needed".into());
        }
        if c == 0 || h == 0 || w == 0 || pixel_max == 0 {
            return fail(format!(
                "images of {c} x {h} x {w} values up to {pixel_max}; each must be at least 1"
            ));
        }
        let expected = [c, h, w]
            .iter()
            .try_fold(labels.len(), |n, &d| n.checked_mul(d));
        if expected != Some(images.len()) {
            return fail(format!(
                "{} pixels for {} labels and images of {c} x {h} x {w}",
                images.len(),
                labels.len()
            ));
        }
        if let Some(i) = labels.iter().position(|&l| usize::from(l) >= classes) {
            return fail(format!(
                "label of image {i} is {}; with {classes} classes it must be below {classes}",
                labels[i]
            ));
        }
        Ok(Self {
            name,
            images,
            labels,
            c,
            h,
            w,
            classes,
            pixel_max,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values per image, `c * h * w`.
    pub fn pixels(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Pixels of image `i`, `[c][h][w]`.
    pub fn image(&self, i: usize) -> &[u8] {
        let n = self.pixels();
        &self.images[i * n..(i + 1) * n]
    }

    /// Images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// The images with these indices, in this order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut images = Vec::with_capacity(indices.len() * self.pixels());
        for &i in indices {
            images.extend_from_slice(self.image(i));
        }
        Self {
            name: self.name.clone(),
            images,
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            ..*self
        }
    }

    /// At most `n` images, as many of each class as possible: the first image of class 0, the
    /// first of class 1, ..., the second of class 0, and so on, classes that have run out left
    /// out. A smaller limit is therefore a prefix of a larger one. With `n >= len()` the set is
    /// returned unchanged, in its own order.
    pub fn limit(&self, n: usize) -> Self {
        if n >= self.len() {
            return self.clone();
        }
        let mut by_class = vec![Vec::new(); self.classes];
        for (i, &label) in self.labels.iter().enumerate() {
            by_class[usize::from(label)].push(i);
        }
        let largest = by_class.iter().map(Vec::len).max().unwrap_or(0);
        let indices: Vec<usize> = (0..largest)
            .flat_map(|round| by_class.iter().filter_map(move |c| c.get(round).copied()))
            .take(n)
            .collect();
        self.select(&indices)
    }

    /// Mean and standard deviation of `pixel / pixel_max` per channel, over all images (biased
    /// variance), from exact integer sums.
    pub fn statistics(&self) -> (Vec<f64>, Vec<f64>) {
        let plane = self.h * self.w;
        let mut sums = vec![(0u64, 0u64); self.c];
        for image in self.images.chunks_exact(self.pixels()) {
            for (sum, channel) in sums.iter_mut().zip(image.chunks_exact(plane)) {
                for &p in channel {
                    sum.0 += u64::from(p);
                    sum.1 += u64::from(p) * u64::from(p);
                }
            }
        }
        let count = (self.len() * plane) as f64;
        let top = f64::from(self.pixel_max);
        sums.iter()
            .map(|&(sum, squares)| {
                let mean = sum as f64 / count;
                let variance = (squares as f64 / count - mean * mean).max(0.0);
                (mean / top, variance.sqrt() / top)
            })
            .unzip()
    }
}

impl Split {
    /// Puts two parts together.
    ///
    /// # Errors
    /// When their shape, classes or pixel scale differ.
    pub fn new(train: Dataset, test: Dataset) -> Result<Self> {
        let key = |d: &Dataset| (d.c, d.h, d.w, d.classes, d.pixel_max);
        if key(&train) != key(&test) {
            let text = |d: &Dataset| {
                format!(
                    "{} ({} x {} x {}, {} classes, values up to {})",
                    d.name, d.c, d.h, d.w, d.classes, d.pixel_max
                )
            };
            return Err(Error::input(format!(
                "training and test images differ: {} and {}",
                text(&train),
                text(&test)
            )));
        }
        Ok(Self { train, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[u16]) -> Dataset {
        let images = (0..labels.len() as u8).flat_map(|i| [i, i]).collect();
        Dataset::new("t", images, labels.to_vec(), (1, 1, 2), 3, 255).unwrap()
    }

    #[test]
    fn limit_takes_classes_in_turn_and_prefixes_nest() {
        let d = set(&[0, 0, 0, 1, 2, 1, 0]);
        let firsts = |n: usize| -> Vec<u8> { d.limit(n).images.chunks(2).map(|c| c[0]).collect() };
        assert_eq!(firsts(5), [0, 3, 4, 1, 5]);
        assert_eq!(firsts(3), [0, 3, 4]);
        assert_eq!(firsts(6), [0, 3, 4, 1, 5, 2]);
        assert_eq!(d.limit(7), d);
        assert_eq!(d.limit(100), d);
        assert!(d.limit(0).is_empty());
    }

    #[test]
    fn statistics_match_a_plain_f64_loop() {
        let d = Dataset::new(
            "t",
            vec![0, 10, 20, 30, 5, 5, 5, 9],
            vec![0, 1],
            (2, 1, 2),
            2,
            100,
        )
        .unwrap();
        let (mean, std) = d.statistics();
        for (c, values) in [[0.0, 10.0, 5.0, 5.0], [20.0, 30.0, 5.0, 9.0]]
            .iter()
            .enumerate()
        {
            let m: f64 = values.iter().sum::<f64>() / 4.0;
            let v: f64 = values.iter().map(|x| (x - m).powi(2)).sum::<f64>() / 4.0;
            // A dozen f64 roundings on values of order 0.1.
            assert!((mean[c] - m / 100.0).abs() < 1e-14);
            assert!((std[c] - v.sqrt() / 100.0).abs() < 1e-14);
        }
    }

    #[test]
    fn inconsistent_sets_are_refused() {
        let new = |images: usize, labels: &[u16], shape, classes| {
            Dataset::new("s", vec![0; images], labels.to_vec(), shape, classes, 255)
        };
        for (result, says) in [
            (new(0, &[], (1, 1, 1), 1), "no images"),
            (new(0, &[0], (1, 0, 1), 1), "1 x 0 x 1"),
            (new(5, &[0, 1], (1, 2, 1), 2), "5 pixels for 2 labels"),
            (new(2, &[0, 2], (1, 1, 1), 2), "label of image 1 is 2"),
            (new(0, &[0, 0], (1, usize::MAX, 2), 1), "0 pixels"),
        ] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        let a = new(1, &[0], (1, 1, 1), 1).unwrap();
        let b = new(2, &[0], (1, 1, 2), 1).unwrap();
        let message = Split::new(a, b).unwrap_err().to_string();
        assert!(message.contains("differ"), "{message}");
    }
}
