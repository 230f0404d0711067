//!include shared/run.wgsl
//!include shared/two_halves.wgsl
// Weights as matrices of halves, [chip][group][matrix of channels][tap][matrix of inputs][high, low]
// [channel][input], of weights times their channel's power of two. Zeros fill the last matrices up. One
// thread a pair of inputs.

struct Params {
    w: View,
    // Words of a chip.
    words: u32,
    // SIDE of a matrix; matrices of outputs and of inputs of a group.
    side: u32,
    matrices: u32,
    depth: u32,
    taps: u32,
    // Outputs and inputs of a group; factors from chip to chip.
    group_out: u32,
    group_in: u32,
    factor_chip: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> factors: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> packed: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if item >= p.words / 2u || chip >= run.chips {
        return;
    }
    let pairs = p.side / 2u;
    let pair = item % pairs;
    let row = item / pairs % p.side;
    let matrix = item / pairs / p.side;
    let depth = matrix % p.depth;
    let tap = matrix / p.depth % p.taps;
    let outputs = matrix / p.depth / p.taps;
    let o = outputs % p.matrices * p.side + row;
    let i = depth * p.side + 2u * pair;
    var v = vec2<f32>(0.0);
    if o < p.group_out {
        let channel = outputs / p.matrices * p.group_out + o;
        let up = factors[chip * p.factor_chip + channel].x;
        let base = chip_base(p.w, chip) + (channel * p.group_in + i) * p.taps + tap;
        if i < p.group_in {
            v.x = w[base] * up;
        }
        if i + 1u < p.group_in {
            v.y = w[base + p.taps] * up;
        }
    }
    let both = two_halves(v);
    let to = chip * p.words + matrix * p.side * p.side + row * pairs + pair;
    packed[to] = both.high;
    packed[to + p.side * pairs] = both.low;
}
