//!include shared/run.wgsl
//!include shared/reduce.wgsl
// Biased mean and variance per channel over images, rows and columns (and over the chips where
// the outputs are shared), in two passes over the map. One workgroup a channel (of a chip).

struct Params {
    x: View,
    mean: View,
    // Channels, and quads of a channel of a block.
    channels: u32,
    quads: u32,
    // 1: over all chips of the wave together.
    over_chips: u32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> variance: array<f32>;

// Sum over this lane's part of (x - centre), or of its square.
fn lane_sum(channel: u32, first: u32, end: u32, lane: u32, centre: f32, square: bool) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var chip = first; chip < end; chip++) {
        for (var i = lane; i < run.blocks * params.quads; i += REDUCE_SIZE) {
            let block = i / params.quads;
            let at = channel * params.quads + i % params.quads;
            let v = x[block_base(params.x, chip, block) + at] - vec4<f32>(centre);
            sum += select(vec4<f32>(0.0), select(v, v * v, square), lanes_used(block, at % QUADS));
        }
    }
    return sum;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = flat_group(id, grid);
    let chip = chip_of(id);
    if channel >= params.channels || chip >= run.chips {
        return;
    }
    let end = select(chip + 1u, run.chips, params.over_chips == 1u);
    let count = f32((end - chip) * (params.quads / QUADS)) * f32(run.images);
    let sum = workgroup_sum(lane, lane_sum(channel, chip, end, lane, 0.0, false));
    let centre = across(sum) / count;
    let squares = workgroup_sum(lane, lane_sum(channel, chip, end, lane, centre, true));
    if lane == 0u {
        let at = chip_base(params.mean, chip) + channel;
        mean[at] = centre;
        variance[at] = across(squares) / count;
    }
}
