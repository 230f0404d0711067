//!include shared/run.wgsl
// Rearranges weights so that 8 channels of a tile lie side by side, which shared/tile.wgsl reads:
// packed[chip][group][tile][a][b][8] = w[chip][group g][a a_stride + b b_stride + j j_stride],
// 0 where the channel j does not exist. One thread a quad of channels.

struct Params {
    w: View,
    // Packed vec4 from chip to chip, groups, tiles of a group, channels of a group.
    w_chip: u32,
    groups: u32,
    tiles: u32,
    channels: u32,
    // Extents and strides of the weights.
    a: u32,
    b: u32,
    a_stride: u32,
    b_stride: u32,
    j_stride: u32,
    group_stride: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if item >= p.w_chip || chip >= run.chips {
        return;
    }
    let quad = item % 2u;
    let b = item / 2u % p.b;
    let a = item / 2u / p.b % p.a;
    let tile = item / 2u / p.b / p.a;
    let first = tile % p.tiles * 8u + quad * 4u;
    let base = chip_base(p.w, chip) + tile / p.tiles * p.group_stride
        + a * p.a_stride + b * p.b_stride;
    var v = vec4<f32>(0.0);
    for (var j = 0u; j < 4u; j++) {
        if first + j < p.channels {
            v[j] = w[base + (first + j) * p.j_stride];
        }
    }
    packed[chip * p.w_chip + item] = v;
}
