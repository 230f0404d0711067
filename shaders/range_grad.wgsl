//!include shared/run.wgsl
//!include shared/reduce.wgsl
// Of each part of a block of images: the gradient of what is beyond the range (x), how many values are below it (y), and how
// many there are (z); shaders/range_grad_finish.wgsl adds them up. Workgroup (part of a block of a chip).

struct Params {
    x: View,
    dy: View,
    // Workgroups per block, and quads of each.
    parts: u32,
    quads: u32,
    lo: f32,
    hi: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let block = flat / params.parts;
    let part = flat % params.parts;
    let chip = chip_of(id);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let range = vec4<f32>(params.hi * scale[0]);
    let signed = vec4<bool>(params.lo < 0.0);
    let zero = vec4<f32>(0.0);
    let one = vec4<f32>(1.0);
    let x_base = block_base(params.x, chip, block);
    let dy_base = block_base(params.dy, chip, block);
    let end = min((part + 1u) * params.quads, params.x.block_stride);
    var gradient = zero;
    var inside = zero;
    var all = zero;
    for (var i = part * params.quads + lane; i < end; i += REDUCE_SIZE) {
        let v = x[x_base + i];
        let g = dy[dy_base + i];
        let counted = lanes_used(block, i % QUADS);
        gradient += select(zero, min(g, zero), (v >= range) & counted);
        gradient -= select(zero, max(g, zero), (v <= -range) & signed & counted);
        inside += select(zero, one, (abs(v) < range) & counted);
        all += select(zero, one, counted);
    }
    let total = workgroup_sum(lane, vec4<f32>(across(gradient), across(inside), across(all), 0.0));
    if lane == 0u {
        sums[chip * run.blocks * params.parts + flat] = total;
    }
}
