//!include shared/run.wgsl
// dw += factor sign(w) / d * sum over the digits of min(|round(w/d)|, Q) above 0 of 2^(-k slice_bits), nothing where
// d <= 0. One invocation a weight.

struct Params {
    // Weights, how many consecutive ones share a step, and the steps they take in turn.
    len: u32,
    run: u32,
    groups: u32,
    slice_bits: u32,
    // Highest code.
    q: f32,
    factor: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;

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
    if d <= 0.0 {
        return;
    }
    let mask = (1u << params.slice_bits) - 1u;
    var rest = u32(min(abs(round(v / d)), params.q));
    var each = 1.0;
    var pull = 0.0;
    while rest > 0u {
        if (rest & mask) > 0u {
            pull += each;
        }
        rest = rest >> params.slice_bits;
        each = each / f32(mask + 1u);
    }
    dw[i] = dw[i] + params.factor / d * sign(v) * pull;
}
