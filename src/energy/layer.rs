//! Energy, latency and area of one layer, from how often each of its parts is used for an image.

use serde::Serialize;

use super::converter::{self, Converter, Use};
use super::interval::Interval;
use super::{Part, scaling};
use crate::choice::Choice;
use crate::config::chip::{ArraySize, CellEncoding, Cells};
use crate::config::technology::Technology;
use crate::config::{Energy, LayerSettings};
use crate::error::{Error, Result};
use crate::program::{Arrays, ConvGeometry, Dac, Encoding};

/// Bits of a number that nothing quantizes, as ISAAC's outputs have.
const WORD: u32 = 16;
/// Bits of the arithmetic that a technology states energies of.
const ARITHMETIC: f64 = 32.0;

/// What every layer of a chip is estimated with.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Settings.
    pub settings: Energy,
    /// Constants.
    pub technology: Technology,
    /// Node in nm.
    pub node_nm: f64,
}

impl Rates {
    /// Reads the constants of an experiment.
    ///
    /// # Errors
    /// A technology file that cannot be read, and every mistake in it.
    pub fn new(settings: &Energy) -> Result<Self> {
        let technology = settings.constants()?;
        Ok(Self {
            node_nm: settings.node_nm.unwrap_or(technology.node_nm),
            settings: settings.clone(),
            technology,
        })
    }

    /// Energy at the node of the chip of what takes so much at another.
    fn energy(&self, pj: f64, node_nm: f64) -> f64 {
        pj * scaling::energy(node_nm, self.node_nm)
    }

    /// Area at the node of the chip.
    fn area(&self, um2: f64, node_nm: f64) -> f64 {
        um2 * scaling::area(node_nm, self.node_nm)
    }

    /// How long the rows are driven and settle in a step.
    fn read_ns(&self) -> f64 {
        self.settings.pulse_ns + self.settings.settle_ns
    }

    /// Energy of an addition of numbers with `bits` bits.
    fn addition(&self, bits: u32) -> f64 {
        let a = &self.technology.arithmetic;
        self.energy(a.adder_pj, a.node_nm) * f64::from(bits) / ARITHMETIC
    }

    /// Energy of `n` digital operations on words.
    pub fn operations(&self, n: f64) -> f64 {
        n * self.addition(WORD)
    }

    /// Energy that one array term takes: with this much of `sum over steps and rows of (drive/top)^2 G`, G in uS.
    pub fn array_pj(&self, conductance_us: f64) -> f64 {
        // uS V^2 ns is 1e-15 J.
        1e-3 * self.settings.pulse_ns * self.settings.read_v.powi(2) * conductance_us
    }
}

/// A layer on arrays, as it is used for an image.
#[derive(Debug, Clone, Copy)]
pub struct OnArrays<'a> {
    /// Its arrays.
    pub arrays: &'a Arrays,
    /// How inputs are driven.
    pub dac: &'a Dac,
    /// Its geometry.
    pub geo: &'a ConvGeometry,
    /// Its settings: arrays, cells, converters.
    pub settings: &'a LayerSettings,
    /// Bits of an input, and of an output; 0: not quantized.
    pub bits: [u32; 2],
}

/// A layer that is executed digitally.
#[derive(Debug, Clone, Copy)]
pub struct Digital<'a> {
    /// Its geometry.
    pub geo: &'a ConvGeometry,
    /// Bits of a weight, an input and an output; 0: not quantized.
    pub bits: [u32; 3],
}

/// What a part of a layer takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PartEstimate {
    /// The part.
    pub part: Part,
    /// Energy for an image.
    pub energy_pj: Interval,
    /// Area.
    pub area_um2: Interval,
}

/// What a layer takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerEstimate {
    /// Its name.
    pub name: String,
    /// Multiply-accumulates for an image.
    pub macs: u64,
    /// Every part, in the order of [`Part::ALL`].
    pub parts: Vec<PartEstimate>,
    /// Time for an image; `None` where it is executed digitally, which no constant tells the time of.
    pub latency_ns: Option<Interval>,
    /// Models of converters that know those of the layer.
    pub converters: Vec<&'static str>,
    /// Energy of the arrays for a cell at `G_max` at the highest drive; 0 without arrays.
    pub unit_pj: f64,
    /// Energy of a conversion; `None` where there is none.
    pub conversion_pj: Option<Interval>,
}

