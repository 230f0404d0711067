//! A real set of JPEG files against another decoder. The set is not ours to ship.

use std::io::Read;
use std::path::PathBuf;

use pimento::data::{Decoding, load_archive};

/// Where decoders may differ: the rounding of the inverse transform, and how subsampled colour is
/// interpolated. Measured against libjpeg-turbo: at most 4 levels, 0.299 on average, 78.4 % of the
/// values equal. A wrong order of channels or a shift by a pixel would be ten times that.
const LARGEST: i32 = 4;
const MEAN: f64 = 0.35;

#[test]
#[ignore = "needs PIMENTO_TEST_PICTURES: a directory with cifar10-jpeg-small.tar.gz and its decoded test images"]
fn jpeg_pixels_are_those_of_another_decoder() {
    let dir = std::env::var_os("PIMENTO_TEST_PICTURES").expect("PIMENTO_TEST_PICTURES is set");
    let dir = PathBuf::from(dir);
    let decoding = Decoding {
        resize: None,
        cache: None,
        observer: &(),
    };
    let split = load_archive(&dir.join("cifar10-jpeg-small.tar.gz"), &decoding).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (5_000, 1_000));
    assert_eq!(split.train.class_counts(), [500; 10]);
    let packed = std::fs::File::open(dir.join("cifar10-jpeg-small-test1000-decoded.bin.gz"));
    let mut other = vec![];
    flate2::read::GzDecoder::new(packed.unwrap())
        .read_to_end(&mut other)
        .unwrap();
    let found = split.test.bytes().unwrap();
    let (mut largest, mut sum, mut equal) = (0, 0.0, 0usize);
    for i in 0..1_000 {
        // There class by class, here one of each class in turn.
        let record = &other[((i % 10) * 100 + i / 10) * 3073..][..3073];
        assert_eq!(u16::from(record[0]), split.test.labels[i]);
        for (a, b) in found[split.test.range(i)].iter().zip(&record[1..]) {
            let difference = (i32::from(*a) - i32::from(*b)).abs();
            largest = largest.max(difference);
            sum += f64::from(difference);
            equal += usize::from(difference == 0);
        }
    }
    let n = found.len() as f64;
    println!(
        "largest difference {largest}, mean {:.4}, equal {:.2} %",
        sum / n,
        100.0 * equal as f64 / n
    );
    assert!(
        largest <= LARGEST && sum / n <= MEAN,
        "{largest} {}",
        sum / n
    );
}
