//! Products of convolutions from tiles in workgroup memory: `shaders/conv2d_tiled.wgsl`.
//!
//! A sum runs over terms: a channel and a kernel position each, in the order of the other kernels, whose
//! sums these are. A table says where a term is in the weights and in the map, so that one kernel takes
//! every stride, dilation and padding. The gradient of a convolution's input is such a sum too, with the
//! maps exchanged; where the stride is not 1, pixels whose places have the same remainder see the same
//! kernel positions, and each remainder is a call of its own.

use std::sync::Arc;

use super::dispatch::{Dispatch, LowerContext, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::program::{ConvGeometry, Post, TensorId};

/// Channels of a tile and how its cost exceeds that of the largest one: a smaller tile brings more
/// of the map to workgroup memory for every product.
const TILES: [(usize, f64); 3] = [(64, 1.0), (32, 1.125), (16, 1.333)];

/// Threads of a workgroup.
const THREADS: usize = 256;

/// Workgroups below which units of a large GPU have none; smaller tiles are better then.
const ENOUGH: usize = 256;

/// Channels of a group up to which nothing is gained: what the tile shares are channels.
const FEW: usize = 8;

/// A row and a column far outside of every map.
const NOWHERE: u32 = 0x2000_0000;

uniform! {
    /// Twin of `Params` in `shaders/conv2d_tiled.wgsl`.
    struct Params {
        x: View,
        y: View,
        w: View,
        post: PostParams,
        h_in: u32,
        w_in: u32,
        rows: u32,
        columns: u32,
        h_out: u32,
        w_out: u32,
        read_y: u32,
        read_x: u32,
        write_y: u32,
        write_x: u32,
        first_y: u32,
        first_x: u32,
        group_in: u32,
        group_out: u32,
        tiles: u32,
        groups: u32,
        terms: u32,
        channel_stride: u32,
        group_stride: u32,
    }
}

/// Map that is read, weights and map that is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operands {
    /// Read.
    pub x: TensorId,
    /// The weights as the program has them.
    pub w: TensorId,
    /// Written.
    pub y: TensorId,
}

/// Channels of a workgroup for a product of `channels` per group at `pixels` of one image, or nothing
/// where the kernel without workgroup memory is taken.
fn tile(
    operands: Operands,
    channels: usize,
    groups: usize,
    pixels: usize,
    cx: &LowerContext<'_>,
) -> Option<usize> {
    let cost = |(tile, dear): &(usize, f64)| (channels.next_multiple_of(*tile) as f64) * dear;
    let best = TILES.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
    let tile = best.map(|(tile, _)| *tile)?;
    let places = cx.run_blocks() * pixels;
    let width = places_of(tile);
    let chips = cx.slabs(operands.y);
    let calls = places.div_ceil(width) * channels.div_ceil(tile) * groups * chips;
    let worth = channels > FEW && places >= width && calls >= ENOUGH;
    match cx.kernels {
        Kernels::Portable => None,
        Kernels::Fitting | Kernels::Cooperative => worth.then_some(tile),
        Kernels::Tiled => Some(tile),
    }
}

/// Pixels of blocks of images in a tile of so many channels.
fn places_of(channels: usize) -> usize {
    THREADS / (channels / 8)
}

/// Rounds of a thread: its steps, and the places that it writes.
fn rounds(terms: usize, tile: usize) -> u64 {
    (terms.div_ceil(tile / 16) + 4) as u64
}

/// One axis of the map that is written, from `first` on every `step`-th place, and the places that
/// its pixels read.
#[derive(Clone)]
struct Axis {
    first: usize,
    step: usize,
    /// Pixels.
    count: usize,
    /// From pixel to pixel in the map that is read.
    read: usize,
    /// Kernel positions that they see, and where each lies from the pixel's place.
    taps: Vec<(usize, i64)>,
}

impl Axis {
    /// All places of the output of a convolution.
    fn forward(geo: &ConvGeometry, axis: usize) -> Self {
        let kernel = [geo.kh, geo.kw][axis];
        let tap = |k: usize| (k * geo.dilation[axis]) as i64 - geo.pad[axis] as i64;
        Self {
            first: 0,
            step: 1,
            count: [geo.h_out(), geo.w_out()][axis],
            read: geo.stride[axis],
            taps: (0..kernel).map(|k| (k, tap(k))).collect(),
        }
    }

    /// The places of the input, by their remainder modulo the stride.
    fn backward(geo: &ConvGeometry, axis: usize) -> Vec<Self> {
        let (kernel, extent) = ([geo.kh, geo.kw][axis], [geo.h_in, geo.w_in][axis]);
        let stride = geo.stride[axis];
        let of_remainder = |first: usize| {
            let tap = |k: usize| {
                let from = (first + geo.pad[axis]) as i64 - (k * geo.dilation[axis]) as i64;
                let stride = stride as i64;
                (from.rem_euclid(stride) == 0).then_some((k, from.div_euclid(stride)))
            };
            Self {
                first,
                step: stride,
                count: (extent - first).div_ceil(stride),
                read: 1,
                taps: (0..kernel).filter_map(tap).collect(),
            }
        };
        (0..stride.min(extent)).map(of_remainder).collect()
    }
}

