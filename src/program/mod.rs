//! The language between the network and the machines: a [`Program`] is a list of operators over
//! named tensors, plain data that both backends execute and that knows no GPU and no training.
//!
//! # Theory
//! Everything Pimento computes, a training step as well as a Monte Carlo wave, is a straight-line
//! list of [`Op`]s. *Chips are an axis of the tensors*, not a loop around the program: a tensor
//! with [`Scope::PerChip`] has one slab per simulated chip, one with [`Scope::Shared`] is the same
//! for all of them (the images, the trained weights). An operator whose inputs are all shared and
//! whose output is per chip broadcasts.
//!
//! # Layout
//! Both backends store the same bytes (`f32` but for conductances kept in [`Storage::F16`]):
//! * [`Shape::Flat`]`(n)`: `n` values; per chip `[chip][n]`.
//! * [`Shape::Image`]: one `c x h x w` map per image, images innermost in blocks of [`LANES`]:
//!   `[block][c][h][w][lane]`, per chip `[chip][block][c][h][w][lane]`. Image `i` is lane
//!   `i % LANES` of block `i / LANES`. Neighbouring lanes never interact, so every operator is
//!   vectorised over images on the CPU and coalesced on a GPU whatever the layer's shape.
//!
//! The last block of a run may hold lanes beyond the last image. Their content is unspecified but
//! finite; every operator that reduces over images counts only real ones, and
//! [`SoftmaxXent`] and [`BatchNormGrad`] write zero gradients there.
//!
//! # Practice
//! Ops run in order. Ops of one *section* run together ([`crate::backend::Session::run`]): a sweep has a
//! section that programs the chips and one that is run for every chunk of images.
//!
//! # Examples
//! The example of [`crate::backend`] builds a program of one operator and runs it.

mod adc;
mod cells;
mod check;
mod draws;
mod fabrication;
mod geometry;
mod numerics;
mod operands;
mod ops;
mod traffic;
mod winograd;

use std::ops::Range;

use crate::choice::choices;

pub use crate::effects::{CellReadNoise, CodeRange, Curve, Dac, Deviate, InputSigns, Law};
pub use adc::{Adc, ConverterErrors};
pub use cells::{Arrays, Encoding, MOST_SLICES, Programming, Reading, Topology, Wires};
pub(crate) use check::Check;
pub use draws::Draws;
pub use fabrication::{Fabrication, Mapping};
pub use geometry::{ConvGeometry, PoolGeometry};
pub use numerics::{
    ActQuant, Activation, BinaryGroup, Post, Rate, Rounding, Step, StraightThrough,
};
pub use operands::{Access, Operand};
pub use ops::*;
pub use winograd::{ERROR_FACTOR, LEAST_CHANNELS, LEAST_EXTENT, Products, Winograd, exact_up_to};

/// Images per block of an [`Shape::Image`] tensor: one AVX-512 register, two AVX2 registers, four
/// `vec4<f32>`.
pub const LANES: usize = 16;

/// Number of per-chip values in the `chip` tensor of [`Fabricate`]; see there.
pub const CHIP_FIELDS: usize = 4;

/// Index of a tensor in [`Program::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

impl TensorId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Logical shape of a tensor without its chip and image axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `n` values that do not depend on the image (weights, scales, statistics).
    Flat(usize),
    /// A map of `c` channels, `h` rows, `w` columns for every image.
    Image {
        /// Channels.
        c: usize,
        /// Rows.
        h: usize,
        /// Columns.
        w: usize,
    },
}

impl Shape {
    /// Values per chip (and per image for [`Shape::Image`]).
    pub fn len(self) -> usize {
        match self {
            Shape::Flat(n) => n,
            Shape::Image { c, h, w } => c * h * w,
        }
    }

    /// Whether the shape holds no value.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// `(c, h, w)` of an image shape; a flat shape of `n` is `(n, 1, 1)`.
    pub fn chw(self) -> (usize, usize, usize) {
        match self {
            Shape::Flat(n) => (n, 1, 1),
            Shape::Image { c, h, w } => (c, h, w),
        }
    }

    /// Whether the tensor has an image axis.
    pub fn is_image(self) -> bool {
        matches!(self, Shape::Image { .. })
    }
}

/// Whether a tensor has a chip axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One copy for all chips.
    Shared,
    /// One slab per chip of the wave.
    PerChip,
}

/// What a tensor is for, hence how long it lives and who may touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Image-shaped, written by the host, resident for all [`Capacity::images`].
    Input,
    /// Flat, persistent between runs, readable and writable by the host, starts at zero.
    State,
    /// Image-shaped result that the host may read after a run; holds the images of the last run
    /// (of the last chunk).
    Output,
    /// Image-shaped, what one section leaves to another one: as [`Role::Output`], and the host may put
    /// back what it has read, for all images of a run.
    Carried,
    /// Scratch: valid inside one run of one section only.
    Temp,
}

