//! Contradictions of the cell level: what codes need of slices, steps and converters.

use crate::config::chip::{
    AdcBits, AdcCodes, AdcGroup, AdcMethod, AdcRange, CellEncoding, Subtraction,
};
use crate::config::{
    ActivationRange, Experiment, Fidelity, LinearInputs, SigmaProfile, TuningMethod, TuningPlace,
    sigma_profile,
};
use crate::program::{InputSigns, Law, MOST_SLICES};

/// Calls `add` with the fields and the message of every contradiction.
pub(super) fn problems(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    if e.fidelity == Fidelity::Weight {
        if e.variation.sigma_array > 0.0 {
            add(
                &["variation.sigma_array", "fidelity"],
                "there are no arrays at fidelity \"weight\"; allowed: 0, or fidelity \"cell\""
                    .into(),
            );
        }
        if e.tuning.level != 1.0 {
            add(
                &["tuning.level", "fidelity"],
                "a deviation at fidelity \"weight\" is that of any conductance; allowed: 1, or fidelity \"cell\"".into(),
            );
        }
        return;
    }
    codes(e, add);
    slices(e, add);
    cells(e, add);
    fill(e, add);
    drives(e, add);
    converters(e, add);
    wires(e, add);
    tuning(e, add);
}

/// There is a code for every weight and input.
fn codes(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let q = &e.quantize;
    let c = e.train.composition();
    if c.is_float() {
        add(
            &["fidelity", "train.recipe"],
            format!(
                "cells hold codes and a \"{}\" network has none; allowed: fidelity \"weight\", or another recipe",
                e.train.recipe
            ),
        );
        return;
    }
    if q.weight_bits == 0 {
        add(
            &["quantize.weight_bits", "fidelity"],
            "weights of 0 bits leave no code to put into cells; allowed at fidelity \"cell\": 1 to 8".into(),
        );
    }
    let mut input = |fields: &'static [&'static str], bits: u32, what: &str| {
        if bits < 2 {
            let field = fields[0];
            add(
                fields,
                format!(
                    "{bits} bits ({field}) give {what} no code with one step for all of them; allowed at fidelity \"cell\": 2 to 8"
                ),
            );
        }
    };
    input(
        &["quantize.activation_bits", "fidelity"],
        q.activation_bits,
        "activations",
    );
    input(
        &["quantize.input_bits", "fidelity"],
        q.input_bits,
        "the images",
    );
    if q.linear_inputs == LinearInputs::Float {
        add(
            &["quantize.linear_inputs", "quantize.profile", "fidelity"],
            "inputs in full precision have no codes to drive rows with; allowed at fidelity \"cell\": \"quantized\"".into(),
        );
    }
}

/// The slices hold the code.
fn slices(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let c = &e.chip.cells;
    let bits = e.quantize.weight_bits;
    if bits == 0 {
        return;
    }
    let needed = c.needed(bits);
    let slices = c.slice_bits.of(needed);
    let sum = c.bits(bits);
    let listed: Vec<String> = slices.iter().map(u8::to_string).collect();
    let listed = listed.join(" + ");
    const FIELDS: &[&str] = &["chip.cells.slice_bits", "quantize.weight_bits"];
    if sum < needed {
        let why = match c.encoding {
            CellEncoding::Differential => {
                format!("{bits} - 1 = {needed} (two cells hold the sign)")
            }
            CellEncoding::Offset => format!("{needed} (the offset takes the sign)"),
        };
        add(
            FIELDS,
            format!(
                "slices of {listed} = {sum} bits do not cover a code of {bits} bits, which needs {why}; allowed: at least {needed} bits together"
            ),
        );
    }
    if sum > 16 {
        add(
            FIELDS,
            format!("slices of {listed} = {sum} bits; allowed: at most 16 bits together"),
        );
    }
    let count = slices.len() * c.equal_slices as usize;
    if count > MOST_SLICES {
        add(
            &[
                "chip.cells.equal_slices",
                "chip.cells.slice_bits",
                "quantize.weight_bits",
            ],
            format!(
                "{} of {} place values are {count} slices of a weight; allowed: at most {MOST_SLICES} together",
                c.equal_slices,
                slices.len()
            ),
        );
    }
    if !c.levels.is_empty() && slices.iter().any(|b| c.levels.len() != 1 << b) {
        let lengths: Vec<String> = slices.iter().map(|b| (1u32 << b).to_string()).collect();
        add(
            &["chip.cells.levels", "chip.cells.slice_bits"],
            format!(
                "{} levels for slices of {listed} bits, whose cells have {} digits; allowed: one value per digit, the same for all slices",
                c.levels.len(),
                lengths.join(", ")
            ),
        );
    }
}

