//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/weight_scale.wgsl
// First pass of weight_scale: the largest magnitude and, chunk by chunk, the sum of magnitudes of
// each group; clears the histogram of the selection. Before: state zeroed.

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<SelectState>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> histogram: array<u32>;

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
    var total = 0.0;
    var most = 0.0;
    let end = min((chunk + 1u) * CHUNK, params.size);
    for (var i = chunk * CHUNK + lane; i < end; i += REDUCE_SIZE) {
        let a = abs(w[place(params, group, i)]);
        total += a;
        most = max(most, a);
    }
    if chunk == 0u {
        for (var b = lane; b < BINS; b += REDUCE_SIZE) {
            histogram[group * BINS + b] = 0u;
        }
    }
    let sum = workgroup_sum(lane, vec4<f32>(total, 0.0, 0.0, 0.0)).x;
    let top = workgroup_max(lane, vec4<f32>(most, 0.0, 0.0, 0.0)).x;
    if lane == 0u {
        sums[flat] = sum;
        // By bits: non-negative floats order as they do.
        atomicMax(&state[group].max_bits, bitcast<u32>(top));
    }
}
