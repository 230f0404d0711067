//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/half.wgsl
//!include shared/scaling.wgsl
// The powers of two by which the conductances of a plane's column are multiplied and its sums divided,
// as in conv2d_coop_rows.wgsl; the last plane, with which codes are added up, is not scaled. One
// workgroup a column of a plane. Constant HALF: conductances are halves.

struct Params {
    g: View,
    // Rows of a column; columns of all planes; columns of the planes that hold conductances.
    rows: u32,
    columns: u32,
    cells: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<u32>;
@group(0) @binding(3) var<storage, read_write> factors: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let column = flat_group(group, groups);
    let chip = chip_of(group);
    if column >= p.columns || chip >= run.chips {
        return;
    }
    let base = chip_base(p.g, chip);
    var most = 0.0;
    if column < p.cells {
        for (var k = lane; k < p.rows; k += REDUCE_SIZE) {
            let i = column * p.rows + k;
            if HALF {
                most = max(most, abs(half_values(vec4<u32>(half_of(g[base + i / 2u], i))).x));
            } else {
                most = max(most, abs(bitcast<f32>(g[base + i])));
            }
        }
    }
    let top = workgroup_max(lane, vec4<f32>(most)).x;
    if lane == 0u {
        var f = vec2<f32>(1.0);
        if column < p.cells {
            f = scaling(top);
        }
        factors[chip * p.columns + column] = f;
    }
}
