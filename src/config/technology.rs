//! Technology files: the constants of energy, latency and area, each with where it comes from.
//!
//! A file has a section for every part of a chip and every model of converters. The program brings the files of
//! `assets/technology`; [`TECHNOLOGIES`] lists them. All others, and those of users, begin with the first one and
//! replace sections or single numbers. A section that sets a number says its `origin` and `class` itself, so that no
//! number stands under the source of another.

use toml::de::DeTable;

use super::reader::{Reader, Section};
use super::reference;
use super::rule::{Any, List, Text};
use super::section::{Declared, Entry, Table, section};
use crate::choice::choices;
use crate::error::{Code, Error, Mistake, Result};
use std::ops::RangeInclusive;

choices! {
    /// What a constant is.
    pub enum Class {
        /// Measured on silicon.
        Measured = "measured",
        /// A regression over many measured designs.
        Regression = "regression",
        /// A design or synthesis estimate, or an assumption.
        Rule = "rule",
    }
}

choices! {
    /// A model of converters.
    pub enum ConverterLaw {
        /// A regression over a survey of published converters, by bits, conversion rate and node; from 4 bits on.
        Survey = "survey",
        /// Capacitors that are charged: linear in the bits, and a part with `4^bits`.
        Charge = "charge",
        /// Values for single resolutions.
        Table = "table",
        /// A neuron that integrates the charge of all input steps, then compares bit by bit.
        Integrating = "integrating",
    }
}

section! {
    /// Model "survey", with `b` bits, `f` conversions per second of a converter, `N` the node in nm:
    /// `E = exp(ln_energy + ln_energy_node ln N + ln_energy_bits ln b + ln_energy_best) / (2 10^((FOM - SNDR)/10))` pJ,
    /// `FOM = min(rate_db + rate_db_slope ln f, bits_db + bits_db_slope ceil(b))`,
    /// `SNDR = 20 b log10 2 + 10 log10 1.5` dB, and
    /// `A = exp(ln_area + ln_area_node ln N + ln_area_rate ln f + ln_area_energy ln E)` um^2.
    pub struct Survey {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Figure of merit at 1 conversion per second.
        rate_db: f64 = 0.0, ANY, "dB";
        /// Its slope over the logarithm of the rate.
        rate_db_slope: f64 = 0.0, ANY, "dB";
        /// Largest figure of merit of 0 bits.
        bits_db: f64 = 0.0, ANY, "dB";
        /// Its slope over bits.
        bits_db_slope: f64 = 0.0, ANY, "dB";
        /// Constant of the energy.
        ln_energy: f64 = 0.0, ANY;
        /// Exponent of the node in the energy.
        ln_energy_node: f64 = 0.0, ANY;
        /// Exponent of the bits in the energy.
        ln_energy_bits: f64 = 0.0, ANY;
        /// Step from the mean of the survey to its better designs.
        ln_energy_best: f64 = 0.0, ANY;
        /// Constant of the area.
        ln_area: f64 = 0.0, ANY;
        /// Exponent of the node in the area.
        ln_area_node: f64 = 0.0, ANY;
        /// Exponent of the rate in the area.
        ln_area_rate: f64 = 0.0, ANY;
        /// Exponent of the energy in the area.
        ln_area_energy: f64 = 0.0, ANY;
    }
}

section! {
    /// Model "charge", with `b` bits and columns of `R` rows: `E = (linear_ff b + exponential_af 4^b) vdd_v^2`,
    /// `A = 2^b 10^(log10_area + log10_area_bits b)` um^2, `T = b (time_ns + time_ns_per_row R)`.
    pub struct Charge {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Supply voltage.
        vdd_v: f64 = 0.0, VOLT, "V";
        /// Capacitance for every bit.
        linear_ff: f64 = 0.0, POSITIVE, "fF";
        /// Capacitance times `4^b`.
        exponential_af: f64 = 0.0, POSITIVE, "aF";
        /// Decimal logarithm of the area of 0 bits.
        log10_area: f64 = 0.0, ANY;
        /// Its slope over bits, beside the doubling.
        log10_area_bits: f64 = 0.0, ANY;
        /// Time for every bit.
        time_ns: f64 = 0.0, POSITIVE, "ns";
        /// Further time for every bit and row.
        time_ns_per_row: f64 = 0.0, POSITIVE, "ns";
    }
}

section! {
    /// Model "table": a converter for every number of bits that is listed.
    pub struct ConverterTable {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Resolutions.
        bits: Vec<u32> = Vec::new(), List { each: 1..=14, length: 0..=14 }, "bits";
        /// Energy of a conversion at each.
        energy_pj: Vec<f64> = Vec::new(), List { each: POSITIVE, length: 0..=14 }, "pJ";
        /// Area of a converter at each.
        area_um2: Vec<f64> = Vec::new(), List { each: POSITIVE, length: 0..=14 }, "um^2";
        /// Time of a conversion at each.
        time_ns: Vec<f64> = Vec::new(), List { each: POSITIVE, length: 0..=14 }, "ns";
    }
}

