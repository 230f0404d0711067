//!include shared/conversion.wgsl
//!include shared/coop_sums.wgsl
// crossbar.wgsl by cooperative matrices: drives are exact in halves, conductances are two halves each, or
// one where they are kept in halves. A workgroup is a subgroup (where the driver makes several of it, each
// computes the same) and has SIDE columns of arrays for 2 SIDE columns of images: a thread makes the
// conversions of four columns for four images, whose sums it finds in workgroup memory. Rows of a row
// tile are taken by taps and in each by channels, so that a matrix of drives is SIDE channels at one
// place: nothing is gathered. Where codes are added up, a plane of ones does it.
// Constants: THREADS, STEPS, the conversions of one pass, at most 4; LOW, conductances have low halves;
// and what shared/conversion.wgsl needs. SIDE and the types come from shared/coop8.wgsl or coop16.wgsl.

// A pass over the rows of a tile.
struct Matrices {
    // Halves of the drives: from chip to chip, block to block, conversion to conversion, group to group,
    // pixel to pixel of the output in rows and columns.
    drives_chip: u32,
    drives_block: u32,
    drives_step: u32,
    drives_group: u32,
    drives_channel: u32,
    pixel_y: u32,
    pixel_x: u32,
    // Halves of the weights: from chip to chip, of all steps of a plane; matrices of columns of a group.
    g_chip: u32,
    plane: u32,
    matrices: u32,
    // Where the steps begin in the table, and the first step of every row tile.
    places_at: u32,
    tiles_at: u32,
    factor_chip: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

struct Params {
    reading: Reading,
    conversion: Conversion,
    matrices: Matrices,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> drives: array<f16>;
@group(0) @binding(3) var<storage, read> packed: array<f16>;
@group(0) @binding(4) var<storage, read> factors: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> table: array<u32>;
@group(0) @binding(6) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read> correct: array<vec2<f32>>;
@group(0) @binding(9) var<storage, read_write> y: array<vec4<f32>>;

// Named by functions of shared files that are not called here: matrices add codes up, clipped
// conversions are counted by other kernels.
var<private> codes: array<u32, 2>;
var<private> clipped: array<vec4<f32>, 1>;

fn correction(i: u32) -> vec2<f32> {
    return correct[i];
}

const MATRIX: u32 = SIDE * SIDE;
const HALVES: u32 = select(1u, 2u, LOW);
// Columns of images of a workgroup, and their slots (a block's images at a pixel).
const COLUMNS: u32 = 2u * SIDE;
const SLOTS: u32 = COLUMNS / LANES;
// Threads with work of their own: fours of columns times quads of images.
const SITES: u32 = SIDE / 4u * (COLUMNS / 4u);

// [conversion][column of the array][column of images].
var<workgroup> sums: array<f32, STEPS * SIDE * COLUMNS>;

// From conversion to conversion of a pass.
const PASS: u32 = SIDE * COLUMNS;

fn product(high: Left, low: Left, x: Right, sum: Sum) -> Sum {
    if LOW {
        return coopMultiplyAdd(high, x, coopMultiplyAdd(low, x, sum));
    }
    return coopMultiplyAdd(high, x, sum);
}

// What a conversion's digit counts in a code.
fn place_of(t: u32) -> i32 {
    if ANALOG_SUM {
        return 1;
    }
    return step_place(t);
}

// Where a thread works; the matrix of columns `matrix` of its group.
fn own_site(r: Reading, local: u32, chip: u32, tile: u32, first_slot: u32) -> Site {
    let m = p.matrices;
    let quad = local % (COLUMNS / 4u);
    let slot = first_slot + quad / QUADS;
    let four = local / (COLUMNS / 4u);
    let group = tile / m.matrices;
    let first = tile % m.matrices * SIDE + 4u * four;
    var s: Site;
    s.chip = chip;
    s.block = slot / r.pixels;
    s.pixel = slot % r.pixels;
    s.quad = quad % QUADS;
    s.image = run.first_image + (run.first_block + s.block) * LANES + s.quad * 4u;
    s.column = group * r.group_out + first;
    s.columns = min(4u, r.group_out - min(first, r.group_out));
    s.valid = local < SITES && s.columns > 0u && s.block < run.blocks;
    // Columns of addresses: what does not exist is not looked at.
    s.columns = max(s.columns, 1u);
    return s;
}

// Where a matrix of images begins in the drives. Columns beyond the last repeat it.
fn images_base(r: Reading, first_slot: u32, matrix: u32, chip: u32, channel_group: u32) -> u32 {
    let m = p.matrices;
    let column = matrix * SIDE;
    let slot = min(first_slot + column / LANES, run.blocks * r.pixels - 1u);
    let pixel = slot % r.pixels;
    return chip * m.drives_chip + slot / r.pixels * m.drives_block + channel_group * m.drives_group
        + pixel / r.w_out * m.pixel_y + pixel % r.w_out * m.pixel_x + column % LANES;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // No workgroup leaves early: matrices are made in uniform control flow.
    let r = p.reading;
    let m = p.matrices;
    let chip = chip_of(group);
    let flat = flat_group(group, groups);
    let tiles = m.matrices * r.groups;
    let matrix = flat % tiles;
    let first_slot = flat / tiles * SLOTS;
    let channel_group = matrix / m.matrices;
    let s = own_site(r, local, chip, matrix, first_slot);
    let base0 = images_base(r, first_slot, 0u, chip, channel_group);
    let base1 = images_base(r, first_slot, 1u, chip, channel_group);
    // Planes with that of ones, which comes first.
    let all = r.planes + select(0u, 1u, SUM_CODES);
    let g0 = chip * m.g_chip + matrix * all * m.plane;

    var parts = zero4();
    var total = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        var codes_here = vec4<i32>(0);
        let begin = table[m.tiles_at + tile];
        let end = table[m.tiles_at + tile + 1u];
        for (var number = 0u; number < all; number++) {
            let ones = SUM_CODES && number == 0u;
            let plane = select(number - (all - r.planes), r.planes, ones);
            let down = own_factors(r, s, plane);
            // Of the plane of ones nothing is converted.
            let k = converters(r, s, tile, min(plane, r.planes - 1u));
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                var a0 = Sum();
                var a1 = Sum();
                var a2 = Sum();
                var a3 = Sum();
                var b0 = Sum();
                var b1 = Sum();
                var b2 = Sum();
                var b3 = Sum();
                for (var step = begin; step < end; step++) {
                    let w = g0 + plane * m.plane + step * HALVES * MATRIX;
                    let high = coopLoadT<Left>(&packed[w], SIDE);
                    // Without low halves these are not multiplied.
                    let low = coopLoadT<Left>(&packed[w + (HALVES - 1u) * MATRIX], SIDE);
                    let place = table[m.places_at + step];
                    let i0 = place + t * m.drives_step;
                    a0 = product(high, low, coopLoadT<Right>(&drives[base0 + i0], m.drives_channel), a0);
                    b0 = product(high, low, coopLoadT<Right>(&drives[base1 + i0], m.drives_channel), b0);
                    // Conversions beyond the last repeat it and are not looked at.
                    if STEPS > 1u {
                        let i = place + min(t + 1u, CONVERSIONS - 1u) * m.drives_step;
                        a1 = product(high, low, coopLoadT<Right>(&drives[base0 + i], m.drives_channel), a1);
                        b1 = product(high, low, coopLoadT<Right>(&drives[base1 + i], m.drives_channel), b1);
                    }
                    if STEPS > 2u {
                        let i = place + min(t + 2u, CONVERSIONS - 1u) * m.drives_step;
                        a2 = product(high, low, coopLoadT<Right>(&drives[base0 + i], m.drives_channel), a2);
                        b2 = product(high, low, coopLoadT<Right>(&drives[base1 + i], m.drives_channel), b2);
                    }
                    if STEPS > 3u {
                        let i = place + min(t + 3u, CONVERSIONS - 1u) * m.drives_step;
                        a3 = product(high, low, coopLoadT<Right>(&drives[base0 + i], m.drives_channel), a3);
                        b3 = product(high, low, coopLoadT<Right>(&drives[base1 + i], m.drives_channel), b3);
                    }
                }
                workgroupBarrier();
                // Places as names: naga takes no other index here.
                let c0 = 0u * r.rows;
                let d0 = c0 + SIDE;
                coopStoreT(a0, &sums[c0], COLUMNS);
                coopStoreT(b0, &sums[d0], COLUMNS);
                if STEPS > 1u {
                    let c = c0 + PASS;
                    let d = d0 + PASS;
                    coopStoreT(a1, &sums[c], COLUMNS);
                    coopStoreT(b1, &sums[d], COLUMNS);
                }
                if STEPS > 2u {
                    let c = c0 + 2u * PASS;
                    let d = d0 + 2u * PASS;
                    coopStoreT(a2, &sums[c], COLUMNS);
                    coopStoreT(b2, &sums[d], COLUMNS);
                }
                if STEPS > 3u {
                    let c = c0 + 3u * PASS;
                    let d = d0 + 3u * PASS;
                    coopStoreT(a3, &sums[c], COLUMNS);
                    coopStoreT(b3, &sums[d], COLUMNS);
                }
                workgroupBarrier();
                for (var i = 0u; i < min(STEPS, CONVERSIONS - t); i++) {
                    let v = own_sums(local, i, down);
                    if ones {
                        codes_here += vec4<i32>(v[0]) * place_of(t + i);
                    } else if s.valid {
                        total = convert(r, s, tile, plane, t + i, v, k, total);
                    }
                }
            }
            if ones {
                input += codes_here;
                continue;
            }
            if !INTEGER {
                parts += plane_part(r, s, tile, plane, total, codes_here);
            }
            total = end_plane(r, plane, total);
        }
    }
    if s.valid {
        store_output(r, s, parts, total, input);
    }
}
