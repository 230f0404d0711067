//!include shared/run.wgsl
// y[first + j] = x[table[j]], or fill where there is no source. One thread a quad of images of one
// place.

struct Params {
    x: View,
    y: View,
    first: u32,
    // Entries of the table.
    len: u32,
    fill: f32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

const NO_SOURCE: u32 = 0xffffffffu;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let quads = p.len * QUADS;
    let block = item / quads;
    let quad = item % QUADS;
    let chip = chip_of(group);
    if block >= run.blocks || chip >= run.chips {
        return;
    }
    let j = item % quads / QUADS;
    let source = table[j];
    var v = vec4<f32>(p.fill);
    if source != NO_SOURCE {
        v = x[block_base(p.x, chip, block) + source * QUADS + quad];
    }
    y[block_base(p.y, chip, block) + (p.first + j) * QUADS + quad] = v;
}
