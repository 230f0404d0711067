//! Crossbars whose conductances are small integers, on software adapters:
//! `shaders/crossbar_fields_pack.wgsl` and `shaders/crossbar_fields.wgsl`.

use std::sync::Arc;

use super::counting::{self, ALIGN, WordTable, WordsParams};
use super::dispatch::{Dispatch, LowerContext, Operand, Pieces, QUADS, View, WINDOW, Work};
use super::reading::{Inputs, Prepared, ReadingParams};
use super::uniform::uniform;
use crate::program::TensorId;

/// Words of a row tile, whose masks are kept while the columns take turns.
const WORDS: u32 = 4;

/// `vec4` of a digit of a row tile.
const PART: u32 = 2 * WORDS;

/// Most digits of two bits of a conductance: they are kept while the bits of the input take turns.
const MOST_PARTS: u32 = 2;

/// Bytes of a `vec4`.
const VEC4: u64 = 16;

/// Threads of a workgroup of `shaders/crossbar_fields.wgsl`.
const GROUP: u32 = 16;

uniform! {
    /// Twin of `Pieces` in `shaders/crossbar_fields.wgsl`.
    struct PiecesParams {
        sites: u32,
        tiles: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_fields_pack.wgsl`.
    struct PackParams {
        g: View,
        chip: u32,
        row_tiles: u32,
        rows: u32,
        cols: u32,
        planes: u32,
        group_out: u32,
        tiles: u32,
        threads: u32,
        tile_at: u32,
        plane_at: u32,
        word_at: u32,
    }
}

/// Bits of the input and digits of the conductances.
pub(super) struct Fields {
    /// Kernel calls that make them.
    pub calls: Vec<Dispatch>,
    /// Rounds of the loops of a thread that adds them.
    pub rounds: u64,
    /// Where everything is.
    pub words: WordsParams,
    /// How it is cut.
    pub pieces: PiecesParams,
    /// The reading's table with what the words need behind it.
    pub table: Arc<[u32]>,
    /// Bits of the input, in pieces of pixels.
    pub bits: (Operand, Pieces),
    /// Digits of the conductances, in pieces of four columns.
    pub fields: (Operand, Pieces),
    /// Whether conductances were raised.
    pub bias: bool,
    /// Digits of a conductance.
    pub parts: u32,
    /// Whether chips have pieces of their own.
    pub own: bool,
    /// Threads of a pair of pieces.
    pub work: Work,
}

/// How the digits of conductances lie, in units of four words.
struct Digits {
    /// Digits of a conductance.
    parts: u32,
    row_tiles: u32,
    /// Tiles of four columns, of all groups.
    tiles: u32,
    /// Of a word of a row tile, a plane, a tile, and a chip.
    word: u32,
    plane: u32,
    tile: u32,
    slab: usize,
}

impl Digits {
    fn new(r: &ReadingParams, row_tiles: u32, parts: u32) -> Self {
        let word = parts * PART;
        let plane = row_tiles * word;
        let (tile, tiles) = (r.planes * plane, r.tiles * r.groups);
        Self {
            parts,
            row_tiles,
            tiles,
            word,
            plane,
            tile,
            slab: ((tiles * tile) as usize).next_multiple_of(ALIGN),
        }
    }

    /// The call that packs them, yet without its buffers.
    fn pack(
        &self,
        r: &ReadingParams,
        at: &WordTable,
        cx: &LowerContext<'_>,
        g: TensorId,
    ) -> Dispatch {
        let threads = self.tiles * r.planes * self.row_tiles * PART;
        let params = PackParams {
            g: cx.view(g),
            chip: self.slab as u32,
            row_tiles: self.row_tiles,
            rows: r.rows,
            cols: r.cols,
            planes: r.planes,
            group_out: r.group_out,
            tiles: r.tiles,
            threads,
            tile_at: at.tile_at,
            plane_at: at.plane_at,
            word_at: at.word_at,
        };
        let work = Work::flat(threads as usize).per_chip(cx.per_chip(g));
        Dispatch::new("crossbar_fields_pack", work)
            .constant("PARTS", self.parts)
            .params(&params)
    }
}

/// Bits and digits of a crossbar, after its codes; with `sum_codes` the sums of the codes too. `None`
/// where counting ones is as good or the only way: where storage is as fast as windows, where a pixel's
/// bits or four columns' digits exceed a window, for more than four words a row tile or four bits a
/// conductance, and where more than a quarter of the words would be empty.
pub(super) fn prepare(
    input: &Inputs<'_>,
    from: &Prepared,
    cx: &LowerContext<'_>,
    sum_codes: bool,
) -> Option<Fields> {
    let at = WordTable::new(&input.spec.arrays, &from.table);
    let row_tiles = at.tiles.len() as u32;
    let parts = at.most_bits().div_ceil(2);
    let many = parts > MOST_PARTS || at.tiles.iter().any(|&words| words > WORDS);
    if !cx.windows || many || 4 * at.words() < 3 * WORDS * row_tiles {
        return None;
    }
    let table: Arc<[u32]> = at.values.as_slice().into();
    // A window may reach beyond the last piece.
    let spare = WINDOW / 4;
    let found = counting::input_bits(input, from, cx, sum_codes, (&at, &table), spare);

    let r = &from.params;
    let digits = Digits::new(r, row_tiles, parts);
    let own_fields = cx.per_chip(input.g);
    let g_chip = if own_fields { digits.slab } else { 0 };
    let sites = r.pixels as usize * cx.run_blocks();
    let WordsParams { chip, pixel, .. } = found.words;
    let bits = Pieces::cut(VEC4 * u64::from(pixel), sites, VEC4 * u64::from(chip))?;
    let bytes = VEC4 * u64::from(digits.tile);
    let columns = Pieces::cut(bytes, digits.tiles as usize, VEC4 * g_chip as u64)?;
    let fields = Operand::Scratch {
        index: 4,
        floats: (4 * digits.slab * cx.slabs(input.g)) as u64 + spare,
    };
    let pack = digits.pack(r, &at, cx, input.g);
    let pack = pack.read(input.g).table(&table).write(fields);
    let work = Work {
        group: GROUP,
        ..Work::flat(bits.items as usize * QUADS * columns.items as usize)
    };
    Some(Fields {
        rounds: counting::conversion_rounds(input, &at),
        calls: vec![found.call, pack],
        words: WordsParams {
            g_chip: g_chip as u32,
            g_tile: digits.tile,
            g_plane: digits.plane,
            g_word: digits.word,
            ..found.words
        },
        pieces: PiecesParams {
            sites: bits.items,
            tiles: columns.items,
        },
        table,
        bits: (found.bits, bits),
        fields: (fields, columns),
        bias: at.raised(),
        parts,
        own: own_fields || cx.per_chip(input.x),
        work,
    })
}