/// Channels of a sum and where their weights are.
struct Sum {
    channels: usize,
    /// Weights from channel to channel of the sum.
    stride: usize,
    /// Extents of the map that is read.
    extents: [usize; 2],
}

impl Sum {
    /// The places of all terms, and as many more as a step may read beyond them.
    fn places(&self, geo: &ConvGeometry, rows: &Axis, columns: &Axis) -> Arc<[u32]> {
        let [height, width] = self.extents.map(|n| n as i64);
        let mut places = Vec::new();
        for channel in 0..self.channels {
            for &(ky, y) in &rows.taps {
                for &(kx, x) in &columns.taps {
                    let at = ((channel as i64 * height + y) * width + x) * 4;
                    let weight = channel * self.stride + ky * geo.kw + kx;
                    // Negative ones wrap, and so do the sums in the shader.
                    places.extend([at as u32, y as u32, x as u32, weight as u32]);
                }
            }
        }
        // The last step may be cut, and two are read ahead.
        for _ in 0..3 * TILES[0].0 / 16 {
            places.extend([0, NOWHERE, NOWHERE, 0]);
        }
        places.into()
    }
}

/// The forward product with its epilogue, where it is worth it.
pub(super) fn forward(
    operands: Operands,
    geo: &ConvGeometry,
    post: &Post,
    cx: &LowerContext<'_>,
) -> Option<Dispatch> {
    let channels = geo.c_out / geo.groups;
    let pixels = geo.h_out() * geo.w_out();
    let tile = tile(operands, channels, geo.groups, pixels, cx)?;
    let sum = Sum {
        channels: geo.c_in / geo.groups,
        stride: geo.kh * geo.kw,
        extents: [geo.h_in, geo.w_in],
    };
    let call = Call {
        operands,
        geo,
        post,
        tile,
        channels,
        channel_stride: geo.rows(),
        written: [geo.h_out(), geo.w_out()],
    };
    let axes = [0, 1].map(|axis| Axis::forward(geo, axis));
    Some(call.dispatch(&sum, &axes, cx))
}

/// The gradient of the input, where it is worth it: a call for every remainder of the stride.
pub(super) fn backward(
    operands: Operands,
    geo: &ConvGeometry,
    cx: &LowerContext<'_>,
) -> Option<Vec<Dispatch>> {
    let channels = geo.c_in / geo.groups;
    let pixels = geo.h_in.div_ceil(geo.stride[0]) * geo.w_in.div_ceil(geo.stride[1]);
    let tile = tile(operands, channels, geo.groups, pixels, cx)?;
    let sum = Sum {
        channels: geo.c_out / geo.groups,
        stride: geo.rows(),
        extents: [geo.h_out(), geo.w_out()],
    };
    let call = Call {
        operands,
        geo,
        post: &Post::NONE,
        tile,
        channels,
        channel_stride: geo.kh * geo.kw,
        written: [geo.h_in, geo.w_in],
    };
    let mut dispatches = Vec::new();
    for rows in Axis::backward(geo, 0) {
        for columns in Axis::backward(geo, 1) {
            let axes = [rows.clone(), columns];
            dispatches.push(call.dispatch(&sum, &axes, cx));
        }
    }
    Some(dispatches)
}

/// What the calls of one product have in common.
struct Call<'a> {
    operands: Operands,
    geo: &'a ConvGeometry,
    post: &'a Post,
    /// Channels of a workgroup.
    tile: usize,
    /// Channels of a group that are written, and the weights from one to the next.
    channels: usize,
    channel_stride: usize,
    /// Extents of the map that is written.
    written: [usize; 2],
}

impl Call<'_> {
    fn dispatch(&self, sum: &Sum, [rows, columns]: &[Axis; 2], cx: &LowerContext<'_>) -> Dispatch {
        let Operands { x, w, y } = self.operands;
        let tiles = self.channels.div_ceil(self.tile);
        let terms = sum.channels * rows.taps.len() * columns.taps.len();
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            w: cx.view(w),
            post: post::params(self.post, cx),
            h_in: sum.extents[0] as u32,
            w_in: sum.extents[1] as u32,
            rows: rows.count as u32,
            columns: columns.count as u32,
            h_out: self.written[0] as u32,
            w_out: self.written[1] as u32,
            read_y: rows.read as u32,
            read_x: columns.read as u32,
            write_y: rows.step as u32,
            write_x: columns.step as u32,
            first_y: rows.first as u32,
            first_x: columns.first as u32,
            group_in: sum.channels as u32,
            group_out: self.channels as u32,
            tiles: tiles as u32,
            groups: self.geo.groups as u32,
            terms: terms as u32,
            channel_stride: self.channel_stride as u32,
            group_stride: (self.geo.c_out / self.geo.groups * self.geo.rows()) as u32,
        };
        let work = Work {
            group: places_of(self.tile) as u32,
            ..Work::flat(rows.count * columns.count)
        };
        let work = work
            .repeated(tiles * self.geo.groups)
            .per_block()
            .per_chip(cx.per_chip(y));
        let dispatch = Dispatch::new("conv2d_tiled", work)
            .params(&params)
            .constant("CHANNELS", self.tile as u32)
            .rounds(rounds(terms, self.tile))
            .read(x)
            .read(w)
            .write(y);
        let places = sum.places(self.geo, rows, columns);
        post::attach(dispatch, self.post).table(&places)
    }
}
