//!include shared/run.wgsl
//!include shared/ones.wgsl
// Input codes as bits of 32 rows a word, for every output pixel:
// bits[chip][block][pixel][group][word][bit][quad], a vec4 of four images. With SIGNED the bit after
// those of the input is the sign; with SUM_CODES the last entry is the sum of the word's codes, an
// integer. One thread a word of four images. Constants: INPUT_BITS, TWOS (codes are two's
// complements), those of ones.wgsl.

struct Params {
    // Codes in words: from chip to chip, block to block, channel group to group, and per output row
    // and column.
    codes_chip: u32,
    codes_block: u32,
    codes_group: u32,
    codes_y: u32,
    codes_x: u32,
    w_out: u32,
    pixels: u32,
    groups: u32,
    // Words of a column; vec4 of a chip; start in the table of first row and rows of every word.
    words: u32,
    chip: u32,
    word_at: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> bits: array<vec4<u32>>;

const IMAGES: vec4<u32> = vec4<u32>(0u, 8u, 16u, 24u);

// What a bit of the codes adds to their sum.
fn bit_codes(ones: vec4<i32>, bit: u32) -> vec4<i32> {
    let place = 1i << bit;
    return select(place, -place, TWOS && bit + 1u == INPUT_BITS) * ones;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    let quad = item % QUADS;
    let word = item / QUADS % p.words;
    let channel_group = item / QUADS / p.words % p.groups;
    let pixel = item / QUADS / p.words / p.groups % p.pixels;
    let block = item / QUADS / p.words / p.groups / p.pixels;
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let width = select(1u, 2u, SIGNED);
    let base = chip * p.codes_chip + block * p.codes_block + channel_group * p.codes_group
        + pixel / p.w_out * p.codes_y + pixel % p.w_out * p.codes_x + quad * width;
    let first = table[p.word_at + 2u * word];
    let rows = table[p.word_at + 2u * word + 1u];
    var b0 = vec4<u32>(0u);
    var b1 = b0;
    var b2 = b0;
    var b3 = b0;
    var b4 = b0;
    var b5 = b0;
    var b6 = b0;
    var b7 = b0;
    var negative = b0;
    for (var k = 0u; k < rows; k++) {
        let at = base + table[first + k];
        let v = vec4<u32>(codes[at]) >> IMAGES;
        let to = vec4<u32>(k);
        let one = vec4<u32>(1u);
        b0 |= (v & one) << to;
        b1 |= ((v >> vec4<u32>(1u)) & one) << to;
        b2 |= ((v >> vec4<u32>(2u)) & one) << to;
        b3 |= ((v >> vec4<u32>(3u)) & one) << to;
        b4 |= ((v >> vec4<u32>(4u)) & one) << to;
        b5 |= ((v >> vec4<u32>(5u)) & one) << to;
        b6 |= ((v >> vec4<u32>(6u)) & one) << to;
        b7 |= ((v >> vec4<u32>(7u)) & one) << to;
        if SIGNED {
            negative |= ((vec4<u32>(codes[at + 1u]) >> IMAGES) & one) << to;
        }
    }
    let depth = INPUT_BITS + width - 1u + select(0u, 1u, SUM_CODES);
    let here = ((block * p.pixels + pixel) * p.groups + channel_group) * p.words + word;
    let to = chip * p.chip + here * depth * QUADS + quad;
    bits[to] = b0;
    if INPUT_BITS > 1u {
        bits[to + QUADS] = b1;
    }
    if INPUT_BITS > 2u {
        bits[to + 2u * QUADS] = b2;
    }
    if INPUT_BITS > 3u {
        bits[to + 3u * QUADS] = b3;
    }
    if INPUT_BITS > 4u {
        bits[to + 4u * QUADS] = b4;
    }
    if INPUT_BITS > 5u {
        bits[to + 5u * QUADS] = b5;
    }
    if INPUT_BITS > 6u {
        bits[to + 6u * QUADS] = b6;
    }
    if INPUT_BITS > 7u {
        bits[to + 7u * QUADS] = b7;
    }
    if SIGNED {
        bits[to + INPUT_BITS * QUADS] = negative;
    }
    if SUM_CODES {
        // Bits beyond those of the input are 0.
        let sum = bit_codes(ones(b0, negative), 0u) + bit_codes(ones(b1, negative), 1u)
            + bit_codes(ones(b2, negative), 2u) + bit_codes(ones(b3, negative), 3u)
            + bit_codes(ones(b4, negative), 4u) + bit_codes(ones(b5, negative), 5u)
            + bit_codes(ones(b6, negative), 6u) + bit_codes(ones(b7, negative), 7u);
        bits[to + (depth - 1u) * QUADS] = bitcast<vec4<u32>>(sum);
    }
}
