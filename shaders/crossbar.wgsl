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
@group(0) @binding(4) var<storage, read> packed: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> correct: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> clipped: array<vec4<f32>>;

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
        var codes_here = vec4<i32>(0);
        if SUM_CODES {
            codes_here = tile_codes(r, s, tile);
            input += codes_here;
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            let k = converters(r, s, tile, plane);
            if !INTEGER {
                total = Total(zero_total().codes, zero4(), total.clipped);
            }
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                let v = crossbar_sums(r, s, tile, plane, t);
                let a = with_noise(r, s, tile, plane, t, v.s0, v.s4);
                total = convert(r, s, tile, plane, t, a, k, total);
                if STEPS > 1u {
                    let b = with_noise(r, s, tile, plane, t + 1u, v.s1, v.s5);
                    total = convert(r, s, tile, plane, t + 1u, b, k, total);
                }
                if STEPS > 2u {
                    let c = with_noise(r, s, tile, plane, t + 2u, v.s2, v.s6);
                    total = convert(r, s, tile, plane, t + 2u, c, k, total);
                }
                if STEPS > 3u {
                    let d = with_noise(r, s, tile, plane, t + 3u, v.s3, v.s7);
                    total = convert(r, s, tile, plane, t + 3u, d, k, total);
                }
                if STEPS > 4u {
                    total = convert(r, s, tile, plane, t + 4u, v.s4, k, total);
                }
                if STEPS > 5u {
                    total = convert(r, s, tile, plane, t + 5u, v.s5, k, total);
                }
                if STEPS > 6u {
                    total = convert(r, s, tile, plane, t + 6u, v.s6, k, total);
                }
                if STEPS > 7u {
                    total = convert(r, s, tile, plane, t + 7u, v.s7, k, total);
                }
            }
            if !INTEGER {
                parts += plane_part(r, s, tile, plane, total, codes_here);
            }
        }
    }
    store_output(r, s, parts, total, input);
}
