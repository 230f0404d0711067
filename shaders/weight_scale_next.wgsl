//!include shared/run.wgsl
//!include shared/weight_scale.wgsl
// The order statistic above the one that weight_scale selected, for the interpolation of a
// percentile.

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<SelectState>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let group = flat / params.chunks;
    let chunk = flat % params.chunks;
    if group >= params.groups {
        return;
    }
    let found = state[group].prefix;
    var smallest = NO_NEXT;
    let end = min((chunk + 1u) * CHUNK, params.size);
    for (var i = chunk * CHUNK + lane; i < end; i += 256u) {
        let bits = bitcast<u32>(abs(w[place(params, group, i)]));
        if bits > found {
            smallest = min(smallest, bits);
        }
    }
    atomicMin(&state[group].next_bits, smallest);
}
