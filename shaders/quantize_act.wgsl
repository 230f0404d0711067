//!include shared/run.wgsl
//!include shared/quantize.wgsl
// y = d clamp(round(x/d), lo, hi). One invocation a quad of images.

struct Params {
    x: View,
    y: View,
    lo: f32,
    hi: f32,
    // 1: floor instead of round.
    take_floor: u32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let item = flat_group(id, grid) * 64u + lane;
    let block = item / params.y.block_stride;
    let at = item % params.y.block_stride;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let d = scale[0];
    let v = x[block_base(params.x, chip, block) + at];
    y[block_base(params.y, chip, block) + at] =
        quantize(v, d, params.lo, params.hi, params.take_floor == 1u);
}
