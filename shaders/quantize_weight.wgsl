//!include shared/run.wgsl
// q = d clamp(round(w/d), -Q, Q); one bit: d where w >= 0, else -d; no bits: w.
// A step of 0 or below gives 0.

struct Params {
    // Weights, how many consecutive ones share a step, and the steps they take in turn.
    len: u32,
    run: u32,
    groups: u32,
    bits: u32,
    // Highest code.
    q: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> quantized: array<f32>;

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
    let v = w[i];
    let d = scale[i / params.run % params.groups];
    var value = v;
    if params.bits == 1u {
        value = select(-d, d, v >= 0.0);
    }
    if params.bits > 1u {
        let safe = select(1.0, d, d > 0.0);
        value = select(0.0, d * clamp(round(v / safe), -params.q, params.q), d > 0.0);
    }
    quantized[i] = value;
}
