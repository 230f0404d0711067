//!include shared/run.wgsl
//!include shared/half.wgsl
// Read planes behind the wires (ir_drop.wgsl, ir_drop_separate.wgsl) as halves. One thread four values.

struct Params {
    // Floats and halves of the same values; slabs of both start at multiples of four words.
    x: View,
    out: View,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quad = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if 4u * quad >= p.x.len || chip >= run.chips {
        return;
    }
    out[chip_base(p.out, chip) / 2u + quad] = pack_halves(x[chip_base(p.x, chip) / 4u + quad]);
}
