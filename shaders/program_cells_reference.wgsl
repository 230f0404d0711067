//!include shared/run.wgsl
//!include shared/programming.wgsl
// How far the mean of the reference columns of every array lies from its nominal value (with REAL
// from (C1)), with its variance, relative to G_max: [chip][read plane][column tile][row]. One thread
// four rows.

struct Params {
    cells: Programming,
    array: View,
    // Columns per array, fours of rows.
    count: u32,
    row_quads: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> array_part: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> reference: array<vec2<f32>>;

struct Read {
    mean: vec4<f32>,
    variance: vec4<f32>,
}

fn common_of(array: vec4<u32>, chip: u32) -> vec4<f32> {
    let base = chip_base(p.array, chip);
    return vec4<f32>(
        array_part[base + array.x],
        array_part[base + array.y],
        array_part[base + array.z],
        array_part[base + array.w],
    );
}

fn mean_read(plane: u32, slice: u32, tile: u32, row: vec4<u32>, chip: u32) -> Read {
    let q = p.cells;
    let planes = q.slices * select(2u, 1u, OFFSET);
    var c: Cells;
    c.row = row;
    c.array = (table4(row) * q.col_tiles + tile) * planes + plane;
    c.column = vec4<u32>(0u);
    c.chip = chip;
    c.joint = common_of(c.array, chip);
    let slices = vec4<u32>(slice);
    let digit = digits(q, vec4<i32>(0), slices, vec4<bool>(plane % 2u == 0u));
    let ideal = nominal(q, digit, slices);
    var zero = ideal;
    if REAL {
        zero = evenly(q, digit, slices);
    }
    let share = 1.0 / f32(p.count);
    var r = Read(vec4<f32>(0.0), vec4<f32>(0.0));
    for (var j = 0u; j < p.count; j++) {
        c.address = ((plane * q.col_tiles + tile) * p.count + j) * q.rows + row;
        let g = programmed(q, c, ideal);
        r.mean += share * (g.g - zero);
        r.variance += share * share * read_variance(q, g);
    }
    return r;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let q = p.cells;
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    let row = item % p.row_quads * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let tile = item / p.row_quads % q.col_tiles;
    let plane = item / p.row_quads / q.col_tiles;
    let planes = q.slices * select(2u, 1u, OFFSET || PAIRS);
    if plane >= planes || chip >= run.chips {
        return;
    }
    let inside = min(row, vec4<u32>(q.rows - 1u));
    var slice = plane;
    var r: Read;
    if PAIRS {
        let a = mean_read(2u * plane, slice, tile, inside, chip);
        let b = mean_read(2u * plane + 1u, slice, tile, inside, chip);
        r = Read(a.mean - b.mean, a.variance + b.variance);
    } else {
        if !OFFSET {
            slice = plane / 2u;
        }
        r = mean_read(plane, slice, tile, inside, chip);
    }
    let to = ((chip * planes + plane) * q.col_tiles + tile) * q.rows;
    for (var j = 0u; j < 4u; j++) {
        if row[j] < q.rows {
            reference[to + row[j]] = vec2<f32>(r.mean[j], r.variance[j]);
        }
    }
}
