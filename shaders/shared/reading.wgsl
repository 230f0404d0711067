//!include shared/draws.wgsl
//!include effects/drive.wgsl
// Where a thread of the crossbar kernels works: four columns at one pixel for four images, all
// steps of an input at once. Twin of Reading: src/backend/wgpu/reading.rs. A matrix holds a
// vec4 of images for each of the four columns. Constant ALIGNED: every group's first column is a
// multiple of four.

struct Reading {
    // Codes in words: from chip to chip, block to block, channel group to group, and per output
    // row and column.
    codes_chip: u32,
    codes_block: u32,
    codes_group: u32,
    codes_y: u32,
    codes_x: u32,
    // Packed conductances in fours of columns: from chip to chip, from four columns to the next, from
    // plane to plane; start of the variances in vec4.
    g_chip: u32,
    g_tile: u32,
    g_plane: u32,
    variance_at: u32,
    rows: u32,
    cols: u32,
    row_tiles: u32,
    planes: u32,
    // Columns of a group, fours of them, groups.
    group_out: u32,
    tiles: u32,
    groups: u32,
    w_out: u32,
    pixels: u32,
    input_bits: u32,
    layer: u32,
    // Starts in the table: offset of every row's code; first rows of the row tiles; place value of
    // every plane; drive of every digit.
    tile_at: u32,
    place_at: u32,
    dac_at: u32,
    // Rows of `packed`: offsets of their codes, then where each row tile begins among them.
    rows_at: u32,
}

struct Site {
    chip: u32,
    block: u32,
    quad: u32,
    pixel: u32,
    // Number of the first of the four images among all images.
    image: u32,
    // First column, and how many of the four exist.
    column: u32,
    columns: u32,
    // Four columns among all.
    tile: u32,
    // Codes of row 0 less its offset in the table.
    codes: u32,
    // Whether there is work at all.
    valid: bool,
}

// The site of images `slot`, a block's quad at a pixel, and the four of columns number `tile`.
fn site_at(r: Reading, slot: u32, tile: u32, chip: u32) -> Site {
    var s: Site;
    s.tile = tile;
    s.chip = chip;
    s.quad = slot % QUADS;
    s.pixel = slot / QUADS % r.pixels;
    s.block = slot / QUADS / r.pixels;
    let group = s.tile / r.tiles;
    let first = s.tile % r.tiles * 4u;
    s.column = group * r.group_out + first;
    s.columns = min(4u, r.group_out - first);
    s.image = run.first_image + (run.first_block + s.block) * LANES + s.quad * 4u;
    s.codes = chip * r.codes_chip + s.block * r.codes_block + group * r.codes_group
        + s.pixel / r.w_out * r.codes_y + s.pixel % r.w_out * r.codes_x
        + s.quad * select(1u, 2u, SIGNED);
    s.valid = s.tile < r.tiles * r.groups && s.block < run.blocks && chip < run.chips;
    return s;
}

// The work of thread `item` of a chip: neighbours share the columns.
fn site_of(r: Reading, item: u32, chip: u32) -> Site {
    let slots = run.blocks * r.pixels * QUADS;
    return site_at(r, item % slots, item / slots, chip);
}

// A conversion's number among those of its image, in fours of columns.
fn event_of(r: Reading, s: Site, tile: u32, plane: u32, t: u32) -> u32 {
    let conversion = (plane * r.row_tiles + tile) * CONVERSIONS + t;
    return (conversion * r.pixels + s.pixel) * ((r.cols + 3u) / 4u);
}

// Words of four neighbouring columns from the `shift`-th of the first block on.
fn from_column(shift: u32, a: Blocks, b: Blocks) -> Blocks {
    switch shift {
        case 1u: {
            return Blocks(a.y, a.z, a.w, b.x);
        }
        case 2u: {
            return Blocks(a.z, a.w, b.x, b.y);
        }
        case 3u: {
            return Blocks(a.w, b.x, b.y, b.z);
        }
        default: {
            return a;
        }
    }
}

// Standard normal deviates of a conversion.
fn deviates(r: Reading, s: Site, event: u32, purpose: u32) -> mat4x4<f32> {
    let images = vec4<u32>(s.image) + vec4<u32>(0u, 1u, 2u, 3u);
    let rows = vec4<u32>(r.layer) + images * 4096u;
    let first = event + s.column / 4u;
    var words = blocks_of_images(first, rows, s.chip, purpose);
    if !ALIGNED {
        // The columns of a group that begins elsewhere straddle blocks.
        let next = blocks_of_images(first + 1u, rows, s.chip, purpose);
        words = from_column(s.column % 4u, words, next);
    }
    return mat4x4<f32>(
        normal4(words.x, 0.0), normal4(words.y, 0.0), normal4(words.z, 0.0), normal4(words.w, 0.0),
    );
}
