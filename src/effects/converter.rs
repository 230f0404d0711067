//! What happens inside a converter between the scaled sum of a column and the value of its code.
//!
//! # Theory
//! A converter scales the sum of a column to `s`, in codes ([`ConverterFold`]). The effects of
//! [`CONVERTER`] change `s` in their order; then
//!
//! ```text
//! code = clamp(round(s), lo, hi)                     ties to even
//! ```
//!
//! and the digital side takes `value(code)` for the sum, the effects' values in the opposite order. The
//! value of a plain converter's code is the code. A conversion is clipped where `s`, as it is rounded,
//! lies more than half a code outside `lo..hi`.
//!
//! # Practice
//! An effect is a folder in `src/effects` with its closed form ([`ConverterEffect::exact`],
//! [`ConverterEffect::exact_value`]), its vector form and a file `shaders/effects/<name>.wgsl` with a
//! struct of its numbers and functions `before_<name>` and `value_<name>`. One line of the list in
//! `src/effects/mod.rs` makes it part of every converter.
//!
//! [`CONVERTER`]: super::CONVERTER
//! [`ConverterFold`]: crate::program::ConverterFold

use std::fmt::Debug;

use super::Numbers;
use crate::random::Purpose;

/// Codes of a converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRange {
    /// Lowest code: 0, or `-(2^(bits-1) - 1)` with sign and magnitude.
    pub lo: i32,
    /// Highest code.
    pub hi: i32,
}

impl CodeRange {
    /// Lowest and highest code as numbers.
    pub fn ends(self) -> [f64; 2] {
        [self.lo, self.hi].map(f64::from)
    }

    /// How many codes there are.
    pub fn count(self) -> usize {
        (self.hi - self.lo + 1) as usize
    }

    /// Index, from the lowest code on, of the code nearest to a scaled sum.
    pub fn nearest(self, scaled: f64) -> usize {
        let [lo, hi] = self.ends();
        (scaled.round_ties_even().clamp(lo, hi) - lo) as usize
    }
}

/// What changes a conversion inside a converter.
pub trait ConverterEffect: Debug {
    /// Name of its folder and of its shader.
    fn name(&self) -> &'static str;

    /// Whether it changes no conversion.
    fn is_off(&self) -> bool;

    /// What it draws a standard normal deviate for at every conversion.
    fn draws(&self) -> Option<Purpose> {
        None
    }

    /// Standard deviation of its deviate, in codes, where adding that is all it does.
    fn adds(&self) -> Option<f32> {
        None
    }

    /// Whether it fits converters with these codes; one entry a slice, or one for all.
    fn fits(&self, _codes: &[CodeRange]) -> bool {
        true
    }

    /// Whether the value of every code is the code, so that codes may be added as integers.
    fn keeps_codes(&self) -> bool {
        true
    }

    /// Closed form: what becomes of a scaled sum before it is rounded; `z` is the deviate, 0 without
    /// [`ConverterEffect::draws`].
    fn exact(&self, codes: CodeRange, scaled: f64, z: f64) -> f64;

    /// Closed form: the value of a code.
    fn exact_value(&self, _codes: CodeRange, code: f64) -> f64 {
        code
    }

    /// Vector form of [`ConverterEffect::exact`]; `z` is as long as `scaled`, or empty where nothing is
    /// drawn.
    fn on_cpu(&self, codes: CodeRange, scaled: &mut [f32], z: &[f32]);

    /// Vector form of [`ConverterEffect::exact_value`].
    fn values_on_cpu(&self, _codes: CodeRange, _values: &mut [f32]) {}

    /// Constants and numbers of its shader.
    fn in_shader(&self, numbers: &mut Numbers);
}

macro_rules! converter_effects {
    ($($effect:ident: $Effect:ident,)*) => {
        /// Every effect inside a converter, in the order in which they are applied to a scaled sum.
        pub const CONVERTER: &[&str] = &[$(stringify!($effect)),*];

        /// Type of an effect's numbers in the shaders, by [`CONVERTER`].
        pub const CONVERTER_TYPES: &[&str] = &[$(stringify!($Effect)),*];

        /// All effects inside the converters of a layer; the default has none.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct ConverterEffects {
            $(#[doc = concat!("See [`", stringify!($effect), "`].")] pub $effect: $Effect,)*
        }

        impl ConverterEffects {
            /// All of them in order.
            pub fn all(&self) -> [&dyn ConverterEffect; CONVERTER.len()] {
                [$(&self.$effect),*]
            }
        }
    };
}

pub(super) use converter_effects;

impl super::ConverterEffects {
    /// Those that change something, in order.
    pub fn active(&self) -> impl DoubleEndedIterator<Item = &dyn ConverterEffect> {
        self.all().into_iter().filter(|effect| !effect.is_off())
    }

    /// Whether nothing changes a conversion.
    pub fn is_off(&self) -> bool {
        self.active().next().is_none()
    }

    /// Deviates that every conversion draws.
    pub fn deviates(&self) -> usize {
        self.active().filter_map(ConverterEffect::draws).count()
    }

    /// Standard deviation, in codes, of noise that is added before anything else happens: the noise of a sum that is drawn
    /// once holds it ([`sum_noise`](super::sum_noise)).
    pub fn first_noise(&self) -> Option<f32> {
        self.active().next().and_then(ConverterEffect::adds)
    }

    /// Whether the value of every code is the code.
    pub fn keep_codes(&self) -> bool {
        self.active().all(ConverterEffect::keeps_codes)
    }

    /// Closed form: the scaled sum as it is rounded; `draw` gives the deviate of a purpose.
    pub fn exact(&self, codes: CodeRange, scaled: f64, draw: impl Fn(Purpose) -> f64) -> f64 {
        self.active().fold(scaled, |s, effect| {
            effect.exact(codes, s, effect.draws().map_or(0.0, &draw))
        })
    }

    /// Closed form: the value of a code.
    pub fn exact_value(&self, codes: CodeRange, code: i32) -> f64 {
        let effects = self.active().rev();
        effects.fold(code.into(), |value, effect| {
            effect.exact_value(codes, value)
        })
    }
}
