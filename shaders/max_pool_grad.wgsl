//!include shared/run.wgsl
//!include shared/pool.wgsl
// The gradient of a window goes to the first element, row by row, that equals its maximum.
// Gathered: one thread a quad of images of one input; it asks every window that contains it
// whether an earlier element has the maximum too.

struct Params {
    x: View,
    y: View,
    dy: View,
    dx: View,
    pool: Pool,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

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
    let map_in = g.h_in * g.w_in;
    let map_out = g.h_out * g.w_out;
    let pixel = at / QUADS % map_in;
    let channel = at / QUADS / map_in;
    let x_base = block_base(p.x, chip, block) + channel * map_in * QUADS + quad;
    let y_base = block_base(p.y, chip, block) + channel * map_out * QUADS + quad;
    let dy_base = block_base(p.dy, chip, block) + channel * map_out * QUADS + quad;
    let value = x[x_base + pixel * QUADS];

    let rows = windows_of(pixel / g.w_in, g.h_out, g.kh, g.stride_y, g.pad_top);
    let columns = windows_of(pixel % g.w_in, g.w_out, g.kw, g.stride_x, g.pad_left);
    var sum = vec4<f32>(0.0);
    for (var oy = rows.first; oy < rows.end; oy++) {
        let wy = window(oy, g.h_in, g.kh, g.stride_y, g.pad_top);
        for (var ox = columns.first; ox < columns.end; ox++) {
            let wx = window(ox, g.w_in, g.kw, g.stride_x, g.pad_left);
            let best = y[y_base + (oy * g.w_out + ox) * QUADS];
            var wins = value == best;
            for (var iy = wy.first; iy <= pixel / g.w_in; iy++) {
                for (var ix = wx.first; ix < wx.end; ix++) {
                    let i = iy * g.w_in + ix;
                    if i < pixel {
                        wins = wins & (x[x_base + i * QUADS] != best);
                    }
                }
            }
            let d = dy[dy_base + (oy * g.w_out + ox) * QUADS];
            sum += select(vec4<f32>(0.0), d, wins);
        }
    }
    dx[block_base(p.dx, chip, block) + at] = sum;
}
