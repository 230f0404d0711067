//!include shared/run.wgsl
//!include shared/reduce.wgsl
// mean = sum w / run and bound = times sqrt(sum (w - mean)^2 / run) of every group of run consecutive
// weights. One workgroup a group, its sums a fixed tree.

struct Params {
    groups: u32,
    // Weights of a group.
    run: u32,
    times: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> bound: array<f32>;

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
    let first = group * params.run;
    let n = f32(params.run);
    var total = 0.0;
    for (var i = lane; i < params.run; i += REDUCE_SIZE) {
        total += w[first + i];
    }
    let center = workgroup_sum(lane, vec4<f32>(total, 0.0, 0.0, 0.0)).x / n;
    var squares = 0.0;
    for (var i = lane; i < params.run; i += REDUCE_SIZE) {
        let d = w[first + i] - center;
        squares += d * d;
    }
    let variance = workgroup_sum(lane, vec4<f32>(squares, 0.0, 0.0, 0.0)).x / n;
    if lane == 0u {
        mean[group] = center;
        bound[group] = params.times * sqrt(variance);
    }
}
