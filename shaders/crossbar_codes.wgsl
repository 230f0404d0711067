//!include shared/run.wgsl
// Input codes for the crossbar kernels: round(x / step), the map with its padding, four images a
// word of bytes (with SIGNED magnitudes, and the next word the signs), [chip][block][c][h][w][quad].
// One thread a word of codes.

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
    // Lowest and highest code.
    lo: f32,
    hi: f32,
    // The bits of a code.
    mask: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x_step: array<f32>;
@group(0) @binding(4) var<storage, read_write> codes: array<u32>;

fn bytes_word(v: vec4<u32>) -> u32 {
    let b = (v & vec4<u32>(255u)) << vec4<u32>(0u, 8u, 16u, 24u);
    return b.x | b.y | b.z | b.w;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let width = select(1u, 2u, SIGNED);
    let per_block = p.block_words / width;
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
    let c = at / QUADS / p.w / p.h;
    let step = x_step[0];
    var v = vec4<f32>(0.0);
    if ix < p.w_in && iy < p.h_in && step > 0.0 {
        let place = ((c * p.h_in + iy) * p.w_in + ix) * QUADS + quad;
        v = clamp(round(x[block_base(p.x, chip, block) + place] / step), vec4<f32>(p.lo), vec4<f32>(p.hi));
    }
    let to = chip * p.chip_words + block * p.block_words + at * width;
    let code = vec4<i32>(v);
    if SIGNED {
        codes[to] = bytes_word(vec4<u32>(abs(code)));
        codes[to + 1u] = bytes_word(select(vec4<u32>(0u), vec4<u32>(1u), code < vec4<i32>(0)));
    } else {
        // Of a negative code the low byte is its two's complement.
        codes[to] = bytes_word(bitcast<vec4<u32>>(code) & vec4<u32>(p.mask));
    }
}
