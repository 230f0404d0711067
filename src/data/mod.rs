//! Images and labels: read, checked, cut to size and turned into batches.
//!
//! * [`Dataset`] and [`Split`]: images (bytes or floats) with their labels, a training and a test
//!   part. [`Buffer`]: their pixels, or another owner's.
//! * [`idx`]: the IDX format of MNIST and its relatives, plain or gzip; [`load_idx_dir`] finds the
//!   usual four files.
//! * [`load_cifar_dir`]: CIFAR-10's and CIFAR-100's binary files.
//! * [`load_folder`], [`load_archive`]: JPEG and PNG files in folders named after their classes, on
//!   disk or in a .tar(.gz) that is read as a stream; decoded in parallel, and once: a cache keeps
//!   the pixels.
//! * [`npy`], [`load_npy`]: NumPy's arrays.
//! * [`embedded`]: real sets inside the program, for the demo and the tests.
//! * [`shape`]: whether images fit the input of a network.
//! * [`Normalise`]: pixels to the `f32` inputs of a network, `[image][c][h][w]`.
//! * [`permutation`], [`Augment`]: the order of the training images in an epoch, and how each is
//!   moved in it.
//!
//! # Practice
//! Pixels stay bytes until a batch is gathered: a set of 60,000 MNIST images is 47 MB, as `f32` it
//! would be 188 MB. Everything read from a file is checked before memory is taken for it, and a
//! refusal names the file, the byte, entry or image, what is there and what should be.
//!
//! # Examples
//! ```
//! use pimento::data::Embedded;
//!
//! # fn main() -> pimento::Result<()> {
//! let digits = Embedded::Digits8x8.load()?;
//! assert_eq!(digits.test.pixels(), 64);
//! # Ok(())
//! # }
//! ```
//! `examples/own_data.rs` has images of its own.

mod augment;
mod batch;
mod buffer;
mod cache;
mod cifar;
mod classes;
mod dataset;
mod directory;
pub mod embedded;
mod folder;
mod gzip;
pub mod idx;
mod labelled;
#[cfg(test)]
mod mutations;
pub mod npy;
mod picture;
pub mod shape;
mod tarball;

pub use augment::{Augment, Motion};
pub use batch::{Normalise, permutation};
pub use buffer::Buffer;
pub use cifar::{Cifar, load_cifar_dir, parse_cifar};
pub use classes::count as count_classes;
pub use dataset::{Dataset, Pixels, Split};
pub use directory::load_idx_dir;
pub use embedded::Embedded;
pub use folder::load_folder;
pub use labelled::Decoding;
pub use npy::{NpyFiles, load_npy};
pub use picture::{Picture, decode_picture};
pub use tarball::{load_archive, read_archive};
