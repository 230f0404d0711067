//!include shared/run.wgsl
// Second stage of histogram: counts as numbers. One thread a bin.

struct Params {
    out: View,
    // Counts from chip to chip.
    chip_counts: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.out.len || chip >= run.chips {
        return;
    }
    out[chip_base(p.out, chip) + i] = f32(counts[chip * p.chip_counts + i]);
}
