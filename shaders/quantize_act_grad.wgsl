//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/quantize.wgsl
// dx = dy * mask, and for LSQ the partial sums of the gradient of the step,
// dy * (round(x/d) - x/d inside, lo or hi outside). Workgroup (part of a block of a chip).

struct Params {
    x: View,
    dy: View,
    dx: View,
    // Workgroups per block, and quads of each.
    parts: u32,
    quads: u32,
    // 1: floor instead of round.
    take_floor: u32,
    // 1: the gradient passes inside the range only; 0: everywhere.
    clip: u32,
    lo: f32,
    hi: f32,
    // 1: the gradient of the step is wanted.
    learned: u32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;

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
    let d = scale[0];
    let safe = select(1.0, d, d > 0.0);
    let lo = vec4<f32>(params.lo);
    let hi = vec4<f32>(params.hi);
    let lowest = vec4<f32>(lower_end(params.lo, d));
    let highest = vec4<f32>(upper_end(params.hi, d));
    let x_base = block_base(params.x, chip, block);
    let dy_base = block_base(params.dy, chip, block);
    let dx_base = block_base(params.dx, chip, block);
    let end = min((part + 1u) * params.quads, params.dx.block_stride);
    var total = vec4<f32>(0.0);
    for (var i = part * params.quads + lane; i < end; i += REDUCE_SIZE) {
        let g = dy[dy_base + i];
        let v = x[x_base + i];
        let r = v / safe;
        let below = v < lowest;
        let above = v > highest;
        let masked = (below | above) & vec4<bool>(params.clip == 1u);
        dx[dx_base + i] = select(g, vec4<f32>(0.0), masked);
        let code = select(round(r), floor(r), params.take_floor == 1u);
        let slope = select(select(code - r, hi, above), lo, below);
        let counted = lanes_used(block, i % QUADS) & vec4<bool>(d > 0.0);
        total += select(vec4<f32>(0.0), g * slope, counted);
    }
    if params.learned == 1u {
        total = workgroup_sum(lane, total);
        if lane == 0u {
            partial[chip * run.blocks * params.parts + flat] = across(total);
        }
    }
}
