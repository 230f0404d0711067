//!include shared/run.wgsl
// y = max(-c, min(w, c)), c that of the weight's group. One invocation a weight.

struct Params {
    len: u32,
    // Weights of a group.
    run: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bound: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(id, grid) * 64u + lane;
    if i >= params.len {
        return;
    }
    let c = bound[i / params.run];
    y[i] = max(-c, min(w[i], c));
}
