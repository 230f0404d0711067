//!include shared/post.wgsl
//!include shared/conv.wgsl
//!include shared/tile.wgsl
// y[o, p] = post(sum_k w[o, k] x[k at p]). A thread computes 8 output channels of one pixel for 8
// images; neighbouring threads share the channels, so their weights are the same. The chip is the
// z axis. Tiles in shared/tile.wgsl.

struct Params {
    x: View,
    y: View,
    post: Post,
    conv: Conv,
    // Packed weights from chip to chip, tiles of 8 channels in a group, groups.
    w_chip: u32,
    tiles: u32,
    groups: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> quant_step: array<f32>;

struct Site {
    chip: u32,
    // Of the two quads in a slab of y, of the residual.
    y_at: u32,
    residual_at: u32,
    // From channel to channel.
    channel_quads: u32,
    first_channel: u32,
    channels: u32,
    step: f32,
}

fn store(s: Site, j: u32, a: vec4<f32>, b: vec4<f32>) {
    if j >= s.channels {
        return;
    }
    let channel = s.first_channel + j;
    var f = 1.0;
    var t = 0.0;
    var ra = vec4<f32>(0.0);
    var rb = vec4<f32>(0.0);
    if HAS_SCALE {
        f = scale[chip_base(p.post.scale, s.chip) + channel];
    }
    if HAS_SHIFT {
        t = shift[chip_base(p.post.shift, s.chip) + channel];
    }
    if HAS_RESIDUAL {
        ra = residual[s.residual_at + j * s.channel_quads];
        rb = residual[s.residual_at + j * s.channel_quads + 1u];
    }
    let at = s.y_at + j * s.channel_quads;
    y[at] = post_value(a, f, t, ra, s.step, p.post);
    y[at + 1u] = post_value(b, f, t, rb, s.step, p.post);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = p.conv;
    let item = flat_group(group, groups) * 64u + local;
    let pixels = c.h_out * c.w_out;
    let columns = run.blocks * pixels * 2u;
    let tile = item / columns;
    let chip = chip_of(group);
    if tile >= p.tiles * p.groups || chip >= run.chips {
        return;
    }
    let half = item % 2u;
    let pixel = (item % columns) / 2u % pixels;
    let block = (item % columns) / 2u / pixels;
    let channel_group = tile / p.tiles;

    let ty = taps_forward(pixel / c.w_out, c.h_in, c.kh, c.stride_y, c.dilation_y, c.pad_top);
    let tx = taps_forward(pixel % c.w_out, c.w_in, c.kw, c.stride_x, c.dilation_x, c.pad_left);
    let map = c.h_in * c.w_in * QUADS;
    let x0 = block_base(p.x, chip, block) + channel_group * c.group_in * map
        + (ty.at * c.w_in + tx.at) * QUADS + half * 2u;
    let taps = c.kh * c.kw;
    let w0 = chip * p.w_chip
        + (tile * c.group_in * taps + ty.first * c.kw + tx.first) * 2u;
    let t = tile_sum(
        x0,
        w0,
        Walk(c.group_in, map, taps * 2u),
        Walk(ty.count, ty.advance * c.w_in * QUADS, c.kw * 2u),
        Walk(tx.count, tx.advance * QUADS, 2u),
    );

    var s: Site;
    let first = tile % p.tiles * 8u;
    s.chip = chip;
    s.first_channel = channel_group * c.group_out + first;
    s.channels = c.group_out - first;
    s.channel_quads = pixels * QUADS;
    let at = s.first_channel * s.channel_quads + pixel * QUADS + half * 2u;
    s.y_at = block_base(p.y, chip, block) + at;
    s.residual_at = block_base(p.post.residual, chip, block) + at;
    s.step = 1.0;
    if HAS_QUANT {
        s.step = quant_step[0];
    }
    store(s, 0u, t.a0, t.b0);
    store(s, 1u, t.a1, t.b1);
    store(s, 2u, t.a2, t.b2);
    store(s, 3u, t.a3, t.b3);
    store(s, 4u, t.a4, t.b4);
    store(s, 5u, t.a5, t.b5);
    store(s, 6u, t.a6, t.b6);
    store(s, 7u, t.a7, t.b7);
}
