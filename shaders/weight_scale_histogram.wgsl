//!include shared/run.wgsl
//!include shared/weight_scale.wgsl
// One digit of the selection of weight_scale: counts the digits of the magnitudes that start with
// the prefix found so far. Integer atomics, so any order gives the same counts.
// Before: histogram zeroed.

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<SelectState>;
@group(0) @binding(4) var<storage, read_write> histogram: array<atomic<u32>>;

var<workgroup> bins: array<atomic<u32>, BINS>;

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
    for (var b = lane; b < BINS; b += 256u) {
        atomicStore(&bins[b], 0u);
    }
    let prefix = select(state[group].prefix, 0u, params.digit == 0u);
    workgroupBarrier();
    let end = min((chunk + 1u) * CHUNK, params.size);
    for (var i = chunk * CHUNK + lane; i < end; i += 256u) {
        let bits = bitcast<u32>(abs(w[place(params, group, i)]));
        let counts = bits > 0u || params.share == 0.0;
        if counts && prefix_of(bits, params.digit) == prefix {
            atomicAdd(&bins[digit_of(bits, params.digit)], 1u);
        }
    }
    workgroupBarrier();
    for (var b = lane; b < BINS; b += 256u) {
        let count = atomicLoad(&bins[b]);
        if count > 0u {
            atomicAdd(&histogram[group * BINS + b], count);
        }
    }
}
