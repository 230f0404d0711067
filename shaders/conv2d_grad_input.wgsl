//!include shared/run.wgsl
//!include shared/conv.wgsl
//!include shared/tile.wgsl
// dx[k] = sum_(o, p) w[o, k] dy[o, p], gathered: a thread computes 8 input channels of one input
// pixel for 8 images from the outputs that read it. The map of the inner loop is dy.

struct Params {
    dy: View,
    dx: View,
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
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = p.conv;
    let item = flat_group(group, groups) * 64u + local;
    let pixels = c.h_in * c.w_in;
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

    let ty = taps_backward(pixel / c.w_in, c.h_out, c.kh, c.stride_y, c.dilation_y, c.pad_top);
    let tx = taps_backward(pixel % c.w_in, c.w_out, c.kw, c.stride_x, c.dilation_x, c.pad_left);
    let map = c.h_out * c.w_out * QUADS;
    let x0 = block_base(p.dy, chip, block) + channel_group * c.group_out * map
        + (ty.at * c.w_out + tx.at) * QUADS + half * 2u;
    let taps = c.kh * c.kw;
    let w0 = chip * p.w_chip
        + (tile * c.group_out * taps + ty.first * c.kw + tx.first) * 2u;
    // Where nothing reads the pixel there is nothing to sum.
    let outputs = select(c.group_out, 0u, ty.count * tx.count == 0u);
    let t = tile_sum(
        x0,
        w0,
        Walk(outputs, map, taps * 2u),
        Walk(ty.count, ty.advance * c.w_out * QUADS, ty.step * c.kw * 2u),
        Walk(tx.count, tx.advance * QUADS, tx.step * 2u),
    );

    let first = tile % p.tiles * 8u;
    let channels = c.group_in - first;
    let at = block_base(p.dx, chip, block)
        + ((channel_group * c.group_in + first) * pixels + pixel) * QUADS + half * 2u;
    store(at, pixels, 0u, channels, t.a0, t.b0);
    store(at, pixels, 1u, channels, t.a1, t.b1);
    store(at, pixels, 2u, channels, t.a2, t.b2);
    store(at, pixels, 3u, channels, t.a3, t.b3);
    store(at, pixels, 4u, channels, t.a4, t.b4);
    store(at, pixels, 5u, channels, t.a5, t.b5);
    store(at, pixels, 6u, channels, t.a6, t.b6);
    store(at, pixels, 7u, channels, t.a7, t.b7);
}

fn store(at: u32, pixels: u32, j: u32, channels: u32, a: vec4<f32>, b: vec4<f32>) {
    if j < channels {
        dx[at + j * pixels * QUADS] = a;
        dx[at + j * pixels * QUADS + 1u] = b;
    }
}