/// What a rule of filling slices needs.
fn fill(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let c = &e.chip.cells;
    if c.fill.is_digits() {
        return;
    }
    let mut refuse = |fields, why: String| {
        add(
            fields,
            format!("fill \"{}\" {why}, or fill \"digits\"", c.fill),
        );
    };
    if c.encoding != CellEncoding::Differential {
        refuse(
            &["chip.cells.fill", "chip.cells.encoding"],
            format!(
                "shares a weight among pairs of cells; allowed: encoding \"{}\"",
                CellEncoding::Differential
            ),
        );
    }
    if c.two_sided {
        refuse(
            &["chip.cells.fill", "chip.cells.two_sided"],
            "leaves one cell of a pair at its lowest level; allowed: two_sided = false".into(),
        );
    }
    if !c.levels.is_empty() {
        refuse(
            &["chip.cells.fill", "chip.cells.levels"],
            "aims at conductances between levels; allowed: equal steps (no levels)".into(),
        );
    }
    if e.tuning.method != TuningMethod::None && !e.tuning.method.adapts_norms() {
        refuse(
            &["chip.cells.fill", "tuning.method"],
            format!(
                "leaves cells that tuning.method \"{}\" cannot correct: it knows digits; allowed: method \"{}\", \"{}\" or \"{}\"",
                e.tuning.method,
                TuningMethod::None,
                TuningMethod::BnRecalibration,
                TuningMethod::BnTraining
            ),
        );
    }
}

fn cells(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let c = &e.chip.cells;
    if c.encoding == CellEncoding::Offset {
        if c.two_sided {
            add(
                &["chip.cells.two_sided", "chip.cells.encoding"],
                "one cell has no other side; allowed with encoding \"offset\": false".into(),
            );
        }
        if c.subtraction == Subtraction::Digital {
            add(
                &["chip.cells.subtraction", "chip.cells.encoding"],
                "no second cell is subtracted (reference = 0 subtracts the offset digitally); allowed with encoding \"offset\": \"analog\"".into(),
            );
        }
    } else if c.reference > 0 {
        add(
            &["chip.cells.reference", "chip.cells.encoding"],
            format!(
                "{} reference cells have nothing to be subtracted from; allowed with encoding \"differential\": 0",
                c.reference
            ),
        );
    }
    levels_differ(e, add);
    let p = &e.chip.programming;
    if p.sigma.is_some() && e.variation.sigma_w > 0.0 {
        add(
            &["variation.sigma_w", "chip.programming.sigma"],
            format!(
                "both sigma_w = {} and chip.programming.sigma say how cells deviate; allowed: 0, or chip.programming.sigma = \"none\"",
                e.variation.sigma_w
            ),
        );
    }
    let profile = &e.variation.sigma_profile;
    if p.sigma.is_some() && *profile != SigmaProfile::FLAT {
        add(
            &["variation.sigma_profile", "chip.programming.sigma"],
            "both it and chip.programming.sigma say how deviations depend on conductances; allowed: \"flat\", or \
             chip.programming.sigma = \"none\""
                .into(),
        );
    }
    if profile.is_of_whole_weights() {
        add(
            &["variation.sigma_profile", "fidelity"],
            format!(
                "is of whole weights, and each cell holds a slice of one; allowed at cell level: {}, or a curve",
                sigma_profile::for_single_cells()
            ),
        );
    }
    if p.stuck_off + p.stuck_on > 1.0 {
        add(
            &["chip.programming.stuck_on", "chip.programming.stuck_off"],
            format!(
                "probabilities {} + {} = {} of being stuck; allowed: at most 1 together",
                p.stuck_off,
                p.stuck_on,
                p.stuck_off + p.stuck_on
            ),
        );
    }
}

