//! What the crossbar operators share: input codes, packed conductances, tables, and the twin of
//! `shaders/shared/reading.wgsl`.

use std::sync::Arc;

use super::crossbar_tile::{Order, Tile};
use super::dispatch::{Dispatch, LowerContext, Operand, QUADS, View, Work};
use super::uniform::uniform;
use crate::effects::{ConverterEffects, Numbers, Table};
use crate::program::{Arrays, ConvGeometry, Dac, InputSigns, Reading, TensorId};

/// Columns of a thread.
const TILE: usize = 4;

uniform! {
    /// Twin of `Reading` in `shaders/shared/reading.wgsl`.
    struct ReadingParams {
        codes_chip: u32,
        codes_block: u32,
        codes_group: u32,
        codes_y: u32,
        codes_x: u32,
        g_chip: u32,
        g_tile: u32,
        g_plane: u32,
        variance_at: u32,
        rows: u32,
        cols: u32,
        row_tiles: u32,
        planes: u32,
        group_out: u32,
        tiles: u32,
        groups: u32,
        w_out: u32,
        pixels: u32,
        input_bits: u32,
        layer: u32,
        tile_at: u32,
        place_at: u32,
        dac_at: u32,
        rows_at: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_codes.wgsl`.
    struct CodesParams {
        x: View,
        block_words: u32,
        chip_words: u32,
        h: u32,
        w: u32,
        h_in: u32,
        w_in: u32,
        top: u32,
        left: u32,
        lo: f32,
        hi: f32,
        mask: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_pack.wgsl`.
    struct PackParams {
        g: View,
        chip: u32,
        first: u32,
        rows: u32,
        packed_rows: u32,
        cols: u32,
        planes: u32,
        group_out: u32,
        tiles: u32,
    }
}

/// The operands of a crossbar operator's sums.
pub(super) struct Inputs<'a> {
    pub x: TensorId,
    pub x_step: TensorId,
    pub g: TensorId,
    pub variance: Option<TensorId>,
    pub geo: &'a ConvGeometry,
    pub spec: &'a Reading,
}

/// Everything before the sums.
pub(super) struct Prepared {
    /// Kernel calls.
    pub calls: Vec<Dispatch>,
    /// Parameters of the sums.
    pub params: ReadingParams,
    /// Input codes.
    pub codes: Operand,
    /// Offsets, row tiles, place values, drives, tables of the converters' effects.
    pub table: Arc<[u32]>,
    /// Constants and numbers of the converters' effects.
    pub effects: Numbers,
}

/// The map of codes with its padding.
pub(super) struct Padded {
    pub h: usize,
    pub w: usize,
    /// Words of the codes of four images.
    width: usize,
}

impl Padded {
    pub fn new(geo: &ConvGeometry, dac: &Dac) -> Self {
        let reach =
            |n: usize, stride: usize, k: usize, dilation| (n - 1) * stride + (k - 1) * dilation + 1;
        Self {
            h: reach(geo.h_out(), geo.stride[0], geo.kh, geo.dilation[0]),
            w: reach(geo.w_out(), geo.stride[1], geo.kw, geo.dilation[1]),
            width: match dac.signs {
                Some(InputSigns::SignMagnitude) => 2,
                None | Some(InputSigns::TwosComplement) => 1,
            },
        }
    }

    /// Words of a pixel of a channel.
    fn pixel(&self) -> usize {
        QUADS * self.width
    }

    /// Words from the code of row 0 to that of every row.
    fn offsets(&self, geo: &ConvGeometry) -> impl Iterator<Item = u32> {
        let (taps, pixel) = (geo.kh * geo.kw, self.pixel());
        let (h, w, kw, [dy, dx]) = (self.h, self.w, geo.kw, geo.dilation);
        (0..geo.rows()).map(move |k| {
            let (c, ky, kx) = (k / taps, k % taps / kw, k % kw);
            (((c * h + ky * dy) * w + kx * dx) * pixel) as u32
        })
    }
}

fn codes(input: &Inputs<'_>, padded: &Padded, cx: &LowerContext<'_>) -> (Dispatch, Operand, u32) {
    let (geo, dac) = (input.geo, &input.spec.dac);
    let block = geo.c_in * padded.h * padded.w * padded.pixel();
    let per_chip = cx.per_chip(input.x);
    let chip = block * cx.run_blocks();
    let operand = Operand::Scratch {
        index: 0,
        floats: (chip * cx.slabs(input.x)) as u64,
    };
    let (lo, hi) = dac.codes().into_inner();
    let chip_words = if per_chip { chip as u32 } else { 0 };
    let params = CodesParams {
        x: cx.view(input.x),
        block_words: block as u32,
        chip_words,
        h: padded.h as u32,
        w: padded.w as u32,
        h_in: geo.h_in as u32,
        w_in: geo.w_in as u32,
        top: geo.pad[0] as u32,
        left: geo.pad[1] as u32,
        lo: lo as f32,
        hi: hi as f32,
        mask: (1 << dac.input_bits) - 1,
    };
    let work = Work::flat(block / padded.width)
        .per_block()
        .per_chip(per_chip);
    let call = Dispatch::new("crossbar_codes", work)
        .params(&params)
        .constant("SIGNED", dac.signs == Some(InputSigns::SignMagnitude))
        .read(input.x)
        .read(input.x_step)
        .write(operand);
    (call, operand, chip_words)
}

