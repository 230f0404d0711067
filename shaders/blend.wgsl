//!include shared/run.wgsl
// y = f a + g b, or y = f a. One thread a quad of images.

struct Params {
    a: View,
    b: View,
    y: View,
    f: f32,
    g: f32,
    // Whether there is a second map.
    two: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

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
    var sum = p.f * a[block_base(p.a, chip, block) + at];
    if p.two == 1u {
        sum += p.g * b[block_base(p.b, chip, block) + at];
    }
    y[block_base(p.y, chip, block) + at] = sum;
}
