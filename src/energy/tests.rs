//! Published values of converters and parts, a measured chip, and directions that must hold.

use proptest::prelude::*;

use super::converter::{Use, by};
use super::*;
use crate::choice::Choice;
use crate::config::chip::{Accumulate, AdcBits, Chip, Dac as DacSettings};
use crate::config::technology::{ConverterLaw, Technology};
use crate::config::{Energy, Experiment, LayerSettings};
use crate::mapping;
use crate::program::{ConvGeometry, Dac, InputSigns};

/// Relative error of a published value of four digits.
const PUBLISHED: f64 = 1e-3;

fn close(found: f64, wanted: f64, what: &str) {
    assert!(
        (found / wanted - 1.0).abs() < PUBLISHED,
        "{what}: {found}, not {wanted}"
    );
}

fn of(bits: u32, rate: f64) -> Use {
    Use {
        bits,
        rows: 128,
        rate,
        integrated: None,
    }
}

/// Node in nm and conversions a second; energy in pJ and area in um^2 for 4, 5, 6, 7, 8 and 10 bits.
type Published = (f64, f64, [(f64, f64); 6]);

const SURVEY: [Published; 5] = [
    (
        32.0,
        1e7,
        [
            (0.9237, 2160.0),
            (0.9363, 2168.0),
            (1.065, 2254.0),
            (1.312, 2399.0),
            (1.714, 2598.0),
            (3.310, 3163.0),
        ],
    ),
    (
        32.0,
        1e8,
        [
            (0.9237, 3274.0),
            (0.9363, 3287.0),
            (1.065, 3417.0),
            (1.312, 3637.0),
            (1.714, 3939.0),
            (3.310, 4796.0),
        ],
    ),
    (
        32.0,
        1.2e9,
        [
            (0.9237, 5130.0),
            (0.9363, 5151.0),
            (1.065, 5353.0),
            (1.312, 5698.0),
            (1.849, 6313.0),
            (15.73, 11980.0),
        ],
    ),
    (
        65.0,
        1e8,
        [
            (3.501, 9860.0),
            (3.548, 9900.0),
            (4.036, 10290.0),
            (4.973, 10950.0),
            (6.494, 11860.0),
            (12.54, 14440.0),
        ],
    ),
    (
        28.0,
        1e8,
        [
            (0.7187, 2660.0),
            (0.7284, 2671.0),
            (0.8286, 2776.0),
            (1.021, 2954.0),
            (1.333, 3200.0),
            (2.575, 3896.0),
        ],
    ),
];

#[test]
fn the_survey_has_the_values_of_its_released_constants() {
    let technology = Technology::find("reference-32nm").unwrap();
    for (node, rate, values) in SURVEY {
        for (bits, (energy, area)) in [4, 5, 6, 7, 8, 10].into_iter().zip(values) {
            let found = by(ConverterLaw::Survey, &technology, node, &of(bits, rate)).unwrap();
            let what = format!("{bits} bits at {node} nm, {rate}/s");
            close(found.energy_pj, energy, &what);
            close(found.area_um2, area, &what);
        }
    }
    for bits in 1..4 {
        assert_eq!(
            by(ConverterLaw::Survey, &technology, 32.0, &of(bits, 1e8)),
            None
        );
    }
}

#[test]
fn charged_capacitors_have_the_values_of_the_source() {
    let technology = Technology::find("reference-32nm").unwrap();
    let energies = [
        (3, 0.2431),
        (4, 0.3242),
        (5, 0.4058),
        (6, 0.4893),
        (7, 0.5803),
        (8, 0.7011),
        (10, 1.659),
        (12, 14.56),
    ];
    for (bits, energy) in energies {
        let found = by(ConverterLaw::Charge, &technology, 28.0, &of(bits, 1e8)).unwrap();
        close(found.energy_pj, energy, &format!("{bits} bits"));
        let time = f64::from(bits) * (0.00653 * 128.0 + 0.640);
        close(found.time_ns, time, "time");
    }
    for (bits, area) in [(4, 183.0), (5, 336.0), (6, 618.0), (7, 1135.0), (8, 2085.0)] {
        let found = by(ConverterLaw::Charge, &technology, 28.0, &of(bits, 1e8)).unwrap();
        // Three digits are published.
        assert!(
            (found.area_um2 / area - 1.0).abs() < 2.0 * PUBLISHED,
            "{bits}: {}",
            found.area_um2
        );
    }
}

/// A layer that fills one array.
struct Layer {
    settings: LayerSettings,
    geo: ConvGeometry,
    dac: Dac,
    weight_bits: u32,
}

impl Layer {
    fn new(chip: Chip, rows: usize, cols: usize, dac: Dac, weight_bits: u32) -> Self {
        let mut settings = Experiment::default().of_layer("layer").unwrap();
        settings.chip = chip;
        Self {
            settings,
            geo: ConvGeometry::linear(rows, cols),
            dac,
            weight_bits,
        }
    }

