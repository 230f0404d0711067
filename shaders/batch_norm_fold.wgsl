//!include shared/run.wgsl
// scale = gamma / sqrt(var + eps), shift = beta - mean * scale. One invocation a channel.

struct Params {
    // Of mean, variance, scale and shift, which have one scope.
    statistics: View,
    // Of gamma and beta.
    gamma: View,
    eps: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
@group(0) @binding(5) var<storage, read> beta: array<f32>;
@group(0) @binding(6) var<storage, read_write> scale: array<f32>;
@group(0) @binding(7) var<storage, read_write> shift: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = flat_group(id, grid) * 64u + lane;
    let chip = chip_of(id);
    if channel >= params.statistics.len || chip >= run.chips {
        return;
    }
    let at = chip_base(params.statistics, chip) + channel;
    let own = chip_base(params.gamma, chip) + channel;
    let s = gamma[own] / sqrt(variance[at] + params.eps);
    scale[at] = s;
    shift[at] = beta[own] - mean[at] * s;
}
