//!include shared/run.wgsl
//!include shared/pool.wgsl
// Largest value of a window, padding left out. One thread a quad of images of one output.

struct Params {
    x: View,
    y: View,
    pool: Pool,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let g = p.pool;
    let item = flat_group(group, groups) * 64u + local;
    let block = item / p.y.block_stride;
    let at = item % p.y.block_stride;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let quad = at % QUADS;
    let pixel = at / QUADS % (g.h_out * g.w_out);
    let channel = at / QUADS / (g.h_out * g.w_out);
    let rows = window(pixel / g.w_out, g.h_in, g.kh, g.stride_y, g.pad_top);
    let columns = window(pixel % g.w_out, g.w_in, g.kw, g.stride_x, g.pad_left);
    let base = block_base(p.x, chip, block) + channel * g.h_in * g.w_in * QUADS + quad;
    var best = x[base + (rows.first * g.w_in + columns.first) * QUADS];
    for (var iy = rows.first; iy < rows.end; iy++) {
        for (var ix = columns.first; ix < columns.end; ix++) {
            best = max(best, x[base + (iy * g.w_in + ix) * QUADS]);
        }
    }
    y[block_base(p.y, chip, block) + at] = best;
}
