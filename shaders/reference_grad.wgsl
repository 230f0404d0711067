//!include shared/run.wgsl
//!include shared/reduce.wgsl
// d = x_step / by  sum over columns: w_step sums. One workgroup.

struct Params {
    columns: u32,
    // 1 where every column has a step of its own.
    per_column: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read> w_step: array<f32>;
@group(0) @binding(4) var<storage, read> x_step: array<f32>;
@group(0) @binding(5) var<storage, read> by: array<f32>;
@group(0) @binding(6) var<storage, read_write> d: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    if flat_group(id, grid) > 0u {
        return;
    }
    var sum = 0.0;
    for (var i = lane; i < params.columns; i += REDUCE_SIZE) {
        sum += w_step[i * params.per_column] * sums[i];
    }
    let total = workgroup_sum(lane, vec4<f32>(sum, 0.0, 0.0, 0.0)).x;
    if lane == 0u {
        d[0] = x_step[0] / by[0] * total;
    }
}
