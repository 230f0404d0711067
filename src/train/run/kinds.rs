//! Kinds of passes of a step: which section a pass runs, by the factor on its chips' deviations and the bits that are
//! drawn for its converters.

use crate::config::Train;
use crate::random::{Purpose, Stream, TRAINING};

/// What the passes of a step differ in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::train) struct Kinds {
    /// Factor on the deviations of every draw.
    factors: Vec<f64>,
    /// The different ones.
    different: Vec<f64>,
    /// Bits that are drawn from; empty: converters have their own.
    listed: Vec<u32>,
    /// The different ones.
    bits: Vec<u32>,
}

/// A pass: a factor on deviations, and the bits of converters where those are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::train) struct Kind {
    pub factor: f64,
    pub bits: Option<u32>,
}

impl Kind {
    /// What calibration sees.
    pub const USUAL: Self = Self {
        factor: 1.0,
        bits: None,
    };
}

impl Kinds {
    /// Those of a training.
    pub fn of(t: &Train) -> Self {
        let parts = t.composition();
        let factors = parts
            .chips()
            .map_or(vec![1.0], |chips| chips.draws.factors());
        let listed = parts.converter_bits().map(|part| part.bits.clone());
        let listed = listed.unwrap_or_default();
        Self {
            different: different(&factors),
            factors,
            bits: different(&listed),
            listed,
        }
    }

    /// The different bits.
    pub fn bits(&self) -> &[u32] {
        &self.bits
    }

    /// All kinds, for a section each; none where all passes are as usual.
    pub fn sections(&self) -> Vec<Kind> {
        let bits = self.bits.iter().copied().map(Some);
        let bits: Vec<Option<u32>> = match self.bits.is_empty() {
            true => vec![None],
            false => bits.collect(),
        };
        let of = |&factor: &f64| bits.iter().map(move |&bits| Kind { factor, bits });
        let all: Vec<Kind> = self.different.iter().flat_map(of).collect();
        match all[..] {
            [Kind::USUAL] => vec![],
            _ => all,
        }
    }

    /// Factor on the deviations of a draw.
    pub fn factor(&self, draw: usize) -> f64 {
        self.factors[draw]
    }

    /// Bits of the converters of a pass whose first chip has this number: a function of it and the seed.
    pub fn drawn(&self, seed: u64, first_chip: u32) -> Option<u32> {
        let n = self.listed.len() as u64;
        let stream = Stream::new(seed, Purpose::ConverterBits, TRAINING, 0, first_chip);
        // A share of 2^32 for each entry.
        let entry = (u64::from(stream.word(0)) * n) >> 32;
        self.listed.get(entry as usize).copied()
    }

    /// Place in [`Kinds::sections`] of a draw with these bits.
    pub fn section(&self, draw: usize, bits: Option<u32>) -> Option<usize> {
        let factor = self.factor(draw);
        let wanted = Kind { factor, bits };
        self.sections().iter().position(|kind| *kind == wanted)
    }
}

/// The values without repeats, in the order in which they come first.
fn different<T: PartialEq + Copy>(all: &[T]) -> Vec<T> {
    let mut found = vec![];
    for value in all {
        if !found.contains(value) {
            found.push(*value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;

    fn kinds(noise: &str) -> Kinds {
        let text = format!(
            "fidelity = \"cell\"\n[quantize]\ninput_bits = 8\n[train]\nlevel = \"cell\"\nweights = [{{ kind = \"quantize\" }}]\n\
             activations = [{{ kind = \"quantize\" }}]\nnoise = [{noise}]\n"
        );
        Kinds::of(&Experiment::parse(&text, "x").unwrap().train)
    }

    #[test]
    fn a_kind_for_every_factor_and_number_of_bits() {
        let chip = |draws: &str| format!("{{ kind = \"chip\", draws = {draws} }}");
        assert!(kinds("").sections().is_empty());
        assert!(kinds(&chip("3")).sections().is_empty());
        assert!(kinds(&chip("[1, 1]")).sections().is_empty());
        let two = kinds(&chip("[0.5, 0, 0.5]"));
        assert_eq!(two.sections().len(), 2);
        let places: Vec<_> = (0..3).map(|draw| two.section(draw, None)).collect();
        assert_eq!(places, [Some(0), Some(1), Some(0)]);
        let bits = "{ kind = \"converter-bits\", bits = [4, 8, 4, 6] }";
        let both = kinds(&format!("{}, {bits}", chip("[1, 0]")));
        assert_eq!((both.sections().len(), both.bits()), (6, &[4, 8, 6][..]));
        assert_eq!(both.section(1, Some(6)), Some(5));
    }

    /// Every entry is drawn as often as its share says, up to six standard errors of a count.
    #[test]
    fn bits_are_drawn_as_often_as_they_are_listed() {
        let all = kinds("{ kind = \"converter-bits\", bits = [4, 8, 4, 6] }");
        const N: u32 = 40_000;
        for (bits, share) in [(4, 0.5), (8, 0.25), (6, 0.25)] {
            let drawn = (0..N).filter(|chip| all.drawn(7, *chip) == Some(bits));
            let (found, n) = (drawn.count() as f64, f64::from(N));
            let error = (n * share * (1.0 - share)).sqrt();
            assert!((found - n * share).abs() < 6.0 * error, "{bits}: {found}");
        }
        assert_eq!(kinds("").drawn(7, 1), None);
        let other = (0..N).filter(|chip| all.drawn(7, *chip) != all.drawn(8, *chip));
        assert!(other.count() > 0);
    }
}
