//!include shared/activation.wgsl
//!include shared/run.wgsl
// dx = dy * f'(.) [* scale[c]], the derivative from the output y (hard swish: the input) of the activation. One thread a
// quad of images.

struct Params {
    y: View,
    dy: View,
    dx: View,
    scale: View,
    // Quads of a channel.
    channel_quads: u32,
    pad0: u32,
    // Constants of the activation.
    act: vec2<f32>,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let block = item / p.dx.block_stride;
    let at = item % p.dx.block_stride;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let slope = activation_slope(y[block_base(p.y, chip, block) + at], ACT, p.act);
    var v = dy[block_base(p.dy, chip, block) + at] * slope;
    if HAS_SCALE {
        v *= scale[chip_base(p.scale, chip) + at / p.channel_quads];
    }
    dx[block_base(p.dx, chip, block) + at] = v;
}
