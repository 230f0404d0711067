//!include shared/run.wgsl
// Squared drives of an image times the conductances that they drive: the sum over places of table[code] load. A workgroup
// adds a block of images of a chip, 16 places at a time: invocation `local` has quad `local % 4` and every 16th place.

struct Params {
    x: View,
    load: View,
    y: View,
    // Lowest code; last entry of the table.
    lo: i32,
    top: i32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x_step: array<f32>;
@group(0) @binding(4) var<storage, read> load: array<f32>;
@group(0) @binding(5) var<storage, read> table: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, 64>;

fn entry(at: i32) -> f32 {
    return bitcast<f32>(table[u32(clamp(at - p.lo, 0, p.top))]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = flat_group(group, groups);
    let chip = chip_of(group);
    // The same for the whole workgroup; nobody waits for a barrier that others skip.
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let quad = local % QUADS;
    let step = x_step[0];
    let base = block_base(p.x, chip, block) + quad;
    let loads = chip_base(p.load, chip);
    // Where there is no step all codes are 0.
    let inverse = select(0.0, 1.0 / step, step > 0.0);
    var sum = vec4<f32>(0.0);
    for (var i = local / QUADS; i < p.load.len; i += 16u) {
        let code = vec4<i32>(round(x[base + i * QUADS] * inverse));
        let drive = vec4<f32>(entry(code.x), entry(code.y), entry(code.z), entry(code.w));
        sum += drive * load[loads + i];
    }
    sums[local] = sum;
    workgroupBarrier();
    if local < QUADS {
        for (var i = 1u; i < 16u; i++) {
            sum += sums[i * QUADS + local];
        }
        y[block_base(p.y, chip, block) + local] = sum;
    }
}
