//!include shared/run.wgsl
//!include shared/half.wgsl
// Codes of a map in halves for cooperative matrices: round(x / step), whole numbers of at most 11 bits
// and so exact, [chip][block][group][channel][row][column][16 images], with the padding of the map and
// zeros in channels that fill up the last matrix of a group. One thread a quad of images.

struct Params {
    x: View,
    // Words of a block and of a chip; extents of the padded map, of the map, and its place.
    block_words: u32,
    chip_words: u32,
    h: u32,
    w: u32,
    h_in: u32,
    w_in: u32,
    top: u32,
    left: u32,
    // Channels of a group, and with those that fill it up.
    group_in: u32,
    group_padded: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x_step: array<f32>;
@group(0) @binding(4) var<storage, read_write> codes: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let per_block = p.block_words / 2u;
    let block = item / per_block;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let at = item % per_block;
    let quad = at % QUADS;
    // Beyond the upper and left edges these wrap and are too large as well.
    let ix = at / QUADS % p.w - p.left;
    let iy = at / QUADS / p.w % p.h - p.top;
    let channel = at / QUADS / p.w / p.h;
    let c = channel % p.group_padded;
    let step = x_step[0];
    var v = vec4<f32>(0.0);
    if ix < p.w_in && iy < p.h_in && c < p.group_in && step > 0.0 {
        let source = channel / p.group_padded * p.group_in + c;
        let place = ((source * p.h_in + iy) * p.w_in + ix) * QUADS + quad;
        v = round(x[block_base(p.x, chip, block) + place] / step);
    }
    let to = chip * p.chip_words + block * p.block_words + 2u * at;
    let words = pack_halves(v);
    codes[to] = words.x;
    codes[to + 1u] = words.y;
}
