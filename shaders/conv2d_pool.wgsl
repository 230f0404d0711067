//!include shared/post.wgsl
//!include shared/conv.wgsl
//!include shared/tile.wgsl
// y[o, q] = quant(pool over p in window q of post(sum_k w[o, k] x[k at p])). A thread computes the windows of 8 output
// channels at one place for 8 images, pixel after pixel; the map in between stays in its registers. Neighbouring
// threads share the channels. The chip is the z axis. Tiles in shared/tile.wgsl, MEAN from the prelude.

struct Params {
    x: View,
    y: View,
    post: Post,
    conv: Conv,
    // Packed weights from chip to chip, tiles of 8 channels.
    w_chip: u32,
    tiles: u32,
    // Rows and columns of a window, of the pooled map.
    kh: u32,
    kw: u32,
    h_out: u32,
    w_out: u32,
    // Codes of the quantizer behind.
    lo: f32,
    hi: f32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> quant_step: array<f32>;
@group(0) @binding(8) var<storage, read> pooled_step: array<f32>;

struct Site {
    chip: u32,
    // Of the two quads in a slab of y, and from channel to channel.
    y_at: u32,
    channel_quads: u32,
    first_channel: u32,
    channels: u32,
    step: f32,
    pooled_step: f32,
}

// A window with one more value, which may be its first.
fn pool(window: vec4<f32>, value: vec4<f32>, first: bool) -> vec4<f32> {
    if MEAN {
        return window + value;
    }
    return select(max(window, value), value, first);
}

// The value of channel `j` behind the epilogue.
fn finish(s: Site, j: u32, value: vec4<f32>) -> vec4<f32> {
    // Channels beyond the last one are not written; their constants are the last one's.
    let channel = s.first_channel + min(j, s.channels - 1u);
    var f = 1.0;
    var t = 0.0;
    if HAS_SCALE {
        f = scale[chip_base(p.post.scale, s.chip) + channel];
    }
    if HAS_SHIFT {
        t = shift[chip_base(p.post.shift, s.chip) + channel];
    }
    return post_value(value, f, t, vec4<f32>(0.0), s.step, p.post);
}

fn store(s: Site, j: u32, a: vec4<f32>, b: vec4<f32>) {
    if j >= s.channels {
        return;
    }
    var u = a;
    var v = b;
    if MEAN {
        let count = f32(p.kh * p.kw);
        u = u / count;
        v = v / count;
    }
    if POOLED_QUANT {
        u = quantize(u, s.pooled_step, p.lo, p.hi, POOLED_FLOOR);
        v = quantize(v, s.pooled_step, p.lo, p.hi, POOLED_FLOOR);
    }
    let at = s.y_at + j * s.channel_quads;
    y[at] = u;
    y[at + 1u] = v;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = p.conv;
    let item = flat_group(group, groups) * 64u + local;
    let places = p.h_out * p.w_out;
    let columns = run.blocks * places * 2u;
    let tile = item / columns;
    let chip = chip_of(group);
    if tile >= p.tiles || chip >= run.chips {
        return;
    }
    let half = item % 2u;
    let place = (item % columns) / 2u % places;
    let block = (item % columns) / 2u / places;

    var s: Site;
    s.chip = chip;
    s.first_channel = tile * 8u;
    s.channels = c.group_out - s.first_channel;
    s.channel_quads = places * QUADS;
    s.y_at = block_base(p.y, chip, block) + s.first_channel * s.channel_quads + place * QUADS + half * 2u;
    s.step = 1.0;
    if HAS_QUANT {
        s.step = quant_step[0];
    }
    s.pooled_step = 1.0;
    if POOLED_QUANT {
        s.pooled_step = pooled_step[0];
    }

    let map = c.h_in * c.w_in * QUADS;
    let taps = c.kh * c.kw;
    let x_block = block_base(p.x, chip, block) + half * 2u;
    let w_tile = chip * p.w_chip + tile * c.group_in * taps * 2u;
    var a0 = vec4<f32>(0.0);
    var a1 = vec4<f32>(0.0);
    var a2 = vec4<f32>(0.0);
    var a3 = vec4<f32>(0.0);
    var a4 = vec4<f32>(0.0);
    var a5 = vec4<f32>(0.0);
    var a6 = vec4<f32>(0.0);
    var a7 = vec4<f32>(0.0);
    var b0 = vec4<f32>(0.0);
    var b1 = vec4<f32>(0.0);
    var b2 = vec4<f32>(0.0);
    var b3 = vec4<f32>(0.0);
    var b4 = vec4<f32>(0.0);
    var b5 = vec4<f32>(0.0);
    var b6 = vec4<f32>(0.0);
    var b7 = vec4<f32>(0.0);
    for (var iy = 0u; iy < p.kh; iy++) {
        let row = place / p.w_out * p.kh + iy;
        let ty = taps_forward(row, c.h_in, c.kh, c.stride_y, c.dilation_y, c.pad_top);
        for (var ix = 0u; ix < p.kw; ix++) {
            let first = iy + ix == 0u;
            let column = place % p.w_out * p.kw + ix;
            let tx = taps_forward(column, c.w_in, c.kw, c.stride_x, c.dilation_x, c.pad_left);
            let t = tile_sum(
                x_block + (ty.at * c.w_in + tx.at) * QUADS,
                w_tile + (ty.first * c.kw + tx.first) * 2u,
                Walk(c.group_in, map, taps * 2u),
                Walk(ty.count, ty.advance * c.w_in * QUADS, c.kw * 2u),
                Walk(tx.count, tx.advance * QUADS, 2u),
            );
            a0 = pool(a0, finish(s, 0u, t.a0), first);
            b0 = pool(b0, finish(s, 0u, t.b0), first);
            a1 = pool(a1, finish(s, 1u, t.a1), first);
            b1 = pool(b1, finish(s, 1u, t.b1), first);
            a2 = pool(a2, finish(s, 2u, t.a2), first);
            b2 = pool(b2, finish(s, 2u, t.b2), first);
            a3 = pool(a3, finish(s, 3u, t.a3), first);
            b3 = pool(b3, finish(s, 3u, t.b3), first);
            a4 = pool(a4, finish(s, 4u, t.a4), first);
            b4 = pool(b4, finish(s, 4u, t.b4), first);
            a5 = pool(a5, finish(s, 5u, t.a5), first);
            b5 = pool(b5, finish(s, 5u, t.b5), first);
            a6 = pool(a6, finish(s, 6u, t.a6), first);
            b6 = pool(b6, finish(s, 6u, t.b6), first);
            a7 = pool(a7, finish(s, 7u, t.a7), first);
            b7 = pool(b7, finish(s, 7u, t.b7), first);
        }
    }
    store(s, 0u, a0, b0);
    store(s, 1u, a1, b1);
    store(s, 2u, a2, b2);
    store(s, 3u, a3, b3);
    store(s, 4u, a4, b4);
    store(s, 5u, a5, b5);
    store(s, 6u, a6, b6);
    store(s, 7u, a7, b7);
}
