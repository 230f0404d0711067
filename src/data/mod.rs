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

mod augment;
mod batch;
mod cache;
mod cifar;
mod dataset;
mod directory;
pub mod embedded;
mod folder;
mod gzip;
pub mod idx;
mod labelled;
pub mod npy;
mod picture;
mod tarball;

pub use augment::{Augment, Motion};
pub use batch::{Normalise, permutation};
pub use cifar::{Cifar, load_cifar_dir, parse_cifar};
pub use dataset::{Dataset, Pixels, Split};
pub use directory::load_idx_dir;
pub use embedded::Embedded;
pub use folder::load_folder;
pub use labelled::Decoding;
pub use npy::{NpyFiles, load_npy};
pub use picture::{Picture, decode_picture};
pub use tarball::{load_archive, read_archive};
