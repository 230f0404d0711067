//!include shared/run.wgsl
// dx = dy where |x| <= 1, else 0. One invocation a quad of images.

struct Params {
    x: View,
    dy: View,
    dx: View,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let item = flat_group(id, grid) * 64u + lane;
    let block = item / params.dx.block_stride;
    let at = item % params.dx.block_stride;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let inside = abs(x[block_base(params.x, chip, block) + at]) <= vec4<f32>(1.0);
    let g = dy[block_base(params.dy, chip, block) + at];
    dx[block_base(params.dx, chip, block) + at] = select(vec4<f32>(0.0), g, inside);
}
