//!include shared/run.wgsl
// One-bit activation y = a sign(x) with a = mean |x| per image over a group: a channel or the
// whole image. Workgroup (group of a block of a chip): 16 workers for each of the 4 quads.

struct Params {
    x: View,
    y: View,
    // Groups per image, and positions of each.
    groups: u32,
    positions: u32,
    unused0: u32,
    unused1: u32,
}

const WORKERS: u32 = 16u;

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let block = flat / params.groups;
    let group = flat % params.groups;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    // Consecutive lanes read consecutive quads: quad = lane % 4, worker = lane / 4.
    let begin = group * params.positions * QUADS + lane;
    let end = (group + 1u) * params.positions * QUADS;
    let x_base = block_base(params.x, chip, block);
    let y_base = block_base(params.y, chip, block);
    var sum = vec4<f32>(0.0);
    for (var i = begin; i < end; i += WORKERS * QUADS) {
        sum += abs(x[x_base + i]);
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = WORKERS / 2u; half > 0u; half = half / 2u) {
        if lane < half * QUADS {
            sums[lane] += sums[lane + half * QUADS];
        }
        workgroupBarrier();
    }
    let magnitude = sums[lane % QUADS] / f32(params.positions);
    for (var i = begin; i < end; i += WORKERS * QUADS) {
        y[y_base + i] = magnitude * sign(x[x_base + i]);
    }
}
