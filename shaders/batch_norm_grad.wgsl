//!include shared/run.wgsl
// dx = gamma/sqrt(var + eps) (dy - dbeta/m - xh dgamma/m), xh = (x - mean)/sqrt(var + eps), 0 in
// lanes without an image. One invocation a quad of images. Second half of batch norm's backward.

struct Params {
    x: View,
    dy: View,
    dx: View,
    // Of mean, variance and the sums, which have one scope.
    statistics: View,
    gamma: View,
    // Quads of a channel of a block.
    quads: u32,
    // 1: the sums went over all chips.
    over_chips: u32,
    eps: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
// Mean, variance, gamma of every channel.
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> dgamma: array<f32>;
@group(0) @binding(8) var<storage, read> dbeta: array<f32>;
@group(0) @binding(9) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let item = flat_group(id, grid) * 64u + lane;
    let block = item / params.dx.block_stride;
    let at = item % params.dx.block_stride;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let channel = at / params.quads;
    let chips = select(1u, run.chips, params.over_chips == 1u);
    let m = f32(chips * (params.quads / QUADS)) * f32(run.images);
    let statistic = chip_base(params.statistics, chip) + channel;
    let inverse = 1.0 / sqrt(variance[statistic] + params.eps);
    let xh = (x[block_base(params.x, chip, block) + at] - mean[statistic]) * inverse;
    let g = dy[block_base(params.dy, chip, block) + at];
    let centred = g - dbeta[statistic] / m - xh * (dgamma[statistic] / m);
    let value = gamma[chip_base(params.gamma, chip) + channel] * inverse * centred;
    dx[block_base(params.dx, chip, block) + at] =
        select(vec4<f32>(0.0), value, lanes_used(block, at % QUADS));
}
