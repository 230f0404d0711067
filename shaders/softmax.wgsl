//!include shared/run.wgsl
//!include shared/activation.wgsl
// y[c] = exp(x[c] - max) / sum exp(x - max) over the channels of a pixel. One thread a quad of
// images of one pixel.

struct Params {
    x: View,
    y: View,
    channels: u32,
    // Quads of a channel.
    channel_quads: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let block = item / p.channel_quads;
    let at = item % p.channel_quads;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let source = block_base(p.x, chip, block) + at;
    let goal = block_base(p.y, chip, block) + at;
    var most = x[source];
    for (var c = 1u; c < p.channels; c++) {
        let v = x[source + c * p.channel_quads];
        most = select(most, v, v > most);
    }
    var sum = vec4<f32>(0.0);
    for (var c = 0u; c < p.channels; c++) {
        let v = exp_negative(x[source + c * p.channel_quads] - most);
        y[goal + c * p.channel_quads] = v;
        sum += v;
    }
    for (var c = 0u; c < p.channels; c++) {
        let i = goal + c * p.channel_quads;
        y[i] = y[i] / sum;
    }
}
