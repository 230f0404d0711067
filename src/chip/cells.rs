//! From the configuration to the constants of the operators at cell level: one layer's cells, wires,
//! drives and converters.

use super::calibrate::RangeRule;
use super::layer::{CellLayer, Tuned};
use super::ranges::{self, Converters};
use super::sampled;
use super::terms;
use crate::config::chip::{Accumulate, AdcRange, WireMethod};
use crate::config::{self, SigmaProfile};
use crate::effects::{
    CellReadNoise, ConverterEffects, Curve, Drift, Effect, Limits, OpenLines, Stuck, Variation,
};
use crate::error::{Error, Result};
use crate::mapping;
use crate::program::{
    Adc, Arrays, CodeRange, ConvGeometry, ConverterErrors, Dac, InputSigns, Programming, Reading,
    Wires,
};

/// Codes of a layer's input (docs/MODEL.md 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputCodes {
    /// Bits of a code, 2 to 8: unsigned `0 .. 2^b - 1`, signed `-(2^(b-1) - 1) .. 2^(b-1) - 1`.
    pub bits: u32,
    /// Whether there are negative codes.
    pub signed: bool,
}

/// The constants of a layer with address `layer` (see
/// `network::lower::layer_address`) whose weights have `weight_bits` bits and whose inputs `input`.
///
/// # Errors
/// What the layer's size makes impossible, with the arithmetic.
pub fn layer(
    chip: &config::Chip,
    variation: &config::Variation,
    geo: &ConvGeometry,
    weight_bits: u32,
    input: InputCodes,
    layer: u32,
) -> Result<CellLayer> {
    let arrays = mapping::arrays(geo, &chip.array, &chip.cells, weight_bits)?;
    let dac = dac(&chip.dac, input)?;
    let adc = chip.adc.converts().then(|| adc(&chip.adc));
    let wires = chip.wires.resist().then(|| wires(chip, &arrays));
    let programming = Programming {
        raw: wires.is_some(),
        ..programming(chip, variation, &arrays, layer)?
    };
    let mut reading = Reading {
        noise_per_cell: chip.read.per_cell,
        integer: false,
        exact: programming.read_noise.is_quiet()
            && wires.is_none()
            && is_nominal(&programming, variation),
        arrays: arrays.clone(),
        dac,
        adc,
        layer,
    };
    let ranges = reading.adc.as_ref().and_then(|adc| {
        let converters = Converters::new(&arrays, &reading.dac, adc);
        match chip.adc.range {
            AdcRange::Full => Some(converters.full()),
            AdcRange::Granular => Some(converters.granular()),
            AdcRange::Fixed => Some(converters.fixed(&chip.adc.limit)),
            AdcRange::Calibrated => None,
        }
    });
    reading.integer = ranges
        .as_ref()
        .is_some_and(|pairs| ranges::add_integers(&reading, pairs));
    check(&reading)?;
    let errors = ConverterErrors {
        sharing: chip.adc.sharing,
        columns: None,
        gain: chip.adc.gain_error as f32,
        offset: chip.adc.offset_error as f32,
        layer,
        arrays,
    };
    programming.draws().check()?;
    reading
        .draws(geo, !programming.read_noise.is_quiet())
        .check()?;
    errors.draws().check()?;
    Ok(CellLayer {
        programming,
        wires,
        errors,
        ranges,
        rule: RangeRule::of(&chip.adc),
        is_tuned: true,
        tuned: Tuned::No,
        storage: chip.cells.storage,
        layout: None,
        reading,
    })
}

fn curve(values: Vec<f64>) -> Curve {
    values.into_iter().map(|v| v as f32).collect()
}

fn dac(d: &config::chip::Dac, input: InputCodes) -> Result<Dac> {
    let signs = input.signed.then_some(d.signs);
    let input_bits = match signs {
        Some(InputSigns::SignMagnitude) => input.bits.saturating_sub(1),
        Some(InputSigns::TwosComplement) | None => input.bits,
    };
    let dac = Dac {
        input_bits,
        dac_bits: d.bits.min(input_bits.max(1)),
        signs,
        table: (!d.table.is_empty()).then(|| curve(d.table.clone())),
        analog_sum: d.accumulate == Accumulate::Analog,
    };
    match dac.is_possible() {
        true => Ok(dac),
        false => Err(Error::input(format!(
            "chip.dac: steps of {} bits cannot drive {} input codes of {} bits with signs \"{}\" and a table of \
             {} values; allowed: 2 to 8 bits, a table of 2^bits values for steps no larger than the code, and \
             with two's complement one bit in the top step",
            d.bits,
            if input.signed { "signed" } else { "unsigned" },
            input.bits,
            d.signs,
            d.table.len()
        ))),
    }
}

fn adc(a: &config::chip::Adc) -> Adc {
    let codes = a.bits.each().iter().map(|bits| {
        let (lo, hi) = a.codes.range(*bits);
        CodeRange { lo, hi }
    });
    let mut effects = ConverterEffects::default();
    effects.adc_noise.sigma = a.noise as f32;
    effects.inl.by_code = (!a.inl.is_empty()).then(|| curve(a.inl.clone()));
    Adc {
        codes: codes.collect(),
        effects,
    }
}

