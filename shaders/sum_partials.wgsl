//!include shared/run.wgsl
// Second stage of a sum: out[i] = sum over splits (and over chips where out is shared) of
// partial[chip][split][i], in this order. One thread a value.

struct Params {
    out: View,
    // Values and splits of a chip; partial sums from chip to chip; 1 where chips are summed too.
    len: u32,
    splits: u32,
    chip_stride: u32,
    all_chips: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.len || chip >= run.chips {
        return;
    }
    let count = select(p.splits, p.splits * run.chips, p.all_chips == 1u);
    let first = chip * p.chip_stride + i;
    var sum = 0.0;
    for (var s = 0u; s < count; s++) {
        sum += partial[first + s * p.len];
    }
    out[chip_base(p.out, chip) + i] = sum;
}
