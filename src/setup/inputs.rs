//! The images of an experiment as its networks see them: what is trained on, what is held out, how
//! pixels become inputs.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::config::Experiment;
use crate::data::{self, Dataset, Normalise, Pixels, Split};
use crate::error::{Error, Result};
use crate::files::reading;

/// The images of an experiment. All points of a sweep have the same section `[data]`, and share this.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// All images.
    pub data: &'a Split,
    /// How pixels become inputs; what the experiment leaves to be measured is measured on the training
    /// images that are not held out.
    pub normalise: Normalise,
    /// Whether an image can have a negative value once it is normalised: one of 8 bits where black has
    /// one, one of floats where black has one or a training image does.
    pub signed: bool,
    parts: Option<Parts>,
    sha256: OnceLock<String>,
}

/// Indices of training images, in order.
#[derive(Debug)]
struct Parts {
    kept: Vec<usize>,
    out: Vec<usize>,
}

/// Training images without the ones that are held out, and these.
#[derive(Debug)]
pub struct HeldOut<'a> {
    /// What training sees.
    pub train: Cow<'a, Dataset>,
    /// What it does not see; absent where nothing is held out.
    pub validation: Option<Dataset>,
}

impl<'a> Inputs<'a> {
    /// The images of `data` as section `[data]` of an experiment uses them.
    ///
    /// # Errors
    /// Nothing would be left to train on; constants of the normalisation that do not fit the images.
    pub fn new(experiment: &Experiment, data: &'a Split) -> Result<Self> {
        let train = &data.train;
        let parts = parts(experiment.data.validation, train)?;
        let (mean, std) = (experiment.data.mean.given(), experiment.data.std.given());
        let normalise = match &parts {
            Some(parts) if mean.is_none() || std.is_none() => {
                Normalise::with(&train.select(&parts.kept), mean, std)?
            }
            _ => Normalise::with(train, mean, std)?,
        };
        let mut inputs = Self {
            data,
            normalise,
            signed: false,
            parts,
            sha256: OnceLock::new(),
        };
        inputs.signed = inputs.any_negative();
        Ok(inputs)
    }

    fn any_negative(&self) -> bool {
        let train = &self.data.train;
        let mut lowest = vec![0f32; train.c];
        if let Pixels::Floats(values) = &train.images {
            for i in self.kept().iter().copied() {
                let planes = values[train.range(i)].chunks_exact(train.h * train.w);
                for (lowest, plane) in lowest.iter_mut().zip(planes) {
                    *lowest = plane.iter().copied().fold(*lowest, f32::min);
                }
            }
        }
        // Finite standard deviations above 0 change no sign.
        let mut constants = self.normalise.constants().iter().zip(&lowest);
        constants.any(|((mean, _), lowest)| f64::from(*lowest) < *mean)
    }

    /// Indices of the training images that are not held out, in order: what everything that is measured
    /// or calibrated before deployment may look at.
    pub fn kept(&self) -> Cow<'_, [usize]> {
        match &self.parts {
            Some(parts) => Cow::Borrowed(&parts.kept),
            None => Cow::Owned((0..self.data.train.len()).collect()),
        }
    }

    /// How many training images are held out.
    pub fn n_held_out(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.out.len())
    }

    /// How many images are trained on.
    pub fn n_trained_on(&self) -> usize {
        self.data.train.len() - self.n_held_out()
    }

    /// Holds out `data.validation` training images: of every class the last ones, in proportion.
    pub fn held_out(&self) -> HeldOut<'_> {
        let train = &self.data.train;
        match &self.parts {
            None => HeldOut {
                train: Cow::Borrowed(train),
                validation: None,
            },
            Some(parts) => HeldOut {
                train: Cow::Owned(train.select(&parts.kept)),
                validation: Some(train.select(&parts.out)),
            },
        }
    }

    /// `n` training images in an order drawn from a seed: what a chip is shown when its batch norm is
    /// measured or its converters are calibrated. Repeats the set if it is smaller. Images that are
    /// held out are not shown.
    pub fn calibration(&self, seed: u64, n: usize) -> Dataset {
        let kept = self.kept();
        let order = data::permutation(kept.len(), seed, u32::MAX);
        let indices: Vec<usize> = order.iter().map(|&i| kept[i]).cycle().take(n).collect();
        self.data.train.select(&indices)
    }

    /// [`Dataset::sha256`] of the training images, with the ones that are held out.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| self.data.train.sha256())
    }
}

