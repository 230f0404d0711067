//! Physical effects on cells: one folder an effect, and one list that states their order.
//!
//! # Theory
//! A cell is given a target conductance and becomes what a read sees in two stages. *Writing* ends with
//! the conductance as programmed; *ageing* is everything between that and the read. [`PIPELINE`] is the
//! order, the same for the closed form in `f64`, for the CPU and for the shaders; each of them walks
//! that list and knows no effect by name. Conductances are relative to `G_max`.
//!
//! # Practice
//! An effect is a folder here with its constants, its source, its closed form ([`Effect::exact`]), its
//! vector form ([`Step`]) and a file `shaders/effects/<name>.wgsl` with a function `apply_<name>` and a
//! struct of its numbers. One line in the list below makes it part of every program.
//!
//! Before the list begins, [`fill`] says which part of a weight a slice holds and [`levels`] makes the target
//! of it; [`read_noise`] tells the noise of a read after the list has ended. Slices are programmed from the
//! highest down, and a rule of [`Fill`] may read what writing gave on the slices above
//! ([`Effects::written`]): all three forms walk [`WRITE`] for those once more, since every draw has an address.
//!
//! A read goes on through [`drive`] (what a row sees of an input), [`sum_noise`] (the noise of a column's
//! sum) and the converters, which have a list of their own, [`CONVERTER`] ([`converter`]).
//!
//! # Examples
//! ```
//! use pimento::effects::{CodeRange, ConverterEffect, Fill, Inl, Slice};
//!
//! // A converter whose middle threshold is a quarter of a code too low.
//! let inl = Inl::new([0.0, 0.25, 0.0]);
//! assert_eq!(inl.exact(CodeRange { lo: -1, hi: 1 }, 0.3, 0.0), 0.55);
//! // Two slices of two bits hold the code 5: one and a quarter levels of the upper one.
//! let slices = [1.0, 4.0].map(|place| Slice { place, top: 3.0, most: 15.0 });
//! let aims = Fill::Max.exact(&slices, 5, |_, [plus, minus]| plus - minus);
//! assert_eq!(aims, [[0.0, 0.0], [1.25, 0.0]]);
//! ```

pub mod adc_noise;
mod batch;
pub mod converter;
mod curve;
pub mod drift;
pub mod drive;
pub mod fill;
pub mod inl;
pub mod levels;
pub mod limits;
pub mod open_lines;
mod profile;
pub mod read_noise;
pub mod sampled;
mod shader;
pub mod stuck;
pub mod sum_noise;
pub mod variation;

use std::fmt::Debug;

pub use adc_noise::AdcNoise;
pub use batch::{Batch, Buffers, Columns, Keys, Layer, Lines, Step, curve, tiles};
pub use converter::{CodeRange, ConverterEffect};
pub use curve::{Curve, at};
pub use drift::Drift;
pub use drive::{Dac, InputSigns};
pub use fill::{Fill, Slice};
pub use inl::Inl;
pub use limits::Limits;
pub use open_lines::OpenLines;
pub use profile::Profile;
pub use read_noise::CellReadNoise;
pub use sampled::{Sampled, Samples};
pub use shader::{Block, Constant, Numbers, Table};
pub use stuck::Stuck;
pub use variation::{Deviate, Law, Variation};

use crate::random::Purpose;

/// What an effect on a cell, or on the lines of its array, is.
pub trait Effect: Debug {
    /// Name of its folder and of its shader.
    fn name(&self) -> &'static str;

    /// Whether it changes no cell on any chip.
    fn is_off(&self) -> bool;

    /// The same effect on a chip without accidents. Properties that every cell shares by design stay.
    fn make_nominal(&mut self);

    /// Closed form: what becomes of one cell.
    fn exact(&self, target: &Target, draws: &dyn Draws, cell: &mut Cell);

    /// What becomes of a conductance on average over the cell's own draws, where a chip knows no more.
    /// Accidents that a correction cannot expect are left out.
    fn expected(&self, _target: &Target, g: f64) -> f64 {
        g
    }

    /// Vector form for one layer on one chip; `None` where nothing is to do.
    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>>;

    /// Constants and numbers of its shader.
    fn in_shader(&self, layer: &Lines, numbers: &mut Numbers);

    /// Lines of an array that have draws of their own, and the words for them in a message.
    fn lines(&self) -> Vec<Draw> {
        Vec::new()
    }

