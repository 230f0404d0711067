//!include shared/run.wgsl
//!include shared/pool.wgsl
// Spreads the gradient of a window evenly over its elements. Gathered: one thread a quad of images
// of one input.

struct Params {
    dy: View,
    dx: View,
    pool: Pool,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let g = p.pool;
    let item = flat_group(group, groups) * 64u + local;
    let block = item / p.dx.block_stride;
    let at = item % p.dx.block_stride;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let quad = at % QUADS;
    let pixel = at / QUADS % (g.h_in * g.w_in);
    let channel = at / QUADS / (g.h_in * g.w_in);
    let rows = windows_of(pixel / g.w_in, g.h_out, g.kh, g.stride_y, g.pad_top);
    let columns = windows_of(pixel % g.w_in, g.w_out, g.kw, g.stride_x, g.pad_left);
    let base = block_base(p.dy, chip, block) + channel * g.h_out * g.w_out * QUADS + quad;
    var sum = vec4<f32>(0.0);
    for (var oy = rows.first; oy < rows.end; oy++) {
        let wy = window(oy, g.h_in, g.kh, g.stride_y, g.pad_top);
        for (var ox = columns.first; ox < columns.end; ox++) {
            let wx = window(ox, g.w_in, g.kw, g.stride_x, g.pad_left);
            let count = (wy.end - wy.first) * (wx.end - wx.first);
            sum += dy[base + (oy * g.w_out + ox) * QUADS] / f32(count);
        }
    }
    dx[block_base(p.dx, chip, block) + at] = sum;
}