/// Neighbouring levels are different numbers: conductances relative to `G_max` are `f32`.
fn levels_differ(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let c = &e.chip.cells;
    let bits = c.slices(e.quantize.weight_bits).into_iter().max();
    let Some(bits) = bits.filter(|b| (1..=8).contains(b)) else {
        return;
    };
    let top = f64::from((1u32 << bits) - 1);
    let apart = (1.0 - c.g_min()) / top;
    let least = f64::from(f32::EPSILON);
    if apart < least {
        let fewest = 1.0 / (1.0 - top * least);
        add(
            &["chip.cells.on_off_ratio", "chip.cells.slice_bits"],
            format!(
                "{} leaves (1 - 1/{})/(2^{bits} - 1) = {apart:.1e} of G_max between neighbouring levels, and conductances are kept to {least:.1e}; allowed: {:.6} and more, or slices of fewer bits",
                c.on_off_ratio,
                c.on_off_ratio,
                (fewest * 1e6).ceil() / 1e6
            ),
        );
    }
}

fn drives(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let (d, q) = (&e.chip.dac, &e.quantize);
    let signed = q.activation_range == ActivationRange::Signed;
    // Where that is not known here they may be negative.
    let unsigned_images = e.data.signed_images() == Some(false);
    let inputs = [
        ("the images", q.input_bits, unsigned_images),
        ("activations", q.activation_bits, !signed),
    ];
    for (what, bits, unsigned) in inputs {
        if bits < 2 {
            continue;
        }
        let magnitude = match (unsigned, d.signs) {
            (false, InputSigns::SignMagnitude) => bits - 1,
            _ => bits,
        };
        if !d.table.is_empty() && d.bits > magnitude {
            add(
                &["chip.dac.table", "chip.dac.bits"],
                format!(
                    "{what} have codes of {magnitude} bits, less than a step of {}: the table has no digits for them; allowed: no table, or at most {magnitude} bits a step",
                    d.bits
                ),
            );
        }
        let top = (bits - 1) % d.bits.min(bits) + 1;
        if d.signs == InputSigns::TwosComplement && !unsigned && top != 1 {
            add(
                &["chip.dac.signs", "chip.dac.bits"],
                format!(
                    "{what} have {bits} bits in steps of {}, so {top} in the top step, and only a top step of one bit can be subtracted; allowed: steps that leave one bit, or \"sign-magnitude\"",
                    d.bits
                ),
            );
        }
    }
    if !d.table.is_empty() && d.table.len() != 1 << d.bits {
        add(
            &["chip.dac.table", "chip.dac.bits"],
            format!(
                "{} values for steps of {} bits; allowed: 2^{} = {}, or none",
                d.table.len(),
                d.bits,
                d.bits,
                1 << d.bits
            ),
        );
    } else if !d.table.is_empty() && d.table.iter().all(|x| *x == 0.0) {
        add(
            &["chip.dac.table"],
            "all drives are 0: nothing is read; allowed: at least one above 0".into(),
        );
    }
}

fn converters(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let a = &e.chip.adc;
    if !a.converts() {
        return;
    }
    let slices = e.chip.cells.slices(e.quantize.weight_bits).len();
    converter_codes(e, slices, add);
    let n = a.limit.len();
    if a.range == AdcRange::Fixed && n != 1 && n != slices {
        add(
            &["chip.adc.limit", "chip.adc.range"],
            format!(
                "{n} limits for {slices} slices; allowed with range \"fixed\": one number, or one for every slice"
            ),
        );
    }
    if a.range != AdcRange::Fixed && n > 0 {
        add(
            &["chip.adc.limit", "chip.adc.range"],
            format!(
                "range \"{}\" has its own limit; allowed: none, or range \"fixed\"",
                a.range
            ),
        );
    }
}