/// Row offsets, row tiles, place values of planes (and where they differ the lowest and highest code of
/// each), drives, rows in the order of packed conductances; and where the last four start. The tables of the
/// converters' effects follow.
fn table(input: &Inputs<'_>, padded: &Padded, order: &Order) -> (Table, [u32; 4]) {
    let spec = input.spec;
    let arrays = &spec.arrays;
    let mut all: Vec<u32> = padded.offsets(input.geo).collect();
    let tile_at = all.len() as u32;
    all.extend_from_slice(&arrays.tile_rows);
    let place_at = all.len() as u32;
    all.extend((0..arrays.read_planes()).map(|p| arrays.place(p).cast_unsigned()));
    if let Some(adc) = spec.adc.as_ref().filter(|adc| adc.differ()) {
        for p in 0..arrays.read_planes() {
            let codes = adc.codes_of(arrays.slice_of(p));
            all.extend([codes.lo, codes.hi].map(|code| (code as f32).to_bits()));
        }
    }
    // Rows in their own order are those at the beginning.
    let mut rows_at = 0;
    if order.padded() {
        rows_at = all.len() as u32;
        // What is added for a row that is not there is 0, whatever its code is.
        let offset = |&row: &u32| all.get(row as usize).copied().unwrap_or(0);
        let offsets: Vec<u32> = order.rows.iter().map(offset).collect();
        all.extend(offsets);
        all.extend_from_slice(&order.tiles);
    }
    let mut table = Table(all);
    let [dac_at, _] = table.append(spec.dac.table.as_ref());
    (table, [tile_at, place_at, dac_at, rows_at])
}

/// What the effects inside the converters tell their shaders, after what the table holds already.
fn converter_effects(spec: &Reading, table: Table) -> Numbers {
    let none = ConverterEffects::default();
    let effects = spec.adc.as_ref().map_or(&none, |adc| &adc.effects);
    let mut numbers = Numbers {
        table,
        ..Numbers::default()
    };
    for effect in effects.all() {
        numbers.begin();
        effect.in_shader(&mut numbers);
    }
    numbers
}

/// Fours of columns of a channel group.
pub(super) fn column_tiles(geo: &ConvGeometry) -> usize {
    (geo.c_out / geo.groups).div_ceil(TILE)
}

/// Adds packed conductances to what comes before the sums; where they are.
pub(super) fn pack(
    input: &Inputs<'_>,
    tile: Tile,
    to: &mut Prepared,
    cx: &LowerContext<'_>,
) -> Operand {
    let (geo, arrays) = (input.geo, &input.spec.arrays);
    let order = Order::new(arrays, tile);
    let tiles = column_tiles(geo);
    let chip = tiles * geo.groups * arrays.read_planes() * order.rows.len();
    let parts: Vec<TensorId> = [Some(input.g), input.variance]
        .into_iter()
        .flatten()
        .collect();
    let per_chip = parts.iter().any(|&t| cx.per_chip(t));
    let slabs = if per_chip { cx.capacity.chips } else { 1 };
    let operand = Operand::Scratch {
        index: 1,
        floats: (4 * chip * slabs * parts.len()) as u64,
    };
    let rows: Arc<[u32]> = order.rows.as_slice().into();
    let calls = parts.iter().enumerate().map(|(i, &t)| {
        let params = PackParams {
            g: cx.view(t),
            chip: chip as u32,
            first: (i * chip * slabs) as u32,
            rows: arrays.rows as u32,
            packed_rows: order.rows.len() as u32,
            cols: arrays.cols as u32,
            planes: arrays.read_planes() as u32,
            group_out: (geo.c_out / geo.groups) as u32,
            tiles: tiles as u32,
        };
        let call = Dispatch::new("crossbar_pack", Work::flat(chip).per_chip(per_chip))
            .constant("HALF", cx.halves(t))
            .constant("PADDED", order.padded())
            .params(&params)
            .read(t)
            .write(operand);
        match order.padded() {
            true => call.table(&rows),
            false => call.read(Operand::Unused),
        }
    });
    to.calls.extend(calls);
    to.params.g_chip = if per_chip { chip as u32 } else { 0 };
    to.params.variance_at = (chip * slabs) as u32;
    operand
}