impl LayerEstimate {
    fn new(name: &str, macs: usize) -> Self {
        let part = |&part| PartEstimate {
            part,
            energy_pj: Interval::default(),
            area_um2: Interval::default(),
        };
        Self {
            name: name.into(),
            macs: macs as u64,
            parts: Part::ALL.iter().map(part).collect(),
            latency_ns: None,
            converters: vec![],
            conversion_pj: None,
            unit_pj: 0.0,
        }
    }

    fn add(&mut self, part: Part, energy_pj: Interval, area_um2: Interval) {
        let found = self.parts.iter_mut().find(|own| own.part == part);
        if let Some(own) = found {
            own.energy_pj = own.energy_pj + energy_pj;
            own.area_um2 = own.area_um2 + area_um2;
        }
    }

    /// A part.
    pub fn part(&self, part: Part) -> PartEstimate {
        self.parts[part as usize]
    }

    /// Energy for an image.
    pub fn energy_pj(&self) -> Interval {
        self.parts.iter().map(|part| part.energy_pj).sum()
    }

    /// Area.
    pub fn area_um2(&self) -> Interval {
        self.parts.iter().map(|part| part.area_um2).sum()
    }
}

fn pixels(geo: &ConvGeometry) -> f64 {
    (geo.h_out() * geo.w_out()) as f64
}

fn word(bits: u32) -> f64 {
    f64::from(if bits == 0 { WORD } else { bits })
}

/// The mean of the cells' conductances that codes can have, relative to the largest.
pub fn mean_cell(arrays: &Arrays, cells: &Cells) -> Interval {
    let levels = |digit: fn(&[f64]) -> f64, usual: f64| match cells.levels.is_empty() {
        true => usual,
        false => digit(&cells.levels),
    };
    let least = levels(
        |l| l.iter().copied().fold(f64::INFINITY, f64::min),
        cells.g_min(),
    );
    let most = levels(|l| l.iter().copied().fold(0.0, f64::max), 1.0);
    let zero = levels(|l| l[0], cells.g_min());
    match (cells.encoding, arrays.encoding) {
        // Digits of a pair add up to the highest.
        (
            _,
            Encoding::Differential {
                two_sided: true, ..
            },
        ) if cells.levels.is_empty() => Interval::one((1.0 + cells.g_min()) / 2.0),
        (
            _,
            Encoding::Differential {
                two_sided: false, ..
            },
        ) => Interval::between((zero + least) / 2.0, (zero + most) / 2.0),
        (CellEncoding::Differential | CellEncoding::Offset, _) => Interval::between(least, most),
    }
}

/// What a layer on arrays takes.
///
/// # Errors
/// No model of the technology knows its converters.
pub fn on_arrays(rates: &Rates, layer: &OnArrays) -> Result<LayerEstimate> {
    let OnArrays {
        arrays,
        geo,
        settings,
        ..
    } = *layer;
    let macs = geo.macs();
    let mut found = LayerEstimate::new(&settings.name, macs);
    found.unit_pj = rates.array_pj(settings.chip.cells.g_max_us);
    cells_and_drivers(rates, layer, &mut found);
    let converters = converters(rates, layer)?;
    for law in converters.iter().flatten().map(|c| c.law.as_str()) {
        if !found.converters.contains(&law) {
            found.converters.push(law);
        }
    }
    let all = converters.iter().flatten();
    found.conversion_pj = Interval::around(all.map(|c| Interval::one(c.energy_pj)));
    columns(rates, layer, &converters, &mut found);
    moves(
        rates,
        geo,
        layer.bits,
        (arrays.col_tiles(), arrays.cell_arrays()),
        &mut found,
    );
    let offset = matches!(arrays.encoding, Encoding::Offset { .. });
    if offset {
        // The sum of the inputs, of which the digital offset is made.
        let sums = pixels(geo) * (arrays.rows * geo.groups) as f64;
        let energy = Interval::one(rates.operations(sums));
        found.add(Part::Digital, energy, Interval::default());
    }
    found.latency_ns = Some(latency(rates, layer, &converters));
    Ok(found)
}

