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

// There is none: crossbars with corrections are not counted.
fn correction(i: u32) -> vec2<f32> {
    return vec2<f32>(1.0, 0.0);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let r = p.reading;
    let s = site_of(r, flat_group(group, groups) * 64u + local, group.z);
    if !s.valid {
        return;
    }
    var parts = zero4();
    var total = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        if SUM_CODES {
            input += tile_codes(r, s, tile);
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            let k = converters(r, s, tile, plane);
            if !INTEGER {
                total = Total(zero_total().codes, zero4(), total.clipped);
            }
            let n = bit_sums(p.words, s, s.tile / r.tiles, tile, plane);
            var sums = array<Counts, 8>(n.b0, n.b1, n.b2, n.b3, n.b4, n.b5, n.b6, n.b7);
            for (var t = 0u; t < CONVERSIONS; t++) {
                var seen = sums[t];
                if ANALOG_SUM {
                    for (var i = 1u; i < INPUT_BITS; i++) {
                        let place = 1i << i;
                        let negative = TWOS && i + 1u == INPUT_BITS;
                        seen = add_counts(seen, sums[i], select(place, -place, negative));
                    }
                } else if DAC_BITS > 1u {
                    seen = sums[t * DAC_BITS];
                    for (var i = 1u; i < min(DAC_BITS, INPUT_BITS - t * DAC_BITS); i++) {
                        seen = add_counts(seen, sums[t * DAC_BITS + i], 1i << i);
                    }
                }
                total = convert(r, s, tile, plane, t, as_sums(seen), k, total);
            }
            if !INTEGER {
                parts += plane_part(r, s, tile, plane, total, vec4<i32>(0));
            }
        }
    }
    store_output(r, s, parts, total, input);
}
