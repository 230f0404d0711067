//!include shared/run.wgsl
// First stage of y[c] = sum over images, rows and columns of x: a workgroup sums one channel of
// one chip over its split of the blocks. Second stage: sum_partials.wgsl.

struct Params {
    x: View,
    channels: u32,
    // Quads of a channel.
    channel_quads: u32,
    splits: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
// [chip][split][channel].
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups);
    let channel = item % p.channels;
    let split = item / p.channels;
    let chip = chip_of(group);
    // The same for the whole workgroup; nobody waits for a barrier that others skip.
    if split >= p.splits || chip >= run.chips {
        return;
    }
    let share = (run.blocks + p.splits - 1u) / p.splits;
    let end = min(run.blocks, (split + 1u) * share);
    var sum = vec4<f32>(0.0);
    for (var block = split * share; block < end; block++) {
        let base = block_base(p.x, chip, block) + channel * p.channel_quads;
        for (var i = local; i < p.channel_quads; i += 64u) {
            let v = x[base + i];
            sum += select(vec4<f32>(0.0), v, lanes_used(block, i % QUADS));
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        let s = sums[0];
        partial[(chip * p.splits + split) * p.channels + channel] = (s.x + s.y) + (s.z + s.w);
    }
}
