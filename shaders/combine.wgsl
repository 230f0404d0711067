//!include shared/run.wgsl
//!include shared/reduce.wgsl
// Second stage of the deterministic reductions: out[g] = factor * (sum or MAXIMUM of the partial
// results of group g) / divisor. One workgroup a group.

struct Params {
    // Partial results of a group, per block of images and per chip where these are 1.
    items: u32,
    by_block: u32,
    by_chip: u32,
    groups: u32,
    factor: f32,
    divisor: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(id, grid);
    if group >= params.groups {
        return;
    }
    var count = params.items;
    if params.by_block == 1u {
        count *= run.blocks;
    }
    if params.by_chip == 1u {
        count *= run.chips;
    }
    var value = 0.0;
    for (var i = lane; i < count; i += REDUCE_SIZE) {
        let p = partial[group * count + i];
        value = select(value + p, max(value, p), MAXIMUM);
    }
    let wide = vec4<f32>(value, 0.0, 0.0, 0.0);
    var result = 0.0;
    if MAXIMUM {
        result = workgroup_max(lane, wide).x;
    } else {
        result = workgroup_sum(lane, wide).x;
    }
    if lane == 0u {
        out[group] = params.factor * result / params.divisor;
    }
}
