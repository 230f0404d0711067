//!include shared/draws.wgsl
//!include effects/levels.wgsl
//!include effects/fill.wgsl
//!include effects/read_noise.wgsl
//!include effects/$name.wgsl for effects
// Programming of four cells: the effects of src/effects in the order of its PIPELINE. Constants:
// FLAGS, the bits of the purpose that reference cells have; REAL, a reference column holds the offset; and
// those of the effects. In the kernel's file: `table`, and `common_of`, the common deviations of arrays. Twin of Programming:
// src/backend/wgpu/program_cells.rs.

struct Programming {
    rows: u32,
    cols: u32,
    col_tiles: u32,
    slices: u32,
    // Added to every code.
    offset_code: i32,
    layer: u32,
    // Starts in the table of column tiles and of what follows the slices' four numbers each; the
    // table begins with the row tiles.
    col_tile_at: u32,
    slice_at: u32,
    levels_at: u32,
    g_min: f32,
    // Codes that the slices hold.
    code_low: f32,
    code_high: f32,
    @align(16) read_noise: ReadNoise,
    @align(16) $name: $Type, // for effects
}

// Four cells: where they are, and their addresses for random numbers.
struct Cells {
    row: vec4<u32>,
    // Column; reference columns have none and are never open.
    column: vec4<u32>,
    array: vec4<u32>,
    address: vec4<u32>,
    // Common deviations of their arrays.
    joint: vec4<f32>,
    chip: u32,
}

// Four cells on their way: conductances so far, the same as programmed (before they age), and 1 where no
// line of the cell is open, else 0.
struct State {
    g: vec4<f32>,
    programmed: vec4<f32>,
    closed: vec4<f32>,
}

fn table4(i: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(table[i.x], table[i.y], table[i.z], table[i.w]);
}

fn float4(i: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(table4(i));
}

// Number `field` of the slices: 0 bits below, 1 highest digit, 2 level units.
fn slice_field(p: Programming, slice: vec4<u32>, field: u32) -> vec4<u32> {
    return table4(vec4<u32>(p.slice_at + field) + 4u * slice);
}

// A curve over relative conductance.
fn curve(at: u32, len: u32, g: vec4<f32>) -> vec4<f32> {
    let x = clamp(g, vec4<f32>(0.0), vec4<f32>(1.0)) * f32(len - 1u);
    let i = min(vec4<u32>(x), vec4<u32>(len - 2u));
    let a = float4(vec4<u32>(at) + i);
    let b = float4(vec4<u32>(at + 1u) + i);
    return a + (b - a) * (x - vec4<f32>(i));
}

// The cells' own random words.
fn own_words(p: Programming, c: Cells, purpose: u32) -> vec4<u32> {
    return words_at(c.address, p.layer, c.chip, purpose | FLAGS);
}

// Cells of planes at places in a plane.
fn cells_of(p: Programming, plane: vec4<u32>, at: vec4<u32>, chip: u32) -> Cells {
    let column = at / p.rows;
    let planes = p.slices * select(2u, 1u, OFFSET);
    var c: Cells;
    c.row = at % p.rows;
    c.array = (table4(c.row) * p.col_tiles + table4(vec4<u32>(p.col_tile_at) + column)) * planes + plane;
    c.address = plane * (p.cols * p.rows) + at;
    c.column = column;
    c.chip = chip;
    c.joint = common_of(c.array, chip);
    return c;
}

// Cells with that target as they are written.
fn written(p: Programming, c: Cells, target_g: vec4<f32>) -> State {
    var s = State(target_g, target_g, vec4<f32>(1.0));
    s = apply_$name(p, c, s); // for write
    s.programmed = s.g;
    return s;
}

// Cells with that target as they are read.
fn programmed(p: Programming, c: Cells, target_g: vec4<f32>) -> State {
    var s = written(p, c, target_g);
    s = apply_$name(p, c, s); // for age
    return s;
}