section! {
    /// Model "integrating": one-bit input steps with analog accumulation. `m` steps are cut into phases: one for up to
    /// `phase_steps`, else two halves, the larger first. A phase of `p` steps takes `2^p - 1` integrations, `S` together, and a phase compares
    /// the `B` output bits less the steps done before, `K` together:
    /// `E = sample_pj m + integrate_pj S + (compare_pj + shift_pj) K`,
    /// `T = integrate_us S + compare_us K + phase_us phases`, which includes driving the rows.
    pub struct Integrating {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Energy of sampling a step.
        sample_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Energy of an integration.
        integrate_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Energy of a comparison.
        compare_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Energy of shifting and adding after a comparison.
        shift_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Area of a neuron.
        area_um2: f64 = 0.0, POSITIVE, "um^2";
        /// Time of an integration.
        integrate_us: f64 = 0.0, POSITIVE, "us";
        /// Time of a comparison.
        compare_us: f64 = 0.0, POSITIVE, "us";
        /// Further time of a phase.
        phase_us: f64 = 0.0, POSITIVE, "us";
        /// Most steps of a single phase.
        phase_steps: u32 = 1, 1..=8;
    }
}

section! {
    /// A cell.
    pub struct CellTechnology {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Area in squares of the node.
        area_f2: f64 = 0.0, POSITIVE, "F^2";
    }
}

section! {
    /// The driver of a row, and the line behind it. A step of `b` bits takes
    /// `energy_pj growth^(b - 1) + (line_ff_per_cell columns + line_ff) line_v^2`, whatever the digit is.
    pub struct Driver {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Energy of a step of one bit.
        energy_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Factor for every further bit, of the energy and of the area.
        growth: f64 = 1.0, 1.0..=16.0;
        /// Area of a driver of one bit.
        area_um2: f64 = 0.0, POSITIVE, "um^2";
        /// Capacitance of the line at a cell.
        line_ff_per_cell: f64 = 0.0, POSITIVE, "fF";
        /// Capacitance of the line that does not depend on its length.
        line_ff: f64 = 0.0, POSITIVE, "fF";
        /// Swing of the line.
        line_v: f64 = 0.0, VOLT, "V";
    }
}

section! {
    /// A part with one energy for each use and one area.
    pub struct Unit {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Energy of a use.
        energy_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Area.
        area_um2: f64 = 0.0, POSITIVE, "um^2";
    }
}

section! {
    /// A part that carries or keeps bits.
    pub struct Carrier {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Energy of a bit.
        energy_pj_per_bit: f64 = 0.0, POSITIVE, "pJ";
        /// Area for every array.
        area_um2_per_array: f64 = 0.0, POSITIVE, "um^2";
    }
}

section! {
    /// Digital arithmetic with words of 32 bits; an adder's energy goes with its bits, a multiplier's with the product of both.
    pub struct Arithmetic {
        /// What the numbers are.
        class: Class = Class::Rule;
        /// Where they come from.
        origin: String = String::new(), Text;
        /// Node that they hold at.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Energy of an addition.
        adder_pj: f64 = 0.0, POSITIVE, "pJ";
        /// Energy of a multiplication.
        multiplier_pj: f64 = 0.0, POSITIVE, "pJ";
    }
}

section! {
    /// A technology file.
    pub struct Technology {
        /// What it describes.
        title: String = String::new(), Text;
        /// Node of the chip, where the experiment says none.
        node_nm: f64 = 0.0, NODE, "nm";
        /// Models of converters; several give an interval.
        converters: Vec<ConverterLaw> = Vec::new(), List { each: Any, length: 1..=4 };
        /// Model of a survey.
        survey: Survey => Sourced;
        /// Model of charged capacitors.
        charge: Charge => Sourced;
        /// Model of single resolutions.
        table: ConverterTable => Sourced;
        /// Model of integrating neurons.
        integrating: Integrating => Sourced;
        /// A cell.
        cell: CellTechnology => Sourced;
        /// A driver of a row.
        driver: Driver => Sourced;
        /// Sample and hold of a column, used once a conversion.
        sample_hold: Unit => Sourced;
        /// Shift and add of a converter, used once a conversion.
        shift_add: Unit => Sourced;
        /// Buffer of inputs and outputs.
        buffer: Carrier => Sourced;
        /// Bus between buffer and arrays.
        bus: Carrier => Sourced;
        /// Router between layers.
        router: Carrier => Sourced;
        /// From a sum to the code of an activation.
        requantize: Unit => Sourced;
        /// Additions and multiplications.
        arithmetic: Arithmetic => Sourced;
    }
}

/// A section whose numbers share a source.
struct Sourced;

