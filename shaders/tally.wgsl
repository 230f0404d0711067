//!include shared/run.wgsl
// Adds the sums of two values (one where HAS_SECOND is false) over the run's images to a chip's tally: the
// lanes of a block by a fixed tree, then block after block, the order of the native backend. A chip's sums
// depend neither on its wave nor on how its images are cut into runs. One workgroup a chip.

struct Params {
    first: View,
    second: View,
    tally: View,
    // Of the first sum in the tally.
    place: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> first: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> second: array<vec4<f32>>;
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
    let chip = chip_of(group);
    // The same for the whole workgroup.
    if chip >= run.chips {
        return;
    }
    let at = chip_base(p.tally, chip) + p.place;
    var total = vec2<f32>(tally[at], 0.0);
    if HAS_SECOND {
        total.y = tally[at + 1u];
    }
    // 64 blocks at a time: every invocation sums one, the first adds them up in order.
    for (var begin = 0u; begin < run.blocks; begin += 64u) {
        let block = begin + local;
        var a = vec4<f32>(0.0);
        var b = vec4<f32>(0.0);
        if block < run.blocks {
            for (var quad = 0u; quad < QUADS; quad++) {
                let used = lanes_used(block, quad);
                let x = first[block_base(p.first, chip, block) + quad];
                a[quad] = across(select(vec4<f32>(0.0), x, used));
                if HAS_SECOND {
                    let y = second[block_base(p.second, chip, block) + quad];
                    b[quad] = across(select(vec4<f32>(0.0), y, used));
                }
            }
        }
        sums[local] = vec2<f32>(across(a), across(b));
        workgroupBarrier();
        if local == 0u {
            for (var i = 0u; i < min(64u, run.blocks - begin); i++) {
                total += sums[i];
            }
        }
        workgroupBarrier();
    }
    if local == 0u {
        tally[at] = total.x;
        if HAS_SECOND {
            tally[at + 1u] = total.y;
        }
    }
}
