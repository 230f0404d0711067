//! From counts to rows.

use super::Found;
use super::accuracy::possible;
use super::counts::{Counts, bits};
use super::currents::{Factors, Tally};
use super::digits::{Compaction, lines, non_zero, polarity};
use super::layers::{Layer, read_names};
use super::report::{ArrayRow, CellRow, LayerRow, Looked, ReadRow, Report, SliceRow, Totals};
use crate::chip::ranges;
use crate::setup::Point;

/// The rows of what was found; what is not known here is left blank.
pub(super) fn report(point: &Point, layers: &[Layer], found: &[Found], chips: usize) -> Report {
    let rows: Vec<LayerRow> = layers.iter().zip(found).map(|(l, f)| layer(l, f)).collect();
    let digital = point.layers.iter().filter(|own| own.digital);
    let experiment = point.experiment();
    let nothing = Looked { images: 0, of: 0 };
    Report {
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        experiment: experiment.name.clone(),
        title: experiment.title.clone(),
        point: point.config.label(),
        source: String::new(),
        seed: experiment.seed,
        sums: nothing.clone(),
        chips,
        currents: nothing,
        slices: slices(&rows),
        digital_layers: digital.map(|own| own.name.clone()).collect(),
        total: totals(&rows, found, chips),
        layers: rows,
        accuracy: None,
        adapter: String::new(),
        command: String::new(),
        config_toml: String::new(),
    }
}

fn layer(layer: &Layer, found: &Found) -> LayerRow {
    let arrays = layer.arrays();
    let whole = Compaction::new(arrays, &layer.size, layer.geo.groups, &layer.weights());
    let digits = layer.digits();
    let planes: Vec<&[f32]> = digits.chunks_exact(arrays.plane_len()).collect();
    let of_chip = |tallies: &Vec<Tally>| {
        let mut sum = Tally::default();
        tallies.iter().for_each(|t| sum.merge(t));
        sum
    };
    let of_layer: Vec<Tally> = found.currents.iter().map(of_chip).collect();
    let factors = Factors::over(of_layer.iter());
    LayerRow {
        index: layer.index,
        rows: arrays.rows,
        columns: arrays.cols,
        weights: layer.codes.len() as u64,
        non_zero_weights: layer.codes.iter().filter(|q| **q != 0).count() as u64,
        planes: arrays.cell_planes(),
        tiles: whole.tiles,
        zero_tiles: whole.zero,
        tiles_by_columns: whole.by_columns,
        tiles_by_rows: whole.by_rows,
        tiles_after: whole.after(),
        compression: rate(whole.tiles, whole.after()),
        tiles_laid: layer.laid().map_or(whole.tiles, |layout| layout.tiles),
        nf: factors.mean,
        nf_std: factors.std,
        nf_weighted: factors.weighted,
        name: layer.name.clone(),
        cells: cells(layer, &planes, &found.cells),
        reads: reads(layer, &found.reads),
        arrays: arrays_of(layer, &planes, &found.currents),
    }
}

/// Before over after; `NaN` where nothing is left.
fn rate(before: usize, after: usize) -> f64 {
    match after {
        0 => f64::NAN,
        n => before as f64 / n as f64,
    }
}

fn cells(layer: &Layer, planes: &[&[f32]], sums: &[Counts]) -> Vec<CellRow> {
    let arrays = layer.arrays();
    let grain = ranges::grain(&layer.digits.reading.arrays);
    let one = |(plane, (digits, sums)): (usize, (&&[f32], &Counts))| {
        let slice = plane / arrays.polarities();
        let filled = digits.iter().filter(|v| **v != 0.0).count();
        let left = Compaction::new(arrays, &layer.size, layer.geo.groups, digits);
        let levels = |magnitude: u64| magnitude as f64 * grain;
        let quantile = |share| levels(sums.quantile(share));
        CellRow {
            slice,
            bits: arrays.slice_bits[slice].into(),
            cells: digits.len() as u64,
            non_zero: filled as u64,
            share: filled as f64 / digits.len() as f64,
            arrays: left.tiles,
            arrays_after: left.after(),
            sums: sums.n(),
            zero_sums: sums.zeros(),
            lowest: sums.lowest() as f64 * grain,
            highest: sums.highest() as f64 * grain,
            mean: sums.mean() * grain,
            q50: quantile(5_000),
            q90: quantile(9_000),
            q99: quantile(9_900),
            q999: quantile(9_990),
            q9999: quantile(9_999),
            max: levels(sums.max()),
            plane: polarity(arrays, plane).to_string(),
        }
    };
    planes.iter().zip(sums).enumerate().map(one).collect()
}

