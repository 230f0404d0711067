//!include shared/run.wgsl
//!include shared/reduce.wgsl
// dbeta = sum dy, dgamma = sum dy (x - mean)/sqrt(var + eps) over images, rows, columns and
// chips, or of each chip. One workgroup a channel (of a chip). First half of batch norm's backward pass.

struct Params {
    x: View,
    dy: View,
    // Of mean, variance and the sums, which have one scope.
    statistics: View,
    // Channels, and quads of a channel of a block.
    channels: u32,
    quads: u32,
    // 1: over all chips of the wave together.
    over_chips: u32,
    eps: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(7) var<storage, read_write> dbeta: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = flat_group(id, grid);
    let own = chip_of(id);
    if channel >= params.channels || own >= run.chips {
        return;
    }
    let statistic = chip_base(params.statistics, own) + channel;
    let centre = vec4<f32>(mean[statistic]);
    let inverse = 1.0 / sqrt(variance[statistic] + params.eps);
    var sum = vec4<f32>(0.0);
    var weighted = vec4<f32>(0.0);
    let end = select(own + 1u, run.chips, params.over_chips == 1u);
    for (var chip = own; chip < end; chip++) {
        for (var i = lane; i < run.blocks * params.quads; i += REDUCE_SIZE) {
            let block = i / params.quads;
            let at = channel * params.quads + i % params.quads;
            let g = dy[block_base(params.dy, chip, block) + at];
            let used = select(vec4<f32>(0.0), g, lanes_used(block, at % QUADS));
            sum += used;
            weighted += used * ((x[block_base(params.x, chip, block) + at] - centre) * inverse);
        }
    }
    sum = workgroup_sum(lane, sum);
    weighted = workgroup_sum(lane, weighted);
    if lane == 0u {
        dbeta[statistic] = across(sum);
        dgamma[statistic] = across(weighted);
    }
}