    /// Its tables, each of which needs at least two values.
    fn curves(&self) -> Vec<&Curve> {
        Vec::new()
    }
}

/// What is drawn once for every such line of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Every row.
    Rows,
    /// Every column.
    Columns,
}

/// Conductance a cell was meant to have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The target.
    pub g: f64,
    /// Common deviation of the cell's array.
    pub common: f64,
    /// Smallest conductance of a working cell.
    pub g_min: f64,
}

/// One cell in `f64`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Its conductance so far; at the end, that at a read.
    pub g: f64,
    /// Its conductance as programmed, before it aged.
    pub programmed: f64,
    /// Whether all lines of the cell are whole: what is cut off neither conducts nor makes noise.
    pub connected: bool,
}

/// Random numbers of one cell.
pub trait Draws {
    /// A deviation of the cell by a distribution.
    fn deviation(&self, purpose: Purpose, deviate: Deviate, sigma: f64) -> f64;

    /// Uniform in `[0, 1)`, the cell's own.
    fn uniform(&self, purpose: Purpose) -> f32;

    /// Uniform in `[0, 1)`, one for the whole row or column of the array; `None` where the cell is on
    /// no such line.
    fn line(&self, line: Draw, purpose: Purpose) -> Option<f32>;
}

macro_rules! effects {
    (
        write { $($write:ident: $Write:ident,)* }
        age { $($age:ident: $Age:ident,)* }
    ) => {
        /// Effects that make the conductance as programmed, in order.
        pub const WRITE: &[&str] = &[$(stringify!($write)),*];

        /// Effects between programming and a read, in order.
        pub const AGE: &[&str] = &[$(stringify!($age)),*];

        /// Every effect on cells, in the order in which they are applied.
        pub const PIPELINE: &[&str] = &[$(stringify!($write),)* $(stringify!($age)),*];

        /// Type of an effect's numbers in the shaders, by [`PIPELINE`].
        pub const TYPES: &[&str] = &[$(stringify!($Write),)* $(stringify!($Age)),*];

        /// All effects on the cells of a layer; the default has none.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Effects {
            /// Where programming begins, see [`fill`].
            pub fill: Fill,
            $(#[doc = concat!("See [`", stringify!($write), "`].")] pub $write: $Write,)*
            $(#[doc = concat!("See [`", stringify!($age), "`].")] pub $age: $Age,)*
        }

        impl Effects {
            /// Effects of writing, in order.
            pub fn write(&self) -> [&dyn Effect; WRITE.len()] {
                [$(&self.$write),*]
            }

            /// Effects of ageing, in order.
            pub fn age(&self) -> [&dyn Effect; AGE.len()] {
                [$(&self.$age),*]
            }

            fn each_mut(&mut self) -> [&mut dyn Effect; PIPELINE.len()] {
                [$(&mut self.$write,)* $(&mut self.$age),*]
            }
        }
    };
}

effects! {
    write {
        sampled: Sampled,
        variation: Variation,
    }
    age {
        drift: Drift,
        stuck: Stuck,
        limits: Limits,
        open_lines: OpenLines,
    }
}

converter::converter_effects! {
    adc_noise: AdcNoise,
    inl: Inl,
}

impl Effects {
    /// All of them in order.
    pub fn all(&self) -> impl Iterator<Item = &dyn Effect> {
        self.write().into_iter().chain(self.age())
    }

    /// The same layer without accidents.
    pub fn make_nominal(&mut self) {
        self.each_mut().into_iter().for_each(Effect::make_nominal);
    }

    /// What becomes of one cell, in `f64`.
    pub fn exact(&self, target: &Target, draws: &dyn Draws) -> Cell {
        let mut cell = self.written(target, draws);
        for effect in self.age() {
            effect.exact(target, draws, &mut cell);
        }
        cell
    }

    /// One cell as it is written, before it ages, in `f64`.
    pub fn written(&self, target: &Target, draws: &dyn Draws) -> Cell {
        let mut cell = Cell {
            g: target.g,
            programmed: target.g,
            connected: true,
        };
        for effect in self.write() {
            effect.exact(target, draws, &mut cell);
        }
        cell.programmed = cell.g;
        cell
    }

    /// Conductance of a cell with a common deviation only, ageing as cells do on average.
    pub fn expected(&self, target: &Target) -> f64 {
        self.all()
            .fold(target.g, |g, effect| effect.expected(target, g))
    }
}