    fn estimate(&self, rates: &Rates) -> crate::Result<LayerEstimate> {
        let chip = &self.settings.chip;
        let arrays = mapping::arrays(&self.geo, &chip.array, &chip.cells, self.weight_bits)?;
        let layer = OnArrays {
            arrays: &arrays,
            dac: &self.dac,
            geo: &self.geo,
            settings: &self.settings,
            bits: [self.dac.input_bits, 8],
        };
        on_arrays(rates, &layer)
    }
}

fn dac(input_bits: u32, dac_bits: u32, analog_sum: bool) -> Dac {
    Dac {
        input_bits,
        dac_bits,
        signs: None,
        table: None,
        analog_sum,
    }
}

fn rates(technology: &str) -> Rates {
    let settings = Energy {
        technology: technology_name(technology),
        ..Energy::default()
    };
    Rates::new(&settings).unwrap()
}

fn technology_name(name: &str) -> &'static str {
    let mut known = crate::config::technology::TECHNOLOGIES.iter();
    known.find(|known| known.name == name).unwrap().name
}

/// Eight arrays of 128 x 128 with a converter of 8 bits each, 128 columns a converter: the powers and areas of ISAAC's
/// multiply-accumulate unit (Shafiee et al., ISCA 2016, table I), while every column is converted once in 128/1.2 GHz.
#[test]
fn isaacs_parts_add_up_to_its_power_and_area() {
    let mut chip = Chip::default();
    chip.adc.sharing = 128;
    chip.adc.bits = AdcBits::Same(8);
    chip.cells.encoding = crate::config::chip::CellEncoding::Offset;
    // 16-bit weights do not exist here: eight slices of a weight of 8 bits are the eight arrays.
    chip.cells.slice_bits = crate::config::chip::SliceBits::Each(1);
    let layer = Layer::new(chip, 128, 128, dac(1, 1, false), 8);
    let found = layer.estimate(&rates("isaac-32nm")).unwrap();
    let cycle_ns = 128.0 / 1.2;
    let power_mw = |part: Part| found.part(part).energy_pj.high / cycle_ns;
    let area_mm2 = |part: Part| 1e-6 * found.part(part).area_um2.high;
    // Power in mW and area in mm^2 as printed, with the rounding of their last digit.
    for (part, power, area) in [
        (Part::Converters, 16.0, 0.0096),
        (Part::Drivers, 4.0, 0.00017),
        (Part::SampleHold, 0.01, 0.00004),
    ] {
        assert!(
            (power_mw(part) / power - 1.0).abs() < 0.01,
            "{part:?}: {}",
            power_mw(part)
        );
        assert!(
            (area_mm2(part) - area).abs() <= 5e-6,
            "{part:?}: {}",
            area_mm2(part)
        );
    }
    assert!(
        (power_mw(Part::ShiftAdd) / 0.2 - 1.0).abs() < 0.02,
        "{}",
        power_mw(Part::ShiftAdd)
    );
    let time = found.latency_ns.unwrap();
    assert!((time.high - (10.0 + cycle_ns)).abs() < 1e-9, "{time:?}");
}

/// Output bits, input bits, steps of a phase, TOPS and TOPS/W of 48 cores: W. Wan et al., Nature 608, 504 (2022), Extended
/// Data Fig. 12 as digitised by CiMLoop; an operation is half a multiply-accumulate. The last two are of a single phase.
const NEURRAM: [(u32, u32, u32, f64, f64); 10] = [
    (3, 1, 3, 2.122, 43.08),
    (4, 2, 3, 1.793, 40.33),
    (5, 3, 3, 1.165, 23.09),
    (6, 4, 3, 0.7439, 15.95),
    (7, 5, 3, 0.5254, 11.03),
    (8, 6, 3, 0.4177, 8.257),
    (9, 7, 3, 0.3439, 7.750),
    (10, 8, 3, 0.2639, 6.437),
    (7, 5, 8, 0.4516, 11.33),
    (8, 6, 8, 0.2608, 9.122),
];

#[test]
fn a_measured_chip_within_twelve_percent() {
    for (output, input, phase, tops, tops_per_w) in NEURRAM {
        let mut chip = Chip::default();
        (chip.array.rows, chip.array.cols) = (128, 256);
        chip.cells.g_max_us = 4.0;
        chip.cells.on_off_ratio = 4.0;
        chip.adc.bits = AdcBits::Same(output);
        chip.dac = DacSettings {
            accumulate: Accumulate::Analog,
            ..DacSettings::default()
        };
        let steps = Dac {
            signs: Some(InputSigns::SignMagnitude),
            ..dac((input - 1).max(1), 1, true)
        };
        let layer = Layer::new(chip, 128, 256, steps, 8);
        let settings = Energy {
            technology: technology_name("neurram-130nm"),
            read_v: 0.5,
            pulse_ns: 10.0,
            activity: Some(1.0),
            mean_cell_us: Some(1.56),
            ..Energy::default()
        };
        let mut rates = Rates::new(&settings).unwrap();
        rates.technology.integrating.phase_steps = phase;
        let found = layer.estimate(&rates).unwrap();
        let operations = 2.0 * found.macs as f64;
        let time = found.latency_ns.unwrap();
        let of_cores = 48.0 * 1e-3 * operations / time.high;
        let what = format!("{output} output bits, {input} input bits");
        assert!(
            (of_cores / tops - 1.0).abs() < 0.12,
            "{what}: {of_cores} TOPS, not {tops}"
        );
        let efficiency = operations / found.energy_pj().high;
        assert!(
            (efficiency / tops_per_w - 1.0).abs() < 0.12,
            "{what}: {efficiency} TOPS/W, not {tops_per_w}"
        );
    }
}

