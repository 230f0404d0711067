//!include shared/run.wgsl
//!include shared/reduce.wgsl
// Largest magnitude of each part of a block of images; shaders/combine.wgsl finishes. Workgroup
// (part of a block of a chip).

struct Params {
    x: View,
    // Workgroups per block, and quads of each.
    parts: u32,
    quads: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let block = flat / params.parts;
    let part = flat % params.parts;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let base = block_base(params.x, chip, block);
    let end = min((part + 1u) * params.quads, params.x.block_stride);
    var most = vec4<f32>(0.0);
    for (var i = part * params.quads + lane; i < end; i += REDUCE_SIZE) {
        let a = abs(x[base + i]);
        most = max(most, select(vec4<f32>(0.0), a, lanes_used(block, i % QUADS)));
    }
    let top = largest(workgroup_max(lane, most));
    if lane == 0u {
        partial[chip * run.blocks * params.parts + flat] = top;
    }
}
