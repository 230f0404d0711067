// What a thread of conv2d_winograd.wgsl reads and writes: places of the map, the results. That file declares the
// parameters `p`, the buffers, workgroup memory `near`, SPREAD and SIDE.

// A tile of a block of images.
struct Tile {
    inside: bool,
    block: u32,
    row: u32,
    column: u32,
}

fn tile_of(slot: u32) -> Tile {
    let tiles = p.rows * p.columns;
    let tile = slot % tiles;
    let block = slot / tiles;
    return Tile(block < run.blocks, block, tile / p.columns, tile % p.columns);
}

// What a thread makes V of: two rows of three values of a quad in every channel of a step, and factors
// that are 0 outside of the map and the sign of the second row.
struct Source {
    at_a: u32,
    at_b: u32,
    columns: vec3<u32>,
    a: vec3<f32>,
    b: vec3<f32>,
}

// Values `4 i` to `4 i + 3` are made of rows 0 and 2, 1 and 2, 2 and 1, 1 and 3; the first two of them of columns
// 0, 1, 2, the others of 3, 1, 2.
fn source_of(slot: u32, chip: u32, quad: u32, i: u32, upper: bool) -> Source {
    let t = tile_of(slot);
    let row_a = 2u * t.row + vec4<u32>(0u, 1u, 2u, 1u)[i] - p.pad_y;
    let row_b = 2u * t.row + vec4<u32>(2u, 2u, 1u, 3u)[i] - p.pad_y;
    let columns = 2u * t.column + vec3<u32>(select(0u, 3u, upper), 1u, 2u) - p.pad_x;
    // Above the first row or before the first column these wrap and are too large as well.
    let there = vec3<bool>(t.inside) & (columns < vec3<u32>(p.w_in));
    let base = block_base(p.x, chip, t.block) + quad;
    let one = vec3<f32>(1.0);
    let sign = select(-1.0, 1.0, i == 1u);
    var s: Source;
    s.at_a = base + select(0u, row_a, t.inside & (row_a < p.h_in)) * p.w_in * QUADS;
    s.at_b = base + select(0u, row_b, t.inside & (row_b < p.h_in)) * p.w_in * QUADS;
    s.at_a = select(0u, s.at_a, t.inside);
    s.at_b = select(0u, s.at_b, t.inside);
    s.columns = select(vec3<u32>(0u), columns * QUADS, there);
    s.a = select(vec3<f32>(0.0), one, there & vec3<bool>(row_a < p.h_in));
    s.b = select(vec3<f32>(0.0), vec3<f32>(sign), there & vec3<bool>(row_b < p.h_in));
    return s;
}

// Where a thread puts a result of a quad.
struct Site {
    inside: bool,
    y_at: u32,
    residual_at: u32,
    first_channel: u32,
    step: f32,
}

fn site_of(slot: u32, chip: u32, quad: u32, pixel: u32, channel: u32) -> Site {
    let t = tile_of(slot);
    let row = 2u * t.row + pixel / 2u;
    let column = 2u * t.column + pixel % 2u;
    let at = ((channel * p.h_out + row) * p.w_out + column) * QUADS + quad;
    var s: Site;
    s.inside = t.inside & (row < p.h_out) & (column < p.w_out);
    s.y_at = block_base(p.y, chip, t.block) + at;
    s.residual_at = block_base(p.post.residual, chip, t.block) + at;
    s.first_channel = channel;
    s.step = 1.0;
    if HAS_QUANT {
        s.step = quant_step[0];
    }
    return s;
}

// Channel j of every eight: each thread gives its sums and makes a result of 9 of them.
fn exchange(
    s: Site,
    chip: u32,
    local: u32,
    j: u32,
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
) {
    workgroupBarrier();
    let own = local / SIDE * SPREAD + local % SIDE;
    near[own] = a;
    near[own + SIDE] = b;
    near[own + 2u * SIDE] = c;
    near[own + 3u * SIDE] = d;
    workgroupBarrier();
    let channel = s.first_channel + j;
    if !s.inside | (channel >= p.written) {
        return;
    }
    // Rows and columns 0, 1, 2 of the values for the first result, 1, 2, 3 for the second.
    let row = local / 128u;
    let column = local / 64u % 2u;
    let below = select(1.0, -1.0, row == 1u);
    let beside = select(1.0, -1.0, column == 1u);
    let at = (4u * row + column) * 64u + local % 64u;
    let first = near[at] + beside * (near[at + 64u] + near[at + 128u]);
    let second = near[at + 256u] + beside * (near[at + 320u] + near[at + 384u]);
    let third = near[at + 512u] + beside * (near[at + 576u] + near[at + 640u]);
    let value = first + below * (second + third);
    var f = 1.0;
    var t = 0.0;
    var r = vec4<f32>(0.0);
    if HAS_SCALE {
        f = scale[chip_base(p.post.scale, chip) + channel];
    }
    if HAS_SHIFT {
        t = shift[chip_base(p.post.shift, chip) + channel];
    }
    let further = j * p.h_out * p.w_out * QUADS;
    if HAS_RESIDUAL {
        r = residual[s.residual_at + further];
    }
    y[s.y_at + further] = post_value(value, f, t, r, s.step, p.post);
}
