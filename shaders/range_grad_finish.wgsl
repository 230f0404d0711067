//!include shared/run.wgsl
//!include shared/reduce.wgsl
// dscale = hi (gradient of what is beyond the range, and decay times the range where more than `inside` of the values are
// below it). One workgroup.

struct Params {
    // Sums of a block, and 1 where every chip has its own.
    parts: u32,
    by_chip: u32,
    hi: f32,
    decay: f32,
    inside: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> dscale: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    if flat_group(id, grid) > 0u {
        return;
    }
    var count = params.parts * run.blocks;
    if params.by_chip == 1u {
        count *= run.chips;
    }
    var value = vec4<f32>(0.0);
    for (var i = lane; i < count; i += REDUCE_SIZE) {
        value += sums[i];
    }
    let total = workgroup_sum(lane, value);
    if lane == 0u {
        let range = params.hi * scale[0];
        let decay = select(0.0, params.decay * range, total.y > params.inside * total.z);
        dscale[0] = params.hi * (total.x + decay);
    }
}
