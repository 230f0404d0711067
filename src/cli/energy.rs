//! Energy, latency and area of a chip, for people and for programs.

use pimento::choice::Choice;
use pimento::energy::{Interval, LayerEstimate, Part};
use pimento::setup::ChipEstimate;
use serde_json::{Value, json};

use super::inspect::aligned;

/// Units of an energy with what one of them has of a pJ.
const ENERGY: [(&str, f64); 4] = [("pJ", 1.0), ("nJ", 1e3), ("uJ", 1e6), ("mJ", 1e9)];
/// Units of a time, of a ns.
const TIME: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
/// Units of an area, of a um^2.
const AREA: [(&str, f64); 2] = [("um2", 1.0), ("mm2", 1e6)];
/// Numbers that are none.
const PLAIN: [(&str, f64); 1] = [("", 1.0)];

/// An interval in the largest unit of which its upper end has at least one.
fn shown(interval: Interval, units: &[(&str, f64)]) -> String {
    let fits = |unit: &&(&str, f64)| interval.high >= unit.1;
    let (name, size) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    let (low, high) = (digits(interval.low / size), digits(interval.high / size));
    let numbers = match low == high {
        true => high,
        false => format!("{low} to {high}"),
    };
    format!("{numbers} {name}").trim_end().to_string()
}

/// Three digits.
fn digits(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    let places = 2 - x.abs().log10().floor() as i32;
    format!("{x:.*}", places.clamp(0, 9) as usize)
}

/// Tables of energy by layer and part, of time and area by layer, and the figures of the whole chip.
pub fn text(chip: &ChipEstimate) -> String {
    let mut text = format!(
        "\nenergy for an image ({}, at {} nm)\n",
        chip.technology, chip.node_nm
    );
    let parts: Vec<Part> = Part::ALL
        .iter()
        .copied()
        .filter(|p| *p != Part::Tuning)
        .collect();
    let mut lines = vec![title(&parts, "total")];
    lines.extend(chip.layers.iter().map(|layer| energy_line(layer, &parts)));
    let mut total = vec!["total".to_string()];
    total.extend(
        parts
            .iter()
            .map(|part| shown(chip.energy_pj_of(*part), &ENERGY)),
    );
    let tuning = chip.tuning_pj;
    total.push(shown(chip.energy_pj(), &ENERGY));
    lines.push(total);
    text += &aligned(&lines, 1, lines[0].len());
    if tuning.high > 0.0 {
        text += &format!("the total includes tuning: {}\n", shown(tuning, &ENERGY));
    }
    if chip.tuning_once_pj.high > 0.0 {
        let once = shown(chip.tuning_once_pj, &ENERGY);
        text += &format!("tuning once for a chip: {once}\n");
    }
    text += "\ntime for an image and area\n";
    let head = [
        "layer",
        "time",
        "area",
        "TOPS",
        "TOPS/W",
        "converter models",
    ];
    let mut lines = vec![head.map(String::from).to_vec()];
    lines.extend(chip.layers.iter().map(time_line));
    lines.push(vec![
        "total".into(),
        shown(chip.latency_ns(), &TIME),
        shown(chip.area_um2(), &AREA),
        shown(chip.tops(chip.latency_ns()), &PLAIN),
        shown(chip.tops_per_w(), &PLAIN),
        String::new(),
    ]);
    text += &aligned(&lines, 1, head.len() - 1);
    text += &format!(
        "layers at work on images of their own: an image every {}, {} TOPS\n",
        shown(chip.interval_ns(), &TIME),
        shown(chip.tops(chip.interval_ns()), &PLAIN),
    );
    text + &remarks(chip)
}

/// What the numbers cannot tell.
fn remarks(chip: &ChipEstimate) -> String {
    let mut text = "a multiply-accumulate counts as two operations\n".to_string();
    let is_open = |layer: &LayerEstimate| {
        let arrays = layer.part(Part::Arrays).energy_pj;
        arrays.low < arrays.high
    };
    if chip.layers.iter().any(is_open) {
        text += "arrays: between what their codes and drives can be; energy.activity and energy.mean_cell_us narrow it, \
                 and a sweep measures it\n";
    }
    let single = |layer: &LayerEstimate| layer.converters.len() == 1;
    if chip.layers.iter().any(single) {
        text += "converters: one model alone knows those of some layers, which makes an interval narrower but no surer\n";
    }
    if chip.layers.iter().any(|layer| layer.latency_ns.is_none()) {
        text += "time of digital layers: not told, nor in the totals of time and TOPS\n";
    }
    text
}

fn title(parts: &[Part], last: &str) -> Vec<String> {
    let parts = parts.iter().map(|part| part.as_str().to_string());
    let all = std::iter::once("layer".to_string()).chain(parts);
    all.chain([last.to_string()]).collect()
}

fn energy_line(layer: &LayerEstimate, parts: &[Part]) -> Vec<String> {
    let mut line = vec![layer.name.clone()];
    let energies = parts.iter().map(|part| layer.part(*part).energy_pj);
    line.extend(energies.map(|energy| shown(energy, &ENERGY)));
    line.push(shown(layer.energy_pj(), &ENERGY));
    line
}

fn time_line(layer: &LayerEstimate) -> Vec<String> {
    let operations = 2.0 * layer.macs as f64;
    let time = layer.latency_ns;
    vec![
        layer.name.clone(),
        time.map_or("-".into(), |t| shown(t, &TIME)),
        shown(layer.area_um2(), &AREA),
        time.map_or("-".into(), |t| shown(t.under(1e-3 * operations), &PLAIN)),
        shown(layer.energy_pj().under(operations), &PLAIN),
        match layer.converters.is_empty() {
            true => "digital".into(),
            false => layer.converters.join(", "),
        },
    ]
}

/// For `--json`.
pub fn json(chip: &ChipEstimate) -> Value {
    let layers = chip.layers.iter().map(|layer| {
        json!({
            "name": layer.name,
            "macs": layer.macs,
            "parts": layer.parts,
            "energy_pj": layer.energy_pj(),
            "area_um2": layer.area_um2(),
            "latency_ns": layer.latency_ns,
            "converter_models": layer.converters,
        })
    });
    let layers: Vec<Value> = layers.collect();
    json!({
        "technology": chip.technology,
        "node_nm": chip.node_nm,
        "layers": layers,
        "total": {
            "energy_pj": chip.energy_pj(),
            "tuning_pj": chip.tuning_pj,
            "tuning_once_pj": chip.tuning_once_pj,
            "area_um2": chip.area_um2(),
            "latency_ns": chip.latency_ns(),
            "interval_ns": chip.interval_ns(),
            "operations": chip.operations(),
            "tops": chip.tops(chip.latency_ns()),
            "tops_per_w": chip.tops_per_w(),
        },
    })
}
