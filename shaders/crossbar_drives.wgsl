//!include shared/run.wgsl
//!include shared/half.wgsl
// Drives of input codes in halves for cooperative matrices: of every conversion a map with its padding and
// channels of zeros behind it, [chip][block][conversion][channel][row][column][16 images]. A drive is a
// digit of a code, perhaps with its sign, or with ANALOG_SUM the whole code: exact in a half. One thread
// a quad of images. Constants: SIGNED, DAC_BITS, ANALOG_SUM, CONVERSIONS.

struct Params {
    x: View,
    // Words of a block, of a chip and of a conversion; extents of the padded map, of the map, its place.
    block_words: u32,
    chip_words: u32,
    words: u32,
    h: u32,
    w: u32,
    channels: u32,
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
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x_step: array<f32>;
@group(0) @binding(4) var<storage, read_write> drives: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let per_block = p.words / 2u;
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
    if ix < p.w_in && iy < p.h_in && c < p.channels && step > 0.0 {
        let place = ((c * p.h_in + iy) * p.w_in + ix) * QUADS + quad;
        v = clamp(round(x[block_base(p.x, chip, block) + place] / step), vec4<f32>(p.lo), vec4<f32>(p.hi));
    }
    let code = vec4<i32>(v);
    var bits = bitcast<vec4<u32>>(code) & vec4<u32>(p.mask);
    var sign = vec4<f32>(1.0);
    if SIGNED {
        bits = vec4<u32>(abs(code));
        sign = select(sign, -sign, code < vec4<i32>(0));
    }
    let to = chip * p.chip_words + block * p.block_words + 2u * at;
    for (var t = 0u; t < CONVERSIONS; t++) {
        var d = v;
        if !ANALOG_SUM {
            let digit = (bits >> vec4<u32>(t * DAC_BITS)) & vec4<u32>((1u << DAC_BITS) - 1u);
            d = sign * vec4<f32>(digit);
        }
        let words = pack_halves(d);
        drives[to + t * p.words] = words.x;
        drives[to + t * p.words + 1u] = words.y;
    }
}