/// Codes and tables of a crossbar operator, whose rows are packed as a tile wants them.
pub(super) fn prepare(input: &Inputs<'_>, tile: Tile, cx: &LowerContext<'_>) -> Prepared {
    let (geo, spec) = (input.geo, input.spec);
    let arrays: &Arrays = &spec.arrays;
    let padded = Padded::new(geo, &spec.dac);
    let (codes_call, codes, codes_chip) = codes(input, &padded, cx);
    let order = Order::new(arrays, tile);
    let (table, [tile_at, place_at, dac_at, rows_at]) = table(input, &padded, &order);
    let effects = converter_effects(spec, table);
    let channel = padded.h * padded.w * padded.pixel();
    let params = ReadingParams {
        codes_chip,
        codes_block: (geo.c_in * channel) as u32,
        codes_group: (geo.c_in / geo.groups * channel) as u32,
        codes_y: (geo.stride[0] * padded.w * padded.pixel()) as u32,
        codes_x: (geo.stride[1] * padded.pixel()) as u32,
        g_chip: 0,
        g_tile: (arrays.read_planes() * order.rows.len()) as u32,
        g_plane: order.rows.len() as u32,
        variance_at: 0,
        rows: arrays.rows as u32,
        cols: arrays.cols as u32,
        row_tiles: arrays.row_tiles() as u32,
        planes: arrays.read_planes() as u32,
        group_out: (geo.c_out / geo.groups) as u32,
        tiles: column_tiles(geo) as u32,
        groups: geo.groups as u32,
        w_out: geo.w_out() as u32,
        pixels: (geo.h_out() * geo.w_out()) as u32,
        input_bits: spec.dac.input_bits,
        layer: spec.layer,
        tile_at,
        place_at,
        dac_at,
        rows_at,
    };
    Prepared {
        calls: vec![codes_call],
        params,
        codes,
        table: effects.table.0.as_slice().into(),
        effects,
    }
}

/// Threads of the sums: four columns, one pixel, four images.
pub(super) fn work(geo: &ConvGeometry) -> Work {
    let items = column_tiles(geo) * geo.groups * geo.h_out() * geo.w_out() * QUADS;
    Work::flat(items).per_block()
}

/// Whether four columns share a block of random words.
fn aligned(geo: &ConvGeometry) -> bool {
    geo.groups == 1 || (geo.c_out / geo.groups).is_multiple_of(TILE)
}

/// Rounds of a thread that reads all rows; with `sum_codes` it adds the codes up too.
pub(super) fn rounds(input: &Inputs<'_>, tile: Tile, sum_codes: bool) -> u64 {
    let (spec, dac) = (input.spec, &input.spec.dac);
    let rows = spec.arrays.rows as u64;
    let (tiles, planes) = (
        spec.arrays.row_tiles() as u64,
        spec.arrays.read_planes() as u64,
    );
    let (steps, conversions) = (tile.steps as u64, dac.conversions() as u64);
    let row = match dac.analog_sum {
        true => 1 + dac.steps() as u64,
        false => 1,
    };
    let passes = conversions.div_ceil(steps);
    rows * u64::from(sum_codes)
        + rows * planes * passes * row
        + tiles * (1 + planes * (1 + passes + 2 * conversions))
}

/// Adds the constants of `shaders/shared/crossbar.wgsl` and what it includes.
pub(super) fn attach(call: Dispatch, input: &Inputs<'_>, tile: Tile) -> Dispatch {
    let spec = input.spec;
    let noisy = input.variance.is_some();
    let noise_sum = noisy && !spec.noise_per_cell;
    digits(call, input)
        .constant("STEPS", tile.steps as u32)
        .constant("NOISE_SUM", noise_sum)
        .constant("NOISE_CELL", noisy && spec.noise_per_cell)
}

/// Adds the constants of `shaders/effects/drive.wgsl` and `shaders/shared/reading.wgsl`.
pub(super) fn digits(call: Dispatch, input: &Inputs<'_>) -> Dispatch {
    let dac = &input.spec.dac;
    call.constant("SIGNED", dac.signs == Some(InputSigns::SignMagnitude))
        .constant("TWOS", dac.signs == Some(InputSigns::TwosComplement))
        .constant("DAC_BITS", dac.dac_bits)
        .constant("DAC_TABLE", dac.table.is_some())
        .constant("DAC_STEPS", dac.steps() as u32)
        .constant("ANALOG_SUM", dac.analog_sum)
        .constant("CONVERSIONS", dac.conversions() as u32)
        .constant("ALIGNED", aligned(input.geo))
}