fn programming(
    chip: &config::Chip,
    variation: &config::Variation,
    arrays: &Arrays,
    layer: u32,
) -> Result<Programming> {
    let p = &chip.programming;
    let d = &chip.drift;
    let log_time = (d.time_s / d.t0_s).ln();
    let drifts = log_time > 0.0 && !(d.nu.is_zero() && d.sigma_nu.is_zero());
    let mut programming = Programming::ideal(arrays.clone(), layer);
    programming.read_noise = read_noise(chip);
    let (profile, sigma_w) = (&variation.sigma_profile, variation.sigma_w);
    let by_profile = sigma_w > 0.0 && *profile != SigmaProfile::FLAT;
    let own = match &p.sigma {
        Some(sigma) => Some(sigma.sampled()),
        None => by_profile.then(|| profile.sampled(sigma_w)),
    };
    let effects = &mut programming.effects;
    effects.fill = chip.cells.fill;
    effects.sampled = sampled::sampled(chip, variation, arrays)?;
    effects.variation = Variation {
        law: variation.law,
        deviate: terms::deviate(variation),
        sigma: variation.sigma_w as f32,
        curve: own.map(curve),
    };
    if drifts {
        let (nu, sigma_nu) = (curve(d.nu.sampled()), curve(d.sigma_nu.sampled()));
        effects.drift = Drift::new(log_time as f32, nu, sigma_nu);
    }
    effects.stuck = Stuck {
        off: p.stuck_off as f32,
        on: p.stuck_on as f32,
    };
    effects.limits = Limits {
        clip: p.clip as f32,
        clip_low: p.non_negative,
    };
    effects.open_lines = OpenLines {
        row: p.open_rows as f32,
        col: p.open_cols as f32,
    };
    Ok(programming)
}

/// Read noise at the chip's age.
fn read_noise(chip: &config::Chip) -> CellReadNoise {
    let r = &chip.read;
    // Of noise with a spectrum 1/f, what a read of duration t_read sees at time t.
    let age = (chip.drift.time_s + r.t_read_s) / (2.0 * r.t_read_s);
    let growth = age.ln().max(0.0).sqrt();
    // `Q` may be infinite at 0, where nothing conducts.
    let part = |q: &config::chip::Curve, g: f64| match g > 0.0 {
        true => g * q.at(g).min(1e6) * growth,
        false => 0.0,
    };
    let spectral = r.one_over_f.as_ref().filter(|_| growth > 0.0);
    CellReadNoise {
        proportional: r.proportional as f32,
        fixed: r.fixed as f32,
        curve: r.sigma.as_ref().map(|sigma| curve(sigma.sampled())),
        one_over_f: spectral.map(|q| curve(q.sampled_with(|g| part(q, g)))),
    }
}

/// Whether every cell of every chip holds its digit exactly.
fn is_nominal(p: &Programming, v: &config::Variation) -> bool {
    let common = v.sigma_b == 0.0
        && v.sigma_layer == 0.0
        && v.sigma_array == 0.0
        && v.wafer
            .as_ref()
            .is_none_or(|w| w.sigma_wafer == 0.0 && w.sigma_radial == 0.0 && w.sigma_field == 0.0);
    common
        && p.arrays.g_min == 0.0
        && p.arrays.levels.is_none()
        && p.effects.fill.is_digits()
        && p.effects.all().all(Effect::is_off)
        && ranges::grain(&p.arrays) == 1.0
}

fn wires(chip: &config::Chip, arrays: &Arrays) -> Wires {
    let w = &chip.wires;
    let relative = |ohm: f64| (ohm * chip.cells.g_max_us * 1e-6) as f32;
    Wires {
        arrays: arrays.clone(),
        topology: w.topology,
        row: relative(w.row_ohm),
        col: relative(w.col_ohm),
        row_terminal: relative(w.row_terminal_ohm),
        col_terminal: relative(w.col_terminal_ohm),
        sweeps: match w.method {
            WireMethod::Exact => 0,
            WireMethod::Fast => w.sweeps,
        },
        activity: w.activity as f32,
    }
}

/// Sees that the arrays can be read.
fn check(reading: &Reading) -> Result<()> {
    if !reading.without_converter().is_possible() {
        return Err(Error::Internal(format!(
            "the configuration's checks let impossible arrays through: {:?}",
            reading.arrays
        )));
    }
    let slices = reading.arrays.slices();
    if let Some(adc) = reading.adc.as_ref().filter(|a| !a.is_possible(slices)) {
        return Err(Error::input(format!(
            "chip.adc: {} numbers of bits and a non-linearity of {} values for {} slices; allowed: one number of bits, or \
             one for every slice, and a non-linearity with as many values as all converters have codes",
            adc.codes.len(),
            adc.effects.inl.by_code.as_ref().map_or(0, |inl| inl.len()),
            slices
        )));
    }
    if !reading.is_possible() {
        return Err(too_large(reading));
    }
    Ok(())
}

/// The fields are each checked before, so it is the sum of a plane's codes that leaves 32 bits.
fn too_large(reading: &Reading) -> Error {
    let most = reading.adc.as_ref().map_or(0, Adc::most);
    Error::input(format!(
        "chip.adc: codes up to {most} of {} conversions, weighted by place, do not fit 32 bits (2147483647); \
         allowed: fewer converter bits or input bits",
        reading.dac.conversions()
    ))
}
