//! Crossbars whose conductances are small integers: `shaders/crossbar_bits.wgsl`,
//! `shaders/crossbar_planes.wgsl` and the twin of `Words` in `shaders/shared/words.wgsl`.

use std::sync::Arc;

use super::dispatch::{Dispatch, LowerContext, Operand, QUADS, View, WINDOW_ALIGN, Work};
use super::reading::{Inputs, Prepared};
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::program::{Arrays, Encoding, InputSigns};

/// Rows of a word.
const WORD: u32 = u32::BITS;

/// `vec4` between two places where a window may begin.
pub(super) const ALIGN: usize = WINDOW_ALIGN as usize / 16;

/// Bits that a thread of `shaders/crossbar_planes.wgsl` makes.
const BITS: u32 = 4;

uniform! {
    /// Twin of `Words` in `shaders/shared/words.wgsl`.
    struct WordsParams {
        chip: u32,
        block: u32,
        pixel: u32,
        group: u32,
        word: u32,
        g_chip: u32,
        g_tile: u32,
        g_plane: u32,
        g_word: u32,
        tile_at: u32,
        plane_at: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_bits.wgsl`.
    struct BitsParams {
        codes_chip: u32,
        codes_block: u32,
        codes_group: u32,
        codes_y: u32,
        codes_x: u32,
        w_out: u32,
        pixels: u32,
        groups: u32,
        words: u32,
        chip: u32,
        word_at: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_planes.wgsl`.
    struct PlanesParams {
        g: View,
        chip: u32,
        words: u32,
        depth: u32,
        rows: u32,
        cols: u32,
        planes: u32,
        group_out: u32,
        tiles: u32,
        plane_at: u32,
        word_at: u32,
    }
}

/// The reading's table with what the kernels of words need behind it.
pub(super) struct WordTable {
    /// All values.
    pub values: Vec<u32>,
    /// Start of the first word of every row tile.
    pub tile_at: u32,
    /// Start of the bits and the bias of every plane.
    pub plane_at: u32,
    /// Start of the first row and the rows of every word.
    pub word_at: u32,
    /// Words of every row tile.
    pub tiles: Vec<u32>,
    /// Bits of every plane's conductances, and what they are raised by.
    pub depths: Vec<(u32, i32)>,
}

impl WordTable {
    /// Behind the table of a reading.
    pub fn new(arrays: &Arrays, reading: &[u32]) -> Self {
        let mut values = reading.to_vec();
        let all: Vec<Vec<[u32; 2]>> = arrays
            .tile_rows
            .windows(2)
            .map(|tile| words(tile).collect())
            .collect();
        let tile_at = values.len() as u32;
        let mut count = 0;
        values.push(count);
        for tile in &all {
            count += tile.len() as u32;
            values.push(count);
        }
        let planes = arrays.read_planes();
        let depths: Vec<(u32, i32)> = (0..planes).map(|p| depth(arrays, p)).collect();
        let plane_at = values.len() as u32;
        let pairs = depths
            .iter()
            .flat_map(|&(bits, bias)| [bits, bias.cast_unsigned()]);
        values.extend(pairs);
        let word_at = values.len() as u32;
        values.extend(all.iter().flatten().flatten());
        Self {
            values,
            tile_at,
            plane_at,
            word_at,
            tiles: all.iter().map(|tile| tile.len() as u32).collect(),
            depths,
        }
    }

    /// Words of a column.
    pub fn words(&self) -> u32 {
        self.tiles.iter().sum()
    }

    /// Most bits of a conductance.
    pub fn most_bits(&self) -> u32 {
        self.depths.iter().map(|d| d.0).max().unwrap_or(1)
    }

    /// Whether any plane's conductances are raised.
    pub fn raised(&self) -> bool {
        self.depths.iter().any(|d| d.1 > 0)
    }
}

/// Bits of the input.
pub(super) struct InputBits {
    /// The kernel call that makes them.
    pub call: Dispatch,
    /// Where they are.
    pub bits: Operand,
    /// Where they are inside, and nothing of the conductances.
    pub words: WordsParams,
}

/// Bits of an input's codes, with `sum_codes` the sums of the codes too, and room for `spare` floats
/// behind them. `table`: that of `at`.
pub(super) fn input_bits(
    input: &Inputs<'_>,
    from: &Prepared,
    cx: &LowerContext<'_>,
    sum_codes: bool,
    (at, table): (&WordTable, &Arc<[u32]>),
    spare: u64,
) -> InputBits {
    let (geo, dac) = (input.geo, &input.spec.dac);
    let signed = dac.signs == Some(InputSigns::SignMagnitude);
    let entries = dac.input_bits as usize + usize::from(signed) + usize::from(sum_codes);
    let count = at.words();
    let word = entries * QUADS;
    let group = count as usize * word;
    let pixels = geo.h_out() * geo.w_out();
    let block = pixels * geo.groups * group;
    let per_chip = cx.per_chip(input.x);
    // Where windows may begin.
    let slab = (block * cx.run_blocks()).next_multiple_of(ALIGN);
    let chip = if per_chip { slab } else { 0 };
    let bits = Operand::Scratch {
        index: 3,
        floats: (4 * slab * cx.slabs(input.x)) as u64 + spare,
    };
    let r = &from.params;
    let params = BitsParams {
        codes_chip: r.codes_chip,
        codes_block: r.codes_block,
        codes_group: r.codes_group,
        codes_y: r.codes_y,
        codes_x: r.codes_x,
        w_out: r.w_out,
        pixels: r.pixels,
        groups: r.groups,
        words: count,
        chip: chip as u32,
        word_at: at.word_at,
    };
    let items = pixels * geo.groups * count as usize * QUADS;
    let call = Dispatch::new(
        "crossbar_bits",
        Work::flat(items).per_block().per_chip(per_chip),
    )
    .constant("SIGNED", signed)
    .constant("TWOS", dac.signs == Some(InputSigns::TwosComplement))
    .constant("SUM_CODES", sum_codes)
    .constant("INPUT_BITS", dac.input_bits)
    .params(&params)
    .read(from.codes)
    .table(table)
    .write(bits);
    InputBits {
        call,
        bits,
        words: WordsParams {
            chip: chip as u32,
            block: block as u32,
            pixel: (geo.groups * group) as u32,
            group: group as u32,
            word: word as u32,
            tile_at: at.tile_at,
            plane_at: at.plane_at,
            ..WordsParams::default()
        },
    }
}

/// Bits of the input and of the conductances.
pub(super) struct Counted {
    /// Kernel calls that make them.
    pub calls: Vec<Dispatch>,
    /// Rounds of the loops of a thread that counts them.
    pub rounds: u64,
    /// Where everything is.
    pub words: WordsParams,
    /// The reading's table with what the words need behind it.
    pub table: Arc<[u32]>,
    /// Bits of the input.
    pub bits: Operand,
    /// Bits of the conductances.
    pub planes: Operand,
    /// Whether conductances were raised.
    pub bias: bool,
    /// Bits of the input that are counted in a pass.
    pub pass: u32,
    /// Whether two planes are counted at once.
    pub paired: bool,
}

/// Most bits of a pass where others follow: half of the accumulators that eight bits have.
const MOST_OF_A_PASS: u32 = 4;

/// Bits that are counted in a pass. Software adapters, whose loads are what counting costs, have one pass; so
/// have steps that a pass would cut.
fn pass_bits(input: &Inputs<'_>, cx: &LowerContext<'_>) -> u32 {
    let dac = &input.spec.dac;
    let whole = dac.analog_sum || !MOST_OF_A_PASS.is_multiple_of(dac.dac_bits);
    match whole || cx.kernels == Kernels::Portable {
        true => dac.input_bits,
        false => dac.input_bits.min(MOST_OF_A_PASS),
    }
}

/// Bits of the conductances of a read plane, and what is added so that none is negative.
fn depth(arrays: &Arrays, plane: usize) -> (u32, i32) {
    let slice = arrays.slice_of(plane);
    let bits = u32::from(arrays.slice_bits[slice]);
    match arrays.encoding {
        Encoding::Differential { digital: true, .. } | Encoding::Offset { reference: 0 } => {
            (bits, 0)
        }
        _ => (bits + 1, arrays.top_digit(slice).cast_signed()),
    }
}

/// First row and number of rows of every word of a row tile.
fn words(tile: &[u32]) -> impl Iterator<Item = [u32; 2]> {
    let (start, end) = (tile[0], tile[1]);
    (start..end)
        .step_by(WORD as usize)
        .map(move |first| [first, WORD.min(end - first)])
}

/// Whether the sum of a row tile is below 2^15 for every step of a bit, so that those of two planes
/// fit one count.
fn pairs(arrays: &Arrays, depths: &[(u32, i32)]) -> bool {
    let rows = arrays.tile_rows.windows(2).map(|t| t[1] - t[0]).max();
    let level = depths.iter().map(|d| (1_u64 << d.0) - 1).max();
    let most = u64::from(rows.unwrap_or(0)) * level.unwrap_or(0);
    depths.len() > 1 && most < 1 << 15
}

/// Rounds of a thread that converts every step of every row tile and plane from its bits, besides the sums.
pub(super) fn conversion_rounds(input: &Inputs<'_>, at: &WordTable) -> u64 {
    let spec = input.spec;
    let (tiles, planes) = (at.tiles.len() as u64, at.depths.len() as u64);
    let (conversions, bits) = (
        spec.dac.conversions() as u64,
        u64::from(spec.dac.input_bits),
    );
    let conversion = 1 + bits.div_ceil(conversions);
    u64::from(at.words()) + tiles * (1 + planes * (2 + conversions * conversion))
}

/// Both kinds of bits of a crossbar, after its codes; with `sum_codes` the sums of the codes too.
pub(super) fn prepare(
    input: &Inputs<'_>,
    from: &Prepared,
    cx: &LowerContext<'_>,
    sum_codes: bool,
) -> Counted {
    let arrays = &input.spec.arrays;
    let at = WordTable::new(arrays, &from.table);
    let table: Arc<[u32]> = at.values.as_slice().into();
    let found = input_bits(input, from, cx, sum_codes, (&at, &table), 0);

    let r = &from.params;
    let (count, most) = (at.words(), at.most_bits());
    let g_plane = count * most;
    let g_tile = r.planes * g_plane;
    let g_all = r.tiles * r.groups * g_tile;
    let g_per_chip = cx.per_chip(input.g);
    let params = PlanesParams {
        g: cx.view(input.g),
        chip: g_all,
        words: count,
        depth: most,
        rows: r.rows,
        cols: r.cols,
        planes: r.planes,
        group_out: r.group_out,
        tiles: r.tiles,
        plane_at: at.plane_at,
        word_at: at.word_at,
    };
    let planes = Operand::Scratch {
        index: 4,
        floats: 4 * u64::from(g_all) * cx.slabs(input.g) as u64,
    };
    let items = (g_all / most * most.div_ceil(BITS)) as usize;
    let planes_call = Dispatch::new("crossbar_planes", Work::flat(items).per_chip(g_per_chip))
        .params(&params)
        .read(input.g)
        .table(&table)
        .write(planes);
    let depths: u64 = at.depths.iter().map(|&(bits, _)| 1 + u64::from(bits)).sum();
    let pass = pass_bits(input, cx);
    let passes = u64::from(input.spec.dac.input_bits.div_ceil(pass));
    let again = at.tiles.len() as u64 * u64::from(r.planes);
    Counted {
        rounds: conversion_rounds(input, &at) + passes * (u64::from(count) * depths + 2 * again),
        calls: vec![found.call, planes_call],
        words: WordsParams {
            g_chip: if g_per_chip { g_all } else { 0 },
            g_tile,
            g_plane,
            g_word: most,
            ..found.words
        },
        table,
        bits: found.bits,
        planes,
        bias: at.raised(),
        pass,
        paired: passes == 1 && pairs(arrays, &at.depths),
    }
}
