//! Cells at other places.

use std::sync::Arc;

use pimento::chip::cell_form::{self, Key};
use pimento::chip::cells::{self, InputCodes};
use pimento::chip::layer::CellLayer;
use pimento::choice::Choice;
use pimento::config::Chip;
use pimento::config::Variation;
use pimento::config::chip::{ArraySize, Compact, Rearrange, SliceBits, Split, Subtraction};
use pimento::mapping::layout::Layout;
use pimento::network::lower::cells::program_placed;
use pimento::program::*;

use super::case::*;

/// A table of `places` places with sources below `len`, and some without.
fn table(rng: &mut Rng, places: usize, len: usize) -> Arc<[u32]> {
    let source = |_| match rng.pick(0, 4) {
        0 => NO_SOURCE,
        _ => rng.pick(0, len - 1) as u32,
    };
    (0..places).map(source).collect()
}

/// Planes of any size, shared or of each chip.
pub fn planes() -> Vec<Case> {
    let cases = (0..20).map(|seed| {
        let mut rng = Rng(seed);
        let [planes, cols, rows] = [rng.pick(1, 4), rng.pick(1, 20), rng.pick(1, 20)];
        let (len, places) = (cols * rows, rng.pick(1, 500));
        let scope = rng.scope();
        let mut case = Case::new(seed, rng.pick(1, 3), 1);
        let x = case.random(planes * len, scope);
        let y = case.result(planes * places, scope);
        let (table, fill) = (table(&mut rng, places, len), rng.signed());
        case.section(vec![Op::from(PlaceCells {
            x,
            step: None,
            y,
            len,
            rows,
            table: table.clone(),
            fill,
        })]);
        let want = case.each(scope, |chip, _| {
            let x = case.at(x, chip, 0);
            let value = |i: usize| match table[i % places] {
                NO_SOURCE => f64::from(fill),
                source => x[i / places * len + source as usize],
            };
            (0..planes * places).map(value).collect()
        });
        case.want(y, want, 0.0);
        case
    });
    cases.collect()
}

/// Codes by one step, by steps of columns, and without a step.
pub fn codes() -> Vec<Case> {
    let cases = (0..12).map(|seed| {
        let mut rng = Rng(seed);
        let (cols, rows) = (rng.pick(2, 9), rng.pick(1, 30));
        let (len, places) = (cols * rows, rng.pick(1, 300));
        let steps: Vec<f32> = (0..if rng.coin() { cols } else { 1 })
            .map(|_| {
                if rng.pick(0, 5) == 0 {
                    0.0
                } else {
                    0.01 + rng.signed().abs()
                }
            })
            .collect();
        let codes: Vec<f32> = (0..len).map(|_| rng.pick(0, 254) as f32 - 127.0).collect();
        let step = |i: usize| steps[i / rows % steps.len()];
        let weights: Vec<f32> = (0..len).map(|i| codes[i] * step(i)).collect();
        let mut case = Case::new(seed, 1, 0);
        let x = case.given(len, Scope::Shared, weights);
        let d = case.given(steps.len(), Scope::Shared, steps.clone());
        let y = case.result(places, Scope::Shared);
        let table = table(&mut rng, places, len);
        case.section(vec![Op::from(PlaceCells {
            x,
            step: Some(d),
            y,
            len,
            rows,
            table: table.clone(),
            fill: 0.0,
        })]);
        let value = |&source: &u32| match source {
            NO_SOURCE => 0.0,
            source if step(source as usize) == 0.0 => 0.0,
            source => f64::from(codes[source as usize]),
        };
        case.want(y, table.iter().map(value).collect(), 0.0);
        case
    });
    cases.collect()
}

