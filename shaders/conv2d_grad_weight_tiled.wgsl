//!include shared/run.wgsl
//!include shared/conv.wgsl
//!include shared/rows.wgsl
// First stage of dw[o, k] = sum_(images, p) dy[o, p] x[k at p] from tiles in workgroup memory. A workgroup of
// 256 sums 64 output channels x 128 rows of the weight over its split of the output rows of all blocks, a
// thread 4 channels x 8 rows of four images: 128 accumulators in named registers. For every pixel it brings
// the 16 images of its channels and rows to workgroup memory, and loads those of the next pixel while it
// adds. Splits and the order of every sum are those of conv2d_grad_weight.wgsl: the sums are the same.

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

const CHANNELS: u32 = 64u;
const ROWS: u32 = 128u;

// [quad, sixteenth of the rows or channels][row or channel in it].
var<workgroup> map: array<array<vec4<f32>, 16>, 32>;
var<workgroup> slopes: array<array<vec4<f32>, 16>, 16>;

fn across(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

// Sums of a thread, s<channel><row>: a structure without arrays, so that every driver keeps it in
// registers.
struct Sums {
    s00: vec4<f32>,
    s01: vec4<f32>,
    s02: vec4<f32>,
    s03: vec4<f32>,
    s04: vec4<f32>,
    s05: vec4<f32>,
    s06: vec4<f32>,
    s07: vec4<f32>,
    s10: vec4<f32>,
    s11: vec4<f32>,
    s12: vec4<f32>,
    s13: vec4<f32>,
    s14: vec4<f32>,
    s15: vec4<f32>,
    s16: vec4<f32>,
    s17: vec4<f32>,
    s20: vec4<f32>,
    s21: vec4<f32>,
    s22: vec4<f32>,
    s23: vec4<f32>,
    s24: vec4<f32>,
    s25: vec4<f32>,
    s26: vec4<f32>,
    s27: vec4<f32>,
    s30: vec4<f32>,
    s31: vec4<f32>,
    s32: vec4<f32>,
    s33: vec4<f32>,
    s34: vec4<f32>,
    s35: vec4<f32>,
    s36: vec4<f32>,
    s37: vec4<f32>,
}

fn add_quad(t: ptr<function, Sums>, quad: u32, side: u32, column: u32) {
    let y0 = slopes[4u * quad + 0u][side];
    let y1 = slopes[4u * quad + 1u][side];
    let y2 = slopes[4u * quad + 2u][side];
    let y3 = slopes[4u * quad + 3u][side];
    let x0 = map[8u * quad + 0u][column];
    let x1 = map[8u * quad + 1u][column];
    let x2 = map[8u * quad + 2u][column];
    let x3 = map[8u * quad + 3u][column];
    let x4 = map[8u * quad + 4u][column];
    let x5 = map[8u * quad + 5u][column];
    let x6 = map[8u * quad + 6u][column];
    let x7 = map[8u * quad + 7u][column];
    (*t).s00 = fma(y0, x0, (*t).s00);
    (*t).s01 = fma(y0, x1, (*t).s01);
    (*t).s02 = fma(y0, x2, (*t).s02);
    (*t).s03 = fma(y0, x3, (*t).s03);
    (*t).s04 = fma(y0, x4, (*t).s04);
    (*t).s05 = fma(y0, x5, (*t).s05);
    (*t).s06 = fma(y0, x6, (*t).s06);
    (*t).s07 = fma(y0, x7, (*t).s07);
    (*t).s10 = fma(y1, x0, (*t).s10);
    (*t).s11 = fma(y1, x1, (*t).s11);
    (*t).s12 = fma(y1, x2, (*t).s12);
    (*t).s13 = fma(y1, x3, (*t).s13);
    (*t).s14 = fma(y1, x4, (*t).s14);
    (*t).s15 = fma(y1, x5, (*t).s15);
    (*t).s16 = fma(y1, x6, (*t).s16);
    (*t).s17 = fma(y1, x7, (*t).s17);
    (*t).s20 = fma(y2, x0, (*t).s20);
    (*t).s21 = fma(y2, x1, (*t).s21);
    (*t).s22 = fma(y2, x2, (*t).s22);
    (*t).s23 = fma(y2, x3, (*t).s23);
    (*t).s24 = fma(y2, x4, (*t).s24);
    (*t).s25 = fma(y2, x5, (*t).s25);
    (*t).s26 = fma(y2, x6, (*t).s26);
    (*t).s27 = fma(y2, x7, (*t).s27);
    (*t).s30 = fma(y3, x0, (*t).s30);
    (*t).s31 = fma(y3, x1, (*t).s31);
    (*t).s32 = fma(y3, x2, (*t).s32);
    (*t).s33 = fma(y3, x3, (*t).s33);
    (*t).s34 = fma(y3, x4, (*t).s34);
    (*t).s35 = fma(y3, x5, (*t).s35);
    (*t).s36 = fma(y3, x6, (*t).s36);
    (*t).s37 = fma(y3, x7, (*t).s37);
}

// Eight rows of one channel from row k on, 16 apart.
fn store(at: u32, k: u32, a: vec4<f32>, b: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        if k + 16u * j < p.rows {
            partial[at + k + 16u * j] = a[j];
        }
        if k + 64u + 16u * j < p.rows {
            partial[at + k + 64u + 16u * j] = b[j];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // All of these are the same for the whole workgroup.
    let c = p.conv;
    let flat = flat_group(group, groups);
    let k_tiles = (p.rows + ROWS - 1u) / ROWS;
    let o_tiles = (c.group_out + CHANNELS - 1u) / CHANNELS;
    let chip = chip_of(group);
    let split = flat / (k_tiles * o_tiles * p.groups);
    if split >= p.splits || chip >= run.chips {
        return;
    }
    let first_k = flat % k_tiles * ROWS;
    let first_o = flat / k_tiles % o_tiles * CHANNELS;
    let channel_group = flat / (k_tiles * o_tiles) % p.groups;
    let strips = run.blocks * c.h_out;
    let share = (strips + p.splits - 1u) / p.splits;
    let begin = min(strips, split * share);
    let steps = (min(strips, begin + share) - begin) * c.w_out;

    // What a thread brings: a quad of two rows and of a channel.
    let quad = local % 4u;
    let lane = local / 4u;
    let row_a = row_of(first_k + lane, channel_group);
    let row_b = row_of(first_k + lane + 64u, channel_group);
    // Channels beyond the last are computed again as the last and not stored.
    let o = channel_group * c.group_out + min(first_o + lane, c.group_out - 1u);
    let o_map = o * c.h_out * c.w_out;

    var at = Pixel(0u, 0u, 0u);
    if steps > 0u {
        at = Pixel(begin / c.h_out, begin % c.h_out, 0u);
    }
    var base = block_base(p.x, chip, at.block) + quad;
    var next_a = bring(row_a, at, base);
    var next_b = bring(row_b, at, base);
    var next_y = dy[block_base(p.dy, chip, at.block) + (o_map + at.oy * c.w_out) * QUADS + quad];
    var used = lanes_used(at.block, quad);

    // What it adds: channels and rows 16 apart.
    let column = local % 16u;
    let side = local / 16u;
    var t: Sums;
    for (var step = 0u; step < steps; step++) {
        workgroupBarrier();
        map[8u * quad + lane / 16u][lane % 16u] = brought(next_a);
        map[8u * quad + 4u + lane / 16u][lane % 16u] = brought(next_b);
        slopes[4u * quad + lane / 16u][lane % 16u] = select(vec4<f32>(0.0), next_y, used);
        workgroupBarrier();
        at = following(at);
        // Nothing is added of what comes behind the last step, which might be beyond the buffers.
        if step + 1u == steps {
            at = Pixel(0u, 0u, 0u);
        }
        base = block_base(p.x, chip, at.block) + quad;
        next_a = bring(row_a, at, base);
        next_b = bring(row_b, at, base);
        next_y = dy[block_base(p.dy, chip, at.block)
            + (o_map + at.oy * c.w_out + at.ox) * QUADS + quad];
        used = lanes_used(at.block, quad);
        // No loop: the loads above stay where they are, and their results come while these add.
        add_quad(&t, 0u, side, column);
        add_quad(&t, 1u, side, column);
        add_quad(&t, 2u, side, column);
        add_quad(&t, 3u, side, column);
    }
    let weight = (chip * p.splits + split) * p.weights + channel_group * c.group_out * p.rows;
    let k = first_k + column;
    let o0 = first_o + side;
    if o0 < c.group_out {
        let a = vec4<f32>(across(t.s00), across(t.s01), across(t.s02), across(t.s03));
        let b = vec4<f32>(across(t.s04), across(t.s05), across(t.s06), across(t.s07));
        store(weight + (o0) * p.rows, k, a, b);
    }
    if o0 + 16u < c.group_out {
        let a = vec4<f32>(across(t.s10), across(t.s11), across(t.s12), across(t.s13));
        let b = vec4<f32>(across(t.s14), across(t.s15), across(t.s16), across(t.s17));
        store(weight + (o0 + 16u) * p.rows, k, a, b);
    }
    if o0 + 32u < c.group_out {
        let a = vec4<f32>(across(t.s20), across(t.s21), across(t.s22), across(t.s23));
        let b = vec4<f32>(across(t.s24), across(t.s25), across(t.s26), across(t.s27));
        store(weight + (o0 + 32u) * p.rows, k, a, b);
    }
    if o0 + 48u < c.group_out {
        let a = vec4<f32>(across(t.s30), across(t.s31), across(t.s32), across(t.s33));
        let b = vec4<f32>(across(t.s34), across(t.s35), across(t.s36), across(t.s37));
        store(weight + (o0 + 48u) * p.rows, k, a, b);
    }
}
