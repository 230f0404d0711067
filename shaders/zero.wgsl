//!include shared/run.wgsl
// Sets a flat tensor (of all chips) to zero. One invocation four values.

struct Params {
    // Number of vec4<f32>.
    quads: u32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> t: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(id, grid) * 64u + lane;
    if i < params.quads {
        t[i] = vec4<f32>(0.0);
    }
}
