//!include shared/post.wgsl
// Last part of crossbars: y = post(w_step[o] x_step u[o]), in place. One thread a quad of images.

struct Params {
    y: View,
    post: Post,
    // Quads of a channel; 1 where every column has a step of its own.
    channel_quads: u32,
    per_column: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w_step: array<f32>;
@group(0) @binding(4) var<storage, read> x_step: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> shift: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> quant_step: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let block = item / p.y.block_stride;
    let at = item % p.y.block_stride;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let channel = at / p.channel_quads;
    var s = 1.0;
    var t = 0.0;
    var r = vec4<f32>(0.0);
    var d = 1.0;
    if HAS_SCALE {
        s = scale[chip_base(p.post.scale, chip) + channel];
    }
    if HAS_SHIFT {
        t = shift[chip_base(p.post.shift, chip) + channel];
    }
    if HAS_RESIDUAL {
        r = residual[block_base(p.post.residual, chip, block) + at];
    }
    if HAS_QUANT {
        d = quant_step[0];
    }
    let i = block_base(p.y, chip, block) + at;
    let unit = w_step[channel * p.per_column] * x_step[0];
    y[i] = post_value(unit * y[i], s, t, r, d, p.post);
}
