//!include shared/post.wgsl
// y[o, p] = post(sum_k w[o, k] x[o, k at p]): depthwise convolutions of 3x3 kernels with stride 1, and the
// gradient of their input, which is one with the kernel turned (TURNED). A thread computes 2 rows x 4
// columns of one channel for four images from the 4 x 6 places that they see, so that a place is loaded
// once for up to six products; a workgroup has one channel, whose weights all its threads share. Sums have
// the order of shared/tile.wgsl. They are written out, so a compiler may drop the 0 that they begin with (WGSL
// leaves the sign of zeros open, and Mesa does it): a sum of products -0 is then -0.
// Constants from the prelude: TURNED, and what shared/post.wgsl needs.

struct Params {
    x: View,
    y: View,
    w: View,
    post: Post,
    h_in: u32,
    w_in: u32,
    h_out: u32,
    w_out: u32,
    // From a result's row and column to those of the first place that it sees; wraps where negative.
    top: u32,
    left: u32,
    channels: u32,
    // Tiles of 2 x 4 results in a row of them, in a map.
    tiles_x: u32,
    tiles: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> quant_step: array<f32>;

// Places of one row of the map.
struct Seen {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
}

// Results of one row.
struct Sums {
    s0: vec4<f32>,
    s1: vec4<f32>,
    s2: vec4<f32>,
    s3: vec4<f32>,
}

// Three weights of a row of the kernel, by the place that they meet.
fn weights_of(chip: u32, channel: u32, row: u32) -> vec3<f32> {
    let first = chip_base(p.w, chip) + channel * 9u;
    if TURNED {
        let at = first + 3u * (2u - row);
        return vec3<f32>(w[at + 2u], w[at + 1u], w[at]);
    }
    let at = first + 3u * row;
    return vec3<f32>(w[at], w[at + 1u], w[at + 2u]);
}

fn place(at: u32, row_inside: bool, column: u32, offset: u32) -> vec4<f32> {
    let inside = row_inside & (column + offset < p.w_in);
    let value = x[select(0u, at + offset * QUADS, inside)];
    return select(vec4<f32>(0.0), value, inside);
}

// Places of a row from `column` on; slab: the channel's map.
fn row_at(slab: u32, row: u32, column: u32) -> Seen {
    let at = slab + (row * p.w_in + column) * QUADS;
    let inside = row < p.h_in;
    return Seen(
        place(at, inside, column, 0u),
        place(at, inside, column, 1u),
        place(at, inside, column, 2u),
        place(at, inside, column, 3u),
        place(at, inside, column, 4u),
        place(at, inside, column, 5u),
    );
}

fn three(sum: vec4<f32>, k: vec3<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    if TURNED {
        return fma(vec4<f32>(k.x), a, fma(vec4<f32>(k.y), b, fma(vec4<f32>(k.z), c, sum)));
    }
    return fma(vec4<f32>(k.z), c, fma(vec4<f32>(k.y), b, fma(vec4<f32>(k.x), a, sum)));
}

fn add_row(t: ptr<function, Sums>, k: vec3<f32>, seen: Seen) {
    (*t).s0 = three((*t).s0, k, seen.c0, seen.c1, seen.c2);
    (*t).s1 = three((*t).s1, k, seen.c1, seen.c2, seen.c3);
    (*t).s2 = three((*t).s2, k, seen.c2, seen.c3, seen.c4);
    (*t).s3 = three((*t).s3, k, seen.c3, seen.c4, seen.c5);
}

struct Site {
    y_at: u32,
    residual_at: u32,
    row: u32,
    column: u32,
    scale: f32,
    shift: f32,
    step: f32,
}

fn put(s: Site, row: u32, column: u32, value: vec4<f32>) {
    if s.row + row >= p.h_out || s.column + column >= p.w_out {
        return;
    }
    let offset = (row * p.w_out + column) * QUADS;
    var r = vec4<f32>(0.0);
    if HAS_RESIDUAL {
        r = residual[s.residual_at + offset];
    }
    y[s.y_at + offset] = post_value(value, s.scale, s.shift, r, s.step, p.post);
}

fn put_row(s: Site, row: u32, t: Sums) {
    put(s, row, 0u, t.s0);
    put(s, row, 1u, t.s1);
    put(s, row, 2u, t.s2);
    put(s, row, 3u, t.s3);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let flat = flat_group(group, groups);
    let chip = chip_of(group);
    // The same for the whole workgroup.
    let channel = flat % p.channels;
    let item = flat / p.channels * 64u + local;
    let quad = item % 4u;
    let tile = item / 4u % p.tiles;
    let block = item / 4u / p.tiles;
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let row = tile / p.tiles_x * 2u;
    let column = tile % p.tiles_x * 4u;

    let slab = block_base(p.x, chip, block) + channel * p.h_in * p.w_in * QUADS + quad;
    // Above the first row or before the first column these wrap and are too large as well.
    let r0 = row_at(slab, row + p.top, column + p.left);
    let r1 = row_at(slab, row + p.top + 1u, column + p.left);
    let r2 = row_at(slab, row + p.top + 2u, column + p.left);
    let r3 = row_at(slab, row + p.top + 3u, column + p.left);
    let k0 = weights_of(chip, channel, 0u);
    let k1 = weights_of(chip, channel, 1u);
    let k2 = weights_of(chip, channel, 2u);
    var upper: Sums;
    var lower: Sums;
    if TURNED {
        add_row(&lower, k2, r3);
        add_row(&upper, k2, r2);
        add_row(&lower, k1, r2);
        add_row(&upper, k1, r1);
        add_row(&lower, k0, r1);
        add_row(&upper, k0, r0);
    } else {
        add_row(&upper, k0, r0);
        add_row(&upper, k1, r1);
        add_row(&lower, k0, r1);
        add_row(&upper, k2, r2);
        add_row(&lower, k1, r2);
        add_row(&lower, k2, r3);
    }

    let at = (channel * p.h_out + row) * p.w_out + column;
    var s: Site;
    s.y_at = block_base(p.y, chip, block) + at * QUADS + quad;
    s.residual_at = block_base(p.post.residual, chip, block) + at * QUADS + quad;
    s.row = row;
    s.column = column;
    s.scale = 1.0;
    s.shift = 0.0;
    s.step = 1.0;
    if HAS_SCALE {
        s.scale = scale[chip_base(p.post.scale, chip) + channel];
    }
    if HAS_SHIFT {
        s.shift = shift[chip_base(p.post.shift, chip) + channel];
    }
    if HAS_QUANT {
        s.step = quant_step[0];
    }
    put_row(s, 0u, upper);
    put_row(s, 1u, lower);
}
