//! One JPEG or PNG file.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, Limits, RgbImage};

use crate::error::{Error, Result};
use crate::files::kind;

/// Most rows and columns of a picture file. Its decoder takes at most some 16 bytes a pixel.
pub const MAX_SIDE: u32 = 4096;

/// Most bytes a decoder may take for one picture: 16 bytes a pixel of the largest.
const MAX_ALLOCATION: u64 = 16 * (MAX_SIDE as u64) * (MAX_SIDE as u64);

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Channels: 1 (grey) or 3 (red, green, blue).
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Values `[c][h][w]`.
    pub pixels: Vec<u8>,
}

/// Decodes a JPEG or PNG file (told apart by their content, not by the name, which is for
/// messages), and resizes it to `resize` rows and columns where that is given.
///
/// Grey stays one channel, everything else becomes red, green, blue; transparency is dropped,
/// 16 bits become 8, and an orientation in the metadata is not applied.
///
/// # Errors
/// Content that is neither, damaged or incomplete, or more than 4096 pixels on a side; found
/// before memory is taken for the pixels.
pub fn decode_picture(name: &str, bytes: &[u8], resize: Option<[usize; 2]>) -> Result<Picture> {
    let image = match bytes {
        [0xff, 0xd8, 0xff, ..] => {
            jpeg_is_complete(name, bytes)?;
            let decoder = JpegDecoder::new(Cursor::new(bytes));
            decoded(name, "JPEG", decoder)?
        }
        [0x89, b'P', b'N', b'G', ..] => {
            // No side is refused here: `decoded` does, and says its size.
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(MAX_ALLOCATION);
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits);
            decoded(name, "PNG", decoder)?
        }
        _ => {
            let start: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
            return Err(Error::input(format!(
                "{name}: starts with the bytes [{}]; allowed: JPEG (ff d8 ff) and PNG (89 50 4e 47){}",
                start.join(" "),
                kind::told(&bytes[..bytes.len().min(kind::START)])
            )));
        }
    };
    let grey = !image.color().has_color();
    let (from, to) = (
        (image.height() as usize, image.width() as usize),
        resize.map(|[h, w]| (h, w)),
    );
    let target = to.filter(|&to| to != from);
    let (c, (h, w)) = (if grey { 1 } else { 3 }, to.unwrap_or(from));
    let (wide, high) = (w as u32, h as u32);
    let pixels = if grey {
        let mut grey: GrayImage = image.into_luma8();
        if target.is_some() {
            grey = imageops::resize(&grey, wide, high, FilterType::Triangle);
        }
        grey.into_raw()
    } else {
        let mut colour: RgbImage = image.into_rgb8();
        if target.is_some() {
            colour = imageops::resize(&colour, wide, high, FilterType::Triangle);
        }
        planes(&colour.into_raw(), h * w)
    };
    Ok(Picture { c, h, w, pixels })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits
}

fn decoded(
    name: &str,
    what: &str,
    decoder: image::ImageResult<impl ImageDecoder>,
) -> Result<DynamicImage> {
    let damaged = |e| Error::input(format!("{name}: damaged {what} file: {e}"));
    let mut decoder = decoder.map_err(damaged)?;
    let (w, h) = decoder.dimensions();
    if w == 0 || h == 0 || w > MAX_SIDE || h > MAX_SIDE {
        return Err(Error::input(format!(
            "{name}: a picture of {h} x {w} pixels; allowed: 1 to {MAX_SIDE} on a side"
        )));
    }
    decoder.set_limits(limits()).map_err(damaged)?;
    DynamicImage::from_decoder(decoder).map_err(damaged)
}

/// The decoder fills a picture whose file ends early with grey, as a browser should. A training set
/// should not have such pictures: an end marker must follow the last start of scan.
fn jpeg_is_complete(name: &str, bytes: &[u8]) -> Result<()> {
    let last = |marker: u8| bytes.windows(2).rposition(|w| w == [0xff, marker]);
    match (last(0xda), last(0xd9)) {
        (Some(scan), Some(end)) if end > scan => Ok(()),
        _ => Err(Error::input(format!(
            "{name}: damaged JPEG file: its {} bytes have no end marker (ff d9) after the last scan \
             (truncated?)",
            bytes.len()
        ))),
    }
}

/// `[pixel][3]` to `[3][pixel]`.
fn planes(interleaved: &[u8], n: usize) -> Vec<u8> {
    let mut out = vec![0; 3 * n];
    for (c, plane) in out.chunks_exact_mut(n).enumerate() {
        for (o, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(3)) {
            *o = pixel[c];
        }
    }
    out
}

#[cfg(test)]
mod tests;
