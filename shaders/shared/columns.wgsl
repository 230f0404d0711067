//!include shared/brought.wgsl
// What a thread of conv2d_tiled.wgsl reads and writes: places of the map, weights, the results. That
// file declares the parameters `p`, the buffers and SPREAD.

// A column of the tile: a pixel of a block of images.
struct Column {
    inside: bool,
    block: u32,
    row: u32,
    column: u32,
}

fn column_of(slot: u32) -> Column {
    let pixels = p.rows * p.columns;
    let pixel = slot % pixels;
    let block = slot / pixels;
    return Column(block < run.blocks, block, pixel / p.columns, pixel % p.columns);
}

// Where a thread finds a quad of the map.
struct Source {
    // Beyond the map in all rows where there is no such column.
    row: u32,
    column: u32,
    at: u32,
}

const NOWHERE: u32 = 0x40000000u;

fn source_of(slot: u32, chip: u32, first_channel: u32, quad: u32) -> Source {
    let c = column_of(slot);
    let row = c.row * p.read_y;
    let column = c.column * p.read_x;
    let at = block_base(p.x, chip, c.block)
        + ((first_channel * p.h_in + row) * p.w_in + column) * QUADS + quad;
    return Source(select(NOWHERE, row, c.inside), column, at);
}

fn bring(s: Source, place: vec4<u32>) -> Brought {
    // Above the first row or before the first column this wraps and is too large as well.
    let inside = (s.row + place.y < p.h_in) & (s.column + place.z < p.w_in);
    return Brought(inside, x[select(0u, s.at + place.x, inside)]);
}

// First weights of four channels from `channel` of a group, whose first weight is w0. Channels beyond
// the last are computed as the last and not stored.
fn first_weights(w0: u32, channel: u32) -> vec4<u32> {
    let j = min(channel + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.group_out - 1u));
    return w0 + j * p.channel_stride;
}

fn weights_at(first: vec4<u32>, place: u32) -> vec4<f32> {
    let at = first + place;
    return vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

struct Site {
    chip: u32,
    first_channel: u32,
    channels: u32,
    // From channel to channel.
    channel_quads: u32,
    // Of the thread's four quads: whether they are there, in a slab of y, of the residual.
    inside: vec4<bool>,
    y_at: vec4<u32>,
    residual_at: vec4<u32>,
    step: f32,
}

fn put(s: Site, i: u32, j: u32, value: vec4<f32>, f: f32, t: f32) {
    if !s.inside[i] {
        return;
    }
    var r = vec4<f32>(0.0);
    if HAS_RESIDUAL {
        r = residual[s.residual_at[i] + j * s.channel_quads];
    }
    y[s.y_at[i] + j * s.channel_quads] = post_value(value, f, t, r, s.step, p.post);
}

fn store(s: Site, j: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    if j >= s.channels {
        return;
    }
    let channel = s.first_channel + j;
    var f = 1.0;
    var t = 0.0;
    if HAS_SCALE {
        f = scale[chip_base(p.post.scale, s.chip) + channel];
    }
    if HAS_SHIFT {
        t = shift[chip_base(p.post.shift, s.chip) + channel];
    }
    put(s, 0u, j, a, f, t);
    put(s, 1u, j, b, f, t);
    put(s, 2u, j, c, f, t);
    put(s, 3u, j, d, f, t);
}

// Where the thread's channels and quads are written.
fn site_of(chip: u32, channel_group: u32, first: u32, slot: u32, quad: u32) -> Site {
    var s: Site;
    s.chip = chip;
    s.first_channel = channel_group * p.group_out + first;
    s.channels = select(0u, p.group_out - first, first < p.group_out);
    s.channel_quads = p.h_out * p.w_out * QUADS;
    s.step = 1.0;
    if HAS_QUANT {
        s.step = quant_step[0];
    }
    for (var i = 0u; i < 4u; i++) {
        let c = column_of(slot + i * (SPREAD / 4u));
        let row = p.first_y + c.row * p.write_y;
        let column = p.first_x + c.column * p.write_x;
        let at = s.first_channel * s.channel_quads + (row * p.w_out + column) * QUADS + quad;
        s.inside[i] = c.inside;
        s.y_at[i] = block_base(p.y, chip, c.block) + at;
        s.residual_at[i] = block_base(p.post.residual, chip, c.block) + at;
    }
    return s;
}
