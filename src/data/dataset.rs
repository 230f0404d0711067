//! Images and labels in memory.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::buffer::Buffer;
use crate::error::{Error, Result};
use crate::files::reading;
use crate::random::Reach;

/// Pixels of a set, `[image][c][h][w]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    /// 8-bit pixels, what pictures have.
    Bytes(Buffer<u8>),
    /// Numbers of any meaning (NPY arrays); they stand for themselves.
    Floats(Buffer<f32>),
}

impl Pixels {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Pixels::Bytes(v) => v.len(),
            Pixels::Floats(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values as bytes in memory order (floats little-endian), in pieces: what a digest of the
    /// set is made of.
    pub fn for_each_chunk(&self, mut f: impl FnMut(&[u8])) {
        match self {
            Pixels::Bytes(v) => f(v),
            Pixels::Floats(v) => v
                .chunks(1 << 14)
                .for_each(|c| f(&c.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())),
        }
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(values: Vec<u8>) -> Self {
        Pixels::Bytes(values.into())
    }
}

impl From<Vec<f32>> for Pixels {
    fn from(values: Vec<f32>) -> Self {
        Pixels::Floats(values.into())
    }
}

/// Labelled images of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name for messages and provenance.
    pub name: String,
    /// Pixels `[image][c][h][w]`.
    pub images: Pixels,
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
    /// The pixel value that stands for 1.0: 255, 16 for the 8x8 digits, 1 for [`Pixels::Floats`].
    pub pixel_max: u8,
}

/// A training and a test part of the same shape and classes.
#[derive(Debug, Clone, PartialEq)]
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
    /// size, a label is not below `classes`, or a float is not finite.
    pub fn new(
        name: impl Into<String>,
        images: impl Into<Pixels>,
        labels: Vec<u16>,
        (c, h, w): (usize, usize, usize),
        classes: usize,
        pixel_max: u8,
    ) -> Result<Self> {
        let (name, images) = (name.into(), images.into());
        let fail = |what: String| Err(Error::input(format!("{name}: {what}")));
        if labels.is_empty() {
            return fail("no images; at least 1 is needed".into());
        }
        // Augmentation draws four numbers an image.
        Reach::Numbers
            .check(
                4 * labels.len() as u128,
                "numbers that move images, four each,",
            )
            .map_err(|e| e.context(&name))?;
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
        if let Pixels::Floats(values) = &images
            && let Some(at) = values.iter().position(|x| !x.is_finite())
        {
            return fail(format!(
                "image {} has the pixel {}; allowed: finite numbers",
                at / (c * h * w),
                values[at]
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

    /// SHA-256 of all that a network can see of the set (shape, classes, brightest pixel, labels and
    /// pixels, but not the name), hexadecimal.
    pub fn sha256(&self) -> String {
        let values = match self.images {
            Pixels::Bytes(_) => "bytes",
            Pixels::Floats(_) => "floats",
        };
        let (n, top) = (self.len(), self.pixel_max);
        let mut hash = Sha256::new();
        hash.update(format!(
            "{n} images of {} x {} x {} {values} up to {top}, {} classes\n",
            self.c, self.h, self.w, self.classes
        ));
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        self.images.for_each_chunk(|bytes| hash.update(bytes));
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
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

    /// The pixels, where they are bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.images {
            Pixels::Bytes(values) => Some(values),
            Pixels::Floats(_) => None,
        }
    }

    /// Values of image `i` in [`Dataset::images`].
    pub fn range(&self, i: usize) -> std::ops::Range<usize> {
        let n = self.pixels();
        i * n..(i + 1) * n
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
        let images = match &self.images {
            Pixels::Bytes(all) => self.chosen(all, indices, Vec::new()).into(),
            Pixels::Floats(all) => self.chosen(all, indices, Vec::new()).into(),
        };
        self.with(images, indices)
    }

    /// Appends the images with these indices to `out`.
    fn chosen<T: Copy>(&self, all: &[T], indices: &[usize], mut out: Vec<T>) -> Vec<T> {
        out.reserve_exact(indices.len() * self.pixels());
        for &i in indices {
            out.extend_from_slice(&all[self.range(i)]);
        }
        out
    }

    /// The set with other images, those with these indices.
    fn with(&self, images: Pixels, indices: &[usize]) -> Self {
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
        self.select(&self.first(n))
    }

    /// [`Dataset::limit`] of a set that is not needed as a whole; 0 takes all images.
    ///
    /// # Errors
    /// No memory for the copy.
    pub fn limited(self, n: usize) -> Result<Self> {
        if n == 0 || n >= self.len() {
            return Ok(self);
        }
        let indices = self.first(n);
        let values = indices.len() * self.pixels();
        let images = match &self.images {
            Pixels::Bytes(all) => {
                let room = reading::room_for(values, &self.name)?;
                self.chosen(all, &indices, room).into()
            }
            Pixels::Floats(all) => {
                let room = reading::room_for(values, &self.name)?;
                self.chosen(all, &indices, room).into()
            }
        };
        Ok(self.with(images, &indices))
    }

    /// Indices of the first `n` images, one of every class in turn.
    fn first(&self, n: usize) -> Vec<usize> {
        let mut by_class = vec![Vec::new(); self.classes];
        for (i, &label) in self.labels.iter().enumerate() {
            by_class[usize::from(label)].push(i);
        }
        let largest = by_class.iter().map(Vec::len).max().unwrap_or(0);
        (0..largest)
            .flat_map(|round| by_class.iter().filter_map(move |c| c.get(round).copied()))
            .take(n)
            .collect()
    }

    /// Mean and standard deviation of `pixel / pixel_max` per channel, over all images (biased
    /// variance): of bytes from exact integer sums, of floats from `f64` sums about the channel's
    /// first pixel, added up image by image in order.
    pub fn statistics(&self) -> (Vec<f64>, Vec<f64>) {
        let plane = self.h * self.w;
        let count = (self.len() * plane) as f64;
        let top = f64::from(self.pixel_max);
        let finish = |offset: f64, sum: f64, squares: f64| {
            let mean = sum / count;
            let variance = (squares / count - mean * mean).max(0.0);
            ((offset + mean) / top, variance.sqrt() / top)
        };
        match &self.images {
            Pixels::Bytes(all) => {
                let sums = all
                    .par_chunks_exact(self.pixels())
                    .fold(
                        || vec![(0u64, 0u64); self.c],
                        |mut sums, image| {
                            for (sum, channel) in sums.iter_mut().zip(image.chunks_exact(plane)) {
                                for &p in channel {
                                    sum.0 += u64::from(p);
                                    sum.1 += u64::from(p) * u64::from(p);
                                }
                            }
                            sums
                        },
                    )
                    .reduce(
                        || vec![(0, 0); self.c],
                        |a, b| {
                            let both = a.iter().zip(&b);
                            both.map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect()
                        },
                    );
                sums.iter()
                    .map(|&(sum, squares)| finish(0.0, sum as f64, squares as f64))
                    .unzip()
            }
            Pixels::Floats(all) => (0..self.c)
                .map(|c| {
                    let offset = f64::from(all[c * plane]);
                    let (mut sum, mut squares) = (0.0, 0.0);
                    for image in all.chunks_exact(self.pixels()) {
                        for &p in &image[c * plane..(c + 1) * plane] {
                            let d = f64::from(p) - offset;
                            sum += d;
                            squares += d * d;
                        }
                    }
                    finish(offset, sum, squares)
                })
                .unzip(),
        }
    }
}

impl Split {
    /// Puts two parts together.
    ///
    /// # Errors
    /// When their shape, classes, kind of pixels or pixel scale differ.
    pub fn new(train: Dataset, test: Dataset) -> Result<Self> {
        let float = |d: &Dataset| matches!(d.images, Pixels::Floats(_));
        let key = |d: &Dataset| (d.c, d.h, d.w, d.classes, d.pixel_max, float(d));
        if key(&train) != key(&test) {
            let text = |d: &Dataset| {
                let values = match d.images {
                    Pixels::Bytes(_) => format!("values up to {}", d.pixel_max),
                    Pixels::Floats(_) => "float values".into(),
                };
                format!(
                    "{} ({} x {} x {}, {} classes, {values})",
                    d.name, d.c, d.h, d.w, d.classes
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
        let images: Vec<u8> = (0..labels.len() as u8).flat_map(|i| [i, i]).collect();
        Dataset::new("t", images, labels.to_vec(), (1, 1, 2), 3, 255).unwrap()
    }

    #[test]
    fn limit_takes_classes_in_turn_and_prefixes_nest() {
        let d = set(&[0, 0, 0, 1, 2, 1, 0]);
        let firsts = |n: usize| -> Vec<u8> {
            let Pixels::Bytes(images) = d.limit(n).images else {
                panic!("bytes stay bytes");
            };
            images.chunks(2).map(|c| c[0]).collect()
        };
        assert_eq!(firsts(5), [0, 3, 4, 1, 5]);
        assert_eq!(firsts(3), [0, 3, 4]);
        assert_eq!(firsts(6), [0, 3, 4, 1, 5, 2]);
        assert_eq!(d.limit(7), d);
        assert_eq!(d.limit(100), d);
        for n in 1..8 {
            assert_eq!(d.clone().limited(n).unwrap(), d.limit(n));
        }
        assert_eq!(d.clone().limited(0).unwrap(), d);
        assert!(d.limit(0).is_empty());
    }

    #[test]
    fn the_digest_is_of_the_content_alone() {
        let set = |values: Vec<u8>, labels: &[u16], shape, classes, top| {
            let set = Dataset::new("t", values, labels.to_vec(), shape, classes, top);
            set.unwrap().sha256()
        };
        let usual = set(vec![1, 2, 3, 4], &[0, 1], (1, 1, 2), 2, 255);
        let mut renamed = Dataset::new("u", vec![1u8, 2, 3, 4], vec![0, 1], (1, 1, 2), 2, 255);
        assert_eq!(usual, renamed.as_mut().unwrap().sha256());
        let floats = vec![1.0f32, 2.0, 3.0, 4.0];
        let floats = Dataset::new("t", floats, vec![0, 1], (1, 1, 2), 2, 255).unwrap();
        for other in [
            set(vec![1, 2, 3, 5], &[0, 1], (1, 1, 2), 2, 255),
            set(vec![1, 2, 3, 4], &[1, 0], (1, 1, 2), 2, 255),
            set(vec![1, 2, 3, 4], &[0, 1], (1, 2, 1), 2, 255),
            set(vec![1, 2, 3, 4], &[0, 1], (1, 1, 2), 3, 255),
            set(vec![1, 2, 3, 4], &[0, 1], (1, 1, 2), 2, 16),
            floats.sha256(),
        ] {
            assert_ne!(usual, other);
        }
    }

    #[test]
    fn statistics_match_a_plain_f64_loop() {
        let d = Dataset::new(
            "t",
            vec![0u8, 10, 20, 30, 5, 5, 5, 9],
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
    fn floats_have_the_same_laws_as_bytes() {
        let values = [0.0f32, 10.0, 20.0, 30.0, 5.0, 5.0, 5.0, 9.0];
        let bytes: Vec<u8> = values.iter().map(|&x| x as u8).collect();
        let set = |images: Pixels| Dataset::new("t", images, vec![0, 1], (2, 1, 2), 2, 1).unwrap();
        let (floats, bytes) = (set(values.to_vec().into()), set(bytes.into()));
        let ((m, s), (mb, sb)) = (floats.statistics(), bytes.statistics());
        for (a, b) in m.iter().chain(&s).zip(mb.iter().chain(&sb)) {
            // A dozen f64 roundings on values of order 10.
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        assert_eq!(
            floats.select(&[1]).images,
            Pixels::from(values[4..].to_vec())
        );
        let message = Split::new(floats, bytes).unwrap_err().to_string();
        assert!(message.contains("2 classes, float values"), "{message}");
        let bad = Dataset::new("f", vec![0.0, f32::NAN], vec![0, 0], (1, 1, 1), 1, 1);
        let message = bad.unwrap_err().to_string();
        assert!(
            message.contains("f: image 1 has the pixel NaN"),
            "{message}"
        );
    }

    #[test]
    fn inconsistent_sets_are_refused() {
        let new = |images: usize, labels: &[u16], shape, classes| {
            Dataset::new("s", vec![0u8; images], labels.to_vec(), shape, classes, 255)
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