impl<T: Declared> Entry<T> for Sourced {
    fn take(&self, s: &mut Section, key: &'static str, default: T) -> T {
        let inner = s.glance(key);
        for needed in ["class", "origin"] {
            if inner.is_present() && !inner.has(needed) {
                s.refuse(
                    key,
                    Mistake::new(Code::NotAllowed, format!("no `{needed}`"))
                        .allowed("`class` and `origin` in every section that sets a number"),
                );
            }
        }
        Table.take(s, key, default)
    }

    fn write<M: serde::ser::SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &T,
    ) -> std::result::Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, field: reference::Field, default: &T, book: &mut Vec<reference::Table>) {
        Table.describe(field, default, book);
    }
}

/// A technology that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct KnownTechnology {
    /// Name, for `energy.technology`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! technologies {
    ($($name:literal)*) => {
        /// The technologies that come with the program; the first one is where all others begin.
        pub const TECHNOLOGIES: &[KnownTechnology] = &[
            $(KnownTechnology {
                name: $name,
                text: include_str!(concat!("../../assets/technology/", $name, ".toml")),
            },)*
        ];
    };
}

technologies! { "reference-32nm" "isaac-32nm" "neurram-130nm" }

impl Technology {
    /// The technology of a name.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn find(name: &str) -> Result<Self> {
        let known = TECHNOLOGIES.iter().find(|known| known.name == name);
        let Some(known) = known else {
            return Err(Error::input(format!(
                "no technology {name:?}; allowed: {}",
                names().join(", ")
            )));
        };
        Self::parse(known.text, known.name)
    }

    /// Reads a technology file that is called `source` in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let first = TECHNOLOGIES[0];
        let base = read(first.text, first.name, Self::default())?;
        match source == first.name {
            true => Ok(base),
            false => read(text, source, base),
        }
    }
}

/// Names of the technologies that come with the program.
pub(super) fn names() -> Vec<&'static str> {
    TECHNOLOGIES.iter().map(|known| known.name).collect()
}

fn read(text: &str, source: &str, base: Technology) -> Result<Technology> {
    let reader = Reader::new(text, Some(source));
    let document = DeTable::parse(text)
        .map_err(|e| Error::input(format!("{source}: {}", e.to_string().trim_end())))?;
    let mut root = reader.root(document.get_ref());
    let found = Technology::take(&mut root, base);
    let table = &found.table;
    let n = table.bits.len();
    if [&table.energy_pj, &table.area_um2, &table.time_ns]
        .iter()
        .any(|list| list.len() != n)
    {
        root.refuse(
            "table",
            Mistake::new(Code::Contradiction, "lists of different lengths")
                .allowed("`bits`, `energy_pj`, `area_um2` and `time_ns` of one length"),
        );
    }
    root.finish();
    match reader.mistakes() {
        mistakes if mistakes.is_empty() => Ok(found),
        mistakes => Err(Error::Input(mistakes)),
    }
}

/// Nodes that scaling knows, with room at both ends.
const NODE: RangeInclusive<f64> = 1.0..=1000.0;
/// Any number.
const ANY: RangeInclusive<f64> = -1e6..=1e6;
/// An energy, an area, a time, a capacitance.
const POSITIVE: RangeInclusive<f64> = 0.0..=1e12;
/// A voltage.
const VOLT: RangeInclusive<f64> = 0.0..=1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technology_is_read_and_the_first_one_says_every_source() {
        for known in TECHNOLOGIES {
            let found = Technology::find(known.name).unwrap_or_else(|e| panic!("{e}"));
            assert!(
                !found.title.is_empty() && found.node_nm > 0.0,
                "{}",
                known.name
            );
            let all = toml::Table::try_from(&found).unwrap();
            for (name, section) in all.iter().filter(|(_, value)| value.is_table()) {
                let origin = section["origin"].as_str().unwrap();
                assert!(!origin.is_empty(), "{} {name}", known.name);
            }
        }
    }

    #[test]
    fn a_file_replaces_what_it_names_and_says_where_it_comes_from() {
        let own = "title = \"mine\"\n[shift_add]\nclass = \"measured\"\norigin = \"my chip\"\nenergy_pj = 0.5\n";
        let found = Technology::parse(own, "own.toml").unwrap();
        let reference = Technology::find("reference-32nm").unwrap();
        assert_eq!(found.shift_add.energy_pj, 0.5);
        assert_eq!(found.shift_add.area_um2, reference.shift_add.area_um2);
        assert_eq!(found.driver, reference.driver);

        let silent = Technology::parse("[shift_add]\nenergy_pj = 0.5\n", "own.toml").unwrap_err();
        let text = silent.to_string();
        assert!(
            text.contains("own.toml:1") && text.contains("`origin`"),
            "{text}"
        );
        let unknown = Technology::parse("[shift_ad]\n", "own.toml")
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("shift_add"), "{unknown}");
        let ragged = "[table]\nclass = \"rule\"\norigin = \"x\"\nbits = [3]\n";
        let ragged = Technology::parse(ragged, "own.toml")
            .unwrap_err()
            .to_string();
        assert!(ragged.contains("one length"), "{ragged}");
    }
}
