use super::*;
use crate::data::mutations::read_mutations;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, Luma, Rgb, Rgba};
use proptest::prelude::*;

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut out = Cursor::new(vec![]);
    image.into().write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

fn colours() -> RgbImage {
    RgbImage::from_fn(5, 3, |x, y| Rgb([10 * x as u8, 20 * y as u8, 7]))
}

fn jpeg(w: u32, h: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(w, h, |x, y| Rgb([(3 * x) as u8, (3 * y) as u8, 90]));
    let mut out = vec![];
    JpegEncoder::new_with_quality(&mut out, 95)
        .write_image(&image, w, h, ExtendedColorType::Rgb8)
        .unwrap();
    out
}

fn refusal(bytes: &[u8]) -> String {
    match decode_picture("f", bytes, None) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn png_pixels_become_planes() {
    let found = decode_picture("f", &png(colours()), None).unwrap();
    assert_eq!((found.c, found.h, found.w), (3, 3, 5));
    for (i, &p) in found.pixels.iter().enumerate() {
        let (c, y, x) = (i / 15, i / 5 % 3, i % 5);
        assert_eq!(usize::from(p), [10 * x, 20 * y, 7][c], "{c} {y} {x}");
    }
}

#[test]
fn every_colour_type_becomes_grey_or_colour_of_8_bits() {
    let one = |image: DynamicImage| {
        let found = decode_picture("f", &png(image), None).unwrap();
        (found.c, found.pixels)
    };
    let grey = GrayImage::from_pixel(1, 1, Luma([9]));
    assert_eq!(one(grey.into()), (1, vec![9]));
    // 16 bits: 257 * v is v.
    let deep = image::ImageBuffer::<Luma<u16>, Vec<u16>>::from_pixel(1, 1, Luma([257 * 77]));
    assert_eq!(one(deep.into()), (1, vec![77]));
    let clear = image::RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 0]));
    assert_eq!(one(clear.into()), (3, vec![1, 2, 3]));
}

#[test]
fn jpeg_pixels_are_close() {
    // Quality 95 and subsampled colour on a smooth picture: a few levels.
    const TOLERANCE: i32 = 8;
    let found = decode_picture("f", &jpeg(24, 16), None).unwrap();
    assert_eq!((found.c, found.h, found.w), (3, 16, 24));
    for (i, &p) in found.pixels.iter().enumerate() {
        let (c, y, x) = (i / 384, i / 24 % 16, i % 24);
        let expected = [3 * x, 3 * y, 90][c] as i32;
        assert!(
            (i32::from(p) - expected).abs() <= TOLERANCE,
            "{c} {y} {x}: {p}"
        );
    }
}

#[test]
fn resizing_keeps_constants_and_averages() {
    let flat = RgbImage::from_pixel(8, 6, Rgb([200, 10, 33]));
    let found = decode_picture("f", &png(flat), Some([4, 4])).unwrap();
    assert_eq!((found.c, found.h, found.w), (3, 4, 4));
    for (plane, value) in found.pixels.chunks(16).zip([200, 10, 33]) {
        assert_eq!(plane, [value; 16]);
    }
    // Halving a ramp keeps its mean (rounding: half a level a pixel).
    let ramp = GrayImage::from_fn(32, 2, |x, _| Luma([8 * x as u8]));
    let found = decode_picture("f", &png(ramp.clone()), Some([1, 16])).unwrap();
    let mean = |v: &[u8]| v.iter().map(|&p| f64::from(p)).sum::<f64>() / v.len() as f64;
    assert!((mean(&found.pixels) - mean(ramp.as_raw())).abs() < 0.5);
    // The same size is not touched.
    let same = decode_picture("f", &png(colours()), Some([3, 5])).unwrap();
    assert_eq!(same, decode_picture("f", &png(colours()), None).unwrap());
}

#[test]
fn what_is_wrong_is_said() {
    let whole = jpeg(16, 16);
    for (bytes, says) in [
        (&b""[..], "f: starts with the bytes []; allowed: JPEG"),
        (b"GIF89a", "f: starts with the bytes [47 49 46 38]"),
        (&whole[..whole.len() - 2], "f: damaged JPEG file: its"),
        (&whole[..whole.len() / 2], "f: damaged JPEG file"),
        (
            &[0xff, 0xd8, 0xff, 0xda, 0xff, 0xd9],
            "f: damaged JPEG file",
        ),
        (&png(colours())[..40], "f: damaged PNG file"),
    ] {
        let message = refusal(bytes);
        assert!(message.contains(says), "{message}");
    }
    // A flipped bit in the pixels: PNG has checksums.
    let mut flipped = png(colours());
    let middle = flipped.len() - 20;
    flipped[middle] ^= 1;
    assert!(refusal(&flipped).contains("damaged PNG"));
}

#[test]
fn absurd_sizes_cost_nothing() {
    // Rows and columns of a JPEG stand in its frame header: ff c0, length, precision.
    let mut bytes = jpeg(16, 16);
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let message = refusal(&bytes);
    assert!(
        message.contains("65535 x 65535 pixels; allowed: 1 to 4096"),
        "{message}"
    );
    // Of a PNG in its first chunk, which has a checksum.
    let mut bytes = png(colours());
    bytes[16..20].copy_from_slice(&[0x7f, 0, 0, 0]);
    assert!(refusal(&bytes).contains("PNG"));
    // A real picture that is only one row too high.
    let message = refusal(&png(GrayImage::new(1, MAX_SIDE + 1)));
    assert!(
        message.contains("4097 x 1 pixels; allowed: 1 to 4096"),
        "{message}"
    );
    assert!(decode_picture("f", &png(GrayImage::new(1, MAX_SIDE)), None).is_ok());
}

/// Mutations of valid files: the answer is a picture of the size it says, or a refusal.
#[test]
fn ten_thousand_mutations_never_panic() {
    let (accepted, refused) = read_mutations(
        20_260_102,
        10_000,
        &[jpeg(16, 8), png(colours())],
        |bytes| decode_picture("f", bytes, None),
        |p| assert_eq!(p.pixels.len(), p.c * p.h * p.w),
    );
    assert!(accepted > 100 && refused > 1_000, "{accepted} {refused}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        jpeg in any::<bool>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let start: &[u8] = match jpeg {
            true => &[0xff, 0xd8, 0xff],
            false => b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        };
        let _ = decode_picture("f", &[start, &bytes].concat(), Some([2, 2]));
    }
}
