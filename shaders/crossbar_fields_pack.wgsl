//!include shared/run.wgsl
// Integer conductances as digits of two bits for shared/fields.wgsl, raised by the plane's bias:
// fields[four columns][plane][row tile][digit][word][half], four words a tile, a vec4 of four columns. The
// half h of a word has the rows 4 f + 2 h in the lower two bits of its field f, those after them in
// the upper two. One thread all digits of a half word. Constant PARTS: digits of a
// conductance, 1 or 2.

struct Params {
    g: View,
    // vec4 of a chip.
    chip: u32,
    row_tiles: u32,
    rows: u32,
    cols: u32,
    planes: u32,
    group_out: u32,
    tiles: u32,
    // Threads: fours of columns of all groups, planes, row tiles, eight halves.
    threads: u32,
    // Starts in the table: first word of every row tile; bits and bias of every plane; first row
    // and rows of every word.
    tile_at: u32,
    plane_at: u32,
    word_at: u32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> fields: array<vec4<u32>>;

fn levels(at: vec4<u32>, bias: i32) -> vec4<u32> {
    let v = vec4<f32>(g[at.x], g[at.y], g[at.z], g[at.w]);
    return vec4<u32>(vec4<i32>(round(v)) + vec4<i32>(bias));
}

// The levels of a row in the lower 16 bits, of the next in the upper ones.
fn pair_of(at: vec4<u32>, bias: i32, next: bool) -> vec4<u32> {
    var v = levels(at, bias);
    if next {
        v |= levels(at + vec4<u32>(1u), bias) << vec4<u32>(16u);
    }
    return v;
}

// A digit of both.
fn digits_of(pair: vec4<u32>, part: u32) -> vec4<u32> {
    let v = pair >> vec4<u32>(2u * part);
    return (v & vec4<u32>(3u)) | ((v >> vec4<u32>(14u)) & vec4<u32>(12u));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if item >= p.threads || chip >= run.chips {
        return;
    }
    let half = item % 2u;
    let row_tile = item / 8u % p.row_tiles;
    let plane = item / 8u / p.row_tiles % p.planes;
    let tile = item / 8u / p.row_tiles / p.planes;
    let first = tile % p.tiles * 4u;
    let column = tile / p.tiles * p.group_out + first;
    let bias = bitcast<i32>(table[p.plane_at + 2u * plane + 1u]);
    let word = table[p.tile_at + row_tile] + item / 2u % 4u;
    var row = 0u;
    var rows = 0u;
    if word < table[p.tile_at + row_tile + 1u] {
        row = table[p.word_at + 2u * word];
        rows = table[p.word_at + 2u * word + 1u];
    }
    let base = chip_base(p.g, chip) + (plane * p.cols + column) * p.rows + row;
    // Columns that do not exist are those before once more; nothing is made of them.
    let columns = min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.group_out - first - 1u)) * p.rows + base;
    var low = vec4<u32>(0u);
    var high = low;
    for (var k = 2u * half; k < rows; k += 4u) {
        let place = vec4<u32>(k & 28u);
        let both = pair_of(columns + k, bias, k + 1u < rows);
        low |= digits_of(both, 0u) << place;
        if PARTS > 1u {
            high |= digits_of(both, 1u) << place;
        }
    }
    let to = chip * p.chip + item / 8u * PARTS * 8u + item % 8u;
    fields[to] = low;
    if PARTS > 1u {
        fields[to + 8u] = high;
    }
}
