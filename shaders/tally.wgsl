//!include shared/run.wgsl
// Adds [sum hit, sum loss] of the run's images to a chip's tally: the lanes of a block by a fixed
// tree, then block after block, the order of the native backend. A chip's sums depend neither on
// its wave nor on how its images are cut into runs. One workgroup a chip.

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
    let at = chip_base(p.tally, chip);
    var total = vec2<f32>(tally[at], tally[at + 1u]);
    // 64 blocks at a time: every invocation sums one, the first adds them up in order.
    for (var first = 0u; first < run.blocks; first += 64u) {
        let block = first + local;
        var h = vec4<f32>(0.0);
        var l = vec4<f32>(0.0);
        if block < run.blocks {
            for (var quad = 0u; quad < QUADS; quad++) {
                let used = lanes_used(block, quad);
                let x = select(vec4<f32>(0.0), hit[block_base(p.hit, chip, block) + quad], used);
                let y = select(vec4<f32>(0.0), loss[block_base(p.loss, chip, block) + quad], used);
                h[quad] = across(x);
                l[quad] = across(y);
            }
        }
        sums[local] = vec2<f32>(across(h), across(l));
        workgroupBarrier();
        if local == 0u {
            for (var i = 0u; i < min(64u, run.blocks - first); i++) {
                total += sums[i];
            }
        }
        workgroupBarrier();
    }
    if local == 0u {
        tally[at] = total.x;
        tally[at + 1u] = total.y;
    }
}
