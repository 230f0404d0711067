//!include shared/reading.wgsl
// What the kernels share that take sums of small integers from the bits of the inputs
// (crossbar_bits.wgsl): counts and where the words are. Bound by the kernel's file: `bits`, `table`;
// `bits_start`, what of the bits comes before those that are bound. Constants: INPUT_BITS; BIAS,
// whether the conductances were raised to be no less than 0; those of effects/drive.wgsl. With SIGNED the
// bits are those of the magnitudes, and one more word has the signs.

// Counts of four columns for four images.
struct Counts {
    a: vec4<i32>,
    b: vec4<i32>,
    c: vec4<i32>,
    d: vec4<i32>,
}

fn add_counts(n: Counts, m: Counts, factor: i32) -> Counts {
    return Counts(n.a + factor * m.a, n.b + factor * m.b, n.c + factor * m.c, n.d + factor * m.d);
}

fn as_sums(n: Counts) -> mat4x4<f32> {
    return mat4x4<f32>(vec4<f32>(n.a), vec4<f32>(n.b), vec4<f32>(n.c), vec4<f32>(n.d));
}

// Where the words are. Twin of Words: src/backend/wgpu/counting.rs.
struct Words {
    // Bits of the input in vec4: from chip to chip, block to block, pixel to pixel, and group to
    // group; vec4 of a word (bits, signs and sum, times the quads of a block).
    chip: u32,
    block: u32,
    pixel: u32,
    group: u32,
    word: u32,
    // Bits of the conductances in vec4: from chip to chip, from four columns to the next, from plane
    // to plane, from word to word; of crossbar_fields.wgsl from row tile to row tile.
    g_chip: u32,
    g_tile: u32,
    g_plane: u32,
    g_word: u32,
    // Starts in the table: first word of every row tile; bits and bias of every plane.
    tile_at: u32,
    plane_at: u32,
    pad0: u32,
}

// Where the words of a channel group begin in what is bound.
fn first_word(w: Words, s: Site, group: u32) -> u32 {
    return s.chip * w.chip + s.block * w.block + s.pixel * w.pixel + group * w.group + s.quad - bits_start();
}

// Codes of the rows of a tile, added up. Constant SUM_CODES: they are there.
fn tile_sums(w: Words, s: Site, group: u32, tile: u32) -> vec4<i32> {
    var sum = vec4<i32>(0);
    let last = w.word - QUADS;
    let x_at = first_word(w, s, group);
    let end = table[w.tile_at + tile + 1u];
    for (var i = table[w.tile_at + tile]; i < end; i++) {
        sum += bitcast<vec4<i32>>(bits[x_at + i * w.word + last]);
    }
    return sum;
}