/// What is trained on and what is held out, where anything is.
fn parts(wanted: usize, train: &Dataset) -> Result<Option<Parts>> {
    if wanted >= train.len() {
        return Err(Error::input(format!(
            "data.validation = {wanted} of `{}`, which has {} training images; allowed: 0 to {}",
            train.name,
            train.len(),
            train.len().saturating_sub(1)
        )));
    }
    if wanted == 0 {
        return Ok(None);
    }
    // The j-th image from the end of its class (of n) is at (j + 1/2) / n of the way; the smallest
    // are held out.
    let counts = train.class_counts();
    let mut seen = vec![0usize; counts.len()];
    let mut places: Vec<(f64, usize)> = Vec::with_capacity(train.len());
    for i in (0..train.len()).rev() {
        let class = usize::from(train.labels[i]);
        places.push(((seen[class] as f64 + 0.5) / counts[class] as f64, i));
        seen[class] += 1;
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<usize> = places[..wanted].iter().map(|p| p.1).collect();
    let mut kept: Vec<usize> = places[wanted..].iter().map(|p| p.1).collect();
    out.sort_unstable();
    kept.sort_unstable();
    Ok(Some(Parts { kept, out }))
}

/// Images and labels in the form that a session takes. Copies share them.
#[derive(Debug, Clone)]
pub struct Images {
    pixels: Arc<Vec<f32>>,
    labels: Arc<Vec<f32>>,
    n: usize,
}

impl Images {
    /// All images of a set, normalised.
    ///
    /// # Errors
    /// Images that the normalisation does not fit; what does not fit the memory.
    pub fn new(data: &Dataset, normalise: &Normalise) -> Result<Self> {
        normalise.check(data)?;
        let mut pixels = reading::room_for(data.len() * data.pixels(), &data.name)?;
        let mut labels = vec![];
        data.gather(0..data.len(), normalise, &mut pixels);
        data.gather_labels(0..data.len(), &mut labels);
        Ok(Self {
            pixels: Arc::new(pixels),
            labels: Arc::new(labels),
            n: data.len(),
        })
    }

    /// The first `n` images, all with label 0.
    pub(crate) fn first(&self, n: usize) -> Self {
        let n = n.min(self.n);
        Self {
            pixels: Arc::new(self.range(&(0..n)).0.to_vec()),
            labels: Arc::new(vec![0.0; n]),
            n,
        }
    }

    /// The images with these indices, in this order.
    pub(crate) fn chosen(&self, indices: &[usize]) -> Self {
        let (pixels, labels) = self.select(indices);
        Self {
            pixels: Arc::new(pixels),
            labels: Arc::new(labels),
            n: indices.len(),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Values of an image.
    fn each(&self) -> usize {
        self.pixels.len() / self.n.max(1)
    }

    /// Inputs and labels of neighbouring images.
    pub fn range(&self, r: &Range<usize>) -> (&[f32], &[f32]) {
        let each = self.each();
        (
            &self.pixels[r.start * each..r.end * each],
            &self.labels[r.clone()],
        )
    }

    /// Class of an image.
    pub(crate) fn label(&self, image: usize) -> usize {
        self.labels[image] as usize
    }

    /// Inputs and labels of the images with these indices.
    pub(crate) fn select(&self, indices: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let mut pixels = Vec::with_capacity(indices.len() * self.each());
        for &i in indices {
            pixels.extend_from_slice(self.range(&(i..i + 1)).0);
        }
        (pixels, indices.iter().map(|&i| self.labels[i]).collect())
    }
}
