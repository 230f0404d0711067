//! Deviates of conversions: addresses are at [`Crossbar`](crate::program::Crossbar).

use std::ops::Range;

use crate::program::{LANES, Reading, RunArgs};
use crate::random::{ABOVE, IMAGES, Purpose, Stream};

/// Columns of one block of the generator.
const COLUMNS: usize = 4;

/// Conversions of one row tile and read plane at some pixels, for a range of columns.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Row tile.
    pub r: usize,
    /// Read plane.
    pub p: usize,
    /// Pixels of the output map.
    pub pixels: Range<usize>,
    /// Columns of the layer.
    pub cols: Range<usize>,
}

impl Batch {
    /// Blocks of the generator that hold the columns.
    fn blocks(&self) -> Range<usize> {
        self.cols.start / COLUMNS..self.cols.end.div_ceil(COLUMNS)
    }

    /// Values per conversion of a column: the columns of whole blocks.
    pub fn width(&self) -> usize {
        self.blocks().len() * COLUMNS
    }

    /// Place of the first column among them.
    pub fn first(&self) -> usize {
        self.cols.start % COLUMNS
    }

    /// Deviates of one conversion.
    pub fn len(&self) -> usize {
        LANES * self.pixels.len() * self.width()
    }
}

/// Where deviates come from: one chip, one block of images.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct Events<'a> {
    spec: &'a Reading,
    pixels: usize,
    seed: u64,
    flags: u32,
    chip: u32,
    first_image: u32,
}

impl<'a> Events<'a> {
    /// Of the `chip`-th chip of a run and the images from the `image`-th resident one on; `pixels` of the
    /// output map.
    pub fn new(
        spec: &'a Reading,
        pixels: usize,
        args: &RunArgs,
        chip: usize,
        image: usize,
    ) -> Self {
        Self {
            spec,
            pixels,
            seed: args.seed,
            flags: args.purpose,
            chip: args.first_chip.wrapping_add(chip as u32),
            first_image: args.first_image.wrapping_add(image as u32),
        }
    }

    /// Standard normal deviates `[pixel][column][lane]` (see [`Batch::width`]) of conversion `t`; with
    /// `row` those of the cells of that row.
    pub(super) fn fill(
        &self,
        purpose: Purpose,
        row: Option<usize>,
        batch: &Batch,
        t: usize,
        out: &mut [f32],
    ) {
        let a = &self.spec.arrays;
        let per_pixel = a.cols.div_ceil(COLUMNS);
        let tile = batch.p * a.row_tiles() + batch.r;
        let conversion = tile * self.spec.dac.conversions() + t;
        let (blocks, width) = (batch.blocks(), batch.width());
        let row = row.map_or(0, |k| k as u32 * ABOVE);
        let (flags, layer) = (self.flags | row, self.spec.layer);
        let stream = Stream::new(self.seed, purpose, flags, layer, self.chip);
        let first =
            |pixel: usize| ((conversion * self.pixels + pixel) * per_pixel + blocks.start) as u32;
        if blocks.len() == per_pixel {
            // Neighbouring pixels are neighbours in the stream.
            return stream.fill_repeats(self.first_image, first(batch.pixels.start), out);
        }
        for (pixel, out) in batch
            .pixels
            .clone()
            .zip(out.chunks_exact_mut(width * LANES))
        {
            stream.fill_repeats(self.first_image, first(pixel), out);
        }
    }
}

/// Deviates of one column from [`Events::fill`], one conversion after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviates<'a> {
    values: &'a [f32],
    /// Values per conversion, and per pixel.
    conversion: usize,
    pixel: usize,
    /// Place of the column.
    first: usize,
}

impl<'a> Deviates<'a> {
    /// Of the `o`-th column of a batch.
    pub fn new(values: &'a [f32], batch: &Batch, o: usize) -> Self {
        Self {
            values,
            conversion: batch.len(),
            pixel: batch.width() * LANES,
            first: (batch.first() + o) * LANES,
        }
    }

    /// 16 lanes of conversion `t` at pixel `i`.
    #[inline(always)]
    pub fn lanes(&self, t: usize, i: usize) -> &'a [f32; LANES] {
        let start = t * self.conversion + i * self.pixel + self.first;
        let values = self.values[start..].first_chunk();
        values.expect("a value for every lane")
    }
}

/// Lanes are the images of [`Stream::fill_repeats`].
const _: () = assert!(LANES == IMAGES);