/// Energy of the arrays by a loop over cells: all at the highest conductance of their digit, all rows driven.
#[test]
fn arrays_lie_between_the_means_of_their_codes() {
    let mut chip = Chip::default();
    chip.cells.on_off_ratio = 10.0;
    chip.cells.g_max_us = 50.0;
    let layer = Layer::new(chip, 100, 30, dac(4, 1, false), 5);
    let found = layer.estimate(&rates("reference-32nm")).unwrap();
    let arrays = found.part(Part::Arrays).energy_pj;
    assert_eq!(arrays.low, 0.0);
    let mut joule = 0.0;
    for _cell in 0..100 * 30 {
        for conductance in [50e-6, 5e-6] {
            for _step in 0..4 {
                joule += 10e-9 * 0.2f64.powi(2) * conductance;
            }
        }
    }
    close(arrays.high, 1e12 * joule, "all cells at a level of a pair");
}

#[test]
fn converters_that_no_model_knows_are_refused() {
    let mut chip = Chip::default();
    chip.adc.bits = AdcBits::Same(3);
    let layer = Layer::new(chip, 64, 64, dac(4, 1, false), 8);
    let error = layer
        .estimate(&rates("isaac-32nm"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("of 3 bits") && error.contains("\"charge\""),
        "{error}"
    );
    // One of two models knows it, and says so.
    let found = layer.estimate(&rates("reference-32nm")).unwrap();
    assert_eq!(found.converters, ["charge"]);
    assert_eq!(
        found.part(Part::Converters).energy_pj.low,
        found.part(Part::Converters).energy_pj.high
    );
}

/// A chip of a converter and arrays.
fn chip(bits: u32, rows: usize, sharing: usize) -> Chip {
    let mut chip = Chip::default();
    (chip.array.rows, chip.array.cols) = (rows, 64);
    chip.adc.bits = AdcBits::Same(bits);
    chip.adc.sharing = sharing;
    chip
}

/// Whether neither end of an interval is lower.
fn at_least(more: Interval, less: Interval) -> bool {
    let slack = 1.0 - 1e-12;
    more.low >= slack * less.low && more.high >= slack * less.high
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_bits_take_more(bits in 4u32..10, node in 10.0f64..130.0, sharing in 1usize..65) {
        let mut rates = rates("reference-32nm");
        rates.node_nm = node;
        let at = |bits| Layer::new(chip(bits, 64, sharing), 100, 50, dac(4, 1, false), 5).estimate(&rates).unwrap();
        let (less, more) = (at(bits), at(bits + 1));
        prop_assert!(at_least(more.energy_pj(), less.energy_pj()));
        prop_assert!(at_least(more.area_um2(), less.area_um2()));
        prop_assert!(at_least(more.latency_ns.unwrap(), less.latency_ns.unwrap()));
    }

    #[test]
    fn more_steps_and_rows_take_more(steps in 1u32..7, rows in 8usize..300, bits in 4u32..11) {
        let rates = rates("reference-32nm");
        let at = |steps, rows| {
            let layer = Layer::new(chip(bits, 64, 8), rows, 50, dac(steps, 1, false), 5);
            layer.estimate(&rates).unwrap()
        };
        let base = at(steps, rows);
        for more in [at(steps + 1, rows), at(steps, rows + 1)] {
            for part in Part::ALL {
                prop_assert!(at_least(more.part(*part).energy_pj, base.part(*part).energy_pj), "{part:?}");
            }
            prop_assert!(at_least(more.area_um2(), base.area_um2()));
            prop_assert!(at_least(more.latency_ns.unwrap(), base.latency_ns.unwrap()));
        }
    }

    #[test]
    fn shared_converters_take_less_area_and_more_time(sharing in 1usize..33, bits in 4u32..11) {
        let rates = rates("reference-32nm");
        let at = |sharing| {
            let layer = Layer::new(chip(bits, 64, sharing), 64, 64, dac(4, 1, false), 5);
            layer.estimate(&rates).unwrap()
        };
        let (own, shared) = (at(sharing), at(2 * sharing));
        prop_assert!(at_least(own.area_um2(), shared.area_um2()));
        prop_assert!(at_least(shared.latency_ns.unwrap(), own.latency_ns.unwrap()));
        let energy = |e: &LayerEstimate| e.part(Part::Converters).energy_pj;
        prop_assert_eq!(energy(&own), energy(&shared));
    }
}