choices! {
    /// How a tensor's values are kept between the operator that writes them and the operators that
    /// read them.
    ///
    /// Only a chip's read planes may be kept in halves: what [`Op::ProgramCells`] or [`Op::IrDrop`]
    /// writes and [`Op::Crossbar`], [`Op::PartialSums`] and [`Op::CollapsePlanes`] read. The writer
    /// rounds (see [`crate::backend::storage`]), the readers compute in `f32` with the rounded values;
    /// what the host writes is rounded, and it reads `f32`.
    #[derive(Default)]
    pub enum Storage {
        /// As they are computed.
        #[default]
        F32 = "f32",
        /// Flat tensors only: IEEE 754 binary16, value `i` of a chip in bits `16 (i % 2)` and up of
        /// its 32-bit word `i / 2`.
        F16 = "f16",
    }
}

/// A named tensor of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorDesc {
    /// Name for messages, checkpoints and debugging; unique in the program.
    pub name: String,
    /// Logical shape.
    pub shape: Shape,
    /// Chip axis or not.
    pub scope: Scope,
    /// Lifetime and access.
    pub role: Role,
    /// How its values are kept.
    pub storage: Storage,
}

impl TensorDesc {
    /// 32-bit words of the values of a chip (and image), [`Shape::len`] unless they are halves.
    pub fn words(&self) -> usize {
        match self.storage {
            Storage::F32 => self.shape.len(),
            Storage::F16 => self.shape.len().div_ceil(2),
        }
    }
}

/// Operators that run together, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Name for messages.
    pub name: String,
    /// The operators.
    pub ops: Vec<Op>,
}

/// Index of a section in [`Program::sections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SectionId(pub usize);

/// Tensors and what is done with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// All tensors.
    pub tensors: Vec<TensorDesc>,
    /// All sections.
    pub sections: Vec<Section>,
    /// Tensors that are read while other work goes on, see [`Program::read_in_flight`].
    pub in_flight: Vec<TensorId>,
}

impl Program {
    /// Adds a tensor.
    pub fn tensor(
        &mut self,
        name: impl Into<String>,
        shape: Shape,
        scope: Scope,
        role: Role,
    ) -> TensorId {
        self.tensors.push(TensorDesc {
            name: name.into(),
            shape,
            scope,
            role,
            storage: Storage::F32,
        });
        TensorId((self.tensors.len() - 1) as u32)
    }

    /// Sets how the values of a tensor are kept.
    pub fn keep(&mut self, t: TensorId, storage: Storage) {
        self.tensors[t.index()].storage = storage;
    }

    /// Says that a tensor will be submitted for reading before what was submitted before has been read; a backend
    /// counts the memory of two copies.
    pub fn read_in_flight(&mut self, t: TensorId) {
        self.in_flight.push(t);
    }

    /// Adds a section.
    pub fn section(&mut self, name: impl Into<String>, ops: Vec<Op>) -> SectionId {
        self.sections.push(Section {
            name: name.into(),
            ops,
        });
        SectionId(self.sections.len() - 1)
    }

    /// Description of a tensor.
    pub fn desc(&self, t: TensorId) -> &TensorDesc {
        &self.tensors[t.index()]
    }

    /// Finds a tensor by name.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        let i = self.tensors.iter().position(|t| t.name == name)?;
        Some(TensorId(i as u32))
    }
}

/// Sizes a [`Session`](crate::backend::Session) is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Chips per wave (slabs of per-chip tensors).
    pub chips: usize,
    /// Images resident in [`Role::Input`] tensors.
    pub images: usize,
    /// Largest number of images of one run (size of temporaries and outputs where the backend
    /// stores them whole). At most `images`.
    pub chunk: usize,
}

/// What differs between runs of one section.
#[derive(Debug, Clone, PartialEq)]
pub struct RunArgs {
    /// Key of all random numbers.
    pub seed: u64,
    /// Index of the wave's first chip.
    pub first_chip: u32,
    /// Chips of this wave, at most [`Capacity::chips`].
    pub chips: usize,
    /// Images of this run, a range of the resident ones; the start is a multiple of [`LANES`].
    pub images: Range<usize>,
    /// Or-ed into the purpose word of the counter: 0 for fabricated chips,
    /// [`crate::random::TRAINING`] for the chips of training steps, [`crate::random::RECALIBRATION`] for
    /// reads that recalibrate batch norm.
    pub purpose: u32,
    /// Optimizer step, counted from 0, and index for [`Rate`].
    pub step: u32,
    /// Learning rate.
    pub lr: f32,
    /// Index of the first resident image among all images: read noise is addressed by the image.
    pub first_image: u32,
}

impl RunArgs {
    /// One wave over some images, everything else 0.
    pub fn wave(seed: u64, first_chip: u32, chips: usize, images: Range<usize>) -> Self {
        Self {
            seed,
            first_chip,
            chips,
            images,
            purpose: 0,
            step: 0,
            lr: 0.0,
            first_image: 0,
        }
    }
}
