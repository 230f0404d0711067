//!include shared/run.wgsl
// Integer conductances as bits of 32 rows a word, raised by the plane's bias:
// planes[chip][four columns][plane][word][bit], a vec4 of four columns. One thread up to four bits of
// a word, so that a conductance is read once for them.

struct Params {
    g: View,
    // vec4 of a chip, words of a column, bits that every word has room for.
    chip: u32,
    words: u32,
    depth: u32,
    rows: u32,
    cols: u32,
    planes: u32,
    group_out: u32,
    tiles: u32,
    // Starts in the table: bits and bias of every plane; first row and rows of every word.
    plane_at: u32,
    word_at: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> planes: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    let parts = (p.depth + 3u) / 4u;
    let words = p.chip / p.depth;
    if item >= words * parts || chip >= run.chips {
        return;
    }
    let bit = item % parts * 4u;
    let at = item / parts;
    let word = at % p.words;
    let plane = at / p.words % p.planes;
    let tile = at / p.words / p.planes;
    let first = tile % p.tiles * 4u;
    let column = tile / p.tiles * p.group_out + first;
    let bias = bitcast<i32>(table[p.plane_at + 2u * plane + 1u]);
    let row = table[p.word_at + 2u * word];
    let rows = table[p.word_at + 2u * word + 1u];
    let base = chip_base(p.g, chip) + (plane * p.cols + column) * p.rows + row;
    // Four bits of each column.
    var v: array<vec4<u32>, 4>;
    for (var j = 0u; j < min(4u, p.group_out - first); j++) {
        var n = vec4<u32>(0u);
        for (var k = 0u; k < rows; k++) {
            let level = u32(i32(round(g[base + j * p.rows + k])) + bias);
            n |= ((vec4<u32>(level >> bit) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)) << vec4<u32>(k);
        }
        v[j] = n;
    }
    let to = chip * p.chip + at * p.depth + bit;
    for (var b = 0u; b < min(4u, p.depth - bit); b++) {
        planes[to + b] = vec4<u32>(v[0][b], v[1][b], v[2][b], v[3][b]);
    }
}