/// Every converter has codes, and where slices differ in them nothing is left open.
fn converter_codes(
    e: &Experiment,
    slices: usize,
    add: &mut impl FnMut(&'static [&'static str], String),
) {
    let a = &e.chip.adc;
    let bits = a.bits.each();
    if let Some(bits) = bits.iter().find(|bits| a.codes.range(**bits).1 < 1) {
        let (lo, hi) = a.codes.range(*bits);
        add(
            &["chip.adc.bits", "chip.adc.codes"],
            format!(
                "{bits} bit with sign and magnitude has codes from {lo} to {hi}: a range of zero width; allowed: 2 to 14, or codes \"{}\"",
                AdcCodes::Uniform
            ),
        );
    }
    if let AdcBits::BySlice(list) = &a.bits
        && list.len() != slices
    {
        add(
            &[
                "chip.adc.bits",
                "chip.cells.slice_bits",
                "quantize.weight_bits",
            ],
            format!(
                "{} for {}; allowed: one number, or a list with {slices}, one for every slice",
                counted(list.len(), "number of bits", "numbers of bits"),
                counted(slices, "slice", "slices")
            ),
        );
    }
    let differ = bits.iter().any(|b| *b != bits[0]);
    if differ && !a.inl.is_empty() {
        add(
            &["chip.adc.inl", "chip.adc.bits"],
            "one non-linearity for converters that have different codes; allowed with different bits: none"
                .into(),
        );
    }
    let least_error = a.range == AdcRange::Calibrated && a.method == AdcMethod::Mse;
    if differ && least_error && a.per == AdcGroup::Layer {
        add(
            &["chip.adc.per", "chip.adc.bits", "chip.adc.method"],
            format!(
                "method \"{}\" has no least error of one range for converters of different bits; allowed: per \"{}\" or \"{}\", or another method",
                AdcMethod::Mse,
                AdcGroup::Slice,
                AdcGroup::Column
            ),
        );
    }
    let (lo, hi) = a.codes.range(bits[0]);
    let codes = (hi - lo + 1) as usize;
    if !differ && !a.inl.is_empty() && a.inl.len() != codes {
        add(
            &["chip.adc.inl", "chip.adc.bits"],
            format!(
                "{} values for codes from {lo} to {hi}; allowed: {codes}, or none",
                a.inl.len()
            ),
        );
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn wires(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    if !e.chip.wires.resist() {
        return;
    }
    const FIELDS: &[&str] = &["chip.wires", "chip.cells.reference", "tuning.method"];
    if e.chip.cells.reference > 0 {
        add(
            FIELDS,
            "wires that resist with a reference column are not simulated; allowed: wires of 0 ohm, or chip.cells.reference = 0".into(),
        );
    }
    if matches!(
        e.tuning.method,
        TuningMethod::ReferenceColumns | TuningMethod::LevelColumns
    ) {
        add(
            FIELDS,
            "wires that resist with reference columns or columns at a known level are not simulated; allowed: wires of 0 ohm, or another tuning.method".into(),
        );
    }
}

/// Test cells show something; a reference can be scaled where there is one, and an offset is no scale.
fn tuning(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let t = &e.tuning;
    let measures = matches!(
        t.method,
        TuningMethod::SelfTuning | TuningMethod::LevelColumns
    );
    if measures && t.level > e.chip.programming.clip {
        add(
            &["tuning.level", "chip.programming.clip"],
            format!(
                "cells that aim at {} and are limited to {} show no deviation; allowed: a level up to the limit",
                t.level, e.chip.programming.clip
            ),
        );
    }
    let acts = measures || t.method == TuningMethod::Oracle;
    if !acts || t.place != TuningPlace::AdcReference {
        return;
    }
    let drift = &e.chip.drift;
    if e.variation.law == Law::LayerFixed && drift.time_s <= drift.t0_s {
        add(
            &["tuning.place", "variation.law"],
            "\"adc-reference\" scales what a converter says, and with law \"layer-fixed\" a common deviation adds to it; allowed: \"digital\", law \"weight-proportional\", or cells that have drifted (chip.drift.time_s above t0_s)".into(),
        );
    }
    if !e.chip.adc.converts() {
        add(
            &["tuning.place", "chip.adc.bits"],
            "\"adc-reference\" needs converters, and chip.adc.bits = 0 has none; allowed: \"digital\", or bits above 0".into(),
        );
    }
}
