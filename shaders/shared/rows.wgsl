//!include shared/brought.wgsl
// What a thread of conv2d_grad_weight_tiled.wgsl reads: rows of the weight at pixels. That file declares
// the parameters `p` and the buffers.

// A pixel of a block of images, counted by steps.
struct Pixel {
    block: u32,
    oy: u32,
    ox: u32,
}

fn following(pixel: Pixel) -> Pixel {
    var n = pixel;
    n.ox += 1u;
    if n.ox == p.conv.w_out {
        n.ox = 0u;
        n.oy += 1u;
        if n.oy == p.conv.h_out {
            n.oy = 0u;
            n.block += 1u;
        }
    }
    return n;
}

// A row of the weight: where its channel begins in a block, and its place from the pixel's; beyond the
// map where there is no such row.
struct Row {
    channel: u32,
    ky: u32,
    kx: u32,
}

const NOWHERE: u32 = 0x40000000u;

fn row_of(k: u32, channel_group: u32) -> Row {
    let c = p.conv;
    let taps = c.kh * c.kw;
    let channel = (channel_group * c.group_in + k / taps) * c.h_in * c.w_in;
    // Above the upper edge this wraps, and is too large as well once the pixel's place is added.
    let ky = k % taps / c.kw * c.dilation_y - c.pad_top;
    return Row(channel, select(NOWHERE, ky, k < p.rows), k % c.kw * c.dilation_x - c.pad_left);
}

fn bring(r: Row, at: Pixel, base: u32) -> Brought {
    let c = p.conv;
    let iy = at.oy * c.stride_y + r.ky;
    let ix = at.ox * c.stride_x + r.kx;
    let inside = (iy < c.h_in) & (ix < c.w_in);
    return Brought(inside, x[select(0u, base + (r.channel + iy * c.w_in + ix) * QUADS, inside)]);
}
