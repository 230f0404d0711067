//!include shared/bits.wgsl
//!include shared/conversion.wgsl
// crossbar.wgsl for conductances that are small integers and for linear drives: the same codes, bit
// for bit, from counted ones. Before: crossbar_codes.wgsl, crossbar_bits.wgsl, crossbar_planes.wgsl;
// after: crossbar_post.wgsl.

struct Params {
    reading: Reading,
    conversion: Conversion,
    words: Words,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> bits: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> planes: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> clipped: array<vec4<f32>>;

// All bits are bound.
fn bits_start() -> u32 {
    return 0u;
}

// There is none: crossbars with corrections are not counted.
fn correction(i: u32) -> vec2<f32> {
    return vec2<f32>(1.0, 0.0);
}

// Counts of the step whose first bit is the `first` of a pass from those of its bits.
fn step_counts(bit_counts: array<Counts, 8>, first: u32, bits: u32) -> Counts {
    var counts = bit_counts;
    var sum = counts[first];
    if ANALOG_SUM && TWOS && INPUT_BITS == 1u {
        // The only bit is the sign.
        sum = add_counts(sum, sum, -2);
    }
    for (var i = first + 1u; i < first + bits; i++) {
        let place = 1i << (i - first);
        let negative = ANALOG_SUM && TWOS && i + 1u == INPUT_BITS;
        sum = add_counts(sum, counts[i], select(place, -place, negative));
    }
    return sum;
}

// Planes that are counted at once.
const PLANES: u32 = select(1u, 2u, PAIRED);

// Converts the bit `j` of the pass that begins with bit `first`, where a step is a bit.
fn convert_bit(
    r: Reading, s: Site, tile: u32, plane: u32, first: u32, j: u32, n: Counts, next: bool, k: Pair4,
    total: Total,
) -> Total {
    if !counted(first, j) {
        return total;
    }
    return convert(r, s, tile, plane, first + j, as_sums(of_plane(n, next)), k, total);
}

// All conversions of a pass of a plane, whose counts are the first or the next ones.
fn convert_plane(
    r: Reading, s: Site, tile: u32, plane: u32, first: u32, n: BitSums, next: bool, before: Total,
) -> Total {
    var total = before;
    let k = converters(r, s, tile, plane);
    if DISTURBED || ANALOG_SUM || DAC_BITS > 1u {
        var sums = array<Counts, 8>(
            of_plane(n.b0, next), of_plane(n.b1, next), of_plane(n.b2, next), of_plane(n.b3, next),
            of_plane(n.b4, next), of_plane(n.b5, next), of_plane(n.b6, next), of_plane(n.b7, next),
        );
        let step = select(DAC_BITS, INPUT_BITS, ANALOG_SUM);
        let end = min(PASS_BITS, INPUT_BITS - first);
        for (var b = 0u; b < end; b += step) {
            let seen = as_sums(step_counts(sums, b, min(step, end - b)));
            total = convert(r, s, tile, plane, (first + b) / step, seen, k, total);
        }
        return total;
    }
    total = convert_bit(r, s, tile, plane, first, 0u, n.b0, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 1u, n.b1, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 2u, n.b2, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 3u, n.b3, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 4u, n.b4, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 5u, n.b5, next, k, total);
    total = convert_bit(r, s, tile, plane, first, 6u, n.b6, next, k, total);
    return convert_bit(r, s, tile, plane, first, 7u, n.b7, next, k, total);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let r = p.reading;
    let s = site_of(r, flat_group(group, groups) * 64u + local, chip_of(group));
    if !s.valid {
        return;
    }
    var parts = zero4();
    var total = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        if SUM_CODES {
            input += tile_sums(p.words, s, s.tile / r.tiles, tile);
        }
        for (var plane = 0u; plane < r.planes; plane += PLANES) {
            for (var first = 0u; first < INPUT_BITS; first += PASS_BITS) {
                let n = bit_sums(p.words, s, s.tile / r.tiles, tile, plane, r.planes, first);
                let end = min(plane + PLANES, r.planes);
                for (var each = plane; each < end; each++) {
                    total = convert_plane(r, s, tile, each, first, n, each > plane, total);
                    if first + PASS_BITS < INPUT_BITS {
                        continue;
                    }
                    if !INTEGER {
                        parts += plane_part(r, s, tile, each, total, vec4<i32>(0));
                    }
                    total = end_plane(r, each, total);
                }
            }
        }
    }
    store_output(r, s, parts, total, input);
}
