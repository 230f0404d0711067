//!include shared/run.wgsl
//!include shared/reduce.wgsl
// dw += factor w / sqrt(sum w^2 of its group), nothing where the whole group is 0; of a group of one weight
// factor sign(w). Groups are tiles of the layer's matrix, weight o rows + k in tile (o / tile_cols, k / tile_rows).
// A small group has one invocation, a large one a workgroup, its sum a fixed tree.

struct Params {
    cols: u32,
    rows: u32,
    tile_cols: u32,
    tile_rows: u32,
    // Groups, and how many of them along the rows.
    groups: u32,
    along: u32,
    // 1: an invocation has a group.
    alone: u32,
    factor: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

struct Tile {
    // First column and row, columns and rows.
    o: u32,
    k: u32,
    cols: u32,
    rows: u32,
}

fn tile_of(group: u32) -> Tile {
    let o = group / params.along * params.tile_cols;
    let k = group % params.along * params.tile_rows;
    let cols = min(params.tile_cols, params.cols - o);
    let rows = min(params.tile_rows, params.rows - k);
    return Tile(o, k, cols, rows);
}

// Place of weight i of a tile.
fn place(tile: Tile, i: u32) -> u32 {
    return (tile.o + i / tile.rows) * params.rows + tile.k + i % tile.rows;
}

// Sum of the squares of every stride-th weight of a tile.
fn squares(tile: Tile, first: u32, stride: u32) -> f32 {
    var total = 0.0;
    for (var i = first; i < tile.cols * tile.rows; i += stride) {
        let v = w[place(tile, i)];
        total += v * v;
    }
    return total;
}

fn add(tile: Tile, first: u32, stride: u32, total: f32) {
    if total == 0.0 {
        return;
    }
    let times = params.factor / sqrt(total);
    for (var i = first; i < tile.cols * tile.rows; i += stride) {
        let at = place(tile, i);
        dw[at] = dw[at] + times * w[at];
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    if params.alone == 1u {
        let group = flat * 256u + lane;
        if group >= params.groups {
            return;
        }
        if params.tile_cols * params.tile_rows == 1u {
            dw[group] = dw[group] + params.factor * sign(w[group]);
            return;
        }
        let tile = tile_of(group);
        add(tile, 0u, 1u, squares(tile, 0u, 1u));
        return;
    }
    if flat >= params.groups {
        return;
    }
    let tile = tile_of(flat);
    let total = workgroup_sum(lane, vec4<f32>(squares(tile, lane, REDUCE_SIZE), 0.0, 0.0, 0.0)).x;
    add(tile, lane, REDUCE_SIZE, total);
}
