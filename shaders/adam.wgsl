//!include shared/run.wgsl
//!include shared/normal.wgsl
//!include shared/positive.wgsl
// Adam (Kingma, Ba, arXiv 1412.6980) or AdamW at update t = step + 1: m = b1 m + (1-b1) g,
// v = b2 v + (1-b2) g^2, w -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps). Quantizer steps:
// the same for their logarithm, to first order. One invocation four parameters.

struct Params {
    w: View,
    beta1: f32,
    beta2: f32,
    // Natural logarithms of the betas: 1 - b^t = -(exp(t ln b) - 1) keeps its digits, where the
    // difference of 1 and a power would lose them.
    log_beta1: f32,
    log_beta2: f32,
    eps: f32,
    weight_decay: f32,
    // 1: AdamW.
    decoupled: u32,
    // 1: quantizer steps.
    positive: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4<f32>>;

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
    let t = f32(run.step + 1u);
    let logs = t * vec4<f32>(params.log_beta1, params.log_beta2, 0.0, 0.0);
    let bias = -exp_m1_4(logs);

    var parameter = w[at];
    var gradient = g[at];
    if params.positive == 1u {
        gradient *= parameter;
    } else if params.decoupled == 1u {
        parameter -= run.lr * params.weight_decay * parameter;
    } else {
        gradient += params.weight_decay * parameter;
    }
    let first = params.beta1 * m[at] + (1.0 - params.beta1) * gradient;
    let second = params.beta2 * v[at] + (1.0 - params.beta2) * gradient * gradient;
    m[at] = first;
    v[at] = second;
    let root = sqrt(second / bias.y) + params.eps;
    let change = run.lr * (first / bias.x) / root;
    let scaled = within_factor(parameter, parameter - change * parameter);
    w[at] = select(parameter - change, scaled, params.positive == 1u);
}
