//!include shared/run.wgsl
// y[p][i] = x[p][table[i]], or fill where there is no source. One thread a value.
// Constants: CODES (values become codes by the step of their column).

struct Params {
    x: View,
    y: View,
    // Values of a plane of x, of a column of it, and of a plane of y.
    len: u32,
    rows: u32,
    places: u32,
    // 1 where every column has a step of its own.
    per_column: u32,
    fill: f32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> step_of: array<f32>;
@group(0) @binding(4) var<storage, read> table: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const NO_SOURCE: u32 = 0xffffffffu;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.y.len || chip >= run.chips {
        return;
    }
    let source = table[i % p.places];
    var v = p.fill;
    if source != NO_SOURCE {
        v = x[chip_base(p.x, chip) + i / p.places * p.len + source];
        if CODES {
            let d = step_of[source / p.rows * p.per_column];
            v = select(0.0, round(v / d), d > 0.0);
        }
    }
    y[chip_base(p.y, chip) + i] = v;
}
