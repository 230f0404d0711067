//!include shared/run.wgsl
//!include shared/conv.wgsl
// First stage of dw[o, k] = sum_(images, p) dy[o, p] x[k at p]: a thread sums 4 output channels x
// 4 rows of the weight over its split of the output rows of all blocks. Second stage:
// sum_partials.wgsl. Both add in a fixed order.

struct Params {
    x: View,
    dy: View,
    conv: Conv,
    // Values of the weight, rows, splits, groups of channels.
    weights: u32,
    rows: u32,
    splits: u32,
    groups: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
// [chip][split][weight].
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

fn across(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn load(at: u32, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(0.0), x[select(0u, at, inside)], inside);
}

fn store(at: u32, o: u32, channels: u32, k: vec4<u32>, v: vec4<f32>) {
    if o >= channels {
        return;
    }
    for (var j = 0u; j < 4u; j++) {
        if k[j] < p.rows {
            partial[at + o * p.rows + k[j]] = v[j];
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = p.conv;
    let item = flat_group(group, groups) * 64u + local;
    let k_tiles = (p.rows + 3u) / 4u;
    let o_tiles = (c.group_out + 3u) / 4u;
    let chip = chip_of(group);
    let split = item / (k_tiles * o_tiles * p.groups);
    if split >= p.splits || chip >= run.chips {
        return;
    }
    let k = item % k_tiles * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let o = item / k_tiles % o_tiles * 4u;
    let channel_group = item / (k_tiles * o_tiles) % p.groups;

    // Position of the four rows in the map, padding included.
    let taps = c.kh * c.kw;
    let ky = k % taps / c.kw * c.dilation_y;
    let kx = k % c.kw * c.dilation_x;
    let map_in = c.h_in * c.w_in;
    let map_out = c.h_out * c.w_out;
    let channel = (channel_group * c.group_in + k / taps) * map_in;
    // Channels beyond the last are computed again as the last and not stored.
    let o_last = vec4<u32>(c.group_out - 1u);
    let o_map = (channel_group * c.group_out + min(o + vec4<u32>(0u, 1u, 2u, 3u), o_last))
        * map_out * QUADS;

    let strips = run.blocks * c.h_out;
    let share = (strips + p.splits - 1u) / p.splits;
    let end = min(strips, (split + 1u) * share);
    // s<o><k> in named registers, see shared/tile.wgsl.
    var s00 = vec4<f32>(0.0);
    var s01 = vec4<f32>(0.0);
    var s02 = vec4<f32>(0.0);
    var s03 = vec4<f32>(0.0);
    var s10 = vec4<f32>(0.0);
    var s11 = vec4<f32>(0.0);
    var s12 = vec4<f32>(0.0);
    var s13 = vec4<f32>(0.0);
    var s20 = vec4<f32>(0.0);
    var s21 = vec4<f32>(0.0);
    var s22 = vec4<f32>(0.0);
    var s23 = vec4<f32>(0.0);
    var s30 = vec4<f32>(0.0);
    var s31 = vec4<f32>(0.0);
    var s32 = vec4<f32>(0.0);
    var s33 = vec4<f32>(0.0);
    for (var strip = split * share; strip < end; strip++) {
        let block = strip / c.h_out;
        let oy = strip % c.h_out;
        // Beyond the upper edge this wraps and is too large as well.
        let iy = oy * c.stride_y + ky - c.pad_top;
        let row_inside = (iy < vec4<u32>(c.h_in)) & (k < vec4<u32>(p.rows));
        let x_row = block_base(p.x, chip, block) + (channel + iy * c.w_in) * QUADS;
        let dy_row = block_base(p.dy, chip, block) + o_map + oy * c.w_out * QUADS;
        for (var ox = 0u; ox < c.w_out; ox++) {
            let ix = ox * c.stride_x + kx - c.pad_left;
            let inside = row_inside & (ix < vec4<u32>(c.w_in));
            for (var quad = 0u; quad < QUADS; quad++) {
                let xi = x_row + ix * QUADS + quad;
                let yi = dy_row + ox * QUADS + quad;
                let used = lanes_used(block, quad);
                let x0 = load(xi.x, inside.x);
                let x1 = load(xi.y, inside.y);
                let x2 = load(xi.z, inside.z);
                let x3 = load(xi.w, inside.w);
                let y0 = select(vec4<f32>(0.0), dy[yi.x], used);
                let y1 = select(vec4<f32>(0.0), dy[yi.y], used);
                let y2 = select(vec4<f32>(0.0), dy[yi.z], used);
                let y3 = select(vec4<f32>(0.0), dy[yi.w], used);
                s00 = fma(y0, x0, s00);
                s01 = fma(y0, x1, s01);
                s02 = fma(y0, x2, s02);
                s03 = fma(y0, x3, s03);
                s10 = fma(y1, x0, s10);
                s11 = fma(y1, x1, s11);
                s12 = fma(y1, x2, s12);
                s13 = fma(y1, x3, s13);
                s20 = fma(y2, x0, s20);
                s21 = fma(y2, x1, s21);
                s22 = fma(y2, x2, s22);
                s23 = fma(y2, x3, s23);
                s30 = fma(y3, x0, s30);
                s31 = fma(y3, x1, s31);
                s32 = fma(y3, x2, s32);
                s33 = fma(y3, x3, s33);
            }
        }
    }
    let at = (chip * p.splits + split) * p.weights + channel_group * c.group_out * p.rows;
    let r0 = vec4<f32>(across(s00), across(s01), across(s02), across(s03));
    let r1 = vec4<f32>(across(s10), across(s11), across(s12), across(s13));
    let r2 = vec4<f32>(across(s20), across(s21), across(s22), across(s23));
    let r3 = vec4<f32>(across(s30), across(s31), across(s32), across(s33));
    store(at, o, c.group_out, k, r0);
    store(at, o + 1u, c.group_out, k, r1);
    store(at, o + 2u, c.group_out, k, r2);
    store(at, o + 3u, c.group_out, k, r3);
}
