//!include shared/post.wgsl
//!include shared/columns.wgsl
// y[o, p] = post(sum_k w[o, k] x[k at p]) from tiles in workgroup memory, and likewise the gradient of
// a convolution's input. A workgroup of 256 computes CHANNELS channels of COLUMNS quads of images at
// pixels, a thread 8 channels of 4 quads: 128 accumulators in named registers. For every DEPTH terms of
// the sum it brings their weights and their quads of the map to workgroup memory, and loads the next ones
// while it adds. A table says of every term where it is in the weights and in the map. Terms are added
// one after the other in the order of the table, which is that of shared/tile.wgsl: the sums are the same.
// Constants from the prelude: CHANNELS (16, 32, 64), and what shared/post.wgsl needs.

struct Params {
    x: View,
    y: View,
    w: View,
    post: Post,
    // Map that is read, grid of the pixels that are computed, map that is written.
    h_in: u32,
    w_in: u32,
    rows: u32,
    columns: u32,
    h_out: u32,
    w_out: u32,
    // From pixel to pixel of the grid in the map that is read and in the one that is written.
    read_y: u32,
    read_x: u32,
    write_y: u32,
    write_x: u32,
    // Place of the first pixel in the map that is written.
    first_y: u32,
    first_x: u32,
    // Channels of a group in both maps, tiles of a group, groups.
    group_in: u32,
    group_out: u32,
    tiles: u32,
    groups: u32,
    // Terms of a sum; weights from channel to channel and from group to group.
    terms: u32,
    channel_stride: u32,
    group_stride: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> quant_step: array<f32>;
// Of every term, and of 3 DEPTH more that are outside: from the pixel's place in the map, rows, columns,
// from the channel's first weight.
@group(0) @binding(9) var<storage, read> places: array<vec4<u32>>;

// Channels of a thread, eights of channels of a workgroup, terms of a step.
const EIGHTS: u32 = CHANNELS / 8u;
const DEPTH: u32 = CHANNELS / 16u;
// Threads side by side, each with a quad at every SPREAD-th place; quads of the tile.
const SPREAD: u32 = 256u / EIGHTS;
const COLUMNS: u32 = 4u * SPREAD;

// [term and place of a thread][thread], [term][four channels].
var<workgroup> map: array<array<vec4<f32>, SPREAD>, 4u * DEPTH>;
var<workgroup> weights: array<array<vec4<f32>, 2u * EIGHTS>, DEPTH>;

// Sums of a thread: <place><channel>, an eight of channels at four places. A structure without arrays,
// so that every driver keeps it in registers.
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

// Adds the k-th term in workgroup memory.
fn add_term(t: ptr<function, Sums>, k: u32, side: u32, eight: u32) {
    let ma = map[4u * k][side];
    let mb = map[4u * k + 1u][side];
    let mc = map[4u * k + 2u][side];
    let md = map[4u * k + 3u][side];
    let u = weights[k][2u * eight];
    let v = weights[k][2u * eight + 1u];
    (*t).a0 = fma(vec4<f32>(u.x), ma, (*t).a0);
    (*t).b0 = fma(vec4<f32>(u.x), mb, (*t).b0);
    (*t).c0 = fma(vec4<f32>(u.x), mc, (*t).c0);
    (*t).d0 = fma(vec4<f32>(u.x), md, (*t).d0);
    (*t).a1 = fma(vec4<f32>(u.y), ma, (*t).a1);
    (*t).b1 = fma(vec4<f32>(u.y), mb, (*t).b1);
    (*t).c1 = fma(vec4<f32>(u.y), mc, (*t).c1);
    (*t).d1 = fma(vec4<f32>(u.y), md, (*t).d1);
    (*t).a2 = fma(vec4<f32>(u.z), ma, (*t).a2);
    (*t).b2 = fma(vec4<f32>(u.z), mb, (*t).b2);
    (*t).c2 = fma(vec4<f32>(u.z), mc, (*t).c2);
    (*t).d2 = fma(vec4<f32>(u.z), md, (*t).d2);
    (*t).a3 = fma(vec4<f32>(u.w), ma, (*t).a3);
    (*t).b3 = fma(vec4<f32>(u.w), mb, (*t).b3);
    (*t).c3 = fma(vec4<f32>(u.w), mc, (*t).c3);
    (*t).d3 = fma(vec4<f32>(u.w), md, (*t).d3);
    (*t).a4 = fma(vec4<f32>(v.x), ma, (*t).a4);
    (*t).b4 = fma(vec4<f32>(v.x), mb, (*t).b4);
    (*t).c4 = fma(vec4<f32>(v.x), mc, (*t).c4);
    (*t).d4 = fma(vec4<f32>(v.x), md, (*t).d4);
    (*t).a5 = fma(vec4<f32>(v.y), ma, (*t).a5);
    (*t).b5 = fma(vec4<f32>(v.y), mb, (*t).b5);
    (*t).c5 = fma(vec4<f32>(v.y), mc, (*t).c5);
    (*t).d5 = fma(vec4<f32>(v.y), md, (*t).d5);
    (*t).a6 = fma(vec4<f32>(v.z), ma, (*t).a6);
    (*t).b6 = fma(vec4<f32>(v.z), mb, (*t).b6);
    (*t).c6 = fma(vec4<f32>(v.z), mc, (*t).c6);
    (*t).d6 = fma(vec4<f32>(v.z), md, (*t).d6);
    (*t).a7 = fma(vec4<f32>(v.w), ma, (*t).a7);
    (*t).b7 = fma(vec4<f32>(v.w), mb, (*t).b7);
    (*t).c7 = fma(vec4<f32>(v.w), mc, (*t).c7);
    (*t).d7 = fma(vec4<f32>(v.w), md, (*t).d7);
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
    let tile = flat % (p.tiles * p.groups);
    let first_slot = flat / (p.tiles * p.groups) * SPREAD;
    if first_slot >= run.blocks * p.rows * p.columns || chip >= run.chips {
        return;
    }
    let channel_group = tile / p.tiles;
    let first_channel = tile % p.tiles * CHANNELS;

    // What a thread brings: two quads of the map, four weights of a term.
    let side = local % SPREAD;
    let eight = local / SPREAD;
    let lane_a = local % COLUMNS;
    let lane_b = (local + 256u) % COLUMNS;
    // The same for the whole workgroup, visibly to compilers, where a term has 256 places or more.
    let upper = select(local / COLUMNS, 0u, COLUMNS >= 256u);
    let term_a = upper;
    let term_b = upper + 256u / COLUMNS;
    let group_in = channel_group * p.group_in;
    let from_a = source_of(first_slot + lane_a / 4u, chip, group_in, lane_a % 4u);
    let from_b = source_of(first_slot + lane_b / 4u, chip, group_in, lane_b % 4u);
    let term_w = local % DEPTH;
    let quad_w = local / DEPTH;
    let brings_w = quad_w < 2u * EIGHTS;
    let w0 = chip_base(p.w, chip) + channel_group * p.group_stride;
    let from_w = first_weights(w0, first_channel + quad_w * 4u);

    var next_a = bring(from_a, places[term_a]);
    var next_b = bring(from_b, places[term_b]);
    var next_w = vec4<f32>(0.0);
    if brings_w {
        next_w = weights_at(from_w, places[term_w].w);
    }
    // One step further.
    var place_a = places[DEPTH + term_a];
    var place_b = places[DEPTH + term_b];
    var place_w = places[DEPTH + term_w].w;
    var t: Sums;
    for (var term = 0u; term < p.terms; term += DEPTH) {
        workgroupBarrier();
        map[eight][side] = brought(next_a);
        map[eight + EIGHTS][side] = brought(next_b);
        if brings_w {
            weights[term_w][quad_w] = next_w;
        }
        workgroupBarrier();
        next_a = bring(from_a, place_a);
        next_b = bring(from_b, place_b);
        if brings_w {
            next_w = weights_at(from_w, place_w);
        }
        let further = term + 2u * DEPTH;
        place_a = places[further + term_a];
        place_b = places[further + term_b];
        place_w = places[further + term_w].w;
        // No loop: the loads above stay where they are, and their results come while these add.
        add_term(&t, 0u, side, eight);
        if DEPTH > 1u {
            add_term(&t, 1u, side, eight);
        }
        if DEPTH > 2u {
            add_term(&t, 2u, side, eight);
            add_term(&t, 3u, side, eight);
        }
    }
    let s = site_of(chip, channel_group, first_channel + eight * 8u, first_slot + side / 4u, side % 4u);
    store(s, 0u, t.a0, t.b0, t.c0, t.d0);
    store(s, 1u, t.a1, t.b1, t.c1, t.d1);
    store(s, 2u, t.a2, t.b2, t.c2, t.d2);
    store(s, 3u, t.a3, t.b3, t.c3, t.d3);
    store(s, 4u, t.a4, t.b4, t.c4, t.d4);
    store(s, 5u, t.a5, t.b5, t.c5, t.d5);
    store(s, 6u, t.a6, t.b6, t.c6, t.d6);
    store(s, 7u, t.a7, t.b7, t.c7, t.d7);
}
