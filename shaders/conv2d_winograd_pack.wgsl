//!include shared/run.wgsl
// Kernels of 3 x 3 as conv2d_winograd.wgsl multiplies them: U = G g G^T, 16 values of a pair of channels, with
// packed[chip][tile][channel read][value][channel of the tile], 0 where a channel does not exist. One thread
// makes all values of a channel that is read and four of the tile.
// Constants from the prelude: CHANNELS (16, 32), TURNED.

struct Params {
    w: View,
    // Packed vec4 from chip to chip, channels that are read with those that fill the last step, channels.
    w_chip: u32,
    depth: u32,
    read: u32,
    written: u32,
    // Weights from channel to channel.
    read_stride: u32,
    written_stride: u32,
    threads: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<vec4<f32>>;

const SIDE: u32 = CHANNELS / 4u;

// A tap of four channels.
fn tap(first: vec4<u32>, there: vec4<bool>, y: u32, x: u32) -> vec4<f32> {
    var k = 3u * y + x;
    if TURNED {
        k = 8u - k;
    }
    let at = first + k;
    return select(vec4<f32>(0.0), vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]), there);
}

struct Column {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

// G times a column.
fn spread(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> Column {
    let ends = (a + c) * 0.5;
    let middle = b * 0.5;
    return Column(a, ends + middle, ends - middle, c);
}

fn put(at: u32, c: Column) {
    packed[at] = c.a;
    packed[at + SIDE] = c.b;
    packed[at + 2u * SIDE] = c.c;
    packed[at + 3u * SIDE] = c.d;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if item >= p.threads || chip >= run.chips {
        return;
    }
    let quad = item % SIDE;
    let c = item / SIDE % p.depth;
    let tile = item / SIDE / p.depth;
    let channels = tile * CHANNELS + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let there = (channels < vec4<u32>(p.written)) & vec4<bool>(c < p.read);
    let first = chip_base(p.w, chip) + min(c, p.read - 1u) * p.read_stride
        + min(channels, vec4<u32>(p.written - 1u)) * p.written_stride;
    let x = spread(tap(first, there, 0u, 0u), tap(first, there, 1u, 0u), tap(first, there, 2u, 0u));
    let y = spread(tap(first, there, 0u, 1u), tap(first, there, 1u, 1u), tap(first, there, 2u, 1u));
    let z = spread(tap(first, there, 0u, 2u), tap(first, there, 1u, 2u), tap(first, there, 2u, 2u));
    let at = chip * p.w_chip + ((tile * p.depth + c) * 16u) * SIDE + quad;
    put(at, spread(x.a, y.a, z.a));
    put(at + 4u * SIDE, spread(x.b, y.b, z.b));
    put(at + 8u * SIDE, spread(x.c, y.c, z.c));
    put(at + 12u * SIDE, spread(x.d, y.d, z.d));
}
