//!include shared/fields.wgsl
//!include shared/conversion.wgsl
// crossbar_count.wgsl for software adapters, whose loads from storage go lane by lane through memory,
// those from uniforms do not: the same codes, bit for bit. Bits and digits are seen through uniform
// bindings, a piece of each at a time. Before: crossbar_codes.wgsl, crossbar_bits.wgsl,
// crossbar_fields_pack.wgsl; after: crossbar_post.wgsl. Constant OWN: chips have pieces of their own, and
// take turns.

struct Pieces {
    // Pixels of blocks in a piece of the bits, fours of columns in one of the fields.
    sites: u32,
    tiles: u32,
    pad0: u32,
    pad1: u32,
}

struct Params {
    reading: Reading,
    conversion: Conversion,
    words: Words,
    pieces: Pieces,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<uniform> bits: array<vec4<u32>, 4096>;
@group(0) @binding(5) var<uniform> fields: array<vec4<u32>, 4096>;
@group(0) @binding(6) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> clipped: array<vec4<f32>>;
// Numbers of the pieces that are bound, and of the chip whose they are, in x.
@group(0) @binding(10) var<uniform> bits_piece: vec4<u32>;
@group(0) @binding(11) var<uniform> fields_piece: vec4<u32>;
@group(0) @binding(12) var<uniform> own_chip: vec4<u32>;

fn bits_start() -> u32 {
    return own_chip.x * p.words.chip + bits_piece.x * p.pieces.sites * p.words.pixel;
}

fn fields_start() -> u32 {
    return own_chip.x * p.words.g_chip + fields_piece.x * p.pieces.tiles * p.words.g_tile;
}

// There is none: crossbars with corrections are not counted.
fn correction(i: u32) -> vec2<f32> {
    return vec2<f32>(1.0, 0.0);
}

// The work of a thread of the pieces: neighbours share the columns.
fn site_of_pieces(r: Reading, item: u32, z: u32) -> Site {
    let width = p.pieces.sites * QUADS;
    let tile = item / width;
    let here = bits_piece.x * p.pieces.sites + item % width / QUADS;
    let block = here / r.pixels;
    let column = fields_piece.x * p.pieces.tiles + tile;
    let number = ((column * run.blocks + block) * r.pixels + here % r.pixels) * QUADS + item % QUADS;
    var s = site_of(r, number, select(z, own_chip.x, OWN));
    s.valid = s.valid && tile < p.pieces.tiles && block < run.blocks;
    return s;
}

// Counts of a step.
fn step_counts(q: Plane, t: u32, held: Held) -> Counts {
    if !ANALOG_SUM && DAC_BITS == 1u {
        return bit_counts(p.words, q, t, held);
    }
    var first = t * DAC_BITS;
    var end = min(first + DAC_BITS, INPUT_BITS);
    if ANALOG_SUM {
        first = 0u;
        end = INPUT_BITS;
    }
    var sum: Counts;
    for (var bit = first; bit < end; bit++) {
        let place = 1i << (bit - first);
        let negative = ANALOG_SUM && TWOS && bit + 1u == INPUT_BITS;
        let counts = bit_counts(p.words, q, bit, held);
        sum = add_counts(sum, counts, select(place, -place, negative));
    }
    return sum;
}

// Small groups: a piece has few threads, and every processor should have some.
@compute @workgroup_size(16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let r = p.reading;
    let s = site_of_pieces(r, flat_group(group, groups) * 16u + local, chip_of(group));
    if !s.valid {
        return;
    }
    let channels = s.tile / r.tiles;
    var parts = zero4();
    var total = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        if SUM_CODES {
            input += tile_sums(p.words, s, channels, tile);
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            let k = converters(r, s, tile, plane);
            let q = plane_of(p.words, s, channels, tile, plane);
            let held = plane_digits(q);
            for (var t = 0u; t < CONVERSIONS; t++) {
                let sum = step_counts(q, t, held);
                total = convert(r, s, tile, plane, t, as_sums(sum), k, total);
            }
            if !INTEGER {
                parts += plane_part(r, s, tile, plane, total, vec4<i32>(0));
            }
            total = end_plane(r, plane, total);
        }
    }
    store_output(r, s, parts, total, input);
}