fn cells_and_drivers(rates: &Rates, layer: &OnArrays, found: &mut LayerEstimate) {
    let OnArrays {
        arrays,
        dac,
        geo,
        settings,
        ..
    } = *layer;
    let ArraySize { rows, cols, .. } = settings.chip.array;
    let (t, s, pixels) = (&rates.technology, &rates.settings, pixels(geo));
    let cells = &settings.chip.cells;
    let mean = match s.mean_cell_us {
        Some(us) => Interval::one(us),
        None => mean_cell(arrays, cells) * cells.g_max_us,
    };
    let activity = match s.activity {
        Some(share) => Interval::one(share),
        None => Interval::between(0.0, 1.0),
    };
    let reads = arrays.cells() as f64 * pixels * dac.steps() as f64;
    let energy = activity * mean * rates.array_pj(reads);
    let places = (arrays.cell_arrays() * rows * cols) as f64;
    let f2 = (1e-3 * rates.node_nm).powi(2);
    found.add(
        Part::Arrays,
        energy,
        Interval::one(places * t.cell.area_f2 * f2),
    );

    let d = &t.driver;
    let driven = (arrays.rows * arrays.col_tiles() * arrays.cell_planes()) as f64 * pixels;
    let line_pj = 1e-3 * (d.line_ff_per_cell * cols as f64 + d.line_ff) * d.line_v.powi(2);
    let bits = (0..dac.steps()).map(|t| dac.step_bits(t));
    let step = |bits: u32| d.energy_pj * d.growth.powi(bits as i32 - 1) + line_pj;
    let energy = driven * rates.energy(bits.map(step).sum(), d.node_nm);
    let drivers = (arrays.cell_arrays() * rows) as f64;
    let area = drivers * d.area_um2 * d.growth.powi(dac.dac_bits as i32 - 1);
    let area = Interval::one(rates.area(area, d.node_nm));
    found.add(Part::Drivers, Interval::one(energy), area);
}

/// What models say of the converters of every slice.
fn converters(rates: &Rates, layer: &OnArrays) -> Result<Vec<Vec<Converter>>> {
    let OnArrays {
        arrays,
        dac,
        settings,
        ..
    } = *layer;
    let bits = settings.chip.adc.bits.each();
    let of_slice = |slice: usize| {
        let of = Use {
            bits: bits[slice.min(bits.len() - 1)],
            rows: settings.chip.array.rows,
            rate: 1e6 * rates.settings.conversion_mhz,
            integrated: (dac.analog_sum && dac.dac_bits == 1).then(|| dac.steps()),
        };
        let found = converter::all(&rates.technology, rates.node_nm, &of);
        if found.is_empty() {
            let laws = rates.technology.converters.iter();
            let laws: Vec<&str> = laws.map(|law| law.as_str()).collect();
            return Err(Error::input(format!(
                "energy.technology: no model of converters ({}) of `{}` knows those of layer `{}`, of {} bits{}; allowed: \
                 a technology with a model that does (\"charge\" knows any number of bits from 1 on, \"survey\" from {}, \
                 \"table\" those that it lists, \"integrating\" one-bit steps with chip.dac.accumulate = \"analog\" and more bits than steps of the first phase)",
                laws.join(", "),
                rates.technology.title,
                settings.name,
                of.bits,
                if of.bits == 0 {
                    " (there are none)"
                } else {
                    ""
                },
                converter::SURVEY_BITS,
            )));
        }
        Ok(found)
    };
    (0..arrays.slices()).map(of_slice).collect()
}

/// The parts at the columns: converters, sample and hold, shift and add.
fn columns(
    rates: &Rates,
    layer: &OnArrays,
    converters: &[Vec<Converter>],
    found: &mut LayerEstimate,
) {
    let OnArrays {
        arrays,
        dac,
        geo,
        settings,
        ..
    } = *layer;
    let cols = settings.chip.array.cols;
    let t = &rates.technology;
    // Of one slice: read planes of a slice have converters alike.
    let planes = (arrays.read_planes() / arrays.slices()) as f64;
    let conversions =
        planes * (arrays.row_tiles() * arrays.cols * dac.conversions()) as f64 * pixels(geo);
    let read_arrays = planes * (arrays.row_tiles() * arrays.col_tiles()) as f64;
    let shared = read_arrays * cols.div_ceil(settings.chip.adc.sharing) as f64;
    for models in converters {
        let hull = |of: fn(&Converter) -> f64| {
            Interval::around(models.iter().map(|c| Interval::one(of(c)))).unwrap_or_default()
        };
        let (energy, area) = (hull(|c| c.energy_pj), hull(|c| c.area_um2));
        found.add(Part::Converters, energy * conversions, area * shared);
        for (part, unit, count) in [
            (Part::SampleHold, &t.sample_hold, read_arrays * cols as f64),
            (Part::ShiftAdd, &t.shift_add, shared),
        ] {
            let energy = conversions * rates.energy(unit.energy_pj, unit.node_nm);
            let area = count * rates.area(unit.area_um2, unit.node_nm);
            found.add(part, Interval::one(energy), Interval::one(area));
        }
    }
}

