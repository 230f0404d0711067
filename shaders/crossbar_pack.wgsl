//!include shared/run.wgsl
//!include shared/half.wgsl
// Conductances of four columns side by side for the crossbar kernels:
// packed[chip][four columns][plane][row] from g[plane][column][row], 0 where there is no column; from
// floats, or with HALF from halves. With PADDED rows are those that a table names, 0 where it names none.
// One thread four columns of a row.

struct Params {
    g: View,
    // Fours of a chip, and where they start.
    chip: u32,
    first: u32,
    // Rows of `g` and of `packed`.
    rows: u32,
    packed_rows: u32,
    cols: u32,
    planes: u32,
    // Columns of a group, fours of them.
    group_out: u32,
    tiles: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<u32>;
@group(0) @binding(3) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> order: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if item >= p.chip || chip >= run.chips {
        return;
    }
    var row = item % p.packed_rows;
    if PADDED {
        row = order[row];
    }
    let plane = item / p.packed_rows % p.planes;
    let tile = item / p.packed_rows / p.planes;
    let first = tile % p.tiles * 4u;
    let column = tile / p.tiles * p.group_out + first;
    let base = chip_base(p.g, chip);
    let at = (plane * p.cols + column) * p.rows + row;
    var v = vec4<u32>(0u);
    for (var j = 0u; j < 4u; j++) {
        if first + j < p.group_out && row < p.rows {
            let i = at + j * p.rows;
            if HALF {
                v[j] = half_of(g[base + i / 2u], i);
            } else {
                v[j] = g[base + i];
            }
        }
    }
    let to = p.first + chip * p.chip + item;
    if HALF {
        packed[to] = half_values(v);
    } else {
        packed[to] = bitcast<vec4<f32>>(v);
    }
}
