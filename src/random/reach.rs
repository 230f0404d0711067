//! How far the addresses of random numbers reach: what each part of a counter has room for, and the
//! refusal of what has none.
//!
//! ```text
//! counter = (address / 4, layer | repeat << 12, chip, purpose | row << 12)
//! ```
//! A number that is drawn several times, each time anew, has a repeat ([`repeated`]): of a conversion that is
//! the image, of what a chip is fabricated with 0 for the first time. A purpose draws by image or by chip, never both, so
//! that no two repeats meet. Only what a cell draws at a read has a row in the last word.
//!
//! Beyond these limits an address would come round to numbers that belong to something else, and two
//! things that should differ would be the same. Whoever makes addresses asks [`Reach::check`] first.

use crate::error::{Error, Result};

/// What a repeat is multiplied by in the layer word, and a row in the purpose word.
pub const ABOVE: u32 = 1 << 12;

/// The layer word of a repeat; that of repeat 0 is the layer itself. Twin of `repeated` in
/// `shaders/shared/random.wgsl`.
#[inline(always)]
pub const fn repeated(layer: u32, repeat: u32) -> u32 {
    layer.wrapping_add(repeat.wrapping_mul(ABOVE))
}

/// A part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Numbers of one purpose, layer and chip: the address.
    Numbers,
    /// Layers, counted from 1: the lower bits of the layer word.
    Layers,
    /// Images, where every read draws: the repeats of a conversion, in the bits above the layer.
    Images,
    /// Repeats of what a chip draws, in the same bits.
    Repeats,
    /// Rows of a layer, where every read of a cell draws: the bits above the purpose.
    Rows,
    /// Chips, and what is counted in their place (wafers, epochs).
    Chips,
    /// Chips that training fabricates: the highest bit marks those of calibrations.
    TrainingChips,
}

impl Reach {
    /// How many there can be.
    pub const fn most(self) -> u64 {
        match self {
            Reach::Numbers | Reach::Chips => 1 << 32,
            Reach::TrainingChips => 1 << 31,
            Reach::Layers => ABOVE as u64 - 1,
            Reach::Images | Reach::Repeats | Reach::Rows => 1 << 20,
        }
    }

    /// Refuses more than [`Reach::most`] of `what` (plural, with the place: "cells of layer 3").
    ///
    /// # Errors
    /// [`Error::Input`] with the count and what is allowed.
    pub fn check(self, count: u128, what: &str) -> Result<()> {
        let most = self.most();
        match count <= u128::from(most) {
            true => Ok(()),
            false => Err(Error::input(format!(
                "{count} {what} are more than random numbers have addresses for; allowed: at most {most}"
            ))),
        }
    }
}

/// Product of counts, for [`Reach::check`]: what leaves 128 bits is as large as they hold.
pub fn product(factors: &[usize]) -> u128 {
    factors
        .iter()
        .fold(1u128, |n, f| n.saturating_mul(*f as u128))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_what_the_words_hold() {
        // The bits below an image hold every layer, those below a row every purpose and its flags.
        assert!(Reach::Layers.most() < u64::from(ABOVE));
        let flags = crate::random::TRAINING
            | crate::random::REFERENCE
            | crate::random::OFFSET_REFERENCE
            | crate::random::RECALIBRATION;
        assert!(flags < ABOVE && flags & 0xff == 0);
        for above in [Reach::Images, Reach::Repeats, Reach::Rows] {
            assert_eq!(above.most() * u64::from(ABOVE), 1 << 32);
        }
    }

    /// Every layer with every repeat has a word of its own, and the first repeat is where everything was
    /// before there were repeats.
    #[test]
    fn layers_and_repeats_share_a_word_without_meeting() {
        let layers = [0, 1, 2, 1000, Reach::Layers.most() as u32];
        let repeats = [0, 1, 2, 77_777, (Reach::Repeats.most() - 1) as u32];
        for layer in layers {
            assert_eq!(repeated(layer, 0), layer);
            for repeat in repeats {
                let word = repeated(layer, repeat);
                assert_eq!((word % ABOVE, word / ABOVE), (layer, repeat));
            }
        }
    }

    #[test]
    fn what_has_no_address_is_refused_with_the_count() {
        for reach in [
            Reach::Numbers,
            Reach::Layers,
            Reach::Images,
            Reach::Repeats,
            Reach::Rows,
            Reach::Chips,
            Reach::TrainingChips,
        ] {
            let most = u128::from(reach.most());
            reach.check(most, "things").unwrap();
            let error = reach.check(most + 1, "things of layer 3").unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("{} things of layer 3", most + 1))
                    && text.ends_with(&format!("at most {most}")),
                "{text}"
            );
        }
        assert_eq!(product(&[usize::MAX; 9]), u128::MAX);
    }
}
