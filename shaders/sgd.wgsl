//!include shared/run.wgsl
//!include shared/positive.wgsl
// g' = g + decay w; m = momentum m + g'; w -= lr m, or with Nesterov w -= lr (g' + momentum m).
// Quantizer steps stay positive. One invocation four parameters.

struct Params {
    w: View,
    momentum: f32,
    weight_decay: f32,
    nesterov: u32,
    // 1: quantizer steps.
    positive: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(id, grid) * 64u + lane;
    let chip = chip_of(id);
    if 4u * i >= params.w.len || chip >= run.chips {
        return;
    }
    let at = chip_base(params.w, chip) / 4u + i;
    let gradient = g[at] + params.weight_decay * w[at];
    let velocity = params.momentum * m[at] + gradient;
    let nesterov = gradient + params.momentum * velocity;
    m[at] = velocity;
    let old = w[at];
    let moved = old - run.lr * select(velocity, nesterov, params.nesterov == 1u);
    w[at] = select(moved, within_factor(old, moved), params.positive == 1u);
}
