//!include shared/post.wgsl
// y[o, p] = post(f[o] sum_k w[o, k] c[k at p]) by cooperative matrices: codes c, weights as a high and a low
// half each, with the row's power of two and the step of the codes in f. A workgroup is a subgroup (where the
// driver makes several of it, each computes the same) and has 2 SIDE channels of FOURS columns: an image of a
// block at a pixel. The map of codes has its padding and whole matrices of channels, so that a matrix is SIDE
// channels at one place: nothing is gathered. Sums are made in parts of PART steps, which are added to the
// total in f32: hardware that truncates inside of a matrix product does so to a part's few roundings only.
// Constants from the prelude: THREADS, and what shared/post.wgsl needs. SIDE and the types come from
// shared/coop8.wgsl or shared/coop16.wgsl.

struct Params {
    y: View,
    post: Post,
    // Halves of the map of codes: from chip to chip, block to block, group to group, channel to channel.
    codes_chip: u32,
    codes_block: u32,
    codes_group: u32,
    codes_channel: u32,
    // The same from pixel to pixel of the output and from tap to tap, rows and columns.
    pixel_y: u32,
    pixel_x: u32,
    tap_y: u32,
    tap_x: u32,
    // Columns of the kernel, matrices of channels of a group, of both factors' steps together.
    kw: u32,
    depth: u32,
    steps: u32,
    // Halves of the weights of a chip, pairs of matrices of output channels of a group, groups.
    w_chip: u32,
    pairs: u32,
    groups: u32,
    // Output channels of a group; pixels of the output, of a row of it.
    group_out: u32,
    pixels: u32,
    w_out: u32,
    // Factors from chip to chip.
    factor_chip: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<f16>;
@group(0) @binding(3) var<storage, read> weights: array<f16>;
@group(0) @binding(4) var<storage, read> factors: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> scale: array<f32>;
@group(0) @binding(7) var<storage, read> shift: array<f32>;
@group(0) @binding(8) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read> quant_step: array<f32>;

// Halves of a matrix, columns of a workgroup and their slots (a block's images at a pixel).
const MATRIX: u32 = SIDE * SIDE;
const COLUMNS: u32 = 4u * SIDE;
const SLOTS: u32 = COLUMNS / LANES;
// Steps of a part of the sum.
const PART: u32 = 8u;

// [channel][column], of one row of matrices.
var<workgroup> sums: array<f32, SIDE * COLUMNS>;

// Where a matrix of columns begins in the map of codes. Columns beyond the last repeat it.
fn column_base(first_slot: u32, matrix: u32, chip: u32, channel_group: u32) -> u32 {
    let column = matrix * SIDE;
    let slot = min(first_slot + column / LANES, run.blocks * p.pixels - 1u);
    let pixel = slot % p.pixels;
    return chip * p.codes_chip + slot / p.pixels * p.codes_block + channel_group * p.codes_group
        + pixel / p.w_out * p.pixel_y + pixel % p.w_out * p.pixel_x + column % LANES;
}

// Writes the sums of a row of matrices, the first of which is `first` of its group.
fn finish(local: u32, chip: u32, channel_group: u32, first: u32, first_slot: u32) {
    for (var i = local; i < SIDE * COLUMNS / 4u; i += THREADS) {
        let row = i / (COLUMNS / 4u);
        let quad = i % (COLUMNS / 4u);
        let slot = first_slot + quad / QUADS;
        let block = slot / p.pixels;
        if first + row < p.group_out && block < run.blocks {
            let channel = channel_group * p.group_out + first + row;
            let at = row * COLUMNS + 4u * quad;
            let v = vec4<f32>(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
            let factor = factors[chip * p.factor_chip + channel].y;
            let place = (channel * p.pixels + slot % p.pixels) * QUADS + quad % QUADS;
            var f = 1.0;
            var t = 0.0;
            var r = vec4<f32>(0.0);
            var step = 1.0;
            if HAS_SCALE {
                f = scale[chip_base(p.post.scale, chip) + channel];
            }
            if HAS_SHIFT {
                t = shift[chip_base(p.post.shift, chip) + channel];
            }
            if HAS_RESIDUAL {
                r = residual[block_base(p.post.residual, chip, block) + place];
            }
            if HAS_QUANT {
                step = quant_step[0];
            }
            y[block_base(p.y, chip, block) + place] = post_value(v * factor, f, t, r, step, p.post);
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // No workgroup leaves early: matrices are made in uniform control flow. What is beyond the last
    // column is computed and not stored.
    let chip = chip_of(group);
    let flat = flat_group(group, groups);
    let tile = flat % (p.pairs * p.groups);
    let first_slot = flat / (p.pairs * p.groups) * SLOTS;
    let channel_group = tile / p.pairs;
    let first = tile % p.pairs * 2u * SIDE;

    let from0 = column_base(first_slot, 0u, chip, channel_group);
    let from1 = column_base(first_slot, 1u, chip, channel_group);
    let from2 = column_base(first_slot, 2u, chip, channel_group);
    let from3 = column_base(first_slot, 3u, chip, channel_group);
    // High and low halves of a step side by side.
    let row = p.steps * 2u * MATRIX;
    var w0 = chip * p.w_chip + tile * 2u * row;
    // The step's channels and tap.
    var depth = 0u;
    var kx = 0u;
    var ky = 0u;

    var u0 = Sum();
    var u1 = Sum();
    var u2 = Sum();
    var u3 = Sum();
    var v0 = Sum();
    var v1 = Sum();
    var v2 = Sum();
    var v3 = Sum();
    for (var part = 0u; part < p.steps; part += PART) {
        var a0 = Sum();
        var a1 = Sum();
        var a2 = Sum();
        var a3 = Sum();
        var b0 = Sum();
        var b1 = Sum();
        var b2 = Sum();
        var b3 = Sum();
        let end = min(part + PART, p.steps);
        for (var step = part; step < end; step++) {
            let place = depth * SIDE * p.codes_channel + ky * p.tap_y + kx * p.tap_x;
            let x0 = coopLoadT<Right>(&codes[from0 + place], p.codes_channel);
            let x1 = coopLoadT<Right>(&codes[from1 + place], p.codes_channel);
            let x2 = coopLoadT<Right>(&codes[from2 + place], p.codes_channel);
            let x3 = coopLoadT<Right>(&codes[from3 + place], p.codes_channel);
            let high0 = coopLoadT<Left>(&weights[w0], SIDE);
            let low0 = coopLoadT<Left>(&weights[w0 + MATRIX], SIDE);
            let high1 = coopLoadT<Left>(&weights[w0 + row], SIDE);
            let low1 = coopLoadT<Left>(&weights[w0 + row + MATRIX], SIDE);
            a0 = coopMultiplyAdd(low0, x0, a0);
            a1 = coopMultiplyAdd(low0, x1, a1);
            a2 = coopMultiplyAdd(low0, x2, a2);
            a3 = coopMultiplyAdd(low0, x3, a3);
            b0 = coopMultiplyAdd(low1, x0, b0);
            b1 = coopMultiplyAdd(low1, x1, b1);
            b2 = coopMultiplyAdd(low1, x2, b2);
            b3 = coopMultiplyAdd(low1, x3, b3);
            a0 = coopMultiplyAdd(high0, x0, a0);
            a1 = coopMultiplyAdd(high0, x1, a1);
            a2 = coopMultiplyAdd(high0, x2, a2);
            a3 = coopMultiplyAdd(high0, x3, a3);
            b0 = coopMultiplyAdd(high1, x0, b0);
            b1 = coopMultiplyAdd(high1, x1, b1);
            b2 = coopMultiplyAdd(high1, x2, b2);
            b3 = coopMultiplyAdd(high1, x3, b3);
            w0 += 2u * MATRIX;
            depth = select(depth + 1u, 0u, depth + 1u == p.depth);
            kx = select(kx, select(kx + 1u, 0u, kx + 1u == p.kw), depth == 0u);
            ky = select(ky, ky + 1u, depth == 0u && kx == 0u);
        }
        u0 = u0 + a0;
        u1 = u1 + a1;
        u2 = u2 + a2;
        u3 = u3 + a3;
        v0 = v0 + b0;
        v1 = v1 + b1;
        v2 = v2 + b2;
        v3 = v3 + b3;
    }
    // Places as names: naga takes no other index here.
    let s0 = 0u * p.steps;
    let s1 = s0 + SIDE;
    let s2 = s1 + SIDE;
    let s3 = s2 + SIDE;
    coopStoreT(u0, &sums[s0], COLUMNS);
    coopStoreT(u1, &sums[s1], COLUMNS);
    coopStoreT(u2, &sums[s2], COLUMNS);
    coopStoreT(u3, &sums[s3], COLUMNS);
    workgroupBarrier();
    finish(local, chip, channel_group, first, first_slot);
    workgroupBarrier();
    coopStoreT(v0, &sums[s0], COLUMNS);
    coopStoreT(v1, &sums[s1], COLUMNS);
    coopStoreT(v2, &sums[s2], COLUMNS);
    coopStoreT(v3, &sums[s3], COLUMNS);
    workgroupBarrier();
    finish(local, chip, channel_group, first + SIDE, first_slot);
}