/// A layer of eight columns, in two channel groups or one, with weights of 0 in rows, columns and segments.
fn layer(rng: &mut Rng, size: ArraySize, wires: bool, digital: bool) -> (CellLayer, Vec<i32>) {
    let groups = if rng.coin() { 2 } else { 1 };
    let geo = ConvGeometry {
        groups,
        ..ConvGeometry::linear(groups * 11, 8)
    };
    let (rows, cols) = (geo.rows(), geo.c_out);
    let mut chip = Chip {
        array: size,
        ..Chip::default()
    };
    chip.cells.slice_bits = SliceBits::Each(2);
    chip.cells.on_off_ratio = 8.0;
    chip.cells.subtraction = match digital {
        true => Subtraction::Digital,
        false => Subtraction::Analog,
    };
    if wires {
        chip.wires.row_ohm = 300.0;
        chip.wires.col_ohm = 200.0;
        chip.wires.row_terminal_ohm = 500.0;
    }
    let variation = Variation {
        sigma_w: 0.1,
        ..Variation::default()
    };
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let mut layer = cells::layer(&chip, &variation, &geo, 5, input, 3).unwrap();
    let [empty_row, empty_col] = [rng.pick(0, rows - 1), rng.pick(0, cols - 1)];
    let first = rng.pick(0, rows - 5);
    let code = |i: usize| {
        let (col, row) = (i / rows, i % rows);
        let segment = col % 3 == 0 && (first..first + 5).contains(&row);
        let zero = segment || row == empty_row || col == empty_col;
        let code = rng.pick(0, 30) as i32 - 15;
        if zero { 0 } else { code }
    };
    let codes: Vec<i32> = (0..rows * cols).map(code).collect();
    let layout = Layout::new(&layer.programming.arrays, &chip.array, groups, &codes);
    layer.lay(Some(layout));
    (layer, codes)
}

/// Read planes of a chip by the closed form: the codes are moved, programmed where they are, and what arrays give is
/// moved back.
fn exact(layer: &CellLayer, codes: &[i32], array: &[f64], chip: u32) -> Vec<f64> {
    let a = &layer.programming.arrays;
    let layout = layer.layout.as_ref().unwrap();
    let n = a.plane_len();
    let placed: Vec<i32> = layout
        .cells
        .iter()
        .map(|&cell| match cell {
            NO_SOURCE => 0,
            cell => codes[cell as usize],
        })
        .collect();
    let key = Key {
        seed: 1,
        flags: 0,
        chip,
    };
    let array: Vec<f32> = array.iter().map(|v| *v as f32).collect();
    let mut g = cell_form::program(&placed, &array, &layer.programming, key).g;
    if let Some(wires) = &layer.wires {
        for (i, g) in g.iter_mut().enumerate() {
            if layout.cells[i % n] == NO_SOURCE {
                *g = 0.0;
            }
        }
        g = cell_form::wires(wires, &g);
    }
    let value = |i: usize| match layout.places[i % n] {
        NO_SOURCE => 0.0,
        place => g[i / n * n + place as usize],
    };
    (0..a.read_planes() * n).map(value).collect()
}

/// Layers of every layout are programmed as the closed form says, with wires and without.
pub fn layouts() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, &rearrange) in Rearrange::ALL.iter().enumerate() {
        for (j, &compact) in Compact::ALL.iter().enumerate() {
            for wires in [false, true] {
                let seed = 100 + 2 * (4 * i + j) as u64 + u64::from(wires);
                let mut rng = Rng(seed);
                let size = ArraySize {
                    rows: rng.pick(3, 6),
                    cols: rng.pick(2, 3),
                    split: Split::Filled,
                    rearrange,
                    compact,
                };
                let digital = rng.coin();
                let (layer, codes) = layer(&mut rng, size, wires, digital);
                cases.push(laid_out(&layer, &codes, seed));
            }
        }
    }
    cases
}

fn laid_out(layer: &CellLayer, codes: &[i32], seed: u64) -> Case {
    let a = &layer.programming.arrays;
    let mut case = Case::new(seed, 2, 1);
    let steps: Vec<f32> = (0..a.cols).map(|o| 0.25 + 0.5 * o as f32).collect();
    let weights = codes.iter().enumerate();
    let weights = weights.map(|(i, &q)| q as f32 * steps[i / a.rows]);
    let w = case.shared(&weights.collect::<Vec<_>>());
    let step = case.shared(&steps);
    let array = case.drawn(a.cell_arrays(), Scope::PerChip, |rng| 0.2 * rng.signed());
    let g = case.result(a.read_planes() * a.plane_len(), Scope::PerChip);
    let layout = layer.layout.clone().unwrap();
    let of = (layer, &*layout);
    let ops = program_placed(&mut case.program, "layer", of, (w, step, array), g, None);
    case.section(ops);
    let want = case.each(Scope::PerChip, |chip, _| {
        exact(layer, codes, &case.at(array, chip, 0), chip as u32)
    });
    let n = a.plane_len();
    let units = |i: usize| f64::from(a.level_units(a.slice_of(i / n % a.read_planes())));
    // A deviate of 8 ulp on conductances of at most two, and what an adapter's iteration leaves.
    case.want_within(g, want, |i| 1e-5 * units(i));
    case.apart[0] = 1e-5 * units(0).max(1.0) * 4.0;
    case
}
