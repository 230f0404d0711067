//!include shared/run.wgsl
// out[i] = sqrt(sum a / sum b), 1 where sum b is 0. One invocation a chip, sums in order as on the
// CPU: there are only as many values as channels.

struct Params {
    a: View,
    b: View,
    out: View,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let chip = chip_of(id);
    if lane > 0u || chip >= run.chips {
        return;
    }
    let a0 = chip_base(params.a, chip);
    let b0 = chip_base(params.b, chip);
    var sum_a = 0.0;
    var sum_b = 0.0;
    for (var i = 0u; i < params.out.len; i++) {
        sum_a += a[a0 + i];
        sum_b += b[b0 + i];
    }
    let ratio = select(1.0, sqrt(sum_a / sum_b), sum_b > 0.0);
    let to = chip_base(params.out, chip);
    for (var i = 0u; i < params.out.len; i++) {
        out[to + i] = ratio;
    }
}
