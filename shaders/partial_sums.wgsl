//!include shared/crossbar.wgsl
// What the converters of crossbar.wgsl see, stored: channel
// ((plane cols + column) row_tiles + row tile) conversions + step.

struct Params {
    reading: Reading,
    y: View,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> packed: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

fn store(r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: mat4x4<f32>) {
    let base = block_base(p.y, s.chip, s.block) + s.quad;
    let column = r.row_tiles * CONVERSIONS;
    let channel = (plane * r.cols + s.column) * column + tile * CONVERSIONS + t;
    for (var j = 0u; j < s.columns; j++) {
        y[base + ((channel + j * column) * r.pixels + s.pixel) * QUADS] = v[j];
    }
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
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        for (var plane = 0u; plane < r.planes; plane++) {
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                let v = crossbar_sums(r, s, tile, plane, t);
                var sums = array<mat4x4<f32>, 8>(v.s0, v.s1, v.s2, v.s3, v.s4, v.s5, v.s6, v.s7);
                for (var i = 0u; i < min(STEPS, CONVERSIONS - t); i++) {
                    let seen = with_noise(r, s, tile, plane, t + i, sums[i], sums[i + NOISE_AT]);
                    store(r, s, tile, plane, t + i, seen);
                }
            }
        }
    }
}
