//!include shared/run.wgsl
// Adds [sum hit, sum loss] of the run's images to a chip's tally. One workgroup a chip, a fixed
// tree, so that a chip's sums do not depend on its wave.

struct Params {
    hit: View,
    loss: View,
    tally: View,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> hit: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> loss: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> tally: array<f32>;

var<workgroup> sums: array<vec2<f32>, 64>;

fn across(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let chip = group.z;
    // The same for the whole workgroup.
    if chip >= run.chips {
        return;
    }
    var sum = vec2<f32>(0.0);
    for (var i = local; i < run.blocks * QUADS; i += 64u) {
        let block = i / QUADS;
        let quad = i % QUADS;
        let used = lanes_used(block, quad);
        let h = select(vec4<f32>(0.0), hit[block_base(p.hit, chip, block) + quad], used);
        let l = select(vec4<f32>(0.0), loss[block_base(p.loss, chip, block) + quad], used);
        sum += vec2<f32>(across(h), across(l));
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if local < 2u {
        let at = chip_base(p.tally, chip) + local;
        tally[at] += sums[0][local];
    }
}
