//! Images and labels: read, checked, cut to size and turned into batches.
//!
//! * [`Dataset`] and [`Split`]: 8-bit images with their labels, a training and a test part.
//! * [`idx`]: the IDX format of MNIST and its relatives, plain or gzip; [`load_idx_dir`] finds the
//!   usual four files.
//! * [`embedded`]: real sets inside the program, for the demo and the tests.
//! * [`Normalise`]: pixels to the `f32` inputs of a network, `[image][c][h][w]`.
//! * [`permutation`]: the order of the training images in an epoch.
//!
//! # Practice
//! Pixels stay bytes until a batch is gathered: a set of 60,000 MNIST images is 47 MB, as `f32` it
//! would be 188 MB. Everything read from a file is checked before memory is taken for it, and a
//! refusal names the file, the byte, what is there and what should be.

mod batch;
mod dataset;
mod directory;
pub mod embedded;
pub mod idx;

pub use batch::{Normalise, permutation};
pub use dataset::{Dataset, Split};
pub use directory::load_idx_dir;
pub use embedded::Embedded;
