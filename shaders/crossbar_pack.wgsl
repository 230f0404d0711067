//!include shared/run.wgsl
//!include shared/half.wgsl
// Conductances of four columns side by side for the crossbar kernels:
// packed[chip][four columns][plane][row] from g[plane][column][row], 0 where there is no column; of
// floats, or with HALF of halves. One thread four columns of a row.

struct Params {
    g: View,
    // Fours of a chip, and where they start in pairs of words.
    chip: u32,
    first: u32,
    rows: u32,
    cols: u32,
    planes: u32,
    // Columns of a group, fours of them.
    group_out: u32,
    tiles: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<u32>;
@group(0) @binding(3) var<storage, read_write> packed: array<vec2<u32>>;

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
    let row = item % p.rows;
    let plane = item / p.rows % p.planes;
    let tile = item / p.rows / p.planes;
    let first = tile % p.tiles * 4u;
    let column = tile / p.tiles * p.group_out + first;
    let base = chip_base(p.g, chip);
    let at = (plane * p.cols + column) * p.rows + row;
    var v = vec4<u32>(0u);
    for (var j = 0u; j < 4u; j++) {
        if first + j < p.group_out {
            let i = at + j * p.rows;
            if HALF {
                v[j] = half_of(g[base + i / 2u], i);
            } else {
                v[j] = g[base + i];
            }
        }
    }
    let to = chip * p.chip + item;
    if HALF {
        packed[p.first + to] = vec2<u32>(v.x | (v.y << 16u), v.z | (v.w << 16u));
    } else {
        packed[p.first + 2u * to] = v.xy;
        packed[p.first + 2u * to + 1u] = v.zw;
    }
}