fn reads(layer: &Layer, sums: &[Counts]) -> Vec<ReadRow> {
    let arrays = layer.arrays();
    let converters = layer.converters(&layer.nominal);
    let names = read_names(arrays);
    let one = |(plane, sums): (usize, &Counts)| {
        let signs = usize::from(converters.has_signs(plane));
        let with_sign = |magnitude: u64| match bits(magnitude) {
            0 => 0,
            bits => bits + signs,
        };
        let (q99, q999, q9999) = (
            sums.quantile(9_900),
            sums.quantile(9_990),
            sums.quantile(9_999),
        );
        ReadRow {
            slice: arrays.slice_of(plane),
            signs,
            sums: sums.n(),
            zero_sums: sums.zeros(),
            mean: sums.mean(),
            q99,
            q999,
            q9999,
            max: sums.max(),
            bits_max: with_sign(sums.max()),
            bits_q9999: with_sign(q9999),
            bits_q999: with_sign(q999),
            bits_q99: with_sign(q99),
            bits_possible: possible(&converters, plane) + signs,
            plane: names[plane].to_string(),
            beyond: sums.beyond(),
        }
    };
    sums.iter().enumerate().map(one).collect()
}

fn arrays_of(layer: &Layer, planes: &[&[f32]], currents: &[Vec<Tally>]) -> Vec<ArrayRow> {
    let a = layer.arrays();
    let placed = |digits: &&[f32]| match layer.laid() {
        None => non_zero(a, digits),
        Some(layout) => non_zero(a, &layout.placed(digits)),
    };
    let filled: Vec<Vec<u64>> = planes.iter().map(placed).collect();
    let used = layer.laid().map(|layout| layout.used(a));
    let one = |at: usize| {
        let (tile, plane) = (at / planes.len(), at % planes.len());
        let (r, c) = (tile / a.col_tiles(), tile % a.col_tiles());
        let whole = [lines(&a.tile_rows, r).len(), lines(&a.tile_cols, c).len()];
        let [rows, columns] = used.as_ref().map_or(whole, |used| used[tile]);
        let factors = Factors::over(currents.iter().map(|arrays| &arrays[at]));
        let first = currents
            .first()
            .map_or(Tally::default(), |arrays| arrays[at]);
        let non_zero = filled[plane][tile];
        ArrayRow {
            row_tile: r,
            column_tile: c,
            slice: plane / a.polarities(),
            rows,
            columns,
            non_zero,
            density: non_zero as f64 / (rows * columns) as f64,
            currents: first.n,
            zero_currents: first.zeros,
            nf: factors.mean,
            nf_std: factors.std,
            nf_min: factors.min,
            nf_max: factors.max,
            nf_weighted: factors.weighted,
            plane: polarity(a, plane).to_string(),
        }
    };
    let tiles = a.row_tiles() * a.col_tiles();
    let arrays = (0..tiles * planes.len()).map(one);
    // Arrays that a layout leaves empty are none.
    arrays.filter(|array| array.rows > 0).collect()
}

/// Slices of all layers together.
fn slices(layers: &[LayerRow]) -> Vec<SliceRow> {
    let cells = || layers.iter().flat_map(|l| &l.cells);
    let most = cells().map(|c| c.slice + 1).max().unwrap_or(0);
    let one = |slice: usize| {
        let of = || cells().filter(move |c| c.slice == slice);
        let reads = || {
            let reads = layers.iter().flat_map(|l| &l.reads);
            reads.filter(move |r| r.slice == slice)
        };
        let bits = |of: fn(&ReadRow) -> usize| reads().map(of).max().unwrap_or(0);
        let mut beyond: Vec<u64> = vec![];
        for read in reads() {
            let length = beyond.len().max(read.beyond.len());
            beyond.resize(length, 0);
            beyond
                .iter_mut()
                .zip(&read.beyond)
                .for_each(|(b, n)| *b += n);
        }
        let (all, filled) = (
            of().map(|c| c.cells).sum::<u64>(),
            of().map(|c| c.non_zero).sum::<u64>(),
        );
        SliceRow {
            slice,
            layers: layers
                .iter()
                .filter(|l| l.cells.iter().any(|c| c.slice == slice))
                .count(),
            cells: all,
            non_zero: filled,
            share: filled as f64 / all as f64,
            sums: reads().map(|r| r.sums).sum(),
            bits_max: bits(|r| r.bits_max),
            bits_q9999: bits(|r| r.bits_q9999),
            bits_q999: bits(|r| r.bits_q999),
            bits_q99: bits(|r| r.bits_q99),
            beyond,
        }
    };
    (0..most).map(one).collect()
}

fn totals(layers: &[LayerRow], found: &[Found], chips: usize) -> Totals {
    let cells = || layers.iter().flat_map(|l| &l.cells);
    let (all, filled) = (
        cells().map(|c| c.cells).sum::<u64>(),
        cells().map(|c| c.non_zero).sum::<u64>(),
    );
    let arrays = layers.iter().map(|l| l.tiles * l.planes).sum();
    let arrays_after = layers.iter().map(|l| l.tiles_after * l.planes).sum();
    let of_chip = |chip: usize| {
        let mut sum = Tally::default();
        let tallies = found.iter().filter_map(|f| f.currents.get(chip));
        tallies.flatten().for_each(|t| sum.merge(t));
        sum
    };
    let of_chips: Vec<Tally> = (0..chips).map(of_chip).collect();
    let factors = Factors::over(of_chips.iter());
    Totals {
        cells: all,
        non_zero: filled,
        share: filled as f64 / all as f64,
        arrays,
        arrays_after,
        compression: rate(arrays, arrays_after),
        nf: factors.mean,
        nf_std: factors.std,
    }
}
