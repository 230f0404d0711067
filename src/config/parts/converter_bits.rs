//! `{ kind = "converter-bits" }` of `train.noise`.

use super::Composition;
use super::composition::Problems;
use crate::config::chip::AdcBits;
use crate::config::rule::List;
use crate::config::section::section;
use crate::config::{Experiment, Fidelity};

section! {
    /// Part `{ kind = "converter-bits" }` of `train.noise`: every pass of a step goes through converters whose bits are
    /// drawn from a list, all of a chip alike, in place of `chip.adc.bits`; the ranges are those that the chip's converters
    /// have with that number of bits. The network is trained for all of them, as by the bit augmentation of RAOQ (Zhang, Chen and
    /// Verma, ICML 2024). Needs `train.level = "cell"`; with several chips in a step, all have the bits that are drawn for the
    /// first. Calibration and held-out images see `chip.adc.bits`.
    pub struct ConverterBits {
        /// Bits that are drawn with equal probability; what is listed twice is drawn twice as often.
        bits: Vec<u32> = vec![6, 7, 8], List { each: 1..=14, length: 1..=16 }, "bits";
    }
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let Some(part) = c.converter_bits() else {
        return;
    };
    let list: &[&str] = &["train.noise.converter-bits", "train.noise", "chip.adc.bits"];
    if e.train.level == Fidelity::Weight {
        found.add(
            list,
            "draws the bits of converters, and steps at level \"weight\" have none; allowed with train.level = \"cell\""
                .into(),
        );
        return;
    }
    match &e.chip.adc.bits {
        _ if e.layer.sets("chip.adc.bits") => found.add(
            list,
            "one number is drawn for all layers, and [layer.NAME] has bits of its own; allowed: one of both".into(),
        ),
        AdcBits::BySlice(_) => found.add(
            list,
            "one number is drawn for all slices, and chip.adc.bits is a list of theirs; allowed with one number".into(),
        ),
        AdcBits::Same(0) => found.add(
            list,
            "draws the bits of converters, and there are none; allowed with chip.adc.bits above 0".into(),
        ),
        AdcBits::Same(_) => {}
    }
    let codes = e.chip.adc.codes;
    if let Some(bits) = part.bits.iter().find(|bits| codes.range(**bits).1 < 1) {
        found.add(
            &["train.noise.converter-bits.bits", "train.noise", "chip.adc.codes"],
            format!("{bits} bit with codes \"{codes}\" has a range of zero width; allowed: 2 to 14, or codes \"uniform\""),
        );
    }
    if !e.chip.adc.inl.is_empty() || e.layer.sets("chip.adc.inl") {
        found.add(
            &["train.noise.converter-bits", "train.noise", "chip.adc.inl"],
            "chip.adc.inl has a value for every code of one number of bits, and these have others; allowed: none".into(),
        );
    }
}
