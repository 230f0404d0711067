//!include shared/crossbar.wgsl
//!include shared/conversion.wgsl
// Crossbar arrays with converters as an implicit matrix product whose sum over rows is cut at row
// tiles: a thread makes all steps of four columns at one pixel for four images and converts them
// in registers. Before: crossbar_codes.wgsl, crossbar_pack.wgsl; after: crossbar_post.wgsl.

struct Params {
    reading: Reading,
    conversion: Conversion,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> packed: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> correct: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> clipped: array<vec4<f32>>;

fn correction(i: u32) -> vec2<f32> {
    return correct[i];
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
        var codes_here = vec4<i32>(0);
        if SUM_CODES {
            codes_here = tile_codes(r, s, tile);
            input += codes_here;
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            let k = converters(r, s, tile, plane);
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                let v = crossbar_sums(r, s, tile, plane, t);
                if DISTURBED {
                    // Indexed, so that the deviates' text is there once and not for every step.
                    var sums = array<mat4x4<f32>, 8>(v.s0, v.s1, v.s2, v.s3, v.s4, v.s5, v.s6, v.s7);
                    for (var i = 0u; i < min(STEPS, CONVERSIONS - t); i++) {
                        let seen = with_noise(r, s, tile, plane, t + i, sums[i], sums[i + NOISE_AT]);
                        total = convert(r, s, tile, plane, t + i, seen, k, total);
                    }
                } else {
                    // One pass over the rows makes all steps.
                    total = convert(r, s, tile, plane, 0u, v.s0, k, total);
                    if CONVERSIONS > 1u {
                        total = convert(r, s, tile, plane, 1u, v.s1, k, total);
                    }
                    if CONVERSIONS > 2u {
                        total = convert(r, s, tile, plane, 2u, v.s2, k, total);
                    }
                    if CONVERSIONS > 3u {
                        total = convert(r, s, tile, plane, 3u, v.s3, k, total);
                    }
                    if CONVERSIONS > 4u {
                        total = convert(r, s, tile, plane, 4u, v.s4, k, total);
                    }
                    if CONVERSIONS > 5u {
                        total = convert(r, s, tile, plane, 5u, v.s5, k, total);
                    }
                    if CONVERSIONS > 6u {
                        total = convert(r, s, tile, plane, 6u, v.s6, k, total);
                    }
                    if CONVERSIONS > 7u {
                        total = convert(r, s, tile, plane, 7u, v.s7, k, total);
                    }
                }
            }
            if !INTEGER {
                parts += plane_part(r, s, tile, plane, total, codes_here);
            }
            total = end_plane(r, plane, total);
        }
    }
    store_output(r, s, parts, total, input);
}