/// Buffers, buses and routers, and what makes activations of sums.
fn moves(
    rates: &Rates,
    geo: &ConvGeometry,
    [input, output]: [u32; 2],
    (copies, arrays): (usize, usize),
    found: &mut LayerEstimate,
) {
    let (t, pixels) = (&rates.technology, pixels(geo));
    let window = pixels * geo.rows() as f64 * word(input);
    let inputs = window * geo.groups as f64;
    let outputs = pixels * geo.c_out as f64 * word(output);
    for (part, carrier, bits) in [
        (Part::Buffers, &t.buffer, inputs + outputs),
        // Every column tile is given its inputs.
        (Part::Interconnect, &t.bus, window * copies as f64 + outputs),
        (Part::Interconnect, &t.router, outputs),
    ] {
        let energy = bits * rates.energy(carrier.energy_pj_per_bit, carrier.node_nm);
        let area = arrays as f64 * rates.area(carrier.area_um2_per_array, carrier.node_nm);
        found.add(part, Interval::one(energy), Interval::one(area));
    }
    let r = &t.requantize;
    let energy = pixels * geo.c_out as f64 * rates.energy(r.energy_pj, r.node_nm);
    found.add(Part::Digital, Interval::one(energy), Interval::default());
}

/// Time for an image: pixel after pixel, all arrays of the layer at once.
fn latency(rates: &Rates, layer: &OnArrays, converters: &[Vec<Converter>]) -> Interval {
    let OnArrays {
        arrays,
        dac,
        geo,
        settings,
        ..
    } = *layer;
    let widest = arrays.tile_cols.windows(2).map(|t| (t[1] - t[0]) as usize);
    let turns = widest.max().unwrap_or(1).min(settings.chip.adc.sharing) as f64;
    let (pixels, read) = (pixels(geo), rates.read_ns());
    let (reads, rounds) = match dac.analog_sum {
        true => (read * dac.steps() as f64, pixels),
        false => (read, pixels * dac.steps() as f64),
    };
    let time = |c: &Converter| {
        let convert = turns * c.time_ns;
        match (c.drives, rates.settings.overlap) {
            (true, _) => rounds * convert,
            (false, false) => rounds * (reads + convert),
            (false, true) => rounds * reads.max(convert) + reads.min(convert),
        }
    };
    // The slowest slice of every model's range.
    let of_slice = |models: &Vec<Converter>| {
        Interval::around(models.iter().map(|c| Interval::one(time(c)))).unwrap_or_default()
    };
    let slices = converters.iter().map(of_slice);
    slices.fold(Interval::default(), |a, b| Interval {
        low: a.low.max(b.low),
        high: a.high.max(b.high),
    })
}

/// What a layer takes that is executed digitally: its products, its weights once for an image, its maps.
pub fn digital(rates: &Rates, name: &str, layer: &Digital) -> LayerEstimate {
    let Digital {
        geo,
        bits: [weight, input, output],
    } = *layer;
    let t = &rates.technology;
    let mut found = LayerEstimate::new(name, geo.macs());
    let a = &t.arithmetic;
    let product =
        rates.energy(a.multiplier_pj, a.node_nm) * word(weight) * word(input) / ARITHMETIC.powi(2);
    let energy = geo.macs() as f64 * (product + rates.addition(ARITHMETIC as u32));
    found.add(Part::Digital, Interval::one(energy), Interval::default());
    let weights = geo.weights() as f64 * word(weight);
    let energy = weights * rates.energy(t.buffer.energy_pj_per_bit, t.buffer.node_nm);
    found.add(Part::Buffers, Interval::one(energy), Interval::default());
    moves(rates, geo, [input, output], (1, 0), &mut found);
    found
}
