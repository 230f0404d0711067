//!include shared/post.wgsl
//!include shared/winograd.wgsl
// Convolutions of 3 x 3 and stride 1, and the gradients of their inputs, by Winograd's F(2 x 2, 3 x 3): the
// equations are in src/program/winograd.rs. Of every tile of 4 x 4 values of a channel 16 values V are made,
// each is multiplied by its value U of the kernels (conv2d_winograd_pack.wgsl), and the 16 sums over channels
// become 2 x 2 results.
//
// A workgroup of 256 computes CHANNELS channels of SPREAD quads of images at tiles. A thread multiplies one of
// the 16 values: 8 channels of 4 quads, 128 accumulators in named registers. For every DEPTH channels that are
// read each thread makes two values V of a quad, from two rows of three values of the map, and brings four
// values U; the next ones are loaded while it multiplies. At the end the threads exchange their sums, a
// channel of eight at a time, and each makes one result of a quad: with the same workgroup memory.
// Constants from the prelude: CHANNELS (16, 32), and what shared/post.wgsl needs.

struct Params {
    x: View,
    y: View,
    post: Post,
    // Map that is read, zeros above and left of it, map that is written.
    h_in: u32,
    w_in: u32,
    pad_y: u32,
    pad_x: u32,
    h_out: u32,
    w_out: u32,
    // Rows and columns of tiles.
    rows: u32,
    columns: u32,
    // Channels, those that are read with what fills the last step, tiles of those that are written.
    read: u32,
    depth: u32,
    written: u32,
    tiles: u32,
    // Packed vec4 from chip to chip, 0 where they share the weights.
    w_chip: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> quant_step: array<f32>;

const EIGHTS: u32 = CHANNELS / 8u;
const DEPTH: u32 = CHANNELS / 16u;
const SPREAD: u32 = 512u / CHANNELS;
// Threads side by side of one of the 16 values.
const SIDE: u32 = SPREAD / 4u;
// vec4 of U of a step.
const BROUGHT: u32 = DEPTH * 4u * CHANNELS;

// V of a step, [channel][value][quad], and U behind it, [channel][value][four channels]; at the end sums,
// [value][eight of channels][quad].
var<workgroup> near: array<vec4<f32>, 1024>;

const U: u32 = 512u;

// Sums of a thread: <quad><channel>. A structure without arrays, so that every driver keeps it in registers.
struct Sums {
    a0: vec4<f32>,
    a1: vec4<f32>,
    a2: vec4<f32>,
    a3: vec4<f32>,
    a4: vec4<f32>,
    a5: vec4<f32>,
    a6: vec4<f32>,
    a7: vec4<f32>,
    b0: vec4<f32>,
    b1: vec4<f32>,
    b2: vec4<f32>,
    b3: vec4<f32>,
    b4: vec4<f32>,
    b5: vec4<f32>,
    b6: vec4<f32>,
    b7: vec4<f32>,
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
    d0: vec4<f32>,
    d1: vec4<f32>,
    d2: vec4<f32>,
    d3: vec4<f32>,
    d4: vec4<f32>,
    d5: vec4<f32>,
    d6: vec4<f32>,
    d7: vec4<f32>,
}

// Adds the products of the k-th channel of a step; `value` is the thread's.
fn add_channel(t: ptr<function, Sums>, k: u32, value: u32, side: u32, eight: u32) {
    let v = (k * 16u + value) * SPREAD + side;
    let ma = near[v];
    let mb = near[v + SIDE];
    let mc = near[v + 2u * SIDE];
    let md = near[v + 3u * SIDE];
    let at = U + (k * 16u + value) * (CHANNELS / 4u) + 2u * eight;
    let g = near[at];
    let h = near[at + 1u];
    (*t).a0 = fma(vec4<f32>(g.x), ma, (*t).a0);
    (*t).b0 = fma(vec4<f32>(g.x), mb, (*t).b0);
    (*t).c0 = fma(vec4<f32>(g.x), mc, (*t).c0);
    (*t).d0 = fma(vec4<f32>(g.x), md, (*t).d0);
    (*t).a1 = fma(vec4<f32>(g.y), ma, (*t).a1);
    (*t).b1 = fma(vec4<f32>(g.y), mb, (*t).b1);
    (*t).c1 = fma(vec4<f32>(g.y), mc, (*t).c1);
    (*t).d1 = fma(vec4<f32>(g.y), md, (*t).d1);
    (*t).a2 = fma(vec4<f32>(g.z), ma, (*t).a2);
    (*t).b2 = fma(vec4<f32>(g.z), mb, (*t).b2);
    (*t).c2 = fma(vec4<f32>(g.z), mc, (*t).c2);
    (*t).d2 = fma(vec4<f32>(g.z), md, (*t).d2);
    (*t).a3 = fma(vec4<f32>(g.w), ma, (*t).a3);
    (*t).b3 = fma(vec4<f32>(g.w), mb, (*t).b3);
    (*t).c3 = fma(vec4<f32>(g.w), mc, (*t).c3);
    (*t).d3 = fma(vec4<f32>(g.w), md, (*t).d3);
    (*t).a4 = fma(vec4<f32>(h.x), ma, (*t).a4);
    (*t).b4 = fma(vec4<f32>(h.x), mb, (*t).b4);
    (*t).c4 = fma(vec4<f32>(h.x), mc, (*t).c4);
    (*t).d4 = fma(vec4<f32>(h.x), md, (*t).d4);
    (*t).a5 = fma(vec4<f32>(h.y), ma, (*t).a5);
    (*t).b5 = fma(vec4<f32>(h.y), mb, (*t).b5);
    (*t).c5 = fma(vec4<f32>(h.y), mc, (*t).c5);
    (*t).d5 = fma(vec4<f32>(h.y), md, (*t).d5);
    (*t).a6 = fma(vec4<f32>(h.z), ma, (*t).a6);
    (*t).b6 = fma(vec4<f32>(h.z), mb, (*t).b6);
    (*t).c6 = fma(vec4<f32>(h.z), mc, (*t).c6);
    (*t).d6 = fma(vec4<f32>(h.z), md, (*t).d6);
    (*t).a7 = fma(vec4<f32>(h.w), ma, (*t).a7);
    (*t).b7 = fma(vec4<f32>(h.w), mb, (*t).b7);
    (*t).c7 = fma(vec4<f32>(h.w), mc, (*t).c7);
    (*t).d7 = fma(vec4<f32>(h.w), md, (*t).d7);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // All of these are the same for the whole workgroup.
    let flat = flat_group(group, groups);
    let chip = chip_of(group);
    let tile = flat % p.tiles;
    let first_slot = flat / p.tiles * SIDE;
    if first_slot >= run.blocks * p.rows * p.columns || chip >= run.chips {
        return;
    }

    // What a thread brings: of quad `brings` two of the values 4 i to 4 i + 3, of channel `term` of a step.
    let brings = local % SPREAD;
    let i = local / SPREAD % 4u;
    let term = local / (4u * SPREAD) % DEPTH;
    let upper = local >= 128u;
    let s = source_of(first_slot + brings / 4u, chip, brings % 4u, i, upper);
    let map = p.h_in * p.w_in * QUADS;
    let to = (term * 16u + 4u * i) * SPREAD + brings;
    let from_u = chip * p.w_chip + tile * p.depth * 4u * CHANNELS + local % BROUGHT;

    // What it multiplies.
    let side = local % SIDE;
    let eight = local / SIDE % EIGHTS;
    let value = local / 16u;

    var at = min(term, p.read - 1u) * map;
    var pa = x[at + s.at_a + s.columns.x];
    var pb = x[at + s.at_a + s.columns.y];
    var pc = x[at + s.at_a + s.columns.z];
    var qa = x[at + s.at_b + s.columns.x];
    var qb = x[at + s.at_b + s.columns.y];
    var qc = x[at + s.at_b + s.columns.z];
    var u = w[from_u];
    var t: Sums;
    for (var k = 0u; k < p.depth; k += DEPTH) {
        workgroupBarrier();
        let ja = s.a.x * pa + s.b.x * qa;
        let jb = s.a.y * pb + s.b.y * qb;
        let jc = s.a.z * pc + s.b.z * qc;
        near[to + select(0u, 3u * SPREAD, upper)] = select(ja - jc, jb - ja, upper);
        near[to + select(SPREAD, 2u * SPREAD, upper)] = select(jb + jc, jc - jb, upper);
        if local < BROUGHT {
            near[U + local] = u;
        }
        workgroupBarrier();
        // The last ones are loaded again, and not used.
        let next = min(k + DEPTH, p.depth - DEPTH);
        at = min(next + term, p.read - 1u) * map;
        pa = x[at + s.at_a + s.columns.x];
        pb = x[at + s.at_a + s.columns.y];
        pc = x[at + s.at_a + s.columns.z];
        qa = x[at + s.at_b + s.columns.x];
        qb = x[at + s.at_b + s.columns.y];
        qc = x[at + s.at_b + s.columns.z];
        u = w[from_u + next * 4u * CHANNELS];
        add_channel(&t, 0u, value, side, eight);
        if DEPTH > 1u {
            add_channel(&t, 1u, value, side, eight);
        }
    }

    let quad = local % SPREAD;
    let channel = tile * CHANNELS + local % 64u / SPREAD * 8u;
    let site = site_of(first_slot + quad / 4u, chip, quad % 4u, local / 64u, channel);
    exchange(site, chip, local, 0u, t.a0, t.b0, t.c0, t.d0);
    exchange(site, chip, local, 1u, t.a1, t.b1, t.c1, t.d1);
    exchange(site, chip, local, 2u, t.a2, t.b2, t.c2, t.d2);
    exchange(site, chip, local, 3u, t.a3, t.b3, t.c3, t.d3);
    exchange(site, chip, local, 4u, t.a4, t.b4, t.c4, t.d4);
    exchange(site, chip, local, 5u, t.a5, t.b5, t.c5, t.d5);
    exchange(site, chip, local, 6u, t.a6, t.b6, t.c6, t.d6);
    exchange(site, chip, local, 7u, t.a7, t.b7, t.c7, t.d7);
}
