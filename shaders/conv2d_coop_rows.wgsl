//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/scaling.wgsl
// The power of two by which an output channel's weights are multiplied, and the step of the codes
// divided by it. One workgroup an output channel.

struct Params {
    w: View,
    // Weights of a channel, channels.
    rows: u32,
    channels: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> x_step: array<f32>;
@group(0) @binding(4) var<storage, read_write> factors: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = flat_group(group, groups);
    let chip = chip_of(group);
    if channel >= p.channels || chip >= run.chips {
        return;
    }
    let base = chip_base(p.w, chip) + channel * p.rows;
    var most = 0.0;
    for (var i = lane; i < p.rows; i += REDUCE_SIZE) {
        most = max(most, abs(w[base + i]));
    }
    let top = workgroup_max(lane, vec4<f32>(most)).x;
    if lane == 0u {
        let f = scaling(top);
        factors[chip * p.channels + channel] = vec2<f32>(f.x, x_step[0] * f.y);
    }
}
